//! `docs/assumptions.md` has a source for every line, and names tests that exist.

use std::collections::HashSet;
use std::path::Path;
use std::{fs, io};

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

/// The text of every Rust file below a directory.
fn code_below(directory: &Path, code: &mut String) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            code_below(&path, code)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            code.push_str(&fs::read_to_string(path)?);
        }
    }
    Ok(())
}

#[test]
fn every_assumption_has_a_source_and_a_test_that_exists() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut code = String::new();
    for name in ["armadillo-arangodb", "arangod-emulator"] {
        code_below(&crates.join(name), &mut code).unwrap();
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
