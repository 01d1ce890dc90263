//! `armadillo merge`: the reports of the parts of a run become one.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Make one report from those of all shards of a run, or of all its topologies
///
/// Writes `junit.xml`, `results.json`, `report.html` and `events.jsonl` of the whole into a directory `merged`. The parts are the runs of
/// all shards, or those of the jobs of `armadillo ci matrix`, each of which ran one topology. It is an error if a part is missing or ran
/// twice, or if a shard belongs to another run.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  armadillo merge shard-1 shard-2 shard-3 --output-dir reports")]
pub(crate) struct Merge {
    /// The directory of each part's run
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
