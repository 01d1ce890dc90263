//! Two systems that exist for the compiler only.
#![allow(dead_code, unreachable_pub, reason = "each file uses a part of it")]

use armadillo::deployment::{DeploymentHandle, Observe};
use armadillo::harness::needs::Needs;
use armadillo::orchestrator::StaticTopology;
use armadillo::prelude::*;

macro_rules! handle {
    ($Handle:ident, $system:literal, $shape:literal) => {
        #[derive(Clone)]
        pub struct $Handle(Orchestrator);

        impl Observe for $Handle {
            fn orchestrator(&self) -> &Orchestrator {
                &self.0
            }
        }

        impl Fixture for $Handle {
            type From = ();
            const NEEDS: Needs = Needs::of(StaticTopology::new($system, $shape));
            const SCOPE: Scope<Self> = Scope::handle();

            async fn setup(cx: &TestContext, (): ()) -> Result<Self, TestError> {
                Self::open(cx)
            }
        }

        impl DeploymentHandle for $Handle {
            fn open(cx: &TestContext) -> Result<Self, TestError> {
                Orchestrator::open(cx).map(Self)
            }
        }
    };
}

handle!(Cluster, "fake", "cluster");
handle!(Single, "fake", "single");
handle!(Any, "fake", "any");
handle!(Queue, "queue", "cluster");

pub struct ClusterTopology(StaticTopology);

pub const fn cluster() -> ClusterTopology {
    ClusterTopology(StaticTopology::new("fake", "cluster"))
}

impl ClusterTopology {
    pub const fn servers(self, number: u32) -> Self {
        assert!(number % 2 == 1, "a cluster has an odd number of servers");
        Self(self.0.with("servers", number))
    }

    pub const fn minimal(self) -> Self {
        self.servers(1)
    }

    pub const fn option(self, name: &'static str, value: &'static str) -> Self {
        Self(self.0.with_option(name, value))
    }

    pub const fn topology(self) -> StaticTopology {
        self.0
    }
}

pub const fn single() -> ClusterTopology {
    ClusterTopology(StaticTopology::new("fake", "single"))
}

pub const fn queue() -> ClusterTopology {
    ClusterTopology(StaticTopology::new("queue", "cluster"))
}

/// A fixture that fits every deployment of its system.
pub struct Users;

impl Fixture for Users {
    type From = (std::sync::Arc<Any>,);

    async fn setup(_: &TestContext, _: Self::From) -> Result<Self, TestError> {
        Ok(Self)
    }
}

/// A fixture whose work ends with its test.
pub struct Database(String);

impl Fixture for Database {
    type From = (std::sync::Arc<Cluster>,);

    async fn setup(cx: &TestContext, _: Self::From) -> Result<Self, TestError> {
        Ok(Self(cx.unique_name("db")))
    }
}
