//! `/_api/job`: the answers to requests with `x-arango-async: store`.

use std::rc::Rc;

use hyper::Method;
use serde_json::json;

use crate::async_jobs::Fetched;
use crate::errors::ApiError;
use crate::http::{Answer, Request, dispatch};
use crate::server::Server;

/// The header that names a job.
const ID: &str = "x-arango-async-id";

/// Whether the request is answered at once, and worked on later.
pub(crate) fn begin(server: &Rc<Server>, request: &Request) -> Option<Answer> {
    let kept = match request.header("x-arango-async") {
        Some("store") => true,
        Some("true") => false,
        _ => return None,
    };
    let request = request.clone();
    let owner = request.identity.clone();
    let id = kept.then(|| {
        let now = crate::system::micros();
        server.async_jobs.borrow_mut().begin(owner, now)
    });
    let server = Rc::clone(server);
    tokio::task::spawn_local(async move {
        let done = dispatch(&server, &request).await;
        let answer = done.unwrap_or_else(Answer::from);
        if let Some(id) = id {
            server.async_jobs.borrow_mut().finish(id, answer);
        }
    });
    let answer = Answer::text(202, String::new());
    Some(match id {
        Some(id) => answer.with(ID, id.to_string()),
        None => answer,
    })
}

/// `/_api/job/...`
pub(crate) fn job(server: &Server, request: &Request, rest: &[&str]) -> Result<Answer, ApiError> {
    let who = &request.identity;
    let mut jobs = server.async_jobs.borrow_mut();
    let unknown = || ApiError::new(404, 404, "job not found");
    let number = |text: &str| text.parse::<u64>().map_err(|_| unknown());
    let done = |done: bool| Ok(Answer::json(200, &json!({ "result": done })));
    match (&request.method, rest) {
        (&Method::GET, [state @ ("done" | "pending")]) => {
            let most = request.query("count").and_then(|count| count.parse().ok());
            let list = jobs.list(who, *state == "done", most.unwrap_or(100));
            Ok(Answer::json(200, &json!(list)))
        }
        (&Method::GET, [id]) => match jobs.look(who, number(id)?) {
            Fetched::Unknown => Err(unknown()),
            Fetched::Pending => Ok(Answer::text(204, String::new())),
            Fetched::Done(_) => Ok(Answer::text(200, String::new())),
        },
        (&Method::PUT, [id]) => match jobs.fetch(who, number(id)?) {
            Fetched::Unknown | Fetched::Done(None) => Err(unknown()),
            Fetched::Pending => Ok(Answer::text(204, String::new())),
            Fetched::Done(Some(answer)) => Ok(answer.with(ID, *id)),
        },
        // What the emulator does cannot be stopped halfway; it ends soon anyway.
        (&Method::PUT, [id, "cancel"]) => match jobs.look(who, number(id)?) {
            Fetched::Unknown => Err(unknown()),
            _ => done(true),
        },
        (&Method::DELETE, ["all"]) => {
            jobs.delete_before(who, u64::MAX);
            done(true)
        }
        (&Method::DELETE, ["expired"]) => {
            let stamp = request.query("stamp").and_then(|stamp| stamp.parse().ok());
            let stamp: f64 = stamp.ok_or_else(|| ApiError::bad("bad parameter"))?;
            // A time before 1970 is 1970.
            jobs.delete_before(who, (stamp * 1e6) as u64);
            done(true)
        }
        (&Method::DELETE, [id]) if jobs.delete(who, number(id)?) => done(true),
        (&Method::DELETE, [_]) => Err(unknown()),
        (&Method::GET | &Method::PUT | &Method::DELETE, _) => Err(ApiError::bad("bad parameter")),
        _ => Err(ApiError::method_not_allowed()),
    }
}
