//! `armadillo ci pack`: what CI keeps of a run, the more of it the worse it went.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Component, Path, PathBuf};

use armadillo_harness::exit_code::Exit;
use armadillo_harness::replay::{self, OpenError};
use armadillo_harness::report::Results;

/// What may be said on the command line.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The run: its directory, or its name where the runs of this directory are
    #[arg(value_name = "RUN", default_value = "latest")]
    run: PathBuf,
    /// Where the directories `results`, `logs` and `crashes` are made; it must be empty, or not exist yet
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// The most that is kept: `500M`, `2G`. What is beyond it is left out, and named
    #[arg(long, value_name = "SIZE", default_value = "2G", value_parser = size)]
    max: u64,
}

/// Why nothing is packed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    #[error("cannot {action} {}: {source}", path.display())]
    Files {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl PackError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Open(_) | Self::NotEmpty(_) => Exit::Usage,
            Self::Files { .. } => Exit::Harness,
        }
    }
}

/// Which of the three directories a file goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Results,
    Logs,
    Crashes,
}

const TIERS: [Tier; 3] = [Tier::Results, Tier::Logs, Tier::Crashes];

impl Tier {
    const fn name(self) -> &'static str {
        match self {
            Self::Results => "results",
            Self::Logs => "logs",
            Self::Crashes => "crashes",
        }
    }
}

/// How a run went, as far as that decides what is kept of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Went {
    failed: usize,
    /// It ended badly otherwise, or its end is not known.
    badly: bool,
}

/// A file of the run.
#[derive(Debug)]
struct Found {
    tier: Tier,
    /// Below the run's directory.
    below: PathBuf,
    from: PathBuf,
    /// What it takes on the disk, in bytes: logs may have holes.
    size: u64,
    /// Whether it is the run's. A program is its user's.
    is_of_run: bool,
}

/// A size with a unit of 1024: `500M`, `2G`.
fn size(text: &str) -> Result<u64, String> {
    let wrong = || "write a size with a unit: `500M`, `2G`".to_owned();
    let units = [("K", 10), ("M", 20), ("G", 30), ("T", 40)];
    let unit = units
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)));
    let (number, shift) = unit.ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

/// Packs, and says what was kept.
pub(crate) fn pack(args: &Args) -> Result<String, PackError> {
    let run = replay::find(&args.run)?;
    let output = &args.output;
    let mut there = fs::read_dir(output).into_iter().flatten();
    if there.next().is_some() {
        return Err(PackError::NotEmpty(output.clone()));
    }
    let results = results(&run)?;
    let went = went(results.as_ref());
    let mut found = Vec::new();
    walk(&run, Path::new(""), &mut found)?;
    let is_said = results
        .as_ref()
        .is_some_and(|results| results.totals.server_crashed > 0);
    let crashed = is_said || found.iter().any(|file| is_of_crash(&file.below));
    found.retain(|file| match file.tier {
        Tier::Results => true,
        Tier::Logs => went.failed > 0 || went.badly || crashed,
        Tier::Crashes => crashed,
    });
    if crashed {
        found.extend(results.iter().flat_map(programs));
    }
    // What explains most in few bytes first.
    found.sort_by(|a, b| (a.tier, a.size, &a.below).cmp(&(b.tier, b.size, &b.below)));
    let (kept, left) = split(found, args.max);
    for file in &kept {
        keep(file, output)?;
    }
    Ok(told(&kept, &left, went, crashed))
}

/// The results of a run; `None` if it was killed before it wrote some, or wrote others.
fn results(run: &Path) -> Result<Option<Results>, PackError> {
    let path = run.join("results.json");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(files("read", &path)(source)),
    };
    let results = serde_json::from_reader(BufReader::new(file));
    let wrong = |error: &serde_json::Error| eprintln!("warning: {}: {error}", path.display());
    Ok(results.inspect_err(wrong).ok())
}

fn went(results: Option<&Results>) -> Went {
    results.map_or(
        Went {
            failed: 0,
            badly: true,
        },
        |results| Went {
            failed: results.totals.failed + results.totals.inconclusive,
            badly: results.exit_code != Some(0),
        },
    )
}

fn files(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PackError {
    let path = path.to_owned();
    move |source| PackError::Files {
        action,
        path,
        source,
    }
}

/// Every file below a directory of the run.
fn walk(directory: &Path, below: &Path, found: &mut Vec<Found>) -> Result<(), PackError> {
    let entries = fs::read_dir(directory).map_err(files("read", directory))?;
    for entry in entries {
        let entry = entry.map_err(files("read", directory))?;
        let (from, below) = (entry.path(), below.join(entry.file_name()));
        let meta = entry.metadata().map_err(files("read", &from))?;
        if meta.is_dir() {
            walk(&from, &below, found)?;
        } else if meta.is_file()
            && let Some(tier) = tier(&below)
        {
            let size = disk_size(&meta);
            found.push(Found {
                tier,
                below,
                from,
                size,
                is_of_run: true,
            });
        }
    }
    Ok(())
}

fn disk_size(meta: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    meta.len().min(meta.blocks() * 512)
}

/// The names on a path from the last `servers` or `tests` on: the runs of several executables are below the directory of the whole.
fn parts(below: &Path) -> Vec<&str> {
    let names: Vec<&str> = below
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    let begin = names
        .iter()
        .take(2)
        .position(|name| ["servers", "tests"].contains(name));
    names[begin.unwrap_or(names.len().saturating_sub(1))..].to_vec()
}

/// Where a file goes; `None`: nobody needs it.
fn tier(below: &Path) -> Option<Tier> {
    let parts = parts(below);
    match parts.as_slice() {
        ["lock" | "reports.lock"] => None,
        ["tests", _, "attachments", ..] => Some(Tier::Results),
        ["servers", _, "crashes" | "recordings", ..] | ["tests", _, "crashes", ..] => {
            Some(Tier::Crashes)
        }
        ["tests", ..] | ["servers", _, "leaders.jsonl" | "links.log"] => Some(Tier::Logs),
        ["servers", _, server, ..] if server.ends_with("-stuck") => Some(Tier::Logs),
        ["servers", _, _, "log"] => Some(Tier::Logs),
        ["servers", _, _, name] if name.starts_with("sanitizer.") => Some(Tier::Logs),
        // The data of a server, which is there if a test failed on it.
        ["servers", ..] => Some(Tier::Crashes),
        _ => Some(Tier::Results),
    }
}

/// Whether this is what a server that crashed has left.
fn is_of_crash(below: &Path) -> bool {
    matches!(parts(below).as_slice(), ["servers", _, "crashes", ..])
}

/// The programs of the servers: a core says little without the program that wrote it.
fn programs(results: &Results) -> Vec<Found> {
    let infos = results.programs.values();
    let paths: BTreeSet<&Path> = infos.map(|info| Path::new(&info.program)).collect();
    // Several versions of a program have one name.
    let files = paths.into_iter().enumerate().filter_map(|(number, path)| {
        let meta = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let directory = Path::new("programs").join((number + 1).to_string());
        Some(Found {
            tier: Tier::Crashes,
            below: directory.join(path.file_name()?),
            from: path.to_owned(),
            size: disk_size(&meta),
            is_of_run: false,
        })
    });
    files.collect()
}

/// What there is room for, and what not.
fn split(found: Vec<Found>, most: u64) -> (Vec<Found>, Vec<Found>) {
    let mut total = 0_u64;
    found.into_iter().partition(|file| {
        let fits = total.saturating_add(file.size) <= most;
        if fits {
            total += file.size;
        }
        fits
    })
}

fn keep(file: &Found, output: &Path) -> Result<(), PackError> {
    let to = output.join(file.tier.name()).join(&file.below);
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(files("make", parent))?;
    }
    // The run is over. On one file system a second name takes no room, and keeps the holes of logs.
    if file.is_of_run && fs::hard_link(&file.from, &to).is_ok() {
        return Ok(());
    }
    let copied = File::open(&file.from).and_then(|mut from| {
        // Never over a file that is there: it may be another name of one that somebody needs.
        let mut copy = File::create_new(&to)?;
        io::copy(&mut from, &mut copy)?;
        copy.set_permissions(from.metadata()?.permissions())
    });
    copied.map_err(files("copy", &file.from))
}

fn told(kept: &[Found], left: &[Found], went: Went, crashed: bool) -> String {
    let mut sums: BTreeMap<Tier, (usize, u64)> = BTreeMap::new();
    for file in kept {
        let (count, size) = sums.entry(file.tier).or_default();
        *count += 1;
        *size += file.size;
    }
    let mut text = String::new();
    for tier in TIERS {
        let what = match sums.get(&tier) {
            Some((1, size)) => format!("1 file, {}", in_words(*size)),
            Some((count, size)) => format!("{count} files, {}", in_words(*size)),
            None => "nothing".to_owned(),
        };
        let why = match tier {
            Tier::Results => "always kept",
            Tier::Logs if went.failed > 0 => "tests failed",
            Tier::Logs if went.badly => "the run did not end well",
            Tier::Logs if crashed => "a server crashed",
            Tier::Logs => "no test failed",
            Tier::Crashes if crashed => {
                "a server crashed; cores contain the memory of servers, with its secrets"
            }
            Tier::Crashes => "no server crashed",
        };
        _ = writeln!(text, "{:<9}{what} ({why})", tier.name());
    }
    for file in left {
        let (name, size) = (file.below.display(), in_words(file.size));
        _ = writeln!(text, "left out: {name}, {size}");
    }
    text
}

fn in_words(size: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if size < 1024 {
        return format!("{size} B");
    }
    let mut value = size as f64 / 1024.0;
    let mut at = 0;
    while value >= 1024.0 && at + 1 < units.len() {
        value /= 1024.0;
        at += 1;
    }
    format!("{value:.1} {}", units[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_run_has_its_place() {
        for (path, tier) in [
            ("report.html", Some(Tier::Results)),
            ("1f3a9c20/events.jsonl", Some(Tier::Results)),
            ("lock", None),
            ("1f3a9c20/lock", None),
            ("tests/a/attachments/plan.txt", Some(Tier::Results)),
            ("tests/a/output", Some(Tier::Logs)),
            ("1f3a9c20/tests/a/server-logs/member-1", Some(Tier::Logs)),
            ("servers/etcd-1/leaders.jsonl", Some(Tier::Logs)),
            ("servers/etcd-1/member-1/log", Some(Tier::Logs)),
            ("servers/etcd-1/member-1/sanitizer.12", Some(Tier::Logs)),
            ("servers/etcd-1/member-1-stuck/stacks", Some(Tier::Logs)),
            (
                "servers/etcd-1/member-1/data/member/wal/0",
                Some(Tier::Crashes),
            ),
            ("servers/etcd-1/crashes/member-1.core", Some(Tier::Crashes)),
            ("tests/a/crashes/member-1.stacks.txt", Some(Tier::Crashes)),
        ] {
            assert_eq!(super::tier(Path::new(path)), tier, "{path}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("2G"), Ok(2 << 30));
        assert_eq!(size("0K"), Ok(0));
        for wrong in ["", "2", "G", "-1G", "2g", "99999999999999T"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
