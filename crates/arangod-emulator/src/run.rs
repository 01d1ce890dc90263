//! From arguments to a running server, with all the ways not to get there.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::auth::Secrets;
use crate::directory::{Directory, DirectoryError};
use crate::exit::Exit;
use crate::logging::Logger;
use crate::options::{self, Options};
use crate::role::Role;
use crate::settings::Settings;
use crate::upgrade::{self, Mode};
use crate::{boot, crash, limits, system, version};

/// Runs the program.
pub(crate) fn run(args: Vec<OsString>) -> Exit {
    let started = Instant::now();
    let options = match options::parse(args) {
        Ok(options) => options,
        Err(error) => {
            complain(&format!(
                "Error while processing command-line options for arangod:\n  {error}"
            ));
            return error.exit();
        }
    };
    if let Err(reason) = version::imitate(options.text(version::OPTION)) {
        complain(&reason);
        return Exit::InvalidOptionValue;
    }
    if let Some(exit) = commands(&options) {
        return exit;
    }
    match Role::from_options(&options) {
        Ok(role) => serve(&options, role, started),
        Err(other) => {
            complain(&format!("invalid value '{other}' for --cluster.my-role"));
            Exit::InvalidOptionValue
        }
    }
}

/// Prints to standard output; whoever has closed it did not want to read it.
fn say(text: &str) {
    drop(std::io::stdout().lock().write_all(text.as_bytes()));
}

fn complain(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// The options that print something and end the process.
fn commands(options: &Options) -> Option<Exit> {
    if let Some(topic) = &options.help {
        say(&options::help(topic));
    } else if options.flag("--version") {
        say(&version::text(
            options.text("--edition"),
            options.flag("--failure-tests"),
        ));
    } else if options.flag("--version-json") {
        say(&version::json_text(
            options.text("--edition"),
            options.flag("--failure-tests"),
        ));
    } else if options.flag("--dump-options") {
        say(&options::dump_options());
    } else if options.flag("--dump-dependencies") {
        complain("the emulator does not implement --dump-dependencies");
        return Some(Exit::Failed);
    } else {
        return None;
    }
    Some(Exit::Success)
}

fn serve(options: &Options, role: Role, started: Instant) -> Exit {
    let settings = match Settings::new(options, role) {
        Ok(settings) => settings,
        Err(reason) => {
            complain(&reason);
            return Exit::InvalidOptionValue;
        }
    };
    if options.flag("--check-configuration") {
        say("configuration options are valid\n");
        return Exit::Success;
    }
    let folder = options.text("--working-directory");
    if !folder.is_empty()
        && let Err(error) = std::env::set_current_dir(folder)
    {
        complain(&format!("cannot change to directory '{folder}': {error}"));
        return Exit::Failed;
    }
    let log = match Logger::open(options, role) {
        Ok(log) => Arc::new(log),
        Err(error) => {
            complain(&error.to_string());
            return error.exit();
        }
    };
    crash::install();
    greet(&log, role);
    if let Some(what) = unable(options) {
        log.fatal(
            "",
            "general",
            format!("the emulator does not implement {what}"),
        );
        return Exit::Failed;
    }
    if let Err(error) = limits::check(options, &log) {
        log.fatal("8c771", "syscall", error.to_string());
        return match error {
            limits::LimitError::Option => Exit::Failed,
            limits::LimitError::TooLow { .. } => Exit::ResourcesTooLow,
        };
    }
    let secrets = match Secrets::from_options(options) {
        Ok(secrets) => {
            secrets.say(&log);
            secrets
        }
        Err(error) => {
            log.fatal("d3617", "authentication", error.to_string());
            return Exit::Failed;
        }
    };
    let sources = ["", "-keyfile", "-folder"].map(|kind| format!("--server.jwt-secret{kind}"));
    if sources.iter().all(|name| options.text(name).is_empty()) {
        let message = "Jwt secret not specified, generating...";
        log.info("43396", "authentication", message);
    }
    let pid_file = options.text("--pid-file");
    if let Err(exit) = claim_pid_file(pid_file, &log) {
        return exit;
    }
    let exit = match prepare(options, &settings, &log) {
        Ok((directory, task)) => {
            boot::live(options, settings, log, secrets, directory, task, started)
        }
        Err(error) => {
            log.fatal(error.id, "general", &error.message);
            error.exit
        }
    };
    if !pid_file.is_empty() {
        drop(std::fs::remove_file(pid_file));
    }
    exit
}

fn greet(log: &Logger, role: Role) {
    log.info(
        "e52b0",
        "general",
        format!(
            "{}, imitating version {} [linux]",
            version::STAND_IN,
            version::imitated().text
        ),
    );
    log.info(
        "75ddc",
        "general",
        format!("detected operating system: {}", system::operating_system()),
    );
    log.info(
        "25362",
        "memory",
        format!(
            "Available physical memory: {} bytes, available cores: {}",
            system::physical_memory(),
            system::cores()
        ),
    );
    log.info(
        "3bb7d",
        "cluster",
        format!("Starting up with role {}", role.name()),
    );
}

/// What is asked for and cannot be done at all.
fn unable(options: &Options) -> Option<String> {
    [
        "--daemon",
        "--supervisor",
        "--console",
        "--database.restore-admin",
        "--network.verify-hosts",
        "--ssl.require-peer-certificate",
    ]
    .iter()
    .find(|name| options.flag(name))
    .map(|name| String::from(*name))
}

/// Refuses to start beside the process that the pid file names, and puts our pid there.
fn claim_pid_file(name: &str, log: &Logger) -> Result<(), Exit> {
    if name.is_empty() {
        return Ok(());
    }
    let owner = std::fs::read_to_string(name)
        .ok()
        .and_then(|text| text.trim().parse::<i32>().ok())
        .filter(|pid| *pid > 0)
        .and_then(rustix::process::Pid::from_raw);
    if let Some(owner) = owner
        && rustix::process::test_kill_process(owner).is_ok()
    {
        let pid = owner.as_raw_nonzero();
        log.fatal(
            "d1d1d",
            "general",
            format!("pid-file '{name}' names running process {pid}"),
        );
        return Err(Exit::AlreadyRunning);
    }
    std::fs::write(name, std::process::id().to_string()).map_err(|error| {
        log.fatal(
            "",
            "general",
            format!("cannot write pid-file '{name}': {error}"),
        );
        Exit::Failed
    })
}

/// Locks the directory and looks what is in it.
fn prepare(
    options: &Options,
    settings: &Settings,
    log: &Logger,
) -> Result<(Directory, boot::Task), DirectoryError> {
    let refuse = |id, exit, message: String| Err(DirectoryError { id, message, exit });
    let path = &settings.directory;
    if path.as_os_str().is_empty() {
        let message = "no database path has been supplied, giving up, please use the \
                       '--database.directory' option";
        return refuse("9aba1", Exit::Failed, String::from(message));
    }
    check_state(options.text("--database.required-directory-state"), path)?;
    let directory = Directory::lock(path, log)?;
    let init = options.flag("--database.init-database");
    if init && directory.is_initialised() {
        let message = "database already initialized, refusing to initialize it again";
        return refuse("a38e6", Exit::DbNotEmpty, String::from(message));
    }
    directory.check_engine()?;
    log.info(
        "144fe",
        "general",
        format!("using storage engine '{}'", version::ENGINE),
    );
    let upgrade = options.flag("--database.auto-upgrade");
    let checks = options.flag("--database.check-version");
    let mode = match (checks, upgrade) {
        (true, _) => Mode::Check,
        (false, true) => Mode::Upgrade,
        (false, false) => Mode::Serve,
    };
    // A coordinator has no data, and a check is made as if every server were a single one.
    let has_data = settings.role != Role::Coordinator || checks;
    if has_data && (upgrade || checks || options.flag("--database.upgrade-check")) {
        upgrade::judge(directory.version()?, mode, log)?;
    }
    let task = if init {
        boot::Task::Initialise
    } else if checks {
        boot::Task::CheckVersion
    } else if upgrade {
        let text = "executing upgrade procedure: disabling server features";
        log.info("23525", "general", text);
        boot::Task::Upgrade
    } else {
        boot::Task::Serve
    };
    Ok((directory, task))
}

/// `--database.required-directory-state`
fn check_state(wanted: &str, path: &Path) -> Result<(), DirectoryError> {
    let exists = path.exists();
    let filled = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
    let fits = match wanted {
        "any" => true,
        "non-existing" => !exists,
        "existing" => exists,
        "empty" => exists && !filled,
        "populated" => filled,
        _ => {
            return Err(DirectoryError {
                id: "",
                message: format!(
                    "invalid value '{wanted}' for --database.required-directory-state"
                ),
                exit: Exit::InvalidOptionValue,
            });
        }
    };
    if fits {
        return Ok(());
    }
    Err(DirectoryError {
        id: "",
        message: format!(
            "database directory '{}' is not {wanted}, as --database.required-directory-state asks",
            path.display()
        ),
        exit: Exit::Failed,
    })
}
