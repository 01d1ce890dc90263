//! `--dump-options` and `--help`.

use serde_json::{Map, Value, json};

use super::catalog::{self, Kind, Spec};
use crate::version;

/// The options as JSON, in the spirit of the official list: an object for each, by name without
/// dashes.
pub(crate) fn dump_options() -> String {
    let all: Map<String, Value> = catalog::all()
        .values()
        .filter(|spec| spec.kind != Kind::Obsolete)
        .map(|spec| (String::from(spec.name.trim_start_matches('-')), entry(spec)))
        .collect();
    format!("{:#}\n", Value::Object(all))
}

fn entry(spec: &Spec) -> Value {
    let section = spec.name.trim_start_matches('-').split_once('.');
    json!({
        "section": section.map_or("", |(section, _)| section),
        "type": type_name(spec.kind),
        "default": spec.default_json,
        "requiresValue": spec.kind != Kind::Flag,
        "hidden": spec.hidden,
        "component": components(spec.roles),
    })
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "boolean",
        Kind::Signed(32) => "int32",
        Kind::Signed(_) => "int64",
        Kind::Unsigned(32) => "uint32",
        Kind::Unsigned(_) => "uint64",
        Kind::Double => "double",
        Kind::TextList => "string...",
        Kind::Text | Kind::Obsolete => "string",
    }
}

fn components(roles: &str) -> Vec<&'static str> {
    roles
        .chars()
        .filter_map(|letter| match letter {
            'C' => Some("coordinator"),
            'D' => Some("dbserver"),
            'A' => Some("agent"),
            'S' => Some("single"),
            _ => None,
        })
        .collect()
}

/// The text of `--help`: what the emulator adds, and the names of the official options that
/// arangod shows; `--help-all` shows the hidden ones too.
pub(crate) fn help(topic: &str) -> String {
    let mut text = format!(
        "Usage: arangod [<options>] [<database-directory>]\n\n\
         This is {standin}.\n\
         It imitates version {version} and answers 501 where it does not.\n\n\
         Options of the emulator alone:\n\
         \x20 --pace fast|realistic   how long start, stop and the creation of databases and\n\
         \x20                         collections take; realistic means about as long as arangod\n\
         \x20                         (default: fast)\n\
         \x20 --imitate VERSION       be this version of arangod, of 3.11 or 3.12\n\
         \x20                         (default: 3.12.10)\n\
         \x20 --edition community|enterprise\n\
         \x20                         the edition that the server says it is\n\
         \x20                         (default: community)\n\
         \x20 --failure-tests         be a build with failure tests, which has\n\
         \x20                         /_admin/debug/failat (default: false)\n\n\
         Options of arangod {version}, all of them accepted, those without meaning here ignored:\n",
        standin = version::STAND_IN,
        version = version::imitated().text,
    );
    let every = topic == "--help-all" || topic == "--help-.";
    let section = topic.strip_prefix("--help-").filter(|_| !every);
    for spec in catalog::all().values() {
        let named = spec.name.trim_start_matches('-');
        let wanted = match section {
            Some(section) => named.split('.').next() == Some(section),
            None => every || !spec.hidden,
        };
        if wanted && spec.kind != Kind::Obsolete && !catalog::is_own(spec.name) {
            let line = format!("  {} <{}>\n", spec.name, type_name(spec.kind));
            text.push_str(&line);
        }
    }
    text
}
