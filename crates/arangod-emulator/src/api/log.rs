//! `/_admin/log/entries` and `/_admin/log/level`

use hyper::Method;
use serde_json::{Map, Value, json};

use crate::auth::Identity;
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::logging::{Level, Levels};
use crate::server::Server;

/// All of `/_admin/log`. `--log.api-enabled` turns it off, or leaves it to the superuser (`jwt`).
pub(crate) fn log(server: &Server, request: &Request, rest: &[&str]) -> Result<Answer, ApiError> {
    match server.settings.log_api.as_str() {
        "false" => return Err(ApiError::forbidden()),
        "jwt" if request.identity != Identity::Superuser => return Err(ApiError::forbidden()),
        _ => server.require_admin(&request.identity)?,
    }
    match (&request.method, rest) {
        (&Method::GET, ["entries"]) => entries(server, request),
        (&Method::GET, ["level"]) => Ok(levels(server)),
        (&Method::PUT, ["level"]) => set_levels(server, request),
        (&Method::DELETE, ["level"]) => {
            server.log.reset_levels();
            Ok(levels(server))
        }
        _ => Err(ApiError::not_implemented(format_args!(
            "{} {}",
            request.method, request.path
        ))),
    }
}

fn entries(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    let level = |name: &str| match request.query(name) {
        None | Some("") => Ok(None),
        Some(text) => by_number(text)
            .or_else(|| Level::parse(text))
            .map(Some)
            .ok_or_else(|| ApiError::bad_parameter(format!("invalid value for '{name}'"))),
    };
    let number = |name: &str, default: u64| match request.query(name) {
        None => Ok(default),
        Some(text) => text
            .parse::<u64>()
            .map_err(|_| ApiError::bad_parameter(format!("invalid value for '{name}'"))),
    };
    let (exact, upto) = (level("level")?, level("upto")?);
    let start = number("start", 0)?;
    let size = usize::try_from(number("size", u64::MAX)?).unwrap_or(usize::MAX);
    let offset = usize::try_from(number("offset", 0)?).unwrap_or(usize::MAX);
    let search = request.query("search").unwrap_or("").to_lowercase();
    let mut found = server.log.entries();
    found.retain(|entry| {
        entry.id >= start
            && match exact {
                Some(exact) => entry.level == exact,
                None => entry.level <= upto.unwrap_or(Level::Info),
            }
            && entry.message.to_lowercase().contains(&search)
    });
    if request.query("sort") == Some("desc") {
        found.reverse();
    }
    let total = found.len();
    let messages: Vec<Value> = found
        .iter()
        .skip(offset)
        .take(size)
        .map(|entry| entry.to_json())
        .collect();
    let body = json!({ "total": total, "messages": messages });
    Ok(Answer::json(200, &body))
}

/// Levels may be given by number, 0 being the most important.
fn by_number(text: &str) -> Option<Level> {
    let all = [
        Level::Fatal,
        Level::Error,
        Level::Warning,
        Level::Info,
        Level::Debug,
        Level::Trace,
    ];
    all.get(text.parse::<usize>().ok()?).copied()
}

fn levels(server: &Server) -> Answer {
    let map: Map<String, Value> = server
        .log
        .levels()
        .iter()
        .map(|(topic, level)| (String::from(topic), json!(level.name())))
        .collect();
    Answer::json(200, &Value::Object(map))
}

fn set_levels(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    let mut levels: Levels = server.log.levels();
    match request.json()? {
        Value::String(level) => levels.set("all", &level).map_err(ApiError::bad)?,
        Value::Object(wanted) => {
            // `all` first, so that single topics win, in whatever order they come.
            let (all, single): (Vec<_>, Vec<_>) =
                wanted.iter().partition(|(topic, _)| *topic == "all");
            for (topic, level) in all.into_iter().chain(single) {
                let level = level
                    .as_str()
                    .ok_or_else(|| ApiError::bad("a level must be a string"))?;
                // A topic that does not exist is no error, a level is.
                if Level::parse(level).is_none() {
                    return Err(ApiError::bad(format!("invalid log level '{level}'")));
                }
                drop(levels.set(topic, level));
            }
        }
        _ => return Err(ApiError::bad("expecting a JSON object as body")),
    }
    server.log.set_levels(levels);
    Ok(self::levels(server))
}
