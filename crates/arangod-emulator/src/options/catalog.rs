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

/// Names that options had in earlier versions, and the names they have now (`addOldOption` in
/// arangod's sources).
pub(super) const RENAMED: &[(&str, &str)] = &[
    ("--check-version", "--database.check-version"),
    (
        "--database.extended-names-databases",
        "--database.extended-names",
    ),
    (
        "--database.query-cache-max-results",
        "--query.cache-entries",
    ),
    ("--database.query-cache-mode", "--query.cache-mode"),
    (
        "--frontend.proxy-request-check",
        "--web-interface.proxy-request-check",
    ),
    ("--frontend.trusted-proxy", "--web-interface.trusted-proxy"),
    ("--frontend.version-check", "--web-interface.version-check"),
    (
        "--javascript.endpoints-blacklist",
        "--javascript.endpoints-denylist",
    ),
    (
        "--javascript.endpoints-whitelist",
        "--javascript.endpoints-allowlist",
    ),
    (
        "--javascript.environment-variables-blacklist",
        "--javascript.environment-variables-denylist",
    ),
    (
        "--javascript.environment-variables-whitelist",
        "--javascript.environment-variables-allowlist",
    ),
    (
        "--javascript.files-whitelist",
        "--javascript.files-allowlist",
    ),
    (
        "--javascript.startup-options-blacklist",
        "--javascript.startup-options-denylist",
    ),
    (
        "--javascript.startup-options-whitelist",
        "--javascript.startup-options-allowlist",
    ),
    (
        "--rocksdb.delayed_write_rate",
        "--rocksdb.delayed-write-rate",
    ),
    (
        "--server.allow-method-override",
        "--http.allow-method-override",
    ),
    (
        "--server.authenticate-system-only",
        "--server.authentication-system-only",
    ),
    ("--server.backlog-size", "--tcp.backlog-size"),
    ("--server.cafile", "--ssl.cafile"),
    ("--server.foxx-queues", "--foxx.queues"),
    (
        "--server.foxx-queues-poll-interval",
        "--foxx.queues-poll-interval",
    ),
    ("--server.hide-product-header", "--http.hide-product-header"),
    ("--server.keep-alive-timeout", "--http.keep-alive-timeout"),
    ("--server.keyfile", "--ssl.keyfile"),
    ("--server.reuse-address", "--tcp.reuse-address"),
    ("--server.ssl-cache", "--ssl.session-cache"),
];

/// The option of this name, of today or of an earlier version.
pub(crate) fn find(name: &str) -> Option<&'static Spec> {
    let renamed = RENAMED.iter().find(|(old, _)| *old == name);
    all().get(renamed.map_or(name, |(_, new)| new))
}

/// The options the emulator adds. Each is explained by `--help`.
const OWN: &[(&str, Kind, &str)] = &[
    ("--edition", Kind::Text, "community"),
    ("--failure-tests", Kind::Flag, "false"),
    (crate::version::OPTION, Kind::Text, ""),
    ("--pace", Kind::Text, "fast"),
];

/// Whether only the emulator has this option.
pub(super) fn is_own(name: &str) -> bool {
    OWN.iter().any(|(own, _, _)| *own == name)
}

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
