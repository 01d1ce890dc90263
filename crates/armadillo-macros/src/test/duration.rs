//! Durations: `"500ms"`, `"30s"`, `"3m"`, `"1h"`.

use syn::parse::ParseStream;
use syn::{Error, LitStr};

const HELP: &str = "a time is a number with a unit, in quotes: \"500ms\", \"30s\", \"3m\", \"1h\"";

/// A duration in milliseconds; not zero.
pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<u64> {
    let text: LitStr = input
        .parse()
        .map_err(|error| Error::new(error.span(), HELP))?;
    milliseconds(&text.value()).ok_or_else(|| Error::new(text.span(), HELP))
}

fn milliseconds(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim_start() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    number.checked_mul(factor).filter(|&limit| limit > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_needs_a_unit() {
        assert_eq!(milliseconds("500ms"), Some(500));
        assert_eq!(milliseconds("2 s"), Some(2_000));
        assert_eq!(milliseconds("3m"), Some(180_000));
        assert_eq!(milliseconds("1h"), Some(3_600_000));
        for wrong in [
            "",
            "s",
            "3",
            "3x",
            "-1s",
            "0s",
            "1.5s",
            "99999999999999999999h",
            "9999999999999999h",
        ] {
            assert_eq!(milliseconds(wrong), None, "{wrong}");
        }
    }
}
