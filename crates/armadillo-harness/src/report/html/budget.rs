//! How much text goes into the page: enough for a person, not so much that no browser opens it. The files of the run have
//! all of it.

/// As much of one text, in bytes.
const ONE: usize = 64 << 10;

/// As much of all texts together, in bytes.
const ALL: usize = 24 << 20;

/// What is left.
pub(super) struct Budget {
    left: usize,
    /// How many texts were left out or cut because the page would have become too large.
    pub(super) cut: usize,
}

impl Budget {
    pub(super) const fn new() -> Self {
        Self { left: ALL, cut: 0 }
    }

    /// The text, or its beginning and its end, or nothing if there is no room left.
    pub(super) fn take(&mut self, text: &str) -> String {
        let room = ONE.min(self.left);
        if text.len() <= room {
            self.left -= text.len();
            return text.to_owned();
        }
        self.cut += 1;
        if room < ONE {
            return String::new();
        }
        let head = text.floor_char_boundary(ONE / 4);
        let tail = text.ceil_char_boundary(text.len() - ONE / 2);
        self.left -= head + text.len() - tail;
        format!(
            "{}\n... {} bytes left out ...\n{}",
            &text[..head],
            tail - head,
            &text[tail..]
        )
    }

    /// The same for lines.
    pub(super) fn lines(&mut self, lines: &[String]) -> Vec<String> {
        let size: usize = lines.iter().map(String::len).sum();
        if size > self.left {
            self.cut += 1;
            return Vec::new();
        }
        self.left -= size;
        lines.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginning_and_end_are_kept_and_all_of_it_is_bounded() {
        let mut budget = Budget::new();
        assert_eq!(budget.take("short"), "short");
        let long = format!("begin {} end", "ü".repeat(ONE));
        let cut = budget.take(&long);
        assert!(cut.starts_with("begin ") && cut.ends_with(" end") && cut.len() < ONE);
        assert_eq!(budget.cut, 1);
        let mut total = 0;
        for _ in 0..1000 {
            total += budget.take(&long).len();
        }
        assert!(total <= ALL, "{total}");
        assert!(budget.cut > 400);
    }
}
