use std::collections::BTreeMap;

use armadillo_orchestrator::Settings;

use super::{CollectError, Test, from_definitions};
use crate::fixture::Run;
use crate::markers::Markers;
use crate::outcome::Outcome;
use crate::test_def::{MarkerUse, ShouldPanic, TestDef};

fn nothing(_: &mut Run<'_>) -> Outcome {
    Outcome::Passed
}

/// A definition that needs nothing and says nothing.
pub(crate) fn definition(module: &'static str, function: &'static str, line: u32) -> TestDef {
    TestDef {
        package: "shop",
        directory: "",
        module,
        function,
        case: None,
        file: "tests/suite/main.rs",
        line,
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
        run: nothing,
    }
}

/// The same with markers and an ignore reason, as the registry would hold it.
pub(crate) fn marked(
    mut def: TestDef,
    markers: &'static [MarkerUse],
    ignore: Option<&'static str>,
) -> &'static TestDef {
    def.markers = markers;
    def.ignore = ignore;
    Box::leak(Box::new(def))
}

fn case(mut def: TestDef, case: &'static str) -> &'static TestDef {
    def.case = Some(case);
    Box::leak(Box::new(def))
}

fn plain(def: TestDef) -> &'static TestDef {
    Box::leak(Box::new(def))
}

fn collected(
    definitions: Vec<&'static TestDef>,
    only: Option<&[&str]>,
) -> Result<Vec<Test>, CollectError> {
    let only: Option<Vec<String>> =
        only.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    let markers = Markers::declared(&BTreeMap::new());
    from_definitions(definitions, only.as_deref(), &markers, &Settings::default())
}

fn names(tests: &[Test]) -> Vec<&str> {
    tests.iter().map(|test| test.name.as_str()).collect()
}

#[test]
fn tests_are_sorted_by_module_line_and_case() {
    let tests = collected(
        vec![
            plain(definition("suite::b", "first", 1)),
            case(definition("suite::a", "second", 20), "two"),
            case(definition("suite::a", "second", 20), "one"),
            plain(definition("suite::a", "first", 3)),
            plain(definition("suite", "top", 99)),
        ],
        None,
    );
    assert_eq!(
        names(&tests.unwrap()),
        [
            "top",
            "a::first",
            "a::second::one",
            "a::second::two",
            "b::first"
        ]
    );
}

#[test]
fn two_tests_of_one_name_are_refused_with_both_places() {
    let twice = vec![
        plain(definition("suite::a", "same", 3)),
        plain(definition("other::a", "same", 70)),
    ];
    insta::assert_snapshot!(collected(twice.clone(), None).unwrap_err(), @r"
    two tests are named `a::same`:
        tests/suite/main.rs:70
        tests/suite/main.rs:3
    help: rename one of them; reports, filters and `--exact` identify a test by its name
    ");
    assert!(collected(twice, Some(&["a::same"])).is_err());
}

#[test]
fn an_undeclared_marker_is_refused_with_its_place() {
    const SLWO: &[MarkerUse] = &[MarkerUse {
        name: "slwo",
        args: &[],
    }];
    let tests = vec![marked(definition("suite::a", "late", 8), SLWO, None)];
    insta::assert_snapshot!(collected(tests, None).unwrap_err(), @r#"
    the marker `slwo` of the test `a::late` is not declared:
        tests/suite/main.rs:8
    help: did you mean `slow`? If not, declare it in armadillo.toml: `[markers]`, `slwo = "description"`
    "#);
}

#[test]
fn a_test_has_the_markers_of_its_fixtures_once() {
    const OWN: &[MarkerUse] = &[MarkerUse {
        name: "slow",
        args: &["really"],
    }];
    let of_fixtures = |names: &'static [&'static str]| TestDef {
        fixture_markers: names,
        ..definition("suite::a", "one", 1)
    };
    let both = marked(of_fixtures(&["fast", "slow"]), OWN, None);
    let tests = collected(vec![both], None).unwrap();
    let shown: Vec<String> = tests[0].markers.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["slow(\"really\")", "fast"]);
    let undeclared = collected(vec![plain(of_fixtures(&["slwo"]))], None).unwrap_err();
    assert!(
        undeclared
            .to_string()
            .starts_with("the marker `slwo` of the test `a::one`")
    );
}

#[test]
fn under_exact_only_the_named_tests_are_looked_at() {
    let definitions = vec![
        plain(definition("suite::a", "one", 1)),
        case(definition("suite::a", "many", 2), "x"),
        plain(definition("suite", "one", 3)),
        plain(definition("suite", "a", 4)),
    ];
    for (asked, found) in [
        (&["a::one"][..], &["a::one"][..]),
        (&["one"], &["one"]),
        (&["a::many::x", "one"], &["one", "a::many::x"]),
        (&["a"], &["a"]),
        (&["a::many"], &[]),
        (&["a::one::"], &[]),
        (&[""], &[]),
        (&["::a::one"], &[]),
    ] {
        let tests = collected(definitions.clone(), Some(asked)).unwrap();
        assert_eq!(names(&tests), found, "{asked:?}");
    }
}

#[test]
fn every_name_is_found_under_exact_by_what_it_prints() {
    for def in [
        definition("suite", "a", 1),
        definition("suite::a::b", "c", 1),
        TestDef {
            case: Some("d e"),
            ..definition("suite::a", "b", 1)
        },
    ] {
        let name = def.name();
        let found = collected(vec![plain(def)], Some(&[&name])).unwrap();
        assert_eq!(names(&found), [name]);
    }
}

#[test]
fn markers_are_written_as_they_are_selected() {
    const AUTH: &[MarkerUse] = &[MarkerUse {
        name: "smoke_test",
        args: &["auth", "a\"b"],
    }];
    let tests = collected(vec![marked(definition("suite", "t", 1), AUTH, None)], None).unwrap();
    assert_eq!(
        tests[0].written_markers(),
        [r#"smoke_test("auth", "a\"b")"#]
    );
}

#[test]
fn a_checker_that_there_is_not_is_refused() {
    use crate::checking::CheckPolicy;
    let mut def = definition("suite", "a_test", 7);
    def.checkers = &[("log", CheckPolicy::Off)];
    assert!(collected(vec![plain(def)], None).is_ok());
    let mut def = definition("suite", "a_test", 7);
    def.checkers = &[("lgo", CheckPolicy::Off)];
    let error = collected(vec![plain(def)], None).unwrap_err().to_string();
    assert!(
        error.starts_with("unknown checker `lgo` in the test `a_test`"),
        "{error}"
    );
}
