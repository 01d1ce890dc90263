//! One connection through the proxy.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::Proxy;
use crate::deadline::Deadline;
use crate::links::lane::{Ending, Step};
use crate::links::order::End;
use crate::links::source;
use crate::links::state::{ConnectionNo, Dial, Way};
use crate::links::wire::Listener;
use crate::poll::Poll;
use crate::server::ServerKey;

/// How long a connection may be kept waiting until it is known who has opened it: its process may just have been started.
const LOOK_UP_LIMIT: Duration = Duration::from_millis(300);

/// The longest pause between two looks for it.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How much is read at once, in bytes.
const PIECE: usize = 64 << 10;

/// Wakes the parts of a connection. Each part waits at one of them.
#[derive(Default)]
pub(super) struct Signals {
    write: [Notify; 2],
    read: [Notify; 2],
    dial: Notify,
    doom: Notify,
}

impl Signals {
    /// Everything may be different now.
    pub(super) fn all(&self) {
        let each = self.write.iter().chain(&self.read);
        each.chain([&self.dial, &self.doom])
            .for_each(Notify::notify_one);
    }
}

/// Accepts connections to a server, for as long as it is polled.
pub(super) async fn accept(proxy: Rc<Proxy>, of: Listener, listener: TcpListener) {
    let of = Rc::new(of);
    let mut connections = JoinSet::new();
    let mut pauses = Poll::new(Duration::from_millis(5), Duration::from_millis(500));
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                pauses.reset();
                connections.spawn_local(serve(proxy.clone(), of.clone(), stream, from));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection yet");
                pauses.pause(Deadline::after(Duration::from_secs(1))).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(proxy: Rc<Proxy>, of: Rc<Listener>, source: TcpStream, from: SocketAddr) {
    let opener = match of.clients {
        true => Some(End::Clients),
        false => {
            let limit = Deadline::after(LOOK_UP_LIMIT);
            let opener = source.local_addr().ok().map(|to| opener(&proxy, from, to));
            match opener {
                Some(opener) => limit.bound(opener).await.map(End::Server),
                None => None,
            }
        }
    };
    let is_known = opener.is_some();
    let target = proxy.is_behind(&of.server);
    let no = proxy.state.borrow_mut().open(opener, &target);
    let signals = Rc::new(Signals::default());
    proxy.signals.borrow_mut().insert(no, signals.clone());
    let connection = Connection {
        proxy: &proxy,
        no,
        signals: &signals,
    };
    let to = source.local_addr().ok().filter(|_| !is_known);
    tokio::select! {
        () = connection.serve(source, &of.target) => {}
        () = connection.identify(from, to) => {}
    }
    proxy.signals.borrow_mut().remove(&no);
    proxy.state.borrow_mut().close(no);
}

/// The server that has opened a connection. It looks until that is known: the server may have been started so lately that its
/// process is not known yet.
async fn opener(proxy: &Proxy, from: SocketAddr, to: SocketAddr) -> ServerKey {
    let mut poll = Poll::new(Duration::from_millis(5), LOOK_AGAIN);
    loop {
        let mut started = std::pin::pin!(proxy.started.notified());
        started.as_mut().enable();
        let pids = proxy.pids.borrow().clone();
        let look = tokio::task::spawn_blocking(move || source::server_of(from, to, &pids));
        if let Ok(Some(server)) = look.await {
            return server;
        }
        tokio::select! {
            () = started => poll.reset(),
            () = poll.pause(Deadline::after(LOOK_AGAIN)) => {}
        }
    }
}

struct Connection<'a> {
    proxy: &'a Proxy,
    no: ConnectionNo,
    signals: &'a Signals,
}

/// Why a connection is not carried any further.
enum Broken {
    Reset,
    Closed,
}

impl Connection<'_> {
    async fn serve(&self, mut source: TcpStream, target: &str) {
        // A proxy that collects small pieces would delay them.
        let _ = source.set_nodelay(true);
        let far = RefCell::new(None);
        let ended = {
            let (read, write) = source.split();
            tokio::select! {
                biased;
                () = self.doomed() => Err(Broken::Reset),
                ended = self.carry(read, write, target, &far) => ended,
            }
        };
        if let Err(Broken::Reset) = ended {
            reset(&source);
            far.borrow().iter().for_each(reset);
        }
    }

    /// Connects to the server when that is allowed, and carries bytes both ways.
    async fn carry(
        &self,
        read: ReadHalf<'_>,
        write: WriteHalf<'_>,
        target: &str,
        far: &RefCell<Option<OwnedFd>>,
    ) -> Result<(), Broken> {
        let there = self.read(Way::There, read);
        let back = async {
            let mut target = self.dial(target).await?;
            // So that it can be reset when its parts are borrowed.
            *far.borrow_mut() = target.as_fd().try_clone_to_owned().ok();
            let (read, far_write) = target.split();
            tokio::select! {
                never = self.read(Way::Back, read) => never,
                ended = self.write(Way::There, far_write) => ended,
                ended = self.write(Way::Back, write) => ended,
            }
        };
        tokio::select! {
            never = there => never,
            ended = back => ended,
        }
    }

    /// Finds who has opened the connection, if that is not known, and applies to it what holds for them. Never ends.
    async fn identify(&self, from: SocketAddr, to: Option<SocketAddr>) {
        if let Some(to) = to {
            let server = opener(self.proxy, from, to).await;
            let mut state = self.proxy.state.borrow_mut();
            state.identify(self.no, End::Server(server));
            drop(state);
            self.signals.all();
            self.proxy.identified.notify_waiters();
        }
        std::future::pending().await
    }

    async fn doomed(&self) {
        while !self.proxy.state.borrow().is_doomed(self.no) {
            self.signals.doom.notified().await;
        }
    }

    async fn dial(&self, target: &str) -> Result<TcpStream, Broken> {
        loop {
            let dial = self.proxy.state.borrow_mut().dial(self.no);
            self.proxy.counted.notify_waiters();
            match dial {
                Dial::Now => break,
                Dial::Never => return Err(Broken::Closed),
                Dial::Wait => self.signals.dial.notified().await,
            }
        }
        // A server that is not there refuses: the nearest to that is a reset.
        let stream = TcpStream::connect(target)
            .await
            .map_err(|_| Broken::Reset)?;
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    /// Reads what goes one way, for as long as it is polled.
    async fn read(&self, way: Way, mut from: ReadHalf<'_>) -> Result<(), Broken> {
        let state = &self.proxy.state;
        let mut piece = vec![0; PIECE];
        loop {
            while !state.borrow().has_room(self.no, way) {
                self.signals.read[way as usize].notified().await;
            }
            let read = from.read(&mut piece).await;
            let now = Instant::now();
            let ending = match read {
                Ok(0) => Ending::Finished,
                Err(_) => Ending::Broken,
                Ok(count) => {
                    let bytes = Bytes::copy_from_slice(&piece[..count]);
                    state.borrow_mut().arrived(self.no, way, now, bytes);
                    self.signals.write[way as usize].notify_one();
                    self.proxy.counted.notify_waiters();
                    continue;
                }
            };
            self.ended(way, ending);
            // The other parts go on; they end the whole.
            return std::future::pending().await;
        }
    }

    fn ended(&self, way: Way, ending: Ending) {
        let now = Instant::now();
        self.proxy
            .state
            .borrow_mut()
            .ended(self.no, way, now, ending);
        self.signals.write[way as usize].notify_one();
        self.signals.dial.notify_one();
        self.proxy.counted.notify_waiters();
    }

    /// Passes on what goes one way, until the whole connection has come to its end.
    async fn write(&self, way: Way, mut to: WriteHalf<'_>) -> Result<(), Broken> {
        let state = &self.proxy.state;
        loop {
            let step = state.borrow_mut().next(self.no, way, Instant::now());
            self.proxy.counted.notify_waiters();
            let written = match &step {
                Step::Deliver(bytes) => {
                    self.signals.read[way as usize].notify_one();
                    to.write_all(bytes).await
                }
                Step::End(Ending::Finished) => to.shutdown().await,
                Step::End(Ending::Broken) => return Err(Broken::Reset),
                Step::Over => return Ok(()),
                Step::Wait(until) => {
                    tokio::select! {
                        () = tokio::time::sleep_until((*until).into()) => {}
                        () = self.signals.write[way as usize].notified() => {}
                    }
                    Ok(())
                }
                Step::Idle => {
                    if state.borrow().is_over(self.no) {
                        return Ok(());
                    }
                    self.signals.write[way as usize].notified().await;
                    Ok(())
                }
            };
            if written.is_err() {
                // Whoever is there is gone for good: the other side gets to know that, as far as it can be told.
                state.borrow_mut().gave_up(self.no, way);
                self.ended(way.other(), Ending::Broken);
            }
            // The other way may have waited for this one to end.
            if matches!(step, Step::End(_)) {
                self.signals.write[way.other() as usize].notify_one();
            }
        }
    }
}

/// Has a connection be reset when its last descriptor is closed.
fn reset<S: AsFd>(stream: &S) {
    // If it is broken already, that is as well.
    let _: io::Result<()> = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
