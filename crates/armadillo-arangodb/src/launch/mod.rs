//! How a server is started: one function for what every role gets, and one for each role.
//!
//! Every option passed is checked, by a test, against the official list for the role it is passed to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use armadillo_orchestrator::{Launch, Place, Preparation, Secret, ServerKey, Stop, Verb, View};

use crate::options::ServerOption;
use crate::role::Role;
use crate::{auth, keys};

mod cluster;
mod options;
#[cfg(test)]
mod tests;

use options::Options;

/// The name of a server's only port.
pub(crate) const PORT: &str = "http";

/// The setting of how long the stand-in takes for what it does, and the stand-in's own option. `arangod` does not know it.
pub(crate) const PACE: &str = "pace";

/// The setting of which edition the stand-in is, and the stand-in's own option.
pub(crate) const EDITION: &str = "edition";

/// The edition that can read its key again.
pub(crate) const ENTERPRISE: &str = "enterprise";
/// The setting of whether the stand-in is a build with failure tests, and the stand-in's own option.
pub(crate) const FAILURE_TESTS: &str = "failure-tests";

/// The setting of how soon a cluster's supervision acts.
pub(crate) const FAILOVER: &str = "failover";

/// The directory for temporary files, and a file that makes it exist.
const TEMPORARY: &str = "tmp";
const TEMPORARY_MARK: &str = "tmp/.keep";

/// The password of `root`. `arangod` reads the variable when it makes its first user, on its first start, whether or not
/// `--database.init-database` is given (`InitDatabaseFeature::prepare`, `UserManager::createRootUser`): so there is no
/// moment with an empty password, and none is on a command line.
const ROOT_PASSWORD: &str = "ARANGODB_DEFAULT_ROOT_PASSWORD";

/// What builds with sanitizers, of coverage, or in a build directory, read from the environment of whoever starts them.
pub(crate) const PASSED_ON: [&str; 16] = [
    "ARANGODB_OVERRIDE_CRASH_HANDLER",
    "ASAN_OPTIONS",
    "ASAN_SYMBOLIZER_PATH",
    "GCOV_PREFIX",
    "GCOV_PREFIX_STRIP",
    "ICU_DATA",
    "LLVM_SYMBOLIZER_PATH",
    "LSAN_OPTIONS",
    "MALLOC_CONF",
    "MSAN_OPTIONS",
    "MSAN_SYMBOLIZER_PATH",
    "TSAN_OPTIONS",
    "TSAN_SYMBOLIZER_PATH",
    "TZDIR",
    "UBSAN_OPTIONS",
    "UBSAN_SYMBOLIZER_PATH",
];

/// The option of the id that an agent has on an empty directory: that of the one whose place it takes.
pub(crate) const RECOVERY_ID: &str = "agency.disaster-recovery-id";

/// How long a server may take to stop. It waits for what its clients are doing.
const GRACE: Duration = Duration::from_secs(60);

/// How long a dbserver may take: it writes what it has in memory, and others are told.
const DBSERVER_GRACE: Duration = Duration::from_secs(120);

/// How long a server may take to write where it is when it is told to abort.
const ABORT_LIMIT: Duration = Duration::from_secs(20);

/// The command line, environment and files of one server of the plan.
#[expect(
    clippy::expect_used,
    reason = "the orchestrator asks only for servers of the plan, which this crate made"
)]
pub(crate) fn launch(view: &View, server: &ServerKey) -> Launch {
    let place = view.places.get(server).expect("a server of the plan");
    let role = Role::of_name(&place.role).expect("a role of ours");
    let mut options = Options::default();
    common(&mut options, view, place);
    if let Some(files) = view.tls.as_ref().and_then(|tls| tls.servers.get(server)) {
        let keyfile = &files.client_facing.both;
        options.set("ssl.keyfile", keyfile.display().to_string());
    }
    match role {
        Role::Single => {
            counts_writes(&mut options);
            without_javascript(&mut options);
        }
        Role::Agent => cluster::agent(&mut options, view, server, place),
        Role::DbServer => {
            counts_writes(&mut options);
            cluster::dbserver(&mut options, view, place);
        }
        Role::Coordinator => {
            cluster::coordinator(&mut options, view, place);
            without_javascript(&mut options);
        }
    }
    for (name, value) in &view.topology.options {
        let option = ServerOption::new(name, value);
        if option.is_for(role) {
            options.choose(option);
        }
    }
    if view.stand_ins.contains(server) {
        for own in [PACE, EDITION] {
            if let Some(value) = view.settings.get(own) {
                options.set(own, value);
            }
        }
        if view.settings.is_on(FAILURE_TESTS) {
            options.set(FAILURE_TESTS, "true");
        }
    }
    // What a server is told that has joined while the cluster ran.
    for (name, value) in view.membership.launch_words(server) {
        options.set(&name, value);
    }
    let temporary = (PathBuf::from(TEMPORARY_MARK), 0o644, Secret::default());
    let mut files = keys::files(view);
    files.push(temporary);
    Launch {
        args: options.into_args(),
        first: Vec::new(),
        env: environment(view, place, role),
        files,
        stop: Stop {
            polite: Verb::Terminate,
            grace: match role {
                Role::DbServer => DBSERVER_GRACE,
                _ => GRACE,
            },
            // Its crash handler writes where each thread is.
            then: vec![(Verb::Abort, ABORT_LIMIT)],
        },
    }
}

/// What a server of a newer version does to its data before it can serve it: the command line of [`launch`] with one option more,
/// as ArangoDB's own test utilities do it (`instance.js`, `runUpgrade`). A coordinator, which has no data, upgrades what the cluster
/// shares, and nobody is to find it meanwhile.
pub(crate) fn upgrade(view: &View, server: &ServerKey) -> Preparation {
    let mut launch = launch(view, server);
    let mut more = vec!["--database.auto-upgrade", "true"];
    let place = view.places.get(server);
    if place.is_some_and(|place| Role::of_name(&place.role) == Some(Role::Coordinator)) {
        more.extend(["--server.rest-server", "false"]);
    }
    launch.args.extend(more.into_iter().map(str::to_owned));
    Preparation {
        what: "the upgrade of its data",
        launch,
    }
}

/// What every role gets. No configuration file is read, so that nothing on the machine can change what is tested.
fn common(options: &mut Options, view: &View, place: &Place) {
    let inside = |name: &str| place.dir_inside.join(name).display().to_string();
    let bind = place.bind.get(PORT).cloned().unwrap_or_default();
    options.set("configuration", "none");
    options.set("database.directory", inside("data"));
    options.set("temp.path", inside(TEMPORARY));
    options.set(
        "server.endpoint",
        format!("{}://{bind}", endpoint_scheme(view)),
    );
    options.set("server.authentication", "true");
    // Every edition takes a folder; one that can read it again can have its keys rotated.
    options.set("server.jwt-secret-folder", inside(keys::FOLDER));
    // The start can be watched from its first moments, and a slow one told from a dead one.
    options.set("server.early-connections", "true");
    // `+` is stderr, which is captured (`LogAppenderStdStream.cpp`); written at once, so that a crash loses no line.
    options.set("log.output", "+");
    options.set("log.foreground-tty", "false");
    options.set("log.force-direct", "true");
    options.set("log.use-json-format", "true");
    options.set("log.role", "true");
    // Without this, where a crash was is not logged.
    options.add("log.level", "crash=info");
    // A thread that writes to the directory every few seconds and complains of slow disks.
    options.set("database.io-heartbeat", "false");
}

/// Servers that store documents say in their metrics how many were written.
fn counts_writes(options: &mut Options) {
    options.set("server.export-read-write-metrics", "true");
}

/// How the endpoints of servers begin, for clients and for each other.
pub(crate) fn endpoint_scheme(view: &View) -> &'static str {
    match &view.tls {
        Some(_) => "ssl",
        None => "tcp",
    }
}

/// Servers that clients talk to have V8. Without a configuration file, V8 has no start-up scripts and ends the server
/// (`V8DealerFeature.cpp`), so it is off, and Foxx queues with it (documentation, "Reducing the memory footprint"). Who
/// needs it sets `javascript.enabled`, `javascript.startup-directory` and `javascript.app-path`.
fn without_javascript(options: &mut Options) {
    options.set("javascript.enabled", "false");
    options.set("foxx.queues", "false");
}

fn environment(view: &View, place: &Place, role: Role) -> BTreeMap<String, String> {
    let memory = u64::from(place.share.memory_mib) << 20;
    let mut environment = BTreeMap::from([
        // Each server plans for its share, not for the whole machine (documentation, "ArangoDB Server environment variables").
        (
            "ARANGODB_OVERRIDE_DETECTED_TOTAL_MEMORY".to_owned(),
            memory.to_string(),
        ),
        (
            "ARANGODB_OVERRIDE_DETECTED_NUMBER_OF_CORES".to_owned(),
            place.share.cores.to_string(),
        ),
    ]);
    // Agents and dbservers know no users.
    if matches!(role, Role::Single | Role::Coordinator) {
        let password = auth::root_password(view).reveal().to_owned();
        environment.insert(ROOT_PASSWORD.to_owned(), password);
    }
    environment
}
