//! Hooks of a suite: functions that see each test when it is collected.
//!
//! A hook sees one test at a time and nothing of the others. So what it decides of a test is the same whether all tests are
//! collected or, under `--exact`, only this one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::marking::{Marker, Refused};
use super::{CollectError, Test};
use crate::fixture::{Skip, is_named, panic_message};
use crate::markers::Markers;
use crate::select::Marked;

/// A hook, as `#[armadillo::collect]` submits it.
pub struct CollectHook {
    /// `module_path!()` of the function.
    pub module: &'static str,
    /// The function's name.
    pub function: &'static str,
    /// The source file.
    pub file: &'static str,
    /// The line of the function.
    pub line: u32,
    /// The function.
    pub run: fn(&mut CollectedTest),
}

inventory::collect!(CollectHook);

/// A test that has been collected, as a hook sees it.
#[derive(Debug)]
pub struct CollectedTest {
    test: Test,
    /// The hook that looks at it.
    by: String,
    /// The markers that it has asked for.
    asked: Vec<String>,
}

impl CollectedTest {
    /// The test's name, as it is selected and reported: `module::function::case`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.test.name
    }

    /// Its source file, as the compiler names it: `shop/tests/suite/main.rs`.
    #[must_use]
    pub fn file(&self) -> &'static str {
        self.test.def.file
    }

    /// The line of its function.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.test.def.line
    }

    /// Whether it uses a fixture of this type, directly or through another fixture. A type is named without its path; a name in it
    /// will do: `Exclusive<Cluster>` is also `Cluster` and `Exclusive`.
    #[must_use]
    pub fn uses(&self, fixture: &str) -> bool {
        let fixtures = self.test.fixtures();
        fixtures.iter().any(|name| is_named(name, fixture))
    }

    /// Whether it needs a deployment.
    #[must_use]
    pub fn needs_deployment(&self) -> bool {
        !self.test.def.needs.is_empty()
    }

    /// Whether it has a marker of this name: its own, that of a fixture or of its topology, or one that a rule or a hook has added.
    #[must_use]
    pub fn has_marker(&self, name: &str) -> bool {
        self.test.carries(name, &[]) || self.asked.iter().any(|asked| is_of(asked, name))
    }

    /// Adds a marker, written as in the attribute of a test: `slow`, `suite("auth")`. It must be declared, and choose no deployment;
    /// otherwise the run ends before it starts.
    pub fn add_marker(&mut self, marker: &str) {
        self.asked.push(marker.to_owned());
    }

    /// Ignores the test, with this reason. Like every ignored test, it runs with `--ignored` and `--include-ignored`. The first hook
    /// that ignores a test gives the reason.
    pub fn skip(&mut self, reason: impl Into<String>) {
        self.test.skipped.get_or_insert_with(|| reason.into());
    }

    /// Puts the test before those with a greater number, and behind those with a smaller one. Tests have 0 if no hook says otherwise.
    pub fn set_order(&mut self, order: i32) {
        self.test.order = order;
    }
}

/// Why a hook ends the run before it starts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HookError {
    /// It panicked.
    #[error(
        "the hook `{hook}` panicked at the test `{test}`: {message}\n    {place}\nhelp: to leave out a test, call `test.skip(\"reason\")`"
    )]
    Panicked {
        /// The hook.
        hook: String,
        /// Its place.
        place: String,
        /// The test.
        test: String,
        /// The message.
        message: String,
    },
    /// It adds what is no marker of this test.
    #[error(
        "the hook `{hook}` cannot add a marker to the test `{test}`: {why}\n    {place}\nhelp: {help}"
    )]
    Marker {
        /// The hook.
        hook: String,
        /// Its place.
        place: String,
        /// The test.
        test: String,
        /// What is wrong with the marker.
        why: String,
        /// What to do.
        help: String,
    },
}

impl CollectHook {
    /// All hooks of this executable, by module and line.
    pub(super) fn registered() -> Vec<&'static Self> {
        let mut all: Vec<&Self> = inventory::iter::<Self>().collect();
        all.sort_unstable_by_key(|hook| (hook.module, hook.line, hook.function));
        all
    }

    fn name(&self) -> String {
        format!("{}::{}", self.module, self.function)
    }

    fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// Has it look at a test.
    fn see(&self, test: &mut CollectedTest, declared: &Markers) -> Result<(), HookError> {
        test.by = format!("hook {}", self.name());
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (self.run)(test))) {
            match payload.downcast::<Skip>() {
                Ok(skip) => test.skip(skip.0),
                Err(payload) => {
                    return Err(HookError::Panicked {
                        hook: self.name(),
                        place: self.place(),
                        test: test.test.name.clone(),
                        message: panic_message(&*payload),
                    });
                }
            }
        }
        for text in std::mem::take(&mut test.asked) {
            let marker = marker(&text, declared).map_err(|refused| HookError::Marker {
                hook: self.name(),
                place: self.place(),
                test: test.test.name.clone(),
                why: refused.why,
                help: refused.help,
            })?;
            test.test.add_marker(&marker, &test.by);
        }
        Ok(())
    }
}

/// Whether a marker as it is written has this name.
fn is_of(written: &str, name: &str) -> bool {
    written.split('(').next().map(str::trim) == Some(name)
}

fn marker(text: &str, declared: &Markers) -> Result<Marker, Refused> {
    let marker = Marker::parse(text).map_err(|error| Refused {
        why: format!("{}\n{}", error.reason, error.picture()),
        help: error.suggestion,
    })?;
    marker.check(declared)?;
    Ok(marker)
}

/// Has the hooks look at each test, and puts the tests in the order that they want.
pub(super) fn apply(
    tests: Vec<Test>,
    hooks: &[&CollectHook],
    declared: &Markers,
) -> Result<Vec<Test>, CollectError> {
    if hooks.is_empty() {
        return Ok(tests);
    }
    let mut seen = Vec::with_capacity(tests.len());
    for test in tests {
        let mut test = CollectedTest {
            test,
            by: String::new(),
            asked: Vec::new(),
        };
        for hook in hooks {
            hook.see(&mut test, declared).map_err(Box::new)?;
        }
        seen.push(test.test);
    }
    seen.sort_by_key(Test::rank);
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::collect::tests::{definition, marked};

    fn hook(function: &'static str, run: fn(&mut CollectedTest)) -> CollectHook {
        CollectHook {
            module: "suite::hooks",
            function,
            file: "tests/suite/hooks.rs",
            line: 7,
            run,
        }
    }

    fn seen(run: fn(&mut CollectedTest)) -> Result<Vec<Test>, CollectError> {
        let tests = [("one", 1), ("two", 2), ("three", 3)].map(|(name, line)| {
            let def = marked(definition("suite::a", name, line), &[], None);
            Test::new(def, def.markers.into())
        });
        let declared = Markers::declared(&BTreeMap::new());
        let (first, second) = (hook("first", run), hook("second", |_| {}));
        apply(tests.into(), &[&first, &second], &declared)
    }

    #[test]
    fn a_hook_marks_skips_and_orders() {
        let tests = seen(|test| match test.name() {
            "a::one" => test.set_order(1),
            "a::two" => {
                test.add_marker("slow");
                assert!(test.has_marker("slow") && !test.has_marker("fast"));
                test.add_marker("slow");
            }
            _ => crate::skip!("not {}", "today"),
        });
        let said = tests.unwrap().into_iter().map(|test| {
            let added = test.added.iter();
            let added = added.map(|added| format!(" {} by {}", added.marker, added.by));
            format!(
                "{}{}{:?}",
                test.name,
                added.collect::<String>(),
                test.skipped
            )
        });
        let expected = [
            "a::two slow by hook suite::hooks::firstNone",
            "a::threeSome(\"not today\")",
            "a::oneNone",
        ];
        assert_eq!(said.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_hook_that_panics_is_named() {
        let error = seen(|test| assert_ne!(test.name(), "a::two")).unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with("the hook `suite::hooks::first` panicked at the test `a::two`: "),
            "{error}"
        );
        assert!(
            error.contains("\n    tests/suite/hooks.rs:7\nhelp: "),
            "{error}"
        );
    }

    #[test]
    fn a_marker_that_there_is_not_is_refused_with_the_hook() {
        let refused = |run| seen(run).unwrap_err().to_string();
        insta::assert_snapshot!(refused(|test| test.add_marker("slwo")), @r#"
        the hook `suite::hooks::first` cannot add a marker to the test `a::one`: the marker `slwo` is not declared
            tests/suite/hooks.rs:7
        help: did you mean `slow`? If not, declare it in armadillo.toml: `[markers]`, `slwo = "description"`
        "#);
        assert!(
            refused(|test| test.add_marker("slow and")).contains("expected a marker after `and`")
        );
    }
}
