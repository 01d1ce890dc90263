//! Wrong usage: the place, the reason, a suggestion, exit code 2, and nothing on stdout.

use armadillo_selftest::Suite;

use super::{run, suite};

/// What is said about these arguments.
fn refused(args: &[&str]) -> String {
    let ran = run(args);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(2), ""),
        "{}",
        ran.said()
    );
    assert!(ran.runs().is_empty(), "a run was begun");
    ran.stderr
}

#[test]
fn expressions() {
    assert_eq!(
        refused(&["-m", "slow and"]),
        "error: -m/--markers: expected a marker after `and`\n    slow and\n            ^\n\
         help: `and` and `or` join two parts, as in `slow and not flaky`\n"
    );
    assert_eq!(
        refused(&["-m", "slwo"]),
        "error: -m/--markers: unknown marker `slwo`\n    slwo\n    ^^^^\n\
         help: did you mean `slow`? `--list-markers` lists all declared markers\n"
    );
    assert_eq!(
        refused(&["-m", ""]),
        "error: -m/--markers: the expression is empty\n    \"\"\n    ^^\n\
         help: remove `-m` to run all tests, or name a marker: `-m \"not slow\"`\n"
    );
    assert!(refused(&["-k", "(one"]).contains("-k/--keywords"));
}

#[test]
fn numbers() {
    assert_eq!(
        refused(&["--test-threads", "0"]),
        "error: --test-threads: at least 1 test must run at a time\n\
         help: write 1 to run one test at a time, or `auto` for the number of cores\n"
    );
    assert_eq!(
        refused(&["-n", "2", "--test-threads", "3"]),
        "error: `-n/--parallel 2` conflicts with `--test-threads 3`: both set the number of \
         tests that run at once\nhelp: remove one of them\n"
    );
    assert_eq!(
        refused(&["--timeout", "banana"]),
        "error: --timeout: `banana` is not a duration\nhelp: write a duration such as `500ms`, `30s`, `3m` or `1h30m`\n"
    );
    assert!(refused(&["--repeat", "0"]).contains("each test must run at least once"));
}

/// What nobody means is refused in a few words, or is as fast as anything else.
#[test]
fn absurd_values() {
    assert_eq!(
        refused(&["--timeout-factor", "1e20"]),
        "error: --timeout-factor: `1e20` is out of range\nhelp: write a number from 0.001 to 10000\n"
    );
    let many = refused(&["--repeat", "1000000000", "-k", "pass"]);
    assert!(
        many.contains("each run 1000000000 times, exceed the limit of 200000 tests per run\nhelp: use at most `--repeat"),
        "{many}"
    );
    let word = "m".repeat(100_000);
    let said = refused(&["-m", &word]);
    assert!(
        said.contains("unknown marker `mmm") && said.len() < 1000,
        "{said}"
    );
    let said = refused(&["-k", &format!("({word}")]);
    assert!(said.contains("unclosed") && said.len() < 1000, "{said}");
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
    let pipe = pipe.to_str().unwrap();
    for file in [pipe, "/dev/zero"] {
        let said = refused(&["--config", file]);
        assert!(
            said.contains("cannot be read: it is not a regular file"),
            "{said}"
        );
        let said = refused(&["--report-from", file]);
        assert!(said.contains("it is not a regular file"), "{said}");
    }
    // It is neither read nor replaced.
    let ran = run(&["pass::one::a", "--history", pipe, "--exact"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    for said in [
        "it is not a regular file",
        "cannot record the outcomes of this run: ",
    ] {
        assert!(ran.stderr.contains(said), "{}", ran.said());
    }
    let there = std::fs::metadata(pipe).unwrap();
    assert!(!there.is_file());
    // More than a command line can hold.
    let chain = vec!["slow"; 100_000].join(" or ");
    let ran = suite(&["pass::one::a", "--exact"])
        .file("armadillo.toml", &format!("markers = \"not ({chain})\"\n"))
        .run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert!(ran.stdout.contains("1 passed"), "{}", ran.said());
}

/// What a system's flag says is judged where it is said, whatever the selected tests need.
#[test]
fn flags_of_systems() {
    let leaks = |args: &[&str]| Suite::new(env!("CARGO_BIN_EXE_leaks")).args(args);
    let refused = |suite: Suite| {
        let ran = suite.run();
        assert_eq!(ran.code, Some(2), "{}", ran.said());
        assert!(ran.runs().is_empty(), "a run was begun");
        ran.stderr
    };
    let even = "2 agents tolerate no more failures than 1, but each write needs one more vote\n\
                help: use 1, 3 or 5\n";
    assert_eq!(
        refused(leaks(&["--agents", "2"])),
        format!("error: --agents: {even}")
    );
    assert_eq!(
        refused(leaks(&["--list"]).env("ARMADILLO_AGENTS", "2")),
        format!("error: ARMADILLO_AGENTS: {even}")
    );
    let said = refused(leaks(&[]).file("armadillo.toml", "[system.arangodb]\nagents = 2\n"));
    assert!(
        said.contains("armadillo.toml:2: ") && said.ends_with(even),
        "{said}"
    );
    assert!(refused(leaks(&["--dbservers", "0"])).contains("--dbservers: a cluster needs"));
    assert_eq!(
        refused(leaks(&["-d", "single", "-c"])),
        "error: -d/--deployment-mode: it is `single`, which conflicts with --cluster\n\
         help: remove one of them\n"
    );
    assert!(
        refused(leaks(&["--server-option", "log.levle=x"])).contains("does not have this option")
    );
}

#[test]
fn flags_and_variables_that_do_not_exist() {
    assert!(refused(&["--runslwo"]).contains("--runslow"));
    let ran = suite(&["pass::one"]).env("ARMADILLO_PARALEL", "2").run();
    assert!(ran.stderr.contains("ARMADILLO_PARALLEL"), "{}", ran.said());
    let ran = suite(&["pass::one"])
        .file("armadillo.toml", "paralel = 2\n")
        .run();
    assert_eq!(ran.code, Some(2), "{}", ran.said());
    assert!(
        ran.stderr.contains("armadillo.toml") && ran.stderr.contains("`parallel`"),
        "{}",
        ran.said()
    );
    let ran = suite(&["pass::one"])
        .env("ARMADILLO_TIMEOUT", "banana")
        .run();
    assert_eq!(ran.code, Some(2), "{}", ran.said());
    assert!(ran.stderr.contains("ARMADILLO_TIMEOUT"), "{}", ran.said());
}

#[test]
fn a_program_that_does_not_exist() {
    let args = &[
        "--brittle",
        "/nonexistent/program",
        "needs_a_program",
        "pass::one",
    ];
    let ran = run(args);
    assert_eq!(ran.code, Some(3), "{}", ran.said());
    assert!(
        ran.stderr.contains("/nonexistent/program") && ran.stderr.contains("leave --brittle out"),
        "{}",
        ran.stderr
    );
    assert!(ran.runs().is_empty(), "a run was begun");
    let args = &["--brittle=PATH", "needs_a_program", "pass::one"];
    let ran = run(&[args, &["--missing", "brittle=ignore"][..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let line = "test needs_a_program ... ignored, ";
    assert!(
        ran.stdout.contains(line) && ran.stdout.contains("5 passed; 0 failed; 1 ignored"),
        "{}",
        ran.said()
    );
    let ran = run(&[args, &["--missing", "brittle=fail"][..]].concat());
    assert_eq!(ran.code, Some(3), "{}", ran.said());
    assert!(
        ran.stdout.contains("5 passed; 1 failed; 0 ignored"),
        "{}",
        ran.said()
    );
    assert_eq!(ran.results()["exit_code"], 3);
    let none = ["--missing", "brittle=fail", "--isolation", "none"];
    let ran = run(&[args, &none[..]].concat());
    assert_eq!(ran.code, Some(3), "{}", ran.said());
    assert!(
        ran.stdout.contains("5 passed; 1 failed; 0 ignored"),
        "{}",
        ran.said()
    );
}

#[test]
fn a_program_that_a_topology_names_and_that_does_not_exist() {
    let ran = run(&["names_another_program", "--include-ignored"]);
    assert_eq!(ran.code, Some(3), "{}", ran.said());
    let said = "error: for the role tally: the brittle program /nonexistent/other does not exist";
    assert!(ran.stderr.starts_with(said), "{}", ran.stderr);
    let advice = "`server_binary = \"/nonexistent/other\"`";
    let test = "the test `names_another_program` (";
    assert!(
        ran.stderr.contains(advice) && ran.stderr.contains(test),
        "{}",
        ran.stderr
    );
    let ignore = ["--missing", "brittle=ignore"];
    let args = ["names_another_program", "--include-ignored"];
    let ran = run(&[&args[..], &ignore].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let line = "ignored, for the role tally: the brittle program /nonexistent/other does not exist";
    assert!(ran.stdout.contains(line), "{}", ran.said());
    // The system's own program is not even looked for.
    let args = [
        "names_another_program",
        "--include-ignored",
        "--brittle=PATH",
    ];
    let ran = run(&args);
    assert!(ran.stderr.starts_with(said), "{}", ran.stderr);
}

#[test]
fn a_version_that_a_topology_names_and_nobody_has() {
    let run = |missing: &[&str]| {
        let args = ["names_another_version", "--include-ignored"];
        let suite = suite(&[&args[..], missing].concat());
        let servers = suite.home().join("servers");
        let place = servers.display().to_string();
        let ran = suite.env("ARMADILLO_SERVERS_DIR", servers).run();
        (
            ran,
            format!("brittle 9.9 is not in {place} and not in PATH; leave --brittle out"),
        )
    };
    // The others run, whether or not anybody says what to do about it.
    let (ran, reason) = run(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let line = format!("ignored, for the role tally: {reason}");
    assert!(ran.stdout.contains(&line), "{}", ran.said());
    // Where a version must be there, that is said.
    let (ran, reason) = run(&["--missing", "brittle=fail"]);
    assert_eq!(ran.code, Some(3), "{}", ran.said());
    assert!(
        ran.message("names_another_version").contains(&reason),
        "{}",
        ran.said()
    );
}

#[test]
fn a_directory_that_cannot_be_written_to() {
    let suite = suite(&["pass::one"]).file("in the way", "");
    let place = suite.home().join("in the way");
    let ran = suite.env("ARMADILLO_OUTPUT_DIR", &place).run();
    assert_eq!(ran.code, Some(3), "{}", ran.said());
    let said = format!(
        "error: cannot create the output directory {}/",
        place.display()
    );
    assert!(ran.stderr.starts_with(&said), "{}", ran.said());
    assert!(
        ran.stderr
            .ends_with("; use --output-dir to choose another directory\n"),
        "{}",
        ran.said()
    );
    assert_eq!(ran.stdout, "");
    assert_eq!(ran.remains(), [""; 0]);
}

/// The directory for sockets and secrets is somebody else's, open to others, or has too long a path.
#[test]
fn a_runtime_directory_that_will_not_do() {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
    let longest = 86;
    type Make<'a> = &'a dyn Fn(&std::path::Path);
    let cases: [(&str, Make<'_>, &str); 3] = [
        (
            "open",
            &|path| {
                std::fs::create_dir(path).unwrap();
                std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
            },
            "must be a directory that belongs to you and is accessible only to you: its mode is 755",
        ),
        (
            "foreign",
            &|path| {
                std::fs::DirBuilder::new().mode(0o700).create(path).unwrap();
                chown(path, Some(65534), None).unwrap();
            },
            "must be a directory that belongs to you and is accessible only to you: it belongs to user 65534",
        ),
        (
            &"x".repeat(longest),
            &|_| {},
            "bytes, but at most 86 are allowed",
        ),
    ];
    for (name, make, said) in cases {
        if name == "foreign" && !rustix::process::getuid().is_root() {
            // Only root can give a directory away.
            continue;
        }
        let suite = suite(&["pass::one::a"]);
        let path = suite.home().join(name);
        make(&path);
        let ran = suite.env("ARMADILLO_RUNTIME_DIR", &path).run();
        assert_eq!(ran.code, Some(3), "{}", ran.said());
        assert!(ran.stderr.contains(said), "{}", ran.said());
        assert!(
            ran.stderr
                .contains("use --runtime-dir DIR to choose another directory")
        );
    }
    let suite = suite(&[
        "pass::one::a",
        "endless::on_a_server",
        "--run-timeout",
        "12s",
    ]);
    let home = suite.home().as_os_str().len();
    let path = suite.home().join("x".repeat(longest - home - 1));
    let ran = suite.env("ARMADILLO_RUNTIME_DIR", &path).run();
    assert_eq!(ran.code, Some(124), "{}", ran.said());
    assert_eq!(ran.verdict("pass::one::a"), "passed");
    // All that stays is the file by which runs take turns.
    let left = std::fs::read_dir(&path).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["reserved.lock"]);
}
