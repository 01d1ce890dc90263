//! Every request that the daemon answers, once: from this list come the daemon's routes, the paths and types of its clients, and
//! the description of the API in OpenAPI (`docs/daemon-api.json`).

use std::collections::BTreeMap;

use armadillo_orchestrator::deployment::{FailedStart, ServerProcess};
use armadillo_orchestrator::membership::Roll;
use armadillo_orchestrator::{
    LeadershipLog, OperationPlan, OperationStatus, ServerKey, Statistics, View,
};
use serde::{Deserialize, Serialize};

use super::{
    daemon, doctor, keys, links, membership, operations, programs, server_log, state, statistics,
};
use crate::event::Event;

/// A request that the daemon answers, with its types.
pub trait Endpoint {
    /// What is sent; `()`: nothing.
    type Body;
    /// What is answered.
    type Answer;
    /// Which one it is.
    const ROUTE: Route;
}

/// The methods of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// It asks.
    Get,
    /// It changes something, or waits for something.
    Post,
}

impl Method {
    /// As HTTP has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// Who may send a request. The socket can only be opened by its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever can open the socket.
    Owner,
    /// The process of the run, with the token that it gave the daemon when it started it.
    Run,
    /// The holder of the lease, with its token.
    Lease,
    /// The holder of a lease that is not shared, with its token.
    LeaseAlone,
}

/// The answer `{}`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Done {}

/// What a path has in the places of its template: `{lease}`.
#[derive(Debug, PartialEq, Eq)]
pub struct Places<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Places<'a> {
    /// What is in this place; empty if the template has no such place.
    #[must_use]
    pub fn get(&self, name: &str) -> &'a str {
        let found = self.0.iter().find(|(place, _)| *place == name);
        found.map_or("", |(_, value)| value)
    }
}

impl Route {
    /// The route of a request.
    #[must_use]
    pub fn find<'a>(method: &str, path: &'a str) -> Option<(Self, Places<'a>)> {
        let mut routes = Self::ALL
            .iter()
            .filter(|route| route.method().name() == method);
        routes.find_map(|route| Some((*route, matches(route.template(), path)?)))
    }

    /// The path with these values in the places of the template, in their order.
    #[must_use]
    pub fn path(self, places: &[&str]) -> String {
        let mut places = places.iter();
        let parts = self.template().split('/').map(|part| match place(part) {
            Some(_) => places.next().copied().unwrap_or_default(),
            None => part,
        });
        parts.collect::<Vec<_>>().join("/")
    }
}

/// The name of the place that a part of a template is.
fn place(part: &'static str) -> Option<&'static str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

fn matches<'a>(template: &'static str, path: &'a str) -> Option<Places<'a>> {
    let mut parts = path.split('/');
    let mut places = Vec::new();
    for expected in template.split('/') {
        let part = parts.next()?;
        match place(expected) {
            Some(name) => places.push((name, part)),
            None if part == expected => {}
            None => return None,
        }
    }
    parts.next().is_none().then_some(Places(places))
}

macro_rules! endpoints {
    ($($(#[doc = $doc:literal])+ $name:ident: $method:ident $template:literal $access:ident, $body:ty => $answer:ty;)+) => {
        /// Which request it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Route {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Route {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// What it does.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+),)+
                }
            }

            /// Its method.
            #[must_use]
            pub const fn method(self) -> Method {
                match self {
                    $(Self::$name => Method::$method,)+
                }
            }

            /// Its path, with places: `/v1/leases/{lease}/begin`.
            #[must_use]
            pub const fn template(self) -> &'static str {
                match self {
                    $(Self::$name => $template,)+
                }
            }

            /// Who may send it.
            #[must_use]
            pub const fn access(self) -> Access {
                match self {
                    $(Self::$name => Access::$access,)+
                }
            }

            /// The schemas of its body, if it has one, and of its answer.
            #[cfg(feature = "schema")]
            pub(super) fn schemas(
                self,
                generator: &mut schemars::SchemaGenerator,
            ) -> (Option<schemars::Schema>, schemars::Schema) {
                match self {
                    $(Self::$name => (
                        super::openapi::of_body::<$body>(generator),
                        generator.subschema_for::<$answer>(),
                    ),)+
                }
            }
        }

        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl Endpoint for $name {
                type Body = $body;
                type Answer = $answer;
                const ROUTE: Route = Route::$name;
            }
        )+
    };
}

endpoints! {
    /// What the daemon has: deployments, their states and servers, leases.
    Status: Get "/v1/status" Owner, () => state::Status;
    /// The deployments that are kept for a person to look at.
    Kept: Get "/v1/kept" Owner, () => Vec<daemon::Kept>;
    /// Tries out one assumption about a system; answers when it is known whether it holds.
    TryOut: Post "/v1/doctor" Owner, doctor::TryOut => doctor::TriedOut;
    /// Stops what assumptions were tried out on; answers when it has stopped.
    StopTryingOut: Post "/v1/doctor/stop" Owner, () => Done;
    /// A process that runs tests joins. If it ends, it has left.
    Join: Post "/v1/clients" Owner, daemon::Join => daemon::Joined;
    /// A client says which tests it wants to run.
    Wish: Post "/v1/clients/{client}/wishes" Owner, daemon::Wishes => Done;
    /// A wish that was held may be granted from now on.
    Free: Post "/v1/clients/{client}/free" Owner, daemon::Free => Done;
    /// A client is ready to run one more test; answers when something can run.
    Next: Post "/v1/clients/{client}/next" Owner, daemon::Ready => daemon::Next;
    /// A request for the next test does not wait any more; it is answered, perhaps with a lease.
    DropPoll: Post "/v1/clients/{client}/drop_poll" Owner, daemon::DropPoll => Done;
    /// A client does not need one of the slots any more that it was given for tests without deployments.
    FreeSlot: Post "/v1/clients/{client}/free-slot" Owner, () => Done;
    /// Takes back the wishes of a client that were not granted.
    Withdraw: Post "/v1/clients/{client}/withdraw" Owner, () => Done;
    /// The fixtures that a client kept for a deployment are torn down.
    FixturesGone: Post "/v1/clients/{client}/fixtures-gone" Owner, daemon::FixturesGone => Done;
    /// A client leaves; its leases end.
    Leave: Post "/v1/clients/{client}/leave" Owner, () => Done;
    /// Asks whether a test may still begin on what it was granted.
    Begin: Post "/v1/leases/{lease}/begin" Lease, () => daemon::Begin;
    /// Ends a lease; answers when its deployments have been looked at.
    Release: Post "/v1/leases/{lease}/release" Lease, daemon::Release => daemon::Released;
    /// The deployment: servers, endpoints, credentials.
    ReadView: Post "/v1/leases/{lease}/on/{deployment}/view" Lease, () => View;
    /// The health of the deployment, once its version differs from the one that is known.
    ReadHealth: Post "/v1/leases/{lease}/on/{deployment}/health" Lease, daemon::HealthAfter => daemon::VersionedHealth;
    /// Who led when, after another look.
    ReadLeaders: Post "/v1/leases/{lease}/on/{deployment}/leaders" Lease, daemon::Leaders => LeadershipLog;
    /// The process of each server.
    ReadProcesses: Post "/v1/leases/{lease}/on/{deployment}/processes" Lease, () => BTreeMap<ServerKey, ServerProcess>;
    /// The figures of each server at this moment.
    ReadStatistics: Post "/v1/leases/{lease}/on/{deployment}/statistics" Lease, statistics::ReadStatistics => Statistics;
    /// Writes what is known of the servers into a directory.
    CollectEvidence: Post "/v1/leases/{lease}/on/{deployment}/evidence" Lease, daemon::Collect => daemon::Collected;
    /// Whole lines of the log of a server; answers when there is one, or when the limit has passed.
    ReadLog: Post "/v1/leases/{lease}/on/{deployment}/log" Lease, server_log::ReadLog => server_log::LogPart;
    /// Asks who makes a fixture that is kept for the deployment; waits while another test does.
    ClaimFixture: Post "/v1/leases/{lease}/on/{deployment}/fixtures/claim" Lease, daemon::Claim => daemon::Claimed;
    /// Says what became of a fixture that was claimed.
    SettleFixture: Post "/v1/leases/{lease}/on/{deployment}/fixtures/settle" Lease, daemon::Settle => Done;
    /// Kills, pauses, resumes, stops, starts or restarts a server; answers when it has taken effect.
    Operate: Post "/v1/leases/{lease}/on/{deployment}/operate" LeaseAlone, daemon::Operate => Done;
    /// Cuts, delays or heals links; answers when the effect was seen.
    OperateLinks: Post "/v1/leases/{lease}/on/{deployment}/links" LeaseAlone, links::OperateLinks => links::LinksAnswer;
    /// Gives a server another program or other options from its next start on.
    ChangeServer: Post "/v1/leases/{lease}/on/{deployment}/change-server" LeaseAlone, programs::ChangeServer => Done;
    /// Plans a rolling restart, upgrade or downgrade.
    PlanRolling: Post "/v1/leases/{lease}/on/{deployment}/plan-rolling" LeaseAlone, operations::PlanRolling => OperationPlan;
    /// Begins an operation.
    BeginOperation: Post "/v1/leases/{lease}/on/{deployment}/begin-operation" LeaseAlone, operations::BeginOperation => operations::OperationBegun;
    /// The state of an operation, once its version differs from the one that is known.
    WaitForOperation: Post "/v1/leases/{lease}/on/{deployment}/wait-for-operation" LeaseAlone, operations::WaitForOperation => operations::VersionedOperation;
    /// Cancels an operation, or lets it go on.
    SteerOperation: Post "/v1/leases/{lease}/on/{deployment}/steer-operation" LeaseAlone, operations::SteerOperation => Done;
    /// All operations so far, the oldest first.
    ReadOperations: Post "/v1/leases/{lease}/on/{deployment}/operations" LeaseAlone, () => Vec<OperationStatus>;
    /// Takes the next step of a rotation of keys; answers when the files of every server are written.
    AdvanceKeys: Post "/v1/leases/{lease}/on/{deployment}/advance-keys" LeaseAlone, keys::AdvanceKeys => keys::KeysAdvanced;
    /// Removes what a server has stored that does not run.
    Wipe: Post "/v1/leases/{lease}/on/{deployment}/wipe" LeaseAlone, membership::Wipe => Roll;
    /// Declares how a server will exit.
    ExpectExit: Post "/v1/leases/{lease}/on/{deployment}/expect-exit" LeaseAlone, daemon::Expect => daemon::Expected;
    /// Waits for an exit that was declared.
    SeeExit: Post "/v1/leases/{lease}/on/{deployment}/see-exit" LeaseAlone, daemon::SeeExit => daemon::SeenExit;
    /// Starts every server that does not run; answers when the whole is good.
    StartAll: Post "/v1/leases/{lease}/on/{deployment}/start-all" LeaseAlone, daemon::StartAll => Done;
    /// Starts a server that is meant to exit before it is ready.
    FailStart: Post "/v1/leases/{lease}/on/{deployment}/fail-start" LeaseAlone, daemon::FailStart => FailedStart;
    /// Starts a worker.
    StartWorker: Post "/v1/workers" Owner, daemon::StartWorker => daemon::WorkerStarted;
    /// Ends a worker: by itself within the limit, otherwise with all it started.
    EndWorker: Post "/v1/workers/{pid}/end" Owner, daemon::EndWorker => daemon::WorkerExit;
    /// Events of the run's process, which numbers them; this is the number of the first. A number that was skipped is refused.
    TakeEvents: Post "/v1/events/{number}" Run, Vec<Event> => Done;
    /// The daemon's own events from this number on, when there are some.
    FollowEvents: Get "/v1/events/{number}" Owner, () => Vec<Event>;
    /// The daemon's own events from this number on, at once.
    ReadEvents: Get "/v1/events/{number}/now" Owner, () => Vec<Event>;
    /// A shared daemon stops everything and ends, a moment later.
    End: Post "/v1/end" Owner, () => Done;
    /// Stops every deployment; answers when all have stopped.
    Stop: Post "/v1/stop" Owner, () => Done;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_found_by_its_path_and_nothing_else_is() {
        for route in Route::ALL {
            let places = route.template().matches('{').count();
            let values = ["7", "tally-1"];
            let path = route.path(&values[..places]);
            let (found, there) = Route::find(route.method().name(), &path).unwrap();
            assert_eq!(found, *route, "{path}");
            for (value, (_, read)) in values.iter().zip(&there.0) {
                assert_eq!(value, read, "{path}");
            }
            for other in [
                format!("{path}/more"),
                format!("{path}/"),
                path.replacen("v1", "v2", 1),
            ] {
                assert_eq!(Route::find(route.method().name(), &other), None, "{other}");
            }
            assert_eq!(Route::find("PUT", &path), None);
        }
        let (_, places) = Route::find("POST", "/v1/leases/5f3a9c20/on/tally-1/log").unwrap();
        assert_eq!(
            (places.get("lease"), places.get("deployment")),
            ("5f3a9c20", "tally-1")
        );
        assert_eq!(places.get("client"), "");
    }
}
