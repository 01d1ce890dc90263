//! Which deployment what is asked for can be, and in which order that is looked at.

use super::{LeaseMode, Wanted, same_kind};

/// How much a request leaves to choose; the least first.
pub(super) struct Rank;

impl Rank {
    pub(super) const NEW: u8 = 0;
    pub(super) const SAID: u8 = 1;
    pub(super) const HANDLE: u8 = 2;
    pub(super) const WHATEVER: u8 = 9;
    /// Those that an attribute `on` says something of: when the others have been chosen.
    pub(super) const ON: u8 = 10;
    pub(super) const COUNT: u8 = 11;

    pub(super) const fn of(wanted: &Wanted, is_on: bool) -> u8 {
        if is_on {
            return Self::ON;
        }
        if wanted.by_handle && wanted.need.lease.is_fresh() {
            return Self::NEW;
        }
        if wanted.said {
            return Self::SAID;
        }
        let Some(topology) = &wanted.need.topology else {
            return Self::WHATEVER;
        };
        if wanted.by_handle && !topology.is_any() {
            return Self::HANDLE;
        }
        let lease = match wanted.need.lease {
            LeaseMode::Shared => 2,
            LeaseMode::Exclusive => 1,
            _ => 0,
        };
        if topology.is_any() {
            6 + lease
        } else {
            3 + lease
        }
    }
}

/// Whether what is asked for can be this deployment.
pub(super) const fn fits(slot: &Wanted, asked: &Wanted) -> bool {
    let lease = match asked.need.lease {
        LeaseMode::Shared => true,
        LeaseMode::Exclusive => !slot.need.lease.is_fresh(),
        lease => slot.need.lease.is(lease),
    };
    lease && same_kind(&slot.need.topology, &asked.need.topology) && agree(slot, asked)
}

/// Whether what both say of the topology agrees. What an attribute says is the same only as its equal, and counts before
/// what a handle says of itself.
const fn agree(slot: &Wanted, asked: &Wanted) -> bool {
    match (&slot.need.topology, &asked.need.topology) {
        (Some(one), Some(other)) if asked.said => slot.said && one.same(other),
        (Some(one), Some(other)) => {
            slot.said || one.is_plain() || other.is_plain() || one.same(other)
        }
        _ => !asked.said,
    }
}

/// Whether a handle may mean this deployment, and may as well mean another: this one is somebody's own.
pub(super) const fn is_unclear(slot: &Wanted, asked: &Wanted, rank: u8) -> bool {
    let same_lease = slot.need.lease.is(asked.need.lease);
    match rank {
        Rank::SAID => asked.by_handle && !same_lease,
        Rank::HANDLE => slot.said || !same_lease,
        _ => false,
    }
}
