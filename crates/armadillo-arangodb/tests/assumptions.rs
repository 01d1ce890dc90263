//! `docs/assumptions.md` is written from the ledger, whose lines have sources and name tests that exist.

use std::collections::HashSet;
use std::path::Path;
use std::{fs, io};

use arangod_contract::{Contract, ledger, manual};

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
    let rows = ledger().unwrap();
    let mut ids = HashSet::new();
    assert!(
        rows.len() > 40,
        "the table was not found: {} rows",
        rows.len()
    );
    for row in rows {
        let (id, name) = (row.id, row.test);
        assert!(ids.insert(id), "{id} is there twice");
        assert!(
            !row.text.is_empty() && !row.source.is_empty(),
            "{id} lacks something"
        );
        let attribute = format!("#[test]\nfn {name}(");
        let inner = format!("#[test]\n    fn {name}(");
        assert!(
            code.contains(&attribute) || code.contains(&inner),
            "{id} names a test that is not there: {name}"
        );
    }
}

#[test]
fn the_page_is_written_from_the_ledger() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/assumptions.md");
    let text = manual(&ledger().unwrap(), &Contract::read().unwrap());
    if std::env::var_os("ARMADILLO_WRITE_DOCS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "docs/assumptions.md is not what the ledger says: \
         ARMADILLO_WRITE_DOCS=1 cargo test -p armadillo-arangodb --test assumptions writes it"
    );
}
