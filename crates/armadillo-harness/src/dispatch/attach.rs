//! Tests on servers that somebody else started: what is there, who asks, and which tests cannot run on them.

use std::collections::BTreeSet;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use armadillo_orchestrator::attach::{authority_flag, flag, login_flag};
use armadillo_orchestrator::duration::times;
use armadillo_orchestrator::{Attached, Attachment, Credentials, Login, Secret, System, Tls};

use super::RunnerError;
use crate::collect::{self, Test};
use crate::needs::LeaseMode;
use crate::options::Options;
use crate::plan;
use crate::regular;
use crate::select::Selected;
use crate::settings::{Environment, attach_variables};

/// How long the look at one system's servers may take, before the factor.
const LIMIT: Duration = Duration::from_secs(10);

/// The longest file with a login.
const LONGEST: u64 = 4096;

/// The longest file with the certificates of authorities.
const LONGEST_AUTHORITY: u64 = 1 << 20;

/// What is said of a file without a login.
const NEITHER: &str = "does not contain a user and a password, or a token";

/// The user if only a password is said.
const USER: &str = "root";

/// Looks at the servers that the settings name, of every system that one of the tests needs. What is there goes into the
/// settings; why tests cannot run on what is there is reported when one of them was selected.
pub(super) fn look(options: &mut Options, only: Option<&[String]>) -> Result<(), RunnerError> {
    let named = armadillo_orchestrator::systems()
        .into_iter()
        .filter_map(|system| {
            // What makes no sense was refused when the settings were resolved.
            let at = Attachment::named(system.name(), &options.settings).ok()??;
            Some((system, at))
        });
    let named: Vec<_> = named.collect();
    if named.is_empty() {
        return Ok(());
    }
    let environment = Environment::of_process();
    let needed: BTreeSet<String> = collect::definitions(only)
        .flat_map(|def| def.wishes())
        .map(|wish| wish.system)
        .collect();
    for (system, mut at) in named {
        if !needed.contains(system.name()) {
            continue;
        }
        if options.running.script.is_some() {
            return Err(RunnerError::AttachedScript(flag(system.name())));
        }
        let found = login(system.name(), options, &environment).and_then(|login| {
            at.login = login;
            at.tls = authority(system.name(), &at, options)?;
            survey(system, &at, times(LIMIT, options.running.timeout_factor))
        });
        match found {
            Ok(attached) => options.settings.attach(system.name(), attached),
            Err(problem) => {
                let problem = format!(
                    "cannot run tests on the {} servers at {problem}",
                    system.name()
                );
                options
                    .unreachable
                    .insert(system.name().to_owned(), problem);
            }
        }
    }
    Ok(())
}

fn survey(system: &dyn System, at: &Attachment, limit: Duration) -> Result<Attached, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            format!(
                "{}: cannot create a runtime: {error}",
                at.addresses.join(",")
            )
        })?;
    let surveyed = runtime.block_on(async { tokio::time::timeout(limit, system.survey(at)).await });
    match surveyed {
        Ok(found) => found.map_err(|error| error.to_string()),
        Err(_) => {
            let address = at.addresses.first().map_or("", String::as_str);
            let says = format!("they did not say within {limit:.1?} what they are");
            let help = "check the address, and that the servers are up";
            Err(at.error(address, says, help).to_string())
        }
    }
}

/// The authority that issued the servers' certificates, if they speak TLS.
fn authority(system: &str, at: &Attachment, options: &Options) -> Result<Option<Tls>, String> {
    let flag = authority_flag(system);
    let Some(file) = options.settings.get(&flag).filter(|_| at.encrypted) else {
        return Ok(None);
    };
    let problem = |why: String| {
        let address = at.addresses.first().map_or("", String::as_str);
        let says = format!("the certificate of the authority, {file}, {why}");
        let help = format!("name a file with a certificate in PEM with --{flag}");
        at.error(address, says, help).to_string()
    };
    let path =
        std::path::absolute(file).map_err(|error| problem(format!("has no path: {error}")))?;
    let opened = regular::open(&path);
    let opened = opened.map_err(|error| problem(format!("cannot be opened: {error}")))?;
    let mut text = String::new();
    let read = opened.take(LONGEST_AUTHORITY).read_to_string(&mut text);
    read.map_err(|error| problem(format!("cannot be read: {error}")))?;
    let tls = Tls::of_authority(text, path);
    tls.map(Some)
        .map_err(|error| problem(format!("is of no use: {error}")))
}

/// Who asks this system's servers, from the environment or from a file.
fn login(
    system: &str,
    options: &Options,
    environment: &Environment,
) -> Result<Option<Credentials>, String> {
    let at = options.settings.all(&flag(system)).join(",");
    let [user, password, token] = attach_variables(system);
    let text = |name: &str| {
        let text = environment.text(name);
        text.map_err(|error| format!("{at}: {error}"))
    };
    let (said_user, said_password) = (text(&user)?, text(&password)?);
    if let Some(said) = text(&token)? {
        let others = [said_user, said_password];
        if options.settings.get(&login_flag(system)).is_some() || others.iter().any(Option::is_some)
        {
            return Err(format!(
                "{at}: the login is set twice, by {token} and something else\nhelp: use one of them"
            ));
        }
        return Ok(Some(Credentials::Token(Secret::new(bare(&said)))));
    }
    let file = options.settings.get(&login_flag(system));
    match (file, said_user, said_password) {
        (Some(file), None, None) => {
            let read = read_login(Path::new(file));
            read.map(Some)
                .map_err(|(says, help)| format!("{at}: the login file {file} {says}\nhelp: {help}"))
        }
        (Some(_), _, _) => Err(format!(
            "{at}: the login is set twice, by a file and by {user} or {password}\nhelp: use one of them"
        )),
        (None, Some(_), None) => Err(format!(
            "{at}: {user} is set, but {password} is not\nhelp: set both"
        )),
        (None, user, Some(password)) => Ok(Some(Credentials::Login(Login {
            user: user.unwrap_or_else(|| USER.to_owned()),
            password: Secret::new(password),
        }))),
        (None, None, None) => Ok(None),
    }
}

/// The word before a token, in any case, as tools print it.
const BEARER: &str = "bearer ";

/// A token without the word that stands before it in a header.
fn bare(token: &str) -> &str {
    let word = token.get(..BEARER.len());
    match word {
        Some(word) if word.eq_ignore_ascii_case(BEARER) => token[BEARER.len()..].trim(),
        _ => token.trim(),
    }
}

/// `USER:PASSWORD` or `bearer TOKEN` in a file that nobody else may read.
fn read_login(path: &Path) -> Result<Credentials, (String, &'static str)> {
    const WRITE: &str = "write `USER:PASSWORD` or `bearer TOKEN` in one line";
    let file = regular::open(path);
    let file = file.map_err(|error| (format!("cannot be opened: {error}"), WRITE))?;
    let about = file.metadata();
    let about = about.map_err(|error| (format!("cannot be examined: {error}"), WRITE))?;
    if about.mode() & 0o077 != 0 {
        let says = format!("can be read by others (mode {:o})", about.mode() & 0o777);
        return Err((says, "run `chmod 600` on it"));
    }
    let mut text = String::new();
    let read = file.take(LONGEST).read_to_string(&mut text);
    read.map_err(|error| (format!("cannot be read: {error}"), WRITE))?;
    let line = text.trim_end_matches(['\r', '\n']);
    let token = bare(line);
    match line.split_once(':') {
        _ if line.contains('\n') => Err((NEITHER.to_owned(), WRITE)),
        _ if token.len() < line.trim().len() && !token.is_empty() => {
            Ok(Credentials::Token(Secret::new(token)))
        }
        Some((name, password)) if !name.is_empty() => Ok(Credentials::Login(Login {
            user: name.to_owned(),
            password: Secret::new(password),
        })),
        _ => Err((NEITHER.to_owned(), WRITE)),
    }
}

/// Ignores the selected tests that cannot run on servers that somebody else started, also those that were asked for in
/// spite of another reason to ignore them.
pub(super) fn ignore_unfit(selected: &mut Selected, options: &Options) {
    let is_attached = |system: &dyn System| options.settings.attached(system.name()).is_some();
    if !armadillo_orchestrator::systems()
        .into_iter()
        .any(is_attached)
    {
        return;
    }
    let run = std::mem::take(&mut selected.run);
    for test in run {
        match unfit(&test, options) {
            Some(reason) => selected.ignored.push((test, reason)),
            None => selected.run.push(test),
        }
    }
}

/// Why a test cannot run on the servers that the run was given.
fn unfit(test: &Test, options: &Options) -> Option<String> {
    let wishes = test.def.wishes();
    wishes.iter().zip(test.def.needs).find_map(|(wish, need)| {
        let attached = options.settings.attached(&wish.system)?;
        let system = armadillo_orchestrator::system(&wish.system)?;
        let lacks = match plan::lease_of(test, need.lease) {
            LeaseMode::Exclusive => Some("needs a deployment to itself".to_owned()),
            LeaseMode::Fresh => Some("needs a new deployment".to_owned()),
            LeaseMode::Unstarted => Some("needs servers that are not running yet".to_owned()),
            LeaseMode::Shared if !wish.options.is_empty() => {
                Some("needs server options of its own".to_owned())
            }
            LeaseMode::Shared if !wish.binaries.is_empty() => {
                Some("needs programs of its own".to_owned())
            }
            LeaseMode::Shared => system.suffices(wish, attached).err(),
        };
        lacks.map(|lacks| format!("{lacks}; this run has --{} {attached}", flag(&wish.system)))
    })
}

/// Why a test cannot be run although it was selected: the servers it needs are not usable.
pub(super) fn check(
    tests: &[super::programs::Needing],
    options: &Options,
) -> Result<(), RunnerError> {
    let mut needs = tests.iter().flat_map(|(_, needs)| needs);
    let problem = needs.find_map(|need| options.unreachable.get(&need.topology.system));
    match problem {
        Some(problem) => Err(RunnerError::Attach(problem.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::OpenOptionsExt;

    use super::*;

    fn file(mode: u32, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        use std::io::Write;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("login");
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        (directory, path)
    }

    #[test]
    fn a_login_is_read_from_a_private_file_only() {
        let (_kept, path) = file(0o600, "ann:a:b\n");
        let user = |user: &str, password: &str| {
            let (user, password) = (user.to_owned(), Secret::new(password));
            Credentials::Login(Login { user, password })
        };
        assert_eq!(read_login(&path), Ok(user("ann", "a:b")));
        for text in ["bearer e.y.J\n", "Bearer  e.y.J"] {
            let (_kept, path) = file(0o600, text);
            assert_eq!(
                read_login(&path),
                Ok(Credentials::Token(Secret::new("e.y.J")))
            );
        }
        let (_kept, path) = file(0o600, "bearer:x");
        assert_eq!(read_login(&path), Ok(user("bearer", "x")));
        let (_kept, path) = file(0o640, "ann:secret\n");
        let (says, help) = read_login(&path).unwrap_err();
        assert!(
            says.contains("mode 640") && help.contains("chmod 600"),
            "{says}"
        );
        for text in [
            "",
            "ann",
            ":secret",
            "ann:x\nbob:y\n",
            "bearer ",
            "bearer x\ny",
        ] {
            let (_kept, path) = file(0o600, text);
            let (says, _) = read_login(&path).unwrap_err();
            assert_eq!(says, NEITHER, "{text:?}");
        }
        assert!(
            read_login(Path::new("/nowhere/login"))
                .unwrap_err()
                .0
                .starts_with("cannot be opened")
        );
    }

    #[test]
    fn a_login_has_one_source() {
        let mut options = Options::default();
        let mut login = |file: Option<&str>, variables: &[(&str, &str)]| {
            options.settings.set("attach-mydb", vec!["a:1".to_owned()]);
            options.settings.set(
                "attach-mydb-login",
                file.map(str::to_owned).into_iter().collect(),
            );
            login("mydb", &options, &Environment::of(variables))
        };
        assert_eq!(login(None, &[]), Ok(None));
        let (user, password) = (
            ("ARMADILLO_ATTACH_MYDB_USER", "ann"),
            ("ARMADILLO_ATTACH_MYDB_PASSWORD", "s3cret"),
        );
        let expected = |user: &str| {
            let (user, password) = (user.to_owned(), Secret::new("s3cret"));
            Ok(Some(Credentials::Login(Login { user, password })))
        };
        assert_eq!(login(None, &[user, password]), expected("ann"));
        assert_eq!(login(None, &[password]), expected(USER));
        let token = ("ARMADILLO_ATTACH_MYDB_TOKEN", "bearer t0ken");
        let shown = Credentials::Token(Secret::new("t0ken"));
        assert_eq!(login(None, &[token]), Ok(Some(shown)));
        for twice in [login(None, &[token, password]), login(Some("/x"), &[token])] {
            let twice = twice.unwrap_err();
            assert!(
                twice.contains("set twice") && !twice.contains("t0ken"),
                "{twice}"
            );
        }
        assert!(
            login(None, &[user])
                .unwrap_err()
                .contains("ARMADILLO_ATTACH_MYDB_PASSWORD is not")
        );
        let twice = login(Some("/x"), &[password]).unwrap_err();
        assert!(
            twice.contains("set twice") && !twice.contains("s3cret"),
            "{twice}"
        );
    }

    #[test]
    fn a_named_pipe_holds_nobody_up() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
        let (says, _) = read_login(&pipe).unwrap_err();
        assert_eq!(says, "cannot be opened: it is not a regular file");
    }
}
