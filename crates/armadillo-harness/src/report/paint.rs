//! Colours, or none.

/// Wraps words in colours, if they are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    pub(super) fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    pub(super) fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Microseconds as a person reads them: `0.05 s`, `12.3 s`, `2 min 5 s`.
pub(crate) fn time(us: u64) -> String {
    let tenths = us / 100_000;
    if us < 10_000_000 {
        format!("{}.{:02} s", us / 1_000_000, us / 10_000 % 100)
    } else if us < 120_000_000 {
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else {
        format!("{} min {} s", us / 60_000_000, us / 1_000_000 % 60)
    }
}

/// `1 test`, `2 tests`.
#[must_use]
pub fn many(count: usize, word: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {word}{ending}")
}

/// A text on one line.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
