//! What a terminal may be told by texts that tests and servers wrote: colours, and nothing that moves the cursor, clears the
//! screen or changes a title. Files keep what was written as it was.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;

/// Ends all colours.
const RESET: &str = "\x1b[0m";

/// The text without escape sequences, except for colours if these are wanted; other control characters are shown as their
/// symbols (`␈`). Colours end with the text.
pub(crate) fn tamed(text: &str, color: bool) -> Cow<'_, str> {
    if !text.chars().any(is_to_be_looked_at) {
        return Cow::Borrowed(text);
    }
    let mut tame = String::with_capacity(text.len());
    let mut colored = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\t' => tame.push(c),
            // A line may end so; alone it goes back to the line's beginning.
            '\r' if rest.peek() == Some(&'\n') => tame.push(c),
            '\x1b' => {
                let Some(kind) = rest.next_if(|c| matches!(c, ' '..='~')) else {
                    tame.push(symbol(c));
                    continue;
                };
                if let Some(codes) = escape(kind, &mut rest)
                    && color
                {
                    tame.push_str(&format!("\x1b[{codes}m"));
                    colored = !matches!(codes.as_str(), "" | "0" | "00");
                }
            }
            '\u{9b}' => _ = control_sequence(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => control_string(&mut rest),
            c if c.is_control() => tame.push(symbol(c)),
            c => tame.push(c),
        }
    }
    if colored {
        tame.push_str(RESET);
    }
    Cow::Owned(tame)
}

fn is_to_be_looked_at(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

/// A control character as it is shown.
pub(super) fn symbol(c: char) -> char {
    match c {
        '\0'..='\x1f' => {
            char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        '\x7f' => '␡',
        _ => char::REPLACEMENT_CHARACTER,
    }
}

/// Takes the rest of an escape sequence of this kind; the codes, if it is for colours.
fn escape(kind: char, rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    match kind {
        '[' => return control_sequence(rest),
        ']' | 'P' | 'X' | '^' | '_' => control_string(rest),
        ' '..='/' => {
            while rest.next_if(|c| matches!(c, ' '..='/')).is_some() {}
            rest.next_if(|c| matches!(c, '0'..='~'));
        }
        _ => {}
    }
    None
}

/// Takes the rest of a control sequence; its codes, if it is for colours. One that is broken off ends where it breaks off.
fn control_sequence(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut codes = String::new();
    while let Some(c) = rest.next_if(|c| matches!(c, ' '..='?')) {
        codes.push(c);
    }
    let end = rest.next_if(|c| matches!(c, '@'..='~'));
    let is_color = end == Some('m') && codes.chars().all(|c| matches!(c, '0'..=';'));
    is_color.then_some(codes)
}

/// Takes the rest of a control string, such as a title. One without an end goes no further than its line.
fn control_string(rest: &mut Peekable<Chars<'_>>) {
    while let Some(c) = rest.next_if(|c| *c != '\n') {
        match c {
            '\x07' | '\u{9c}' => return,
            '\x1b' => {
                // Its end; anything else is an escape sequence of its own, and as bad.
                rest.next_if(|c| matches!(c, '\\'));
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_where_they_are_wanted_and_end_with_the_text() {
        let text = "a \x1b[1;31mred\x1b[0m word, \x1b[38:5:12mblue";
        assert_eq!(tamed(text, true), format!("{text}\x1b[0m"));
        assert_eq!(tamed(text, false), "a red word, blue");
        let ended = "\x1b[32mok\x1b[m\n";
        assert_eq!(tamed(ended, true), ended);
    }

    #[test]
    fn whatever_else_a_terminal_would_do_is_taken_out() {
        for (written, shown) in [
            ("clear\x1b[2J\x1b[H.", "clear."),
            ("up\x1b[3A\x1b7\x1b8.", "up."),
            ("reset\x1bc.", "reset."),
            ("title\x1b]0;mine\x07.", "title."),
            ("title\x1b]2;mine\x1b\\.", "title."),
            ("link\x1b]8;;http://a\x1b\\b\x1b]8;;\x1b\\.", "linkb."),
            ("unended\x1b]0;mine\nnext", "unended\nnext"),
            ("device\x1bP1$r\x1b\\.", "device."),
            ("keys\x1b[>4;1m\x1b[?25l.", "keys."),
            ("charset\x1b(0.", "charset."),
            (
                "eight\u{9b}2Jbit\u{9d}0;t\u{9c}\u{85}.",
                "eightbit\u{fffd}.",
            ),
            ("10%\r20%\r\nbell\x07 back\x08", "10%␍20%\r\nbell␇ back␈"),
            ("end\x1b", "end␛"),
            ("end\x1b[12", "end"),
            ("é\x1bé\x7f", "é␛é␡"),
        ] {
            for color in [true, false] {
                assert_eq!(tamed(written, color), shown, "{written:?}");
            }
        }
    }

    #[test]
    fn what_is_tame_stays_as_it_is() {
        let text = "a line\n\tand another: é ␈ \u{200d}\n";
        assert!(matches!(tamed(text, false), Cow::Borrowed(same) if same == text));
        let twice = tamed("\x1b[31mred \x1b[A", true).into_owned();
        assert_eq!(tamed(&twice, true), twice);
    }
}
