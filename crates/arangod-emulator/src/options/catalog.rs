//! The list of official options: names, types, defaults.
//!
//! `data/arangod-options-3.12.txt` was generated from `arangod --dump-options` as published in
//! arangodb/docs-hugo (`site/data/3.12/arangod.json`).

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

const OFFICIAL: &str = include_str!("../../data/arangod-options-3.12.txt");

/// Options that arangod 3.12 takes and ignores. The official list leaves them out; the names are
/// those of the release notes (incompatible changes of 3.8, 3.9, 3.11 and 3.12).
const OBSOLETE: &[&str] = &[
    "--database.force-sync-properties",
    "--database.old-system-collections",
    "--database.throw-collection-not-loaded-error",
    "--http.allow-method-override",
    "--http.hide-product-header",
    "--pregel.memory-mapped-files",
    "--pregel.memory-mapped-files-custom-path",
    "--pregel.memory-mapped-files-location-type",
    "--query.parallelize-gather-writes",
    "--server.disable-authentication",
    "--server.disable-authentication-unix-sockets",
    "--server.local-authentication",
    "--server.storage-engine",
    "--server.telemetrics-api",
    "--server.telemetrics-api-max-requests",
    "--ttl.only-loaded-collection",
];

/// The options the emulator adds. Each is explained by `--help`.
const OWN: &[(&str, Kind, &str)] = &[("--pace", Kind::Text, "fast")];

/// What kind of value an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `true` or `false`, and may be given without a value.
    Flag,
    /// A signed integer of so many bits.
    Signed(u32),
    /// An unsigned integer of so many bits.
    Unsigned(u32),
    /// A number with a fraction.
    Double,
    /// A string.
    Text,
    /// Strings, one at each use.
    TextList,
    /// Taken with or without a value and ignored.
    Obsolete,
}

/// One option.
#[derive(Debug)]
pub(crate) struct Spec {
    /// The name with its two dashes.
    pub(crate) name: &'static str,
    /// The kind of its values.
    pub(crate) kind: Kind,
    /// The default, one string for each value.
    pub(crate) default: Vec<String>,
    /// The default as the official list writes it.
    pub(crate) default_json: Value,
    /// The roles that use it, a letter each.
    pub(crate) roles: &'static str,
    /// Left out of `--help`, as are most options of arangod.
    pub(crate) hidden: bool,
}

/// All options by name.
pub(crate) fn all() -> &'static BTreeMap<&'static str, Spec> {
    static ALL: OnceLock<BTreeMap<&'static str, Spec>> = OnceLock::new();
    ALL.get_or_init(|| {
        let official = OFFICIAL.lines().filter_map(official_line);
        let obsolete = OBSOLETE.iter().map(|name| Spec {
            name,
            kind: Kind::Obsolete,
            default: Vec::new(),
            default_json: Value::Null,
            roles: "CDAS",
            hidden: true,
        });
        let own = OWN.iter().map(|(name, kind, default)| Spec {
            name,
            kind: *kind,
            default: vec![String::from(*default)],
            default_json: Value::from(*default),
            roles: "CDAS",
            hidden: false,
        });
        official
            .chain(obsolete)
            .chain(own)
            .map(|spec| (spec.name, spec))
            .collect()
    })
}

fn official_line(line: &'static str) -> Option<Spec> {
    let mut columns = line.split('\t');
    let name = columns.next().filter(|name| name.starts_with("--"))?;
    let kind = match columns.next()? {
        "boolean" => Kind::Flag,
        "int32" => Kind::Signed(32),
        "int64" => Kind::Signed(64),
        "uint32" => Kind::Unsigned(32),
        "uint64" => Kind::Unsigned(64),
        "double" => Kind::Double,
        "string..." => Kind::TextList,
        _ => Kind::Text,
    };
    let default_json: Value = serde_json::from_str(columns.nth(1)?).unwrap_or(Value::Null);
    let default = match &default_json {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items
            .iter()
            .filter_map(|item| item.as_str().map(String::from))
            .collect(),
        other => vec![other.to_string()],
    };
    let roles = columns.next().unwrap_or("");
    let hidden = columns.next().unwrap_or("").contains("hidden");
    Some(Spec {
        name,
        kind,
        default,
        default_json,
        roles,
        hidden,
    })
}
