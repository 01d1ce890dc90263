//! What is on disk after a run is what `docs/files.md` says; and `report.html` does what it says there.

mod formats;
mod live;
mod made;
mod page;

use std::collections::BTreeSet;
use std::path::Path;

use armadillo_selftest::suite::Suite;

/// Every path below the run's directory, with what differs between runs replaced by the words of `docs/files.md`.
fn shapes(run: &Path) -> BTreeSet<String> {
    let mut shapes = BTreeSet::new();
    let mut open = vec![run.to_owned()];
    while let Some(directory) = open.pop() {
        let entries = std::fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let below = path.strip_prefix(run).unwrap_or(&path);
                let parts: Vec<String> = below
                    .iter()
                    .map(|part| part.to_string_lossy().into_owned())
                    .collect();
                shapes.insert(shape(&parts));
            }
        }
    }
    shapes
}

fn shape(parts: &[String]) -> String {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["servers", _, "leaders.jsonl"] => "servers/<deployment>/leaders.jsonl".to_owned(),
        ["servers", _, _, "log"] => "servers/<deployment>/<server>/log".to_owned(),
        ["servers", _, _, ..] => "servers/<deployment>/<server>/".to_owned(),
        ["tests", _, "output"] => "tests/<test>/output".to_owned(),
        ["tests", _, "leaders.jsonl"] => "tests/<test>/leaders.jsonl".to_owned(),
        ["tests", _, "server-logs", _] => "tests/<test>/server-logs/<server>".to_owned(),
        ["tests", _, "attachments", ..] => "tests/<test>/attachments/".to_owned(),
        ["tests", _, ..] => "tests/<test>/".to_owned(),
        other => other.join("/"),
    }
}

#[test]
fn every_file_of_a_run_is_described() {
    let ran = Suite::new(env!("CARGO_BIN_EXE_verdicts"))
        .args(["-n", "4"])
        .run();
    let manual = include_str!("../../../../docs/files.md");
    let found = shapes(&ran.directory());
    let unknown: Vec<&String> = found
        .iter()
        .filter(|shape| !manual.contains(&format!("`{shape}`")))
        .collect();
    assert!(unknown.is_empty(), "not in docs/files.md: {unknown:?}");
    let always = [
        "events.jsonl",
        "results.json",
        "junit.xml",
        "report.html",
        "daemon.log",
        "servers/<deployment>/<server>/log",
        "servers/<deployment>/leaders.jsonl",
        "tests/<test>/leaders.jsonl",
        "tests/<test>/output",
    ];
    for shape in always {
        assert!(found.contains(shape), "no {shape} among {found:?}");
    }
}
