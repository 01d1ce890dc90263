//! What no register could have answered, so that a person sees why.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::history::{Operation, Shortened};

/// Answers that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Of which key.
    pub key: String,
    /// What it comes to.
    pub kind: Kind,
    /// The operations that contradict each other, in the order of their invocation. Without any of them there would be
    /// no contradiction.
    pub window: Vec<Operation>,
}

/// What a contradiction comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What was acknowledged is gone: an older body, or none, is read after it, and it is not seen again.
    Lost,
    /// An older body, or none, is read after a newer one was there.
    Stale,
    /// A write that was surely not done is read.
    RefusedAndSeen,
    /// A body is read that nobody wrote.
    Invented,
    /// A body was read before it was written.
    BeforeItsTime,
}

impl Violation {
    pub(super) fn new(kind: Kind, mut window: Vec<&Operation>) -> Self {
        window.sort_by_key(|operation| operation.invoked);
        Self {
            key: window
                .first()
                .map(|first| first.key.clone())
                .unwrap_or_default(),
            kind,
            window: window.into_iter().cloned().collect(),
        }
    }

    /// How long the window is, in moments.
    pub(super) fn length(&self) -> u64 {
        let begin = self.window.first().map_or(0, |first| first.invoked.order);
        let invoked = self.window.iter().map(|operation| operation.invoked);
        let end = invoked.chain(
            self.window
                .iter()
                .filter_map(|operation| operation.returned),
        );
        end.max().map_or(0, |end| end.order - begin)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "an acknowledged write was lost",
            Self::Stale => "a read returned an overwritten value",
            Self::RefusedAndSeen => "a rejected write took effect",
            Self::Invented => "a read returned a value that was never written",
            Self::BeforeItsTime => "a read returned a value before it was written",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Shortened(&self.key), self.kind)?;
        for operation in &self.window {
            write!(f, "\n  {operation}")?;
        }
        Ok(())
    }
}
