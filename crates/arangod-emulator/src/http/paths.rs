//! The paths that arangod 3.12 answers, by their first two parts: what is not among them is 404, and
//! what is, and the emulator lacks it, is 501.

/// Below `/_api`.
const API: [&str; 40] = [
    "agency",
    "agency_priv",
    "analyzer",
    "aql",
    "aql-builtin",
    "aqlfunction",
    "cluster",
    "collection",
    "cursor",
    "database",
    "document",
    "document-state",
    "dump",
    "edges",
    "endpoint",
    "engine",
    "explain",
    "foxx",
    "gharial",
    "import",
    "index",
    "job",
    "key-generators",
    "log",
    "log-internal",
    "query",
    "query-cache",
    "query-plan-cache",
    "replication",
    "schema",
    "simple",
    "tasks",
    "token",
    "transaction",
    "ttl",
    "upload",
    "user",
    "version",
    "view",
    "wal",
];

/// Below `/_admin`. `debug` is there in builds with failure tests; `telemetrics` is not there any
/// longer.
const ADMIN: [&str; 36] = [
    "aardvark",
    "actions",
    "activities",
    "async-registry",
    "auth",
    "backup",
    "cluster",
    "compact",
    "crashes",
    "database",
    "debug",
    "deployment",
    "echo",
    "execute",
    "job",
    "license",
    "log",
    "metrics",
    "options",
    "options-description",
    "options-public",
    "routing",
    "server",
    "shutdown",
    "statistics",
    "statistics-description",
    "status",
    "supervisionState",
    "support-info",
    "system-report",
    "test",
    "time",
    "usage-metrics",
    "version",
    "wal",
    "work-monitor",
];

/// Whether arangod answers something there. `/` leads to the web interface.
pub(super) fn is_known(route: &[&str]) -> bool {
    match route {
        [] => true,
        ["_api", name, ..] => API.contains(name),
        ["_admin", name, ..] => ADMIN.contains(name),
        ["_open", "auth", ..] | ["openapi.json"] => true,
        _ => false,
    }
}

/// Whether the path is one of arangod's own, and not of an application in it.
pub(super) fn is_own(path: &str) -> bool {
    let own = ["/_admin/", "/_api/", "/_open/"];
    ["/", "/openapi.json"].contains(&path) || own.iter().any(|prefix| path.starts_with(prefix))
}
