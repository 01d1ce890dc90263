//! Whose calls count, and how places are written.

use super::*;

fn code() -> Code {
    Code {
        root: Some("/home/ada/shop".into()),
        package: "armadillo_shop".into(),
        binary: "suite".into(),
    }
}

fn frame(function: &str, place: &str) -> Frame {
    Frame {
        function: function.into(),
        place: place.into(),
    }
}

#[test]
fn only_the_authors_functions_count() {
    let code = code();
    for (function, place) in [
        ("suite::pays", "tests/suite.rs:12:5"),
        (
            "<suite::Shop as core::ops::Drop>::drop",
            "tests/shop.rs:10:5",
        ),
        ("armadillo_shop::helper", "src/lib.rs:3:1"),
    ] {
        assert!(code.is_own(function, place), "{function}");
    }
    for (function, place) in [
        (
            "core::panicking::panic",
            "/rustc/5980/library/core/src/panicking.rs:1:1",
        ),
        (
            "tokio::task",
            "/root/.cargo/registry/src/index-1/tokio-1/src/task.rs:1:1",
        ),
        ("armadillo_harness::fixture::run", "../armadillo/run.rs:1:1"),
        (
            "<armadillo_harness::Caught<F> as Future>::poll",
            "../armadillo/p.rs:1:1",
        ),
        ("armadillo::main", "../armadillo/lib.rs:1:1"),
        ("std::thread::park", "library/std/src/thread/thread.rs:121"),
        ("start_thread", "./nptl/pthread_create.c:442:8"),
        (
            "body_async",
            concat!(env!("CARGO_MANIFEST_DIR"), "/src/fixture/run.rs:1:1"),
        ),
    ] {
        assert!(!code.is_own(function, place), "{function}");
    }
    let crates = env!("CARGO_MANIFEST_DIR").trim_end_matches("-harness");
    let neighbour = format!("{crates}-orchestrator/src/deadline.rs:46:56");
    assert!(!code.is_own("{async_fn#0}<..>", &neighbour));
}

#[test]
fn files_are_named_as_the_compiler_names_them() {
    let code = code();
    for (absolute, relative) in [
        ("/home/ada/shop/tests/suite.rs:3:1", "tests/suite.rs:3:1"),
        ("/elsewhere/lib.rs:3:1", "/elsewhere/lib.rs:3:1"),
    ] {
        assert_eq!(code.relative(absolute.to_owned()), relative);
    }
}

#[test]
fn functions_are_named_as_tests_are() {
    let code = code();
    for (function, short) in [
        ("suite::cart::pays::{{closure}}::{{closure}}", "cart::pays"),
        (
            "<suite::Cart as harness::Fixture>::setup::{{closure}}",
            "Cart::setup",
        ),
        ("<suite::Cart>::pay", "Cart::pay"),
        ("shop::pay", "shop::pay"),
    ] {
        assert_eq!(code.short(function), short);
    }
}

#[test]
fn what_called_the_generated_function_is_left_out() {
    let calls = [
        ("suite::cart::pays", "/home/ada/shop/tests/suite.rs:12:5"),
        (
            "suite::cart::_::_::__INVENTORY::{{closure}}",
            "/home/ada/shop/tests/suite.rs:10:1",
        ),
        ("someone::else", "/home/ada/shop/src/lib.rs:1:1"),
    ];
    let calls = calls.map(|(function, place)| (function.to_owned(), place.to_owned()));
    assert_eq!(
        code().own(calls),
        [frame("cart::pays", "tests/suite.rs:12:5")]
    );
}

#[test]
fn a_backtrace_is_read() {
    let text = "   0: core::panicking::panic_fmt\n             at /rustc/59/library/core/src/panicking.rs:80:14\n   \
                1: suite::pay::{{closure}}\n             at ./tests/suite.rs:12:5\n   2: __libc_start_main\n";
    let panicking = "/rustc/59/library/core/src/panicking.rs:80:14";
    assert_eq!(
        functions(text),
        [
            (
                "core::panicking::panic_fmt".to_owned(),
                panicking.to_owned()
            ),
            (
                "suite::pay::{{closure}}".to_owned(),
                "./tests/suite.rs:12:5".to_owned()
            ),
        ]
    );
}

#[test]
fn the_place_is_said_once_and_callers_follow() {
    let mut trace = Trace {
        what: What::Failed,
        place: Some("tests/suite.rs:12:9".into()),
        frames: vec![
            frame("suite::pay", "tests/suite.rs:12:5"),
            frame("suite::buys", "tests/suite.rs:30:5"),
        ],
    };
    let callers = "   called at tests/suite.rs:30:5 in suite::buys";
    assert_eq!(
        trace.lines(),
        ["at tests/suite.rs:12:9 in suite::pay", callers]
    );
    trace.what = What::Waits;
    trace.place = Some("tests/suite.rs:13:9".into());
    trace.frames.remove(0);
    assert_eq!(trace.lines(), ["waiting at tests/suite.rs:13:9", callers]);
    trace.frames = vec![frame("{async_block#0}", "tests/suite.rs:13:5")];
    assert_eq!(trace.lines(), ["waiting at tests/suite.rs:13:9"]);
}

#[test]
fn an_origin_knows_where_it_is() {
    let origin = Origin::at(Some(Location::caller()));
    let trace = origin.resolve(What::Failed);
    let place = trace.place.unwrap_or_default();
    assert!(place.contains("trace/tests.rs:"), "{place}");
}
