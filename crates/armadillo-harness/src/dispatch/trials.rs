//! Tests as trials of libtest-mimic: it decides which runs when, and prints; everything else is as in any other run.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, ColorSetting, Completion, Failed, FormatSetting, Trial};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

use super::context::Context;
use super::environment::Main;
use super::prepare::{Prepared, Run};
use super::queue::Task;
use super::run::{self, Ran, Work};
use super::slot::{Performed, perform};
use super::{RunnerError, finish};
use crate::exit_code::Exit;
use crate::options::{Color, Format, Showing};
use crate::outcome::Verdict;
use crate::report::{console, terminal::tamed};

/// What libtest-mimic is told of the settings.
pub(super) fn arguments(showing: &Showing, threads: usize) -> Arguments {
    Arguments {
        test_threads: Some(threads),
        color: Some(match showing.color {
            Color::Auto => ColorSetting::Auto,
            Color::Always => ColorSetting::Always,
            Color::Never => ColorSetting::Never,
        }),
        format: Some(match showing.format {
            Format::Pretty => FormatSetting::Pretty,
            Format::Terse => FormatSetting::Terse,
            Format::Json => FormatSetting::Json,
        }),
        ..Arguments::default()
    }
}

/// A trial begins: its test is to be run.
pub(super) struct TrialRequest {
    /// The test's place in the plan.
    test: usize,
    /// Who waits for the verdict; told nothing if the test is not run any more.
    done: oneshot::Sender<Verdict>,
}

/// A run whose tests are trials. It ends when the last of its trials has been run or dropped.
pub(super) struct Session(Mutex<Option<Open>>);

struct Open {
    requests: UnboundedSender<TrialRequest>,
    thread: std::thread::JoinHandle<Option<Exit>>,
}

impl Session {
    /// Starts the run.
    fn start(
        run: Run,
        finish: impl FnOnce(Ran) -> Exit + Send + 'static,
    ) -> Result<Self, RunnerError> {
        let (requests, incoming) = unbounded_channel();
        let thread =
            std::thread::Builder::new()
                .name("runner".into())
                .spawn(move || match run::run(run, Work::Requests(incoming)) {
                    Ok(ran) => Some(finish(ran)),
                    Err(error) => {
                        console::error(&error);
                        None
                    }
                });
        let thread = thread.map_err(|source| RunnerError::Os {
            action: "start a thread",
            source,
        })?;
        Ok(Self(Mutex::new(Some(Open { requests, thread }))))
    }

    /// Runs one test and waits for its verdict; `None` if tests are not run any more.
    fn run(&self, test: usize) -> Option<Verdict> {
        let (done, verdict) = oneshot::channel();
        {
            let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            open.as_ref()?
                .requests
                .send(TrialRequest { test, done })
                .ok()?;
        }
        verdict.blocking_recv().ok()
    }

    /// Ends the run, and says what it comes to.
    pub(super) fn end(&self) -> Option<Exit> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Open { requests, thread } = open.take()?;
        drop(requests);
        thread.join().ok().flatten()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end();
    }
}

/// The trials of a run, and the run itself.
pub(super) fn trials(
    prepared: Prepared,
    main: Main,
) -> Result<(Vec<Trial>, Arc<Session>), RunnerError> {
    let Prepared {
        run,
        ignored,
        failed,
        ending,
    } = prepared;
    let shuffled = run.options.running.shuffle;
    let names: Vec<String> = (run.plan.tests.iter())
        .map(|planned| planned.name.clone())
        .collect();
    let orders: BTreeMap<String, i32> = (run.plan.tests.iter())
        .map(|planned| (planned.name.clone(), planned.test.order))
        .collect();
    let session = Session::start(run, move |ran| {
        let exit = finish::finish(ending, ran).unwrap_or_else(|error| {
            console::error(&error);
            Exit::Harness
        });
        // A main function that is not ours would go on with other trials.
        if main == Main::Theirs && matches!(exit, Exit::Interrupted | Exit::Deadline) {
            crate::main_entry::exit(exit.into());
        }
        exit
    })?;
    let session = Arc::new(session);
    let mut trials: Vec<Trial> = (names.into_iter().enumerate())
        .map(|(test, name)| trial(&session, test, name, main))
        .collect();
    let nothing = || Ok::<(), Failed>(());
    trials.extend(
        (ignored.into_iter()).map(|(name, _)| Trial::test(name, nothing).with_ignored_flag(true)),
    );
    let fails = |(name, reason): (String, String)| {
        Trial::test(name, move || Err(Failed::from(tamed(&reason, false))))
    };
    trials.extend(failed.into_iter().map(fails));
    // In libtest's order where hooks want no other, or in the random one of the plan.
    if !shuffled {
        trials.sort_by_cached_key(|trial| {
            let order = orders.get(trial.name()).copied();
            (order.unwrap_or_default(), trial.name().to_owned())
        });
    }
    Ok((trials, session))
}

fn trial(session: &Arc<Session>, test: usize, name: String, main: Main) -> Trial {
    let session = session.clone();
    Trial::ignorable_test(name, move || match session.run(test) {
        Some(Verdict::Passed) => Ok(Completion::Completed),
        Some(Verdict::Skipped { reason }) => Ok(Completion::ignored_with(reason)),
        Some(Verdict::Failed { message, .. }) => Err(Failed::from(tamed(&message, false))),
        // The exit code of a main function that is not ours is made of this alone.
        None if main == Main::Theirs => Err(Failed::from("not run: the run has ended")),
        None => Ok(Completion::ignored_with("not run: the run has ended")),
    })
}

/// The number of the one slot of this process. What it keeps for a deployment is torn down by whoever waits at that moment:
/// the test that kept it has long ended.
const SLOT: u32 = 0;

/// Runs the tests that are asked for until nobody asks any more. The error says why the daemon cannot be asked any more.
pub(super) async fn serve(
    context: &Rc<Context>,
    mut requests: UnboundedReceiver<TrialRequest>,
) -> Result<(), String> {
    let begun = context.queue.begin_without_tests().await;
    begun.map_err(|error| error.to_string())?;
    let polls = Rc::new(Polls::default());
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            Some(done) = tasks.join_next(), if !tasks.is_empty() => {
                done.map_err(|error| format!("the task of a test failed: {error}"))?;
            }
            () = polls.wanted() => {
                for _ in 0..polls.take_wanted() {
                    tasks.spawn_local(poll(context.clone(), polls.clone()));
                }
            }
            request = requests.recv() => {
                let Some(request) = request else {
                    break;
                };
                tasks.spawn_local(one(context.clone(), polls.clone(), request));
            }
        }
    }
    context.executors.executor(&context.queue).end().await;
    context.queue.fixtures_gone(SLOT, None).await;
    context.queue.broken().map_or(Ok(()), Err)
}

/// One test, with all its attempts.
async fn one(context: Rc<Context>, polls: Rc<Polls>, request: TrialRequest) {
    let mut executor = context.executors.executor(&context.queue);
    let mut job = context.queue.first_attempt(request.test);
    if !job.modes.is_empty() && context.queue.wish(vec![job.clone()], false).await.is_err() {
        return;
    }
    loop {
        let handed_out = if job.modes.is_empty() {
            context.queue.hand_out(&job)
        } else {
            polls.want_poll();
            polls.task(job.test).await
        };
        let Some(task) = handed_out else {
            if context.tally.borrow().is_enough(context.max_fail) {
                let reason = "not run: the limit of failures was reached".to_owned();
                // Whoever asked waits for it.
                let _ = request.done.send(Verdict::Skipped { reason });
            }
            return;
        };
        match perform(&context, SLOT, &mut executor, task).await {
            Performed::Final(verdict) => {
                // Whoever asked waits for it.
                let _ = request.done.send(verdict);
                return;
            }
            Performed::Again(retry) => job = retry,
            Performed::Later | Performed::Chore => {}
        }
    }
}

/// Waits for one answer of the daemon and brings it to the test it is for, which need not be the one that made it wait.
async fn poll(context: Rc<Context>, polls: Rc<Polls>) {
    let mut executor = context.executors.executor(&context.queue);
    loop {
        match context.queue.next(SLOT).await {
            Some(task @ Task::DropFixtures(_)) => {
                perform(&context, SLOT, &mut executor, task).await;
            }
            task => return polls.bring(task),
        }
    }
}

/// Brings the daemon's answers to the tests they are for: the daemon answers whoever is ready with whatever can run.
#[derive(Default)]
struct Polls {
    tasks: RefCell<BTreeMap<usize, Task>>,
    /// How many tests want somebody to wait for an answer.
    wanted: Cell<usize>,
    /// Tests are not run any more.
    closed: Cell<bool>,
    changed: Notify,
}

impl Polls {
    fn want_poll(&self) {
        self.wanted.set(self.wanted.get() + 1);
        self.changed.notify_waiters();
    }

    /// Waits until a test wants somebody to wait for an answer.
    async fn wanted(&self) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.wanted.get() > 0 {
                return;
            }
            changed.await;
        }
    }

    fn take_wanted(&self) -> usize {
        self.wanted.take()
    }

    fn bring(&self, task: Option<Task>) {
        match task {
            Some(Task::Run(job, leases)) => {
                let test = job.test;
                let mut tasks = self.tasks.borrow_mut();
                tasks.insert(test, Task::Run(job, leases));
            }
            Some(Task::Refused(job, error)) => {
                let test = job.test;
                let mut tasks = self.tasks.borrow_mut();
                tasks.insert(test, Task::Refused(job, error));
            }
            Some(Task::DropFixtures(_)) | None => self.closed.set(true),
        }
        self.changed.notify_waiters();
    }

    /// What is to be done for this test; `None` when tests are not run any more.
    async fn task(&self, test: usize) -> Option<Task> {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let task = self.tasks.borrow_mut().remove(&test);
            if task.is_some() || self.closed.get() {
                return task;
            }
            changed.await;
        }
    }
}
