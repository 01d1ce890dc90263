//! The certificates that a test can ask for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which certificate a server shows to its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Certificate {
    /// A new one that is as it should be: what a server gets when certificates are rotated.
    Valid,
    /// One that expired an hour ago.
    Expired,
    /// One for the host `wrong-host.invalid`, where nobody reaches the server.
    WrongHost,
    /// One that another authority issued, which no client knows.
    UnknownAuthority,
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Valid => "a valid certificate",
            Self::Expired => "an expired certificate",
            Self::WrongHost => "a certificate for another host",
            Self::UnknownAuthority => "a certificate of an unknown authority",
        })
    }
}
