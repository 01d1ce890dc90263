//! "Did you mean": the option whose name is nearest to a wrong one.

use super::catalog;

/// Up to three options near to `name`, the nearest first.
pub(crate) fn near(name: &str) -> Vec<&'static str> {
    let limit = (name.len() / 3).clamp(2, 8);
    let mut found: Vec<(usize, &'static str)> = catalog::all()
        .keys()
        .map(|known| (distance(name, known), *known))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    found.sort_unstable();
    found.into_iter().take(3).map(|(_, known)| known).collect()
}

/// The number of letters to insert, delete or exchange.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, candidate) in other.iter().enumerate() {
            let exchange = diagonal + usize::from(letter != *candidate);
            diagonal = row[column + 1];
            row[column + 1] = exchange.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        assert_eq!(near("--server.endpont").first(), Some(&"--server.endpoint"));
        assert!(near("--no.such-thing-at-all").is_empty());
        assert_eq!(distance("abc", "abd"), 1);
        assert_eq!(distance("", "abc"), 3);
    }
}
