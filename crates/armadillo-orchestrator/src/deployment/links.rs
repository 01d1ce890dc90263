//! Faults on the links of a deployment.

use std::time::{Duration, Instant};

use super::Deployment;
use crate::deadline::Deadline;
use crate::links::{CLIENT_LINKS, Direction, End, LINKS, LinkError, LinkFault, LinkOrder};
use crate::links::{LinkReport, LinksWanted, Proxy};
use crate::notice::Notice;
use crate::system::System;
use crate::topology::Topology;
use crate::view::View;

/// The links that a topology asks for.
pub(super) fn wanted(system: &'static dyn System, topology: &Topology) -> Option<LinksWanted> {
    let (peers, clients) = (topology.says(LINKS), topology.says(CLIENT_LINKS));
    (peers || clients).then(|| LinksWanted {
        system: system.name(),
        ports: system.links(topology),
        peers,
        clients,
    })
}

/// The view of whoever looks after a deployment, who reaches it directly, and that of its tests if it is another.
pub(super) fn views(outer: View) -> (View, Option<View>) {
    if !outer.topology.says(CLIENT_LINKS) {
        return (outer, None);
    }
    let mut inner = outer.clone();
    for place in inner.places.values_mut() {
        place.reach = place.bind.clone();
    }
    (inner, Some(outer))
}

impl Deployment {
    /// Orders a fault of links, and returns when its effect has been seen; with no time for that, when it is in force. If it has
    /// no effect by the deadline, it is undone.
    ///
    /// # Errors
    /// When there are no such links, or it has no effect by the deadline.
    pub async fn order_links(
        &self,
        order: &LinkOrder,
        wait: Option<Deadline>,
    ) -> Result<LinkReport, LinkError> {
        let begun = Instant::now();
        let ordered = self.order(order, wait, begun).await;
        self.tell_of(order.to_string(), begun, &ordered);
        ordered
    }

    /// Waits until an order has had an effect.
    ///
    /// # Errors
    /// When it has none by the deadline, or cannot have any.
    pub async fn see_links(
        &self,
        ticket: u64,
        what: &str,
        deadline: Deadline,
    ) -> Result<LinkReport, LinkError> {
        let begun = Instant::now();
        let report = LinkReport {
            ticket,
            seen: Vec::new(),
            in_force_after: Duration::ZERO,
            seen_after: None,
        };
        let seen = self.await_effect(&report, what, begun, deadline).await;
        self.tell_of(format!("effect of {what}"), begun, &seen);
        seen
    }

    /// Undoes every fault of links. Returns those that were in force and have had no effect.
    ///
    /// # Errors
    /// When the proxy does not answer.
    pub async fn clear_links(&self) -> Result<Vec<String>, LinkError> {
        let Some(proxy) = self.site.links() else {
            return Ok(Vec::new());
        };
        let cleared = proxy.clear().await?;
        self.view.held.clear();
        if !cleared.undone.is_empty() {
            let undone = cleared.undone;
            self.notices.send(Notice::LinksCleared { undone });
        }
        Ok(cleared.without_effect)
    }

    /// How many connections between its servers have come from nobody known: faults do not apply to them.
    ///
    /// # Errors
    /// When there are no links, or the proxy does not answer.
    pub async fn unattributed_connections(&self) -> Result<u64, LinkError> {
        self.proxy(LINKS)?.unattributed().await
    }

    /// Whether the proxy of its links runs, if it has some.
    pub(super) fn links_work(&self) -> bool {
        self.site.links().is_none_or(Proxy::runs)
    }

    pub(super) async fn end_links(&self, deadline: Deadline) {
        if let Some(proxy) = self.site.links() {
            proxy.end(deadline).await;
        }
    }

    async fn order(
        &self,
        order: &LinkOrder,
        wait: Option<Deadline>,
        begun: Instant,
    ) -> Result<LinkReport, LinkError> {
        let is_of_clients = |on: &Direction| on.from == End::Clients || on.to == End::Clients;
        let word = match order.directions.iter().any(is_of_clients) {
            true => CLIENT_LINKS,
            false => LINKS,
        };
        let proxy = self.proxy(word)?;
        let ticket = proxy.order(order).await?;
        self.view.held.follow(order);
        let report = LinkReport {
            ticket,
            seen: Vec::new(),
            in_force_after: begun.elapsed(),
            seen_after: None,
        };
        // Some are settled when they are ordered, and there is nothing to wait for.
        let deadline = wait.unwrap_or_else(|| Deadline::after(Duration::ZERO));
        let error = match look(proxy, &report, begun, deadline).await? {
            Look::Seen(report) => return Ok(report),
            Look::NotYet(_) if wait.is_none() => return Ok(report),
            Look::NotYet(waited) => format!("{} within {waited:.1?}", order.fault.missing()),
            Look::Never(why) => why,
        };
        self.undo(proxy, order).await;
        Err(no_effect(&order.to_string(), error))
    }

    async fn await_effect(
        &self,
        report: &LinkReport,
        what: &str,
        begun: Instant,
        deadline: Deadline,
    ) -> Result<LinkReport, LinkError> {
        let proxy = self.site.links().ok_or_else(|| self.no_links(LINKS))?;
        match look(proxy, report, begun, deadline).await? {
            Look::Seen(report) => Ok(report),
            Look::NotYet(waited) => Err(no_effect(
                what,
                format!("none was seen within {waited:.1?}"),
            )),
            Look::Never(why) => Err(no_effect(what, why)),
        }
    }

    /// Undoes an order without effect. What the proxy does not do now, it does at the end of the test.
    async fn undo(&self, proxy: &Proxy, order: &LinkOrder) {
        if order.fault.lasts() {
            let heal = LinkOrder {
                fault: LinkFault::Heal,
                ..order.clone()
            };
            let _ = proxy.order(&heal).await;
            self.view.held.follow(&heal);
        }
    }

    fn proxy(&self, word: &'static str) -> Result<&Proxy, LinkError> {
        let proxy = self.site.links();
        let proxy = proxy.filter(|_| self.view.topology.says(word));
        proxy.ok_or_else(|| self.no_links(word))
    }

    fn no_links(&self, word: &'static str) -> LinkError {
        LinkError::None {
            deployment: self.id().to_owned(),
            word,
        }
    }

    fn tell_of(&self, what: String, begun: Instant, ordered: &Result<LinkReport, LinkError>) {
        let report = ordered.as_ref().ok();
        let seen = report.map_or(&[][..], |report| &report.seen);
        self.notices.send(Notice::Link {
            what,
            in_force_after: report.map_or(begun.elapsed(), |report| report.in_force_after),
            seen_after: report.and_then(|report| report.seen_after),
            seen: seen.iter().map(Direction::to_string).collect(),
            result: ordered.as_ref().map(drop).map_err(LinkError::to_string),
        });
    }
}

/// What an order has come to.
enum Look {
    Seen(LinkReport),
    /// Nothing in this time.
    NotYet(Duration),
    Never(String),
}

/// Waits until an order has had an effect.
async fn look(
    proxy: &Proxy,
    report: &LinkReport,
    begun: Instant,
    deadline: Deadline,
) -> Result<Look, LinkError> {
    let waiting = Instant::now();
    Ok(match proxy.see(report.ticket, deadline).await? {
        Ok(seen) => Look::Seen(LinkReport {
            seen,
            seen_after: Some(begun.elapsed()),
            ..report.clone()
        }),
        Err(None) => Look::NotYet(waiting.elapsed()),
        Err(Some(why)) => Look::Never(why),
    })
}

fn no_effect(what: &str, why: String) -> LinkError {
    LinkError::NoEffect {
        what: what.to_owned(),
        why,
    }
}
