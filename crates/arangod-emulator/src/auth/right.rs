//! Rights on databases and collections.

/// What somebody may do, the greater the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    /// Nothing.
    None,
    /// Read.
    Ro,
    /// Read and write.
    Rw,
}

impl Right {
    /// Reads a `grant`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::None),
            "ro" => Some(Self::Ro),
            "rw" => Some(Self::Rw),
            _ => None,
        }
    }

    /// The `grant`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ro => "ro",
            Self::Rw => "rw",
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// A token without a user, or authentication is off: may do everything.
    Superuser,
    /// A user of `_users` who is active and has shown a password or a token.
    User(String),
    /// Nobody known.
    Nobody,
}
