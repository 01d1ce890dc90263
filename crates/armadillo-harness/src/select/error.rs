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

/// The candidate that `word` was most likely meant to be.
#[must_use]
pub(crate) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).max(1) + 1;
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance <= allowed && *distance < candidate.chars().count().max(2)
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_word_is_the_one_a_slip_of_the_fingers_away() {
        let declared = ["slow", "fast", "flaky", "performance"];
        assert_eq!(closest("slwo", declared), Some("slow"));
        assert_eq!(closest("preformance", declared), Some("performance"));
        assert_eq!(closest("nightly", declared), None);
        assert_eq!(closest("", declared), None);
    }

    #[test]
    fn distance_counts_a_swap_as_one() {
        assert_eq!(distance("slwo", "slow"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

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
