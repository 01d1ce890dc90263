//! Which names and keys are legal (documentation, pages "Database naming", "Collection names" and
//! "Document keys").

/// Whether a database may be called so. `extended` is `--database.extended-names`.
pub(crate) fn database(name: &str, extended: bool) -> bool {
    if name.is_empty() || name.starts_with('_') {
        return false;
    }
    let traditional = name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(plain);
    traditional || (extended && name.len() <= 128 && free(name))
}

/// Whether a collection may be called so; system collections start with an underscore.
pub(crate) fn collection(name: &str, system: bool, extended: bool) -> bool {
    let rest = match (name.strip_prefix('_'), system) {
        (Some(rest), true) => rest,
        (Some(_), false) => return false,
        (None, _) => name,
    };
    let traditional = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(plain);
    !rest.is_empty() && name.len() <= 256 && (traditional || (extended && free(rest)))
}

/// Whether a document may have this key.
pub(crate) fn key(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 254
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-:.@()+,=;$!*'%".contains(&byte))
}

/// Whether the text could be the handle of a document, `collection/key`.
pub(crate) fn handle(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(name, rest)| !name.is_empty() && key(rest))
}

fn plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '-'
}

/// Whether the name is in Unicode's normal form C, as every name has to be.
pub(crate) fn is_normalized(name: &str) -> bool {
    unicode_normalization::is_nfc(name)
}

/// The rules of extended names.
fn free(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && name.trim() == name
        && !name
            .chars()
            .any(|letter| letter.is_control() || letter == '/' || letter == ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert!(database("my-db_1", false));
        assert!(!database("größe", false));
        assert!(database("größe", true));
        for bad in ["", "_system", "1db", "a/b", " a", "a:b"] {
            assert!(!database(bad, true), "{bad}");
        }
        assert!(is_normalized("\u{f1}") && !is_normalized("n\u{303}"));
        assert!(collection("_x", true, true));
        for bad in ["", "_x", "_", "a/b", "1a"] {
            assert!(!collection(bad, false, true), "{bad}");
        }
        assert!(key("a:b@c.d-1"));
        assert!(!key("a/b") && !key("") && !key("ä") && !key(&"x".repeat(255)));
        assert!(handle("c/k") && !handle("c") && !handle("/k"));
    }
}
