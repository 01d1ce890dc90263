use std::ffi::OsString;
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use armadillo_orchestrator::Flag;

use super::setting::{Said, Setting, SystemFlags};
use super::{Environment, Input, Resolved, UsageError, again, all, resolve};
use crate::options::{Action, Format, IgnoredTests, Isolation, Missing, NoTests, Options};

const FLAGS: &[Flag] = &[
    Flag {
        name: "tally",
        value: "PATH",
        repeats: false,
        help: "The tally server.",
    },
    Flag {
        name: "tally-option",
        value: "NAME=VALUE",
        repeats: true,
        help: "An option of every tally server.",
    },
    Flag {
        name: "tally-verbose",
        value: "",
        repeats: false,
        help: "Let it talk.",
    },
];

fn systems() -> Vec<SystemFlags> {
    vec![SystemFlags {
        system: "tally",
        flags: FLAGS,
    }]
}

/// A place with a file, and what is said elsewhere.
struct Scene {
    directory: tempfile::TempDir,
}

impl Scene {
    fn with_file(text: &str) -> Self {
        let scene = Self::without_file();
        std::fs::write(scene.directory.path().join("armadillo.toml"), text).unwrap();
        scene
    }

    /// The root of a workspace, so that nothing above it is looked at.
    fn without_file() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("Cargo.lock"), "").unwrap();
        Self { directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn resolve(
        &self,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<(Options, Vec<String>), UsageError> {
        let resolved = resolve(&Input {
            args: args.iter().map(OsString::from).collect(),
            environment: Environment::of(variables),
            directory: self.path().to_owned(),
            systems: systems(),
        })?;
        match resolved {
            Resolved::Options { options, warnings } => Ok((*options, warnings)),
            Resolved::Text(text) => panic!("a text instead of options: {text}"),
        }
    }

    fn options(&self, args: &[&str], variables: &[(&str, &str)]) -> Options {
        self.resolve(args, variables).unwrap().0
    }

    /// The message, with the place of the file taken out.
    fn refusal(&self, args: &[&str], variables: &[(&str, &str)]) -> String {
        let message = self.resolve(args, variables).unwrap_err().to_string();
        message.replace(&self.path().display().to_string(), "ROOT")
    }
}

fn line(args: &[&str]) -> Options {
    Scene::without_file().options(args, &[])
}

fn threads(number: usize) -> Option<NonZeroUsize> {
    NonZeroUsize::new(number)
}

#[test]
fn the_command_line_wins_over_the_environment_over_the_file_over_libtest() {
    let file = "parallel = 2\n[profile.ci]\nparallel = 3\n";
    let of = |args: &[&str], variables: &[(&str, &str)], file: &str| {
        Scene::with_file(file)
            .options(args, variables)
            .running
            .parallel
    };
    let libtest = ("RUST_TEST_THREADS", "9");
    let variable = ("ARMADILLO_PARALLEL", "4");
    let profile = ("ARMADILLO_PROFILE", "ci");
    assert_eq!(of(&[], &[], ""), None);
    assert_eq!(of(&[], &[libtest], ""), threads(9));
    assert_eq!(of(&[], &[libtest], file), threads(2));
    assert_eq!(of(&[], &[libtest, profile], file), threads(3));
    assert_eq!(of(&["--profile", "ci"], &[], file), threads(3));
    assert_eq!(of(&[], &[libtest, profile, variable], file), threads(4));
    assert_eq!(
        of(&["-n", "5"], &[libtest, profile, variable], file),
        threads(5)
    );
    assert_eq!(
        of(&["--test-threads=6"], &[libtest, variable], file),
        threads(6)
    );
    assert_eq!(of(&["-n", "auto"], &[libtest, variable], file), None);
    assert_eq!(of(&[], &[("ARMADILLO_PARALLEL", "")], file), threads(2));
}

#[test]
fn a_switch_is_taken_back_by_a_stronger_place() {
    let scene = Scene::with_file("shuffle = true\nrunslow = true\n");
    let shuffle =
        |args: &[&str], variables: &[(&str, &str)]| scene.options(args, variables).running.shuffle;
    assert!(shuffle(&[], &[]));
    assert!(!shuffle(&[], &[("ARMADILLO_SHUFFLE", "0")]));
    assert!(shuffle(&["--shuffle"], &[("ARMADILLO_SHUFFLE", "0")]));
    assert!(!shuffle(&["--shuffle=false"], &[]));
    assert!(scene.options(&[], &[]).selection.slow);
}

#[test]
fn values_of_a_repeating_setting_replace_those_of_a_weaker_place() {
    let scene = Scene::with_file("skip = [\"a\", \"b\"]\ntally-option = \"x=1\"\n");
    let skip =
        |args: &[&str], variables: &[(&str, &str)]| scene.options(args, variables).selection.skip;
    assert_eq!(skip(&[], &[]), ["a", "b"]);
    assert_eq!(skip(&[], &[("ARMADILLO_SKIP", "c;d")]), ["c", "d"]);
    assert_eq!(
        skip(&["--skip", "e", "--skip=f"], &[("ARMADILLO_SKIP", "c")]),
        ["e", "f"]
    );
    let options = scene.options(&["--tally-option", "y=2", "--tally-option", "z=3;4"], &[]);
    assert_eq!(options.settings.all("tally-option"), ["y=2", "z=3;4"]);
    assert_eq!(
        scene.options(&[], &[]).settings.get("tally-option"),
        Some("x=1")
    );
}

#[test]
fn everything_libtest_understands_is_understood() {
    let options = line(&[
        "one",
        "two",
        "--exact",
        "--skip",
        "three",
        "--format",
        "json",
        "--ignored",
        "--test-threads",
        "3",
        "--nocapture",
        "--show-output",
        "--fail-fast",
        "--shuffle",
        "--shuffle-seed",
        "7",
        "--color",
        "never",
        "--logfile",
        "log",
        "-Z",
        "unstable-options",
        "--report-time",
        "--ensure-time",
        "--test",
        "--bench",
        "--force-run-in-process",
        "--exclude-should-panic",
    ]);
    assert_eq!(options.selection.filters, ["one", "two"]);
    assert!(options.selection.exact && options.running.shuffle && options.showing.no_capture);
    assert_eq!(options.selection.ignored, IgnoredTests::Only);
    assert_eq!(options.running.max_fail, Some(1));
    assert_eq!(options.running.seed, Some(7));
    assert_eq!(options.showing.format, Format::Json);
    assert!(line(&["--no-capture"]).showing.no_capture);
    assert_eq!(line(&["-q"]).showing.format, Format::Terse);
    assert_eq!(line(&["-Zunstable-options", "--list"]).action, Action::List);
    assert_eq!(
        line(&["--include-ignored"]).selection.ignored,
        IgnoredTests::Include
    );
    let scene = Scene::without_file();
    let options = scene.options(
        &[],
        &[
            ("RUST_TEST_NOCAPTURE", "1"),
            ("RUST_TEST_SHUFFLE_SEED", "5"),
        ],
    );
    assert!(options.showing.no_capture && options.running.shuffle);
    assert_eq!(options.running.seed, Some(5));
    assert!(
        !scene
            .options(&[], &[("RUST_TEST_NOCAPTURE", "0")])
            .showing
            .no_capture
    );
}

/// The command lines of cargo nextest and of rust-analyzer.
#[test]
fn what_other_tools_pass_is_understood() {
    assert_eq!(line(&["--list", "--format", "terse"]).action, Action::List);
    assert_eq!(
        line(&["--list", "--format", "terse", "--ignored"])
            .selection
            .ignored,
        IgnoredTests::Only
    );
    let run = line(&["--exact", "a::b", "--nocapture", "--ignored"]);
    assert_eq!(run.selection.only(), Some(&["a::b".to_owned()][..]));
    let run = line(&[
        "a::b",
        "--exact",
        "--nocapture",
        "-Z",
        "unstable-options",
        "--format=json",
    ]);
    assert_eq!(run.selection.filters, ["a::b"]);
}

#[test]
fn ours_are_understood() {
    let options = line(&[
        "-m",
        "not slow",
        "-k",
        "a or b",
        "--runslow",
        "--stress",
        "--flaky",
        "--isolation",
        "process",
        "--timeout",
        "3m",
        "--run-timeout",
        "1h30m",
        "--timeout-factor",
        "2.5",
        "--retries",
        "2",
        "--repeat",
        "3",
        "--seed",
        "0x10",
        "--durations",
        "5",
        "--no-tests",
        "fail",
        "--keep-on-failure",
        "--thread-per-test",
        "false",
        "--output-dir",
        "out",
        "--memory",
        "2G",
        "--history",
        "h.json",
        "--maxfail",
        "4",
        "--missing",
        "tally=ignore",
        "--tally",
        "/bin/tally",
        "--tally-verbose",
        "--plan",
    ]);
    assert_eq!(options.action, Action::Plan);
    assert_eq!(
        options.selection.markers.as_ref().map(|m| m.text()),
        Some("not slow")
    );
    let selection = &options.selection;
    assert!(selection.slow && selection.stress && selection.flaky && selection.keywords.is_some());
    let running = &options.running;
    assert_eq!(running.isolation, Isolation::Process);
    assert_eq!(running.timeout, Duration::from_secs(180));
    assert_eq!(running.run_timeout, Some(Duration::from_secs(5400)));
    assert_eq!(
        (running.timeout_factor, running.retries, running.repeat),
        (2.5, 2, 3)
    );
    assert_eq!((running.seed, running.max_fail), (Some(16), Some(4)));
    assert_eq!(
        (running.memory_mib, running.no_tests),
        (Some(2048), NoTests::Fail)
    );
    assert!(running.keep_on_failure && !running.thread_per_test);
    assert_eq!(options.showing.durations, Some(5));
    assert_eq!(options.missing("tally"), Missing::Ignore);
    assert_eq!(options.missing("other"), Missing::Error);
    assert_eq!(options.settings.get("tally"), Some("/bin/tally"));
    assert!(options.settings.is_on("tally-verbose"));
    assert_eq!(line(&["-x", "--maxfail", "4"]).running.max_fail, Some(1));
    assert_eq!(line(&["--durations=0"]).showing.durations, Some(usize::MAX));
}

#[test]
fn missing_adds_up_over_all_places() {
    let file = "missing = [\"tally=error\"]\n[system.tally]\nmissing = \"ignore\"\n[system.unheard]\nmissing = \"ignore\"\n[profile.ci.system.tally]\nmissing = \"fail\"\n";
    let scene = Scene::with_file(file);
    let missing =
        |args: &[&str], variables: &[(&str, &str)]| scene.options(args, variables).missing("tally");
    let ci = ("ARMADILLO_PROFILE", "ci");
    assert_eq!(missing(&[], &[]), Missing::Error);
    assert_eq!(missing(&[], &[ci]), Missing::Fail);
    assert_eq!(
        missing(&[], &[ci, ("ARMADILLO_MISSING", "tally=ignore")]),
        Missing::Ignore
    );
    let twin = ("ARMADILLO_TALLY_MISSING", "fail");
    assert_eq!(
        missing(&[], &[("ARMADILLO_MISSING", "tally=ignore"), twin]),
        Missing::Fail
    );
    assert_eq!(
        missing(&["--missing", "tally=error"], &[twin]),
        Missing::Error
    );
}

#[test]
fn the_file_is_looked_for_upwards_to_the_root_of_the_workspace() {
    let scene = Scene::with_file("retries = 4\n[markers]\nnightly = \"at night\"\n");
    let package = scene.path().join("crates/suite");
    std::fs::create_dir_all(&package).unwrap();
    let retries = |directory: &Path| {
        let input = Input {
            args: vec!["-m".into(), "nightly".into()],
            environment: Environment::default(),
            directory: directory.to_owned(),
            systems: Vec::new(),
        };
        match resolve(&input) {
            Ok(Resolved::Options { options, .. }) => Some(options.running.retries),
            _ => None,
        }
    };
    assert_eq!(retries(&package), Some(4));
    std::fs::write(
        package.join("armadillo.toml"),
        "retries = 5\nmarkers = \"slow\"\n",
    )
    .unwrap();
    assert_eq!(
        retries(&package),
        None,
        "only the nearest file declares markers"
    );
    std::fs::remove_file(package.join("armadillo.toml")).unwrap();
    std::fs::write(package.join("Cargo.lock"), "").unwrap();
    assert_eq!(
        retries(&package),
        None,
        "beyond the root of a workspace nothing is looked for"
    );
}

#[test]
fn refusals_of_the_command_line() {
    let mut shown = String::new();
    for args in [
        &["-m", ""][..],
        &["-m", "slow and"],
        &["--markers", "slwo"],
        &["-k", "("],
        &["-n", "2", "--test-threads", "3"],
        &["--test-threads", "0"],
        &["-n", "0"],
        &["-n", "-1"],
        &["-n", "many"],
        &["-n"],
        &["--paralel", "3"],
        &["-y"],
        &["--timeout", "30"],
        &["--timeout", "0s"],
        &["--run-timeout", "soon"],
        &["--timeout-factor", "-1"],
        &["--timeout-factor=NaN"],
        &["--isolation", "proces"],
        &["--format", "xml"],
        &["--format", "json", "-q"],
        &["--color", "yes"],
        &["--retries", "1.5"],
        &["--repeat", "0"],
        &["--seed", "lucky"],
        &["--seed", "1", "--shuffle-seed", "2"],
        &["--ignored", "--include-ignored"],
        &["--no-tests", "ok"],
        &["--memory", "much"],
        &["--thread-per-test", "maybe"],
        &["--runslow=perhaps"],
        &["--durations", "x"],
        &["--missing", "tally"],
        &["--missing", "tallly=ignore"],
        &["--missing", "tally=ignor"],
        &["--profile", "ci"],
        &["--config", "/nonexistent/armadillo.toml"],
    ] {
        let scene = Scene::without_file();
        writeln!(
            shown,
            "$ {}\n{}\n",
            args.join(" "),
            scene.refusal(args, &[])
        )
        .unwrap();
    }
    insta::assert_snapshot!("refused_command_lines", shown);
}

#[test]
fn refusals_of_the_environment_and_the_file() {
    let mut shown = String::new();
    for variable in [
        ("ARMADILLO_TIMEOUT", "30"),
        ("ARMADILLO_MARKERS", "slwo"),
        ("ARMADILLO_RUNSLOW", "perhaps"),
        ("ARMADILLO_MISSING", "tally=ignore;tally"),
        ("ARMADILLO_TALLY_MISSING", "never"),
        ("RUST_TEST_THREADS", "0"),
        ("ARMADILLO_PROFILE", "ic"),
        ("ARMADILLO_CONFIG", "/nonexistent/armadillo.toml"),
    ] {
        let scene = Scene::with_file("[profile.ci]\nretries = 1\n");
        let refusal = scene.refusal(&[], &[variable]);
        writeln!(shown, "$ {}={}\n{refusal}\n", variable.0, variable.1).unwrap();
    }
    for file in [
        "parallel = 2\nretrys = 3\n",
        "fail-fast = true\n",
        "no_tests = \"pass\"\n",
        "\n\ntimeout = 30\n",
        "timeout = [\"30s\"]\n",
        "skip = [[1]]\n",
        "retries = 0x10\n",
        "config = \"other.toml\"\n",
        "-Z = 1\n",
        "parallel = 2\ntest-threads = 3\n",
        "[profile.ci]\nretrys = 3\n",
        "profile = { ci = 3 }\n",
        "[markers]\nnightly = 3\n",
        "[system.tally]\npath = \"/bin/tally\"\n",
        "[system.tally]\nmissing = true\n",
        "[system.tally]\nmissing = \"never\"\n",
        "system = 3\n",
        "parallel = \n",
        "[running]\nparallel = 2\n",
    ] {
        let refusal = Scene::with_file(file).refusal(&[], &[]);
        writeln!(shown, "{file}{refusal}\n").unwrap();
    }
    insta::assert_snapshot!("refused_variables_and_files", shown);
}

#[test]
#[cfg(unix)]
fn what_is_not_utf_8_is_refused() {
    use std::os::unix::ffi::OsStringExt;
    let input = Input {
        args: vec![OsString::from_vec(vec![0x66, 0xff])],
        environment: Environment::default(),
        directory: Scene::without_file().path().to_owned(),
        systems: Vec::new(),
    };
    assert!(resolve(&input).is_err());
}

#[test]
fn a_variable_that_is_nearly_a_setting_is_warned_of() {
    let scene = Scene::without_file();
    let variables = [
        ("ARMADILLO_MARKER", "slow"),
        ("ARMADILLO_WHATEVER_ELSE_THERE_IS", "1"),
    ];
    let (_, warnings) = scene.resolve(&[], &variables).unwrap();
    assert_eq!(
        warnings,
        ["the variable ARMADILLO_MARKER means nothing here; did you mean ARMADILLO_MARKERS?"]
    );
}

#[test]
fn every_default_is_what_leaving_the_setting_out_gives() {
    let plain = format!("{:?}", Options::default());
    for setting in all(&systems()) {
        if setting.default.is_empty() || setting.default == "false" && setting.name == "exact" {
            continue;
        }
        let mut options = Options::default();
        (setting.apply)(&mut options, &[setting.default.to_owned()]).unwrap();
        assert_eq!(format!("{options:?}"), plain, "{}", setting.name);
    }
}

#[test]
fn every_setting_has_its_three_names_and_is_in_the_help() {
    let help = super::help::help(&all(&systems()));
    for setting in all(&systems()) {
        let shown = match setting.short {
            Some(short) if setting.said == Said::OnCommandLine => format!("-{short}"),
            _ => format!("--{}", setting.name),
        };
        assert!(help.contains(&shown), "{shown} is not in the help");
        assert!(!setting.help.is_empty());
        if setting.said == Said::OnCommandLine {
            continue;
        }
        let (value, toml) = sample(&setting);
        let wanted = (!setting.is_switch()).then_some(value);
        let scene = Scene::with_file(&match setting.said {
            Said::NotInFile => "[profile.ci]\n".to_owned(),
            _ => format!("{} = {toml}\n[profile.ci]\n", setting.name),
        });
        std::fs::write(scene.path().join("other.toml"), "[profile.ci]\n").unwrap();
        let value = value.replace("ROOT", &scene.path().display().to_string());
        let flag = if setting.is_switch() {
            format!("--{}", setting.name)
        } else {
            format!("--{}={value}", setting.name)
        };
        let variable = setting.variable();
        let wanted = wanted.map_or_else(|| "true".to_owned(), |_| value.clone());
        let got = |args: &[&str], variables: &[(&str, &str)]| {
            let options = scene.options(args, variables);
            options.settings.get(setting.name).map(str::to_owned)
        };
        assert_eq!(got(&[&flag], &[]), Some(wanted.clone()), "{flag}");
        let variables = [(variable.as_str(), value.as_str())];
        assert_eq!(got(&[], &variables), Some(wanted.clone()), "{variable}");
        if setting.said == Said::Everywhere {
            assert_eq!(got(&[], &[]), Some(wanted), "{} in the file", setting.name);
        }
    }
}

/// A value that every check lets through, and the same in TOML.
fn sample(setting: &Setting) -> (&'static str, String) {
    let value = match (setting.name, setting.value) {
        (_, "") => return ("true", "true".to_owned()),
        ("missing", _) => "tally=fail",
        ("profile", _) => "ci",
        ("config", _) => "ROOT/other.toml",
        ("no-tests", _) => "warn",
        ("color", _) => "never",
        ("isolation", _) => "none",
        ("format", _) => "json",
        (_, "EXPR") => "slow",
        (_, "TIME") => "5s",
        (_, "BOOL") => "false",
        _ => "3",
    };
    (value, format!("{value:?}"))
}

#[test]
fn help_and_version_are_texts() {
    let text = |args: &[&str]| {
        let input = Input {
            args: args.iter().map(OsString::from).collect(),
            environment: Environment::default(),
            directory: Path::new("/nonexistent").to_owned(),
            systems: systems(),
        };
        match resolve(&input) {
            Ok(Resolved::Text(text)) => text,
            other => panic!("{other:?}"),
        }
    };
    insta::assert_snapshot!("help", text(&["--help"]));
    assert_eq!(text(&["-h"]), text(&["--help", "-n", "2"]));
    assert_eq!(
        text(&["-V"]),
        concat!("armadillo ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn the_command_line_that_runs_a_test_again_keeps_what_the_test_needs() {
    let args: Vec<String> = [
        "filter",
        "-m",
        "not slow",
        "-n",
        "4",
        "--tally=/opt/tally",
        "--timeout",
        "3m",
        "--tally-option",
        "a=1",
        "--tally-option",
        "b=2",
        "--tally-verbose",
        "-q",
    ]
    .map(str::to_owned)
    .to_vec();
    assert_eq!(
        again(&args, &systems()).join(" "),
        "--timeout 3m --tally /opt/tally --tally-option a=1 --tally-option b=2 --tally-verbose=true"
    );
    assert!(again(&["--no-such-flag".to_owned()], &systems()).is_empty());
}

#[test]
fn the_manual_is_written_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settings.md");
    let text = super::manual(&all(&[]));
    if std::env::var_os("ARMADILLO_WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "docs/settings.md is not what the table says: ARMADILLO_WRITE_DOCS=1 cargo test -p armadillo-harness settings writes it"
    );
}
