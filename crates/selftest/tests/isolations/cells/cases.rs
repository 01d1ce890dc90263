//! One case for each setting: how it is said, and how one sees that it holds.

use super::places::{Place, Seen};

pub(super) struct Case {
    pub(super) setting: &'static str,
    pub(super) value: &'static str,
    /// The name of a test.
    pub(super) tests: &'static str,
    /// Where several can run: a part of their names.
    pub(super) many: &'static str,
    /// What is said beside it.
    pub(super) with: &'static [(&'static str, &'static str)],
    /// It can be said on a command line only.
    pub(super) only_flag: bool,
    /// Whether it does what it is to do.
    pub(super) holds: fn(&Place, &Seen) -> bool,
}

const fn case(
    setting: &'static str,
    value: &'static str,
    tests: &'static str,
    holds: fn(&Place, &Seen) -> bool,
) -> Case {
    Case {
        setting,
        value,
        tests,
        many: tests,
        with: &[],
        only_flag: false,
        holds,
    }
}

impl Case {
    const fn with(mut self, with: &'static [(&'static str, &'static str)]) -> Self {
        self.with = with;
        self
    }

    const fn many(mut self, many: &'static str) -> Self {
        self.many = many;
        self
    }
}

/// One that changes nothing.
const fn accepted(setting: &'static str, value: &'static str) -> Case {
    let mut case = case(setting, value, "prints", |_, seen| passed(seen, "prints"));
    case.only_flag = true;
    case
}

pub(super) const CASES: &[Case] = &[
    case("markers", "slow", "prints", nothing_ran),
    case("keywords", "other", "prints", nothing_ran),
    case("exact", "true", "print", nothing_ran),
    case("skip", "prints", "prints", nothing_ran),
    case("runslow", "true", "told::slow", |_, seen| {
        passed(seen, "told::slow")
    }),
    case("stress", "true", "told::stress", |_, seen| {
        passed(seen, "told::stress")
    }),
    case("flaky", "true", "told::flaky", |_, seen| {
        passed(seen, "told::flaky")
    }),
    case("include-ignored", "true", "told::ignored", |_, seen| {
        passed(seen, "told::ignored")
    }),
    case("ignored", "true", "told::ignored", |_, seen| {
        passed(seen, "told::ignored")
    }),
    case("last-failed", "true", "prints", |_, seen| {
        let said = "none of the selected tests failed in its last run";
        seen.ran.printed(said) && passed(seen, "prints")
    }),
    case("topology", "another", "prints", nothing_ran),
    case("shard", "2/2", "prints", |place, seen| {
        if place.surroundings.nextest {
            return passed(seen, "prints");
        }
        if place.surroundings.own_main {
            // What is asked for on its command line is chosen from the shard.
            return seen.ran.stderr.contains("shard 2 of 2");
        }
        seen.ran.stderr.contains("shard 2 of 2 has no tests")
    }),
    case("list", "true", "prints", |_, seen| {
        only_says(seen, "prints: test\n")
    }),
    case("verbose", "true", "prints", |_, seen| {
        let said = "--verbose has no effect without --list";
        seen.ran.stderr.contains(said) && passed(seen, "prints")
    }),
    case("list-markers", "true", "prints", |_, seen| {
        only_says(seen, "slow")
    }),
    case("plan", "true", "prints", |_, seen| {
        only_says(seen, "prints")
    }),
    case("doctor", "true", "prints", |_, seen| {
        seen.code == Some(4) && seen.ran.stdout.contains("0 hold")
    }),
    case("json", "found.json", "prints", |_, seen| {
        let said = seen
            .ran
            .stderr
            .contains("--json has no effect without --doctor");
        said && passed(seen, "prints")
    }),
    case("report-from", "nowhere", "prints", |_, seen| {
        seen.code == Some(2) && seen.ran.stderr.contains("nowhere")
    }),
    case("parallel", "3", "many::a", at_once).many("many"),
    case("test-threads", "3", "many::a", at_once).many("many"),
    // What the history says is looked at where there are several runs.
    case("failed-first", "true", "prints", |_, seen| {
        passed(seen, "prints")
    }),
    case("new-first", "true", "prints", |_, seen| {
        passed(seen, "prints")
    }),
    case("failfast", "true", "told::fails::a", one_failed).many("told::fails::"),
    case("maxfail", "1", "told::fails::a", one_failed).many("told::fails::"),
    case("isolation", "its own", "prints", isolation),
    // It takes so long that every runner looks at its clock before the end.
    case(
        "timeout",
        "300ms",
        "told::takes_five_seconds",
        |place, seen| {
            if place.surroundings.debugger {
                return passed(seen, "told::takes_five_seconds");
            }
            seen.ran.verdict("told::takes_five_seconds") == "timed_out" && seen.code == Some(101)
        },
    ),
    case(
        "run-timeout",
        "300ms",
        "told::takes_five_seconds",
        |place, seen| {
            if place.surroundings.debugger {
                return passed(seen, "told::takes_five_seconds");
            }
            seen.code == Some(124)
        },
    ),
    case(
        "timeout-factor",
        "0.005",
        "told::takes_five_seconds",
        |place, seen| {
            if place.surroundings.debugger {
                return passed(seen, "told::takes_five_seconds");
            }
            seen.ran
                .message("told::takes_five_seconds")
                .contains("300ms")
        },
    ),
    case(
        "slow-timeout",
        "300ms",
        "told::takes_five_seconds",
        |place, seen| {
            let told = seen
                .ran
                .stderr
                .contains("slow: told::takes_five_seconds has been running for");
            passed(seen, "told::takes_five_seconds") && told != place.surroundings.debugger
        },
    ),
    case("retries", "3", "retried::three_times", |_, seen| {
        seen.code == Some(0) && passed(seen, "retried::three_times")
    }),
    case("repeat", "2", "prints", |_, seen| {
        passed(seen, "prints") && passed(seen, "prints#2")
    }),
    // How often is a matter of the machine; that it is counted is not.
    case("stress-for", "200ms", "prints", |_, seen| {
        let tests = &seen.ran.results()["tests"];
        let passed = tests[0]["repetitions"]["passed"].as_u64();
        tests.as_array().is_some_and(|tests| tests.len() == 1) && passed >= Some(1)
    }),
    // The test is ignored, unless a script begins it.
    case("script", "script.json", "told::ignored", |_, seen| {
        passed(seen, "told::ignored")
    }),
    case("seed", "42", "prints", |_, seen| {
        seen.ran.results()["seed"] == "42"
    }),
    case("rounds", "7", "told::plays_seven_rounds", |_, seen| {
        passed(seen, "told::plays_seven_rounds")
    }),
    case("shuffle", "true", "prints", shuffled)
        .with(&[("seed", "3"), ("repeat", "4")])
        .many("many"),
    case("shuffle-seed", "3", "prints", shuffled)
        .with(&[("repeat", "4")])
        .many("many"),
    case("no-tests", "fail", "no_such_test", |_, seen| {
        seen.code == Some(4)
    }),
    case("inconclusive", "ignore", "told::cannot_tell", |_, seen| {
        seen.code == Some(0) && seen.ran.verdict("told::cannot_tell") == "skipped"
    }),
    case(
        "thread-per-test",
        "false",
        "told::has_a_thread_of_another_name",
        |_, seen| passed(seen, "told::has_a_thread_of_another_name"),
    ),
    case(
        "missing",
        "brittle=ignore",
        "told::leaves_something",
        |_, seen| seen.code == Some(0) && seen.ran.events("test_ignored").len() == 1,
    )
    .with(&[("brittle", "PATH")]),
    case(
        "checker",
        "leftovers=warn",
        "told::leaves_something",
        |_, seen| seen.ran.stderr.contains("leftovers: 1 left over") && seen.code == Some(0),
    )
    .with(&[("repeat", "2")]),
    case("copies", "2", "keeps::on_another", |place, seen| {
        if place.many {
            return passed(seen, "told::meet::one") && passed(seen, "told::meet::other");
        }
        passed(seen, "keeps::on_another")
    })
    .many("told::meet"),
    case("memory", "4", "told::fails_on_a_server", |_, seen| {
        seen.ran
            .message("told::fails_on_a_server")
            .contains("raise the limit with --memory")
    }),
    case(
        "keep-on-failure",
        "true",
        "told::fails_on_a_server",
        |_, seen| seen.ran.stderr.contains("stdin is not a terminal"),
    ),
    // The daemon that has its server outlives the run, and has a directory of its own.
    case("reuse", "1s", "keeps::on_another", |place, seen| {
        let directories = if place.surroundings.nextest { 1 } else { 2 };
        seen.ran.runs().len() == directories
    }),
    case(
        "cores",
        "none",
        "told::has_a_server_without_cores",
        |_, seen| passed(seen, "told::has_a_server_without_cores"),
    ),
    case("tls", "true", "told::fails_on_a_server", |_, seen| {
        let note = "--tls has no effect on deployments of tally";
        seen.ran.stderr.contains(note)
    }),
    case("record", "nothing", "told::fails_on_a_server", |_, seen| {
        seen.ran.printed("has the role `nothing`")
    }),
    case("cgroup", "off", "prints", |_, seen| {
        let started = seen.ran.events("run_started");
        !started[0]["protections"]
            .to_string()
            .contains("control group")
    }),
    case(
        "statistics-interval",
        "off",
        "told::leaves_something",
        |_, seen| {
            let said = seen.ran.events("deployment");
            let sampled = said
                .iter()
                .any(|event| event["notice"]["notice"] == "statistics");
            !said.is_empty() && !sampled
        },
    ),
    case(
        "servers-dir",
        "my-servers",
        "told::leaves_something",
        |_, seen| {
            // The version is not there: the error says where it was looked for.
            let home = seen.ran.home().join("my-servers");
            let looked = format!("brittle 1.2.3 is not in {}", home.display());
            seen.code == Some(3) && seen.ran.stderr.contains(&looked)
        },
    )
    .with(&[("brittle", "1.2.3")]),
    case("runtime-dir", "private", "prints", |place, seen| {
        // Only what has a daemon needs it.
        let has_one = matches!(place.word, "workers" | "process");
        passed(seen, "prints") && seen.ran.home().join("private").is_dir() == has_one
    }),
    case("output-dir", "elsewhere", "prints", |_, seen| {
        seen.ran
            .home()
            .join("elsewhere/latest/results.json")
            .is_file()
    }),
    case("history", "times/history.jsonl", "prints", |_, seen| {
        seen.ran.home().join("times/history.jsonl").is_file()
    }),
    case("format", "json", "prints", |_, seen| {
        seen.ran.stdout.contains("\"event\": \"ok\"")
            || seen.ran.stdout.contains("\"event\":\"ok\"")
    }),
    case("quiet", "true", "prints", |_, seen| {
        passed(seen, "prints") && !seen.ran.stdout.contains("test prints")
    }),
    case("color", "always", "prints", |_, seen| {
        passed(seen, "prints") && seen.ran.stdout.contains("\x1b[")
    }),
    case("nocapture", "true", "prints", shows),
    case("show-output", "true", "prints", shows),
    case("failure-output", "immediate", "fails", |_, seen| {
        seen.ran
            .stderr
            .contains("---- fails ----\nfailed: on purpose\n")
    }),
    case("durations", "1", "prints", |_, seen| {
        seen.ran.stderr.contains("slowest")
    }),
    case("report-time", "true", "prints", |_, seen| {
        let timed = |line: &str| line.contains("test prints ... ok <") && line.ends_with("s>");
        seen.ran.stdout.lines().any(timed)
    }),
    case("logfile", "log", "prints", |_, seen| {
        std::fs::read_to_string(seen.ran.home().join("log")).is_ok_and(|log| log == "ok prints\n")
    }),
    case("annotations", "github", "told::fails::a", |_, seen| {
        let line = seen
            .ran
            .stderr
            .lines()
            .find(|line| line.starts_with("::error "));
        line.is_some_and(|line| line.contains("title=told%3A%3Afails%3A%3Aa::failed"))
    }),
    case("report-live", "true", "prints", |_, seen| {
        seen.ran.printed("live report: http://127.0.0.1:")
    }),
    case("trace", "traces/run.json", "prints", |_, seen| {
        let trace = std::fs::read(seen.ran.home().join("traces/run.json")).unwrap_or_default();
        let trace: serde_json::Value = serde_json::from_slice(&trace).unwrap_or_default();
        let events = trace["traceEvents"].as_array();
        events.is_some_and(|all| {
            all.iter()
                .any(|event| event["ph"] == "X" && event["name"] == "prints")
        })
    }),
    case("profile", "ci", "prints", |_, seen| {
        seen.ran.results()["seed"] == "7"
    }),
    case("config", "other.toml", "prints", |_, seen| {
        seen.ran.results()["seed"] == "8"
    }),
    accepted("test", "true"),
    accepted("bench", "true"),
    accepted("ensure-time", "true"),
    accepted("force-run-in-process", "true"),
    accepted("exclude-should-panic", "true"),
    accepted("unstable", "unstable-options"),
];

fn passed(seen: &Seen, test: &str) -> bool {
    seen.ran.verdict(test) == "passed"
}

fn nothing_ran(place: &Place, seen: &Seen) -> bool {
    let said = if place.surroundings.own_main {
        seen.ran.stdout.contains("running 0 tests")
    } else {
        seen.ran.stderr.contains("no tests were selected")
    };
    said && seen.ran.runs().is_empty()
}

fn only_says(seen: &Seen, text: &str) -> bool {
    seen.code == Some(0) && seen.ran.stdout.contains(text) && seen.ran.runs().is_empty()
}

/// As many as were asked for, or as there are tests.
fn at_once(place: &Place, seen: &Seen) -> bool {
    let sayable = place.many && !place.surroundings.own_main;
    seen.ran.results()["workers"] == if sayable { 3 } else { 1 }
}

/// Of three that fail, if there are three.
fn one_failed(_: &Place, seen: &Seen) -> bool {
    seen.code == Some(101) && seen.ran.events("test_finished").len() == 1
}

fn isolation(place: &Place, seen: &Seen) -> bool {
    passed(seen, "prints") && seen.ran.results()["isolation"] == place.word
}

/// The tests began in another order than that of their names.
fn shuffled(_: &Place, seen: &Seen) -> bool {
    let started = seen.ran.events("test_started");
    let names: Vec<&str> = started
        .iter()
        .filter_map(|started| started["test"].as_str())
        .collect();
    !names.is_sorted() && seen.ran.results()["seed"] == "3"
}

fn shows(_: &Place, seen: &Seen) -> bool {
    seen.ran.stdout.contains("printed by a test that passes")
}
