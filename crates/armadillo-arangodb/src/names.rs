//! Names of what tests create: they carry the id of the test's lease, so that it can be found when the test is gone.

/// The most characters a database's name may have (documentation, "Naming restrictions" of databases, the traditional
/// convention: letters, digits, `-` and `_`, a letter first).
const LONGEST: usize = 64;

/// `t_<lease>_<hint>`, with whatever is not allowed in a database's name replaced, and cut to its length.
pub(crate) fn of_lease(lease: &str, hint: &str) -> String {
    let mut name = format!("t_{lease}_{hint}");
    name = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .take(LONGEST)
        .collect();
    name
}

/// Whether `name` carries the lease's id.
pub(crate) fn carries(name: &str, lease: &str) -> bool {
    !lease.is_empty() && name.contains(lease)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_hint_makes_a_name_that_is_allowed_and_carries_the_lease() {
        let name = of_lease("1f3a9c20", "mod::a test \u{e4}");
        assert_eq!(name, "t_1f3a9c20_mod__a_test__");
        assert!(carries(&name, "1f3a9c20"));
        assert!(!carries(&name, "00000000"));
        assert!(!carries(&name, ""));
        assert_eq!(of_lease("1f3a9c20", &"x".repeat(100)).len(), 64);
    }
}
