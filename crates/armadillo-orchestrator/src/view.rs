//! What is known of a deployment wherever it is used: in the daemon, in a worker, in a system.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::attach::Attached;
use crate::http::Client;
use crate::keys::KeySteps;
use crate::links::HeldLinks;
use crate::membership::Membership;
use crate::secret::Secret;
use crate::server::ServerKey;
use crate::settings::Settings;
use crate::tls::Tls;
use crate::topology::Topology;

/// A deployment as data. It crosses the daemon's socket and is never written to a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct View {
    /// The deployment's id, unique among all runs: `mydb-cluster-members3-1f3a9c20`.
    pub deployment: String,
    /// The complete topology.
    pub topology: Topology,
    /// Each planned server's place, those of spares and of removed servers among them: see [`View::servers`].
    pub places: BTreeMap<ServerKey, Place>,
    /// A random secret made for this deployment, from which a system makes passwords, keys or tokens.
    #[serde(with = "crate::secret::on_the_wire")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub secret: Secret,
    /// How often the keys made from that secret were changed.
    #[serde(default)]
    pub keys: KeySteps,
    /// Which of the planned servers are part of it now.
    #[serde(default)]
    pub membership: Membership,
    /// The servers whose program is a stand-in for the product.
    pub stand_ins: BTreeSet<ServerKey>,
    /// The settings of the run that asked for it.
    pub settings: Settings,
    /// Its certificates, if its servers speak TLS.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// On which links between its servers something is held; known only to whoever looks after the deployment.
    #[serde(skip)]
    pub held: HeldLinks,
}

/// Where one server lives. The three addresses are equal for local processes; fault proxies, containers and TLS need
/// them apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
        let place = match self.membership.moved_to(server, port) {
            Some(whose) => self.places.get(&whose),
            None => self.places.get(server),
        };
        place?.reach.get(port).map(String::as_str)
    }

    /// The servers that are part of it now, in order. Servers that a test has added are in it, those it has removed are not.
    pub fn servers(&self) -> impl Iterator<Item = (&ServerKey, &Place)> + Clone {
        let roll = self.membership.roll();
        let places = self.places.iter();
        places.filter(move |(key, _)| roll.is_part(key))
    }

    /// Where a server lives now, if the plan has it: with the addresses that it was given since.
    #[must_use]
    pub fn place(&self, server: &ServerKey) -> Option<Place> {
        let mut place = self.places.get(server)?.clone();
        for port in self.places.get(server)?.bind.keys() {
            let Some(whose) = self.membership.moved_to(server, port) else {
                continue;
            };
            let from = self.places.get(&whose)?;
            for (own, other) in [
                (&mut place.bind, &from.bind),
                (&mut place.advertise, &from.advertise),
                (&mut place.reach, &from.reach),
            ] {
                own.extend(
                    other
                        .get(port)
                        .map(|address| (port.clone(), address.clone())),
                );
            }
        }
        Some(place)
    }

    /// A client for `server` on its port `port`, which speaks TLS if the deployment does.
    #[must_use]
    pub fn client(&self, server: &ServerKey, port: &str) -> Option<Client> {
        self.reach(server, port)
            .map(|address| self.client_at(address))
    }

    /// The same for a server of this deployment at `host:port`.
    #[must_use]
    pub fn client_at(&self, address: impl Into<String>) -> Client {
        match &self.tls {
            Some(tls) => Client::tls(address, tls),
            None => Client::tcp(address),
        }
    }

    /// `https` if its servers speak TLS, else `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match &self.tls {
            Some(_) => "https",
            None => "http",
        }
    }

    /// The address of a server of this deployment as a URL: `http://127.0.0.1:4711`.
    #[must_use]
    pub fn url(&self, address: &str) -> String {
        format!("{}://{address}", self.scheme())
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

    /// The servers of one role that are part of it now, in order.
    pub fn of_role<'a>(
        &'a self,
        role: &'a str,
    ) -> impl Iterator<Item = (&'a ServerKey, &'a Place)> + 'a {
        self.servers().filter(move |(_, place)| place.role == role)
    }
}
