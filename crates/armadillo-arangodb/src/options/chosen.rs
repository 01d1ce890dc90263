//! The options a test or a user asks for, checked and merged into a topology.
//!
//! A test says them in its topology; a user, for every deployment, with `--server-option [ROLE.]name=value`. That flag is
//! shared with other systems, so an option of it that can only be another system's is left to that system.

use armadillo_orchestrator::{PlanError, Settings, Topology, systems};

use super::catalog::{is_section, nearest, official};
use crate::role::Role;
use crate::topology::SYSTEM;

/// The setting (and the flag) of a user's options.
pub(crate) const SETTING: &str = "server-option";

/// Options that the harness sets itself, or that would make the server do something else than serve.
const RESERVED: [&str; 32] = [
    "agency.activate",
    "agency.endpoint",
    "agency.my-address",
    "agency.size",
    "agency.supervision",
    "check-configuration",
    "cluster.agency-endpoint",
    "cluster.my-address",
    "cluster.my-role",
    "config",
    "configuration",
    "console",
    "daemon",
    "database.check-version",
    "database.directory",
    "database.init-database",
    "database.password",
    "database.restore-admin",
    "dump-dependencies",
    "dump-options",
    "log.file",
    "log.output",
    "server.authentication",
    "server.early-connections",
    "server.endpoint",
    "server.jwt-secret",
    "server.jwt-secret-folder",
    "server.jwt-secret-keyfile",
    "ssl.keyfile",
    "supervisor",
    "version",
    "version-json",
];

/// One option for one role, or for every role that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerOption {
    pub(crate) role: Option<Role>,
    pub(crate) name: String,
    pub(crate) value: String,
}

impl ServerOption {
    /// From `[ROLE.]name`, with or without leading dashes, and its value.
    pub(crate) fn new(name: &str, value: &str) -> Self {
        let name = name.trim_start_matches('-');
        let (role, name) = match name.split_once('.') {
            Some((first, rest)) => match Role::of_name(first) {
                Some(role) => (Some(role), rest),
                None => (None, name),
            },
            None => (None, name),
        };
        Self {
            role,
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    /// Whether a server of this role gets it.
    pub(crate) fn is_for(&self, role: Role) -> bool {
        self.role.is_none_or(|own| own == role)
            && official(&self.name).is_some_and(|option| option.applies_to(role))
    }

    /// The name with its role, as a topology keeps it.
    fn key(&self) -> String {
        match self.role {
            Some(role) => format!("{role}.{}", self.name),
            None => self.name.clone(),
        }
    }

    fn check(&self) -> Result<(), PlanError> {
        let Some(option) = official(&self.name) else {
            return Err(self.error(
                "arangod 3.12 does not have this option".into(),
                match nearest(&self.name) {
                    Some(near) => format!("did you mean {near}?"),
                    None => "for all options, see \"Startup options\" in its documentation".into(),
                },
            ));
        };
        if RESERVED.contains(&option.name) {
            return Err(self.error(
                "this option is set by the harness".into(),
                "remove it".into(),
            ));
        }
        if let Some(role) = self.role
            && !option.applies_to(role)
        {
            return Err(self.error(
                format!("servers with the role {role} do not have this option"),
                format!("use another role, or remove `{role}.`"),
            ));
        }
        Ok(())
    }

    fn error(&self, says: String, help: String) -> PlanError {
        PlanError {
            param: format!("server option {}", self.key()),
            says,
            help,
        }
    }
}

/// The options of a complete topology with these roles: the test's, and the user's where the test says nothing.
pub(crate) fn complete(
    wish: &Topology,
    settings: &Settings,
    roles: &[Role],
) -> Result<Vec<(String, String)>, PlanError> {
    let mut chosen = Vec::new();
    for (name, value) in &wish.options {
        let option = ServerOption::new(name, value);
        option.check()?;
        if !roles.iter().any(|role| option.is_for(*role)) {
            return Err(option.error(
                format!(
                    "no server of \"{} {}\" has this option",
                    wish.system, wish.shape
                ),
                "remove it".into(),
            ));
        }
        chosen.push(option);
    }
    let own = chosen.len();
    for text in settings.all(SETTING) {
        let Some(option) = of_setting(text, is_flag_shared())? else {
            continue;
        };
        let said = chosen[..own]
            .iter()
            .any(|known| known.name == option.name && known.role == option.role);
        if !said && roles.iter().any(|role| option.is_for(*role)) {
            chosen.push(option);
        }
    }
    let mut options: Vec<(String, String)> = Vec::new();
    for option in chosen {
        let entry = (option.key(), option.value);
        if !options.contains(&entry) {
            options.push(entry);
        }
    }
    // By name, each name's values in their order: equal wishes make equal topologies.
    options.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(options)
}

/// Whether each option of the setting exists, whatever roles there will be.
pub(crate) fn check(settings: &Settings) -> Result<(), PlanError> {
    for text in settings.all(SETTING) {
        of_setting(text, is_flag_shared()).map_err(|error| {
            let param = error.param.trim_start_matches("server option ");
            PlanError {
                says: format!("{param}: {}", error.says),
                param: SETTING.to_owned(),
                help: error.help,
            }
        })?;
    }
    Ok(())
}

/// Whether another system of this executable has the same flag.
fn is_flag_shared() -> bool {
    systems()
        .iter()
        .filter(|system| system.name() != SYSTEM)
        .any(|system| system.flags().iter().any(|flag| flag.name == SETTING))
}

/// One `[ROLE.]name=value` of the setting; `None` if it can only be another system's.
fn of_setting(text: &str, shared: bool) -> Result<Option<ServerOption>, PlanError> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(PlanError {
            param: format!("server option {text}"),
            says: "it has no value".into(),
            help: "write [ROLE.]name=value, such as log.level=debug".into(),
        });
    };
    let option = ServerOption::new(name, value);
    let ours = option.role.is_some()
        || official(&option.name).is_some()
        || option
            .name
            .split_once('.')
            .is_some_and(|(section, _)| is_section(section))
        || nearest(&option.name).is_some();
    if shared && !ours {
        return Ok(None);
    }
    option.check()?;
    Ok(Some(option))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::single;

    fn settings(options: &[&str]) -> Settings {
        let mut settings = Settings::default();
        settings.set(SETTING, options.iter().map(|&o| o.to_owned()).collect());
        settings
    }

    fn completed(options: &[&str]) -> Result<Vec<(String, String)>, PlanError> {
        let wish = single()
            .option("log.level", "queries=trace")
            .topology()
            .to_topology();
        complete(&wish, &settings(options), &[Role::Single])
    }

    #[test]
    fn a_tests_own_option_wins_over_the_users() {
        let options = completed(&[
            "single.query.memory-limit=1000",
            "log.level=debug",
            "--cache.size=5",
            "cache.size=5",
            "agency.election-timeout-min=2",
            "agent.log.level=trace",
        ])
        .unwrap();
        let expected = [
            ("cache.size", "5"),
            ("log.level", "queries=trace"),
            ("single.query.memory-limit", "1000"),
        ];
        let expected: Vec<(String, String)> = expected
            .map(|(name, value)| (name.into(), value.into()))
            .into();
        assert_eq!(options, expected);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        let refused = |option: &str| completed(&[option]).unwrap_err().to_string();
        assert_eq!(
            refused("log.levl=debug"),
            "server option log.levl: arangod 3.12 does not have this option; did you mean log.level?"
        );
        assert_eq!(
            refused("log.level"),
            "server option log.level: it has no value; write [ROLE.]name=value, such as log.level=debug"
        );
        assert_eq!(
            refused("server.authentication=false"),
            "server option server.authentication: this option is set by the harness; remove it"
        );
        assert_eq!(
            refused("single.agency.size=3"),
            "server option single.agency.size: this option is set by the harness; remove it"
        );
        assert_eq!(
            refused("dbserver.agency.wait-for-sync=true"),
            "server option dbserver.agency.wait-for-sync: servers with the role dbserver do not have this option; \
             use another role, or remove `dbserver.`"
        );
    }

    #[test]
    fn a_test_may_not_ask_for_what_its_servers_do_not_have() {
        let wish = single()
            .option("agency.wait-for-sync", "false")
            .topology()
            .to_topology();
        let error = complete(&wish, &Settings::default(), &[Role::Single]).unwrap_err();
        assert_eq!(
            error.says,
            "no server of \"arangodb single\" has this option"
        );
    }

    #[test]
    fn another_systems_option_is_left_to_it_unless_it_may_be_a_slip() {
        assert_eq!(of_setting("snapshot-count=100", true), Ok(None));
        assert_eq!(of_setting("member.snapshot-count=100", true), Ok(None));
        assert!(of_setting("snapshot-count=100", false).is_err());
        assert!(of_setting("sever.io-threads=3", true).is_err());
        assert!(of_setting("log.nothing-like-it=3", true).is_err());
    }

    #[test]
    fn every_reserved_option_is_official() {
        for name in RESERVED {
            assert!(official(name).is_some(), "{name}");
        }
    }
}
