//! The proof that an answer comes from the process that was just started, and not from whoever else is there.

use crate::backend::Running;
use crate::ports::PortOwner;
use crate::system::Identity;
use crate::view::Place;

/// What is known of who answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Our process did.
    Ours,
    /// Nobody can say yet, and why.
    Open(String),
    /// Somebody else did.
    Foreign(String),
}

/// Weighs what the answer itself says, and without that, who listens where the server was told to.
pub(super) fn prove(running: &dyn Running, place: &Place, identity: Option<Identity>) -> Proof {
    match identity {
        Some(Identity::Ours(true)) => Proof::Ours,
        Some(Identity::Ours(false)) => {
            Proof::Foreign("a server of another deployment responds".into())
        }
        Some(Identity::Pid(pid)) => match running.owns_pid(pid) {
            Some(true) => Proof::Ours,
            Some(false) => Proof::Foreign(format!(
                "process {pid} responds, but it does not belong to {}",
                running.id()
            )),
            None => by_ports(running, place),
        },
        None => by_ports(running, place),
    }
}

fn by_ports(running: &dyn Running, place: &Place) -> Proof {
    let mut ours = false;
    let mut known = false;
    for (name, address) in &place.bind {
        match running.port_owner(address) {
            Some(PortOwner::Foreign(who)) => {
                return Proof::Foreign(format!("{who} listens on its {name} port, {address}"));
            }
            Some(PortOwner::Ours) => {
                (ours, known) = (true, true);
            }
            Some(PortOwner::Nobody) => known = true,
            None => {}
        }
    }
    if ours || !known {
        // Where nobody can tell whose a port is, the answer itself is all there is.
        Proof::Ours
    } else {
        Proof::Open("it does not listen on any of its ports".into())
    }
}
