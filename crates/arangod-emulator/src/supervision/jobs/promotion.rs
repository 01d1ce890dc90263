//! Whom supervision makes the leader of a shard whose leader has failed.

use super::view::{Place, View, server_of};
use crate::planted::{self, Bug};

/// The first server that is ready. Nobody else has everything that was acknowledged: if there is
/// none, the shard stays without a leader.
pub(super) fn new_leader<'a>(view: View<'a>, place: &Place, from: &str) -> Option<&'a str> {
    if planted::has(Bug::PromoteAnybody) {
        let planned = view.planned(place).into_iter();
        let mut others = planned.filter(|server| server_of(server) != from);
        return others.rfind(|server| view.is_fit(server));
    }
    ready_to_lead(view, place, from).first().copied()
}

/// The servers beside one that have the shard in sync, are planned for it and GOOD.
pub(super) fn ready_to_lead<'a>(view: View<'a>, place: &Place, from: &str) -> Vec<&'a str> {
    let planned = view.planned(place);
    let mut candidates = view.in_sync(place);
    candidates.retain(|server| {
        server_of(server) != from && planned.contains(server) && view.is_fit(server)
    });
    candidates
}

/// The order after that: the new leader, the others that are in sync, the old leader, the rest, and one
/// more server if there is one.
pub(super) fn new_order(
    view: View<'_>,
    place: &Place,
    from: &str,
    to: &str,
    more: Option<&str>,
) -> Vec<String> {
    let planned = view.planned(place);
    let in_sync = view.in_sync(place);
    let others = || {
        let others = planned.iter().copied();
        others.filter(|server| server_of(server) != from && *server != to)
    };
    let ready = others().filter(|server| in_sync.contains(server));
    let rest = others().filter(|server| !in_sync.contains(server));
    [to].into_iter()
        .chain(ready)
        .chain([from])
        .chain(rest)
        .chain(more)
        .map(String::from)
        .collect()
}
