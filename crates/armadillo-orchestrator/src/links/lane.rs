//! One direction of one connection: what was read and is not written yet.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use super::rules::{Gate, Rule};

/// How much of a connection waits here before its sender is made to wait, in bytes. The rest waits in the operating
/// system, as it would on a real link.
const CAPACITY: usize = 4 << 20;

/// How the sender of a connection has ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It has nothing more to say.
    Finished,
    /// It is gone.
    Broken,
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Pass this on.
    Deliver(Bytes),
    /// Pass on how it has ended.
    End(Ending),
    /// Nothing until then.
    Wait(Instant),
    /// Nothing until something else happens.
    Idle,
    /// Nothing ever again.
    Over,
}

#[derive(Debug, Default)]
pub(super) struct Lane {
    queue: VecDeque<(Instant, Bytes)>,
    waiting: usize,
    /// How it has ended, behind all that is in the queue.
    ending: Option<(Instant, Ending)>,
    told: Option<Ending>,
    /// Nobody is at the other end any more.
    dead: bool,
}

/// What happened when something was taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) delivered: usize,
    pub(super) delayed: bool,
    pub(super) throttled: bool,
}

impl Lane {
    pub(super) fn push(&mut self, now: Instant, bytes: Bytes) {
        if self.dead || bytes.is_empty() {
            return;
        }
        self.waiting += bytes.len();
        self.queue.push_back((now, bytes));
    }

    /// It has ended so. One that is gone says nothing else any more.
    pub(super) fn end(&mut self, now: Instant, ending: Ending) {
        match self.ending {
            None => self.ending = Some((now, ending)),
            Some((_, Ending::Finished)) if ending == Ending::Broken => {
                self.ending = Some((now, ending));
            }
            Some(_) => {}
        }
    }

    /// Nobody is at the other end: what is read from now on goes nowhere.
    pub(super) fn give_up(&mut self) {
        self.dead = true;
        self.queue.clear();
        self.waiting = 0;
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting < CAPACITY
    }

    /// How much waits: bytes, and the end as one.
    pub(super) fn waiting(&self) -> usize {
        self.waiting + usize::from(self.untold().is_some())
    }

    /// Whether all has been passed on, the end too.
    pub(super) fn is_over(&self) -> bool {
        match self.told {
            Some(Ending::Broken) => true,
            Some(Ending::Finished) => self.untold().is_none(),
            None => self.dead && self.ending.is_some(),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ending.is_some()
    }

    fn untold(&self) -> Option<(Instant, Ending)> {
        self.ending.filter(|(_, ending)| self.told != Some(*ending))
    }

    /// What is to be done now, where this rule holds.
    pub(super) fn next(&mut self, now: Instant, rule: &Rule) -> (Step, Taken) {
        let mut taken = Taken::default();
        let front = self.queue.front().map(|(sent, _)| *sent);
        let ending = self.untold();
        let Some(sent) = front.or(ending.map(|(sent, _)| sent)) else {
            let told = self.told == Some(Ending::Broken);
            return (if told { Step::Over } else { Step::Idle }, taken);
        };
        if rule.gate != Gate::Open {
            return (Step::Idle, taken);
        }
        let delay = rule.delay.map(|delay| delay.of(sent)).unwrap_or_default();
        if now < sent + delay {
            return (Step::Wait(sent + delay), taken);
        }
        taken.delayed = !delay.is_zero();
        if front.is_none() {
            let (_, ending) = ending.unwrap_or((now, Ending::Finished));
            self.told = Some(ending);
            return (Step::End(ending), taken);
        }
        let portion = match rule.meter {
            None => usize::MAX,
            Some(meter) => {
                if let Some(at) = meter.wait(now) {
                    taken.throttled = true;
                    taken.delayed = false;
                    return (Step::Wait(at), taken);
                }
                meter.portion()
            }
        };
        let bytes = self.take(portion);
        taken.delivered = bytes.len();
        (Step::Deliver(bytes), taken)
    }

    /// As much as one piece has, and no more than a portion.
    fn take(&mut self, portion: usize) -> Bytes {
        let Some((_, front)) = self.queue.front_mut() else {
            return Bytes::new();
        };
        let bytes = if front.len() > portion {
            front.split_to(portion)
        } else {
            let whole = front.split_off(0);
            self.queue.pop_front();
            whole
        };
        self.waiting -= bytes.len();
        bytes
    }
}
