//! Supervision, on the agent that leads (`Supervision.cpp` of arangodb/arangodb): who lives, and
//! what follows if somebody does not.
//!
//! * `health` judges one server by its heartbeats, `round` looks at all of them;
//! * `leadership` is what a leader does once, `jobs` is what is done about those who fail, and what
//!   people ask for.

mod health;
mod jobs;
mod leadership;
mod round;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::agency::Agent;
use crate::logging::Logger;
use crate::settings::Supervision as Settings;

use health::Watched;
pub(crate) use jobs::Rules;

/// arangod postpones for 55 seconds, with its grace period of ten.
const POSTPONE: f64 = 5.5;

/// What supervision remembers between two rounds of one leadership.
#[derive(Debug)]
struct Memory {
    /// The term it was made in.
    term: u64,
    since: Instant,
    /// All planned servers have been heard, or the time for that is over.
    begun: bool,
    servers: BTreeMap<String, Watched>,
    /// The ids that may be given to jobs, reserved in the agency.
    ids: Range<u64>,
}

impl Memory {
    fn new(term: u64) -> Self {
        Self {
            term,
            since: Instant::now(),
            begun: false,
            servers: BTreeMap::new(),
            ids: 0..0,
        }
    }
}

/// Supervision of an agent. It does nothing while another one leads.
#[derive(Debug)]
pub(crate) struct Supervision {
    agent: Rc<Agent>,
    settings: Settings,
    log: Arc<Logger>,
    memory: RefCell<Memory>,
}

impl Supervision {
    /// Supervision that has seen nothing yet.
    pub(crate) fn new(agent: Rc<Agent>, settings: Settings, log: Arc<Logger>) -> Self {
        Self {
            agent,
            settings,
            log,
            memory: RefCell::new(Memory::new(0)),
        }
    }

    /// Looks again and again.
    pub(crate) async fn run(self) {
        loop {
            let term = self.agent.until(Agent::leads).await;
            if self.memory.borrow().term != term {
                *self.memory.borrow_mut() = Memory::new(term);
            }
            // A round that finds that another one leads now has had no effect.
            drop(self.round().await);
            sleep(self.settings.frequency).await;
        }
    }

    /// How long a new leader waits for servers that it has not heard.
    fn patience(&self) -> Duration {
        let grace = self.settings.grace;
        // With the short grace periods of tests nobody wants to wait for so long.
        if grace < Duration::from_secs(10) {
            grace * 2
        } else {
            grace.mul_f64(POSTPONE)
        }
    }
}
