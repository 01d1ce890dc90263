use std::borrow::Cow;
use std::fmt::Write;

use proptest::prelude::*;

use super::{Expression, Language, Node, Term, select};
use crate::collect::Test;
use crate::collect::tests::{definition, marked};
use crate::options::{IgnoredTests, Selection};
use crate::test_def::MarkerUse;

fn markers(text: &str) -> Expression {
    Expression::parse(text, Language::Markers).unwrap()
}

fn keywords(text: &str) -> Expression {
    Expression::parse(text, Language::Keywords).unwrap()
}

const SLOW: MarkerUse = MarkerUse {
    name: "slow",
    args: &[],
};
const FLAKY: MarkerUse = MarkerUse {
    name: "flaky",
    args: &[],
};
const AUTH: MarkerUse = MarkerUse {
    name: "suite",
    args: &["auth", "http"],
};

#[test]
fn not_binds_closer_than_and_and_and_closer_than_or() {
    let text = "not slow and flaky or suite";
    assert!(markers(text).matches_markers(&[FLAKY][..]));
    assert!(markers(text).matches_markers(&[SLOW, AUTH][..]));
    assert!(!markers(text).matches_markers(&[SLOW, FLAKY][..]));
    assert!(!markers("not (slow or flaky)").matches_markers(&[FLAKY][..]));
    assert!(markers("not not slow").matches_markers(&[SLOW][..]));
}

#[test]
fn a_marker_with_arguments_wants_all_of_them() {
    for (text, holds) in [
        ("suite", true),
        ("suite(\"auth\")", true),
        ("suite(auth)", true),
        ("suite('http', \"auth\")", true),
        ("suite(\"auth\", \"aql\")", false),
        ("suite(\"AUTH\")", false),
    ] {
        assert_eq!(markers(text).matches_markers(&[AUTH][..]), holds, "{text}");
    }
}

#[test]
fn a_keyword_holds_for_a_part_of_a_name_in_any_case() {
    for (text, holds) in [
        ("auth::login", true),
        ("LOGIN and not logout", true),
        ("'in::as root'", false),
        ("\"s::case-1\"", true),
        ("login or", false),
    ] {
        let expression = Expression::parse(text, Language::Keywords);
        let matches = expression.is_ok_and(|e| e.matches_name("auth::Login_works::case-1"));
        assert_eq!(matches, holds, "{text}");
    }
}

#[test]
fn an_expression_keeps_its_text_and_can_be_written_shorter() {
    let expression = markers("((slow)) and (not(flaky) or suite( auth ))");
    assert_eq!(
        expression.text(),
        "((slow)) and (not(flaky) or suite( auth ))"
    );
    assert_eq!(
        expression.to_string(),
        "slow and (not flaky or suite(\"auth\"))"
    );
    assert_eq!(keywords("'and'").to_string(), "\"and\"");
}

#[test]
fn errors_show_the_place_the_reason_and_a_suggestion() {
    let mut shown = String::new();
    for text in [
        "",
        "   ",
        "slow and",
        "and slow",
        "slow or or flaky",
        "not",
        "(slow",
        "slow)",
        "slow flaky",
        "slow, flaky",
        "(slow flaky)",
        "()",
        "slow && flaky",
        "!slow",
        "slow AND flaky",
        "suite(",
        "suite()",
        "suite(\"auth\"",
        "suite(\"auth)",
        "suite(\"auth\" \"http\")",
        "name = 3",
        "größe\tund § wert",
        "''",
    ] {
        let error = Expression::parse(text, Language::Markers).unwrap_err();
        writeln!(shown, "-m {text:?}\n{error}\n").unwrap();
    }
    for text in ["", "login and", "login(\"x\")", "log in"] {
        let error = Expression::parse(text, Language::Keywords).unwrap_err();
        writeln!(shown, "-k {text:?}\n{error}\n").unwrap();
    }
    for text in ["slwo", "slow and not gpu_only", "FLAKY"] {
        let error = markers(text)
            .check_declared(&["flaky", "suite", "slow"])
            .unwrap_err();
        writeln!(shown, "-m {text:?}\n{error}\n").unwrap();
    }
    insta::assert_snapshot!("expression_errors", shown);
}

#[test]
fn nesting_without_end_is_refused_and_long_chains_are_not() {
    for text in ["(".repeat(100_000), "not ".repeat(100_000)] {
        assert!(Expression::parse(&text, Language::Markers).is_err());
    }
    let chain = vec!["slow"; 100_000].join(" and ");
    assert!(markers(&chain).matches_markers(&[SLOW][..]));
}

fn test(name: &'static str, marks: &'static [MarkerUse], ignore: Option<&'static str>) -> Test {
    let def = marked(definition("suite::net", name, 1), marks, ignore);
    Test::new(def, Cow::Borrowed(marks))
}

/// The fate of each test: `run`, the reason it is ignored, or nothing when it is filtered out.
fn fates(selection: &Selection) -> String {
    let tests = vec![
        test("quick", &[], None),
        test("lasting", &[SLOW], None),
        test("shaky", &[FLAKY, AUTH], None),
        test("both", &[SLOW, FLAKY], None),
        test("broken", &[SLOW], Some("waits for a fix")),
    ];
    let selected = select(tests, selection);
    let run = selected
        .run
        .iter()
        .map(|test| format!("{}: run", test.name));
    let ignored = selected
        .ignored
        .iter()
        .map(|(test, why)| format!("{}: {why}", test.name));
    let mut lines: Vec<String> = run.chain(ignored).collect();
    lines.push(format!("{} filtered out", selected.filtered_out));
    lines.join("\n")
}

#[test]
fn every_test_is_run_ignored_with_a_reason_or_filtered_out() {
    let plain = Selection::default();
    let mut shown = String::new();
    for (title, selection) in [
        ("nothing said", plain.clone()),
        (
            "--runslow",
            Selection {
                slow: true,
                ..plain.clone()
            },
        ),
        (
            "--runslow --flaky",
            Selection {
                slow: true,
                flaky: true,
                ..plain.clone()
            },
        ),
        (
            "-m slow",
            Selection {
                markers: Some(markers("slow")),
                ..plain.clone()
            },
        ),
        (
            "-m 'not slow'",
            Selection {
                markers: Some(markers("not slow")),
                ..plain.clone()
            },
        ),
        (
            "-m slow --include-ignored",
            Selection {
                markers: Some(markers("slow")),
                ignored: IgnoredTests::Include,
                ..plain.clone()
            },
        ),
        (
            "--ignored",
            Selection {
                ignored: IgnoredTests::Only,
                ..plain.clone()
            },
        ),
        (
            "--ignored --runslow",
            Selection {
                slow: true,
                ignored: IgnoredTests::Only,
                ..plain.clone()
            },
        ),
        (
            "quick shak",
            Selection {
                filters: vec!["quick".into(), "shak".into()],
                ..plain.clone()
            },
        ),
        (
            "--exact net::quick shak",
            Selection {
                exact: true,
                filters: vec!["net::quick".into(), "shak".into()],
                ..plain.clone()
            },
        ),
        (
            "--skip net::b",
            Selection {
                skip: vec!["net::b".into()],
                ..plain.clone()
            },
        ),
        (
            "--exact --skip net::b",
            Selection {
                exact: true,
                skip: vec!["net::b".into()],
                ..plain.clone()
            },
        ),
        (
            "-k 'QUICK or last'",
            Selection {
                keywords: Some(keywords("QUICK or last")),
                ..plain
            },
        ),
    ] {
        writeln!(shown, "{title}\n{}\n", fates(&selection)).unwrap();
    }
    insta::assert_snapshot!("fates", shown);
}

/// Any tree over some awkward words, at most four deep.
fn trees(language: Language) -> impl Strategy<Value = Node> {
    let words = prop_oneof![
        "[a-z_]{1,8}",
        Just("not".to_owned()),
        "[ -!#-&(-~é]{1,6}",
        "[a-z']{1,4}",
    ];
    let args = match language {
        Language::Markers => proptest::collection::vec("[ -!#-~ü]{0,5}", 0..3).boxed(),
        Language::Keywords => Just(Vec::new()).boxed(),
    };
    let term = (words, args).prop_map(|(word, args)| {
        Node::Term(Term {
            word,
            args,
            place: 0..0,
        })
    });
    term.prop_recursive(4, 32, 3, |inner| {
        let parts = || proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            parts().prop_map(Node::And),
            parts().prop_map(Node::Or),
            inner.clone().prop_map(|part| Node::Not(Box::new(part))),
        ]
    })
}

/// What a tree says, computed as plainly as can be.
fn naive(node: &Node, word: &dyn Fn(&str) -> bool) -> bool {
    match node {
        Node::Term(term) => word(&term.word),
        Node::Not(part) => !naive(part, word),
        Node::And(parts) => parts.iter().fold(true, |all, part| all & naive(part, word)),
        Node::Or(parts) => parts
            .iter()
            .fold(false, |any, part| any | naive(part, word)),
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(tree in trees(Language::Markers)) {
        let text = tree.to_string();
        let read = Expression::parse(&text, Language::Markers);
        prop_assert_eq!(read.map(|e| e.root().clone()), Ok(tree));
    }

    #[test]
    fn evaluation_agrees_with_the_naive_one(tree in trees(Language::Keywords), name in "[a-z_ é]{0,30}") {
        let expression = Expression::parse(&tree.to_string(), Language::Keywords).unwrap();
        let contains = |word: &str| name.contains(&word.to_lowercase());
        prop_assert_eq!(expression.matches_name(&name), naive(&tree, &contains));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,60}|[()\"', andortslwé]{0,60}") {
        for language in [Language::Markers, Language::Keywords] {
            match Expression::parse(&text, language) {
                Ok(expression) => _ = expression.check_declared(&["slow"]).map_err(|e| e.to_string()),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
