//! The commit that a run is of, if its tests are in a checkout of git: read from git's files. Whether files were changed since, only
//! git itself can tell.

use std::path::{Path, PathBuf};
use std::time::Duration;

use armadillo_orchestrator::process::output_of;
use armadillo_orchestrator::program::on_path;
use serde::{Deserialize, Serialize};

use crate::report::write_whole;

/// No file that names a commit is longer, but the list of all of them may be.
const LONGEST: u64 = 4096;

/// The same of the list.
const LONGEST_LIST: u64 = 64 << 20;

/// How many names may lead from one to the next.
const DEEPEST: usize = 5;

/// How long git may take to find out what was changed.
const LIMIT: Duration = Duration::from_secs(2);

/// The file with the answer for all parts of a run.
const FILE: &str = "commit.json";

/// How many digits of a commit are shown.
const SHOWN: usize = 10;

/// A commit, and whether it is all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Commit {
    /// Its hash.
    pub id: String,
    /// Whether files of it were changed since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dirty: bool,
    /// Whether nobody can tell, because git has not said it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unchecked: bool,
}

impl Commit {
    /// Whether two runs of it were of the same files.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.dirty && !self.unchecked
    }
}

impl std::fmt::Display for Commit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id = self.id.get(..SHOWN).unwrap_or(&self.id);
        f.write_str(id)?;
        f.write_str(if self.dirty { "-dirty" } else { "" })
    }
}

/// Where git has what it knows of a checkout.
struct Repository {
    /// The files themselves.
    work_tree: PathBuf,
    /// What is of this checkout alone.
    own: PathBuf,
    /// What all checkouts share.
    common: PathBuf,
}

/// The commit of the checkout that this directory is in. `None` if there is none, or nobody can tell.
#[must_use]
pub fn of(directory: &Path) -> Option<Commit> {
    let repository = Repository::around(directory)?;
    let id = repository.head()?;
    let changed = is_changed(&repository.work_tree);
    Some(Commit {
        id,
        dirty: changed == Some(true),
        unchecked: changed.is_none(),
    })
}

/// The commit of a run. All parts of a run have the same: the first of them asks, and leaves the answer in their directory.
fn of_run(whole: Option<&Path>) -> Option<Commit> {
    let ask = || of(&package()?);
    let Some(whole) = whole else {
        return ask();
    };
    let file = whole.join(FILE);
    let said = crate::regular::read(&file, LONGEST).ok();
    if let Some(answer) = said.and_then(|said| serde_json::from_slice(&said).ok()) {
        return answer;
    }
    let answer = ask();
    // Without it, the next part asks again.
    _ = write_whole(&file, |file| Ok(serde_json::to_writer(file, &answer)?));
    answer
}

/// Does something else while git is asked, which takes a while in a checkout that is new or large.
pub(crate) fn of_run_while<T>(
    whole: Option<&Path>,
    something: impl FnOnce() -> T,
) -> (Option<Commit>, T) {
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| of_run(whole));
        let done = something();
        // If asking panics, nobody can tell.
        (asked.join().unwrap_or_default(), done)
    })
}

/// The directory of the package with the tests.
fn package() -> Option<PathBuf> {
    let said = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    said.or_else(|| std::env::current_dir().ok())
}

impl Repository {
    fn around(directory: &Path) -> Option<Self> {
        let work_tree = (directory.ancestors()).find(|around| around.join(".git").exists())?;
        let dot_git = work_tree.join(".git");
        let own = match dot_git.is_dir() {
            true => dot_git,
            // A second checkout, or a part of another repository.
            false => work_tree.join(line(&dot_git)?.strip_prefix("gitdir:")?.trim()),
        };
        let common = line(&own.join("commondir")).map_or_else(|| own.clone(), |to| own.join(to));
        Some(Self {
            work_tree: work_tree.to_owned(),
            own,
            common,
        })
    }

    fn head(&self) -> Option<String> {
        let mut content = line(&self.own.join("HEAD"))?;
        for _ in 0..DEEPEST {
            let Some(name) = content.strip_prefix("ref:").map(str::trim) else {
                return is_hash(&content).then_some(content);
            };
            if !is_reference(name) {
                return None;
            }
            content = (line(&self.own.join(name)))
                .or_else(|| line(&self.common.join(name)))
                .or_else(|| self.packed(name))?;
        }
        None
    }

    /// From the list of those that have no file of their own.
    fn packed(&self, name: &str) -> Option<String> {
        let list = crate::regular::read(&self.common.join("packed-refs"), LONGEST_LIST).ok()?;
        let list = String::from_utf8_lossy(&list);
        let mut entries = list.lines().filter_map(|line| line.split_once(' '));
        let (hash, _) = entries.find(|(_, known)| known.trim() == name)?;
        Some(hash.to_owned())
    }
}

/// The first line of a small file.
fn line(path: &Path) -> Option<String> {
    let bytes = crate::regular::read(path, LONGEST).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.lines().next().map(|line| line.trim().to_owned())
}

fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether it is the name of a branch or the like, and leads to no file of somebody else's.
fn is_reference(name: &str) -> bool {
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    name.starts_with("refs/") && name.split('/').all(is_plain)
}

/// Whether git says that files which it knows were changed; `None` if it does not answer, or is not there.
fn is_changed(work_tree: &Path) -> Option<bool> {
    if cfg!(miri) {
        // It supports no processes.
        return None;
    }
    let git = on_path("git").into_iter().next()?;
    let directory = work_tree.to_str()?;
    let args = [
        "--no-optional-locks",
        "-C",
        directory,
        "status",
        "--porcelain",
        "--untracked-files=no",
    ];
    answer(&output_of(&git, &args, LIMIT).ok()?)
}

/// What it means that git has said this: a list of changed files, or why there is none.
fn answer(said: &str) -> Option<bool> {
    let mut lines = said.lines();
    match lines.clone().any(is_change) {
        true => Some(true),
        false => lines.all(is_remark).then_some(false),
    }
}

/// Whether git says this beside its answer.
fn is_remark(line: &str) -> bool {
    ["warning:", "hint:"]
        .iter()
        .any(|word| line.starts_with(word))
        || line.trim().is_empty()
}

/// Whether this is a line about a changed file, and not a complaint: two letters, a blank, the file's name.
fn is_change(line: &str) -> bool {
    let is_state = |byte: &u8| b" MADRCUT".contains(byte);
    match line.as_bytes() {
        [one, other, b' ', _, ..] => is_state(one) && is_state(other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef01234567";
    const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba98";

    /// A checkout with these files of git's.
    fn checkout(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    #[test]
    fn without_an_answer_of_git_nobody_knows_of_changes() {
        // git itself has no such repository.
        let there = checkout(&[(".git/HEAD", ONE)]);
        let commit = of(there.path()).unwrap();
        assert!(commit.unchecked && !commit.dirty && !commit.is_exact());
    }

    fn id(directory: &Path) -> Option<String> {
        Some(of(directory)?.id)
    }

    #[test]
    fn the_commit_is_where_git_keeps_it() {
        let branch = "ref: refs/heads/main\n";
        let hash = format!("{ONE}\n");
        let list =
            format!("# pack-refs\n{OTHER} refs/heads/other\n{ONE} refs/heads/main\n^{OTHER}\n");
        for files in [
            &[(".git/HEAD", branch), (".git/refs/heads/main", &hash)][..],
            &[(".git/HEAD", branch), (".git/packed-refs", &list)],
            &[(".git/HEAD", &hash)],
            &[
                (".git", "gitdir: elsewhere/worktrees/two\n"),
                ("elsewhere/worktrees/two/HEAD", branch),
                ("elsewhere/worktrees/two/commondir", "../..\n"),
                ("elsewhere/refs/heads/main", &hash),
            ],
        ] {
            let there = checkout(files);
            let deep = there.path().join("crates/one");
            fs::create_dir_all(&deep).unwrap();
            assert_eq!(id(&deep).as_deref(), Some(ONE), "{files:?}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_no_commit() {
        for files in [
            &[][..],
            &[(".git/HEAD", "")],
            &[(".git/HEAD", "ref: refs/heads/unborn\n")],
            &[
                (".git/HEAD", "ref: refs/heads/../../../secret"),
                ("secret", ONE),
            ],
            &[(".git/HEAD", "ref: refs/a"), (".git/refs/a", "ref: refs/a")],
            &[(".git/HEAD", "0123456789")],
            &[(".git", "gitdir: nowhere")],
            &[(".git", "junk")],
        ] {
            assert_eq!(id(checkout(files).path()), None, "{files:?}");
        }
    }

    #[test]
    fn complaints_of_git_are_no_changes() {
        for line in [" M src/lib.rs", "A  new.rs", "RM a -> b", "UU both.rs"] {
            assert!(is_change(line), "{line}");
        }
        for (said, meant) in [
            ("", Some(false)),
            (" M src/lib.rs\n", Some(true)),
            ("warning: unable to access '/root/.config'\n", Some(false)),
            ("warning: slow\nM  src/lib.rs\n", Some(true)),
            ("fatal: not a git repository\n", None),
        ] {
            assert_eq!(answer(said), meant, "{said}");
        }
        for line in ["", "fatal: not a git repository", "?? new.rs", "M", "  "] {
            assert!(!is_change(line), "{line}");
        }
    }

    #[test]
    fn it_is_shown_short() {
        let commit = |dirty| Commit {
            id: ONE.to_owned(),
            dirty,
            unchecked: false,
        };
        assert_eq!(commit(false).to_string(), "0123456789");
        assert_eq!(commit(true).to_string(), "0123456789-dirty");
    }
}
