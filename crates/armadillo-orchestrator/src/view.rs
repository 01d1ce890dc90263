//! What is known of a deployment wherever it is used: in the daemon, in a worker, in a system.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::attach::Attached;
use crate::secret::Secret;
use crate::server::ServerKey;
use crate::settings::Settings;
use crate::topology::Topology;

/// A deployment as data. It crosses the daemon's socket and is never written to a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct View {
    /// The deployment's id, unique among all runs: `mydb-cluster-members3-1f3a9c20`.
    pub deployment: String,
    /// The complete topology.
    pub topology: Topology,
    /// Each planned server's place.
    pub places: BTreeMap<ServerKey, Place>,
    /// A random secret made for this deployment, from which a system makes passwords, keys or tokens.
    #[serde(with = "crate::secret::on_the_wire")]
    pub secret: Secret,
    /// The servers whose program is a stand-in for the product.
    pub stand_ins: BTreeSet<ServerKey>,
    /// The settings of the run that asked for it.
    pub settings: Settings,
}

/// Where one server lives. The three addresses are equal for local processes; fault proxies, containers and TLS need
/// them apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The server's role.
    pub role: String,
    /// `host:port` by port name: where it binds.
    pub bind: BTreeMap<String, String>,
    /// What it advertises to its peers.
    pub advertise: BTreeMap<String, String>,
    /// Where clients reach it.
    pub reach: BTreeMap<String, String>,
    /// Its directory as the server sees it.
    pub dir_inside: PathBuf,
    /// Its directory as we see it.
    pub dir_outside: PathBuf,
    /// The memory and the cores it may use.
    pub share: Share,
}

/// A server's share of the machine, for systems that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Cores, at least one.
    pub cores: u32,
}

impl View {
    /// Where clients reach `server` on its port `port`: `127.0.0.1:4711`. `None` if the plan has no such server or port.
    #[must_use]
    pub fn reach(&self, server: &ServerKey, port: &str) -> Option<&str> {
        self.places.get(server)?.reach.get(port).map(String::as_str)
    }

    /// What is known of its servers, if somebody else started them.
    #[must_use]
    pub fn attached(&self) -> Option<&Attached> {
        self.settings.attached(&self.topology.system)
    }

    /// The end of its id: what the names of things carry that belong to the deployment as a whole.
    #[must_use]
    pub fn mark(&self) -> &str {
        self.deployment.rsplit('-').next().unwrap_or_default()
    }

    /// The servers of one role, in order.
    pub fn of_role<'a>(
        &'a self,
        role: &'a str,
    ) -> impl Iterator<Item = (&'a ServerKey, &'a Place)> + 'a {
        self.places
            .iter()
            .filter(move |(_, place)| place.role == role)
    }
}
