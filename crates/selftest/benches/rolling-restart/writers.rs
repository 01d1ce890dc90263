//! The writers of a restart by hand. They have a thread of their own, as those of a test have: what the operator does delays none.

use std::thread::JoinHandle;

use armadillo::etcd::EtcdClient;
use armadillo::load::LoadReport;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::Failed;

/// How many there are.
pub(crate) const WRITERS: usize = 3;

/// How many writes must have been acknowledged before the restart begins.
pub(crate) const WARM_UP: usize = 50;

/// Writers at work, in a thread that ends with this.
pub(crate) struct Writers {
    done: Option<oneshot::Sender<()>>,
    reports: oneshot::Receiver<Result<Reports, Failed>>,
    thread: Option<JoinHandle<()>>,
}

/// What became of the writes during the restart, and of all of them.
pub(crate) type Reports = (LoadReport, LoadReport);

impl Writers {
    /// Starts them, and returns when they are at work.
    pub(crate) async fn start(client: EtcdClient) -> Result<Self, Failed> {
        let (ready, is_ready) = oneshot::channel();
        let (done, is_done) = oneshot::channel();
        let (report, reports) = oneshot::channel();
        let thread = std::thread::Builder::new().spawn(move || {
            let written = Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(Failed::from)
                .and_then(|runtime| runtime.block_on(write(client, ready, is_done)));
            // Nobody wants it if the bench was interrupted.
            let _ = report.send(written);
        })?;
        let mut writers = Self {
            done: Some(done),
            reports,
            thread: Some(thread),
        };
        match is_ready.await {
            Ok(()) => Ok(writers),
            // They have ended, and say why.
            Err(_) => Err(match (&mut writers.reports).await? {
                Ok(_) => "the writers have ended".into(),
                Err(why) => why,
            }),
        }
    }

    /// The restart is done: lets them end their last writes.
    pub(crate) async fn stop(mut self) -> Result<Reports, Failed> {
        self.done = None;
        (&mut self.reports).await?
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.done = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn write(
    client: EtcdClient,
    ready: oneshot::Sender<()>,
    is_done: oneshot::Receiver<()>,
) -> Result<Reports, Failed> {
    let load = client.load(WRITERS);
    load.acknowledges(WARM_UP).await?;
    // If nobody waits any more, `is_done` says so.
    let _ = ready.send(());
    let (_, during) = load.during(is_done).await;
    Ok((during, load.stop().await?))
}
