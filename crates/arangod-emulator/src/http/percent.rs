//! Percent encoding in paths and queries.

/// Decodes one segment of a path; broken escapes and bytes that are not UTF-8 are nothing.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = char::from(rest.next()?).to_digit(16)?;
        let low = char::from(rest.next()?).to_digit(16)?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// Encodes one segment of a path.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~:@!$'()*+,;=".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Encodes a name or a value of a query.
pub(crate) fn encode_query(text: &str) -> String {
    encode(text).replace('+', "%2B")
}

/// The pairs of a query; a name without a value has the empty one.
pub(crate) fn query(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let plain = |text: &str| decode(&text.replace('+', " "));
            Some((plain(name)?, plain(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        assert_eq!(decode("a%20b%C3%B6").as_deref(), Some("a bö"));
        assert_eq!(decode("%2"), None);
        assert_eq!(decode("%ff"), None);
        assert_eq!(encode("a b/ö"), "a%20b%2F%C3%B6");
        let pair = format!("x={}", encode_query("1+1=2&3"));
        assert_eq!(query(&pair), [("x".into(), "1+1=2&3".into())]);
        assert_eq!(
            query("a=1&b&c=x+y%26"),
            [("a", "1"), ("b", ""), ("c", "x y&")].map(|(k, v)| (k.into(), v.into()))
        );
    }
}
