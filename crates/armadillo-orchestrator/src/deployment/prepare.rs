//! What a server's program must do before it can start on data that another program has served: an upgrade, say.

use std::sync::Arc;
use std::time::Instant;

use super::Deployment;
use super::request::Problem;
use super::start::Attempt;
use super::status::Server;
use crate::deadline::Deadline;
use crate::notice::Notice;
use crate::process::Exit;

impl Deployment {
    /// Has the program of a server do what its system says, if another program has served its data, here or before, and waits
    /// until it has. What it prints is in the server's log. Whoever gives up waiting leaves it running: half of it would be worse.
    pub(super) async fn prepare(
        self: &Arc<Self>,
        server: &Server,
        log_from: u64,
        deadline: Deadline,
    ) -> Result<(), Problem> {
        let key = &server.plan.key;
        let program = server.program();
        let preparation = match server.served_by() {
            Some(before) if before != program => {
                (self.system).before_start(&self.view, key, Some(&before), &program)
            }
            None if self.view.topology.data.is_some() => {
                self.system.before_start(&self.view, key, None, &program)
            }
            _ => None,
        };
        let Some(preparation) = preparation else {
            return Ok(());
        };
        let what = preparation.what;
        let begun = Instant::now();
        self.run(server, preparation.launch, log_from, true).await?;
        let _attempt = Attempt(server);
        if deadline.bound(server.gone()).await.is_none() {
            return Err(Problem::Late {
                waited: begun.elapsed(),
                missing: format!("its program has not finished {what}"),
            });
        }
        let done = match server.last_exit() {
            Some(Exit { code: Some(0), .. }) => Ok(()),
            exit => Err(exit.unwrap_or(Exit {
                code: None,
                signal: None,
                core: false,
            })),
        };
        let done = done.map_err(|exit| (exit, self.describe(server, exit)));
        self.notices.send(Notice::Prepared {
            server: key.clone(),
            what: what.to_owned(),
            took: begun.elapsed(),
            result: done.as_ref().copied().map_err(|(_, text)| text.clone()),
        });
        match done {
            Ok(()) => {
                server.is_served_by(program);
                Ok(())
            }
            Err((exit, text)) => Err(Problem::Unprepared { what, exit, text }),
        }
    }
}
