//! Numbers that no other server of the cluster gives: ids of collections and shards, and keys. The
//! agency is asked for a block of them, never for one.

use std::cell::Cell;
use std::ops::Range;

use serde_json::json;

use crate::cluster::{Cluster, Decided, PATIENCE, find};
use crate::errors::ApiError;

/// So many numbers are a block, as on arangod (`ClusterInfo.cpp`, `MinIdsPerBatch`).
const BLOCK: u64 = 1_000_000;
/// So often a block is asked for again because another server was faster.
const TRIES: u32 = 100;
const LATEST: &str = "/arango/Sync/LatestID";

/// What is left of the block.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    next: Cell<u64>,
    end: Cell<u64>,
}

impl Numbers {
    /// So many numbers in a row.
    pub(crate) async fn take(&self, cluster: &Cluster, count: u64) -> Result<Range<u64>, ApiError> {
        loop {
            if let Some(taken) = self.take_from_block(count) {
                return Ok(taken);
            }
            let block = ask(cluster, count.max(BLOCK)).await?;
            // Somebody else may have asked meanwhile; what is dropped is never given to anybody.
            if self.end.get().saturating_sub(self.next.get()) < count {
                self.next.set(block.start);
                self.end.set(block.end);
            }
        }
    }

    fn take_from_block(&self, count: u64) -> Option<Range<u64>> {
        let start = self.next.get();
        let end = start
            .checked_add(count)
            .filter(|end| *end <= self.end.get())?;
        self.next.set(end);
        Some(start..end)
    }
}

/// A block that is this server's alone. The first one begins behind the small numbers that people
/// like to take as keys.
async fn ask(cluster: &Cluster, size: u64) -> Result<Range<u64>, ApiError> {
    for _ in 0..TRIES {
        let tree = cluster.agency.read(&[LATEST], PATIENCE).await?;
        let known = find(&tree, LATEST);
        let start = known.as_u64().unwrap_or(0).max(BLOCK);
        let end = start.saturating_add(size);
        let operations = json!({ LATEST: end });
        let conditions = json!({ LATEST: { "old": known } });
        let decided = cluster
            .agency
            .write(operations, conditions, PATIENCE)
            .await?;
        if decided != Decided::Not {
            return Ok(start + 1..end + 1);
        }
    }
    Err(ApiError::new(
        500,
        ApiError::CLUSTER_TIMEOUT,
        "no numbers could be had from the agency",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_the_same_number_twice() {
        let numbers = Numbers::default();
        assert_eq!(numbers.take_from_block(1), None);
        numbers.next.set(5);
        numbers.end.set(8);
        assert_eq!(numbers.take_from_block(2), Some(5..7));
        assert_eq!(numbers.take_from_block(2), None);
        assert_eq!(numbers.take_from_block(1), Some(7..8));
        assert_eq!(numbers.take_from_block(1), None);
    }
}
