//! Output that tests print and that must arrive as it was.

/// A megabyte of lines, no two of them equal.
#[must_use]
pub fn megabyte() -> Vec<u8> {
    let mut text = Vec::with_capacity(1 << 20);
    for number in 0.. {
        text.extend_from_slice(format!("line {number} of many\n").as_bytes());
        if text.len() >= 1 << 20 {
            break;
        }
    }
    text
}

/// Every byte there is, in every order of two, without a line's end where one would be expected.
#[must_use]
pub fn bytes() -> Vec<u8> {
    let pair = |first: u8| (0..=u8::MAX).flat_map(move |second| [first, second]);
    (0..=u8::MAX).flat_map(pair).collect()
}
