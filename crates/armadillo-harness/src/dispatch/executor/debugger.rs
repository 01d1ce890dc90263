//! Stacks of a process that does not answer, by gdb, if there is one.

use std::path::Path;
use std::time::Duration;

use armadillo_orchestrator::process::output_of;

use crate::test_def::TestDef;
use crate::trace::{Code, Trace, What};

/// How long gdb may take.
const LIMIT: Duration = Duration::from_secs(15);

/// The file with the stacks of all threads.
const FILE: &str = "worker-stacks.txt";

/// Where the threads of this process are, as far as they run code that has line numbers. All stacks go to a file.
pub(super) async fn stacks(process: u32, def: &TestDef, directory: &Path) -> Vec<Trace> {
    let process = process.to_string();
    let asked = tokio::task::spawn_blocking(move || {
        let args = [
            "-batch",
            "-nx",
            "-p",
            &process,
            "-iex",
            "set debuginfod enabled off",
            "-iex",
            "set auto-load off",
            "-ex",
            "thread apply all bt",
        ];
        output_of(Path::new("gdb"), &args, LIMIT)
    });
    let Ok(Ok(text)) = asked.await else {
        // There is none, or it does not get on.
        return Vec::new();
    };
    let made = std::fs::create_dir_all(directory);
    // The verdict has what counts of it.
    let _ = made.and_then(|()| std::fs::write(directory.join(FILE), text.as_bytes()));
    threads(&text, &Code::of(Some(def)))
}

/// The threads in gdb's text that run code of the author's.
fn threads(text: &str, code: &Code) -> Vec<Trace> {
    let threads = text.split("\nThread ").skip(1);
    let traces = threads.map(|thread| Trace {
        what: What::Blocks,
        place: None,
        frames: code.own(thread.lines().filter_map(call)),
    });
    traces
        .filter(|trace| !trace.frames.is_empty())
        .map(|trace| Trace {
            place: trace.frames.first().map(|first| first.place.clone()),
            ..trace
        })
        .collect()
}

/// Function and place of a line such as `#3  0x0000aaaa in suite::pays (amount=3) at tests/suite.rs:12`.
fn call(line: &str) -> Option<(String, String)> {
    let (call, place) = line.strip_prefix('#')?.rsplit_once(" at ")?;
    let (_, call) = call.split_once(' ')?;
    let call = call.trim_start();
    let function = match call.strip_prefix("0x") {
        Some(_) => call.split_once(" in ")?.1,
        None => call,
    };
    let function = function.split(" (").next()?;
    Some((function.to_owned(), place.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gdbs_lines_are_read() {
        let pays = Some(("suite::pays".to_owned(), "tests/suite.rs:12".to_owned()));
        assert_eq!(
            call("#3  0x0000aaaa in suite::pays (amount=3) at tests/suite.rs:12"),
            pays
        );
        assert_eq!(call("#0  suite::pays () at tests/suite.rs:12"), pays);
        assert_eq!(call("#1  0x0000bbbb in poll () from /lib/libc.so.6"), None);
        assert_eq!(call("[Thread debugging using libthread_db enabled]"), None);
    }
}
