//! A follower: it takes what the leader of the latest epoch sends, in order.

use serde_json::json;

use super::Place;
use super::wire::{self, Message, Reply, What};
use crate::errors::ApiError;
use crate::failure_points::CRASH_AFTER_TRUNCATE;
use crate::http::{Answer, Request};
use crate::planted::{self, Bug};
use crate::server::Server;
use crate::store::{Mark, Position, Store};

/// What a follower that has come so far does with the next change.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Applies it.
    Next,
    /// It has it already.
    Known,
    /// It comes from a former leader.
    Stale,
    /// Something is missing in between.
    Gap,
}

fn judge(mark: Mark, at: Position) -> Verdict {
    if planted::has(Bug::NoEpochCheck) {
        return Verdict::Next;
    }
    if at.epoch < mark.seen {
        Verdict::Stale
    } else if at.epoch != mark.at.epoch {
        Verdict::Gap
    } else if at.seq == mark.at.seq + 1 {
        Verdict::Next
    } else if at.seq <= mark.at.seq {
        Verdict::Known
    } else {
        Verdict::Gap
    }
}

/// Answers a message of another dbserver.
pub(crate) fn answer(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    let (message, records) =
        wire::decode(&request.body).ok_or_else(|| ApiError::bad("this is no message"))?;
    let reply = follow(server, &message, records)?;
    Ok(Answer::json(200, &json!(reply)))
}

/// Whether a snapshot is older than what is there. A leader is never behind its followers: such a
/// one was sent long ago to a server that stood still, and another one came since.
fn is_outdated(mark: Option<Mark>, at: Position) -> bool {
    mark.is_some_and(|mark| at < mark.at)
}

/// Nothing is awaited here: between the look at the mark and the change of it nobody else acts.
fn follow(server: &Server, message: &Message, records: &[u8]) -> Result<Reply, ApiError> {
    let Some(shard) = server.shards.find(&message.shard) else {
        return Ok(Reply::NotYet);
    };
    let place = &shard.place;
    let known = server.read(|store| Ok(store.database(&place.database).is_ok()))?;
    if place.database != message.database || !known {
        return Ok(Reply::NotYet);
    }
    let mark = server.read(|store| Ok(store.collection_by_id(place.id).map(|found| found.mark)))?;
    let seen = mark.map_or(0, |mark| mark.seen);
    if shard.leads() {
        // A later leader is heard as soon as this one has found out, which it does by itself.
        let later = message.epoch > seen;
        return Ok(if later { Reply::NotYet } else { Reply::Stale });
    }
    // Whoever has heard of an epoch hears nobody of an earlier one, whatever becomes of this message.
    if let Some(mark) = mark
        && message.epoch > mark.seen
    {
        let heard = Mark {
            seen: message.epoch,
            ..mark
        };
        server.write(|store| {
            store.mark_shard(place.id, heard);
            Ok(())
        })?;
    }
    match &message.what {
        What::Append { at, sync } => {
            let Some(mark) = mark else {
                return Ok(Reply::Different);
            };
            Ok(match judge(mark, *at) {
                Verdict::Next => {
                    let apply =
                        |store: &mut Store| store.apply_shipment(place.id, *at, *sync, records);
                    if server.write(apply)? {
                        server.failure_points.crash(CRASH_AFTER_TRUNCATE);
                    }
                    Reply::Done
                }
                Verdict::Known => Reply::Done,
                Verdict::Stale => Reply::Stale,
                Verdict::Gap => Reply::Different,
            })
        }
        _ if message.epoch < seen => Ok(Reply::Stale),
        What::Level { known, at } => level(server, place, mark, known, *at),
        What::Replace { at, .. } if is_outdated(mark, *at) => Ok(Reply::Different),
        What::Replace { meta, at } => {
            let own = planted::has(Bug::ReplayOwnLog) && mark.is_some();
            server.write(|store| {
                if own {
                    store.mark_shard(place.id, Mark::at(*at));
                    return Ok(());
                }
                store.replace_shard(&place.database, place.id, meta.clone(), *at, records)
            })?;
            let text = format!("{} was brought level with its leader", place.name);
            server.log.info("", "replication", text);
            Ok(Reply::Done)
        }
    }
}

fn level(
    server: &Server,
    place: &Place,
    mark: Option<Mark>,
    known: &[Position],
    at: Position,
) -> Result<Reply, ApiError> {
    let Some(mark) = mark.filter(|mark| known.contains(&mark.at)) else {
        return Ok(Reply::Different);
    };
    let new = Mark::at(at);
    if new != mark {
        server.write(|store| {
            store.mark_shard(place.id, new);
            Ok(())
        })?;
    }
    Ok(Reply::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_next_change_of_the_latest_epoch_is_applied() {
        let at = |epoch, seq| Position { epoch, seq };
        let mark = Mark {
            at: at(5, 3),
            seen: 5,
        };
        assert_eq!(judge(mark, at(5, 4)), Verdict::Next);
        assert_eq!(judge(mark, at(5, 3)), Verdict::Known);
        assert_eq!(judge(mark, at(5, 5)), Verdict::Gap);
        assert_eq!(judge(mark, at(4, 4)), Verdict::Stale);
        assert_eq!(judge(mark, at(6, 1)), Verdict::Gap);
        let heard = Mark { seen: 7, ..mark };
        assert_eq!(judge(heard, at(5, 4)), Verdict::Stale);
        assert!(is_outdated(Some(mark), at(5, 2)) && is_outdated(Some(mark), at(4, 9)));
        assert!(!is_outdated(Some(mark), at(5, 3)) && !is_outdated(Some(mark), at(6, 0)));
        assert!(!is_outdated(None, at(1, 0)));
    }
}
