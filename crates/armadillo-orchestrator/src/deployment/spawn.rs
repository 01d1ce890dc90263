//! Starting the process of a server.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Deployment;
use super::request::Problem;
use super::status::Server;
use crate::backend::{BackEndError, Running};
use crate::notice::Notice;
use crate::sanitizers;
use crate::server::Launch;

impl Deployment {
    /// Starts the process of a server that is to serve.
    pub(super) async fn spawn(
        self: &Arc<Self>,
        server: &Server,
        log_from: u64,
    ) -> Result<Arc<dyn Running>, Problem> {
        let mut launch = self
            .system
            .launch(&server.seen_in(self.outer_view()), &server.plan.key);
        if !server.was_ready() {
            launch.args.append(&mut launch.first);
        }
        self.run(server, launch, log_from, false).await
    }

    /// Starts a process of a server's program. One that is `passing` is meant to end by itself.
    pub(super) async fn run(
        self: &Arc<Self>,
        server: &Server,
        mut launch: Launch,
        log_from: u64,
        passing: bool,
    ) -> Result<Arc<dyn Running>, Problem> {
        let key = &server.plan.key;
        if self.ended.load(Ordering::SeqCst) {
            return Err(Problem::Ended);
        }
        for name in self.system.passed_on() {
            if let Ok(value) = std::env::var(name) {
                launch.env.entry((*name).to_owned()).or_insert(value);
            }
        }
        let program = server.program();
        if let Some(place) = self.view.places.get(key) {
            let sanitizers = &program.sanitizers;
            sanitizers::complete(&mut launch.env, sanitizers, &place.dir_inside);
        }
        if let Some(proxy) = self.site.links() {
            for to in self.view.membership.roll().addresses_of(key) {
                let told = proxy.server_moved(key, to).await;
                told.map_err(BackEndError::from)?;
            }
        }
        let running: Arc<dyn Running> = Arc::from(self.site.start(key, &program, &launch).await?);
        server.started(Arc::clone(&running), launch.stop, log_from);
        server.expect_exit(passing);
        self.notices.send(Notice::ServerStarted {
            server: key.clone(),
            pid: running.pid(),
        });
        self.watch(server, Arc::clone(&running));
        self.changed();
        Ok(running)
    }
}
