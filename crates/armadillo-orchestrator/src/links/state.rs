//! What the proxy knows and decides: connections, what holds for them, and whether a fault has had an effect. It does no
//! I/O: what happens comes in with its time, and what is to be done goes out.

mod effect;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use bytes::Bytes;

use super::lane::{Ending, Lane, Step};
use super::order::{Direction, End, LinkFault, LinkOrder};
use super::rules::{Gate, Rules};
use crate::server::ServerKey;

pub(super) use effect::Effect;
use effect::{Counts, Effects};

/// How much of the beginning of a connection is shown to the system, in bytes, until it must have named the stream.
const BEGINNING: usize = 512;

/// The number of a connection.
pub(super) type ConnectionNo = u64;

/// The number of an order.
pub(super) type Ticket = u64;

/// Which way bytes go on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From who opened it.
    There,
    /// To who opened it.
    Back,
}

impl Way {
    pub(super) fn other(self) -> Self {
        match self {
            Self::There => Self::Back,
            Self::Back => Self::There,
        }
    }
}

/// Says which stream begins so.
pub(super) type NameStream = Box<dyn Fn(&[u8]) -> Option<String>>;

/// Whether the other end may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dial {
    Now,
    /// Not yet.
    Wait,
    /// There is no point any more.
    Never,
}

struct Connection {
    /// Who opened it, and to whom; `None` if it is not known who did.
    there: Option<Direction>,
    target: ServerKey,
    stream: Option<String>,
    /// What it began with, until its stream has been looked for.
    beginning: Option<Vec<u8>>,
    lanes: [Lane; 2],
    dialled: bool,
    /// Whether an attempt to connect was counted as withheld, there and back.
    withheld: [bool; 2],
    /// To be reset.
    doomed: bool,
}

/// The state of a proxy.
pub(super) struct State {
    rules: Rules,
    connections: BTreeMap<ConnectionNo, Connection>,
    next: ConnectionNo,
    effects: Effects,
    name_stream: NameStream,
    /// How many connections came from somebody who is not known, and did not become known later.
    unattributed: u64,
}

/// What was undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cleared {
    /// Faults that were in force.
    pub(super) undone: Vec<String>,
    /// Those of them that have had no effect.
    pub(super) without_effect: Vec<String>,
}

impl State {
    pub(super) fn new(name_stream: NameStream) -> Self {
        Self {
            rules: Rules::default(),
            connections: BTreeMap::new(),
            next: 0,
            effects: Effects::default(),
            name_stream,
            unattributed: 0,
        }
    }

    /// Somebody has connected to a server.
    pub(super) fn open(&mut self, source: Option<End>, target: &ServerKey) -> ConnectionNo {
        self.next += 1;
        if source.is_none() {
            self.unattributed += 1;
        }
        let connection = Connection {
            there: source.map(|source| Direction::new(source, End::Server(target.clone()))),
            target: target.clone(),
            stream: None,
            beginning: Some(Vec::new()),
            lanes: Default::default(),
            dialled: false,
            withheld: [false; 2],
            doomed: false,
        };
        self.connections.insert(self.next, connection);
        self.next
    }

    /// It has become known who opened a connection.
    pub(super) fn identify(&mut self, no: ConnectionNo, source: End) {
        let Some(connection) = self.connections.get_mut(&no) else {
            return;
        };
        if connection.there.is_none() {
            let target = End::Server(connection.target.clone());
            connection.there = Some(Direction::new(source, target));
            self.unattributed = self.unattributed.saturating_sub(1);
        }
    }

    /// Whether the server may be connected to for this connection: if it cannot be through both ways, it is not.
    pub(super) fn dial(&mut self, no: ConnectionNo) -> Dial {
        let Some(connection) = self.connections.get_mut(&no) else {
            return Dial::Never;
        };
        if connection.doomed {
            return Dial::Never;
        }
        let mut blocked = false;
        for way in [Way::There, Way::Back] {
            let Some(direction) = connection.direction(way) else {
                continue;
            };
            if self.rules.rule(&direction, None).gate != Gate::Open {
                blocked = true;
                if !std::mem::replace(&mut connection.withheld[way as usize], true) {
                    self.effects
                        .count(&direction, None, |counts| counts.withheld += 1);
                }
            }
        }
        match blocked {
            false => {
                connection.dialled = true;
                Dial::Now
            }
            true if connection.lanes[Way::There as usize].has_ended() => Dial::Never,
            true => Dial::Wait,
        }
    }

    /// Bytes were read.
    pub(super) fn arrived(&mut self, no: ConnectionNo, way: Way, now: Instant, bytes: Bytes) {
        let Some(connection) = self.connections.get_mut(&no) else {
            return;
        };
        if way == Way::There {
            connection.look_for_stream(&bytes, &self.name_stream);
        }
        let length = bytes.len() as u64;
        connection.lanes[way as usize].push(now, bytes);
        self.withheld(no, way, length);
    }

    /// Nothing more will be read.
    pub(super) fn ended(&mut self, no: ConnectionNo, way: Way, now: Instant, ending: Ending) {
        if let Some(connection) = self.connections.get_mut(&no) {
            connection.lanes[way as usize].end(now, ending);
            self.withheld(no, way, 1);
        }
    }

    fn withheld(&mut self, no: ConnectionNo, way: Way, amount: u64) {
        let Some(connection) = self.connections.get(&no) else {
            return;
        };
        let Some(direction) = connection.direction(way) else {
            return;
        };
        let stream = connection.stream.as_deref();
        if self.rules.rule(&direction, stream).gate != Gate::Open {
            self.effects
                .count(&direction, stream, |counts| counts.withheld += amount);
        }
    }

    /// Nobody is there any more to take what goes this way.
    pub(super) fn gave_up(&mut self, no: ConnectionNo, way: Way) {
        if let Some(connection) = self.connections.get_mut(&no) {
            connection.lanes[way as usize].give_up();
        }
    }

    /// Whether more may be read.
    pub(super) fn has_room(&self, no: ConnectionNo, way: Way) -> bool {
        let connection = self.connections.get(&no);
        connection.is_some_and(|connection| connection.lanes[way as usize].has_room())
    }

    /// What is to be passed on now.
    pub(super) fn next(&mut self, no: ConnectionNo, way: Way, now: Instant) -> Step {
        let Some(connection) = self.connections.get_mut(&no) else {
            return Step::Over;
        };
        let direction = connection.direction(way);
        let stream = connection.stream.as_deref();
        let rule = match &direction {
            Some(direction) => self.rules.rule(direction, stream),
            None => Default::default(),
        };
        let (step, taken) = connection.lanes[way as usize].next(now, &rule);
        if let Some(direction) = direction {
            if let Some(meter) = self.rules.meter(&direction, stream) {
                meter.pass(now, taken.delivered);
            }
            self.effects.count(&direction, stream, |counts| {
                counts.delivered += taken.delivered as u64;
                counts.delayed += u64::from(taken.delayed);
                counts.throttled += u64::from(taken.throttled);
            });
        }
        step
    }

    /// Whether both ways have come to their end.
    pub(super) fn is_over(&self, no: ConnectionNo) -> bool {
        let connection = self.connections.get(&no);
        connection.is_none_or(|connection| connection.lanes.iter().all(Lane::is_over))
    }

    /// Whether the connection is to be reset.
    pub(super) fn is_doomed(&self, no: ConnectionNo) -> bool {
        let connection = self.connections.get(&no);
        connection.is_none_or(|connection| connection.doomed)
    }

    pub(super) fn close(&mut self, no: ConnectionNo) {
        self.connections.remove(&no);
    }

    /// Follows an order; returns its number.
    ///
    /// # Errors
    /// When it would not be true: connections of nobody known end at a server that it is about.
    pub(super) fn order(&mut self, now: Instant, order: &LinkOrder) -> Result<Ticket, String> {
        if order.fault != LinkFault::Heal {
            self.check_sources(order)?;
        }
        let before = self.gates();
        let reset = match order.fault {
            LinkFault::Reset => self.reset(order),
            _ => 0,
        };
        // What a fault has come to is settled before it is undone.
        let ticket = self.effects.ordered(order, reset);
        self.rules.follow(now, order);
        self.after_change(&before);
        Ok(ticket)
    }

    /// What an order has come to so far.
    pub(super) fn effect(&mut self, ticket: Ticket) -> Effect {
        self.effects.of(ticket)
    }

    /// Undoes every fault.
    pub(super) fn clear(&mut self, now: Instant) -> Cleared {
        let before = self.gates();
        let cleared = self.effects.clear();
        let everything = LinkOrder {
            directions: self.rules.directions(),
            stream: None,
            fault: LinkFault::Heal,
        };
        self.rules.follow(now, &everything);
        self.after_change(&before);
        cleared
    }

    /// How many connections came from somebody who never became known.
    pub(super) fn unattributed(&self) -> u64 {
        self.unattributed
    }

    /// Whether a fault lies on connections whose way is not known.
    fn check_sources(&self, order: &LinkOrder) -> Result<(), String> {
        let named = order.directions.iter();
        if named
            .clone()
            .any(|on| on.from == End::Clients || on.to == End::Clients)
        {
            return Ok(());
        }
        let ends: BTreeSet<&End> = named.flat_map(|on| [&on.from, &on.to]).collect();
        let unknown = self.connections.values().filter(|connection| {
            let has_ended = connection.lanes[Way::There as usize].has_ended();
            let target = End::Server(connection.target.clone());
            connection.there.is_none() && !has_ended && ends.contains(&target)
        });
        match unknown.count() {
            0 => Ok(()),
            count => Err(format!(
                "the source of {count} open connections is not known, so the fault would not apply to them"
            )),
        }
    }

    /// Marks every connection of a link to be reset.
    fn reset(&mut self, order: &LinkOrder) -> u64 {
        let mut reset = 0;
        for connection in self.connections.values_mut() {
            let is_of = |way| {
                let direction = connection.direction(way);
                direction.is_some_and(|direction| order.directions.contains(&direction))
            };
            let is_stream = match &order.stream {
                Some(stream) => connection.stream.as_ref() == Some(stream),
                None => true,
            };
            if is_stream && (is_of(Way::There) || is_of(Way::Back)) && !connection.doomed {
                connection.doomed = true;
                reset += 1;
            }
        }
        reset
    }

    /// The gate of each way of each connection.
    fn gates(&self) -> BTreeMap<ConnectionNo, [Gate; 2]> {
        let all = self.connections.iter();
        all.map(|(no, connection)| (*no, self.gates_of(connection)))
            .collect()
    }

    fn gates_of(&self, connection: &Connection) -> [Gate; 2] {
        [Way::There, Way::Back].map(|way| match connection.direction(way) {
            Some(direction) => {
                self.rules
                    .rule(&direction, connection.stream.as_deref())
                    .gate
            }
            None => Gate::Open,
        })
    }

    /// Gates have changed: what waits behind a new one is withheld, and a connection that has lost something is reset.
    fn after_change(&mut self, before: &BTreeMap<ConnectionNo, [Gate; 2]>) {
        let numbers: Vec<ConnectionNo> = self.connections.keys().copied().collect();
        for no in numbers {
            let (Some(connection), Some(before)) = (self.connections.get(&no), before.get(&no))
            else {
                continue;
            };
            let after = self.gates_of(connection);
            let mut doomed = connection.doomed;
            let mut withheld = Vec::new();
            for way in [Way::There, Way::Back] {
                let (before, after) = (before[way as usize], after[way as usize]);
                let waiting = connection.lanes[way as usize].waiting();
                let missed = waiting > 0 || connection.withheld[way as usize];
                if before == Gate::Cut && after != Gate::Cut && missed {
                    doomed = true;
                }
                if before == Gate::Open && after != Gate::Open && waiting > 0 {
                    withheld.push((way, waiting as u64));
                }
            }
            for (way, amount) in withheld {
                self.withheld(no, way, amount);
            }
            if let Some(connection) = self.connections.get_mut(&no) {
                connection.doomed = doomed;
                if after == [Gate::Open; 2] {
                    connection.withheld = [false; 2];
                }
            }
        }
    }
}

impl Connection {
    fn direction(&self, way: Way) -> Option<Direction> {
        let there = self.there.as_ref()?;
        Some(match way {
            Way::There => there.clone(),
            Way::Back => there.reversed(),
        })
    }

    fn look_for_stream(&mut self, bytes: &[u8], name: &NameStream) {
        let Some(beginning) = &mut self.beginning else {
            return;
        };
        beginning.extend_from_slice(bytes);
        if beginning.contains(&b'\n') || beginning.len() >= BEGINNING {
            self.stream = name(beginning);
            self.beginning = None;
        }
    }
}

/// Adds a count to another.
impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.withheld += other.withheld;
        self.delivered += other.delivered;
        self.delayed += other.delayed;
        self.throttled += other.throttled;
    }
}
