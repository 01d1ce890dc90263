//! What holds for which direction of which link.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::order::{Direction, LinkFault, LinkOrder};

/// Whether bytes get through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Gate {
    #[default]
    Open,
    /// They wait, and are delivered later.
    Held,
    /// They wait until it is known that they are lost.
    Cut,
}

/// How much later bytes arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delay {
    since: Instant,
    from: Duration,
    to: Duration,
    over: Duration,
}

/// How much gets through, counted over all connections of the direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meter {
    bytes_per_second: u64,
    /// When what was passed on so far has taken its time.
    free_at: Instant,
}

/// What holds for one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) gate: Gate,
    pub(super) delay: Option<Delay>,
    pub(super) meter: Option<Meter>,
}

/// What holds for every direction: where nothing is said, everything gets through. A stream may have a rule of its own.
#[derive(Debug, Default)]
pub(super) struct Rules(BTreeMap<Direction, Of>);

#[derive(Clone, Debug, Default)]
struct Of {
    rule: Rule,
    streams: BTreeMap<String, Rule>,
}

impl Delay {
    /// How much later something arrives that was sent at this moment.
    pub(super) fn of(&self, sent: Instant) -> Duration {
        let passed = sent.saturating_duration_since(self.since);
        if passed >= self.over {
            return self.to;
        }
        let part = passed.as_secs_f64() / self.over.as_secs_f64();
        let (from, to) = (self.from.as_secs_f64(), self.to.as_secs_f64());
        Duration::try_from_secs_f64(from + (to - from) * part).unwrap_or(self.to)
    }
}

impl Meter {
    /// How many bytes may pass at once: those of a twentieth of a second, and at least one.
    pub(super) fn portion(&self) -> usize {
        usize::try_from(self.bytes_per_second / 20)
            .unwrap_or(usize::MAX)
            .max(1)
    }

    /// When the next may pass, if not now.
    pub(super) fn wait(&self, now: Instant) -> Option<Instant> {
        (self.free_at > now).then_some(self.free_at)
    }

    /// So many have passed.
    pub(super) fn pass(&mut self, now: Instant, bytes: usize) {
        let takes = bytes as f64 / self.bytes_per_second.max(1) as f64;
        let takes = Duration::try_from_secs_f64(takes).unwrap_or_default();
        self.free_at = self.free_at.max(now) + takes;
    }
}

impl Rules {
    /// What holds for a stream of a direction.
    pub(super) fn rule(&self, direction: &Direction, stream: Option<&str>) -> Rule {
        let Some(of) = self.0.get(direction) else {
            return Rule::default();
        };
        let own = stream.and_then(|stream| of.streams.get(stream));
        *own.unwrap_or(&of.rule)
    }

    /// The meter of that rule.
    pub(super) fn meter(
        &mut self,
        direction: &Direction,
        stream: Option<&str>,
    ) -> Option<&mut Meter> {
        let of = self.0.get_mut(direction)?;
        let rule = match stream.and_then(|stream| of.streams.get_mut(stream)) {
            Some(own) => own,
            None => &mut of.rule,
        };
        rule.meter.as_mut()
    }

    /// Follows an order. One without a stream is for all streams of the direction.
    pub(super) fn follow(&mut self, now: Instant, order: &LinkOrder) {
        for direction in &order.directions {
            let of = self.0.entry(direction.clone()).or_default();
            match &order.stream {
                Some(stream) => {
                    let rule = of.streams.entry(stream.clone()).or_insert(of.rule);
                    rule.follow(now, order.fault);
                }
                None => {
                    let own = of.streams.values_mut();
                    own.chain([&mut of.rule])
                        .for_each(|rule| rule.follow(now, order.fault));
                    if order.fault == LinkFault::Heal {
                        self.0.remove(direction);
                    }
                }
            }
        }
    }

    /// The directions about which something is said.
    pub(super) fn directions(&self) -> Vec<Direction> {
        self.0.keys().cloned().collect()
    }
}

impl Rule {
    fn follow(&mut self, now: Instant, fault: LinkFault) {
        match fault {
            LinkFault::Cut => self.gate = Gate::Cut,
            LinkFault::Hold => self.gate = Gate::Held,
            LinkFault::Release => {
                if self.gate == Gate::Held {
                    self.gate = Gate::Open;
                }
            }
            LinkFault::Delay { from, to, over } => {
                self.delay = Some(Delay {
                    since: now,
                    from,
                    to,
                    over,
                });
            }
            LinkFault::Bandwidth { bytes_per_second } => {
                self.meter = Some(Meter {
                    bytes_per_second,
                    free_at: now,
                });
            }
            LinkFault::Reset => {}
            LinkFault::Heal => *self = Self::default(),
        }
    }
}
