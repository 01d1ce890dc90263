//! Which deployments a fixture uses, among those of whoever asks for it.

use super::MOST;

/// The most fixtures that one can be made from.
const MOST_INPUTS: usize = 8;

/// For each deployment a fixture needs, in order, its number among those of whoever asks for the fixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Binding {
    numbers: [u8; MOST],
    count: u8,
}

impl Binding {
    /// No deployment.
    pub(crate) const NONE: Self = Self {
        numbers: [0; MOST],
        count: 0,
    };

    /// The first `count` ones.
    pub(crate) fn first(count: usize) -> Self {
        (0..count.min(MOST)).fold(Self::NONE, Self::with)
    }

    pub(super) const fn with(mut self, number: usize) -> Self {
        self.numbers[self.count as usize] = number as u8;
        self.count += 1;
        self
    }

    /// The numbers.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = usize> {
        self.numbers[..usize::from(self.count)]
            .iter()
            .map(|number| usize::from(*number))
    }

    /// The same among the deployments that those of whoever asks are a part of.
    pub(crate) fn among(&self, outer: &Self) -> Self {
        let outer: Vec<usize> = outer.numbers().collect();
        let numbers = self.numbers().filter_map(|number| outer.get(number));
        numbers.copied().fold(Self::NONE, Self::with)
    }
}

/// The [`Binding`] of each argument of a function.
#[derive(Clone, Copy, Debug)]
pub struct Bindings([Binding; MOST_INPUTS]);

impl Bindings {
    pub(super) const NONE: Self = Self([Binding::NONE; MOST_INPUTS]);

    pub(super) const fn add(&mut self, argument: usize, number: usize) {
        self.0[argument] = self.0[argument].with(number);
    }

    /// That of one argument.
    pub(crate) const fn of(&self, argument: usize) -> Binding {
        self.0[argument]
    }

    /// Whether no argument uses a deployment.
    pub(crate) const fn are_none(&self) -> bool {
        let mut i = 0;
        while i < MOST_INPUTS {
            if self.0[i].count > 0 {
                return false;
            }
            i += 1;
        }
        true
    }
}
