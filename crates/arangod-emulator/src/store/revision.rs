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

/// The revision that a text means, as arangod reads it (`RevisionId::fromString`): a decimal number if it begins like one, but
/// not with a zero; otherwise digits as above. 0 if it means none.
pub(crate) fn decode(text: &str) -> u64 {
    if text.starts_with(|first: char| ('1'..='9').contains(&first)) {
        return text.parse().unwrap_or_default();
    }
    let digit = |byte: u8| DIGITS.iter().position(|known| *known == byte);
    let value = text.bytes().try_fold(0u64, |value, byte| {
        let digit = u64::try_from(digit(byte)?).ok()?;
        value.checked_mul(64)?.checked_add(digit)
    });
    value.unwrap_or_default()
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
        let recorded = decode("_l6zhVTW---");
        assert_eq!(encode(recorded), "_l6zhVTW---");
        assert_eq!(encode(recorded + 1), "_l6zhVTW--_");
        assert_eq!(encode(recorded + 2), "_l6zhVTW--A");
        // The example was recorded in August 2026.
        assert_eq!((recorded >> 20) / 1000 / 86_400 / 365, 56);
    }

    #[test]
    fn a_text_is_read_as_arangod_reads_it() {
        for (text, revision) in [
            ("54", 54),
            ("0", 54),
            ("_", 1),
            ("", 0),
            ("?", 0),
            ("1_", 0),
            ("____________", 0),
        ] {
            assert_eq!(decode(text), revision, "{text}");
        }
        assert_eq!(decode(&encode(u64::MAX)), u64::MAX);
    }
}
