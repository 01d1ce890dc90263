//! Flags of a suite's own.

use super::{Scene, linked};
use crate::flags::FlagDeclaration;
use crate::settings::setting::{Group, Linked};
use crate::settings::{again, all, help};

crate::flags! {
    /// How many customers there are.
    static CUSTOMERS: u32 = 3;
    /// Only these.
    static ONLY: Vec<String>;
    /// No network.
    static NO_NETWORK: bool;
}

fn suite() -> Vec<FlagDeclaration> {
    let ours = ["customers", "only", "no-network"];
    let all = FlagDeclaration::registered().into_iter();
    all.filter(|flag| ours.contains(&flag.name)).collect()
}

fn with_suite() -> Linked {
    Linked {
        suite: suite(),
        ..linked()
    }
}

fn values(scene: &Scene, args: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let (options, _) = scene.resolve_with(with_suite(), args, variables).unwrap();
    let flags = options.flags.into_iter();
    flags
        .map(|(name, values)| format!("{name}={}", values.join(",")))
        .collect()
}

#[test]
fn a_flag_is_set_where_every_setting_is() {
    let scene = Scene::with_file(
        "[flags]\ncustomers = 4\nonly = [\"a\", \"b\"]\nof-another-suite = 1\n[profile.ci.flags]\ncustomers = 5\n",
    );
    assert_eq!(values(&scene, &[], &[]), ["customers=4", "only=a,b"]);
    let ci = values(&scene, &["--profile", "ci"], &[]);
    assert_eq!(ci, ["customers=5", "only=a,b"]);
    let variable = ("ARMADILLO_CUSTOMERS", "6");
    assert_eq!(values(&scene, &[], &[variable])[0], "customers=6");
    let args = ["--customers", "7", "--only=c", "--only=d", "--no-network"];
    let said = values(
        &scene,
        &args,
        &[variable, ("ARMADILLO_NO_NETWORK", "false")],
    );
    assert_eq!(said, ["customers=7", "no-network=true", "only=c,d"]);
}

#[test]
fn a_flag_has_its_heading_in_the_help() {
    let help = help::help(&all(&with_suite()));
    let (_, ours) = help.split_once(Group::Suite.title()).unwrap();
    let expected = ":\n  --customers N\n      How many customers there are. [default: 3]\n  \
                    --no-network\n      No network.\n  --only TEXT\n      Only these.\n\n";
    assert!(ours.starts_with(expected), "{ours}");
    assert!(!help::help(&all(&linked())).contains(Group::Suite.title()));
    let defaults = (CUSTOMERS.get(), ONLY.get(), NO_NETWORK.get());
    assert_eq!(defaults, (3, vec![], false));
}

#[test]
fn a_test_runs_again_with_the_flags_of_its_suite() {
    let args = ["-n", "2", "--customers", "9", "--no-network"].map(str::to_owned);
    let again = again(&args, &with_suite());
    assert_eq!(again, ["--customers", "9", "--no-network=true"]);
}

#[test]
fn what_is_wrong_with_a_flag_is_said() {
    let refusal = |file: &str, args: &[&str], linked: Linked| {
        let scene = Scene::with_file(file);
        let error = scene
            .resolve_with(linked, args, &[])
            .unwrap_err()
            .to_string();
        let error = error.replace(&scene.path().display().to_string(), "ROOT");
        // Where the flags above stand is not the point.
        let numbers = |text: &str| -> String {
            let mut parts = text.split("suite.rs:");
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |text, part| {
                text + "suite.rs:LINE" + part.trim_start_matches(|c: char| c.is_ascii_digit())
            })
        };
        numbers(&error)
    };
    let named = |name| {
        let mut linked = with_suite();
        linked.suite[0].name = name;
        refusal("", &[], linked)
    };
    let mut no_default = with_suite();
    no_default.suite[0].default = Some("three");
    let refusals = [
        refusal("", &["--customers", "many"], with_suite()),
        refusal("[flags]\ncustomers = -1\n", &[], with_suite()),
        refusal("customers = 1\n", &[], with_suite()),
        refusal("[flags]\ncustomers = { many = 1 }\n", &[], with_suite()),
        named("retries"),
        named("lf"),
        named("tally"),
        named("only"),
        named("version"),
        named("depth"),
        named("tally-missing"),
        refusal("", &[], no_default),
    ];
    insta::assert_snapshot!("wrong_flags", refusals.join("\n\n"));
}

#[test]
fn a_flag_in_the_file_that_is_nearly_one_is_warned_of() {
    let scene = Scene::with_file("[flags]\ncustomer = 3\nsomething-else = 4\n");
    let (_, warnings) = scene.resolve_with(with_suite(), &[], &[]).unwrap();
    assert_eq!(
        warnings,
        ["ignoring `customer` in the section [flags] of armadillo.toml; did you mean `customers`?"]
    );
}
