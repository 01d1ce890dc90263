//! How a run and its deployments are, as the daemon knows it and says it.

use std::collections::BTreeMap;

use armadillo_orchestrator::ServerKey;
use serde::{Deserialize, Serialize};

/// What the daemon has.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// [`super::VERSION`].
    pub version: u32,
    /// The run.
    pub run: String,
    /// The daemon's process id.
    pub pid: u32,
    /// Deployments by id: topology, state, number of leases.
    pub deployments: BTreeMap<String, DeploymentStatus>,
    /// How many tests that need a deployment have not been granted one yet.
    pub waiting: usize,
    /// How many leases are held by tests that have not begun.
    pub held_ahead: usize,
}

/// One deployment in [`Status`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeploymentStatus {
    /// Its complete topology, as text.
    pub topology: String,
    /// How it is.
    pub state: DeploymentState,
    /// Who holds leases on it.
    pub leases: Vec<String>,
    /// Where clients reach its servers, by server and port name.
    pub servers: BTreeMap<ServerKey, BTreeMap<String, String>>,
}

/// How a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    /// It waits for memory, or for a share of the cores.
    Queued,
    /// Its servers start.
    Starting,
    /// Tests may have it.
    Ready,
    /// No test begins on it until it was looked at.
    Suspect,
    /// It is left as a failed test left it, for a person to look at.
    Kept,
    /// It is put in order, or looked at.
    Repairing,
    /// Its servers stop.
    Stopping,
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::State;
    use armadillo_orchestrator::deployment::Phase;

    use super::*;

    /// The word that is sent for a value; what its meaning is told for must be all there are.
    fn word(value: impl Serialize) -> String {
        match serde_json::to_value(value) {
            Ok(serde_json::Value::String(word)) => word,
            other => panic!("{other:?}"),
        }
    }

    fn of_deployment(state: DeploymentState) -> &'static str {
        match state {
            DeploymentState::Queued => "it waits for room on this machine",
            DeploymentState::Starting => "its servers start",
            DeploymentState::Ready => "tests may have it",
            DeploymentState::Suspect => "no test begins on it until it was looked at",
            DeploymentState::Kept => "it is left as a failed test left it, for a person to look at",
            DeploymentState::Repairing => "it is put in order, or looked at",
            DeploymentState::Stopping => "its servers stop",
        }
    }

    fn of_process(phase: Phase) -> &'static str {
        match phase {
            Phase::Planned => "it has not been started yet",
            Phase::Starting => "it runs, and somebody waits for it to be ready",
            Phase::Running => "it runs",
            Phase::Paused => "it was frozen by an operation",
            Phase::Stopped => "it ended as it was told to, or as it was expected to",
            Phase::Crashed => "it ended by itself",
        }
    }

    fn of_server(state: State) -> &'static str {
        match state {
            State::Good => "it does its part",
            State::Degraded => "it answers, but something about it is not as it should be",
            State::Failed => "it does not answer, or its process is gone",
            State::Unknown => "nobody has looked yet, or nobody could say",
        }
    }

    fn table() -> String {
        use DeploymentState as D;
        let mut text = "| of | as it is sent | meaning |\n| --- | --- | --- |\n".to_owned();
        let mut row = |of: &str, word: String, meaning: &str| {
            text.push_str(&format!("| {of} | `{word}` | {meaning} |\n"));
        };
        for state in [
            D::Queued,
            D::Starting,
            D::Ready,
            D::Suspect,
            D::Kept,
            D::Repairing,
            D::Stopping,
        ] {
            row("a deployment", word(state), of_deployment(state));
        }
        for phase in [
            Phase::Planned,
            Phase::Starting,
            Phase::Running,
            Phase::Paused,
            Phase::Stopped,
            Phase::Crashed,
        ] {
            row("a server's process", word(phase), of_process(phase));
        }
        for state in [State::Good, State::Degraded, State::Failed, State::Unknown] {
            row("a server's health", word(state), of_server(state));
        }
        text
    }

    #[test]
    fn the_manual_has_the_states_that_are_sent() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ARCHITECTURE.md");
        let manual = std::fs::read_to_string(path).unwrap();
        let (begin, end) = ("<!-- states -->\n", "<!-- end of the states -->");
        let (before, rest) = manual.split_once(begin).unwrap();
        let (found, after) = rest.split_once(end).unwrap();
        let table = table();
        if std::env::var_os("ARMADILLO_WRITE_DOCS").is_some() {
            std::fs::write(path, format!("{before}{begin}{table}{end}{after}")).unwrap();
            return;
        }
        assert_eq!(
            found, table,
            "docs/ARCHITECTURE.md: ARMADILLO_WRITE_DOCS=1 cargo test -p armadillo-harness states writes it"
        );
    }
}
