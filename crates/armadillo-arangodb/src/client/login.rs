//! Who a client says that it is, and in which ways it can show it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use armadillo_orchestrator::{Secret, View};

use crate::auth;

/// How long the token is valid that a client hands to others: as long as arangod's own (`--server.session-timeout`).
pub(crate) const HANDED_OUT: Duration = Duration::from_secs(3600);

/// A way to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginMethod {
    /// A token, as `Authorization: bearer ...`.
    Token(Secret),
    /// A name and a password, as `Authorization: Basic ...`.
    Basic {
        /// The user's name.
        user: String,
        /// The user's password.
        password: Secret,
    },
}

impl LoginMethod {
    /// The header that shows it, for any client: its name and its value.
    #[must_use]
    pub fn header(&self) -> (&'static str, Secret) {
        let value = match self {
            Self::Token(token) => auth::bearer(token),
            Self::Basic { user, password } => auth::basic(user, password),
        };
        ("authorization", value)
    }
}

/// Who asks, as it is handed to other clients.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: Secret,
    pub(super) token: OwnToken,
    /// Whether the client has all rights, which every server of the deployment accepts.
    pub(super) superuser: bool,
}

/// Where the token of somebody comes from.
#[derive(Clone)]
pub(super) enum OwnToken {
    /// It is there, or there is none.
    Given(Secret),
    /// It is signed when it is asked for, with the key of that moment.
    Signed,
}

impl Credentials {
    pub(super) fn token(&self, view: &View) -> Secret {
        match &self.token {
            OwnToken::Given(token) => token.clone(),
            OwnToken::Signed if self.superuser => auth::superuser_token_for(view, HANDED_OUT),
            OwnToken::Signed => auth::user_token_for(view, &self.user, HANDED_OUT),
        }
    }
}

/// What a client shows: the ways it has to log in, in order.
pub(super) struct Shown {
    ways: Vec<Way>,
    /// The first one that was not refused.
    current: AtomicUsize,
    signed: Mutex<Option<(u32, Secret)>>,
}

pub(super) enum Way {
    /// A superuser's token, signed with the key of the moment.
    Superuser,
    /// This value of the header.
    Header(Secret),
}

impl Shown {
    pub(super) fn new(ways: Vec<Way>) -> Self {
        Self {
            ways,
            current: AtomicUsize::new(0),
            signed: Mutex::default(),
        }
    }

    /// Which way it is, and the value of the header; no value where nobody is asked.
    pub(super) fn header(&self, view: &View) -> (usize, Option<Secret>) {
        let number = self.current.load(Ordering::Relaxed);
        let value = self.ways.get(number).map(|way| match way {
            Way::Superuser => self.superuser(view),
            Way::Header(value) => value.clone(),
        });
        (number, value)
    }

    /// A server has refused this way. Whether there is another; requests begin with it from now on.
    pub(super) fn refused(&self, number: usize) -> bool {
        let next = number + 1;
        if next >= self.ways.len() {
            return false;
        }
        self.current.fetch_max(next, Ordering::Relaxed);
        true
    }

    fn superuser(&self, view: &View) -> Secret {
        let steps = view.keys.taken();
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        match &*signed {
            Some((of, value)) if *of == steps => value.clone(),
            _ => {
                let value = auth::bearer(&auth::superuser_token(view));
                *signed = Some((steps, value.clone()));
                value
            }
        }
    }
}
