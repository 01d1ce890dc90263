//! What is assumed of `arangod`, in the order in which it is tried out. `docs/assumptions.md` has the sources.

use armadillo_orchestrator::doctor::{Assumption, CheckStage};

use crate::topology::{cluster, single};

const REPORT: &str = "run with --json FILE and report it: Armadillo has to learn this version";

/// The deployments on which they are tried out. A failover happens in the cluster that was looked at before.
pub(crate) const STAGES: [CheckStage; 3] = [
    CheckStage {
        name: "single",
        topology: || single().topology().to_topology(),
    },
    CheckStage {
        name: "cluster",
        topology: cluster_of_seven,
    },
    CheckStage {
        name: "failover",
        topology: cluster_of_seven,
    },
];

fn cluster_of_seven() -> armadillo_orchestrator::Topology {
    let cluster = cluster().agents(3).dbservers(3).coordinators(1);
    cluster.replication_factor(2).topology().to_topology()
}

pub(crate) const ALL: [Assumption; 25] = [
    Assumption {
        name: "single.listens",
        assumes: "a server that is started with the options of docs/arangodb.md listens on its port",
        breaks: "no deployment starts",
        advice: "read its log; a start script must pass all arguments on to arangod and `exec` it",
        after: &[],
    },
    Assumption {
        name: "single.log",
        assumes: "with --log.use-json-format it logs lines that are JSON objects with level and message",
        breaks: "crashes are reported without what the server said, and the checker `log` finds nothing",
        advice: "remove what prints to its stdout or stderr; --log.output must be `+`",
        after: &["single.listens"],
    },
    Assumption {
        name: "single.version",
        assumes: "GET /_api/version is answered to the deployment's own token: `server` is `arango`, and there is a `version`",
        breaks: "no server is ever ready",
        advice: "check that --server.jwt-secret-folder is honoured",
        after: &["single.listens"],
    },
    Assumption {
        name: "single.authentication",
        assumes: "a token with another signature is refused with 401",
        breaks: "an answer from a server of somebody else is taken for ours, and tests of rights prove nothing",
        advice: "check --server.authentication, and that no proxy answers in its place",
        after: &["single.version"],
    },
    Assumption {
        name: "single.role",
        assumes: "GET /_admin/status has `serverInfo.role`, and it is SINGLE",
        breaks: "no server is ever ready",
        advice: REPORT,
        after: &["single.version"],
    },
    Assumption {
        name: "single.pid",
        assumes: "GET /_admin/status has the `pid` of the process that was started, or of one of its children",
        breaks: "it cannot be proven that the answer is ours, and the start ends",
        advice: "do not start it in another pid namespace",
        after: &["single.version"],
    },
    Assumption {
        name: "single.availability",
        assumes: "GET /_admin/server/availability becomes 200",
        breaks: "no server is ever ready",
        advice: "read its log for what it waits for; raise --timeout-factor on a slow machine",
        after: &["single.version"],
    },
    Assumption {
        name: "single.ready",
        assumes: "all of that together makes it ready",
        breaks: "no deployment starts",
        advice: REPORT,
        after: &[
            "single.role",
            "single.pid",
            "single.availability",
            "single.authentication",
        ],
    },
    Assumption {
        name: "single.databases",
        assumes: "a database can be created, is listed, and can be dropped",
        breaks: "the fixture Database, and clean-up after tests",
        advice: REPORT,
        after: &["single.ready"],
    },
    Assumption {
        name: "single.users",
        assumes: "a user can be created, gets rights in one database, and is refused in another with 401 or 403",
        breaks: "the fixtures Database and Auth",
        advice: REPORT,
        after: &["single.databases"],
    },
    Assumption {
        name: "single.tokens",
        assumes: "a token signed with the deployment's key and `preferred_username` has that user's rights",
        breaks: "Connection::token and Auth::sign",
        advice: REPORT,
        after: &["single.users"],
    },
    Assumption {
        name: "single.inactive",
        assumes: "a user who is not active is refused with the password, and a token with the user's name is accepted",
        breaks: "Auth::deactivate and Tokens::revoke",
        advice: REPORT,
        after: &["single.tokens"],
    },
    Assumption {
        name: "single.rotation",
        assumes: "POST /_admin/server/jwt reads the folder of secrets again, so that the old key is refused; or it is 404, which the \
                  Community Edition answers",
        breaks: "Tokens::rotate",
        advice: REPORT,
        after: &["single.tokens"],
    },
    Assumption {
        name: "single.documents",
        assumes: "a document that was inserted is read back",
        breaks: "everything that stores data",
        advice: REPORT,
        after: &["single.databases"],
    },
    Assumption {
        name: "single.revisions",
        assumes: "a write with an old revision in If-Match is refused with 412",
        breaks: "the proof that acknowledged data survives",
        advice: REPORT,
        after: &["single.documents"],
    },
    Assumption {
        name: "single.missing",
        assumes: "what is not there is 404 with the errorNum of its kind: 1228, 1203, 1202",
        breaks: "clean-up takes an error for a thing that is there",
        advice: REPORT,
        after: &["single.documents"],
    },
    Assumption {
        name: "single.stops",
        assumes: "SIGTERM makes it exit with code 0",
        breaks: "each stop takes 30 s and ends with SIGABRT",
        advice: "read its log; a start script must `exec` arangod, or the signal never reaches it",
        after: &["single.ready"],
    },
    Assumption {
        name: "single.restarts",
        assumes: "started again, it has what it acknowledged",
        breaks: "restart, and the repair of deployments",
        advice: REPORT,
        after: &["single.stops", "single.documents"],
    },
    Assumption {
        name: "cluster.agents",
        assumes: "GET /_api/agency/config of each of three agents names the same leader and term",
        breaks: "no cluster starts: dbservers and coordinators wait for the agency",
        advice: "read the agents' logs; raise --timeout-factor on a slow machine",
        after: &["single.ready"],
    },
    Assumption {
        name: "cluster.ready",
        assumes: "three agents, three dbservers and a coordinator become ready and GOOD",
        breaks: "no cluster starts",
        advice: "see which server is missing; raise --timeout-factor on a slow machine",
        after: &["cluster.agents"],
    },
    Assumption {
        name: "cluster.health",
        assumes: "GET /_admin/cluster/health of the coordinator lists every server by its endpoint, as GOOD",
        breaks: "health, waits, and failover",
        advice: REPORT,
        after: &["cluster.ready"],
    },
    Assumption {
        name: "cluster.shards",
        assumes: "the agency has Plan and Current of a new collection, with a leader and a follower in sync",
        breaks: "shard_leader, wait_in_sync, and every check of shards",
        advice: REPORT,
        after: &["cluster.health", "single.databases"],
    },
    Assumption {
        name: "failover.failed",
        assumes: "the supervision calls a killed dbserver FAILED within 30 s",
        breaks: "waits for a failover run into their limit",
        advice: "check that the options of the supervision are honoured; raise --timeout-factor on a slow machine",
        after: &["cluster.shards"],
    },
    Assumption {
        name: "failover.leader",
        assumes: "the follower leads the shard then, and has the acknowledged document",
        breaks: "tests of failover",
        advice: REPORT,
        after: &["failover.failed", "single.documents"],
    },
    Assumption {
        name: "failover.back",
        assumes: "started again, the dbserver is GOOD and in sync",
        breaks: "deployments are replaced instead of repaired",
        advice: REPORT,
        after: &["failover.leader"],
    },
];
