//! The version the stand-in claims to be, and how it says that it is a stand-in.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use crate::role::Role;

/// The version of arangod that is imitated where nobody asks for another.
const USUAL: Version = Version {
    major: 3,
    minor: 12,
    patch: 10,
    text: "3.12.10",
};
/// What the options call it.
pub(crate) const OPTION: &str = "--imitate";

/// A version of arangod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    major: u32,
    minor: u32,
    patch: u32,
    /// As it is written. It outlives everything, because a crash handler cannot make it.
    pub(crate) text: &'static str,
}

impl Version {
    /// Reads `3.11.14`. What is known of arangod is known of 3.11 and 3.12.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|number| digits && *number < 100)
        });
        let mut next = || numbers.next().flatten();
        let (major, minor, patch) = (next()?, next()?, next()?);
        let is_known = (major, minor) == (3, 11) || (major, minor) == (3, 12);
        (numbers.next().is_none() && is_known).then(|| Self {
            major,
            minor,
            patch,
            text: String::leak(format!("{major}.{minor}.{patch}")),
        })
    }

    /// As arangod writes it into its files (`Version.cpp` of arangodb/arangodb).
    pub(crate) fn number(self) -> u32 {
        (self.major * 100 + self.minor) * 100 + self.patch
    }

    /// Whether this version has what came with that one: with 3.12.4, what 3.11 got in 3.11.7 came too.
    fn has_what_came_with(self, minor: u32, patch: u32) -> bool {
        (self.minor, self.patch) >= (minor, patch)
    }

    /// Whether an exit because of the version of the data has a code of its own; it was 1 before ("Incompatible changes
    /// in ArangoDB 3.11", exit code adjustments).
    pub(crate) fn says_why_it_exits(self) -> bool {
        self.has_what_came_with(11, 7)
    }

    /// Whether `/_api/version` tells the versions of the API, as recorded from 3.12.10 and from nothing before.
    pub(crate) fn tells_api_versions(self) -> bool {
        self.has_what_came_with(12, 10)
    }
}

static IMITATED: OnceLock<Version> = OnceLock::new();

/// The version of arangod that this process imitates.
pub(crate) fn imitated() -> Version {
    IMITATED.get().copied().unwrap_or(USUAL)
}

/// Says which version this process imitates, before anything else asks; an empty text leaves it as it is.
pub(crate) fn imitate(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    let version = Version::parse(text).ok_or_else(|| {
        format!("invalid value '{text}' for {OPTION}: a version of 3.11 or 3.12, as 3.11.14")
    })?;
    // Whoever was first had the same arguments: a process has one emulator.
    let _ = IMITATED.set(version);
    Ok(())
}

/// The editions, by the name that arangod gives as its licence. The Starter reads it from `--version`.
pub(crate) const EDITIONS: [&str; 2] = ["community", ENTERPRISE];
/// The one that has what others lack.
pub(crate) const ENTERPRISE: &str = "enterprise";
/// The sentence that must be found in every log and every `--version`.
pub(crate) const STAND_IN: &str = "arangod-emulator, a stand-in for arangod, not ArangoDB";
/// The name of the storage engine clients are told.
pub(crate) const ENGINE: &str = "rocksdb";

/// The pairs that `--version`, `--version-json` and `/_api/version?details=true` show.
///
/// The Starter needs `server-version`, `license` and `v8-version` and skips lines with a second
/// colon (arangodb-helper/arangodb, `version_check.go`), so no value here contains one.
pub(crate) fn facts(edition: &str, failure_tests: bool) -> Vec<(&'static str, String)> {
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
        ("failure-tests", flag(failure_tests)),
        (
            "full-version-string",
            format!("{STAND_IN} ({})", imitated().text),
        ),
        ("license", String::from(edition)),
        ("maintainer-mode", flag(false)),
        ("platform", String::from(std::env::consts::OS)),
        ("server-version", String::from(imitated().text)),
        ("stand-in", String::from(STAND_IN)),
        ("v8-version", String::from("none")),
    ]
}

/// The `details` object of `GET /_api/version?details=true`: all values are strings.
pub(crate) fn details(role: Role, edition: &str, failure_tests: bool) -> Value {
    let mut details: Map<String, Value> = facts(edition, failure_tests)
        .into_iter()
        .map(|(key, value)| (String::from(key), Value::from(value)))
        .collect();
    details.insert(String::from("mode"), json!("server"));
    details.insert(String::from("role"), json!(role.name()));
    details.insert(String::from("host"), json!(crate::system::host_name()));
    Value::Object(details)
}

/// The text of `--version`.
pub(crate) fn text(edition: &str, failure_tests: bool) -> String {
    let mut text = String::from(imitated().text);
    text.push_str("\n\n");
    for (key, value) in facts(edition, failure_tests) {
        text.push_str(&format!("{key}: {value}\n"));
    }
    text
}

/// The text of `--version-json`.
pub(crate) fn json_text(edition: &str, failure_tests: bool) -> String {
    let facts: Map<String, Value> = facts(edition, failure_tests)
        .into_iter()
        .map(|(key, value)| (String::from(key), Value::from(value)))
        .collect();
    format!("{}\n", Value::Object(facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        let version = |text| Version::parse(text).unwrap();
        assert_eq!(version("3.11.14").number(), 31_114);
        assert_eq!(Some(USUAL), Version::parse(USUAL.text));
        for text in [
            "", "3", "3.12", "3.12.", "3.12.x", "3.12.+1", "3.12.100", "3.12.1.0", "3.10.9",
            "4.0.0",
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
        assert!(version("3.11.7").says_why_it_exits() && !version("3.11.6").says_why_it_exits());
        assert!(version("3.12.0").says_why_it_exits());
        assert!(USUAL.tells_api_versions() && !version("3.11.14").tells_api_versions());
    }
}
