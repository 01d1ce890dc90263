//! What is done to a file, be it a history or not.

use std::os::unix::fs::MetadataExt;

use super::*;

const HEADER: &str = "{\"history\":2,\"compact\":0}\n";
const RECORD: &str = "{\"run\":\"r\"}\n";

#[test]
fn what_nobody_can_read_is_left_out_with_a_warning_and_goes() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.jsonl");
    let new = attempt("r", None, 1, "t", Outcome::Passed);
    for (damaged, why) in [
        ("{\n", "has a line that is not a history record"),
        ("[]\nnull\n", "has 2 lines that are not history records"),
        (
            "{\"test\":\"t\",\"on\":\"\",\"attempts\":[[\"r\",1,\"lost\",1,null]]}\n",
            "has a line",
        ),
    ] {
        for text in [format!("{HEADER}{damaged}"), format!("{damaged}{RECORD}")] {
            fs::write(&file, &text).unwrap();
            let found = read(&file, &|_| true);
            assert!(found.problem.unwrap().contains(why), "{text}");
            append(&file, &new, found.old).unwrap();
            assert!(all(&file).knows("t"), "{text}");
        }
    }
}

#[test]
fn nothing_is_written_to_files_that_are_not_histories() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.jsonl");
    let new = attempt("r", None, 1, "t", Outcome::Passed);
    let newer = "{\"history\":9,\"compact\":0}\n{\"test\":1}\n";
    for (text, why) in [
        ("[package]\nname = \"shop\"\n", "is not a history of tests"),
        ("junk", "is not a history"),
        ("\n", "is not a history"),
        (
            "{\"version\":1,\"runs\":1,\"tests\":{},\"starts\":{}}\n",
            "is not a history",
        ),
        (newer, "version 9"),
        (&newer[..20], "is not a history"),
        // Somebody has put two files together.
        (&format!("{HEADER}{RECORD}{newer}"), "version 9"),
    ] {
        fs::write(&file, text).unwrap();
        let found = read(&file, &|_| true);
        let problem = found.problem.unwrap();
        assert!(
            problem.contains(why) && problem.contains("--history"),
            "{problem}"
        );
        assert_eq!(found.old, Old::Foreign, "{text}");
        append(&file, &new, found.old).unwrap();
        // It became so only after the run had read it.
        if !text.starts_with(HEADER) {
            let error = append(&file, &new, Old::Stays).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn very_many_attempts_stand_in_lines_that_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.jsonl");
    let mut history = attempt("r", None, 0, "t", FAILED);
    let took = |at_ms: u64| Took {
        at_ms,
        run: 0,
        us: 1,
    };
    let known = history.topologies.entry("x".to_owned()).or_default();
    known.repairs.extend((0..100_000).map(took));
    let many = (1..100_000_u64).map(|at_ms| Attempt {
        at_ms,
        run: 0,
        outcome: Outcome::Passed,
        took_us: 90_000,
        company: Some(Company::Shared),
    });
    history.attempts_of("t", "").extend(many);
    append(&file, &history, Old::Stays).unwrap();
    fs::write(&file, HEADER).unwrap();
    append(&file, &history, Old::Stays).unwrap();
    assert!(all(&file).tests["t"][""].len() >= 200);
    let lines = fs::read_to_string(&file).unwrap();
    assert!(lines.lines().all(|line| line.len() < 1 << 20));
    // A failure is known, however many repetitions passed after it.
    history.forget_repetitions();
    assert_eq!(history.tests["t"][""].len(), 200);
    assert!(history.failed_last("t"));
}

/// As the processes of a nextest run do.
#[test]
fn a_damaged_file_is_written_again_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.jsonl");
    fs::write(&file, format!("{HEADER}junk\n")).unwrap();
    let old = read(&file, &|_| true).old;
    let mut inodes = std::collections::BTreeSet::new();
    for at_ms in 1..4 {
        append(&file, &attempt("r", None, at_ms, "t", FAILED), old).unwrap();
        inodes.insert(fs::metadata(&file).unwrap().ino());
    }
    assert_eq!(inodes.len(), 1, "it was replaced again");
    assert_eq!(all(&file).tests["t"][""].len(), 3);
}

#[test]
fn what_a_killed_process_was_about_to_write_is_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.jsonl");
    fs::write(directory.path().join("history.jsonl.armadillo-new"), "half").unwrap();
    append(&file, &attempt("r", None, 1, "t", FAILED), Old::Stays).unwrap();
    assert!(all(&file).failed_last("t"));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_link_stays_one() {
    let directory = tempfile::tempdir().unwrap();
    let (file, link) = (
        directory.path().join("cached"),
        directory.path().join("link"),
    );
    fs::write(&file, RECORD).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    append(&link, &attempt("r", None, 1, "t", FAILED), Old::Stays).unwrap();
    assert!(link.is_symlink() && all(&file).failed_last("t"));
}

#[test]
fn runs_that_end_at_once_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.jsonl");
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let file = &file;
            scope.spawn(move || {
                for number in 0..20 {
                    let at_ms = thread * 100 + number;
                    let new = attempt(&format!("run{at_ms}"), None, at_ms, "t", Outcome::Passed);
                    // Every third replaces the file.
                    match number % 3 {
                        0 => append_as_damaged(file, &new),
                        _ => append(file, &new, Old::Stays).unwrap(),
                    }
                }
            });
        }
    });
    assert_eq!(all(&file).known("t").unwrap().rate().of, 160);
}

#[test]
fn a_file_that_grew_is_made_short() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.jsonl");
    let name = "t".repeat(60_000);
    let mut longest = 0;
    for at_ms in 0..100 {
        let new = attempt("run", None, at_ms, &name, Outcome::Passed);
        append(&file, &new, Old::Stays).unwrap();
        longest = longest.max(fs::metadata(&file).unwrap().len());
    }
    assert!(longest < 2 << 20, "{longest}");
    assert!(longest > 1 << 20, "it was never added to: {longest}");
    let attempts = all(&file).tests[&name][""].len();
    assert_eq!(attempts, 100);
}

proptest! {
    /// Whatever a file has, reading ends and says something.
    #[test]
    fn any_bytes_are_a_file(bytes in prop::collection::vec(any::<u8>(), 0..400), lines in "(\\{\"(test|run|topology|history)\":[^\n]{0,40}\n){0,4}") {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("history.jsonl");
        for content in [&bytes[..], lines.as_bytes()] {
            fs::write(&file, content).unwrap();
            let found = read(&file, &|_| true);
            append(&file, &attempt("r", None, 1, "t", FAILED), found.old).unwrap();
            if found.old == Old::Foreign {
                prop_assert_eq!(fs::read(&file).unwrap(), content);
                continue;
            }
            prop_assert!(read(&file, &|_| true).history.failed_last("t"));
        }
    }
}
