//! The server of a live report: HTTP/1.1 on loopback.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::follow::Follower;
use crate::accept;
use crate::report;

/// How often the logs are looked at while somebody waits for news.
const LOOK: Duration = Duration::from_millis(250);

/// How long a page that was made stays as it is: making one of thousands of tests takes a while.
const FRESH: Duration = Duration::from_secs(1);

/// How old a page of a run that goes on may become although nothing happens: it says how long tests have been running.
const OLD: Duration = Duration::from_secs(2);

/// How long a request for news waits for some.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long pages that are open have to take the end of the run.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Whoever has asked in this time looks at a page that is open.
const LOOKING: Duration = Duration::from_secs(5);

/// What the page has for the places of the run's state.
struct State {
    token: String,
    host: String,
    follower: RefCell<Follower>,
    /// The page's data in its newest version, from 1.
    data: RefCell<Option<Vec<u8>>>,
    version: Cell<u64>,
    made: Cell<Option<Instant>>,
    /// When somebody has asked last, or been answered.
    asked: Cell<Option<Instant>>,
    waiting: Cell<u32>,
    /// The version that was last sent.
    sent: Cell<u64>,
    is_over: Cell<bool>,
    over: Notify,
    /// Whether connections end with the answer that they are sending.
    closing: watch::Sender<bool>,
}

/// Answers until it is told that the run is over.
pub(super) fn serve(
    listener: TcpListener,
    token: String,
    follower: Follower,
    ending: &Notify,
) -> io::Result<()> {
    let host = listener.local_addr()?.to_string();
    let state = Rc::new(State {
        token,
        host,
        follower: RefCell::new(follower),
        data: RefCell::new(None),
        version: Cell::new(0),
        made: Cell::new(None),
        asked: Cell::new(None),
        waiting: Cell::new(0),
        sent: Cell::new(0),
        is_over: Cell::new(false),
        over: Notify::new(),
        closing: watch::Sender::new(false),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let mut served = JoinSet::new();
        tokio::select! {
            never = accept_all(&listener, &state, &mut served) => match never {},
            () = last_words(&state, ending) => {}
        }
        state.closing.send_replace(true);
        let ended = async { while served.join_next().await.is_some() {} };
        // What a browser does not read in this time it does not get.
        _ = timeout(LAST_WORDS, ended).await;
        Ok(())
    })
}

async fn accept_all(
    listener: &tokio::net::TcpListener,
    state: &Rc<State>,
    served: &mut JoinSet<()>,
) -> Infallible {
    loop {
        let failed = |error: &io::Error| tracing::warn!(%error, "cannot accept a connection yet");
        let (stream, _) = accept::next(async || listener.accept().await, failed).await;
        served.spawn_local(serve_one(stream, state.clone()));
        while served.try_join_next().is_some() {}
    }
}

/// Answers on one connection. If it breaks, that is its browser's matter.
async fn serve_one(stream: TcpStream, state: Rc<State>) {
    let mut closing = state.closing.subscribe();
    let service = service_fn(move |request| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(answer(&state, &request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new();
    let mut connection = pin!(connection.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        _ = &mut connection => true,
        _ = closing.wait_for(|closing| *closing) => false,
    };
    if !ended {
        connection.as_mut().graceful_shutdown();
        _ = connection.await;
    }
}

/// When the run is over: until the pages that are open have its end.
async fn last_words(state: &State, ending: &Notify) {
    ending.notified().await;
    state.is_over.set(true);
    state.look(true);
    state.over.notify_waiters();
    let all_have_it = async {
        while state.is_looked_at()
            && (state.waiting.get() > 0 || state.sent.get() < state.version.get())
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    _ = timeout(LAST_WORDS, all_have_it).await;
}

async fn answer(state: &State, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    // A page of another origin can send requests here, by a name of its own, but it does not know the token.
    let host = request.headers().get(header::HOST);
    let is_ours = host.is_some_and(|host| host.as_bytes() == state.host.as_bytes());
    let path = request.uri().path().strip_prefix('/').unwrap_or_default();
    let (token, what) = path.split_once('/').unwrap_or((path, "nothing"));
    if !is_ours || request.method() != Method::GET || token != state.token {
        return said(
            StatusCode::NOT_FOUND,
            "text/plain",
            b"there is no such page\n".to_vec(),
        );
    }
    state.asked.set(Some(Instant::now()));
    let answer = match what {
        "" => state.page(),
        "data" => {
            let query = request.uri().query().unwrap_or_default();
            let after = query
                .strip_prefix("after=")
                .and_then(|text| text.parse().ok());
            state.news(after.unwrap_or(0)).await
        }
        _ => said(
            StatusCode::NOT_FOUND,
            "text/plain",
            b"there is no such page\n".to_vec(),
        ),
    };
    state.asked.set(Some(Instant::now()));
    answer
}

impl State {
    /// Makes the data anew if there is news, unless it was made a moment ago. That the run ends is news, and has no time to wait.
    fn look(&self, ends: bool) {
        let age = self.made.get().map(|made| made.elapsed());
        if age.is_some_and(|age| age < FRESH) && !ends {
            return;
        }
        let mut follower = self.follower.borrow_mut();
        let is_old = age.is_some_and(|age| age >= OLD);
        if !(follower.read() || ends || is_old) {
            return;
        }
        let live = !self.is_over.get();
        let Some(model) = follower.model(live) else {
            return;
        };
        let data = report::page_data(&model, live);
        *self.data.borrow_mut() = data;
        self.version.set(self.version.get() + 1);
        self.made.set(Some(Instant::now()));
    }

    fn is_looked_at(&self) -> bool {
        let is_recent = self
            .asked
            .get()
            .is_some_and(|asked| asked.elapsed() < LOOKING);
        self.waiting.get() > 0 || is_recent
    }

    fn page(&self) -> Response<Full<Bytes>> {
        self.look(false);
        let page = report::live_page(self.version.get(), self.data.borrow().as_deref());
        self.sent.set(self.version.get());
        said(StatusCode::OK, "text/html; charset=utf-8", page)
    }

    /// The data of a version after this one, as soon as there is one.
    async fn news(&self, after: u64) -> Response<Full<Bytes>> {
        let patience = Instant::now() + PATIENCE;
        self.waiting.set(self.waiting.get() + 1);
        let _waits = Waits(&self.waiting);
        while self.version.get() <= after && Instant::now() < patience && !self.is_over.get() {
            self.look(false);
            if self.version.get() <= after {
                tokio::select! {
                    () = self.over.notified() => {}
                    () = sleep_until(Instant::now() + LOOK) => {}
                }
            }
        }
        let version = self.version.get();
        match &*self.data.borrow() {
            Some(data) if version > after => {
                self.sent.set(version);
                let mut body = format!("{{\"version\":{version},\"data\":").into_bytes();
                body.extend_from_slice(data);
                body.push(b'}');
                said(StatusCode::OK, "application/json", body)
            }
            _ => said(StatusCode::NO_CONTENT, "application/json", Vec::new()),
        }
    }
}

/// A request that waits; it may be dropped with its connection.
struct Waits<'a>(&'a Cell<u32>);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

fn said(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
