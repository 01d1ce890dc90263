//! One command line for several executables, each of which may have flags of its own.

use std::collections::BTreeMap;
use std::ffi::OsString;

use armadillo_harness::settings::{Linked, all};

use super::TestError;
use super::build::Executable;
use super::plan::{SuiteFlag, ask};

/// Arguments with which an executable says which flags it has, and nothing of its tests.
const NO_TESTS: [&str; 2] = ["--exact", "::"];

/// The arguments of each executable: without the flags of others that it does not have itself. A flag that none has is left, so that it
/// is refused.
pub(super) fn for_each(
    executables: &[Executable],
    arguments: &[OsString],
) -> Result<Vec<Vec<OsString>>, TestError> {
    let same = || executables.iter().map(|_| arguments.to_vec()).collect();
    if executables.len() < 2 || !arguments.iter().any(is_unknown) {
        return Ok(same());
    }
    let no_tests = NO_TESTS.map(OsString::from);
    let mut flags = Vec::with_capacity(executables.len());
    for executable in executables {
        let plan = ask(executable, &no_tests)?;
        flags.push(plan.map_or_else(Vec::new, |plan| plan.flags));
    }
    let all: BTreeMap<String, SuiteFlag> = (flags.iter().flatten())
        .map(|flag| (flag.name.clone(), flag.clone()))
        .collect();
    let each = flags.iter().map(|own| {
        let others = all.values();
        let others = others.filter(|flag| own.iter().all(|own| own.name != flag.name));
        without(arguments, &others.collect::<Vec<_>>())
    });
    Ok(each.collect())
}

/// Whether a word is a long flag that is not one of the harness.
fn is_unknown(word: &OsString) -> bool {
    let word = word.to_string_lossy();
    let Some(name) = named(&word) else {
        return false;
    };
    let known = all(&Linked::registered());
    let mut known = known.iter();
    !known.any(|setting| setting.name == name || setting.aliases.contains(&name))
}

/// The name of the long flag that a word is.
fn named(word: &str) -> Option<&str> {
    let name = word.strip_prefix("--")?;
    name.split('=').next().filter(|name| !name.is_empty())
}

fn without(arguments: &[OsString], flags: &[&SuiteFlag]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        let name = named(&text);
        let flag = flags.iter().find(|flag| name == Some(&flag.name));
        match flag {
            None => kept.push(word.clone()),
            Some(flag) if flag.is_switch || text.contains('=') => {}
            Some(_) => _ = words.next(),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_others_are_left_out_with_their_values() {
        let flag = |name: &str, is_switch| SuiteFlag {
            name: name.to_owned(),
            is_switch,
        };
        let (orders, offline) = (flag("orders", false), flag("offline", true));
        let words = "a --orders 5 --offline -n 2 --orders=6 --offline=false --order 7";
        let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        let kept = without(&words, &[&orders, &offline]);
        assert_eq!(kept, ["a", "-n", "2", "--order", "7"]);
        assert!(is_unknown(&"--orders".into()) && !is_unknown(&"--timeout=3s".into()));
    }
}
