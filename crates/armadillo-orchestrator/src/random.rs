//! Random numbers: unpredictable ones from the operating system, and choices that a seed repeats.

use std::io;
use std::time::Duration;

use rustix::rand::{GetRandomFlags, getrandom};

use crate::duration::micros;

/// Random bytes from the operating system.
///
/// # Errors
/// When it has none.
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match getrandom(rest, GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}

/// `N` random bytes from the operating system as lower-case hexadecimal digits, two for each.
///
/// # Errors
/// When it has none.
pub fn hex<const N: usize>() -> io::Result<String> {
    Ok(bytes::<N>()?
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// The seed of a test: the run's, mixed with the test's name, so that it does not depend on which tests run beside it.
#[must_use]
pub fn seed_of(run: u64, test: &str) -> u64 {
    // FNV-1a over the name, then the finaliser of splitmix64: the standard hasher may change between releases.
    let name = test.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(run ^ name)
}

/// The finaliser of splitmix64.
fn mix(mut mixed: u64) -> u64 {
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Random choices from a seed, the same for each seed: splitmix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Choices of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next_number() % end).unwrap_or(0)
    }

    /// A generator of its own, for a part of the whole.
    #[must_use]
    pub fn branch(&mut self) -> Self {
        Self(self.next_number())
    }

    /// A time below `end`, in whole microseconds; none if there is none.
    pub fn time_below(&mut self, end: Duration) -> Duration {
        Duration::from_micros(self.next_number() % micros(end).max(1))
    }

    /// One of them, unless there is none.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }

    /// Whether something happens that does so in `percent` of all cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_length_asked_for_and_differs() {
        let (one, other) = (hex::<16>().unwrap(), hex::<16>().unwrap());
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
    }

    #[test]
    fn seeds_depend_on_run_and_name_alone() {
        assert_eq!(seed_of(7, "a::b"), seed_of(7, "a::b"));
        assert_ne!(seed_of(7, "a::b"), seed_of(8, "a::b"));
        assert_ne!(seed_of(7, "a::b"), seed_of(7, "a::c"));
    }
}
