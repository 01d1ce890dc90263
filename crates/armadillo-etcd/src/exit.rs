//! What etcd's exit codes mean. It has two of them, and ends itself with the signal that stopped it.

use armadillo_orchestrator::ExitMeaning;

/// The meaning of a code. Neither 1 nor 2 says what went wrong: the last lines of the log do.
pub(crate) fn meaning(code: i32) -> ExitMeaning {
    match code {
        0 => ExitMeaning::Clean,
        1 => ExitMeaning::Failure(
            "etcd exited with an error: invalid configuration, port in use, or unreadable data directory".to_owned(),
        ),
        2 => ExitMeaning::Failure(
            "a panic of the Go runtime, or an option unknown to this version of etcd".to_owned(),
        ),
        _ => ExitMeaning::Unknown,
    }
}
