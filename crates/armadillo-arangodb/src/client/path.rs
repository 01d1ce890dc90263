//! Paths of the HTTP API.

use std::fmt::Write as _;

/// One segment of a path, percent-encoded: a name, a key.
pub(crate) fn segment(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A path within a database: `/_db/NAME/_api/...`.
pub(crate) fn in_database(database: &str, rest: &str) -> String {
    format!("/_db/{}{rest}", segment(database))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(segment("a-b_c.d~9"), "a-b_c.d~9");
        assert_eq!(segment("../x?y#z%"), "..%2Fx%3Fy%23z%25");
        assert_eq!(segment("größe"), "gr%C3%B6%C3%9Fe");
        assert_eq!(in_database("a b", "/_api/x"), "/_db/a%20b/_api/x");
    }
}
