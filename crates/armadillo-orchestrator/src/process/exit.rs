//! How a process ended.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::server::Verb;

/// How a process ended: with a code, or by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Exit {
    /// The code it exited with.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether a core was written.
    pub core: bool,
}

impl Exit {
    /// An exit with this code.
    #[must_use]
    pub fn with_code(code: i32) -> Self {
        Self {
            code: Some(code),
            signal: None,
            core: false,
        }
    }

    /// An end by this signal, without a core.
    #[must_use]
    pub fn by_signal(signal: i32) -> Self {
        Self {
            code: None,
            signal: Some(signal),
            core: false,
        }
    }

    /// Whether it ended by the signal of this verb.
    #[must_use]
    pub fn is_by(&self, verb: Verb) -> bool {
        self.signal == Some(super::signal_of(verb).as_raw())
    }
}

impl From<rustix::process::WaitStatus> for Exit {
    fn from(status: rustix::process::WaitStatus) -> Self {
        let signal = status.terminating_signal();
        Self {
            code: status.exit_status(),
            signal,
            core: signal.is_some() && libc::WCOREDUMP(status.as_raw()),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (_, Some(signal)) => match signal_name(signal) {
                Some(name) => write!(f, "{name} (signal {signal})"),
                None => write!(f, "signal {signal}"),
            },
            (Some(code), None) => write!(f, "exit code {code}"),
            (None, None) => f.write_str("unknown exit"),
        }
    }
}

/// The name of a signal that ends processes.
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGSYS => "SIGSYS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_names_its_signal() {
        let abort = Exit {
            code: None,
            signal: Some(libc::SIGABRT),
            core: true,
        };
        assert_eq!(abort.to_string(), "SIGABRT (signal 6)");
        assert!(abort.is_by(Verb::Abort) && !abort.is_by(Verb::Kill));
        assert_eq!(Exit::with_code(3).to_string(), "exit code 3");
    }
}
