//! Who does not write for a while.

use crate::front::Front;

/// Clients that only read.
#[derive(Clone, Debug, Default)]
pub(crate) enum Silence {
    /// None.
    #[default]
    Over,
    /// All.
    OfAll,
    /// Those that talk through this front.
    Behind(Front),
}

impl Silence {
    /// Whether it binds this client.
    pub(crate) fn binds(&self, client: usize) -> bool {
        match self {
            Self::Over => false,
            Self::OfAll => true,
            Self::Behind(front) => front.serves(client),
        }
    }
}
