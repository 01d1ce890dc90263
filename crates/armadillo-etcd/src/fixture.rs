//! What a test receives: [`Etcd`], a handle on its cluster, and [`EtcdClient`], a client whose keys are the test's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use armadillo_harness::failure::TestError;
use armadillo_harness::fixture::{
    DeploymentHandle, Exclusive, Fixture, Fresh, Observe, Orchestrator, Scope, TestContext,
    Unstarted, WaitError,
};
use armadillo_harness::needs::{LeaseMode, Needs};
use armadillo_orchestrator::ServerKey;

use crate::client::lease_users::LeaseUsers;
use crate::client::{EtcdClient, EtcdConnection, EtcdError, Member};
use crate::health::GROUP;
use crate::topology::{ROLE, SPARES, etcd};

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
    users: Arc<LeaseUsers>,
}

impl Etcd {
    /// A client with the key prefix of the test's lease, the same that [`EtcdClient`] is as an argument. After the test
    /// everything below that prefix is deleted.
    #[must_use]
    pub fn client(&self) -> EtcdClient {
        self.used.store(true, Ordering::Relaxed);
        self.superuser().of_lease(&self.users)
    }

    fn superuser(&self) -> EtcdClient {
        EtcdClient::for_lease(self.orchestrator.view(), self.orchestrator.lease())
    }

    /// What another client needs: endpoints, a user who ends with the test, the key prefix of the test's lease, and all of it
    /// as variables.
    ///
    /// # Errors
    /// When no member adds the user.
    pub async fn connection(&self) -> Result<EtcdConnection, EtcdError> {
        self.client().connection().await
    }

    /// Where clients reach each member: `http://127.0.0.1:4711`, or `https://` with TLS.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.superuser().endpoints()
    }

    /// The members that are part of the deployment now, in order.
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

/// A cluster, shared or one's own: what [`Members`](crate::Members) and [`Backups`](crate::Backups) are methods of. They compile
/// for one's own.
pub trait AsEtcd: Sync {
    /// The cluster.
    fn as_etcd(&self) -> &Etcd;
}

impl AsEtcd for Etcd {
    fn as_etcd(&self) -> &Etcd {
        self
    }
}

macro_rules! owned {
    ($($Wrapper:ident),*) => {$(
        impl AsEtcd for $Wrapper<Etcd> {
            fn as_etcd(&self) -> &Etcd {
                self
            }
        }
    )*};
}

owned!(Exclusive, Fresh, Unstarted);

impl Fixture for Etcd {
    type From = ();
    const NEEDS: Needs = Needs::of(etcd().topology());
    const SCOPE: Scope<Self> = Scope::handle();

    async fn setup(cx: &TestContext, (): ()) -> Result<Self, TestError> {
        Self::open(cx)
    }

    /// Deletes the test's keys and users. Where the cluster is the test's own, it may have been left without a leader on purpose:
    /// then it ends with the test, or is repaired and found clean before the next.
    async fn teardown(&self) -> Result<(), TestError> {
        self.users.end();
        if self.mode.is_fresh() || !self.used.load(Ordering::Relaxed) {
            return Ok(());
        }
        let client = self.superuser().with_limit(TEARDOWN_LIMIT);
        if self.mode == LeaseMode::Exclusive && client.leader().await.is_err() {
            return Ok(());
        }
        self.users.remove(&client).await?;
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
    fn open(cx: &TestContext) -> Result<Self, TestError> {
        let mode = cx.lease().map_or(LeaseMode::Shared, |lease| lease.mode);
        let orchestrator = Orchestrator::open(cx)?;
        let users = Arc::new(LeaseUsers::new(orchestrator.lease()));
        Ok(Self {
            orchestrator,
            mode,
            used: Arc::default(),
            users,
        })
    }

    fn has_spare(&self) -> bool {
        self.orchestrator.spare(ROLE, SPARES).is_ok()
    }

    async fn replace(&self, leaving: &ServerKey) -> Result<ServerKey, TestError> {
        let added = self.adding(false).await?;
        self.removing(leaving).await?;
        Ok(added)
    }
}

/// The client as an argument of its own; its keys are deleted by the handle it is made from.
impl Fixture for EtcdClient {
    type From = (Arc<Etcd>,);

    async fn setup(_cx: &TestContext, (cluster,): (Arc<Etcd>,)) -> Result<Self, TestError> {
        Ok(cluster.client())
    }
}
