//! What the exit codes of `arangod` mean.
//!
//! Numbers and names are those of the documentation's `exitcodes.yaml` for 3.12. Which of them a new start cannot help is
//! taken from the list the ArangoDB Starter keeps (`pkg/definitions/exitcodes.go`).

use armadillo_orchestrator::ExitMeaning;

/// What can be done about an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Clean,
    /// Starting again with the same configuration, on the same machine, ends the same way.
    Config,
    /// It may pass by itself.
    Transient,
    Failure,
}

/// One exit code.
#[derive(Clone, Copy, Debug)]
pub struct ExitCode {
    /// The number.
    pub code: i32,
    /// Its official name.
    pub name: &'static str,
    text: &'static str,
    kind: Kind,
}

const fn code(code: i32, name: &'static str, kind: Kind, text: &'static str) -> ExitCode {
    ExitCode {
        code,
        name,
        text,
        kind,
    }
}

/// Every exit code of 3.12.
pub const EXIT_CODES: [ExitCode; 22] = [
    code(0, "EXIT_SUCCESS", Kind::Clean, "successful exit"),
    code(1, "EXIT_FAILED", Kind::Failure, "unspecified error"),
    code(
        2,
        "EXIT_CODE_RESOLVING_FAILED",
        Kind::Failure,
        "the exit code could not be determined",
    ),
    code(
        3,
        "EXIT_INVALID_OPTION_NAME",
        Kind::Config,
        "unknown option",
    ),
    code(
        4,
        "EXIT_INVALID_OPTION_VALUE",
        Kind::Config,
        "invalid value of an option",
    ),
    code(
        5,
        "EXIT_BINARY_NOT_FOUND",
        Kind::Config,
        "a required program was not found",
    ),
    code(
        6,
        "EXIT_CONFIG_NOT_FOUND",
        Kind::Config,
        "the configuration file was not found",
    ),
    code(
        10,
        "EXIT_UPGRADE_FAILED",
        Kind::Failure,
        "upgrading the database failed",
    ),
    code(
        11,
        "EXIT_UPGRADE_REQUIRED",
        Kind::Failure,
        "the data is of an older version and must be upgraded first (--database.auto-upgrade)",
    ),
    code(
        12,
        "EXIT_DOWNGRADE_REQUIRED",
        Kind::Failure,
        "the data is of a newer version",
    ),
    code(
        13,
        "EXIT_VERSION_CHECK_FAILED",
        Kind::Failure,
        "the version of the database could not be checked",
    ),
    code(
        20,
        "EXIT_ALREADY_RUNNING",
        Kind::Transient,
        "another server is already running, according to the pid file",
    ),
    code(
        21,
        "EXIT_COULD_NOT_BIND_PORT",
        Kind::Transient,
        "it could not bind its port",
    ),
    code(
        22,
        "EXIT_COULD_NOT_LOCK",
        Kind::Transient,
        "another process has locked its directory",
    ),
    code(
        23,
        "EXIT_RECOVERY",
        Kind::Failure,
        "recovering the database failed",
    ),
    code(
        24,
        "EXIT_DB_NOT_EMPTY",
        Kind::Config,
        "the database is not empty",
    ),
    code(
        25,
        "EXIT_UNSUPPORTED_STORAGE_ENGINE",
        Kind::Config,
        "the storage engine is not supported",
    ),
    code(
        26,
        "EXIT_ICU_INITIALIZATION_FAILED",
        Kind::Config,
        "the ICU data could not be loaded",
    ),
    code(
        27,
        "EXIT_TZDATA_INITIALIZATION_FAILED",
        Kind::Config,
        "the time zone data could not be loaded",
    ),
    code(
        28,
        "EXIT_RESOURCES_TOO_LOW",
        Kind::Config,
        "a system limit is too low, such as the number of open files",
    ),
    code(
        29,
        "EXIT_SST_FILE_CHECK",
        Kind::Failure,
        "the check of its data files failed",
    ),
    code(
        30,
        "EXIT_FULL_COMPACTION_FAILED",
        Kind::Failure,
        "the full compaction failed",
    ),
];

/// What `code` means.
pub(crate) fn meaning(code: i32) -> ExitMeaning {
    let Some(known) = EXIT_CODES.iter().find(|known| known.code == code) else {
        return ExitMeaning::Unknown;
    };
    let text = format!("{}: {}", known.name, known.text);
    match known.kind {
        Kind::Clean => ExitMeaning::Clean,
        Kind::Config => ExitMeaning::Config(text),
        Kind::Transient => ExitMeaning::Transient(text),
        Kind::Failure => ExitMeaning::Failure(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `number<TAB>name`, as the documentation lists them.
    const OFFICIAL: &str = include_str!("../tests/data/exit-codes-3.12.txt");

    #[test]
    fn every_official_code_is_known_by_its_name() {
        let official: Vec<(i32, &str)> = OFFICIAL
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_once('\t').unwrap())
            .map(|(code, name)| (code.parse().unwrap(), name))
            .collect();
        let ours: Vec<(i32, &str)> = EXIT_CODES.iter().map(|c| (c.code, c.name)).collect();
        assert_eq!(ours, official);
    }

    #[test]
    fn what_a_restart_cannot_help_is_configuration() {
        let config: Vec<i32> = (-1..256)
            .filter(|code| matches!(meaning(*code), ExitMeaning::Config(_)))
            .collect();
        assert_eq!(config, [3, 4, 5, 6, 24, 25, 26, 27, 28]);
        assert_eq!(
            meaning(21),
            ExitMeaning::Transient("EXIT_COULD_NOT_BIND_PORT: it could not bind its port".into())
        );
        assert_eq!(meaning(0), ExitMeaning::Clean);
        assert!(matches!(meaning(1), ExitMeaning::Failure(_)));
        assert_eq!(meaning(77), ExitMeaning::Unknown);
    }
}
