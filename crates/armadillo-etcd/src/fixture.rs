//! What a test receives: [`Etcd`], a handle on its cluster, and [`EtcdClient`], a client whose keys are the test's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use armadillo_harness::fixture::{
    DeploymentHandle, Failed, Fixture, Observe, Orchestrator, Scope, TestContext, WaitError,
};
use armadillo_harness::needs::{LeaseMode, Needs};
use armadillo_orchestrator::ServerKey;

use crate::client::{EtcdClient, EtcdConnection, EtcdError, Member};
use crate::health::GROUP;
use crate::topology::{ROLE, etcd};

/// How long a teardown waits for a cluster to delete the test's keys.
const TEARDOWN_LIMIT: Duration = Duration::from_secs(5);

/// An etcd cluster. As `Etcd` it is shared with other tests; `Exclusive<Etcd>`, `Fresh<Etcd>` and `Unstarted<Etcd>`
/// are the test's own, and only they have faults: `cluster.server(&leader).kill()`.
#[derive(Clone)]
pub struct Etcd {
    orchestrator: Orchestrator,
    mode: LeaseMode,
    /// Whether anybody was given the key prefix of the lease.
    used: Arc<AtomicBool>,
}

impl Etcd {
    /// A client with the key prefix of the test's lease, the same that [`EtcdClient`] is as an argument. After the test
    /// everything below that prefix is deleted.
    #[must_use]
    pub fn client(&self) -> EtcdClient {
        self.used.store(true, Ordering::Relaxed);
        EtcdClient::for_lease(self.orchestrator.view(), self.orchestrator.lease())
    }

    /// What another client needs: endpoints, the key prefix of the test's lease, and both as variables.
    #[must_use]
    pub fn connection(&self) -> EtcdConnection {
        self.client().connection()
    }

    /// Where clients reach each planned member: `http://127.0.0.1:4711`.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.connection().endpoints
    }

    /// The planned members, in order.
    #[must_use]
    pub fn members(&self) -> Vec<ServerKey> {
        self.orchestrator.servers_of(ROLE)
    }

    /// The cluster's members as it knows them itself, among them those a test has added.
    ///
    /// # Errors
    /// When no member answers.
    pub async fn known_members(&self) -> Result<Vec<Member>, EtcdError> {
        self.client().members().await
    }

    /// The leader; waits until there is one.
    ///
    /// # Errors
    /// When there is none by the end of the test's time.
    pub async fn leader(&self) -> Result<ServerKey, WaitError> {
        self.orchestrator.leader(GROUP).await
    }
}

impl Fixture for Etcd {
    type From = ();
    const NEEDS: Needs = Needs::of(etcd().topology());
    const SCOPE: Scope<Self> = Scope::handle();

    async fn setup(cx: &TestContext, (): ()) -> Result<Self, Failed> {
        Self::open(cx)
    }

    /// Deletes the test's keys. Where the cluster is the test's own, it may have been left without a leader on purpose:
    /// then it ends with the test, or is repaired and found clean before the next.
    async fn teardown(&self) -> Result<(), Failed> {
        if self.mode.is_fresh() || !self.used.load(Ordering::Relaxed) {
            return Ok(());
        }
        let client = self.client().with_limit(TEARDOWN_LIMIT);
        if self.mode == LeaseMode::Exclusive && client.leader().await.is_err() {
            return Ok(());
        }
        client.delete_prefix("").await?;
        Ok(())
    }
}

impl Observe for Etcd {
    fn orchestrator(&self) -> &Orchestrator {
        &self.orchestrator
    }
}

impl DeploymentHandle for Etcd {
    fn open(cx: &TestContext) -> Result<Self, Failed> {
        let mode = cx.lease().map_or(LeaseMode::Shared, |lease| lease.mode);
        Ok(Self {
            orchestrator: Orchestrator::open(cx)?,
            mode,
            used: Arc::default(),
        })
    }
}

/// The client as an argument of its own; its keys are deleted by the handle it is made from.
impl Fixture for EtcdClient {
    type From = (Arc<Etcd>,);

    async fn setup(_cx: &TestContext, (cluster,): (Arc<Etcd>,)) -> Result<Self, Failed> {
        Ok(cluster.client())
    }
}
