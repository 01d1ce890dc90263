//! What is refused, and how it is said.

use std::ffi::OsString;
use std::fmt::Write;

use super::Scene;
use crate::settings::{Environment, Input, Linked, resolve};

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
        &["--timeout-factor", "1e20"],
        &["--timeout-factor", "1e-20"],
        &["--timeout", "9000h"],
        &["--isolation", "proces"],
        &["--format", "xml"],
        &["--format", "json", "-q"],
        &["--color", "yes"],
        &["--retries", "1.5"],
        &["--repeat", "0"],
        &["--rounds", "0"],
        &["--seed", "lucky"],
        &["--seed", "1", "--shuffle-seed", "2"],
        &["--ignored", "--include-ignored"],
        &["--no-tests", "ok"],
        &["--memory", "much"],
        &["--copies", "0"],
        &["--copies", "-1"],
        &["--copies", "some"],
        &["--thread-per-test", "maybe"],
        &["--runslow=perhaps"],
        &["--durations", "x"],
        &["--missing", "tally"],
        &["--missing", "tallly=ignore"],
        &["--missing", "tally=ignor"],
        &["--checker", "log"],
        &["--checker", "lgo=warn"],
        &["--checker", "log=wran"],
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
        linked: Linked::default(),
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
        ["unknown variable ARMADILLO_MARKER; did you mean ARMADILLO_MARKERS?"]
    );
}
