//! Every setting has one name on the command line, in the environment and in the file.

use super::{suite, tests};

#[test]
fn the_environment_says_what_flags_say() {
    let ran = suite(&[])
        .env("ARMADILLO_MARKERS", "smoke_test")
        .env("ARMADILLO_SHOW_OUTPUT", "true")
        .env("ARMADILLO_SEED", "42")
        .run();
    assert_eq!(tests(&ran), ["pass::prints"]);
    assert!(
        ran.stdout.contains("printed by a test that passes"),
        "{}",
        ran.said()
    );
    assert_eq!(ran.results()["seed"], "42");
    let ran = suite(&["pass::one"]).env("RUST_TEST_THREADS", "3").run();
    assert_eq!(ran.results()["workers"], 3);
}

#[test]
fn the_file_says_what_flags_say() {
    let toml =
        "parallel = 3\nseed = 1\n[profile.ci]\nseed = 2\n[markers]\nnightly = \"in the night\"\n";
    let run = |args: &[&str]| suite(args).file("armadillo.toml", toml).run();
    let ran = run(&["pass::one"]);
    assert_eq!(
        (&ran.results()["workers"], &ran.results()["seed"]),
        (&3.into(), &"1".into())
    );
    let ran = run(&["pass::one", "--profile=ci"]);
    assert_eq!(
        (&ran.results()["workers"], &ran.results()["seed"]),
        (&3.into(), &"2".into())
    );
    let ran = run(&["pass::one", "--profile=ci", "--seed=3", "-n=1"]);
    assert_eq!(
        (&ran.results()["workers"], &ran.results()["seed"]),
        (&1.into(), &"3".into())
    );
    assert!(run(&["--list-markers"]).stdout.contains("nightly"));
    let ran = suite(&["pass::one"])
        .file("armadillo.toml", toml)
        .env("ARMADILLO_SEED", "9")
        .run();
    assert_eq!(ran.results()["seed"], "9");
}
