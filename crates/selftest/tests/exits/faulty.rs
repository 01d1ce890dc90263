//! A server in C that crashes, or that its sanitizers find fault with: what the tests are told that had it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use armadillo_orchestrator::cores::CorePattern;
use armadillo_selftest::cargo::has;
use armadillo_selftest::{Ran, Suite, faulty, meeting};
use tempfile::TempDir;

/// A place for the server.
fn place() -> TempDir {
    TempDir::new().unwrap_or_else(|error| panic!("no directory: {error}"))
}

fn suite(program: &Path, args: &[&str]) -> Suite {
    on(Suite::new(env!("CARGO_BIN_EXE_faulty")), program, args)
}

fn on(suite: Suite, program: &Path, args: &[&str]) -> Suite {
    let meeting = suite.home().join("meeting");
    suite
        .env("ARMADILLO_CORES", "keep")
        .env(meeting::PLACE, meeting)
        .args([Path::new("--brittle"), program])
        .args(args)
}

/// Whether this machine writes cores where they can be found, and has gdb.
fn can_see_cores() -> bool {
    let pattern = CorePattern::read();
    let found =
        matches!(&pattern, Ok(CorePattern::File { template, .. }) if !template.contains('/'));
    if !found {
        println!("not checked: cores are not files in the working directory: {pattern:?}");
    }
    found && has("gdb", &["--version"], "ARMADILLO_REQUIRE_GDB")
}

/// The files with this ending below a directory.
fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found
}

/// What JUnit says of a test.
fn in_junit(ran: &Ran, test: &str) -> String {
    let report = String::from_utf8_lossy(&ran.file("junit.xml")).into_owned();
    let from = report
        .find(&format!("<testcase name=\"{test}\""))
        .unwrap_or(report.len());
    let case = &report[from..];
    case[..case.find("</testcase>").unwrap_or(case.len())].to_owned()
}

#[test]
fn a_core_tells_where_a_server_crashed() {
    if !can_see_cores() {
        return;
    }
    let place = place();
    let program = faulty::build(place.path());
    let tests = [
        "--exact",
        "follows_null",
        "finds_a_server",
        "asserts",
        "-n",
        "1",
    ];
    let ran = suite(&program, &tests).run();
    let said = ran.said();
    assert_eq!(ran.code, Some(101), "{said}");
    assert_eq!(ran.verdict("finds_a_server"), "passed", "{said}");
    for (test, functions) in [
        (
            "follows_null",
            &[
                "follow_null at faulty.c:",
                "commit at",
                "serve at",
                "main at",
            ][..],
        ),
        // Not in what the C library does to end it.
        ("asserts", &["(pid", "commit at faulty.c:", "serve at"]),
    ] {
        assert_eq!(ran.verdict(test), "server_crashed", "{said}");
        let junit = in_junit(&ran, test);
        for text in [ran.message(test), junit, ran.stdout.clone()] {
            let mut rest = text.as_str();
            for function in functions {
                let found = rest.find(function);
                let at = found.unwrap_or_else(|| panic!("no {function} in: {text}"));
                rest = &rest[at..];
            }
        }
        let own = ran.directory().join("tests").join(test).join("crashes");
        let (cores, stacks) = (files(&own, ".core"), files(&own, ".stacks.txt"));
        assert_eq!((cores.len(), stacks.len()), (1, 1), "{said}");
        let metadata = cores[0].metadata().unwrap();
        assert_eq!(metadata.mode() & 0o777, 0o600);
        assert!(ran.message(test).contains(&*cores[0].to_string_lossy()));
        let stacks = std::fs::read_to_string(&stacks[0]).unwrap();
        assert!(stacks.contains("Thread 1"), "{stacks}");
    }
    assert_eq!(ran.remains(), [""; 0]);
}

/// An exception that nobody catches: the failure begins where it was thrown, with the whole names of functions.
#[test]
fn an_exception_tells_where_it_was_thrown() {
    let place = place();
    if can_see_cores() {
        let program = faulty::build_with_cpp(place.path());
        let ran = suite(&program, &["--exact", "throws"]).run();
        let said = ran.said();
        assert_eq!(ran.verdict("throws"), "server_crashed", "{said}");
        let message = ran.message("throws");
        let begin = "crashed in:\n  store::Table<int>::find at faulty.cpp:";
        assert!(message.contains(begin), "{message}");
        assert!(message.contains("  commit at faulty.c:"), "{message}");
        let junit = in_junit(&ran, "throws");
        assert!(
            junit.contains("store::Table&lt;int&gt;::find at"),
            "{junit}"
        );
    }
    let Some(program) = faulty::sanitized_with_cpp(place.path(), "address") else {
        return;
    };
    let ran = suite(&program, &["--exact", "reads_behind_the_last"])
        .env("ASAN_OPTIONS", "detect_leaks=0")
        .run();
    let message = ran.message("reads_behind_the_last");
    let begin = "tally-1: AddressSanitizer: heap-buffer-overflow in store::Table<int>::last(";
    assert!(message.contains(begin), "{}", ran.said());
}

/// In a namespace of mounts, the kernel seems to pass cores to systemd-coredump. What it wrote itself is what stands for
/// `coredumpctl` gives back: at the second question, as if the core was still being stored at the first.
#[test]
fn a_core_is_fetched_from_the_program_that_took_it() {
    const PATTERN: &str = "/proc/sys/kernel/core_pattern";
    let probe = ["-rm", "mount", "--bind", "/dev/null", PATTERN];
    if !can_see_cores() || !has("unshare", &probe, "ARMADILLO_REQUIRE_MOUNT") {
        return;
    }
    let place = place();
    let program = faulty::build(place.path());
    let pattern = place.path().join("pattern");
    let systemd = "|/usr/lib/systemd/systemd-coredump %P %u %g %s %t 9223372036854775808 %h\n";
    std::fs::write(&pattern, systemd).unwrap();
    let run = |script: Option<&str>| {
        let mount = format!("mount --bind \"$1\" {PATTERN} || exit 99; shift; exec \"$@\"");
        let suite = Suite::new("unshare").args(["-rm", "sh", "-c", &mount, "sh"]);
        let suite = suite.args([pattern.as_os_str(), env!("CARGO_BIN_EXE_faulty").as_ref()]);
        let runs = suite.home().join("runs").display().to_string();
        let asked = place.path().join("asked").display().to_string();
        let script = script.map(|script| script.replace("RUNS", &runs).replace("ASKED", &asked));
        let suite = on(suite, &program, &["--exact", "follows_null"]);
        match script {
            Some(script) => suite.env("PATH", with("coredumpctl", place.path(), &script)),
            None => suite,
        }
        .run()
    };
    let real = std::process::Command::new("coredumpctl")
        .arg("--version")
        .output();
    if real.is_err() {
        let ran = run(None);
        let message = ran.message("follows_null");
        let why = "coredumpctl is not in PATH; the kernel passed the core to /usr/lib/systemd/systemd-coredump";
        assert!(message.contains(why), "{}", ran.said());
    }
    let ran = run(Some(
        r#"case "$1 $2 $4" in
"--no-pager dump _BOOT_ID="*) ;;
*) exit 9 ;;
esac
if mkdir ASKED; then
  echo "No coredumps found." >&2
  exit 1
fi
echo "Message: Process $3 dumped core." >&2
exec cat "$(find RUNS -name core -type f)"
"#,
    ));
    let said = ran.said();
    assert_eq!(ran.verdict("follows_null"), "server_crashed", "{said}");
    let message = ran.message("follows_null");
    assert!(message.contains("  follow_null at faulty.c:"), "{said}");
    let crashes = ran.directory().join("tests/follows_null/crashes");
    let cores = files(&crashes, ".core");
    assert_eq!(cores.len(), 1, "{said}");
    assert_eq!(cores[0].metadata().unwrap().mode() & 0o777, 0o600);
    assert!(files(&ran.directory(), ".coredumpctl").is_empty());

    let ran = run(Some(
        "echo 'Coredump entry has no core attached.' >&2; exit 1\n",
    ));
    let message = ran.message("follows_null");
    assert!(
        message.contains("coredumpctl has no core of process "),
        "{message}"
    );
    assert!(
        message.contains(": Coredump entry has no core attached.;"),
        "{message}"
    );
    assert!(message.contains("`coredumpctl gdb "), "{message}");
    assert!(files(&ran.directory(), ".core").is_empty());
}

#[test]
fn a_start_that_ends_in_a_crash_tells_where() {
    if !can_see_cores() {
        return;
    }
    let place = place();
    let program = faulty::build_crashing(place.path());
    let ran = suite(&program, &["--exact", "finds_a_server"]).run();
    assert_eq!(ran.verdict("finds_a_server"), "error", "{}", ran.said());
    let message = ran.message("finds_a_server");
    assert!(message.contains("SIGSEGV"), "{message}");
    assert!(message.contains("  follow_null at faulty.c:"), "{message}");
}

#[test]
fn no_core_is_kept_that_nobody_wants() {
    if !can_see_cores() {
        return;
    }
    let place = place();
    let program = faulty::build(place.path());
    let ran = suite(&program, &["--exact", "follows_null_as_expected"]).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let is_core = |path: &PathBuf| path.to_string_lossy().contains("core");
    let everything = || files(&ran.directory(), "");
    assert!(!everything().iter().any(is_core), "{:?}", everything());

    let only_stacks = ["--exact", "follows_null", "--cores", "backtrace"];
    let ran = suite(&program, &only_stacks).run();
    assert!(
        ran.message("follows_null")
            .contains("follow_null at faulty.c"),
        "{}",
        ran.said()
    );
    assert!(files(&ran.directory(), ".core").is_empty());

    let none = ["--exact", "follows_null", "--cores", "none"];
    let ran = suite(&program, &none).run();
    assert_eq!(
        ran.message("follows_null"),
        "tally-1: SIGSEGV (signal 11)",
        "{}",
        ran.said()
    );
}

/// A fault that a server survives is charged to the tests that had it meanwhile, and to no other.
#[test]
fn a_finding_fails_the_tests_that_had_the_server() {
    let place = place();
    let Some(program) = faulty::sanitized(place.path(), "address,undefined") else {
        return;
    };
    let ran = suite(
        &program,
        &[
            "-n",
            "2",
            "--exact",
            "together::overflows",
            "together::is_there",
        ],
    )
    .env("ASAN_OPTIONS", "halt_on_error=0:detect_leaks=0")
    .run();
    let said = ran.said();
    assert_eq!(ran.code, Some(101), "{said}");
    let expected = "tally-1: AddressSanitizer: heap-buffer-overflow in read_behind at faulty.c:";
    for test in ["together::overflows", "together::is_there"] {
        assert_eq!(ran.verdict(test), "sanitizer", "{said}");
        for text in [ran.message(test), in_junit(&ran, test)] {
            assert!(text.contains(expected), "{text}");
            assert!(text.contains("\n  commit at faulty.c:"), "{text}");
        }
    }
    assert!(ran.stdout.contains(expected), "{said}");
    let header =
        "AddressSanitizer, UndefinedBehaviorSanitizer: all time limits are multiplied by 3";
    assert!(ran.stderr.contains(header), "{said}");

    let ran = suite(&program, &["-n", "1", "--timeout-factor", "2", "--exact"])
        .args(["adds_too_much", "finds_a_server", "follows_null"])
        .env("ASAN_OPTIONS", "detect_leaks=0")
        .run();
    let said = ran.said();
    assert!(!ran.stderr.contains("all time limits"), "{said}");
    // One server served all of them until it ended.
    assert_eq!(ran.verdict("adds_too_much"), "sanitizer", "{said}");
    assert_eq!(ran.verdict("finds_a_server"), "passed", "{said}");
    assert_eq!(ran.verdict("follows_null"), "sanitizer", "{said}");
    let message = ran.message("adds_too_much");
    assert!(message.contains("signed integer overflow"), "{message}");
    assert!(
        message.contains(" in add_too_much at faulty.c:"),
        "{message}"
    );
    let message = ran.message("follows_null");
    assert!(
        message.contains("SEGV in follow_null at faulty.c:"),
        "{message}"
    );
    assert!(message.contains("\ntally-1: exit code 1"), "{message}");
    let totals = &ran.results()["totals"];
    assert_eq!(totals["sanitizer"], 2, "{totals}");
    assert_eq!(totals["server_crashed"], 0, "{totals}");
    assert_eq!(ran.remains(), [""; 0]);
}

/// A leak is found when a server ends: it belongs to the test that ended it, or to the deployment.
#[test]
fn a_leak_is_found_at_the_end() {
    let place = place();
    let Some(program) = faulty::sanitized(place.path(), "leak") else {
        return;
    };
    let ran = suite(&program, &["--exact", "forgets"]).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let stopped = ran.events("deployment_stopped");
    let complaints = stopped[0]["complaints"].to_string();
    let expected = "tally-1: LeakSanitizer: detected memory leaks in forget at faulty.c:";
    assert!(complaints.contains(expected), "{complaints}");
    let ran = suite(&program, &["--exact", "forgets_and_restarts"]).run();
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    let message = ran.message("forgets_and_restarts");
    assert!(message.contains(expected), "{message}");
}

#[test]
fn a_race_is_found() {
    let place = place();
    let Some(program) = faulty::sanitized(place.path(), "thread") else {
        return;
    };
    let ran = suite(&program, &["--exact", "races"]).run();
    assert_eq!(ran.verdict("races"), "sanitizer", "{}", ran.said());
    let message = ran.message("races");
    assert!(
        message.contains("ThreadSanitizer: data race in increment at faulty.c:"),
        "{message}"
    );
}

/// A program of this name in front of all others of `PATH`, which stands for the real one.
fn with(name: &str, place: &Path, script: &str) -> std::ffi::OsString {
    use std::os::unix::fs::PermissionsExt;
    let program = place.join(name);
    let executable = std::fs::Permissions::from_mode(0o755);
    let written = std::fs::write(&program, format!("#!/bin/sh\n{script}"));
    let written = written.and_then(|()| std::fs::set_permissions(&program, executable));
    written.unwrap_or_else(|error| panic!("{name}: {error}"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(place.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(all).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn recording_is_refused_before_anything_starts_where_it_does_not_work() {
    let place = place();
    let program = faulty::build(place.path());
    let path = with("rr", place.path(), "echo; echo 'no counters' >&2; exit 1\n");
    let record = |role: &str| {
        let args = ["--exact", "finds_a_server", "--record", role];
        suite(&program, &args).env("PATH", &path).run()
    };
    let ran = record("tally");
    assert_eq!(ran.code, Some(3), "{}", ran.said());
    let why = "cannot record servers: rr does not work here: no counters";
    assert!(ran.stderr.contains(why), "{}", ran.said());
    assert!(ran.runs().is_empty(), "{:?}", ran.runs());
    let ran = record("tell");
    assert_eq!(ran.code, Some(3), "{}", ran.said());
    let why = "no server of the selected tests has the role `tell`; their roles: tally";
    assert!(ran.stderr.contains(why), "{}", ran.said());
}

/// What stands for rr starts the program as a child, as rr does, and is not to be told to stop before it.
#[test]
fn a_server_is_recorded_as_long_as_it_lives() {
    let place = place();
    let program = faulty::build(place.path());
    let script = r#"[ "$1 $2 $4" = "record -o --" ] || exit 9
mkdir "$3" && echo 1 >"$3/version" && touch "$3/incomplete" || exit 9
place=$3
shift 4
"$@" && rm "$place/incomplete"
"#;
    let path = with("rr", place.path(), script);
    let args = ["--exact", "finds_a_server", "--record", "tally"];
    let ran = suite(&program, &args).env("PATH", &path).run();
    let said = ran.said();
    assert_eq!(ran.code, Some(0), "{said}");
    let factor = "servers are recorded (tally): all time limits are multiplied by 10";
    assert!(ran.stderr.contains(factor), "{said}");
    let recorded = files(&ran.directory(), "/version");
    assert_eq!(recorded.len(), 1, "{said}");
    let recording = recorded[0].parent().unwrap();
    assert!(recording.ends_with("recordings/tally-1-1"), "{recording:?}");
    assert!(!recording.join("incomplete").exists());
    let stopped = ran.events("deployment_stopped");
    assert_eq!(stopped[0]["complaints"], serde_json::json!([]));
    assert_eq!(ran.remains(), [""; 0]);

    // A failure says how to replay it, and the recording is there.
    let args = ["--exact", "follows_null", "--record", "tally"];
    let ran = suite(&program, &args).env("PATH", &path).run();
    let said = ran.said();
    assert_eq!(ran.verdict("follows_null"), "server_crashed", "{said}");
    for text in [ran.message("follows_null"), in_junit(&ran, "follows_null")] {
        let (_, rest) = text
            .split_once("`rr replay ")
            .unwrap_or_else(|| panic!("{text}"));
        let recording = rest.split('`').next().unwrap_or_default();
        assert!(Path::new(recording).join("version").is_file(), "{text}");
    }
}
