//! Puts a version of a server into the user's cache: built or unpacked beside it, checked, and renamed.

mod etcd;
mod step;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use armadillo_orchestrator::Settings;
use armadillo_orchestrator::versions::{
    CACHE_SETTING, Cache, CacheError, ORIGIN_FILE, Origin, VersionName,
};
use clap::ValueHint;
use sha2::{Digest, Sha256};

use crate::complete;

pub(crate) use etcd::{LINES, SYSTEM};
pub(crate) use step::StepError;

/// Put a version of a server into your cache, for tests that name it
///
/// etcd is built from its Go module, which takes up to a minute of CPU time. If Go is not installed, PyPI's package is
/// tried. Versions before 3.5 come from Debian's package.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    armadillo get etcd 3.6.16         this version\n  \
    armadillo get etcd 3.6            the newest 3.6\n  \
    armadillo get etcd 3.5.5+gofail   with etcd's failpoints\n\n\
    Tests then use it with `--etcd 3.6.16`, or with `etcd(version = \"3.6.16\")`.")]
pub(crate) struct Args {
    /// The system: etcd
    #[arg(add = complete::fetched())]
    system: String,
    /// The version, or the beginning of one: 3.6.16, 3.6
    #[arg(add = complete::lines())]
    version: String,
    /// Directory for servers [default: ARMADILLO_SERVERS_DIR, or armadillo/servers in XDG_CACHE_HOME or ~/.cache]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    servers_dir: Option<PathBuf>,
    /// Also build etcdctl and etcdutl
    #[arg(long)]
    tools: bool,
}

/// How the names of directories begin in which a version is being made.
const UNFINISHED: &str = ".unfinished-";

/// Why a version is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GetError {
    #[error("no versions of `{0}` can be fetched; the systems are: etcd")]
    System(String),
    #[error("`{0}` is not a version; write 3.6.16, 3.6 or 3.5.5+gofail")]
    Version(String),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(transparent)]
    Step(#[from] StepError),
    #[error("{what}\n{advice}")]
    Unavailable { what: String, advice: String },
    #[error("the program reports version {said}, not {wanted}; nothing was kept")]
    Other { said: String, wanted: String },
}

impl GetError {
    fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}

/// What a recipe has made in its directory.
struct Made {
    /// The programs, the server first. They are kept under their own names.
    programs: Vec<PathBuf>,
    /// What they were made from.
    from: String,
}

pub(crate) fn command(args: Args) -> ExitCode {
    let cache = cache(args.servers_dir);
    match cache.and_then(|cache| get(&cache, &args.system, &args.version, args.tools)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where the runs look, too, unless their `armadillo.toml` sets another directory.
pub(crate) fn cache(said: Option<PathBuf>) -> Result<Cache, GetError> {
    let said = said.or_else(|| std::env::var_os("ARMADILLO_SERVERS_DIR").map(PathBuf::from));
    let mut settings = Settings::default();
    if let Some(said) = said {
        settings.set(CACHE_SETTING, vec![said.display().to_string()]);
    }
    Ok(Cache::of_user(&settings)?)
}

/// Puts a version into the cache, unless it is there.
fn get(cache: &Cache, system: &str, version: &str, tools: bool) -> Result<(), GetError> {
    if system != SYSTEM {
        return Err(GetError::System(system.to_owned()));
    }
    let name = VersionName::parse(version).ok_or_else(|| GetError::Version(version.to_owned()))?;
    let version = etcd::newest(&name)?;
    let place = cache.of_system(system);
    fs::create_dir_all(&place).map_err(GetError::file("create", &place))?;
    let _lock = lock(&place, &version)?;
    // Whoever had the lock before may have made it.
    if let Some(cached) = cache.find(system, &version)? {
        let has_tools = !tools || etcd::has_tools(&place.join(version.to_string()));
        if has_tools {
            eprintln!(
                "{system} {version} is already there: {}",
                cached.program.display()
            );
            return Ok(());
        }
    }
    remove_unfinished(&place, &version)?;
    let directory = tempfile::Builder::new()
        .prefix(&unfinished(&version))
        .tempdir_in(&place)
        .map_err(GetError::file("create a directory in", &place))?;
    let made = etcd::make(&version, tools, directory.path())?;
    let program = keep(&place, system, &version, &made)?;
    eprintln!("{system} {version} is in {}", program.display());
    Ok(())
}

/// One process at a time makes a version; the others wait for it.
fn lock(place: &Path, version: &VersionName) -> Result<File, GetError> {
    let path = place.join(format!(".{version}.lock"));
    let file = File::create(&path).map_err(GetError::file("create", &path))?;
    if file.try_lock().is_err() {
        eprintln!("another process is getting {version}; waiting for it");
        file.lock().map_err(GetError::file("lock", &path))?;
    }
    Ok(file)
}

fn unfinished(version: &VersionName) -> String {
    format!("{UNFINISHED}{version}-")
}

/// What others began and did not finish: the lock is ours, so nobody is at it.
fn remove_unfinished(place: &Path, version: &VersionName) -> Result<(), GetError> {
    let entries = fs::read_dir(place).map_err(GetError::file("read", place))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(&unfinished(version)) {
            step::remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Checks what was made, and moves it to its place in one step.
fn keep(
    place: &Path,
    system: &str,
    version: &VersionName,
    made: &Made,
) -> Result<PathBuf, GetError> {
    let finished = tempfile::Builder::new()
        .prefix(&unfinished(version))
        .tempdir_in(place)
        .map_err(GetError::file("create a directory in", place))?;
    for program in &made.programs {
        let name = program.file_name().unwrap_or_default();
        let to = finished.path().join(name);
        fs::rename(program, &to).map_err(GetError::file("move", program))?;
    }
    let program = finished.path().join(system);
    let said = etcd::version_of(&program)?;
    if said != version.number() {
        let wanted = version.to_string();
        return Err(GetError::Other { said, wanted });
    }
    let content = fs::read(&program).map_err(GetError::file("read", &program))?;
    let digits = Sha256::digest(&content);
    let origin = Origin {
        version: version.to_string(),
        from: made.from.clone(),
        sha256: digits.iter().map(|byte| format!("{byte:02x}")).collect(),
        bytes: content.len() as u64,
    };
    let path = finished.path().join(ORIGIN_FILE);
    let text = serde_json::to_vec_pretty(&origin).map_err(io::Error::from);
    text.and_then(|text| fs::write(&path, text))
        .map_err(GetError::file("write", &path))?;
    // Its own directory is private; programs may be run by anybody who can reach them.
    let to = place.join(version.to_string());
    if to.exists() {
        step::remove(&to)?;
    }
    let finished = finished.keep();
    fs::rename(&finished, &to).map_err(GetError::file("rename", &finished))?;
    Ok(to.join(system))
}
