//! The version the stand-in claims to be, and how it says that it is a stand-in.

use serde_json::{Map, Value, json};

use crate::role::Role;

/// The version of arangod that is imitated.
pub(crate) const VERSION: &str = "3.12.10";
/// The same version as a number, as arangod writes it into its files.
pub(crate) const VERSION_NUMBER: u32 = 31210;
/// The editions, by the name that arangod gives as its licence. The Starter reads it from `--version`.
pub(crate) const EDITIONS: [&str; 2] = ["community", "enterprise"];
/// The sentence that must be found in every log and every `--version`.
pub(crate) const STAND_IN: &str = "arangod-emulator, a stand-in for arangod, not ArangoDB";
/// The name of the storage engine clients are told.
pub(crate) const ENGINE: &str = "rocksdb";

/// The pairs that `--version`, `--version-json` and `/_api/version?details=true` show.
///
/// The Starter needs `server-version`, `license` and `v8-version` and skips lines with a second
/// colon (arangodb-helper/arangodb, `version_check.go`), so no value here contains one.
pub(crate) fn facts(edition: &str) -> Vec<(&'static str, String)> {
    let flag = |set: bool| String::from(if set { "true" } else { "false" });
    vec![
        ("architecture", format!("{}bit", usize::BITS)),
        ("debug", flag(cfg!(debug_assertions))),
        (
            "endianness",
            String::from(if cfg!(target_endian = "big") {
                "big"
            } else {
                "little"
            }),
        ),
        ("failure-tests", flag(false)),
        ("full-version-string", format!("{STAND_IN} ({VERSION})")),
        ("license", String::from(edition)),
        ("maintainer-mode", flag(false)),
        ("platform", String::from(std::env::consts::OS)),
        ("server-version", String::from(VERSION)),
        ("stand-in", String::from(STAND_IN)),
        ("v8-version", String::from("none")),
    ]
}

/// The `details` object of `GET /_api/version?details=true`: all values are strings.
pub(crate) fn details(role: Role, edition: &str) -> Value {
    let mut details: Map<String, Value> = facts(edition)
        .into_iter()
        .map(|(key, value)| (String::from(key), Value::from(value)))
        .collect();
    details.insert(String::from("mode"), json!("server"));
    details.insert(String::from("role"), json!(role.name()));
    details.insert(String::from("host"), json!(crate::system::host_name()));
    Value::Object(details)
}

/// The text of `--version`.
pub(crate) fn text(edition: &str) -> String {
    let mut text = String::from(VERSION);
    text.push_str("\n\n");
    for (key, value) in facts(edition) {
        text.push_str(&format!("{key}: {value}\n"));
    }
    text
}

/// The text of `--version-json`.
pub(crate) fn json_text(edition: &str) -> String {
    let facts: Map<String, Value> = facts(edition)
        .into_iter()
        .map(|(key, value)| (String::from(key), Value::from(value)))
        .collect();
    format!("{}\n", Value::Object(facts))
}
