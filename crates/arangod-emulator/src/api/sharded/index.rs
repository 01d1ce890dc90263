//! `/_api/index` on coordinators: the definitions are in the plan.

use serde_json::{Map, Value, json};

use super::Sharded;
use super::collection::write_properties;
use crate::api::index::{Asked, all, answer, asked, droppable, dropped, one, selectivity};
use crate::coordinator::Planned;
use crate::errors::ApiError;
use crate::http::Answer;
use crate::indexes::{Ensured, define, ensure};

/// All of `/_api/index`.
pub(super) async fn index(asks: Sharded<'_>, rest: &[&str]) -> Result<Answer, ApiError> {
    let (name, asked) = asked(asks.request, rest)?;
    asks.cluster.refresh(asks.server).await?;
    let permit = |called: &str| asked.permit(asks.server, asks.request, called);
    let found = asks.permitted(name, permit).await?;
    let (name, is_edge) = (found.name(), found.is_edge());
    let mut indexes = found.entry["indexes"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    match asked {
        Asked::All => Ok(all(name, is_edge, &indexes)),
        Asked::Selectivity => Ok(selectivity(name, is_edge, &indexes)),
        Asked::One(called) => one(name, is_edge, &indexes, called),
        Asked::Ensure => {
            let wanted = define(&asks.request.json_object()?)?;
            let number = asks.server.numbers.take(asks.cluster, 1).await?.start;
            let ensured = ensure(&indexes, wanted, || number)?;
            if let Ensured::New(index) = &ensured {
                indexes.push(index.clone());
                plan(asks, &found, indexes).await?;
            }
            Ok(answer(name, &ensured))
        }
        Asked::Drop(called) => {
            let place = droppable(is_edge, &indexes, called)?;
            let gone = indexes.remove(place);
            plan(asks, &found, indexes).await?;
            Ok(dropped(name, &gone))
        }
    }
}

async fn plan(asks: Sharded<'_>, found: &Planned, indexes: Vec<Value>) -> Result<(), ApiError> {
    let mut changed = Map::new();
    changed.insert(String::from("indexes"), json!(indexes));
    write_properties(asks, found, changed).await
}
