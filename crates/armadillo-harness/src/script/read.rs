//! Reads a script and checks that it can be carried out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Script, Step, VERSION};
use crate::regular;

/// A script is not longer: about a hundred bytes for each of 200,000 tests.
const LONGEST: u64 = 64 << 20;

/// Why there is no script.
#[derive(Debug, thiserror::Error)]
#[error("--script {}: {why}", path.display())]
pub struct ScriptError {
    path: PathBuf,
    why: WrongScript,
}

/// What is wrong with it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WrongScript {
    /// It cannot be read.
    #[error("cannot read it: {0}")]
    Io(#[from] std::io::Error),
    /// It is no script.
    #[error("it is not a script: {0}")]
    Json(#[from] serde_json::Error),
    /// It has another format.
    #[error("it has version {0}, but this program reads version {VERSION}")]
    Version(u32),
    /// A test begins twice.
    #[error("`{0}` begins twice")]
    Twice(String),
    /// A test ends without having begun.
    #[error("`{0}` ends, but it has not begun before or has ended already")]
    Ends(String),
    /// No test begins.
    #[error("no test begins in it")]
    Empty,
}

/// Reads the script in this file.
pub(crate) fn read(path: &Path) -> Result<Script, ScriptError> {
    let read = || {
        let text = regular::read(path, LONGEST)?;
        let script: Script = serde_json::from_slice(&text)?;
        check(&script)?;
        Ok(script)
    };
    read().map_err(|why| ScriptError {
        path: path.to_owned(),
        why,
    })
}

fn check(script: &Script) -> Result<(), WrongScript> {
    if script.script != VERSION {
        return Err(WrongScript::Version(script.script));
    }
    let (mut begun, mut running) = (BTreeSet::new(), BTreeSet::new());
    for step in &script.steps {
        match step {
            Step::Begin { begin, .. } => {
                if !begun.insert(begin) {
                    return Err(WrongScript::Twice(begin.clone()));
                }
                running.insert(begin);
            }
            Step::End { end } => {
                if !running.remove(end) {
                    return Err(WrongScript::Ends(end.clone()));
                }
            }
        }
    }
    match begun.is_empty() {
        true => Err(WrongScript::Empty),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("script.json");
        std::fs::write(&path, text).unwrap();
        match read(&path) {
            Ok(_) => String::new(),
            Err(error) => error.why.to_string(),
        }
    }

    #[test]
    fn what_cannot_be_carried_out_is_refused() {
        let script =
            |steps: &str| checked(&format!(r#"{{"script":1,"of":"r","steps":[{steps}]}}"#));
        assert_eq!(
            script(r#"{"begin":"a","on":["x"]},{"end":"a"},{"begin":"b"}"#),
            ""
        );
        assert_eq!(script(""), "no test begins in it");
        assert_eq!(script(r#"{"begin":"a"},{"begin":"a"}"#), "`a` begins twice");
        let never = "`a` ends, but it has not begun before or has ended already";
        assert_eq!(script(r#"{"begin":"b"},{"end":"a"},{"begin":"a"}"#), never);
        assert_eq!(script(r#"{"begin":"a"},{"end":"a"},{"end":"a"}"#), never);
        let version = "it has version 2, but this program reads version 1";
        assert_eq!(checked(r#"{"script":2,"of":"r","steps":[]}"#), version);
        assert!(checked("[]").starts_with("it is not a script: "));
    }
}
