//! What a test's attribute says: `etcd(members = 3)`.

use armadillo_orchestrator::StaticTopology;
use armadillo_orchestrator::links::{CLIENT_LINKS, LINKS};
use armadillo_orchestrator::tls::TLS;
use armadillo_orchestrator::topology::OfferedTopology;

/// The name of the system, as topologies and settings spell it.
pub(crate) const SYSTEM: &str = "etcd";

/// The only shape: some members that elect a leader. One member is a cluster, too.
pub(crate) const SHAPE: &str = "cluster";

/// The number that says how many members there are.
pub(crate) const MEMBERS: &str = "members";

/// The number that says how many members a test may add.
pub(crate) const SPARES: &str = "spares";

/// The word of a cluster that everybody may use without a login.
pub(crate) const NO_AUTH: &str = "no_auth";

/// The role of every server.
pub(crate) const ROLE: &str = "member";

/// What can be asked for by name.
pub(crate) const OFFERED: &[OfferedTopology] = &[OfferedTopology {
    name: "etcd",
    about: "an etcd cluster",
    topology: etcd().topology(),
    numbers: &[MEMBERS, SPARES],
    words: &[NO_AUTH, TLS, LINKS, CLIENT_LINKS],
}];

/// A builder of topologies, usable in constants.
#[derive(Clone, Copy, Debug)]
pub struct EtcdTopology(StaticTopology);

/// An etcd cluster. Its number of members, unless said, is that of `--etcd-members`, or 3.
#[must_use]
pub const fn etcd() -> EtcdTopology {
    EtcdTopology(StaticTopology::new(SYSTEM, SHAPE))
}

impl EtcdTopology {
    /// The same with this many members: 1, 3, 5, ...
    #[must_use]
    pub const fn members(self, count: u32) -> Self {
        Self(self.0.with(MEMBERS, count))
    }

    /// The same with this many members in reserve: they have ports and directories, but are not started and not part of the
    /// cluster until a test adds them.
    #[must_use]
    pub const fn spares(self, count: u32) -> Self {
        Self(self.0.with(SPARES, count))
    }

    /// The same with members that start on a copy of existing data, of this version of etcd or of one that this version can take
    /// over: a directory with the directory `member-1`, which holds what the data directory of a member held. If the data has
    /// users, the file `secret` beside it has the password of `root`. The other members join the first and get its data from it.
    ///
    /// # Panics
    /// At compile time, when the path is empty.
    #[must_use]
    pub const fn data(self, path: &'static str) -> Self {
        Self(self.0.with_data(path))
    }

    /// The same without authentication, for programs that cannot log in. Every user of the machine can read and change
    /// what is in it.
    #[must_use]
    pub const fn no_auth(self) -> Self {
        Self(self.0.with_word(NO_AUTH))
    }

    /// The same on this version of etcd, whatever the run has: `3.5.16`, or the newest `3.5` in the user's cache. Where nobody
    /// has put it, the test is ignored, with the command that gets it.
    ///
    /// # Panics
    /// At compile time, when it is not a version.
    #[must_use]
    pub const fn version(self, version: &'static str) -> Self {
        assert!(
            is_version(version),
            "write a version such as 3.5.16 or 3.5; for a bound, use requires(version = \">=3.5\")"
        );
        self.program(version)
    }

    /// The same on this program: a path, or a version as in [`Self::version`], which may be written `etcd@3.6`.
    #[must_use]
    pub const fn program(self, program: &'static str) -> Self {
        Self(self.0.with_binary(ROLE, program))
    }

    /// The same with TLS: members show certificates of an authority made for the run, and nobody who has none of its
    /// certificates can connect, as a client or as a peer.
    #[must_use]
    pub const fn tls(self) -> Self {
        Self(self.0.with_word(TLS))
    }

    /// The same with a proxy in front of each member's peer port, so that a test can cut, delay and hold what members send each
    /// other.
    #[must_use]
    pub const fn links(self) -> Self {
        Self(self.0.with_word(LINKS))
    }

    /// The same with a proxy in front of each member's client port, so that a test can cut, delay and reset the connections of
    /// clients.
    #[must_use]
    pub const fn client_links(self) -> Self {
        Self(self.0.with_word(CLIENT_LINKS))
    }

    /// The same with an option of etcd's command line for every member, without its dashes:
    /// `option("quota-backend-bytes", "16777216")`.
    ///
    /// # Panics
    /// At compile time, when more than eight options are given.
    #[must_use]
    pub const fn option(self, name: &'static str, value: &'static str) -> Self {
        Self(self.0.with_option(name, value))
    }

    /// The topology.
    #[must_use]
    pub const fn topology(self) -> StaticTopology {
        self.0
    }
}

/// Whether this is a version or the beginning of one: digits with dots between them, and perhaps `+` and a word.
const fn is_version(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (mut i, mut dots) = (0, 0);
    while i < bytes.len() && bytes[i] != b'+' {
        match bytes[i] {
            b'.' => dots += 1,
            b'0'..=b'9' => {}
            _ => return false,
        }
        i += 1;
    }
    i > 0 && dots > 0 && bytes[0] != b'.' && bytes[i - 1] != b'.' && i + 1 != bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_no_version() {
        assert!(is_version("3.5") && is_version("3.5.16") && is_version("3.5.5+gofail"));
        for wrong in ["", "3", ">=3.5", "3.", ".5", "v3.5", "etcd", "3.5+"] {
            assert!(!is_version(wrong), "{wrong}");
        }
    }
}
