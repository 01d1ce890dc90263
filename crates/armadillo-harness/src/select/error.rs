//! What is wrong with an expression: the place, the reason, a suggestion.

use std::fmt;
use std::ops::Range;

/// An expression that cannot be understood. Shown with the expression and a caret under the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ExpressionError {
    /// The whole expression.
    pub text: String,
    /// The place, in bytes of `text`. An empty range at the end says that something is missing there.
    pub place: Range<usize>,
    /// What is wrong.
    pub reason: String,
    /// What would be right.
    pub suggestion: String,
}

/// How many characters of an expression are shown, at most.
const WIDEST: usize = 200;

/// How many characters of a word are shown, at most.
const LONGEST_WORD: usize = 60;

/// A word as messages show it: cut off if it is very long.
pub(super) fn in_short(word: &str) -> String {
    let mut shown: String = word.chars().take(LONGEST_WORD).collect();
    if shown.len() < word.len() {
        shown.push_str("...");
    }
    shown
}

impl ExpressionError {
    /// The expression with a caret under the place: two lines.
    #[must_use]
    pub fn picture(&self) -> String {
        if self.text.trim().is_empty() {
            return "    \"\"\n    ^^".to_owned();
        }
        let blank_controls = |c: char| if c.is_control() { ' ' } else { c };
        let mut shown: String = self.text.chars().map(blank_controls).collect();
        let mut before = chars_in(&self.text, 0..self.place.start);
        let mut marked = chars_in(&self.text, self.place.clone()).max(1);
        if chars_in(&self.text, 0..self.text.len()) > WIDEST {
            // Only what lies around the place.
            let from = before.saturating_sub(WIDEST / 2);
            let part: String = shown.chars().skip(from).take(WIDEST).collect();
            let cut = if from > 0 { "..." } else { "" };
            before = before - from + cut.len();
            marked = marked.min((WIDEST + cut.len()).saturating_sub(before).max(1));
            shown = format!("{cut}{part}...");
        }
        let before = " ".repeat(before);
        let carets = "^".repeat(marked);
        format!("    {shown}\n    {before}{carets}")
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let picture = self.picture();
        write!(f, "{}\n{picture}\nhelp: {}", self.reason, self.suggestion)
    }
}

/// How many characters lie in this range of bytes; the range may cut a character or leave the text.
fn chars_in(text: &str, range: Range<usize>) -> usize {
    text.char_indices()
        .filter(|(at, _)| range.contains(at))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_expression_only_what_lies_around_the_place_is_shown() {
        let text = format!("{} or slwo or {}", "a".repeat(9000), "b".repeat(9000));
        let error = ExpressionError {
            place: 9004..9008,
            text,
            reason: String::new(),
            suggestion: String::new(),
        };
        let picture = error.picture();
        let (shown, carets) = picture.split_once('\n').unwrap();
        let at = carets.find('^').unwrap();
        assert_eq!((&shown[at..at + 4], &carets[at..]), ("slwo", "^^^^"));
        assert!(picture.len() < 500, "{picture}");
        let whole = ExpressionError {
            place: 0..error.text.len(),
            ..error
        };
        assert!(whole.picture().len() < 500, "{}", whole.picture());
    }

    #[test]
    fn a_place_beyond_or_inside_a_character_is_harmless() {
        let error = ExpressionError {
            text: "é and".to_owned(),
            place: 1..90,
            reason: "wrong".to_owned(),
            suggestion: "right".to_owned(),
        };
        assert_eq!(
            error.to_string(),
            "wrong\n    é and\n     ^^^^\nhelp: right"
        );
    }
}
