//! Links: what servers send each other, and what clients send them, through a proxy that can withhold, delay, throttle or
//! break it.
//!
//! One process per deployment, below the one that starts the servers, listens where each server is advertised and passes
//! bytes on to where it binds. It needs no rights: the server at the other end of a connection is found by its socket in
//! `/proc` ([`source`]). What it does with the bytes is decided by a state machine without I/O ([`state`]); the proxy
//! ([`proxy`]) only reads, writes and waits.

mod control;
mod held;
mod lane;
mod order;
mod proxy;
mod rules;
mod socket;
mod source;
mod state;
mod wire;

use std::collections::BTreeMap;

use crate::ports::HeldPort;
use crate::server::ServerKey;

pub use control::LinkError;
pub use held::HeldLinks;
pub use order::{Direction, End, LinkFault, LinkOrder, LinkReport};
pub use source::check as check_sources;

pub use control::Proxy;
pub(crate) use wire::{Listener, Setup};

/// The word of a topology whose servers reach each other through a proxy.
pub const LINKS: &str = "links";

/// The word of a topology whose clients reach the servers through a proxy.
pub const CLIENT_LINKS: &str = "client_links";

/// Which ports of a product's servers take part in links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkUse {
    /// The ports that servers reach each other by, which they must be told to advertise; `None`: every port.
    pub peers: Option<&'static [&'static str]>,
    /// The ports that clients reach; `None`: every port.
    pub clients: Option<&'static [&'static str]>,
}

/// The links that a deployment is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinksWanted {
    /// The system, which names streams.
    pub system: &'static str,
    /// The ports that it names.
    pub ports: LinkUse,
    /// Whether there is a proxy between servers.
    pub peers: bool,
    /// Whether there is one between clients and servers.
    pub clients: bool,
}

/// The addresses of a proxy in front of one server, with the ports held for it.
#[derive(Debug, Default)]
pub(crate) struct Front {
    /// Where its peers reach the server instead, by port name.
    pub(crate) advertise: BTreeMap<String, String>,
    /// Where clients do.
    pub(crate) reach: BTreeMap<String, String>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) held: Vec<HeldPort>,
}

impl LinksWanted {
    /// Holds ports for a proxy in front of a server that binds at these addresses.
    pub(crate) fn front(
        &self,
        server: &ServerKey,
        bind: &BTreeMap<String, String>,
    ) -> std::io::Result<Front> {
        let mut front = Front::default();
        let takes =
            |ports: Option<&[&str]>, name: &str| ports.is_none_or(|ports| ports.contains(&name));
        for (name, target) in bind {
            if self.peers && takes(self.ports.peers, name) {
                let address = front.listen(server, target, false)?;
                front.advertise.insert(name.clone(), address);
            }
            if self.clients && takes(self.ports.clients, name) {
                let address = front.listen(server, target, true)?;
                front.reach.insert(name.clone(), address);
            }
        }
        Ok(front)
    }
}

impl Front {
    fn listen(
        &mut self,
        server: &ServerKey,
        target: &str,
        clients: bool,
    ) -> std::io::Result<String> {
        let port = HeldPort::take()?;
        let listen = port.address();
        self.listeners.push(Listener {
            server: server.clone(),
            clients,
            listen: listen.clone(),
            target: target.to_owned(),
        });
        self.held.push(port);
        Ok(listen)
    }
}
