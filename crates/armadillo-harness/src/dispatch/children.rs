//! What this process starts and inherits. It is a child subreaper: what the daemon and its warden leave when both are killed
//! becomes a child of this process, and is ended by it.

use std::cell::Cell;
use std::time::Duration;

use armadillo_orchestrator::process::proc_fs::{self, Stat};
use armadillo_orchestrator::process::{Mark, tree};

use super::environment::Main;
use crate::options::Isolation;

/// How long the end of what is left may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The children that are the run's, as far as they can be told from others.
pub(crate) struct Children {
    /// Those that were there before the run, by id and start time: somebody else's.
    older: Vec<(u32, u64)>,
    own_session: Option<u32>,
    main: Main,
    /// The warden of a shared daemon that this process has started: it goes on.
    spared: Cell<Option<u32>>,
}

impl Children {
    /// From now on orphans come here.
    pub(crate) fn watch(main: Main) -> Self {
        tree::adopt_orphans();
        let older = proc_fs::own_children().into_iter();
        Self {
            older: older.map(|stat| (stat.pid, stat.start_time)).collect(),
            own_session: proc_fs::stat(std::process::id()).map(|stat| stat.session),
            main,
            spared: Cell::new(None),
        }
    }

    /// Whatever else is ended, this child goes on.
    pub(crate) fn spare(&self, child: u32) {
        self.spared.set(Some(child));
    }

    /// Ends what was inherited from programs that were asked for their versions, or from the daemon of this run.
    pub(crate) fn end_inherited(&self, run: &str) {
        let mark = Mark::of(run);
        self.end(|stat| match self.main {
            // Everything the daemon starts has a session of its own; this process starts nothing that has.
            Main::Ours => Some(stat.session) != self.own_session,
            // Whoever has the main function may start what they like.
            Main::Theirs => mark.is_on(stat.pid),
        });
    }

    /// Ends what tests have left that ran in this process, at the end of their run. `except` goes on.
    pub(crate) fn end_of_tests(&self, isolation: Isolation, except: Option<u32>) {
        let here = matches!(isolation, Isolation::InProcess | Isolation::None);
        if here && self.main == Main::Ours {
            self.end(|stat| Some(stat.pid) != except);
        }
    }

    fn end(&self, ours: impl Fn(&Stat) -> bool) {
        let is_new = |stat: &Stat| !self.older.contains(&(stat.pid, stat.start_time));
        // What cannot be ended is left to the next run, which says so.
        drop(tree::kill_children(
            |stat| is_new(stat) && ours(stat) && Some(stat.pid) != self.spared.get(),
            LIMIT,
        ));
    }
}
