//! What the harness costs: `cargo bench -p armadillo-selftest --bench overhead`.
//!
//! 10,000 tests that do nothing, beside the real libtest and libtest-mimic in the same run. `ARMADILLO_ROUNDS` (5) times
//! each, in turn; the median counts. Prints; judges nothing.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use armadillo::harness::inventory;
use armadillo::harness::outcome::Outcome;
use armadillo::harness::test_def::{ShouldPanic, TestDef};

/// How many tests there are.
const TESTS: u32 = 10_000;

/// The argument that makes this executable a libtest-mimic suite of as many tests.
const MIMIC: &str = "--as-libtest-mimic";

/// What [`submit`] registers, but for its name. The attribute would expand to the same and take minutes to compile.
const NOTHING: TestDef = TestDef {
    package: env!("CARGO_PKG_NAME"),
    directory: env!("CARGO_MANIFEST_DIR"),
    module: module_path!(),
    function: "does_nothing",
    case: None,
    file: file!(),
    line: line!(),
    markers: &[],
    fixture_markers: &[],
    fixtures: |_| {},
    needs: &[],
    checkers: &[],
    requires: &[],
    timeout: None,
    retries: None,
    isolated: false,
    ignore: None,
    should_panic: ShouldPanic::No,
    xfail: None,
    run: |run| run.body(|| Outcome::Passed),
};

macro_rules! submit {
    ($($digit:literal)*) => {
        inventory::submit! { TestDef { case: Some(concat!("t", $($digit),*)), ..NOTHING } }
    };
}

/// Calls a macro ten times, each time with one more digit.
macro_rules! ten {
    ($next:ident $($digit:literal)*) => {
        $next!($($digit)* 0); $next!($($digit)* 1); $next!($($digit)* 2); $next!($($digit)* 3); $next!($($digit)* 4);
        $next!($($digit)* 5); $next!($($digit)* 6); $next!($($digit)* 7); $next!($($digit)* 8); $next!($($digit)* 9);
    };
}

macro_rules! tens { ($($digit:literal)*) => { ten!(submit $($digit)*); }; }
macro_rules! hundreds { ($($digit:literal)*) => { ten!(tens $($digit)*); }; }
macro_rules! thousands { ($($digit:literal)*) => { ten!(hundreds $($digit)*); }; }

ten!(thousands);

/// Cargo passes `--bench`; every other call is one of the suite's own.
fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("--bench") => measure(),
        Some(MIMIC) => mimic(),
        _ => armadillo::main(),
    }
}

fn mimic() -> ExitCode {
    let args = std::env::args().skip(1).filter(|arg| arg != MIMIC);
    let arguments =
        libtest_mimic::Arguments::from_iter(std::iter::once("mimic".to_owned()).chain(args));
    let trial =
        |number| libtest_mimic::Trial::test(format!("does_nothing::t{number:04}"), || Ok(()));
    libtest_mimic::run(&arguments, (0..TESTS).map(trial).collect()).exit_code()
}

/// One thing measured: its name, and the command.
struct Case {
    name: &'static str,
    program: PathBuf,
    args: &'static [&'static str],
    times: Vec<Duration>,
}

fn measure() -> ExitCode {
    let directory = match tempfile::tempdir() {
        Ok(directory) => directory,
        Err(error) => {
            eprintln!("no temporary directory: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ours = std::env::current_exe().unwrap_or_default();
    let mut cases = vec![
        case("workers, captured, one at a time", &ours, &["-n1"]),
        case(
            "the same without a thread per test",
            &ours,
            &["-n1", "--thread-per-test=false"],
        ),
        case("workers, captured, two at a time", &ours, &["-n2"]),
        case(
            "in this process, one at a time",
            &ours,
            &["-n1", "--isolation=in-process"],
        ),
        case(
            "in this process (--isolation none)",
            &ours,
            &["-n1", "--isolation=none"],
        ),
        case(
            "one test of these",
            &ours,
            &["--exact", "does_nothing::t5000"],
        ),
        case("--list of these", &ours, &["--list"]),
        case(
            "libtest-mimic, one thread",
            &ours,
            &[MIMIC, "--test-threads=1"],
        ),
        case("libtest-mimic, --list", &ours, &[MIMIC, "--list"]),
    ];
    match build_libtest(directory.path()) {
        Ok(libtest) => cases.extend([
            case("libtest, one thread", &libtest, &["--test-threads=1"]),
            case("libtest, two threads", &libtest, &["--test-threads=2"]),
            case("libtest, --list", &libtest, &["--list"]),
        ]),
        Err(error) => eprintln!("without libtest: {error}"),
    }
    let rounds = std::env::var("ARMADILLO_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok());
    for _ in 0..rounds.unwrap_or(5) {
        for case in &mut cases {
            match once(case, directory.path()) {
                Ok(time) => case.times.push(time),
                Err(error) => eprintln!("{}: {error}", case.name),
            }
        }
    }
    println!(
        "{TESTS} tests that do nothing; median, best and worst of each, and the median by the number of tests"
    );
    for case in &mut cases {
        case.times.sort();
        let (Some(best), Some(worst)) = (case.times.first(), case.times.last()) else {
            continue;
        };
        let median = case.times[case.times.len() / 2];
        let each = median.as_secs_f64() * 1e6 / f64::from(TESTS);
        let millis = |time: &Duration| time.as_secs_f64() * 1e3;
        println!(
            "{:36} {:9.1} ms ({:.1} to {:.1}) {each:7.1} us",
            case.name,
            millis(&median),
            millis(best),
            millis(worst)
        );
    }
    ExitCode::SUCCESS
}

fn case(name: &'static str, program: &Path, args: &'static [&'static str]) -> Case {
    Case {
        name,
        program: program.to_owned(),
        args,
        times: Vec::new(),
    }
}

/// Runs it once. Its output goes where it costs nobody anything to read it.
fn once(case: &Case, directory: &Path) -> Result<Duration, String> {
    let mut command = Command::new(&case.program);
    let names = std::env::vars_os().map(|(name, _)| name);
    let is_setting = |name: &OsStr| {
        name.to_str()
            .is_some_and(|name| name.starts_with("ARMADILLO_") || name.starts_with("RUST_TEST_"))
    };
    for name in names.filter(|name| is_setting(name)) {
        command.env_remove(name);
    }
    command
        .args(case.args)
        .env("ARMADILLO_OUTPUT_DIR", directory.join("runs"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let begun = Instant::now();
    let status = command.status().map_err(|error| error.to_string())?;
    let took = begun.elapsed();
    if status.success() {
        Ok(took)
    } else {
        Err(status.to_string())
    }
}

/// The same tests with the real libtest.
fn build_libtest(directory: &Path) -> Result<PathBuf, String> {
    let tests: String = (0..TESTS)
        .map(|number| format!("#[test] fn t{number:04}() {{}}\n"))
        .collect();
    let (source, binary) = (directory.join("libtest.rs"), directory.join("libtest"));
    std::fs::write(&source, tests).map_err(|error| error.to_string())?;
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let status = Command::new(rustc)
        .args(["--test", "-O", "--edition=2024", "-o"])
        .args([&binary, &source])
        .status()
        .map_err(|error| error.to_string())?;
    if status.success() {
        Ok(binary)
    } else {
        Err(format!("rustc: {status}"))
    }
}
