//! What programs have said of their versions: each is asked once, also by many processes that tell each other.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The answers of programs, by program. A program that was replaced or written to is another one; a script that runs another program
/// is not, so answers are for processes of the same run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Answers {
    said: BTreeMap<String, String>,
    #[serde(skip)]
    has_new: bool,
}

impl Answers {
    /// Whether a program was asked.
    #[must_use]
    pub fn has_new(&self) -> bool {
        self.has_new
    }

    /// What the program has said when it was called with these arguments; `ask` asks it now.
    pub(super) fn of<E>(
        &mut self,
        program: &Path,
        args: &[&str],
        ask: impl FnOnce() -> Result<String, E>,
    ) -> Result<String, E> {
        let key = key(program, args);
        if let Some(said) = key.as_ref().and_then(|key| self.said.get(key)) {
            return Ok(said.clone());
        }
        let said = ask()?;
        if let Some(key) = key {
            self.said.insert(key, said.clone());
            self.has_new = true;
        }
        Ok(said)
    }
}

/// The program with the state of its file; `None` if that cannot be told.
fn key(program: &Path, args: &[&str]) -> Option<String> {
    let file = std::fs::metadata(program).ok()?;
    let path = program.display();
    let (device, inode, size) = (file.dev(), file.ino(), file.size());
    let written = (file.mtime(), file.mtime_nsec());
    let changed = (file.ctime(), file.ctime_nsec());
    Some(format!(
        "{path} {args:?} {device}:{inode} {size} {written:?} {changed:?}"
    ))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn ask(answers: &mut Answers, program: &Path, says: &str) -> String {
        let asked = answers.of(program, &["--version"], || {
            Ok::<_, Infallible>(says.to_owned())
        });
        asked.unwrap()
    }

    #[test]
    fn a_program_is_asked_again_only_if_its_file_was_changed() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("program");
        std::fs::write(&program, "one").unwrap();
        let mut answers = Answers::default();
        assert_eq!(ask(&mut answers, &program, "1"), "1");
        assert!(answers.has_new());
        let told = serde_json::to_string(&answers).unwrap();
        let mut answers: Answers = serde_json::from_str(&told).unwrap();
        assert_eq!(ask(&mut answers, &program, "2"), "1");
        assert!(!answers.has_new());
        std::fs::write(&program, "three").unwrap();
        assert_eq!(ask(&mut answers, &program, "3"), "3");
        assert_eq!(ask(&mut answers, Path::new("/none"), "4"), "4");
        assert_eq!(ask(&mut answers, Path::new("/none"), "5"), "5");
    }
}
