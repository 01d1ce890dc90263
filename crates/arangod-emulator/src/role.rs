//! The role of a server in its deployment.

use crate::options::Options;

/// What a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A server of its own.
    Single,
    /// A member of the agency.
    Agent,
    /// A server that stores shards.
    DbServer,
    /// A server that answers clients.
    Coordinator,
}

impl Role {
    /// The role that the options ask for, or the word that names none.
    pub(crate) fn from_options(options: &Options) -> Result<Self, String> {
        if options.flag("--agency.activate") {
            return Ok(Self::Agent);
        }
        match options.text("--cluster.my-role") {
            "" => Ok(Self::Single),
            "PRIMARY" | "DBSERVER" => Ok(Self::DbServer),
            "COORDINATOR" => Ok(Self::Coordinator),
            "SINGLE" => Ok(Self::Single),
            "AGENT" => Ok(Self::Agent),
            other => Err(String::from(other)),
        }
    }

    /// The name as `GET /_admin/server/role` gives it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Single => "SINGLE",
            Self::Agent => "AGENT",
            Self::DbServer => "PRIMARY",
            Self::Coordinator => "COORDINATOR",
        }
    }

    /// What the ids of such servers begin with.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Single => "SNGL",
            Self::Agent => "AGNT",
            Self::DbServer => "PRMR",
            Self::Coordinator => "CRDN",
        }
    }

    /// The letter that `--log.role` writes.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Single => 'S',
            Self::Agent => 'A',
            Self::DbServer => 'P',
            Self::Coordinator => 'C',
        }
    }
}
