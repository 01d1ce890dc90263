//! What the core is told, and what it says.

use std::sync::Arc;

use armadillo_orchestrator::Topology;

use super::budget::Others;
use super::{ClientNo, DeploymentNo, LeaseNo, Moment, PollNo};
use crate::event::{Company, Names, StartReason};
use crate::needs::LeaseMode;
use crate::resources::Resources;

/// A topology that is wished for.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    /// The complete topology.
    pub(crate) topology: Arc<Topology>,
    /// The number of what its servers are started with: equal topologies with other conditions share nothing.
    pub(crate) conditions: usize,
    /// Equal topologies with different numbers are deployments of their own: a client that says which test runs on which copy gives
    /// each copy a number.
    pub(crate) apart: u32,
    /// What its servers take.
    pub(crate) takes: Resources,
    /// How many deployments of it may be shared between tests at the same time; at least one.
    pub(crate) copies: usize,
}

/// A test that a client wants to run.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// The client's own number for it.
    pub(crate) ticket: u64,
    /// The test's name.
    pub(crate) test: Arc<str>,
    /// The deployments it needs: places in the list of offers that came with it.
    pub(crate) needs: Vec<(usize, LeaseMode)>,
    /// How long it is thought to take, in microseconds.
    pub(crate) expected_us: u64,
    /// Whether the client has something to prepare between the grant and the beginning.
    pub(crate) begins_later: bool,
    /// Whether it is not granted before it is [freed](Input::Freed). Its deployments start and stay for it all the same.
    pub(crate) held: bool,
    /// Whether its leases are no events.
    pub(crate) quiet: bool,
}

/// How a test ended, as its client sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ended {
    /// When its client really began it, if it did: a moment after it was granted.
    pub(crate) began: Option<Moment>,
    /// Whether it failed.
    pub(crate) failed: bool,
    /// Why its deployments are not to be trusted as they are, if so.
    pub(crate) suspect: Option<String>,
    /// Deployments that the client keeps fixtures for, to be torn down before they stop.
    pub(crate) keeps: Vec<DeploymentNo>,
    /// What is wished for if it failed, or fails for what is found now.
    pub(crate) retry: Option<Retry>,
}

/// Another attempt of a test.
#[derive(Clone, Debug)]
pub(crate) struct Retry {
    /// The client's number for it.
    pub(crate) ticket: u64,
    /// The kinds of lease, in the order of the test's needs: another attempt may ask for more isolation.
    pub(crate) modes: Vec<LeaseMode>,
}

/// What was found on one deployment after a test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// When the test's time on it was over: what happens later is not its doing.
    pub(crate) ended_at: Moment,
    /// What it left behind.
    pub(crate) leaks: Vec<String>,
    /// What it left behind that is only said.
    pub(crate) warnings: Vec<String>,
    /// What servers' sanitizers have reported.
    pub(crate) sanitizers: Vec<String>,
    /// Exits that it expected and that did not happen.
    pub(crate) unmet: Vec<String>,
    /// Why the deployment is not to be trusted as it is, if so.
    pub(crate) suspect: Option<String>,
}

/// What a test is charged with on one deployment.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) deployment: DeploymentNo,
    pub(crate) found: Found,
    /// Servers that ended by themselves while it ran.
    pub(crate) crashes: Vec<String>,
}

/// What happens to the core.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A client is there; it runs at most so many tests at once.
    Joined {
        client: ClientNo,
        slots: usize,
        /// How many slots it shares with the others, if it does.
        shared: Option<usize>,
    },
    /// It wants to run these tests, in this order.
    Wished {
        client: ClientNo,
        offers: Vec<Offer>,
        wishes: Vec<Wish>,
        /// Whether a deployment of each offer is needed until the client leaves.
        keep: bool,
    },
    /// A wish of it that was held may be granted from now on.
    Freed { client: ClientNo, ticket: u64 },
    /// It wants none of them any more that have not been granted.
    Withdrawn { client: ClientNo },
    /// It is gone, and will not release what it holds.
    Left { client: ClientNo },
    /// It is ready to run one more test. Without `wait` it is answered at once.
    Polled {
        client: ClientNo,
        poll: PollNo,
        wait: bool,
        /// Whether it has tests that need no deployment, too, for which it needs a slot.
        plain: bool,
    },
    /// It has used a slot for such tests, and does not need it any more.
    SlotFreed { client: ClientNo },
    /// The poll is dropped: its client does not wait any more.
    PollDropped { poll: PollNo },
    /// The test of this lease begins now. Every grant is followed by this, or by [`Input::Returned`].
    Begun { lease: LeaseNo },
    /// The client did not take the lease, or could not begin.
    Returned { lease: LeaseNo },
    /// The test of this lease has ended.
    Released { lease: LeaseNo, how: Ended },
    /// What a test left on one deployment has been looked at.
    Examined {
        lease: LeaseNo,
        deployment: DeploymentNo,
        found: Found,
    },
    /// A server is no longer as it should be, and nobody knows yet why.
    Doubted { deployment: DeploymentNo },
    /// A server ended by itself. What happened is told later than it happened: a test that began in between did not see
    /// it happen.
    Crashed {
        deployment: DeploymentNo,
        what: String,
        at: Moment,
    },
    /// A start came to its end.
    Started {
        deployment: DeploymentNo,
        outcome: Result<(), String>,
    },
    /// A repair came to its end: it is clean and healthy, or why not.
    Repaired {
        deployment: DeploymentNo,
        outcome: Result<(), String>,
    },
    /// Its servers are gone.
    Stopped { deployment: DeploymentNo },
    /// A client keeps no fixtures for this deployment any more.
    FixturesGone {
        client: ClientNo,
        deployment: DeploymentNo,
    },
    /// A new run has everything from now on: what is there was used by others, and anything may have happened to it since.
    Renewed {
        /// For how long a deployment stays that nobody has, in microseconds.
        stays_us: Moment,
    },
    /// What other runs hold at this moment; nobody starts anything before this has been handled.
    Looked { others: Others },
    /// Everything is to be stopped.
    Closed,
}

/// What the driver is to do.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Start a deployment.
    Start {
        deployment: DeploymentNo,
        topology: Arc<Topology>,
        /// The number of what its servers are started with.
        conditions: usize,
        /// Shared for many tests, exclusive never: `Fresh` and `Unstarted` say that it is for one test.
        mode: LeaseMode,
        reason: StartReason,
    },
    /// Put it in order and see that it is, or say why it cannot be done.
    Repair {
        deployment: DeploymentNo,
        why: String,
        /// The tests that shared it since it was last seen to be clean.
        guests: Names,
    },
    /// Stop it.
    Stop {
        deployment: DeploymentNo,
        why: StopReason,
        /// The tests that shared it since it was last seen to be clean, if it can still be looked at.
        guests: Names,
        /// Whether its data is kept, because a test on it failed.
        keep_data: bool,
    },
    /// The answer to a poll: run this test with this lease.
    Grant {
        poll: PollNo,
        client: ClientNo,
        lease: LeaseNo,
        ticket: u64,
        test: Arc<str>,
        on: Vec<(DeploymentNo, LeaseMode)>,
        /// Whether the client has something to prepare; otherwise the test begins now.
        begins_later: bool,
        /// Whether it is no event.
        quiet: bool,
        waited_us: u64,
    },
    /// The answer to a poll: this test's deployments cannot be had.
    Refuse {
        poll: PollNo,
        ticket: u64,
        error: String,
    },
    /// The answer to a poll: tear down what you keep for this deployment.
    DropFixtures {
        poll: PollNo,
        deployment: DeploymentNo,
    },
    /// The answer to a poll: run tests that need no deployment. Every such slot is [freed](Input::SlotFreed) later.
    Plain { poll: PollNo },
    /// The answer to a poll: nothing can run now.
    Nothing { poll: PollNo },
    /// The answer to [`Input::Begun`]: whether the test may begin. If not, the lease is gone and the wish is back.
    Begin { lease: LeaseNo, go: bool },
    /// See what the test left on this deployment, and answer with [`Input::Examined`].
    Examine {
        lease: LeaseNo,
        deployment: DeploymentNo,
        mode: LeaseMode,
    },
    /// See what other runs hold, and answer with [`Input::Looked`].
    Look,
    /// The lease has ended; this is what its test is charged with.
    Conclude {
        lease: LeaseNo,
        charges: Vec<Charge>,
        company: Company,
        /// Whether the test failed and its retry waits now.
        again: bool,
        /// Whether the attempt does not count, and its wish waits again: it failed, and a server had ended before it began.
        void: bool,
    },
}

/// Why a deployment is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Nobody needs it.
    NotNeeded,
    /// Others need its memory or its share of the cores first; it is started again later.
    MakesRoom,
    /// It could not be repaired, for this reason.
    Recycled(String),
    /// The run is over.
    Closed,
}
