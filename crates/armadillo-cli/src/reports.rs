//! `armadillo merge`: the reports of shards become one.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Make one report from those of all shards of a run
///
/// Writes `junit.xml`, `results.json`, `report.html` and `events.jsonl` of the whole into a directory `merged`. It is an
/// error if a shard is missing, ran twice, or belongs to another run. The exit code is the one that the run would have had
/// without shards.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  armadillo merge shard-1 shard-2 shard-3 --output-dir reports")]
pub(crate) struct Merge {
    /// The directory of each shard's run
    #[arg(required = true, value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// Where the directory `merged` is made [default: where the files of runs are]
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

pub(crate) fn merge(merge: &Merge) -> ExitCode {
    let flag = |name: &str, path: &PathBuf| {
        let mut flag = OsString::from(name);
        flag.push(path);
        flag
    };
    let shards = merge.directories.iter();
    let output = merge.output_dir.iter();
    let flags: Vec<OsString> = shards
        .map(|shard| flag("--report-from=", shard))
        .chain(output.map(|path| flag("--output-dir=", path)))
        .collect();
    armadillo_harness::main_with(&flags)
}
