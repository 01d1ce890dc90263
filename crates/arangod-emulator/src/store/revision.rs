//! Revisions: a hybrid logical clock, written as arangod writes it.
//!
//! 44 bits of milliseconds and 20 bits of a counter, in digits of six bits, `-` being zero. The
//! alphabet follows from recorded revisions: `_l6zhVTW---`, `_l6zhVTW--_`, `_l6zhVTW--A`.

const DIGITS: &[u8; 64] = b"-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A clock whose every reading is later than all before.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last: u64,
}

impl Clock {
    /// The next revision.
    pub(crate) fn tick(&mut self) -> u64 {
        let now = (crate::system::micros() / 1000) << 20;
        self.last = now.max(self.last + 1);
        self.last
    }

    /// Never again gives a revision up to this one.
    pub(crate) fn observe(&mut self, revision: u64) {
        self.last = self.last.max(revision);
    }
}

/// The text of a revision.
pub(crate) fn encode(revision: u64) -> String {
    let mut text = Vec::with_capacity(11);
    let mut rest = revision;
    while rest > 0 {
        text.push(DIGITS[(rest & 63) as usize]);
        rest >>= 6;
    }
    text.iter().rev().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_grow_and_look_like_recorded_ones() {
        let mut clock = Clock::default();
        let first = clock.tick();
        assert!(clock.tick() > first);
        clock.observe(u64::MAX - 5);
        assert_eq!(clock.tick(), u64::MAX - 4);
        let recorded: u64 = "_l6zhVTW---"
            .bytes()
            .map(|digit| DIGITS.iter().position(|known| *known == digit).unwrap() as u64)
            .fold(0, |value, digit| value << 6 | digit);
        assert_eq!(encode(recorded), "_l6zhVTW---");
        assert_eq!(encode(recorded + 1), "_l6zhVTW--_");
        assert_eq!(encode(recorded + 2), "_l6zhVTW--A");
        // The example was recorded in August 2026.
        assert_eq!((recorded >> 20) / 1000 / 86_400 / 365, 56);
    }
}
