//! Who asks, and what they may do.

mod jwt;
mod key;
mod right;
mod secrets;
pub(crate) mod users;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub(crate) use right::{Identity, Right};
pub(crate) use secrets::{SecretError, Secrets};

use crate::store::Store;

/// The credentials of an `Authorization` header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// `bearer <token>`
    Bearer(String),
    /// `basic <name:password>`
    Basic(String, String),
    /// No header, or one that cannot be read.
    Missing,
}

impl Credentials {
    /// Reads the header; the scheme may be written in any case.
    pub(crate) fn read(header: Option<&str>) -> Self {
        let Some((scheme, rest)) = header.and_then(|text| text.split_once(' ')) else {
            return Self::Missing;
        };
        if scheme.eq_ignore_ascii_case("bearer") {
            return Self::Bearer(String::from(rest.trim()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Self::Missing;
        }
        let decoded = STANDARD
            .decode(rest.trim())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        match decoded.as_deref().and_then(|text| text.split_once(':')) {
            Some((name, password)) => Self::Basic(String::from(name), String::from(password)),
            None => Self::Missing,
        }
    }
}

/// Finds out who asks for `path`. Without a store, as before recovery, only the superuser is known.
pub(crate) fn identify(
    credentials: &Credentials,
    secrets: &Secrets,
    store: Option<&Store>,
    path: &str,
) -> Identity {
    let known = |name: &str| users::find(store?, name);
    match credentials {
        Credentials::Missing => Identity::Nobody,
        Credentials::Basic(name, password) => match known(name) {
            Some(user) if user.opens_with(password) => Identity::User(user.name),
            _ => Identity::Nobody,
        },
        Credentials::Bearer(token) => {
            let Some(token) = secrets.verify(token) else {
                return Identity::Nobody;
            };
            let fits = token
                .allowed_paths
                .is_none_or(|paths| paths.iter().any(|allowed| allowed == path));
            match (fits, token.user) {
                (false, _) => Identity::Nobody,
                (true, None) => Identity::Superuser,
                // Whether the user is active is asked of passwords only (`UserManagerImpl.cpp`).
                (true, Some(name)) => match known(&name) {
                    Some(user) => Identity::User(user.name),
                    None => Identity::Nobody,
                },
            }
        }
    }
}

/// What somebody may do in a database.
pub(crate) fn database_right(store: &Store, who: &Identity, database: &str) -> Right {
    match who {
        Identity::Superuser => Right::Rw,
        Identity::Nobody => Right::None,
        Identity::User(name) => {
            users::find(store, name).map_or(Right::None, |user| user.database_right(database))
        }
    }
}

/// What somebody may do in a collection.
pub(crate) fn collection_right(
    store: &Store,
    who: &Identity,
    database: &str,
    collection: &str,
) -> Right {
    match who {
        Identity::Superuser => Right::Rw,
        Identity::Nobody => Right::None,
        Identity::User(name) => users::find(store, name).map_or(Right::None, |user| {
            user.collection_right(database, collection)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let basic = Credentials::Basic(String::from("root"), String::new());
        assert_eq!(Credentials::read(Some("Basic cm9vdDo=")), basic);
        assert_eq!(Credentials::read(Some("bAsIc cm9vdDo=")), basic);
        let bearer = Credentials::Bearer(String::from("a.b.c"));
        assert_eq!(Credentials::read(Some("bearer a.b.c")), bearer);
        for bad in [None, Some(""), Some("Digest x"), Some("basic %%")] {
            assert_eq!(Credentials::read(bad), Credentials::Missing);
        }
    }
}
