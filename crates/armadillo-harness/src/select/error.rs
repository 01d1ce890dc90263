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

impl ExpressionError {
    /// The expression with a caret under the place: two lines.
    #[must_use]
    pub fn picture(&self) -> String {
        if self.text.trim().is_empty() {
            return "    \"\"\n    ^^".to_owned();
        }
        let blank_controls = |c: char| if c.is_control() { ' ' } else { c };
        let shown: String = self.text.chars().map(blank_controls).collect();
        let before = " ".repeat(chars_in(&self.text, 0..self.place.start));
        let carets = "^".repeat(chars_in(&self.text, self.place.clone()).max(1));
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
