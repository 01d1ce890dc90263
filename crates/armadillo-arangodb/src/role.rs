//! What a server of ArangoDB can be.

use std::fmt;

/// The role of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A server on its own.
    Single,
    /// A member of the agency, which holds a cluster's plan.
    Agent,
    /// A server that holds shards.
    DbServer,
    /// A server that clients talk to.
    Coordinator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Single, Self::Agent, Self::DbServer, Self::Coordinator];

    /// The role in plans, and before the dot of `[ROLE.]name=value`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Agent => "agent",
            Self::DbServer => "dbserver",
            Self::Coordinator => "coordinator",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The role as the server itself says it, in `serverInfo.role` of `GET /_admin/status`
    /// (documentation, "HTTP interfaces for server administration").
    #[must_use]
    pub const fn on_the_server(self) -> &'static str {
        match self {
            Self::Single => "SINGLE",
            Self::Agent => "AGENT",
            Self::DbServer => "PRIMARY",
            Self::Coordinator => "COORDINATOR",
        }
    }

    /// The letter in the roles column of the official list of options.
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Single => 'S',
            Self::Agent => 'A',
            Self::DbServer => 'D',
            Self::Coordinator => 'C',
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
