//! How a duration is written: `500ms`, `30s`, `3m`, `1h30m`. Command lines, variables, files and the attributes of tests have
//! this one grammar: the file is a module of this crate and of the one with the attributes, which depends on no other of ours.

/// The units, each with its milliseconds.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// The milliseconds of a duration: numbers with units, the largest unit first, without anything in between. `None` if it is
/// none, or longer than can be said.
#[must_use]
pub fn parse_millis(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total: u64 = 0;
    let mut unit_before = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        let after = rest.get(digits..)?;
        let length = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, left) = after.split_at_checked(length)?;
        let &(_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        if factor >= unit_before {
            return None;
        }
        unit_before = factor;
        total = total.checked_add(number.checked_mul(factor)?)?;
        rest = left;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units_and_the_largest_comes_first() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("3m", 180_000),
            ("1h", 3_600_000),
            ("1h30m", 5_400_000),
            ("1m0s5ms", 60_005),
            ("0s", 0),
        ] {
            assert_eq!(parse_millis(text), Some(milliseconds), "{text}");
        }
        for text in [
            "",
            "s",
            "3",
            "3x",
            "2 s",
            "30s1m",
            "1s1s",
            "-3s",
            "1.5s",
            "99999999999999999999h",
            "18446744073709551615h",
            "é",
        ] {
            assert_eq!(parse_millis(text), None, "{text}");
        }
    }
}
