//! What the CI system that runs this is told of the run, in its own words.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::environment;
use crate::options::Annotations;
use crate::report::{self, Model};

/// The lines to print; the summary of the step is added to its file.
///
/// # Errors
/// When the summary cannot be written.
pub(super) fn annotations(model: &Model, wanted: Annotations) -> io::Result<String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let is_wanted = match wanted {
        Annotations::Auto => variable("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
        Annotations::Github => true,
        Annotations::Off => false,
    };
    if !is_wanted {
        return Ok(String::new());
    }
    // Under nextest each test is a run, and a summary of each is none of the whole.
    if let Some(file) = variable("GITHUB_STEP_SUMMARY").filter(|_| !environment::is_nextest()) {
        let mut file = OpenOptions::new().append(true).create(true).open(file)?;
        file.write_all(report::step_summary(model).as_bytes())?;
    }
    let repository = variable("GITHUB_WORKSPACE").map(PathBuf::from);
    let here = std::env::current_dir().ok();
    Ok(report::annotations(model, &|file| {
        let found = here.as_deref().zip(repository.as_deref());
        found
            .and_then(|(here, repository)| in_repository(file, here, repository))
            .unwrap_or_else(|| file.to_owned())
    }))
}

/// The path from the root of the repository of a source file, which the compiler knows by its path from the root of the
/// workspace: that is the directory above this one in which there is such a file.
fn in_repository(file: &str, here: &Path, repository: &Path) -> Option<String> {
    let mut above = here.ancestors().map(|root| root.join(file));
    let found = above.find(|path| path.is_file())?;
    let path = found.strip_prefix(repository).ok()?;
    Some(path.to_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_may_be_anywhere_in_its_repository() {
        let repository = tempfile::tempdir().unwrap();
        let root = repository.path();
        let package = root.join("rust/shop");
        std::fs::create_dir_all(package.join("tests")).unwrap();
        std::fs::write(package.join("tests/main.rs"), "").unwrap();
        let found = in_repository("shop/tests/main.rs", &package, root);
        assert_eq!(found.as_deref(), Some("rust/shop/tests/main.rs"));
        assert_eq!(in_repository("shop/tests/other.rs", &package, root), None);
        assert_eq!(
            in_repository("shop/tests/main.rs", &package, Path::new("/elsewhere")),
            None
        );
    }
}
