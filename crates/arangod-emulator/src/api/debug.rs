//! `/_admin/debug/failat` of builds with failure tests (`RestDebugHandler.cpp`); others have no such path.

use hyper::Method;
use serde_json::json;

use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::server::Server;

/// All of `/_admin/debug`.
pub(crate) fn debug(server: &Server, request: &Request, rest: &[&str]) -> Result<Answer, ApiError> {
    if !server.settings.failure_tests {
        return Err(ApiError::unknown_path(&request.path));
    }
    let points = &server.failure_points;
    match (&request.method, rest) {
        (&Method::GET, ["failat", "all"]) => {
            return Ok(Answer::json(200, &json!(points.names())));
        }
        (&Method::GET, ["failat"] | ["failat", _]) => {}
        (&Method::PUT, ["failat", name]) => points.add(name, &server.log),
        (&Method::DELETE, ["failat"]) => points.remove(None),
        (&Method::DELETE, ["failat", name]) => points.remove(Some(name)),
        (_, ["failat", ..]) => return Err(illegal("/_admin/debug/failat")),
        _ => {
            let all = "/_admin/debug/failat or /_admin/debug/raceControl or /_admin/debug/crash";
            return Err(illegal(all));
        }
    }
    Ok(Answer::json(200, &json!(true)))
}

fn illegal(what: &str) -> ApiError {
    ApiError::new(501, 9, format!("ILLEGAL {what}"))
}
