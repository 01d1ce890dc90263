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
    let main_thread = format!("(LWP {process})");
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
    threads(&text, &main_thread, &Code::of(Some(def)))
}

/// The threads in gdb's text that run code of the author's. The main thread of a worker runs no test.
fn threads(text: &str, main_thread: &str, code: &Code) -> Vec<Trace> {
    let threads = text.split("\nThread ").skip(1).filter(|thread| {
        let title = thread.lines().next().unwrap_or_default();
        !title.contains(main_thread)
    });
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
    let function = without_hash(function.split(" (").next()?);
    Some((function.to_owned(), place.to_owned()))
}

/// gdb shows the hash at the end of a symbol: `suite::pays::h4cb5f07d942a873f`.
fn without_hash(function: &str) -> &str {
    let is_hash = |last: &str| {
        let digits = last.strip_prefix('h').unwrap_or_default();
        digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    match function.rsplit_once("::") {
        Some((path, last)) if is_hash(last) => path,
        _ => function,
    }
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
        let hashed = "#2  0x0000aaaa in suite::pays::h4cb5f07d942a873f () at tests/suite.rs:12";
        assert_eq!(call(hashed), pays);
        assert_eq!(call("#1  0x0000bbbb in poll () from /lib/libc.so.6"), None);
        assert_eq!(call("[Thread debugging using libthread_db enabled]"), None);
    }
}
