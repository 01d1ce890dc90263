//! What is shown without running anything.

use armadillo_selftest::Suite;

use super::run;

#[test]
fn the_list_in_three_formats() {
    let names = ["pass::one::a", "pass::one::b"];
    let terse = "pass::one::a: test\npass::one::b: test\n";
    let args = ["--list", "one::a", "one::b", "--skip=fail"];
    let pretty = run(&args);
    assert_eq!((pretty.code, pretty.stderr.as_str()), (Some(0), ""));
    assert_eq!(pretty.stdout, format!("{terse}\n2 tests, 0 benchmarks\n"));
    assert_eq!(
        run(&[&args[..], &["--format=terse"]].concat()).stdout,
        terse
    );
    let json = run(&[&args[..], &["--format=json", "-Zunstable-options"]].concat()).stdout;
    let objects = json
        .lines()
        .map(|line| serde_json::from_str(line).expect(line));
    let objects: Vec<serde_json::Value> = objects.collect();
    assert_eq!(objects[0]["event"], "discovery");
    assert_eq!(objects[1]["name"], names[0]);
    assert_eq!(objects[2]["name"], names[1]);
    assert_eq!(
        (&objects[3]["event"], &objects[3]["total"]),
        (&"completed".into(), &2.into())
    );
    let ignored = run(&["--list", "--ignored", "--format=terse"]);
    assert_eq!(
        ignored.stdout,
        "names_another_version: test\nnames_another_program: test\npass::slowly: test\npass::another_day: test\n"
    );
    assert!(pretty.runs().is_empty() && ignored.runs().is_empty());
}

#[test]
fn the_markers() {
    let ran = run(&["--list-markers"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    // Systems that are built in declare more, and the column is as wide as the longest name.
    let meaning = ran
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("slow "));
    assert_eq!(
        meaning.map(str::trim),
        Some("takes a long time; ignored unless --runslow is given"),
        "{}",
        ran.stdout
    );
}

/// Another machine may have the program.
#[test]
fn the_plan_for_programs_has_what_lacks_a_program() {
    let args = ["needs_a_program", "pass::one", "--brittle=PATH"];
    let plan = ["--plan", "--format", "json"];
    for missing in ["brittle=ignore", "brittle=fail"] {
        let ran = run(&[&args[..], &plan, &["--missing", missing]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.said());
        let plan: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(plan["tests"].as_array().unwrap().len(), 5, "{plan}");
        let [unavailable] = &plan["unavailable"].as_array().unwrap()[..] else {
            panic!("{plan}");
        };
        assert_eq!(unavailable["test"], "needs_a_program");
        assert_eq!(unavailable["topologies"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn the_plan_starts_nothing() {
    let ran = run(&["--plan", "endless", "pass::another", "needs"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (
            Some(0),
            "brittle: tally (built in) 1.0\ntally: tally (built in) 1.0\n\n\
             no deployment: 1 test\n  endless::with_a_child\n\n\
             brittle server(broken = 0): 1 test\n  needs_a_program\n\n\
             tally servers(servers = 1): 1 test\n  endless::on_a_server\n\n\
             ignored: 1\n  pass::another_day: not today\n",
            ""
        )
    );
    assert!(ran.runs().is_empty(), "a run was begun");
}

#[test]
fn the_help_fits_a_terminal() {
    for args in [["--help"], ["-h"]] {
        let ran = super::suite(&args).env("COLUMNS", "80").run();
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        let longest = ran.stdout.lines().max_by_key(|line| line.chars().count());
        assert!(
            longest.is_some_and(|line| line.chars().count() <= 80),
            "{longest:?}"
        );
        for word in ["--markers", "--parallel", "--brittle", "ARMADILLO_", "124"] {
            assert!(ran.stdout.contains(word), "{word}\n{}", ran.stdout);
        }
    }
}

#[test]
fn the_slowest_tests() {
    let ran = run(&["pass::one", "--durations", "2"]);
    let (_, slowest) = ran
        .stderr
        .split_once("  slowest 2 tests:\n")
        .expect(&ran.stderr);
    let lines = slowest.lines().take_while(|line| line.contains("(set-up "));
    assert_eq!(lines.count(), 2, "{slowest}");
}

#[test]
fn output_of_tests_that_pass() {
    let printed = "printed by a test that passes\n";
    assert!(!run(&["pass::prints"]).stdout.contains(printed));
    let shown = run(&["pass::prints", "--show-output"]).stdout;
    let block = format!("---- pass::prints stdout ----\n{printed}");
    assert!(shown.contains(&block), "{shown}");
    assert!(
        run(&["pass::prints", "--nocapture"])
            .stdout
            .contains(printed)
    );
    assert!(run(&["pass", "--nocapture"]).stdout.contains(printed));
}

/// Whoever copies an example of the help gets what it says.
#[test]
fn every_example_of_the_help_works() {
    let help = run(&["--help"]).stdout;
    let examples: Vec<Vec<String>> = (help.lines())
        .filter_map(|line| line.strip_prefix("  cargo test -- "))
        .map(words)
        .collect();
    assert_eq!(examples.len(), 4, "{help}");
    for example in examples {
        let ran = Suite::new(env!("CARGO_BIN_EXE_busy")).args(&example).run();
        assert_eq!(ran.code, Some(0), "{example:?}\n{}", ran.said());
        let is_plan = example.iter().any(|word| word == "--plan");
        assert!(!is_plan || ran.runs().is_empty(), "a run was begun");
    }
    // Those in the descriptions of -m and -k.
    for (flag, count) in [("-m", 4), ("-k", 2)] {
        let entry = help.split(&format!("\n  {flag}, --")).nth(1).unwrap();
        let entry = entry.split("\n  -").next().unwrap();
        let entry = entry.split_whitespace().collect::<Vec<_>>().join(" ");
        let quoted = entry.split('`').skip(1).step_by(2);
        let expressions: Vec<&str> = quoted.filter(|text| !text.starts_with('-')).collect();
        assert_eq!(expressions.len(), count, "{entry}");
        for expression in expressions {
            let expression = expression.replace("NAME", "rta_suite");
            let ran = run(&[flag, &expression, "--list"]);
            assert_eq!(ran.code, Some(0), "{}", ran.said());
        }
    }
}

/// The words of a line, as a shell reads them that meets nothing but words and quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, ' ') => words.push(std::mem::take(&mut word)),
            (_, c) => word.push(c),
        }
    }
    words.push(word);
    words
}
