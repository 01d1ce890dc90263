//! The proxy's process: an applet that reads, writes and waits as its state says.

mod connection;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, UnixStream};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;

use super::order::LinkOrder;
use super::source::Pids;
use super::state::{ConnectionNo, Effect, State};
use super::wire::{Answer, Ask, Numbered, Setup};
use crate::applet::Applet;
use crate::deadline::Deadline;
use crate::process::raise_file_limit;
use crate::registry;
use crate::server::ServerKey;
use connection::Signals;

/// The applet's name.
pub(super) const APPLET: &str = "links";

/// How long an order waits until it is known who has opened every connection that it may be about.
const IDENTIFIED_LIMIT: Duration = Duration::from_secs(3);

/// How often it looks meanwhile whether those that are not known have ended.
const AGAIN: Duration = Duration::from_millis(20);

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

inventory::submit! {
    Applet { name: APPLET, main, build: None }
}

/// Ends when its stdout, the socket to whoever started it, is closed there.
fn main(_: Vec<OsString>) -> ExitCode {
    // Only people read it.
    let _ = std::fs::write("/proc/self/comm", "arma:links");
    raise_file_limit();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the proxy of links ends");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve())
}

/// What the parts of the proxy share.
pub(super) struct Proxy {
    state: RefCell<State>,
    pids: RefCell<Pids>,
    /// Who is behind the address of another server, by that one.
    moved: RefCell<BTreeMap<ServerKey, ServerKey>>,
    signals: RefCell<BTreeMap<ConnectionNo, Rc<Signals>>>,
    /// Something was counted: a fault may have had its effect.
    counted: Notify,
    /// A server has another process.
    started: Notify,
    /// It has become known who opened a connection.
    identified: Notify,
    /// Held by the order that is being followed.
    turn: Mutex<()>,
    /// How many times all faults were undone.
    cleared: Cell<u64>,
}

async fn serve() -> io::Result<()> {
    let (lines, answers) = socket()?.into_split();
    let mut lines = BufReader::new(lines).lines();
    let answers = Rc::new(Mutex::new(answers));
    let Some(first) = lines.next_line().await? else {
        return Ok(());
    };
    let setup: Numbered<Setup> = serde_json::from_str(&first)?;
    let system = registry::system(&setup.what.system);
    let name = move |first: &[u8]| system?.stream_of(first);
    let proxy = Rc::new(Proxy {
        state: RefCell::new(State::new(Box::new(name))),
        pids: RefCell::default(),
        moved: RefCell::default(),
        signals: RefCell::default(),
        counted: Notify::new(),
        started: Notify::new(),
        identified: Notify::new(),
        turn: Mutex::new(()),
        cleared: Cell::new(0),
    });
    let mut tasks = JoinSet::new();
    for listener in setup.what.listeners {
        let socket = listen(&listener.listen)?;
        tasks.spawn_local(connection::accept(proxy.clone(), listener, socket));
    }
    answer(&answers, setup.number, Answer::Listens).await?;
    obey(&proxy, lines, &answers).await
}

/// The socket to whoever started this process.
fn socket() -> io::Result<UnixStream> {
    let socket = io::stdout().as_fd().try_clone_to_owned()?;
    let socket = std::os::unix::net::UnixStream::from(socket);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

/// A socket on a port that is held by whoever started this process.
fn listen(address: &str) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    let address = address.parse().map_err(io::Error::other)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Does what is asked until nobody asks any more.
async fn obey(
    proxy: &Rc<Proxy>,
    mut lines: tokio::io::Lines<BufReader<OwnedReadHalf>>,
    answers: &Rc<Mutex<OwnedWriteHalf>>,
) -> io::Result<()> {
    let mut waits = JoinSet::new();
    while let Some(line) = lines.next_line().await? {
        let Numbered { number, what } = serde_json::from_str(&line)?;
        match what {
            Ask::See { ticket, limit } => {
                let (proxy, answers) = (proxy.clone(), answers.clone());
                waits.spawn_local(async move {
                    let seen = see(&proxy, ticket, Deadline::after(limit)).await;
                    // Whoever asked may be gone: then this process ends.
                    let _ = answer(&answers, number, seen).await;
                });
                while waits.try_join_next().is_some() {}
            }
            Ask::Order(order) => {
                let (proxy, answers) = (proxy.clone(), answers.clone());
                // As of now: what undoes all faults may be read before this task begins.
                let cleared = proxy.cleared.get();
                waits.spawn_local(async move {
                    let ordered = follow(&proxy, &order, cleared).await;
                    let _ = answer(&answers, number, ordered).await;
                });
            }
            other => answer(answers, number, proxy.ask(other)).await?,
        }
    }
    Ok(())
}

async fn answer(to: &Mutex<OwnedWriteHalf>, number: u64, what: Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(&Numbered { number, what })?;
    line.push(b'\n');
    to.lock().await.write_all(&line).await
}

/// Waits until an order has had an effect.
async fn see(proxy: &Proxy, ticket: u64, deadline: Deadline) -> Answer {
    loop {
        // Before the look, so that nothing that happens after it is missed.
        let mut counted = std::pin::pin!(proxy.counted.notified());
        counted.as_mut().enable();
        let effect = proxy.state.borrow_mut().effect(ticket);
        match effect {
            Effect::Seen(on) => return Answer::Seen { on },
            Effect::Never(why) => return Answer::NotSeen { why: Some(why) },
            Effect::NotYet if deadline.passed() => return Answer::NotSeen { why: None },
            Effect::NotYet => {}
        }
        let _ = deadline.bound(counted).await;
    }
}

/// Follows an order as soon as it is known who has opened the connections at its ends.
async fn follow(proxy: &Proxy, order: &LinkOrder, cleared: u64) -> Answer {
    // One after the other, in the order in which they came: none overtakes one that heals.
    let _turn = proxy.turn.lock().await;
    let deadline = Deadline::after(IDENTIFIED_LIMIT);
    loop {
        let mut identified = std::pin::pin!(proxy.identified.notified());
        identified.as_mut().enable();
        if proxy.cleared.get() != cleared {
            let why = "all faults were undone before it was in force".to_owned();
            return Answer::Refused { why };
        }
        let ordered = proxy.state.borrow_mut().order(Instant::now(), order);
        match ordered {
            Ok(ticket) => {
                proxy.changed();
                return Answer::Ordered { ticket };
            }
            Err(why) if deadline.passed() => return Answer::Refused { why },
            Err(_) => {}
        }
        let _ = deadline.within(AGAIN).bound(identified).await;
    }
}

impl Proxy {
    fn ask(&self, ask: Ask) -> Answer {
        match ask {
            Ask::Server {
                server,
                pid,
                start_time,
            } => {
                self.pids.borrow_mut().insert(server, (pid, start_time));
                self.started.notify_waiters();
                Answer::Done
            }
            Ask::Moved { server, to } => {
                self.moved.borrow_mut().insert(to, server);
                Answer::Done
            }
            Ask::Clear => {
                self.cleared.set(self.cleared.get() + 1);
                let cleared = self.state.borrow_mut().clear(Instant::now());
                self.changed();
                Answer::Cleared {
                    undone: cleared.undone,
                    without_effect: cleared.without_effect,
                }
            }
            Ask::Unattributed => Answer::Unattributed {
                count: self.state.borrow().unattributed(),
            },
            // Answered elsewhere, because they wait.
            Ask::See { .. } | Ask::Order(_) => Answer::Done,
        }
    }

    /// Who is behind the address of this server.
    fn is_behind(&self, server: &ServerKey) -> ServerKey {
        let moved = self.moved.borrow();
        moved.get(server).unwrap_or(server).clone()
    }

    /// Rules have changed: every connection looks again.
    fn changed(&self) {
        for signals in self.signals.borrow().values() {
            signals.all();
        }
        self.counted.notify_waiters();
    }
}
