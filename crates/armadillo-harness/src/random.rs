//! Random ids and seeds.

use rustix::rand::{GetRandomFlags, getrandom};

/// Random bytes from the kernel.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            // The kernel has no source of randomness only before it has booted; time and pid then tell runs apart.
            Err(_) => {
                let fallback =
                    u64::from(std::process::id()) ^ crate::clock::Origin::now().elapsed_us();
                for (byte, value) in bytes[filled..]
                    .iter_mut()
                    .zip(fallback.to_ne_bytes().into_iter().cycle())
                {
                    *byte = value;
                }
                filled = N;
            }
        }
    }
    bytes
}

/// `N` random bytes as hexadecimal digits.
pub(crate) fn hex<const N: usize>() -> String {
    bytes::<N>()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The seed of a test: the run's, mixed with the test's name, so that it does not depend on which tests run beside it.
pub(crate) fn seed_of(run: u64, test: &str) -> u64 {
    // FNV-1a over the name, then the finaliser of splitmix64: the standard hasher may change between releases.
    let name = test.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut mixed = run ^ name;
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
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next_number() % end).unwrap_or(0)
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
    fn seeds_depend_on_run_and_name_alone() {
        assert_eq!(seed_of(7, "a::b"), seed_of(7, "a::b"));
        assert_ne!(seed_of(7, "a::b"), seed_of(8, "a::b"));
        assert_ne!(seed_of(7, "a::b"), seed_of(7, "a::c"));
        assert_eq!(hex::<4>().len(), 8);
    }
}
