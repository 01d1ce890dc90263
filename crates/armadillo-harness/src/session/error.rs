//! Why deployments that somebody else holds cannot be joined.

use std::io;
use std::path::PathBuf;

use super::PROTOCOL;

/// Why a session cannot be joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Nobody holds deployments.
    #[error("no deployments are up; start some with `armadillo up`")]
    None,
    /// The one that the environment names is over.
    #[error(
        "the session of this shell has ended; `unset ARMADILLO_SESSION`, or name another with --run"
    )]
    Ended,
    /// It was not said which, and there are several.
    #[error("several runs have servers; name one with --run:\n{0}")]
    Several(String),
    /// There is none with this id.
    #[error("no run `{run}` has servers; these have:\n{known}")]
    Unknown {
        /// The id asked for.
        run: String,
        /// Those that there are.
        known: String,
    },
    /// A file cannot be written or read.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Who holds it is of another version of Armadillo.
    #[error(
        "the servers of {run} were started by {} version of Armadillo (protocol {theirs}, this is {PROTOCOL})\nhelp: {}",
        if *theirs > PROTOCOL { "a newer" } else { "an older" },
        if *theirs > PROTOCOL {
            "update this program: the `armadillo` command, or the crate `armadillo-test` that it was built with"
        } else {
            "use the program that has started them, or end it, update it, and start them again"
        }
    )]
    Version {
        /// The id of the session.
        run: String,
        /// Its protocol.
        theirs: u32,
    },
    /// The daemon does not answer, or the lease has ended.
    #[error("the deployments of {run} cannot be reached: {why}")]
    Gone {
        /// The id of the session.
        run: String,
        /// Why.
        why: String,
    },
    /// There is no such deployment, or several are meant.
    #[error("{}; the deployments are {known}", match deployment {
        Some(name) => format!("no deployment named `{name}`"),
        None => "several deployments are up, and none is named".to_owned(),
    })]
    UnknownDeployment {
        /// The name asked for.
        deployment: Option<String>,
        /// Those that there are.
        known: String,
    },
    /// None of the deployments has such a server.
    #[error("no server named `{server}`; the servers are {known}")]
    UnknownServer {
        /// The name asked for.
        server: String,
        /// Those that there are.
        known: String,
    },
    /// Several deployments have such a server.
    #[error("several deployments have a server named `{server}`: write {known}")]
    Ambiguous {
        /// The name asked for.
        server: String,
        /// The names that are unambiguous.
        known: String,
    },
}
