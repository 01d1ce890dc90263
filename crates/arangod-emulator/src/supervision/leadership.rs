//! What an agent does once when it has begun to lead.

use serde_json::{Value, json};

use super::Supervision;
use super::jobs::Step;
use super::round::find;
use crate::agency::{Outcome, Unavailable};

/// So many ids are reserved at once.
const BLOCK: u64 = 1000;
/// With fewer left, more are reserved.
const RESERVE: u64 = 200;

impl Supervision {
    /// Reserves ids for jobs, and says after how long a silence a server fails: dbservers, which
    /// have no such option, must stop serving earlier than that. Whether that is done.
    pub(super) async fn take_office(&self, root: &Value) -> Result<bool, Unavailable> {
        let left = {
            let memory = self.memory.borrow();
            memory.ids.end - memory.ids.start
        };
        if left >= RESERVE {
            return Ok(true);
        }
        let latest = find(root, "Sync/LatestID").as_u64().unwrap_or(0);
        let grace = self.settings.grace.as_secs_f64();
        let step = Step::new("")
            .if_is("Sync/LatestID", find(root, "Sync/LatestID"))
            .set("Sync/LatestID", latest + BLOCK)
            .set("Emulator/Grace", json!(grace));
        let written = self.agent.write(&step.query()).await?;
        if written.outcome == Outcome::Done {
            self.memory.borrow_mut().ids = latest + 1..latest + BLOCK + 1;
            return Ok(true);
        }
        // Somebody else has taken ids in the same moment. What is left will do for this round.
        Ok(left > 0)
    }

    /// An id for a job.
    pub(super) fn next_id(&self) -> Option<String> {
        let id = self.memory.borrow_mut().ids.next();
        id.map(|id| id.to_string())
    }
}
