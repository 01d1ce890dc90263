//! Whether faults have had an effect: counts of what happened on each direction, and orders that are held against them.

use std::collections::BTreeMap;

use super::{Cleared, Ticket};
use crate::links::order::{Direction, LinkFault, LinkOrder};

/// What happened on a direction since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Bytes that did not get through when they were sent, and attempts to connect.
    pub(super) withheld: u64,
    /// Bytes that got through.
    pub(super) delivered: u64,
    /// Pieces that arrived late because of a delay.
    pub(super) delayed: u64,
    /// How often something had to wait because too much was sent.
    pub(super) throttled: u64,
}

/// What an order has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::links) enum Effect {
    /// It has had an effect on these directions.
    Seen(Vec<Direction>),
    /// Not yet.
    NotYet,
    /// It cannot have any.
    Never(String),
}

#[derive(Default)]
pub(super) struct Effects {
    counts: BTreeMap<(Direction, Option<String>), Counts>,
    orders: BTreeMap<Ticket, Ordered>,
    last: Ticket,
}

/// An order, and what was counted before it.
struct Ordered {
    order: LinkOrder,
    /// Where an effect is looked for, and what was counted there before.
    before: Vec<(Direction, Counts)>,
    /// Where it is still in force.
    in_force: Vec<Direction>,
    /// What is not to be asked any more, because it is over.
    settled: Option<Effect>,
}

impl Effects {
    pub(super) fn count(
        &mut self,
        direction: &Direction,
        stream: Option<&str>,
        count: impl FnOnce(&mut Counts),
    ) {
        let class = (direction.clone(), stream.map(str::to_owned));
        count(self.counts.entry(class).or_default());
    }

    /// An order is about to be followed, which has reset so many connections.
    pub(super) fn ordered(&mut self, order: &LinkOrder, reset: u64) -> Ticket {
        let mut settled = match order.fault {
            LinkFault::Reset if reset > 0 => Some(Effect::Seen(order.directions.clone())),
            LinkFault::Reset => Some(Effect::Never(LinkFault::Reset.missing().to_owned())),
            LinkFault::Release if !self.holds_something(order) => {
                Some(Effect::Never(LinkFault::Release.missing().to_owned()))
            }
            _ => None,
        };
        let mut on = order.directions.clone();
        if order.fault == LinkFault::Heal {
            // Nothing else can be seen to heal.
            on.retain(|on| self.is_in_force_on(on));
            if on.is_empty() {
                settled = Some(Effect::Seen(Vec::new()));
            }
        }
        if matches!(order.fault, LinkFault::Heal | LinkFault::Release) {
            let idle = self.undo(order);
            if !idle.is_empty() && order.fault == LinkFault::Heal {
                let idle = idle.join("; ");
                settled = Some(Effect::Never(format!("there was no effect of: {idle}")));
            }
        }
        self.last += 1;
        let on = on.into_iter().map(|on| {
            let counts = self.sum(&on, order.stream.as_deref());
            (on, counts)
        });
        let ordered = Ordered {
            before: on.collect(),
            in_force: match order.fault.lasts() {
                true => order.directions.clone(),
                false => Vec::new(),
            },
            order: order.clone(),
            settled,
        };
        self.orders.insert(self.last, ordered);
        self.last
    }

    /// What an order has come to.
    pub(super) fn of(&self, ticket: Ticket) -> Effect {
        match self.orders.get(&ticket) {
            None => Effect::Never("it is not known any more".to_owned()),
            Some(ordered) => match &ordered.settled {
                Some(settled) => settled.clone(),
                None => self.look(ordered),
            },
        }
    }

    /// Ends every fault; those in force, and those without effect.
    pub(super) fn clear(&mut self) -> Cleared {
        let lasting = self.orders.values();
        let lasting: Vec<&Ordered> = lasting
            .filter(|ordered| !ordered.in_force.is_empty())
            .collect();
        let words = |ordered: &&Ordered| ordered.order.to_string();
        let idle = lasting.iter().filter(|ordered| !self.is_seen(ordered));
        let cleared = Cleared {
            undone: lasting.iter().map(words).collect(),
            without_effect: idle.map(words).collect(),
        };
        self.orders.clear();
        cleared
    }

    /// Ends what an order undoes, where it does; returns what of that is over and has had no effect.
    fn undo(&mut self, by: &LinkOrder) -> Vec<String> {
        let mut over = Vec::new();
        for (ticket, ordered) in &mut self.orders {
            let is_undone = match by.fault {
                LinkFault::Release => ordered.order.fault == LinkFault::Hold,
                _ => ordered.order.fault.lasts(),
            };
            let covers = by.stream.is_none() || by.stream == ordered.order.stream;
            if ordered.in_force.is_empty() || !is_undone || !covers {
                continue;
            }
            ordered.in_force.retain(|on| !by.directions.contains(on));
            if ordered.in_force.is_empty() {
                over.push(*ticket);
            }
        }
        let mut idle = Vec::new();
        for ticket in over {
            let effect = self.of(ticket);
            let Some(ordered) = self.orders.get_mut(&ticket) else {
                continue;
            };
            if !matches!(effect, Effect::Seen(_)) {
                idle.push(ordered.order.to_string());
            }
            ordered.settled = Some(match effect {
                Effect::NotYet => Effect::Never("it was undone".to_owned()),
                other => other,
            });
        }
        idle
    }

    fn is_in_force_on(&self, direction: &Direction) -> bool {
        let mut all = self.orders.values().flat_map(|ordered| &ordered.in_force);
        all.any(|on| on == direction)
    }

    /// Whether something waits that this order would release.
    fn holds_something(&self, release: &LinkOrder) -> bool {
        self.orders.values().any(|ordered| {
            let order = &ordered.order;
            let mut on = ordered.in_force.iter();
            order.fault == LinkFault::Hold
                && on.any(|on| release.directions.contains(on))
                && self.is_seen(ordered)
        })
    }

    fn is_seen(&self, ordered: &Ordered) -> bool {
        matches!(self.look(ordered), Effect::Seen(_))
            || matches!(ordered.settled, Some(Effect::Seen(_)))
    }

    fn look(&self, ordered: &Ordered) -> Effect {
        let order = &ordered.order;
        let has_grown = |now: Counts, before: &Counts| match order.fault {
            LinkFault::Cut | LinkFault::Hold => now.withheld > before.withheld,
            LinkFault::Delay { .. } => now.delayed > before.delayed,
            LinkFault::Bandwidth { .. } => now.throttled > before.throttled,
            LinkFault::Release | LinkFault::Heal => now.delivered > before.delivered,
            LinkFault::Reset => false,
        };
        let on = ordered.before.iter();
        let seen: Vec<Direction> = on
            .filter(|(on, before)| has_grown(self.sum(on, order.stream.as_deref()), before))
            .map(|(on, _)| on.clone())
            .collect();
        match seen.is_empty() {
            true => Effect::NotYet,
            false => Effect::Seen(seen),
        }
    }

    /// What was counted for a stream of a direction, or for all of them.
    fn sum(&self, direction: &Direction, stream: Option<&str>) -> Counts {
        let of = |(on, named): &&(Direction, Option<String>)| {
            on == direction && stream.is_none_or(|stream| named.as_deref() == Some(stream))
        };
        let mut sum = Counts::default();
        for (class, counts) in &self.counts {
            if of(&class) {
                sum += *counts;
            }
        }
        sum
    }
}
