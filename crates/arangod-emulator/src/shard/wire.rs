//! What dbservers say to each other about a shard: one line of JSON, and records behind it.

use serde::{Deserialize, Serialize};

use crate::store::{CollectionMeta, Position};

/// The path.
pub(super) const PATH: &str = "/_api/emulator/shard";

/// What a leader asks a follower.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Message {
    /// The database of the shard.
    pub(super) database: String,
    /// The shard.
    pub(super) shard: String,
    /// The leadership that asks.
    pub(super) epoch: u64,
    /// What.
    pub(super) what: What,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum What {
    /// Are you at one of these positions? Then you are at this one now.
    Level {
        /// Positions at which a copy is the same as the leader's.
        known: Vec<Position>,
        /// Where the leader is.
        at: Position,
    },
    /// Here is everything; forget what you have.
    Replace {
        /// The properties.
        meta: CollectionMeta,
        /// Where the leader was when the records were taken.
        at: Position,
    },
    /// Here is the next change.
    Append {
        /// Where the leader is behind it.
        at: Position,
        /// It must be on the disk.
        sync: bool,
    },
}

/// What a follower answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reply {
    /// Done, and it survives.
    Done,
    /// The copy is another one; it has to be replaced.
    Different,
    /// There is a later leader.
    Stale,
    /// Not now: the plan has not come there yet, or the former leader still is one.
    NotYet,
}

/// The bytes of a message.
pub(super) fn encode(message: &Message, records: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec(message)?;
    bytes.push(b'\n');
    bytes.extend_from_slice(records);
    Ok(bytes)
}

/// The message and the records; nothing if it is no message.
pub(super) fn decode(bytes: &[u8]) -> Option<(Message, &[u8])> {
    // JSON as it is written here holds no line feed.
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let message = serde_json::from_slice(&bytes[..end]).ok()?;
    Some((message, &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let message = Message {
            database: String::from("a\nb"),
            shard: String::from("s7"),
            epoch: 3,
            what: What::Append {
                at: Position { epoch: 3, seq: 4 },
                sync: true,
            },
        };
        let bytes = encode(&message, b"\n{\xff").unwrap();
        assert_eq!(decode(&bytes), Some((message, &b"\n{\xff"[..])));
        assert_eq!(decode(b"{}\n"), None);
        assert_eq!(decode(b"{}"), None);
    }
}
