//! How a server is started: one function for what every role gets, and one for each role.
//!
//! Every option passed is checked, by a test, against the official list for the role it is passed to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use armadillo_orchestrator::{Launch, Place, Secret, ServerKey, Stop, Verb, View};

use crate::auth;
use crate::options::{ServerOption, official};
use crate::role::Role;

/// The name of a server's only port.
pub(crate) const PORT: &str = "http";

/// The setting of how long the stand-in takes for what it does, and the stand-in's own option. `arangod` does not know it.
pub(crate) const PACE: &str = "pace";

/// The file that holds the key of tokens, in the server's directory.
const KEY_FILE: &str = "jwt-key";

/// The directory for temporary files, and a file that makes it exist.
const TEMPORARY: &str = "tmp";
const TEMPORARY_MARK: &str = "tmp/.keep";

/// The password of `root`. `arangod` reads the variable when it makes its first user, on its first start, whether or not
/// `--database.init-database` is given (`InitDatabaseFeature::prepare`, `UserManager::createRootUser`): so there is no
/// moment with an empty password, and none is on a command line.
const ROOT_PASSWORD: &str = "ARANGODB_DEFAULT_ROOT_PASSWORD";

/// Options by name, in the order they were first set.
#[derive(Default)]
struct Options(Vec<(String, Vec<String>)>);

impl Options {
    fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => *values = vec![value.into()],
            None => self.0.push((name.to_owned(), vec![value.into()])),
        }
    }

    /// What a user asked for: it replaces ours, except for options that may be given several times.
    fn choose(&mut self, option: ServerOption) {
        let repeats = official(&option.name).is_some_and(|known| known.repeats());
        match self.0.iter_mut().find(|(known, _)| *known == option.name) {
            Some((_, values)) if repeats => values.push(option.value),
            _ => self.set(&option.name, option.value),
        }
    }

    /// As separate arguments, `--name value`, which `arangod` takes for booleans too.
    fn into_args(self) -> Vec<String> {
        self.0
            .into_iter()
            .flat_map(|(name, values)| {
                values
                    .into_iter()
                    .flat_map(move |value| [format!("--{name}"), value])
            })
            .collect()
    }
}

/// The command line, environment and files of one server of the plan.
#[expect(
    clippy::expect_used,
    reason = "the orchestrator asks only for servers of the plan, which this crate made"
)]
pub(crate) fn launch(view: &View, server: &ServerKey) -> Launch {
    let place = view.places.get(server).expect("a server of the plan");
    let role = Role::of_name(&place.role).expect("a role of ours");
    let mut options = Options::default();
    common(&mut options, place);
    match role {
        Role::Single => single(&mut options),
        Role::Agent | Role::DbServer | Role::Coordinator => {}
    }
    for (name, value) in &view.topology.options {
        let option = ServerOption::new(name, value);
        if option.is_for(role) {
            options.choose(option);
        }
    }
    if view.stand_in
        && let Some(pace) = view.settings.get(PACE)
    {
        options.set(PACE, pace);
    }
    Launch {
        args: options.into_args(),
        env: environment(view, place),
        files: vec![
            (PathBuf::from(KEY_FILE), 0o600, auth::jwt_key(view)),
            (PathBuf::from(TEMPORARY_MARK), 0o644, Secret::default()),
        ],
        stop: Stop {
            polite: Verb::Terminate,
            grace: Duration::from_secs(30),
            then: vec![(Verb::Abort, Duration::from_secs(10))],
        },
    }
}

/// What every role gets. No configuration file is read, so that nothing on the machine can change what is tested.
fn common(options: &mut Options, place: &Place) {
    let inside = |name: &str| place.dir_inside.join(name).display().to_string();
    let bind = place.bind.get(PORT).cloned().unwrap_or_default();
    options.set("configuration", "none");
    options.set("database.directory", inside("data"));
    options.set("temp.path", inside(TEMPORARY));
    options.set("server.endpoint", format!("tcp://{bind}"));
    options.set("server.authentication", "true");
    options.set("server.jwt-secret-keyfile", inside(KEY_FILE));
    // The start can be watched from its first moments, and a slow one told from a dead one.
    options.set("server.early-connections", "true");
    // `+` is stderr, which is captured (`LogAppenderStdStream.cpp`); written at once, so that a crash loses no line.
    options.set("log.output", "+");
    options.set("log.foreground-tty", "false");
    options.set("log.force-direct", "true");
    options.set("log.use-json-format", "true");
    options.set("log.role", "true");
    // A thread that writes to the directory every few seconds and complains of slow disks.
    options.set("database.io-heartbeat", "false");
}

/// A single server. Without a configuration file, V8 has no start-up scripts and ends the server
/// (`V8DealerFeature.cpp`), so it is off, and Foxx queues with it (documentation, "Reducing the memory footprint"). Who
/// needs it sets `javascript.enabled`, `javascript.startup-directory` and `javascript.app-path`.
fn single(options: &mut Options) {
    options.set("javascript.enabled", "false");
    options.set("foxx.queues", "false");
}

fn environment(view: &View, place: &Place) -> BTreeMap<String, String> {
    let memory = u64::from(place.share.memory_mib) << 20;
    BTreeMap::from([
        // Each server plans for its share, not for the whole machine (documentation, "ArangoDB Server environment variables").
        (
            "ARANGODB_OVERRIDE_DETECTED_TOTAL_MEMORY".to_owned(),
            memory.to_string(),
        ),
        (
            "ARANGODB_OVERRIDE_DETECTED_NUMBER_OF_CORES".to_owned(),
            place.share.cores.to_string(),
        ),
        (
            ROOT_PASSWORD.to_owned(),
            auth::root_password(view).reveal().to_owned(),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::tests::view;

    fn launched(view: &View) -> Launch {
        launch(view, &"single-1".into())
    }

    fn value<'a>(launch: &'a Launch, option: &str) -> Vec<&'a str> {
        launch
            .args
            .chunks(2)
            .filter(|pair| pair[0] == option)
            .map(|pair| pair[1].as_str())
            .collect()
    }

    #[test]
    fn every_option_passed_is_official_for_its_role() {
        let mut place = view().places[&ServerKey::from("single-1")].clone();
        for role in Role::ALL {
            place.role = role.name().to_owned();
            let mut view = view();
            view.places.insert("single-1".into(), place.clone());
            let launch = launched(&view);
            assert_eq!(launch.args.len() % 2, 0);
            for name in launch.args.iter().step_by(2) {
                let name = name.strip_prefix("--").unwrap();
                let option = official(name).unwrap_or_else(|| panic!("{name} is not official"));
                assert!(option.applies_to(role), "{role} has no {name}");
            }
        }
    }

    #[test]
    fn a_single_server_is_started_like_this() {
        let launch = launched(&view());
        assert_eq!(
            value(&launch, "--server.endpoint"),
            ["tcp://127.0.0.1:4711"]
        );
        assert_eq!(value(&launch, "--database.directory"), ["/d/single-1/data"]);
        assert_eq!(
            value(&launch, "--server.jwt-secret-keyfile"),
            ["/d/single-1/jwt-key"]
        );
        assert_eq!(value(&launch, "--server.authentication"), ["true"]);
        assert_eq!(value(&launch, "--javascript.enabled"), ["false"]);
        assert_eq!(
            launch.env["ARANGODB_OVERRIDE_DETECTED_TOTAL_MEMORY"],
            (512_u64 << 20).to_string()
        );
        assert_eq!(
            launch.env["ARANGODB_OVERRIDE_DETECTED_NUMBER_OF_CORES"],
            "2"
        );
    }

    #[test]
    fn no_secret_is_on_the_command_line_and_the_key_is_in_a_private_file() {
        let view = view();
        let launch = launched(&view);
        let secrets = [
            view.secret.clone(),
            auth::jwt_key(&view),
            auth::root_password(&view),
            auth::superuser_token(&view),
        ];
        let line = launch.args.join(" ");
        for secret in &secrets {
            assert!(!line.contains(secret.reveal()));
        }
        let (path, mode, key) = &launch.files[0];
        assert_eq!((path.to_str(), *mode), (Some("jwt-key"), 0o600));
        assert_eq!(key.reveal(), auth::jwt_key(&view).reveal());
    }

    #[test]
    fn a_users_option_replaces_ours_and_repeats_where_it_may() {
        let mut view = view();
        view.topology.options = vec![
            ("javascript.enabled".into(), "true".into()),
            ("log.level".into(), "debug".into()),
            ("log.level".into(), "queries=trace".into()),
            ("single.log.role".into(), "false".into()),
            ("agent.log.ids".into(), "false".into()),
        ];
        let launch = launched(&view);
        assert_eq!(value(&launch, "--javascript.enabled"), ["true"]);
        assert_eq!(value(&launch, "--log.level"), ["debug", "queries=trace"]);
        assert_eq!(value(&launch, "--log.role"), ["false"]);
        assert!(value(&launch, "--log.ids").is_empty());
    }

    #[test]
    fn only_the_stand_in_hears_of_the_pace() {
        let mut view = view();
        view.settings.set(PACE, vec!["realistic".into()]);
        assert!(value(&launched(&view), "--pace").is_empty());
        view.stand_in = true;
        assert_eq!(value(&launched(&view), "--pace"), ["realistic"]);
    }
}
