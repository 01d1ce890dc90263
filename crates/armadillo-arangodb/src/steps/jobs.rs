//! Jobs of a cluster's supervision: given to it, waited for, cancelled.
//!
//! Requests are those of `RestAdminClusterHandler.cpp`; a job's states are the places in the agency where it stands
//! (`Target/{ToDo,Pending,Finished,Failed}`).

use armadillo_orchestrator::{Request, ServerKey, Step, SystemStep, Tried, View};
use serde_json::{Value, json};

use super::{LIMIT, not_done};
use crate::agency::Agency;
use crate::client::ArangoClient;
use crate::members;

/// Gate: the supervision has done the job in the argument.
const DONE: &str = "job";
/// The job in the argument is cancelled, if it is not done.
const CANCEL: &str = "cancel-job";

const CLEAN_OUT: &str = "clean-out";
const RESIGN: &str = "resign-leadership";
const MOVE: &str = "move-shard";

const UNFINISHED: [&str; 2] = ["/arango/Target/ToDo", "/arango/Target/Pending"];
const FINISHED: &str = "/arango/Target/Finished";
const FAILED: &str = "/arango/Target/Failed";
const CLEANED: &str = "/arango/Target/CleanedServers";
const COLLECTIONS: &str = "/arango/Plan/Collections";

/// What the supervision is to do with a dbserver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Everything is moved away from it.
    CleanOut,
    /// Others lead what it leads.
    Resign,
    /// One shard of it is moved.
    Move {
        database: String,
        collection: String,
        shard: String,
        to: ServerKey,
    },
}

/// A job as it stands in the agency.
struct Known<'a> {
    id: &'a str,
    job: &'a Value,
    is_unfinished: bool,
    has_failed: bool,
}

impl Job {
    /// The job is given to the supervision, and waited for. A move and a clean-out can be cancelled meanwhile.
    pub(crate) fn steps(&self, server: &ServerKey) -> Vec<Step> {
        let (text, key) = (self.to_text(), Some(server));
        let give = self.step();
        let give = match self {
            Self::Resign => Step::act(key, give),
            _ => Step::undoable(key, give, SystemStep::with(CANCEL, text.clone())),
        };
        vec![give, Step::gate(key, SystemStep::with(DONE, text))]
    }

    /// The step that gives it to the supervision.
    pub(crate) fn step(&self) -> SystemStep {
        match self {
            Self::CleanOut => SystemStep::new(CLEAN_OUT),
            Self::Resign => SystemStep::new(RESIGN),
            Self::Move { .. } => {
                let text = self.to_text();
                let argument = text.strip_prefix(MOVE).unwrap_or_default();
                SystemStep::with(MOVE, argument.trim_start())
            }
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::CleanOut => CLEAN_OUT.to_owned(),
            Self::Resign => RESIGN.to_owned(),
            Self::Move {
                database,
                collection,
                shard,
                to,
            } => format!("{MOVE} {database}/{collection}/{shard} to {to}"),
        }
    }

    fn of_text(text: &str) -> Option<Self> {
        match text {
            CLEAN_OUT => return Some(Self::CleanOut),
            RESIGN => return Some(Self::Resign),
            _ => {}
        }
        let text = text.strip_prefix(MOVE)?.strip_prefix(' ')?;
        let (what, to) = text.rsplit_once(" to ")?;
        let (database, what) = what.split_once('/')?;
        let (collection, shard) = what.rsplit_once('/')?;
        Some(Self::Move {
            database: database.to_owned(),
            collection: collection.to_owned(),
            shard: shard.to_owned(),
            to: to.into(),
        })
    }

    /// Its type, as the supervision calls it, which is also the path of the request.
    fn kind(&self) -> &'static str {
        match self {
            Self::CleanOut => "cleanOutServer",
            Self::Resign => "resignLeadership",
            Self::Move { .. } => "moveShard",
        }
    }

    /// The body of the request for it.
    fn body(&self, tree: &Value, view: &View, server: &ServerKey) -> Result<Value, String> {
        let id = |server: &ServerKey| {
            let id = members::id_of(tree, view, server);
            id.ok_or_else(|| format!("the cluster does not know {server}"))
        };
        Ok(match self {
            Self::CleanOut => json!({ "server": id(server)? }),
            // Without this, leadership is moved back when the server was away for a moment.
            Self::Resign => json!({ "server": id(server)?, "undoMoves": false }),
            Self::Move {
                database,
                collection,
                shard,
                to,
            } => json!({
                "database": database,
                "collection": collection,
                "shard": shard,
                "fromServer": id(server)?,
                "toServer": id(to)?,
            }),
        })
    }

    /// Whether this is one of its kind, about the same.
    fn is(&self, job: &Value, tree: &Value, view: &View, server: &ServerKey) -> bool {
        let said = |attribute: &str| job.get(attribute).and_then(Value::as_str);
        let named = |attribute: &str| said(attribute).map(|id| members::name_of(tree, view, id));
        let is_about = match self {
            Self::CleanOut | Self::Resign => named("server").as_ref() == Some(server),
            Self::Move { shard, to, .. } => {
                said("shard") == Some(shard.as_str())
                    && named("fromServer").as_ref() == Some(server)
                    && named("toServer").as_ref() == Some(to)
            }
        };
        is_about && said("type") == Some(self.kind())
    }

    /// One that is not done, or else the newest of all.
    fn find<'a>(&self, tree: &'a Value, view: &View, server: &ServerKey) -> Option<Known<'a>> {
        let [to_do, pending] = UNFINISHED;
        let places = [to_do, pending, FINISHED, FAILED];
        let all = places.into_iter().flat_map(|place| {
            let jobs = tree.pointer(place).and_then(Value::as_object);
            jobs.into_iter().flatten().map(move |(id, job)| Known {
                id: id.as_str(),
                job,
                is_unfinished: UNFINISHED.contains(&place),
                has_failed: place == FAILED,
            })
        });
        let mine = all.filter(|known| self.is(known.job, tree, view, server));
        // Ids are numbers that grow.
        mine.max_by_key(|known| (known.is_unfinished, known.id.parse::<u64>().unwrap_or(0)))
    }

    /// The one that is not done, or what there is to say if there is none.
    fn to_cancel<'a>(
        &self,
        tree: &'a Value,
        view: &View,
        server: &ServerKey,
    ) -> Result<Known<'a>, Tried> {
        let known = self.find(tree, view, server);
        known.filter(|known| known.is_unfinished).ok_or_else(|| {
            match self.is_fulfilled(tree, view, server) {
                true => Tried::Refused("it was done before it could be cancelled".to_owned()),
                false => Tried::Done(String::new()),
            }
        })
    }

    /// Whether things are as the job is to make them, however they came to be so.
    fn is_fulfilled(&self, tree: &Value, view: &View, server: &ServerKey) -> bool {
        match self {
            Self::CleanOut => {
                let cleaned = tree.pointer(CLEANED).and_then(Value::as_array);
                let mut cleaned = cleaned.into_iter().flatten().filter_map(Value::as_str);
                cleaned.any(|id| members::name_of(tree, view, id) == *server)
            }
            // It goes on leading what nobody else has.
            Self::Resign => false,
            Self::Move { shard, to, .. } => {
                let planned = planned_on(tree, view, shard);
                planned.contains(to) && !planned.contains(server)
            }
        }
    }
}

/// The servers that a shard is planned on.
fn planned_on(tree: &Value, view: &View, shard: &str) -> Vec<ServerKey> {
    let databases = tree.pointer(COLLECTIONS).and_then(Value::as_object);
    let collections = databases.into_iter().flatten();
    let mut collections = collections
        .filter_map(|(_, collections)| collections.as_object())
        .flatten();
    let servers = collections.find_map(|(_, collection)| {
        let servers = collection.get("shards")?.get(shard)?;
        servers.as_array()
    });
    let servers = servers.into_iter().flatten().filter_map(Value::as_str);
    servers.map(|id| members::name_of(tree, view, id)).collect()
}

/// One try; `None` if it is no step of this kind.
pub(super) async fn try_step(view: &View, server: &ServerKey, step: &SystemStep) -> Option<Tried> {
    let tried = match step.name.as_str() {
        DONE => is_done(view, server, &Job::of_text(&step.argument)?).await,
        CANCEL => cancel(view, server, &Job::of_text(&step.argument)?).await,
        CLEAN_OUT | RESIGN | MOVE => give(view, server, &Job::of_text(&step.to_string())?).await,
        _ => return None,
    };
    Some(tried.unwrap_or_else(Tried::NotYet))
}

/// Everything that is to be known of jobs.
async fn look(view: &View) -> Result<Value, String> {
    let [to_do, pending] = UNFINISHED;
    let paths = [
        to_do,
        pending,
        FINISHED,
        FAILED,
        CLEANED,
        COLLECTIONS,
        members::SUPERVISED,
    ];
    let agency = Agency::new(view).with_limit(LIMIT);
    let tree = agency.read(&paths).await;
    tree.map_err(|error| error.to_string())
}

/// Gives it to the supervision, unless that has it, or it is not needed.
async fn give(view: &View, server: &ServerKey, job: &Job) -> Result<Tried, String> {
    let tree = look(view).await?;
    if let Some(known) = job.find(&tree, view, server)
        && known.is_unfinished
    {
        return Ok(Tried::Done(format!("job {}", known.id)));
    }
    if job.is_fulfilled(&tree, view, server) {
        return Ok(Tried::Done("it is so already".to_owned()));
    }
    let body = job.body(&tree, view, server)?;
    let request = Request::post(format!("/_admin/cluster/{}", job.kind())).json(&body);
    let client = ArangoClient::superuser(view).with_limit(LIMIT);
    let given = client.call::<Value>(request).await;
    Ok(match given {
        Ok(given) => {
            let id = given.get("id").and_then(Value::as_str).unwrap_or_default();
            Tried::Done(format!("job {id}"))
        }
        Err(error) => not_done(&error),
    })
}

async fn is_done(view: &View, server: &ServerKey, job: &Job) -> Result<Tried, String> {
    let tree = look(view).await?;
    let known = job.find(&tree, view, server);
    if let Some(known) = &known
        && known.is_unfinished
    {
        return Err(format!("job {} is not done", known.id));
    }
    let is_fulfilled = job.is_fulfilled(&tree, view, server);
    Ok(match known {
        Some(known) if known.has_failed && !is_fulfilled => {
            let reason = known.job.get("reason").and_then(Value::as_str);
            let reason = reason.unwrap_or("it does not say why");
            Tried::Refused(format!("job {} failed: {reason}", known.id))
        }
        Some(known) => Tried::Done(format!("job {}", known.id)),
        None if is_fulfilled => Tried::Done("it is so".to_owned()),
        None => Tried::NotYet("there is no such job".to_owned()),
    })
}

/// Only moves and clean-outs can be cancelled (`RestAdminClusterHandler::handleCancelJob`).
async fn cancel(view: &View, server: &ServerKey, job: &Job) -> Result<Tried, String> {
    let tree = look(view).await?;
    let known = match job.to_cancel(&tree, view, server) {
        Ok(known) => known,
        Err(nothing) => return Ok(nothing),
    };
    if known.job.get("abort") != Some(&Value::Bool(true)) {
        let request = Request::post("/_admin/cluster/cancelAgencyJob");
        let request = request.json(&json!({ "id": known.id }));
        let client = ArangoClient::superuser(view).with_limit(LIMIT);
        let asked = client.ask(request).await;
        asked.map_err(|error| error.to_string())?;
    }
    // The supervision ends it at its next look.
    Err(format!("job {} is being cancelled", known.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::tests::cluster_view;

    fn moving() -> Job {
        Job::Move {
            database: "db".into(),
            collection: "docs to go".into(),
            shard: "s8".into(),
            to: "dbserver-2".into(),
        }
    }

    /// An agency with two dbservers and these jobs at their places.
    fn tree(view: &View, jobs: &Value, planned: &[&str]) -> Value {
        let endpoint = |server: &str| {
            let place = view.place(&server.into()).unwrap();
            format!("tcp://{}", place.advertise["http"])
        };
        json!({ "arango": {
            "Target": jobs,
            "Plan": { "Collections": { "db": { "7": { "shards": { "s8": planned } } } } },
            "Supervision": { "Health": {
                "PRMR-1": { "Endpoint": endpoint("dbserver-1") },
                "PRMR-2": { "Endpoint": endpoint("dbserver-2") },
            } },
        } })
    }

    #[test]
    fn a_job_is_read_as_it_was_written() {
        for job in [Job::CleanOut, Job::Resign, moving()] {
            let step = job.step();
            assert_eq!(Job::of_text(&step.to_string()), Some(job));
        }
        assert_eq!(Job::of_text("move-shard s8"), None);
        let said: Vec<String> = (moving().steps(&"dbserver-1".into()).iter())
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            said,
            [
                "dbserver-1: move-shard db/docs to go/s8 to dbserver-2",
                "dbserver-1: wait for job move-shard db/docs to go/s8 to dbserver-2",
            ]
        );
    }

    #[test]
    fn its_own_job_is_found_among_others() {
        let view = cluster_view(1, 2, 1);
        let first = ServerKey::from("dbserver-1");
        let moved = |from: &str| json!({ "type": "moveShard", "shard": "s8", "fromServer": from, "toServer": "PRMR-2" });
        let cleaned = json!({ "type": "cleanOutServer", "server": "PRMR-1" });
        let jobs = json!({
            "Finished": { "9": moved("PRMR-1"), "8": cleaned },
            "Failed": { "10": moved("PRMR-1"), "11": moved("PRMR-2") },
        });
        let all = tree(&view, &jobs, &["PRMR-1"]);
        let found = moving().find(&all, &view, &first).unwrap();
        assert!(found.id == "10" && found.has_failed && !found.is_unfinished);
        let found = Job::CleanOut.find(&all, &view, &first).unwrap();
        assert!(found.id == "8" && !found.has_failed);
        assert!(Job::Resign.find(&all, &view, &first).is_none());
        // One that is not done comes first.
        let jobs =
            json!({ "Pending": { "2": moved("PRMR-1") }, "Finished": { "9": moved("PRMR-1") } });
        let all = tree(&view, &jobs, &["PRMR-1"]);
        let found = moving().find(&all, &view, &first).unwrap();
        assert!(found.id == "2" && found.is_unfinished);
    }

    #[test]
    fn what_is_done_is_not_cancelled() {
        let view = cluster_view(1, 2, 1);
        let first = ServerKey::from("dbserver-1");
        let job = json!({ "type": "moveShard", "shard": "s8", "fromServer": "PRMR-1", "toServer": "PRMR-2" });
        let cancelled = |stage: &str, planned: &str| {
            let all = tree(&view, &json!({ stage: { "9": job } }), &[planned]);
            let found = moving().to_cancel(&all, &view, &first);
            found.map(|known| known.id.to_owned())
        };
        assert_eq!(cancelled("Pending", "PRMR-1"), Ok("9".to_owned()));
        let too_late = Tried::Refused("it was done before it could be cancelled".to_owned());
        assert_eq!(cancelled("Finished", "PRMR-2"), Err(too_late));
        // It has come to nothing by itself.
        let nothing = Tried::Done(String::new());
        assert_eq!(cancelled("Failed", "PRMR-1"), Err(nothing));
    }

    #[test]
    fn what_is_so_already_is_seen() {
        let view = cluster_view(1, 2, 1);
        let first = ServerKey::from("dbserver-1");
        let jobs = json!({ "CleanedServers": ["PRMR-1"] });
        for (planned, moved) in [
            (&["PRMR-1"][..], false),
            (&["PRMR-1", "PRMR-2"][..], false),
            (&["PRMR-2"][..], true),
        ] {
            let all = tree(&view, &jobs, planned);
            assert_eq!(moving().is_fulfilled(&all, &view, &first), moved);
            assert!(Job::CleanOut.is_fulfilled(&all, &view, &first));
            assert!(!Job::CleanOut.is_fulfilled(&all, &view, &"dbserver-2".into()));
        }
    }
}
