//! Clients that never rest, and every key read afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use crate::front::Front;
use crate::history::{Found, Recorder};
use crate::silence::Silence;
use crate::subject::{Subject, Wrote};
use crate::wait::{InVain, Waits, until};
use armadillo_orchestrator::random::Random;

/// How many keys all clients write and read.
const SHARED: usize = 3;

/// What a client waits at most between two operations.
const REST: Duration = Duration::from_millis(4);

/// The longest padding of a body, so that bodies differ in length.
const PADDING: usize = 200;

/// How many clients only read, and what is being written. What they see must not be gone later.
const WATCHERS: usize = 2;

/// How many readers wait at a front that stands still, and how much each of them reads.
const WAITING: (usize, usize) = (6, 12);

/// How many readers look for the keys of a round afterwards.
const READERS: usize = 8;

/// How a load is to be.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// How many clients.
    pub(crate) clients: usize,
    /// How long a client waits for an answer.
    pub(crate) patience: Duration,
    /// What all its keys begin with.
    pub(crate) prefix: String,
}

/// Clients at work.
pub(crate) struct Load<S> {
    subject: S,
    shape: Shape,
    recorder: Recorder,
    random: Random,
    clients: JoinSet<()>,
    /// The number of the next client.
    next: usize,
    over: Arc<AtomicBool>,
    silence: watch::Sender<Silence>,
}

impl<S: Subject> Load<S> {
    pub(crate) fn start(subject: &S, shape: &Shape, recorder: &Recorder, random: Random) -> Self {
        let mut load = Self {
            subject: subject.clone(),
            shape: shape.clone(),
            recorder: recorder.clone(),
            random,
            clients: JoinSet::new(),
            next: 0,
            over: Arc::default(),
            silence: watch::Sender::default(),
        };
        for _ in 0..shape.clients {
            let client = load.client();
            load.clients.spawn(client.work(load.over.clone()));
        }
        for _ in 0..WATCHERS {
            let client = load.client();
            load.clients.spawn(client.watch(load.over.clone()));
        }
        load
    }

    /// Says who of those at work begins nothing from now on.
    pub(crate) fn keep(&self, silence: Silence) {
        self.silence.send_replace(silence);
    }

    /// So many writes more, all at once, each of a key of its own.
    pub(crate) fn burst(&mut self, writes: usize) {
        for _ in 0..writes {
            let mut client = self.client();
            self.clients
                .spawn(async move { client.write_own_key().await });
        }
    }

    /// Some readers more, who talk through this front and read these keys one after the other: their first questions wait
    /// where the front will find them when it goes on.
    pub(crate) fn read_through(&mut self, front: &Front, keys: &Arc<[String]>) {
        for _ in 0..WAITING.0 {
            while !front.serves(self.next) {
                self.next += 1;
            }
            let client = self.client();
            self.clients.spawn(client.read_some(keys.clone()));
        }
    }

    /// Lets every client end its last operation. Writes that begin at once can be had afterwards, too.
    pub(crate) async fn rest(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            returned(ended);
        }
    }

    fn client(&mut self) -> Client<S> {
        let number = self.next;
        self.next += 1;
        Client {
            subject: self.subject.clone(),
            shape: self.shape.clone(),
            recorder: self.recorder.clone(),
            random: self.random.branch(),
            silence: self.silence.subscribe(),
            number,
            written: 0,
        }
    }
}

/// A key that all clients write.
pub(crate) fn shared_key(prefix: &str, number: usize) -> String {
    format!("{prefix}.shared.{number}")
}

struct Client<S> {
    subject: S,
    shape: Shape,
    recorder: Recorder,
    random: Random,
    silence: watch::Receiver<Silence>,
    number: usize,
    written: usize,
}

impl<S: Subject> Client<S> {
    async fn work(mut self, over: Arc<AtomicBool>) {
        while !over.load(Ordering::Relaxed) {
            // Half of the writes go to keys that are written once: such a key shows a loss whatever comes after it.
            match self.random.below(10) {
                _ if self.is_silent() => {}
                0..4 => self.write_own_key().await,
                4..7 => {
                    let key = self.some_shared_key();
                    self.write(&key).await;
                }
                7 => {
                    let choice = self.random.below(usize::MAX);
                    if let Some(key) = self.recorder.some_written(choice) {
                        self.read(&key).await;
                    }
                }
                _ => {
                    let key = self.some_shared_key();
                    self.read(&key).await;
                }
            }
            sleep(self.random.time_below(REST)).await;
        }
    }

    fn is_silent(&self) -> bool {
        self.silence.borrow().binds(self.number)
    }

    /// Reads what is being written just now. Clients that write wait when a write hangs; this one sees what is there.
    async fn watch(mut self, over: Arc<AtomicBool>) {
        while !over.load(Ordering::Relaxed) {
            let choice = self.random.below(usize::MAX);
            if let Some(key) = self.recorder.some_under_way(choice)
                && !self.is_silent()
            {
                self.read(&key).await;
            }
            sleep(self.random.time_below(REST)).await;
        }
    }

    async fn read_some(mut self, keys: Arc<[String]>) {
        for _ in 0..WAITING.1 {
            if let Some(key) = self.random.one_of(&keys) {
                self.read(key).await;
            }
        }
    }

    async fn write_own_key(&mut self) {
        let key = format!("{}.{}.{}", self.shape.prefix, self.number, self.written);
        self.write(&key).await;
    }

    fn some_shared_key(&mut self) -> String {
        shared_key(&self.shape.prefix, self.random.below(SHARED))
    }

    async fn write(&mut self, key: &str) {
        let number = self.written;
        self.written += 1;
        let padding = "-".repeat(self.random.below(PADDING));
        let body = format!("{key} by {} {number} {padding}", self.number);
        let open = self.recorder.write(self.number, key, &body);
        let patience = self.shape.patience;
        let answer = timeout(patience, self.subject.write(self.number, key, &body)).await;
        let late = |_| Wrote::Unknown(format!("no response within {patience:.1?}"));
        self.recorder.wrote(open, answer.unwrap_or_else(late));
    }

    async fn read(&self, key: &str) {
        let answer = read(
            &self.subject,
            &self.recorder,
            self.number,
            key,
            self.shape.patience,
        );
        // A failed read says nothing.
        let _ = answer.await;
    }
}

/// One read, written down.
async fn read<S: Subject>(
    subject: &S,
    recorder: &Recorder,
    client: usize,
    key: &str,
    patience: Duration,
) -> Result<Option<String>, String> {
    let open = recorder.read(client, key);
    let answer = timeout(patience, subject.read(client, key)).await;
    let answer = answer.unwrap_or_else(|_| Err(format!("no response within {patience:.1?}")));
    let found = match answer.clone() {
        Ok(Some(body)) => Found::Body(body),
        Ok(None) => Found::Nothing,
        Err(why) => Found::Failed(why),
    };
    recorder.found(open, found);
    answer
}

/// Reads every key that somebody has tried to write, until each has been answered: also those whose writes have an unknown
/// outcome, because copies must agree on it. What is wrong with the answers, the check of the history says. The answer
/// here is how many keys were read.
pub(crate) async fn read_all<S: Subject>(
    subject: &S,
    recorder: &Recorder,
    shape: &Shape,
    waits: Waits,
) -> Result<usize, InVain> {
    let keys: Arc<[String]> = recorder.tried().into_iter().collect();
    let next = Arc::new(AtomicUsize::new(0));
    let mut readers = JoinSet::new();
    for reader in 0..READERS {
        let (subject, recorder) = (subject.clone(), recorder.clone());
        let (keys, next) = (keys.clone(), next.clone());
        // Numbers beyond those of the writing clients: they read from everywhere, too.
        let (client, patience) = (shape.clients + reader, waits.slowed(shape.patience));
        readers.spawn(async move {
            while let Some(key) = keys.get(next.fetch_add(1, Ordering::Relaxed)) {
                let what = format!("{key} to be read");
                let look = || read(&subject, &recorder, client, key, patience);
                until(&waits, &what, look).await?;
            }
            Ok(())
        });
    }
    while let Some(ended) = readers.join_next().await {
        returned(ended).unwrap_or(Ok(()))?;
    }
    Ok(keys.len())
}

/// What a task returned; nothing if it was cancelled. A panic in it is one of the subject, and goes on here.
fn returned<T>(ended: Result<T, JoinError>) -> Option<T> {
    match ended {
        Ok(value) => Some(value),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}
