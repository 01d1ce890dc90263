//! Which of several values counts.

use std::num::NonZeroUsize;
use std::path::Path;

use super::Scene;
use crate::options::Missing;
use crate::settings::{Environment, Input, Linked, Resolved, resolve};

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
            linked: Linked::default(),
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
fn the_section_of_a_system_holds_its_flags_and_is_skipped_where_nobody_knows_it() {
    let scene = Scene::with_file(
        "[system.tally]\ntally = \"/opt/tally\"\ntally-verbose = true\n[system.unheard]\npath = 3\n",
    );
    let (options, warnings) = scene.resolve(&[], &[]).unwrap();
    assert_eq!(options.settings.get("tally"), Some("/opt/tally"));
    assert!(options.settings.is_on("tally-verbose"));
    assert!(warnings.is_empty());
    let scene = Scene::with_file("[system.taly]\nmissing = \"ignore\"\n");
    assert_eq!(
        scene.resolve(&[], &[]).unwrap().1,
        ["ignoring the section [system.taly] of armadillo.toml; did you mean [system.tally]?"]
    );
}
