//! What tests receive: a handle on the servers, whose counters are the test's own.

use std::io::ErrorKind;
use std::time::Duration;

use armadillo::deployment::{DeploymentHandle, Observe, ServerKey};
use armadillo::harness::needs::Needs;
use armadillo::orchestrator::View;
use armadillo::prelude::*;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one answer may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(4);

/// The servers. Counters have the lease's id before their names, so that tests do not meet.
#[derive(Clone)]
pub struct Tally {
    orchestrator: Orchestrator,
}

impl Tally {
    /// Adds to a counter of one server; returns the new value.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn add(
        &self,
        server: impl Into<ServerKey>,
        name: &str,
        number: i64,
    ) -> Result<i64, TestError> {
        self.number(
            server.into(),
            &format!("add {}.{name} {number}", self.orchestrator.lease()),
        )
        .await
    }

    /// The value of a counter.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn get(&self, server: impl Into<ServerKey>, name: &str) -> Result<i64, TestError> {
        self.number(
            server.into(),
            &format!("get {}.{name}", self.orchestrator.lease()),
        )
        .await
    }

    /// Makes a server abort, as a bug in it would.
    pub async fn crash(&self, server: impl Into<ServerKey>) {
        // It dies instead of answering.
        let _ = request(self.orchestrator.view(), &server.into(), "crash").await;
    }

    async fn number(&self, server: ServerKey, line: &str) -> Result<i64, TestError> {
        Ok(request(self.orchestrator.view(), &server, line)
            .await?
            .parse()?)
    }
}

impl Fixture for Tally {
    type From = ();
    const NEEDS: Needs = Needs::of(crate::tally().topology());
    const SCOPE: Scope<Self> = Scope::handle();

    async fn setup(cx: &TestContext, (): ()) -> Result<Self, TestError> {
        Self::open(cx)
    }
}

impl Observe for Tally {
    fn orchestrator(&self) -> &Orchestrator {
        &self.orchestrator
    }
}

impl DeploymentHandle for Tally {
    fn open(cx: &TestContext) -> Result<Self, TestError> {
        Ok(Self {
            orchestrator: Orchestrator::open(cx)?,
        })
    }
}

/// One request to one server, on a connection of its own.
pub(crate) async fn request(
    view: &View,
    server: &ServerKey,
    line: &str,
) -> Result<String, TestError> {
    let address = view.reach(server, "main").ok_or("no such server")?;
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("{line}\n").as_bytes()).await?;
        let mut answer = String::new();
        if BufReader::new(stream).read_line(&mut answer).await? == 0 {
            return Err(std::io::Error::from(ErrorKind::UnexpectedEof));
        }
        Ok(answer.trim_end().to_owned())
    };
    Ok(timeout(LIMIT, exchange).await??)
}
