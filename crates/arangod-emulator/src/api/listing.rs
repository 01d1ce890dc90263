//! Lists of things that the emulator cannot create, so that they are empty and true.

use hyper::Method;
use serde_json::{Value, json};

use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::indexes::ANALYZERS;
use crate::role::Role;
use crate::server::Server;

/// What is known of a built-in analyzer.
fn analyzer(name: &str) -> Value {
    let Some(locale) = name.strip_prefix("text_") else {
        return json!({
            "features": ["frequency", "norm"],
            "name": name,
            "properties": {},
            "type": "identity",
        });
    };
    json!({
        "features": ["frequency", "position", "norm"],
        "name": name,
        "properties": {
            "accent": false,
            "case": "lower",
            "locale": locale,
            "stemming": true,
            "stopwords": [],
        },
        "type": "text",
    })
}

/// `GET /_api/key-generators`
pub(crate) fn key_generators(request: &Request) -> Result<Answer, ApiError> {
    if request.method != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    let names = ["padded", "uuid", "autoincrement", "traditional"];
    Ok(Answer::good(200, json!({ "keyGenerators": names })))
}

/// `GET` on views, graphs, analyzers and tasks.
///
/// The analyzers are those that every arangod has; they do nothing here.
pub(crate) fn listing(request: &Request, name: &str, rest: &[&str]) -> Result<Answer, ApiError> {
    let refuse = || ApiError::not_implemented(format_args!("{} {}", request.method, request.path));
    if request.method != Method::GET {
        return Err(refuse());
    }
    match (name, rest) {
        ("tasks", []) => Ok(Answer::json(200, &json!([]))),
        ("tasks", [_]) => Err(ApiError::new(404, 1852, "task not found")),
        ("gharial", []) => Ok(Answer::good(200, json!({ "graphs": [] }))),
        ("gharial", [_]) => Err(ApiError::new(404, 1924, "graph not found")),
        ("view", []) => Ok(Answer::result(200, json!([]))),
        ("view", [view]) => Err(ApiError::collection_not_found(view)),
        ("analyzer", []) => {
            let all: Vec<Value> = ANALYZERS.iter().map(|name| analyzer(name)).collect();
            Ok(Answer::result(200, json!(all)))
        }
        ("analyzer", [name]) => match ANALYZERS.contains(name) {
            true => Ok(Answer::good(200, analyzer(name))),
            false => {
                let text = format!("unable to load analyzer '{name}'");
                Err(ApiError::new(404, 1202, text))
            }
        },
        _ => Err(refuse()),
    }
}

/// What is asked about things that do not exist here: queries, cursors, stored answers, caches. All of
/// them are gone, and what is to be cleared away is cleared.
pub(crate) fn nothing(
    server: &Server,
    request: &Request,
    route: &[&str],
) -> Option<Result<Answer, ApiError>> {
    if !matches!(server.settings.role, Role::Single | Role::Coordinator) {
        return None;
    }
    let (get, delete) = (Method::GET, Method::DELETE);
    let none = || Ok(Answer::json(200, &json!([])));
    let cleared = || Ok(Answer::good(200, json!({})));
    Some(match route {
        ["_api", "query", "current" | "slow"] if request.method == get => none(),
        ["_api", "query", "slow"] if request.method == delete => cleared(),
        ["_api", "query", _] if request.method == delete => {
            Err(ApiError::new(404, 1591, "query ID not found"))
        }
        ["_api", "query-cache", "entries"] | ["_api", "query-plan-cache"]
            if request.method == get =>
        {
            none()
        }
        ["_api", "query-cache" | "query-plan-cache"] if request.method == delete => cleared(),
        ["_api", "cursor", _, ..] if request.method != get => {
            Err(ApiError::new(404, 1600, "cursor not found"))
        }
        ["_api", "index", "sync-caches"] if request.method == Method::POST => cleared(),
        _ => return None,
    })
}
