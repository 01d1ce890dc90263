//! The directory of a run: below cargo's target directory, the last runs kept.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::RunnerError;
use super::prepare::absolute;
use crate::group;
use crate::history;
use crate::options::Options;

/// How many runs are kept, this one included.
const KEEP: usize = 10;

/// How many runs are kept that did not pass, whether or not they are among the newest: a person may still want to look at them
/// after many that passed.
const KEEP_FAILED: usize = 10;

/// How many bytes the runs before this one may take together; those that passed go first, the oldest first.
const KEEP_BYTES: u64 = 4 << 30;

/// Where runs lie outside of cargo's projects.
const OUTSIDE: &str = ".armadillo";

/// The name of the link to the newest run.
const LATEST: &str = "latest";

/// The file in a run's directory that is locked for as long as the run goes on. Afterwards it says how the run ended, a line for
/// each run that held it.
const LOCK: &str = "lock";

/// What a run writes there that passed. One that was killed writes nothing.
pub(crate) const PASSED: &str = "passed";

/// What one writes that did not pass.
const FAILED: &str = "failed";

/// What the directory of a nextest run begins with; every test of it is a run of ours, in a directory below.
const NEXTEST: &str = "nextest-";

/// A run's directory. It is not removed by other runs while this value exists.
pub(crate) struct RunDirectory {
    /// Its path, absolute and without links.
    pub(crate) path: PathBuf,
    /// That of the run of nextest, or of a group of executables, that it is a part of.
    pub(crate) group: Option<PathBuf>,
    lock: File,
}

impl RunDirectory {
    /// Notes how the run ended, for the runs that decide which directories are kept.
    pub(crate) fn ended(&mut self, passed: bool) {
        let word = if passed { PASSED } else { FAILED };
        // Without the line it counts as one that did not pass, and is kept longer.
        let _ = writeln!(self.lock, "{word}");
    }
}

/// A run before this one.
struct Earlier {
    path: PathBuf,
    passed: bool,
    /// When it was last written to.
    modified: SystemTime,
    bytes: u64,
}

/// Why there is no directory for the run's files.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot create the output directory {path}: {source}; use --output-dir to choose another directory"
)]
pub(crate) struct RunDirectoryError {
    path: PathBuf,
    source: std::io::Error,
}

/// The directory in which runs lie: `named`, or `armadillo` in the executable's nearest ancestor with a `CACHEDIR.TAG`
/// (cargo's target directory), or in the `target` of the project around the working directory. Outside of cargo's projects it is
/// `.armadillo` in the working directory.
pub(crate) fn parent(named: Option<&Path>) -> PathBuf {
    if let Some(named) = named {
        return named.to_owned();
    }
    let executable = std::env::current_exe().unwrap_or_default();
    let working_directory = std::env::current_dir().unwrap_or_default();
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    parent_of(&executable, &working_directory, target.as_deref())
}

fn parent_of(executable: &Path, working_directory: &Path, target: Option<&Path>) -> PathBuf {
    let mut around = executable.ancestors();
    if let Some(target) = around.find(|directory| directory.join("CACHEDIR.TAG").is_file()) {
        return target.join("armadillo");
    }
    let packages = || {
        let around = working_directory.ancestors();
        around.filter(|directory| directory.join("Cargo.toml").is_file())
    };
    // The packages of a workspace share the target directory beside its lock file.
    let workspace = packages().find(|directory| directory.join("Cargo.lock").is_file());
    match workspace.or_else(|| packages().next()) {
        Some(project) => project
            .join(target.unwrap_or(Path::new("target")))
            .join("armadillo"),
        None => working_directory.join(OUTSIDE),
    }
}

/// Makes the directory of this run, moves the link `latest` and removes the oldest runs that have ended.
pub(crate) fn make(parent: &Path, run: &str) -> Result<RunDirectory, RunDirectoryError> {
    make_part(parent, run, whole_run())
}

/// The same for a part of a whole run.
fn make_part(
    parent: &Path,
    run: &str,
    whole: Option<String>,
) -> Result<RunDirectory, RunDirectoryError> {
    let kept = whole.clone().unwrap_or_else(|| run.to_owned());
    let path = match &whole {
        Some(whole) => parent.join(whole).join(run),
        None => parent.join(&kept),
    };
    let fail = |source| RunDirectoryError {
        path: path.clone(),
        source,
    };
    fs::create_dir_all(&path).map_err(fail)?;
    if parent.ends_with(OUTSIDE) {
        hide_from_git(parent).map_err(fail)?;
    }
    let lock = lock(&parent.join(&kept)).map_err(fail)?;
    let canonical = path.canonicalize().map_err(fail)?;
    // The other parts of a run that lead here have done it already: with thousands of files to look at, not each does it again.
    if !is_latest(parent, &kept) {
        // The link and the clean-up are conveniences: two runs at once may get in each other's way here.
        let link = parent.join(format!("{LATEST}.{run}"));
        let _ = std::os::unix::fs::symlink(&kept, &link)
            .and_then(|()| fs::rename(&link, parent.join(LATEST)));
        remove_oldest(parent, &kept);
    }
    let group = whole.and_then(|_| canonical.parent().map(Path::to_owned));
    if let Some(group) = &group {
        group::note(group).map_err(fail)?;
    }
    Ok(RunDirectory {
        group,
        path: canonical,
        lock,
    })
}

/// The directory of the run that this one is part of, if it is: of nextest, or of a command or a cargo that runs several
/// executables.
pub(super) fn whole_run() -> Option<String> {
    if let Ok(id) = std::env::var("NEXTEST_RUN_ID") {
        return Some(format!(
            "{NEXTEST}{}",
            id.chars().take(8).collect::<String>()
        ));
    }
    group::own().map(|group| group.id)
}

/// Its directory.
pub(super) fn of_whole(parent: &Path) -> Option<PathBuf> {
    whole_run().map(|whole| parent.join(whole))
}

/// Makes the directory of the daemon that the tests of a nextest run share.
pub(super) fn of_daemon(group: &Path, run: &str) -> Result<PathBuf, RunDirectoryError> {
    let path = group.join(run);
    let made = fs::create_dir_all(&path);
    let fail = |source| RunDirectoryError {
        path: path.clone(),
        source,
    };
    made.map_err(fail)?;
    Ok(path)
}

/// A target directory is ignored by git in every project of cargo; elsewhere nobody has thought of this directory.
fn hide_from_git(parent: &Path) -> io::Result<()> {
    match File::create_new(parent.join(".gitignore")) {
        Ok(mut file) => file.write_all(b"*\n"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Shared, because every test of a nextest run holds the same one.
pub(crate) fn lock(directory: &Path) -> std::io::Result<File> {
    let lock = File::options()
        .create(true)
        .append(true)
        .open(directory.join(LOCK))?;
    lock.lock_shared()?;
    Ok(lock)
}

/// Whether the link leads to this run.
fn is_latest(parent: &Path, run: &str) -> bool {
    fs::read_link(parent.join(LATEST)).is_ok_and(|latest| latest == Path::new(run))
}

fn remove_oldest(parent: &Path, current: &str) {
    let runs = earlier_runs(parent, current);
    let bytes: u64 = runs.iter().map(|run| run.bytes).sum();
    let mut too_large = bytes.saturating_sub(KEEP_BYTES);
    for (run, is_surplus) in by_age(runs) {
        if (is_surplus || too_large > 0)
            && has_ended(&run.path)
            && fs::remove_dir_all(&run.path).is_ok()
        {
            too_large = too_large.saturating_sub(run.bytes);
        }
    }
}

/// Those that passed, then the others, the oldest of each first; and whether there are too many without it.
fn by_age(mut runs: Vec<Earlier>) -> Vec<(Earlier, bool)> {
    runs.sort_by_key(|run| std::cmp::Reverse(run.modified));
    let mut failed = 0;
    let mut marked: Vec<(Earlier, bool)> = Vec::with_capacity(runs.len());
    for (newer, run) in runs.into_iter().enumerate() {
        failed += usize::from(!run.passed);
        let is_kept_as_failed = !run.passed && failed <= KEEP_FAILED;
        // The newest is the one that begins.
        let is_surplus = newer + 1 >= KEEP && !is_kept_as_failed;
        marked.push((run, is_surplus));
    }
    marked.reverse();
    marked.sort_by_key(|(run, _)| !run.passed);
    marked
}

fn earlier_runs(parent: &Path, current: &str) -> Vec<Earlier> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| {
            is_run(&entry.file_name().to_string_lossy()) && entry.file_name() != current
        })
        .filter_map(|entry| {
            let path = entry.path();
            Some(Earlier {
                passed: has_passed(&path),
                modified: entry.metadata().ok()?.modified().ok()?,
                bytes: size(&path),
                path,
            })
        })
        .collect()
}

/// How many runs that shared this directory have said how they ended.
pub(crate) fn ended_runs(directory: &Path) -> usize {
    let said = fs::read_to_string(directory.join(LOCK)).unwrap_or_default();
    said.lines().count()
}

/// Whether it says so; of the runs that share a directory, all must.
fn has_passed(run: &Path) -> bool {
    let said = fs::read_to_string(run.join(LOCK)).unwrap_or_default();
    !said.is_empty() && said.lines().all(|line| line == PASSED)
}

fn has_ended(run: &Path) -> bool {
    match File::options().append(true).open(run.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        // Made by somebody who died before the lock was there, or being made at this moment: then it is among the
        // newest and not removed anyway.
        Err(_) => true,
    }
}

/// Bytes of all files below a directory; what cannot be read counts nothing.
fn size(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

fn is_run(name: &str) -> bool {
    let id = name.strip_prefix(NEXTEST).unwrap_or(name);
    id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Where it is written down what earlier runs came to.
pub(super) fn history_file(options: &Options, parent: &Path) -> Result<PathBuf, RunnerError> {
    match &options.running.history {
        Some(named) => absolute(named.clone()),
        None => Ok(parent.join(history::FILE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make_in(parent: &Path, number: usize) -> RunDirectory {
        make_part(parent, &format!("{number:08x}"), None).unwrap()
    }

    #[test]
    fn the_oldest_runs_go_but_none_that_still_goes_on() {
        let parent = tempfile::tempdir().unwrap();
        let going_on = make_in(parent.path(), 0);
        for number in 1..=KEEP + KEEP_FAILED {
            make_in(parent.path(), number).ended(true);
        }
        assert!(going_on.path.is_dir());
        let left = earlier_runs(parent.path(), "");
        // The one that goes on is not known to pass, and kept as one that failed.
        assert_eq!(left.len(), KEEP + 1);
        let newest = fs::read_link(parent.path().join(LATEST)).unwrap();
        let last = format!("{:08x}", KEEP + KEEP_FAILED);
        assert_eq!(newest, Path::new(&last));
    }

    #[test]
    fn only_the_first_part_of_a_run_looks_at_earlier_runs() {
        let parent = tempfile::tempdir().unwrap();
        let whole = || Some("nextest-0000000a".to_owned());
        let first = make_part(parent.path(), "0000000b", whole()).unwrap();
        let earlier = |number: usize| parent.path().join(format!("{number:08x}"));
        for number in 1..=KEEP {
            fs::create_dir(earlier(number)).unwrap();
            fs::write(earlier(number).join(LOCK), PASSED).unwrap();
        }
        let second = make_part(parent.path(), "0000000c", whole()).unwrap();
        assert!(first.path.is_dir() && second.path.is_dir());
        assert_eq!(earlier_runs(parent.path(), "").len(), KEEP + 1);
        make_in(parent.path(), KEEP + 1).ended(true);
        // Without removal there would be one more than these.
        assert!(earlier_runs(parent.path(), "").len() <= KEEP + 1);
    }

    #[test]
    fn runs_that_passed_push_out_none_that_failed() {
        let parent = tempfile::tempdir().unwrap();
        let is_there = |number: usize| parent.path().join(format!("{number:08x}")).is_dir();
        make_in(parent.path(), 1).ended(false);
        // It was killed.
        drop(make_in(parent.path(), 2));
        for number in 3..3 + 2 * KEEP {
            make_in(parent.path(), number).ended(true);
        }
        assert!(is_there(1) && is_there(2) && !is_there(3));
        let later = 100..100 + KEEP_FAILED + 1;
        for number in later.clone() {
            make_in(parent.path(), number).ended(false);
        }
        drop(make_in(parent.path(), 200));
        assert!(!is_there(1) && !is_there(2) && !is_there(100));
        assert!(later.skip(1).all(is_there));
    }

    #[test]
    fn runs_lie_in_the_target_directory_or_beside_what_is_no_project() {
        let home = tempfile::tempdir().unwrap();
        let (home, nowhere) = (home.path(), Path::new("/usr/bin/armadillo"));
        let package = home.join("workspace/package/src");
        fs::create_dir_all(&package).unwrap();
        assert_eq!(parent_of(nowhere, home, None), home.join(".armadillo"));
        fs::write(home.join("workspace/package/Cargo.toml"), "").unwrap();
        let of_package = home.join("workspace/package/target/armadillo");
        assert_eq!(parent_of(nowhere, &package, None), of_package);
        fs::write(home.join("workspace/Cargo.toml"), "").unwrap();
        fs::write(home.join("workspace/Cargo.lock"), "").unwrap();
        let of_workspace = home.join("workspace/target/armadillo");
        assert_eq!(parent_of(nowhere, &package, None), of_workspace);
        let elsewhere = Path::new("/elsewhere");
        let named = parent_of(nowhere, &package, Some(elsewhere));
        assert_eq!(named, elsewhere.join("armadillo"));
        fs::write(home.join("CACHEDIR.TAG"), "").unwrap();
        let executable = home.join("debug/deps/suite");
        assert_eq!(
            parent_of(&executable, &package, None),
            home.join("armadillo")
        );
    }
}
