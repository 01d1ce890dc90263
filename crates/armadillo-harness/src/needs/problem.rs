//! Why the arguments of a function cannot be told which deployments they use, in words.
//!
//! The words are put together at compile time, because they name the arguments.

/// How long a text can be.
const LENGTH: usize = 480;

/// A text that is put together at compile time. What does not fit is left out.
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; LENGTH],
    length: usize,
}

impl Text {
    pub(super) const fn new(text: &str) -> Self {
        Self {
            bytes: [0; LENGTH],
            length: 0,
        }
        .and(text)
    }

    pub(super) const fn and(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        if self.length + text.len() > LENGTH {
            return self;
        }
        let mut i = 0;
        while i < text.len() {
            self.bytes[self.length + i] = text[i];
            i += 1;
        }
        self.length += text.len();
        self
    }

    const fn and_called(self, name: &str) -> Self {
        if is_no_name(name) {
            self.and("an argument without a name")
        } else {
            self.and("`").and(name).and("`")
        }
    }

    const fn and_on(self, name: &str) -> Self {
        let name = if is_no_name(name) { "its_name" } else { name };
        self.and("`#[on(").and(name).and(")]`")
    }

    /// The text.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "cannot determine which deployments the arguments use",
        }
    }
}

const fn is_no_name(name: &str) -> bool {
    matches!(name.as_bytes(), [b'_'])
}

/// Why one argument cannot be told which deployment it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// It fits those of two others.
    Ambiguous(usize, usize),
    /// It is a handle that could use the deployment of another, or one of its own.
    Unclear(usize),
    /// It needs several that fit the one of another.
    Several(usize),
    /// It is said to be on the deployment of another, which it does not fit.
    NotOn(usize),
    /// There are too many.
    TooMany,
}

impl Problem {
    /// What is wrong with the argument `name`, and what to write; `names` are those of all arguments.
    pub(super) const fn text(self, name: &str, names: &[&str]) -> Text {
        let it = Text::new("").and_called(name);
        match self {
            Self::Ambiguous(one, other) => it
                .and(" matches the deployments of ")
                .and_called(names[one])
                .and(" and ")
                .and_called(names[other])
                .and(": add ")
                .and_on(names[one])
                .and(" or ")
                .and_on(names[other])
                .and(" to it"),
            Self::Unclear(other) => it
                .and(" could use the deployment of ")
                .and_called(names[other])
                .and(" or a separate one: add ")
                .and_on(names[other])
                .and(" to it, or `#[topology(..)]` for a separate deployment"),
            Self::Several(other) => it
                .and(" needs several deployments that could be the one of ")
                .and_called(names[other])
                .and(": make ")
                .and_called(names[other])
                .and(" a part of that fixture"),
            Self::NotOn(other) => it
                .and(" does not use a deployment that could be the one of ")
                .and_called(names[other]),
            Self::TooMany => Text::new("a test can use at most eight deployments"),
        }
    }
}
