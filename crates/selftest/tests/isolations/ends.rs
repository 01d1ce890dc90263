//! How runs end, and what they leave to the runs after them.

use armadillo_selftest::Ran;
use armadillo_selftest::wait::{LIMIT, until};

use super::{EVERYWHERE, suite};

/// The deployments for which `what` was said, sorted.
fn said_of(ran: &Ran, what: &str) -> Vec<String> {
    let place = std::fs::read_dir(ran.home().join("meeting"));
    let files = place.into_iter().flatten().flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    let mut of = names
        .filter_map(|name| Some(name.strip_prefix(what)?.to_owned()))
        .collect::<Vec<_>>();
    of.sort();
    of
}

fn check_fixtures(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let made = said_of(ran, "set-up.");
    assert_eq!(made.len(), 2, "{made:?}\n{}", ran.said());
    assert_eq!(said_of(ran, "torn-down."), made, "{}", ran.said());
    assert!(!ran.stderr.contains("warning"), "{}", ran.said());
    assert_eq!(ran.remains(), [""; 0]);
}

#[test]
fn kept_fixtures_are_torn_down_everywhere() {
    for isolation in EVERYWHERE {
        for slots in ["1", "2"] {
            let ran = suite(&["keeps::", "--isolation", isolation, "-n", slots]).run();
            check_fixtures(&ran);
        }
    }
}

/// Two deployments of which one fits: the first makes room when it is not needed for the moment, and is needed again.
#[test]
fn kept_fixtures_are_torn_down_before_a_deployment_makes_room() {
    for isolation in EVERYWHERE {
        let ran = suite(&["keeps::", "--isolation", isolation, "--memory", "16"]).run();
        check_fixtures(&ran);
    }
}

/// A run that goes on keeps its files, however many others begin and end meanwhile.
#[test]
fn later_runs_leave_the_files_of_a_run_alone() {
    for isolation in EVERYWHERE {
        let going_on = suite(&[
            "endless::waits",
            "--isolation",
            isolation,
            "--timeout",
            "1h",
        ]);
        let runs = going_on.home().join("runs");
        let mut going_on = going_on.start();
        let started = until(LIMIT, || {
            let here = going_on.home().join("meeting/waits").exists();
            (here || going_on.has_ended()).then_some(())
        });
        assert!(
            started.is_some() && !going_on.has_ended(),
            "{}",
            going_on.stderr()
        );
        let own = going_on.runs();
        for _ in 0..12 {
            let other =
                suite(&["many", "--isolation", "in-process"]).env("ARMADILLO_OUTPUT_DIR", &runs);
            assert_eq!(other.run().code, Some(0));
        }
        let left = going_on.runs();
        assert!(
            left.len() < 13 && own.iter().all(|run| left.contains(run)),
            "{own:?} of {left:?}"
        );
        going_on.signal(rustix::process::Signal::INT);
        assert_eq!(going_on.wait().code, Some(130));
    }
}

/// A test in this process may change the working directory: relative paths are meant from where the run began.
#[test]
fn relative_paths_are_meant_from_where_the_run_began() {
    for isolation in EVERYWHERE {
        let ran = suite(&["goes_elsewhere", "--isolation", isolation])
            .args(["--history", "times/history.jsonl", "--logfile", "log"])
            .env("ARMADILLO_OUTPUT_DIR", "runs")
            .run();
        assert_eq!(ran.code, Some(0), "{}", ran.said());
        assert!(
            ran.home().join("times/history.jsonl").is_file(),
            "{}",
            ran.said()
        );
        let log = std::fs::read_to_string(ran.home().join("log"));
        assert_eq!(
            log.ok().as_deref(),
            Some("ok goes_elsewhere\n"),
            "{}",
            ran.said()
        );
        assert_eq!(ran.verdict("goes_elsewhere"), "passed");
    }
}
