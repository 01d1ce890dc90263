//! How far the rotation of a deployment's keys has come.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// The number of steps by which a deployment's keys were changed since it was started. A system makes keys and their files from
/// the deployment's secret and this number, so a server that restarts finds those of today. Clones share the number: whoever
/// holds a view of the deployment signs with the newest key.
///
/// The daemon owns it. A lease carries it to the test, and a test that takes a step is told the new number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "u32", into = "u32")]
pub struct KeySteps(Arc<AtomicU32>);

/// What this process knows of each deployment.
static KNOWN: Mutex<BTreeMap<String, KeySteps>> = Mutex::new(BTreeMap::new());

impl KeySteps {
    /// How many steps were taken.
    #[must_use]
    pub fn taken(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    /// Somebody has taken steps. Nobody takes one back.
    pub fn reach(&self, steps: u32) {
        self.0.fetch_max(steps, Ordering::SeqCst);
    }

    /// The one number of a deployment in this process, which is now at least this: views that came with different leases share
    /// it then.
    #[must_use]
    pub fn of_deployment(&self, deployment: &str) -> Self {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = known.entry(deployment.to_owned()).or_default();
        shared.reach(self.taken());
        shared.clone()
    }
}

impl From<u32> for KeySteps {
    fn from(steps: u32) -> Self {
        Self(Arc::new(AtomicU32::new(steps)))
    }
}

impl From<KeySteps> for u32 {
    fn from(steps: KeySteps) -> Self {
        steps.taken()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_of_one_deployment_share_the_number() {
        let first = KeySteps::default().of_deployment("a-1");
        let later = KeySteps::from(3).of_deployment("a-1");
        assert_eq!((first.taken(), later.taken()), (3, 3));
        later.reach(4);
        later.reach(2);
        assert_eq!(first.taken(), 4);
        assert_eq!(KeySteps::default().of_deployment("a-2").taken(), 0);
        let written = serde_json::to_string(&first).unwrap();
        assert_eq!(written, "4");
        let read: KeySteps = serde_json::from_str(&written).unwrap();
        read.reach(5);
        assert_eq!((read.taken(), first.taken()), (5, 4));
    }
}
