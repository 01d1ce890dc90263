//! What a coordinator does for collections and documents.
//!
//! * `plan` knows what the agency has planned, `creation` and `removal` change it, `placement`
//!   chooses servers, `system` plans what every database has;
//! * `numbers` makes ids and keys that nobody else makes, `keys` gives documents theirs;
//! * `routing` finds the shard of a key, `leader` asks the leader of a shard;
//! * `join` waits for several answers at once.

mod creation;
mod join;
mod keys;
mod leader;
mod numbers;
mod placement;
mod plan;
mod removal;
mod routing;
pub(crate) mod system;

pub(crate) use creation::{Wishes, create, is_in_sync};
pub(crate) use join::join_all;
pub(crate) use keys::Keys;
pub(crate) use leader::Ask;
pub(crate) use numbers::Numbers;
pub(crate) use plan::{Planned, plan_entry};
pub(crate) use removal::remove;
