//! When a request is sent again, and to whom. This is the only place that decides it; `docs/arangodb.md` has the same as a table.
//!
//! A request that certainly had no effect may be sent to another server, whatever it is. One that may have had its effect is sent
//! again only if it reads: reading twice does nothing. Nothing here sends or waits.

use armadillo_orchestrator::{HttpError, Request, Response};

use super::error::{ErrorBody, SERVICE_UNAVAILABLE};

/// The number of a server that ends; it refuses new requests, and gives up those that it has begun.
const SHUTTING_DOWN: u32 = 30;

/// What a request does, as far as its method and path tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It changes nothing, so it may be sent twice.
    Reads,
    /// It may change something.
    Writes,
}

impl Effect {
    /// What this request does. Paths that are not the server's own belong to Foxx services, where any method may do anything.
    pub(super) fn of(request: &Request) -> Self {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let mut segments = path.split('/').skip(1).peekable();
        if segments.next_if_eq(&"_db").is_some() {
            segments.next();
        }
        let route: Vec<&str> = segments.collect();
        let reads = match (request.method, &route[..]) {
            ("GET" | "HEAD" | "OPTIONS", ["_api" | "_admin" | "_open", ..]) => true,
            ("PUT", ["_api", "document", _]) => query.split('&').any(|part| part == "onlyget=true"),
            ("PUT", ["_api", "collection", _, "responsibleShard"]) => true,
            // A batch that has a number is kept until the next one is asked for.
            ("POST", ["_api", "cursor", _, _]) => true,
            _ => false,
        };
        match reads {
            true => Self::Reads,
            false => Self::Writes,
        }
    }
}

/// What to do next with a request.
#[derive(Debug)]
pub(super) enum Next {
    /// Ask the server with this place in the list.
    Ask(usize),
    /// Ask the same one once more, after a moment: it has just started and may not know the key yet.
    AskAgain,
    /// This is what came of it.
    Done(Result<Response, HttpError>),
}

/// The way of one request from server to server.
pub(super) struct Attempts {
    effect: Effect,
    /// Whether it shows a superuser's token, which every server accepts.
    superuser: bool,
    servers: usize,
    /// How many servers were asked, the present one included.
    asked: usize,
    /// Whether the present server was asked again after a 401.
    again: bool,
    /// What one of them said or did, that tells more than that others were not reached.
    kept: Option<Result<Response, HttpError>>,
}

impl Attempts {
    /// A request that the first of so many servers is asked.
    pub(super) fn new(effect: Effect, superuser: bool, servers: usize) -> Self {
        Self {
            effect,
            superuser,
            servers,
            asked: 1,
            again: false,
            kept: None,
        }
    }

    /// What follows from the present server's answer, or from why there is none.
    pub(super) fn next(&mut self, came: Result<Response, HttpError>) -> Next {
        match came {
            Ok(answer) if answer.status == 401 && self.superuser && !self.again => {
                self.again = true;
                Next::AskAgain
            }
            Ok(answer) if self.is_gone(&answer) => self.elsewhere(Ok(answer), true),
            Ok(answer) => Next::Done(Ok(answer)),
            Err(error @ HttpError::Invalid { .. }) => Next::Done(Err(error)),
            Err(error) if error.surely_not_sent() => self.elsewhere(Err(error), false),
            Err(error @ HttpError::Io { .. }) if self.effect == Effect::Reads => {
                self.elsewhere(Err(error), true)
            }
            Err(error) => Next::Done(Err(error)),
        }
    }

    /// Whether the answer says that the server is not there yet or any more, and the request may go elsewhere.
    fn is_gone(&self, answer: &Response) -> bool {
        if answer.status != 503 {
            return false;
        }
        let body: ErrorBody = answer.json().unwrap_or_default();
        match body.number {
            SERVICE_UNAVAILABLE => true,
            // It may have given up what it had begun.
            SHUTTING_DOWN => self.effect == Effect::Reads,
            _ => false,
        }
    }

    /// The next server, if there is one that was not asked. A lone server that lost the answer to something that reads is asked
    /// once more.
    fn elsewhere(&mut self, came: Result<Response, HttpError>, tells_more: bool) -> Next {
        let alone = self.servers == 1 && matches!(came, Err(HttpError::Io { sent: true, .. }));
        let last = if alone { 2 } else { self.servers };
        let told = match self.kept.take() {
            Some(kept) if !tells_more => kept,
            _ => came,
        };
        if self.asked >= last {
            return Next::Done(told);
        }
        self.asked += 1;
        self.again = false;
        self.kept = Some(told);
        Next::Ask(self.place())
    }

    fn place(&self) -> usize {
        (self.asked - 1) % self.servers
    }
}
