//! The table and what derives from it: names, help, manual.

use std::ffi::OsString;
use std::path::Path;

use super::{Scene, linked};
use crate::options::Options;
use crate::settings::setting::{Linked, Said, Setting};
use crate::settings::{Environment, Input, Resolved, again, all, help, manual, resolve};

#[test]
fn every_default_is_what_leaving_the_setting_out_gives() {
    let plain = format!("{:?}", Options::default());
    for setting in all(&linked()) {
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
    let help = help::help(&all(&linked()));
    for setting in all(&linked()) {
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
        ("cgroup" | "statistics-interval" | "reuse", _) => "off",
        ("cores", _) => "none",
        ("checker", _) => "log=warn",
        ("profile", _) => "ci",
        ("config", _) => "ROOT/other.toml",
        ("no-tests", _) => "warn",
        ("inconclusive", _) => "ignore",
        ("annotations", _) => "off",
        ("color" | "failure-output", _) => "never",
        ("isolation", _) => "none",
        ("format", _) => "json",
        ("shard", _) => "hash:2/3",
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
            linked: linked(),
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
        again(&args, &linked()).join(" "),
        "--timeout 3m --tally /opt/tally --tally-option a=1 --tally-option b=2 --tally-verbose=true"
    );
    assert!(again(&["--no-such-flag".to_owned()], &linked()).is_empty());
}

#[test]
fn the_manual_is_written_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settings.md");
    let text = manual(&all(&Linked::default()));
    if std::env::var_os("ARMADILLO_WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "docs/settings.md is not what the table says: ARMADILLO_WRITE_DOCS=1 cargo test -p armadillo-harness settings writes it"
    );
}
