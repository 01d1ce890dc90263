use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::sample::{begins, ends, event, failed, run, started};
use super::{Closed, Live, Model, Reporter, Screen, junit, rebuild, results, write_files};
use crate::event::{Event, EventKind};
use crate::options::{Format, Options};
use crate::outcome::{FailureKind, Verdict};

/// A stream whose text can be looked at.
#[derive(Clone, Default)]
pub(super) struct Text(Arc<Mutex<Vec<u8>>>);

impl Text {
    pub(super) fn get(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream nobody reads.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn screen(stdout: impl Write + Send + 'static, stderr: &Text, color: bool) -> Screen {
    Screen {
        stdout: Box::new(stdout),
        stderr: Box::new(stderr.clone()),
        logfile: None,
        stdout_color: color,
        stderr_color: color,
        live: None,
    }
}

/// What a run with these options writes to stdout and stderr.
pub(super) fn shown(options: &Options, events: &[Event], color: bool) -> (String, String) {
    let (stdout, stderr) = (Text::default(), Text::default());
    let mut reporter = Reporter::new(options, screen(stdout.clone(), &stderr, color));
    for event in events {
        reporter.on(event).unwrap();
    }
    (stdout.get(), stderr.get())
}

pub(super) fn options(format: Format) -> Options {
    let mut options = Options::default();
    options.showing.format = format;
    options
}

fn model(events: &[Event]) -> Model {
    let mut model = Model::default();
    for event in events {
        model.on(event);
    }
    model
}

#[test]
fn a_part_of_a_run_shows_only_what_is_no_event() {
    let (stdout, stderr) = (Text::default(), Text::default());
    let screen = screen(stdout.clone(), &stderr, false);
    let mut reporter = Reporter::of_part(&options(Format::Pretty), screen);
    for event in run() {
        reporter.on(&event).unwrap();
    }
    reporter.note("a note\n");
    let shown = (stdout.get(), stderr.get());
    assert_eq!(shown, (String::new(), "a note\n".to_owned()));
    // Its reports are made of this.
    assert!(reporter.model().ending.is_some() && !reporter.model().tests.is_empty());
}

#[test]
fn pretty() {
    let (stdout, _) = shown(&options(Format::Pretty), &run(), false);
    insta::assert_snapshot!("pretty", stdout);
}

#[test]
fn terse() {
    let (stdout, _) = shown(&options(Format::Terse), &run(), false);
    insta::assert_snapshot!("terse", stdout);
}

#[test]
fn json() {
    let (stdout, _) = shown(&options(Format::Json), &run(), false);
    for line in stdout.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value.get("type").is_some() && value.get("event").is_some());
    }
    insta::assert_snapshot!("json", stdout);
}

#[test]
fn stderr_says_what_is_done_and_what_came_of_it() {
    let mut options = options(Format::Pretty);
    options.showing.durations = Some(3);
    let (_, stderr) = shown(&options, &run(), false);
    insta::assert_snapshot!("stderr", stderr);
}

#[test]
fn colours_output_of_successes_times_and_the_seed_are_shown_on_request() {
    let mut options = options(Format::Pretty);
    options.showing.show_output = true;
    options.showing.report_time = true;
    options.running.shuffle = true;
    let tests = ["one", "two"].map(|name| crate::event::PlannedTest {
        test: name.to_owned(),
        place: "tests/suite/main.rs:1".to_owned(),
        markers: Vec::new(),
        needs: Vec::new(),
        earlier: None,
        recorded: None,
        expected_us: None,
        origin: None,
    });
    let events = [
        event(0, EventKind::RunStarted(started(tests.to_vec(), 0))),
        begins(1, "two", 1),
        event(
            10,
            EventKind::TestFinished(ends(1_234_567, "two", Verdict::Passed, "hello\n")),
        ),
        begins(1, "one", 1),
        event(
            20,
            EventKind::TestFinished(ends(1_000, "one", failed(FailureKind::Failed, "no"), "")),
        ),
        event(
            60_000,
            EventKind::RunFinished {
                exit_code: 101,
                ended_early: None,
            },
        ),
    ];
    let (stdout, _) = shown(&options, &events, true);
    insta::assert_snapshot!("pretty_with_everything", stdout.replace('\x1b', "ESC"));
}

#[test]
fn a_line_of_terse_characters_ends_where_libtests_does() {
    let names: Vec<String> = (0..100).map(|number| format!("test_{number}")).collect();
    let tests = names.iter().map(|name| crate::event::PlannedTest {
        test: name.clone(),
        place: String::new(),
        markers: Vec::new(),
        needs: Vec::new(),
        earlier: None,
        recorded: None,
        expected_us: None,
        origin: None,
    });
    let mut events = vec![event(0, EventKind::RunStarted(started(tests.collect(), 0)))];
    for name in &names {
        let finished = ends(1, name, Verdict::Passed, "");
        events.push(event(1, EventKind::TestFinished(finished)));
    }
    let (stdout, _) = shown(&options(Format::Terse), &events, false);
    let expected = format!(
        "\nrunning 100 tests\n{} 87/100\n{}",
        ".".repeat(87),
        ".".repeat(13)
    );
    assert_eq!(stdout, expected);
}

#[test]
fn an_empty_run_is_shown_as_libtest_shows_it() {
    let mut nothing = started(Vec::new(), 3);
    nothing.run = String::new();
    let events = [
        event(0, EventKind::RunStarted(nothing)),
        event(
            0,
            EventKind::RunFinished {
                exit_code: 0,
                ended_early: None,
            },
        ),
    ];
    let (stdout, stderr) = shown(&options(Format::Pretty), &events, false);
    assert_eq!(
        stdout,
        "\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.00s\n\n"
    );
    assert_eq!(stderr, "");
}

#[test]
fn a_closed_stdout_is_said_once_and_ends_nothing() {
    let stderr = Text::default();
    let mut reporter = Reporter::new(&options(Format::Pretty), screen(Broken, &stderr, false));
    let results: Vec<Result<(), Closed>> = run().iter().map(|event| reporter.on(event)).collect();
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
    assert_eq!(reporter.relay(b"more"), Ok(()));
    assert_eq!(reporter.model().counts(), model(&run()).counts());
    assert!(stderr.get().contains("stopped early"));
}

#[test]
fn the_log_file_has_a_line_for_each_test() {
    let (stderr, log) = (Text::default(), Text::default());
    let mut screen = screen(io::sink(), &stderr, false);
    screen.logfile = Some(Box::new(log.clone()));
    let mut reporter = Reporter::new(&options(Format::Terse), screen);
    for event in run() {
        reporter.on(&event).unwrap();
    }
    insta::assert_snapshot!(log.get(), @r"
    ignored net::lasts
    ignored broken
    ok adds
    failed subtracts
    ok net::reads
    ok net::writes
    failed net::hangs
    failed net::survives
    ignored net::skips
    failed net::dies
    failed net::leaks
    failed net::waits
    failed net::doubts
    ");
}

#[test]
fn the_live_display_is_drawn_and_taken_off() {
    let stderr = Text::default();
    let mut screen = screen(io::sink(), &stderr, false);
    screen.live = Some(Live {
        size: || (60, 12),
        shares_stdout: true,
    });
    let mut reporter = Reporter::new(&options(Format::Pretty), screen);
    for mut event in run() {
        if let EventKind::RunStarted(started) = &mut event.kind {
            started.expected_us = Some(42_000_000);
            started.tests[0].expected_us = Some(20_000_000);
        }
        let now = event.us;
        reporter.on(&event).unwrap();
        reporter.tick(now + 50_000);
    }
    reporter.erase();
    let text = stderr.get().replace('\r', "CR").replace('\x1b', "ESC");
    insta::assert_snapshot!("live", text);
}

/// A terminal, as far as the display uses one: what is erased is gone.
#[test]
fn nothing_of_the_live_display_stays_on_the_terminal() {
    let stderr = Text::default();
    let mut live_screen = screen(stderr.clone(), &stderr, false);
    live_screen.live = Some(Live {
        size: || (80, 24),
        shares_stdout: true,
    });
    let mut reporter = Reporter::new(&options(Format::Pretty), live_screen);
    for event in run() {
        reporter.tick(event.us);
        reporter.on(&event).unwrap();
        reporter.tick(event.us + 10);
    }
    reporter.erase();
    let both = Text::default();
    let mut plain = Reporter::new(&options(Format::Pretty), screen(both.clone(), &both, false));
    for event in run() {
        plain.on(&event).unwrap();
    }
    assert_eq!(on_terminal(&stderr.get()), both.get());
}

/// The text that stays when `\r ESC[nA ESC[J` have done their work.
fn on_terminal(text: &str) -> String {
    let mut lines = vec![String::new()];
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\n' => lines.push(String::new()),
            '\r' if rest.starts_with("\x1b[") => {
                let (count, after) = rest[2..].split_once('A').unwrap();
                rest = after.strip_prefix("\x1b[J").unwrap();
                let kept = lines.len() - 1 - count.parse::<usize>().unwrap();
                lines.truncate(kept);
                lines.push(String::new());
            }
            c => lines.last_mut().unwrap().push(c),
        }
    }
    lines.join("\n")
}

#[test]
fn junit_and_results_are_as_documented() {
    let model = model(&run());
    insta::assert_snapshot!("junit", junit(&model).unwrap());
    let json = serde_json::to_string_pretty(&results(&model).unwrap()).unwrap();
    insta::assert_snapshot!("results", json);
}

/// The event log as the daemon writes it.
fn log() -> String {
    let lines = run()
        .into_iter()
        .map(|event| serde_json::to_string(&event).unwrap() + "\n");
    lines.collect()
}

#[test]
fn reports_rebuilt_from_the_event_log_are_those_of_the_run() {
    let live = model(&run());
    let rebuilt = rebuild(log().as_bytes()).unwrap();
    assert_eq!(results(&rebuilt), results(&live));
    assert_eq!(junit(&rebuilt).unwrap(), junit(&live).unwrap());

    let directory = tempfile::tempdir().unwrap();
    write_files(directory.path(), &rebuilt).unwrap();
    let text = std::fs::read_to_string(directory.path().join("results.json")).unwrap();
    let read: super::Results = serde_json::from_str(&text).unwrap();
    assert_eq!(Some(read), results(&live));
    let files = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(files, 3, "nothing half written is left");
}

#[test]
fn an_event_log_that_was_cut_off_can_be_read_and_a_damaged_one_is_refused() {
    let whole = log();
    let cut = &whole[..whole.len() - 20];
    let rebuilt = rebuild(cut.as_bytes()).unwrap();
    assert_eq!(rebuilt.ending, None);
    let results = results(&rebuilt).unwrap();
    assert_eq!(results.exit_code, None);
    assert_eq!(
        results.ended_early.as_deref(),
        Some("the event log is incomplete")
    );
    assert_eq!(rebuilt.tests.len(), model(&run()).tests.len());

    let damaged = whole.replacen("\"us\":10,", "\"us\":ten,", 1);
    let error = rebuild(damaged.as_bytes()).unwrap_err().to_string();
    assert!(
        error.starts_with("line 2 of the event log is not a valid event: "),
        "{error}"
    );
    let later = whole.replacen("\"v\":1", "\"v\":9", 1);
    let error = rebuild(later.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("version 9"), "{error}");
}

#[test]
fn a_log_without_a_run_is_refused() {
    let last = log().lines().last().map(str::to_owned).unwrap();
    for text in ["", "\n", "{\"v\":1", &last] {
        let error = rebuild(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("has no start of a run"), "{error}");
    }
}

/// The log up to the event after which `ends` says that it ends, rebuilt.
fn cut_after(ends: impl Fn(&EventKind) -> bool) -> Model {
    let mut events = run();
    let at = events.iter().position(|event| ends(&event.kind)).unwrap();
    events.truncate(at + 1);
    let lines = events
        .into_iter()
        .map(|event| serde_json::to_string(&event).unwrap() + "\n");
    rebuild(lines.collect::<String>().as_bytes()).unwrap()
}

#[test]
fn what_had_not_finished_when_the_log_ends_is_interrupted() {
    let running = cut_after(
        |kind| matches!(kind, EventKind::TestStarted { test, .. } if test == "net::hangs"),
    );
    let waiting =
        cut_after(|kind| matches!(kind, EventKind::TestFinished(finished) if finished.retried));
    for (model, test, attempts) in [(running, "net::hangs", 1), (waiting, "net::writes", 2)] {
        let last = model.tests.last().unwrap();
        assert_eq!((last.name.as_str(), last.attempts.len()), (test, attempts));
        let kind = FailureKind::Interrupted;
        assert!(
            matches!(last.verdict(), Verdict::Failed { kind: found, message, .. } if *found == kind && message.contains("event log ended")),
            "{:?}",
            last.verdict()
        );
        let junit = junit(&model).unwrap();
        let case = junit
            .split("<testcase")
            .find(|case| case.contains(test))
            .unwrap();
        assert!(case.contains("<error"), "{case}");
    }
}

#[test]
fn a_run_that_was_cut_off_is_no_success() {
    let stdout = Text::default();
    let mut reporter = Reporter::new(
        &options(Format::Pretty),
        screen(stdout.clone(), &Text::default(), false),
    );
    let mut tests = vec![event(0, EventKind::RunStarted(started(Vec::new(), 0)))];
    tests.extend(run().into_iter().filter(
        |event| matches!(&event.kind, EventKind::TestFinished(finished) if finished.test == "adds"),
    ));
    for event in &tests {
        reporter.on(event).unwrap();
    }
    reporter.cut_off().unwrap();
    assert!(
        stdout
            .get()
            .contains("test result: FAILED. 1 passed; 0 failed")
    );
}

#[test]
fn a_test_on_its_way_to_another_attempt_is_not_yet_a_result() {
    let mut events = run();
    let retried = |event: &Event| matches!(&event.kind, EventKind::TestFinished(finished) if finished.retried);
    let at = events.iter().position(retried).unwrap();
    events.truncate(at + 1);
    let model = model(&events);
    assert_eq!(model.counts().failed, 1, "only `subtracts` failed so far");
    assert!(
        results(&model)
            .unwrap()
            .not_run
            .contains(&"net::writes".to_owned())
    );
}
