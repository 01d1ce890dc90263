//! What counts as a valid value of an option.

use super::catalog::Kind;

/// Reads a boolean in any of the spellings of arangod.
pub(crate) fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "y" | "1" => Some(true),
        "false" | "off" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// Reads an unsigned number, with a unit such as `64MiB` if it has one.
pub(crate) fn unsigned(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// Reads a signed number, with a unit if it has one.
pub(crate) fn signed(text: &str) -> Option<i64> {
    match text.trim().strip_prefix('-') {
        Some(digits) => {
            let size = i128::from(unsigned(digits)?);
            i64::try_from(-size).ok()
        }
        None => i64::try_from(unsigned(text)?).ok(),
    }
}

/// Reads a number with a fraction; infinities are none.
pub(crate) fn double(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|n| n.is_finite())
}

/// Why `text` is no value of this kind, or nothing if it is one.
pub(crate) fn refuse(kind: Kind, text: &str) -> Option<String> {
    let fits = match kind {
        Kind::Flag => flag(text).is_some(),
        Kind::Signed(bits) => signed(text).is_some_and(|n| bits == 64 || i32::try_from(n).is_ok()),
        Kind::Unsigned(bits) => {
            percent(text) || unsigned(text).is_some_and(|n| bits == 64 || u32::try_from(n).is_ok())
        }
        Kind::Double => double(text).is_some(),
        Kind::Text | Kind::TextList | Kind::Obsolete => true,
    };
    if fits {
        return None;
    }
    let wanted = match kind {
        Kind::Flag => "a boolean (true or false)",
        Kind::Signed(_) => "an integer",
        Kind::Unsigned(_) => "an unsigned integer",
        _ => "a number",
    };
    Some(format!("invalid value '{text}', expecting {wanted}"))
}

/// Sizes may be given as a share of the memory of the machine.
fn percent(text: &str) -> bool {
    text.strip_suffix('%')
        .and_then(unsigned)
        .is_some_and(|share| share <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_signs() {
        assert_eq!(unsigned("64MiB"), Some(64 << 20));
        assert_eq!(unsigned("2k"), Some(2000));
        assert_eq!(unsigned("-1"), None);
        assert_eq!(signed("-1"), Some(-1));
        assert_eq!(signed("99999999999999999999"), None);
        assert!(refuse(Kind::Unsigned(32), "4294967296").is_some());
        assert!(refuse(Kind::Unsigned(64), "50%").is_none());
        assert!(refuse(Kind::Double, "inf").is_some());
        assert!(refuse(Kind::Flag, "maybe").is_some());
    }
}
