//! From text to tokens. Words are those of pytest: letters, digits, `_`, and the punctuation of names (`:` `+` `-` `.`
//! `[` `]` `\` `/`), so that `net::tcp` is one word; anything else goes in quotes.

use std::ops::Range;

use super::error::ExpressionError;

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) place: Range<usize>,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    And,
    Or,
    Not,
    Open,
    Close,
    Comma,
    Word(String),
    Quoted(String),
}

/// The operators of other languages, and what they are called here.
const FOREIGN: [(&str, &str); 7] = [
    ("&&", "and"),
    ("||", "or"),
    ("&", "and"),
    ("|", "or"),
    ("!", "not"),
    ("~", "not"),
    ("=", "suite(\"auth\")"),
];

pub(super) fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | ':' | '+' | '-' | '.' | '[' | ']' | '\\' | '/')
}

/// Splits `text` into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let start = at;
        at += c.len_utf8();
        let kind = match c {
            _ if c.is_whitespace() => continue,
            '(' => Kind::Open,
            ')' => Kind::Close,
            ',' => Kind::Comma,
            '"' | '\'' => match text[at..].find(c) {
                Some(length) => {
                    let inside = text[at..at + length].to_owned();
                    at += length + 1;
                    Kind::Quoted(inside)
                }
                None => {
                    return Err(ExpressionError {
                        text: text.to_owned(),
                        place: start..at,
                        reason: "unclosed quote".to_owned(),
                        suggestion: format!("close it with another {c}"),
                    });
                }
            },
            _ if is_word_char(c) => {
                let rest = &text[at..];
                at += rest.find(|c| !is_word_char(c)).unwrap_or(rest.len());
                match &text[start..at] {
                    "and" => Kind::And,
                    "or" => Kind::Or,
                    "not" => Kind::Not,
                    word => Kind::Word(word.to_owned()),
                }
            }
            _ => return Err(unexpected(text, start, c)),
        };
        tokens.push(Token {
            kind,
            place: start..at,
        });
    }
    Ok(tokens)
}

fn unexpected(text: &str, start: usize, c: char) -> ExpressionError {
    let foreign = FOREIGN
        .iter()
        .find(|(sign, _)| text[start..].starts_with(sign));
    let (length, suggestion) = match foreign {
        Some((sign, word)) => (sign.len(), format!("write `{word}` instead of `{sign}`")),
        None => (
            c.len_utf8(),
            "an expression consists of words, `and`, `or`, `not` and parentheses; quote text with other characters"
                .to_owned(),
        ),
    };
    ExpressionError {
        text: text.to_owned(),
        place: start..start + length,
        reason: format!("unexpected `{}`", &text[start..start + length]),
        suggestion,
    }
}
