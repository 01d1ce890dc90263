//! A command line being put together.

use crate::options::{ServerOption, official};

/// Options by name, in the order they were first set.
#[derive(Default)]
pub(super) struct Options(Vec<(String, Vec<String>)>);

impl Options {
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => *values = vec![value.into()],
            None => self.0.push((name.to_owned(), vec![value.into()])),
        }
    }

    /// One value more of an option that may be given several times.
    pub(super) fn add(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(value.into()),
            None => self.set(name, value),
        }
    }

    /// What a user asked for: it replaces ours, except for options that may be given several times.
    pub(super) fn choose(&mut self, option: ServerOption) {
        let repeats = official(&option.name).is_some_and(|known| known.repeats());
        match self.0.iter_mut().find(|(known, _)| *known == option.name) {
            Some((_, values)) if repeats => values.push(option.value),
            _ => self.set(&option.name, option.value),
        }
    }

    /// As separate arguments, `--name value`, which `arangod` takes for booleans too.
    pub(super) fn into_args(self) -> Vec<String> {
        self.0
            .into_iter()
            .flat_map(|(name, values)| {
                values
                    .into_iter()
                    .flat_map(move |value| [format!("--{name}"), value])
            })
            .collect()
    }
}
