//! `docs/assumptions.md` has a source for every line, and names tests that exist.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

const LEDGER: &str = include_str!("../../../docs/assumptions.md");

/// The rows of the table: id, assumption, source, test.
fn rows() -> Vec<[&'static str; 4]> {
    LEDGER
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .skip_while(|line| !line.starts_with("id |"))
        .skip(2)
        .map(|line| {
            let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
            cells
                .try_into()
                .unwrap_or_else(|_| panic!("not four cells: {line}"))
        })
        .collect()
}

/// Every Rust file below a directory.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| {
        panic!("{}: {error}", directory.display());
    });
    entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| {
            if path.is_dir() {
                sources(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .collect()
}

#[test]
fn every_assumption_has_a_source_and_a_test_that_exists() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut code = String::new();
    for name in ["armadillo-arangodb", "arangod-emulator"] {
        for file in sources(&crates.join(name)) {
            code.push_str(&fs::read_to_string(file).unwrap());
        }
    }
    let rows = rows();
    let mut ids = HashSet::new();
    assert!(
        rows.len() > 40,
        "the table was not found: {} rows",
        rows.len()
    );
    for [id, assumption, source, test] in rows {
        assert!(ids.insert(id), "{id} is there twice");
        assert!(
            !assumption.is_empty() && !source.is_empty(),
            "{id} lacks something"
        );
        let name = test.trim_matches('`');
        let attribute = format!("#[test]\nfn {name}(");
        let inner = format!("#[test]\n    fn {name}(");
        assert!(
            code.contains(&attribute) || code.contains(&inner),
            "{id} names a test that is not there: {name}"
        );
    }
}
