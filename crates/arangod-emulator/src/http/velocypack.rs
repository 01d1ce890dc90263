//! VelocyPack, ArangoDB's binary form of JSON: what clients may send and ask for in its place.
//!
//! Everything that JSON can say is read in every form that VelocyPack has for it. Written are the
//! compact forms of arrays and objects, which every reader knows. Types beyond JSON are refused.

use serde_json::{Map, Number, Value};

/// The type of such a body.
pub(super) const CONTENT_TYPE: &str = "application/x-velocypack";

/// How deep values may be nested, as in JSON.
const DEEPEST: usize = 128;

/// Attribute names that are written as small integers, from 1 on.
const TRANSLATED: [&str; 5] = ["_key", "_rev", "_id", "_from", "_to"];

/// Whether a header names VelocyPack.
pub(super) fn is_named(header: Option<&str>) -> bool {
    let kind = header.and_then(|text| text.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(CONTENT_TYPE))
}

/// The value in these bytes, if they are exactly one.
pub(super) fn decode(bytes: &[u8]) -> Option<Value> {
    let (value, length) = read(bytes, 0)?;
    (length == bytes.len()).then_some(value)
}

/// A little-endian number of these bytes, eight at most.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// The same for the length of something.
fn size(bytes: &[u8]) -> Option<usize> {
    usize::try_from(number(bytes)).ok()
}

/// A value at the beginning of the bytes, and how long it is.
fn read(bytes: &[u8], depth: usize) -> Option<(Value, usize)> {
    let head = *bytes.first()?;
    if depth > DEEPEST {
        return None;
    }
    let plain = |value: Value| Some((value, 1));
    match head {
        0x01 => plain(Value::Array(Vec::new())),
        0x0a => plain(Value::Object(Map::new())),
        0x18 => plain(Value::Null),
        0x19 => plain(Value::Bool(false)),
        0x1a => plain(Value::Bool(true)),
        0x30..=0x39 => plain(Value::from(head - 0x30)),
        0x3a..=0x3f => plain(Value::from(i16::from(head) - 0x40)),
        0x1b => {
            let bits = number(bytes.get(1..9)?);
            // JSON has no word for what is no number.
            let value = Number::from_f64(f64::from_bits(bits)).map_or(Value::Null, Value::Number);
            Some((value, 9))
        }
        0x20..=0x27 => {
            let length = usize::from(head - 0x1f);
            let shift = 64 - 8 * length;
            // The sign is in the highest bit that is there.
            let signed = (number(bytes.get(1..=length)?) << shift) as i64 >> shift;
            Some((Value::from(signed), length + 1))
        }
        0x28..=0x2f => {
            let length = usize::from(head - 0x27);
            Some((Value::from(number(bytes.get(1..=length)?)), length + 1))
        }
        0x40..=0xbf => {
            let (text, length) = string(bytes)?;
            Some((Value::from(text), length))
        }
        0x02..=0x05 => plain_array(bytes, head, depth),
        0x06..=0x09 => indexed(bytes, 1 << (head - 0x06), depth, false),
        0x0b..=0x0e => indexed(bytes, 1 << (head - 0x0b), depth, true),
        0x0f..=0x12 => indexed(bytes, 1 << (head - 0x0f), depth, true),
        0x13 | 0x14 => compact(bytes, depth, head == 0x14),
        _ => None,
    }
}

/// A string, and how long it is.
fn string(bytes: &[u8]) -> Option<(&str, usize)> {
    let head = *bytes.first()?;
    let (start, length): (usize, usize) = match head {
        0x40..=0xbe => (1, usize::from(head - 0x40)),
        0xbf => (9, size(bytes.get(1..9)?)?),
        _ => return None,
    };
    let end = start.checked_add(length)?;
    let text = std::str::from_utf8(bytes.get(start..end)?).ok()?;
    Some((text, end))
}

/// An array whose items are all of one length, without a table of them.
fn plain_array(bytes: &[u8], head: u8, depth: usize) -> Option<(Value, usize)> {
    let width = 1 << (head - 0x02);
    let end = size(bytes.get(1..=width)?)?;
    let bytes = bytes.get(..end)?;
    let mut at = width + 1;
    // There may be zeros, so that the items begin where longer heads would end.
    while bytes.get(at) == Some(&0) && at < 9 {
        at += 1;
    }
    let mut items = Vec::new();
    while at < end {
        let (item, length) = read(&bytes[at..], depth + 1)?;
        items.push(item);
        at += length;
    }
    (at == end).then_some((Value::Array(items), end))
}

/// An array or an object with a table of where its items are.
fn indexed(bytes: &[u8], width: usize, depth: usize, is_object: bool) -> Option<(Value, usize)> {
    let end = size(bytes.get(1..=width)?)?;
    let bytes = bytes.get(..end)?;
    // With eight bytes, the number of items is at the end.
    let (count, table_end) = match width {
        8 => {
            let table_end = end.checked_sub(8)?;
            (size(bytes.get(table_end..)?)?, table_end)
        }
        _ => (size(bytes.get(width + 1..=2 * width)?)?, end),
    };
    let table = table_end.checked_sub(count.checked_mul(width)?)?;
    let places = bytes.get(table..table_end)?.chunks(width);
    let mut items = Items::new(is_object);
    // Items that lie in each other would be more than was sent.
    let mut used = 0;
    for place in places {
        let at = size(place)?;
        used += items.read(bytes.get(..table)?, at, depth)? - at;
        if used > table {
            return None;
        }
    }
    Some((items.value(), end))
}

/// An array or an object whose items follow each other.
fn compact(bytes: &[u8], depth: usize, is_object: bool) -> Option<(Value, usize)> {
    let (end, mut at) = variable(bytes.get(1..)?.iter())?;
    let bytes = bytes.get(..end)?;
    at += 1;
    let (count, width) = variable(bytes.get(at..)?.iter().rev())?;
    let limit = end.checked_sub(width)?;
    let mut items = Items::new(is_object);
    for _ in 0..count {
        at = items.read(bytes.get(..limit)?, at, depth)?;
    }
    (at == limit).then(|| (items.value(), end))
}

/// A number in pieces of seven bits, and how many there are.
fn variable<'a>(bytes: impl Iterator<Item = &'a u8>) -> Option<(usize, usize)> {
    let mut sum = 0;
    for (place, byte) in bytes.take(9).enumerate() {
        sum |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(sum).ok()?, place + 1));
        }
    }
    None
}

/// The items of an array or an object.
enum Items {
    Array(Vec<Value>),
    Object(Map<String, Value>),
}

impl Items {
    fn new(is_object: bool) -> Self {
        match is_object {
            true => Self::Object(Map::new()),
            false => Self::Array(Vec::new()),
        }
    }

    /// Takes the item that begins there, and returns where it ends.
    fn read(&mut self, bytes: &[u8], at: usize, depth: usize) -> Option<usize> {
        let rest = bytes.get(at..)?;
        match self {
            Self::Array(items) => {
                let (item, length) = read(rest, depth + 1)?;
                items.push(item);
                Some(at + length)
            }
            Self::Object(items) => {
                let (name, length) = match *rest.first()? {
                    head @ 0x31..=0x35 => (TRANSLATED[usize::from(head - 0x31)], 1),
                    _ => string(rest)?,
                };
                let (item, more) = read(rest.get(length..)?, depth + 1)?;
                items.insert(String::from(name), item);
                Some(at + length + more)
            }
        }
    }

    fn value(self) -> Value {
        match self {
            Self::Array(items) => Value::Array(items),
            Self::Object(items) => Value::Object(items),
        }
    }
}

/// The bytes of a value.
pub(super) fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(value, &mut bytes);
    bytes
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0x18),
        Value::Bool(false) => out.push(0x19),
        Value::Bool(true) => out.push(0x1a),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_text(text, out),
        Value::Array(items) if items.is_empty() => out.push(0x01),
        Value::Object(items) if items.is_empty() => out.push(0x0a),
        Value::Array(items) => {
            let mut content = Vec::new();
            for item in items {
                write(item, &mut content);
            }
            write_compact(0x13, &content, items.len(), out);
        }
        Value::Object(items) => {
            let mut content = Vec::new();
            for (name, item) in items {
                write_text(name, &mut content);
                write(item, &mut content);
            }
            write_compact(0x14, &content, items.len(), out);
        }
    }
}

fn write_number(number: &Number, out: &mut Vec<u8>) {
    let mut sized = |first: u8, bytes: [u8; 8], length: usize| {
        out.push(first + length as u8 - 1);
        out.extend_from_slice(&bytes[..length]);
    };
    if let Some(small) = number.as_i64().filter(|small| (-6..10).contains(small)) {
        out.push(match small {
            0.. => 0x30 + small as u8,
            _ => (0x40 + small) as u8,
        });
    } else if let Some(positive) = number.as_u64() {
        let length = 8 - positive.leading_zeros() as usize / 8;
        sized(0x28, positive.to_le_bytes(), length);
    } else if let Some(negative) = number.as_i64() {
        sized(0x20, negative.to_le_bytes(), 8);
    } else {
        out.push(0x1b);
        out.extend_from_slice(&number.as_f64().unwrap_or(0.0).to_bits().to_le_bytes());
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    match text.len() {
        length @ 0..=126 => out.push(0x40 + length as u8),
        length => {
            out.push(0xbf);
            out.extend_from_slice(&(length as u64).to_le_bytes());
        }
    }
    out.extend_from_slice(text.as_bytes());
}

fn write_compact(head: u8, content: &[u8], count: usize, out: &mut Vec<u8>) {
    let mut tail = pieces(count);
    tail.reverse();
    let rest = 1 + content.len() + tail.len();
    // The length counts itself.
    let mut width = 1;
    while pieces(rest + width).len() > width {
        width += 1;
    }
    out.push(head);
    out.extend(pieces(rest + width));
    out.extend_from_slice(content);
    out.extend(tail);
}

/// A number in pieces of seven bits; all but the last have the highest bit.
fn pieces(mut number: usize) -> Vec<u8> {
    let mut pieces = Vec::new();
    while number >= 0x80 {
        pieces.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    pieces.push(number as u8);
    pieces
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_value_comes_back() {
        let long = "ä".repeat(100);
        let many: Vec<u64> = (0..1000).collect();
        for value in [
            json!(null),
            json!([true, false, [], {}]),
            json!([
                0,
                9,
                10,
                255,
                256,
                u64::MAX,
                -1,
                -6,
                -7,
                i64::MIN,
                1.5,
                -0.25
            ]),
            json!({ "a": { "b": [1, "x"] }, "": long, "_key": "k" }),
            json!({ "many": many }),
        ] {
            assert_eq!(decode(&encode(&value)), Some(value));
        }
    }

    /// Bytes of the forms that are read and not written, taken apart by hand from the description of
    /// the format.
    #[test]
    fn every_form_is_read() {
        for (bytes, value) in [
            // An array without a table, also with zeros in front of the items.
            (&[0x02, 0x05, 0x31, 0x32, 0x33][..], json!([1, 2, 3])),
            (
                &[0x02, 0x0b, 0, 0, 0, 0, 0, 0, 0, 0x31, 0x32],
                json!([1, 2]),
            ),
            // An array with a table.
            (
                &[0x06, 0x09, 0x02, 0x31, 0x28, 0x10, 0x03, 0x04, 0x00][..8],
                json!(null),
            ),
            (
                &[0x06, 0x08, 0x02, 0x31, 0x28, 0x10, 0x03, 0x04],
                json!([1, 16]),
            ),
            // An object with a table, with a translated name.
            (
                &[0x0b, 0x0a, 0x02, 0x41, b'a', 0x31, 0x31, 0x41, b'k', 0x03][..],
                json!(null),
            ),
            (
                &[
                    0x0b, 0x0b, 0x02, 0x41, b'a', 0x31, 0x31, 0x41, b'k', 0x03, 0x06,
                ],
                json!({ "a": 1, "_key": "k" }),
            ),
            (&[0x14, 0x06, 0x41, b'a', 0x3f, 0x01], json!({ "a": -1 })),
            (&[0x21, 0xfe, 0xff], json!(-2)),
            (&[0xbf, 1, 0, 0, 0, 0, 0, 0, 0, b'x'], json!("x")),
        ] {
            let expected = (!value.is_null()).then_some(value);
            assert_eq!(decode(bytes), expected, "{bytes:x?}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let good = encode(&json!({ "a": [1, "text", { "b": null }] }));
        for cut in 0..good.len() {
            assert_eq!(decode(&good[..cut]), None, "{cut}");
        }
        for place in 0..good.len() {
            for byte in 0..=255 {
                let mut bytes = good.clone();
                bytes[place] = byte;
                // It may be another value; it must not be the end of the server.
                drop(decode(&bytes));
            }
        }
        let mut deep = vec![0x18];
        for _ in 0..200 {
            let mut outer = Vec::new();
            write_compact(0x13, &deep, 1, &mut outer);
            deep = outer;
        }
        assert_eq!(decode(&deep), None);
        for bytes in [
            &[][..],
            &[0x17],
            &[0x1c, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x18, 0x18],
        ] {
            assert_eq!(decode(bytes), None);
        }
    }
}
