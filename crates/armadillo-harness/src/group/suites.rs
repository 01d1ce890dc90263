//! How many suites a cargo runs: test targets with a main function of their own. Their executables are not known before they
//! run, so this follows from cargo's command line and the manifests of the packages that it selects.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use toml_span::Value;
use toml_span::value::Table;

const MANIFEST: &str = "Cargo.toml";

/// What the command line of a cargo selects.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    packages: BTreeSet<String>,
    excluded: BTreeSet<String>,
    workspace: bool,
    tests: BTreeSet<String>,
    manifest: Option<PathBuf>,
}

impl Asked {
    /// What these arguments select, the program's name first.
    pub(super) fn of(arguments: &[String]) -> Self {
        let mut asked = Self::default();
        let own = arguments.iter().skip(1).take_while(|word| *word != "--");
        let mut words = own.map(String::as_str);
        while let Some(word) = words.next() {
            let (flag, attached) = match word.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                // The short form may have its value at once: `-pNAME`.
                None if word.starts_with("-p") && word.len() > 2 => ("-p", Some(&word[2..])),
                None => (word, None),
            };
            let mut value = || {
                attached
                    .or_else(|| words.next())
                    .unwrap_or_default()
                    .to_owned()
            };
            match flag {
                "-p" | "--package" => _ = asked.packages.insert(value()),
                "--exclude" => _ = asked.excluded.insert(value()),
                "--test" => _ = asked.tests.insert(value()),
                "--manifest-path" => asked.manifest = Some(value().into()),
                "--workspace" | "--all" => asked.workspace = true,
                _ => {}
            }
        }
        asked
    }

    /// Whether it selects a package of this name.
    fn has_package(&self, name: &str) -> bool {
        let named = |specs: &BTreeSet<String>| specs.iter().any(|spec| is_named(spec, name));
        if self.workspace {
            !named(&self.excluded)
        } else {
            self.packages.is_empty() || named(&self.packages)
        }
    }

    fn has_test(&self, name: &str) -> bool {
        self.tests.is_empty() || self.tests.iter().any(|pattern| is_named(pattern, name))
    }
}

/// Whether a package of this name may be meant: `name`, `name@1.0`, `path+file:///somewhere#name@1.0`. Every pattern may mean
/// every name.
fn is_named(spec: &str, name: &str) -> bool {
    if spec.contains(['*', '?', '[']) {
        return true;
    }
    let last = spec.rsplit_once('#').map_or(spec, |(_, last)| last);
    last.split_once('@').map_or(last, |(named, _)| named) == name
}

/// How many suites a cargo runs that was asked this in this directory, as far as the manifests tell. It has just started one of
/// `package`, the directory of a package.
pub(super) fn count(
    asked: &Asked,
    working_directory: &Path,
    package: &Path,
    cargo: &Path,
) -> usize {
    let manifests = if selects_one_package(asked, working_directory) {
        vec![package.join(MANIFEST)]
    } else {
        packages(asked, working_directory, cargo)
    };
    let of_package = manifests.iter().map(|manifest| {
        let suites = suites_of(manifest);
        suites.iter().filter(|name| asked.has_test(name)).count()
    });
    of_package.sum()
}

/// Whether only one package can be meant, so that there is no need to ask cargo for the others.
fn selects_one_package(asked: &Asked, working_directory: &Path) -> bool {
    if asked.workspace {
        return false;
    }
    match asked.packages.len() {
        0 => {}
        1 => return true,
        _ => return false,
    }
    let Some(manifest) = nearest_manifest(asked, working_directory) else {
        return false;
    };
    read(&manifest, |table| {
        let has_default_members = (table.get("workspace").and_then(Value::as_table))
            .is_some_and(|workspace| workspace.contains_key("default-members"));
        table.contains_key("package") && !has_default_members
    })
    .unwrap_or_default()
}

/// The manifest that cargo was told of, or the nearest.
fn nearest_manifest(asked: &Asked, working_directory: &Path) -> Option<PathBuf> {
    if let Some(manifest) = &asked.manifest {
        return Some(working_directory.join(manifest));
    }
    let around = working_directory.ancestors();
    let mut manifests = around.map(|directory| directory.join(MANIFEST));
    manifests.find(|manifest| manifest.is_file())
}

/// The names of the targets in a manifest that have a main function of their own.
fn suites_of(manifest: &Path) -> Vec<String> {
    let suites = read(manifest, |table| {
        let tests = table.get("test").and_then(Value::as_array);
        let tests = tests.into_iter().flatten().filter_map(Value::as_table);
        let is = |test: &Table<'_>, key: &str| test.get(key).and_then(Value::as_bool);
        let own_main = tests
            .filter(|test| is(test, "harness") == Some(false) && is(test, "test") != Some(false));
        let names = own_main.filter_map(|test| test.get("name")?.as_str());
        names.map(str::to_owned).collect()
    });
    suites.unwrap_or_default()
}

fn read<T>(manifest: &Path, look: impl FnOnce(&Table<'_>) -> T) -> Option<T> {
    let text = fs::read_to_string(manifest).ok()?;
    let value = toml_span::parse(&text).ok()?;
    value.as_table().map(look)
}

/// What cargo says of a workspace.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    #[serde(default)]
    workspace_default_members: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: PathBuf,
}

/// The manifests of the packages that cargo selects; none if it does not say.
fn packages(asked: &Asked, working_directory: &Path, cargo: &Path) -> Vec<PathBuf> {
    let Some(Metadata {
        packages,
        workspace_default_members: default,
    }) = metadata(asked, working_directory, cargo)
    else {
        return Vec::new();
    };
    let names_some = asked.workspace || !asked.packages.is_empty();
    let selected = packages.into_iter().filter(|package| {
        let is_default = names_some || default.contains(&package.id);
        is_default && asked.has_package(&package.name)
    });
    selected.map(|package| package.manifest_path).collect()
}

fn metadata(asked: &Asked, working_directory: &Path, cargo: &Path) -> Option<Metadata> {
    let mut command = Command::new(cargo);
    command
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(working_directory)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    if let Some(manifest) = &asked.manifest {
        command.arg("--manifest-path").arg(manifest);
    }
    let output = command.output().ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Asked {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Asked::of(&words)
    }

    #[test]
    fn a_command_line_is_understood() {
        let all = asked("cargo test --workspace --exclude a --test=b --test c -- -p d");
        assert!(all.workspace && all.packages.is_empty());
        assert!(!all.has_package("a") && all.has_package("d"));
        assert!(all.has_test("b") && all.has_test("c") && !all.has_test("d"));
        for line in [
            "cargo t -p a",
            "cargo test --package=a@1.0.0",
            "cargo test -pa",
        ] {
            let one = asked(line);
            assert!(one.has_package("a") && !one.has_package("b"), "{line}");
            assert!(selects_one_package(&one, Path::new("/")), "{line}");
        }
        assert!(asked("cargo test -p x* --test y?").has_package("a"));
        let url = asked("cargo test -p path+file:///somewhere/a#b@1.0");
        assert!(url.has_package("b") && !url.has_package("a"));
        let elsewhere = asked("cargo test --manifest-path a/Cargo.toml");
        let found = nearest_manifest(&elsewhere, Path::new("/b"));
        assert_eq!(found, Some("/b/a/Cargo.toml".into()));
    }

    #[test]
    fn suites_are_counted_in_the_packages_that_are_selected() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        let suite = |name: &str| format!("[[test]]\nname = \"{name}\"\nharness = false\n");
        let package = |name: &str, rest: &str| {
            let directory = root.join(name);
            fs::create_dir_all(directory.join("src")).unwrap();
            fs::create_dir_all(directory.join("tests")).unwrap();
            fs::write(directory.join("src/lib.rs"), "").unwrap();
            for target in ["x", "y", "z"] {
                let file = directory.join("tests").join(target).with_extension("rs");
                fs::write(file, "").unwrap();
            }
            let manifest = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n{rest}");
            fs::write(directory.join(MANIFEST), manifest).unwrap();
        };
        package("one", &suite("x"));
        package(
            "two",
            &format!("{}{}test = false\n", suite("x") + &suite("y"), suite("z")),
        );
        // Those of libtest do not count.
        package("none", "[[test]]\nname = \"x\"\n");
        let workspace = "[workspace]\nresolver = \"3\"\nmembers = [\"one\", \"two\", \"none\"]\n";
        let count_in = |directory: &str, package: &str, line: &str| {
            let cargo = Path::new(env!("CARGO"));
            let directory = root.join(directory);
            count(&asked(line), &directory, &root.join(package), cargo)
        };
        fs::write(root.join(MANIFEST), workspace).unwrap();
        assert_eq!(count_in("", "one", "cargo test"), 3);
        assert_eq!(count_in("", "one", "cargo test --test x"), 2);
        assert_eq!(
            count_in("", "two", "cargo test --workspace --exclude one"),
            2
        );
        assert_eq!(count_in("", "one", "cargo test -p one"), 1);
        assert_eq!(count_in("", "two", "cargo test -p one -p two"), 3);
        assert_eq!(count_in("two/src", "two", "cargo test"), 2);
        assert_eq!(count_in("two", "two", "cargo test --test x"), 1);
        assert_eq!(count_in("two", "two", "cargo test --workspace"), 3);
        assert_eq!(count_in("none", "none", "cargo test"), 0);
        fs::write(
            root.join(MANIFEST),
            format!("{workspace}default-members = [\"one\"]\n"),
        )
        .unwrap();
        assert_eq!(count_in("", "one", "cargo test"), 1);
    }
}
