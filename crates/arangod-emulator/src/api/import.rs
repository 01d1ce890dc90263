//! `POST /_api/import`

use hyper::Method;
use serde_json::{Map, Value, json};

use super::document::with_collection;
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::server::Server;
use crate::store::{Change, Mode, Store, attributes, legal_key};

/// One line of the import, or why it is none.
pub(super) type Line = Result<Map<String, Value>, String>;

/// What has become of the lines.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) created: u64,
    pub(super) errors: u64,
    pub(super) empty: u64,
    pub(super) updated: u64,
    pub(super) ignored: u64,
    details: Vec<String>,
}

/// What the parameters ask for.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    pub(super) mode: Mode,
    /// All or nothing.
    pub(super) complete: bool,
    /// The collection is to be emptied first.
    pub(super) overwrite: bool,
}

impl<'a> Wanted<'a> {
    /// Reads the parameters.
    pub(super) fn read(request: &'a Request) -> Result<Self, ApiError> {
        let name = request
            .query("collection")
            .filter(|name| !name.is_empty())
            .ok_or_else(|| {
                ApiError::bad_parameter(
                    "'collection' is missing, expecting /_api/import?collection=<identifier>",
                )
            })?;
        let mode = match request.query("onDuplicate") {
            None | Some("error") => Mode::Conflict,
            Some("update") => Mode::Update,
            Some("replace") => Mode::Replace,
            Some("ignore") => Mode::Ignore,
            Some(_) => return Err(ApiError::bad_parameter("invalid value for 'onDuplicate'")),
        };
        Ok(Self {
            name,
            mode,
            complete: request.query_flag("complete") == Some(true),
            overwrite: request.query_flag("overwrite") == Some(true),
        })
    }
}

/// `POST /_api/import`
pub(crate) fn import(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    if request.method != Method::POST {
        return Err(ApiError::method_not_allowed());
    }
    let Wanted {
        name,
        mode,
        complete,
        overwrite,
    } = Wanted::read(request)?;
    // An unknown collection is told before a broken body.
    server.read(|store| store.collection(&request.database, name).map(drop))?;
    let mut tally = Tally::default();
    let lines = lines(request, &mut tally)?;
    let (tally, _) = with_collection(server, request, name, |store, collection| {
        if overwrite {
            if complete {
                // A failed import must not have emptied the collection.
                check_all(store, collection, &lines, mode, true)?;
            }
            store.truncate(&request.database, name)?;
        } else if complete {
            check_all(store, collection, &lines, mode, false)?;
        }
        store_all(store, collection, request, lines, mode, tally)
    })?;
    Ok(tally.answer(request))
}

/// Takes the body apart.
pub(super) fn lines(request: &Request, tally: &mut Tally) -> Result<Vec<Line>, ApiError> {
    let text = std::str::from_utf8(&request.body)
        .map_err(|_| ApiError::bad("the body is not valid UTF-8"))?;
    let is_list = match request.query("type") {
        Some("list" | "array") => true,
        Some("auto") => text.trim_start().starts_with('['),
        Some("documents") => false,
        None | Some("" | "none") => return table(request, text, tally),
        Some(_) => return Err(ApiError::bad_parameter("invalid value for 'type'")),
    };
    if is_list {
        let list: Value = serde_json::from_str(text).map_err(ApiError::corrupted_json)?;
        let Value::Array(list) = list else {
            return Err(ApiError::bad("expecting a JSON array in the request"));
        };
        return Ok(list
            .into_iter()
            .map(|value| object(value).map_err(|text| no_object(&text)))
            .collect());
    }
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim().is_empty() {
            tally.empty += 1;
            continue;
        }
        let parsed = serde_json::from_str(line).map_err(|_| no_object(line));
        found.push(parsed.and_then(|value| object(value).map_err(|text| no_object(&text))));
    }
    Ok(found)
}

fn object(value: Value) -> Result<Map<String, Value>, String> {
    let text = value.to_string();
    attributes(value).map_err(|_| text)
}

fn no_object(line: &str) -> String {
    format!("invalid JSON type (expecting object, probably parse error), offending context: {line}")
}

/// The format of attribute names in the first line and values in the others.
fn table(request: &Request, text: &str, tally: &mut Tally) -> Result<Vec<Line>, ApiError> {
    let mut rows = text.lines();
    let no_names = || ApiError::bad("no JSON array found in second line");
    let names: Vec<String> = rows
        .by_ref()
        .find(|line| !line.trim().is_empty())
        .and_then(|line| serde_json::from_str(line).ok())
        .ok_or_else(no_names)?;
    let lenient = request.query_flag("ignoreMissing") == Some(true);
    let mut found = Vec::new();
    for row in rows {
        if row.trim().is_empty() {
            tally.empty += 1;
            continue;
        }
        let line = match serde_json::from_str::<Vec<Value>>(row) {
            Err(_) => Err(no_object(row)),
            Ok(values) if values.len() != names.len() && !lenient => Err(format!(
                "wrong number of JSON values (got {}, expected {})",
                values.len(),
                names.len()
            )),
            Ok(values) => Ok(names
                .iter()
                .cloned()
                .zip(values)
                .filter(|(_, value)| !value.is_null())
                .collect()),
        };
        found.push(line);
    }
    Ok(found)
}

/// Whether all lines can be stored; with `complete=true` nothing is stored otherwise.
fn check_all(
    store: &Store,
    collection: u64,
    lines: &[Line],
    mode: Mode,
    emptied: bool,
) -> Result<(), ApiError> {
    let mut seen = std::collections::HashSet::new();
    let found = store.collection_by_id(collection);
    for line in lines {
        let object = line.as_ref().map_err(ApiError::bad)?;
        if let Some(found) = found
            && found.meta.is_edge()
            && !(object.contains_key("_from") && object.contains_key("_to"))
        {
            return Err(ApiError::new(
                400,
                1233,
                "missing '_from' or '_to' attribute",
            ));
        }
        let key = match object.get("_key") {
            None => continue,
            Some(Value::String(key)) if legal_key(key) => key.as_str(),
            Some(_) => return Err(ApiError::bad_key()),
        };
        let taken = !emptied && found.is_some_and(|found| found.documents.contains_key(key));
        if (taken || !seen.insert(key)) && mode == Mode::Conflict {
            return Err(ApiError::new(409, 1210, "unique constraint violated"));
        }
    }
    Ok(())
}

pub(super) fn prefixed(object: &mut Map<String, Value>, request: &Request) {
    for (name, prefix) in [("_from", "fromPrefix"), ("_to", "toPrefix")] {
        let Some(prefix) = request.query(prefix).filter(|prefix| !prefix.is_empty()) else {
            continue;
        };
        if let Some(Value::String(text)) = object.get_mut(name)
            && !text.contains('/')
        {
            *text = format!("{}/{text}", prefix.trim_end_matches('/'));
        }
    }
}

fn store_all(
    store: &mut Store,
    collection: u64,
    request: &Request,
    lines: Vec<Line>,
    mode: Mode,
    mut tally: Tally,
) -> Result<Tally, ApiError> {
    let how = Change {
        mode,
        keep_null: true,
        merge_objects: true,
        version_attribute: None,
        return_new: false,
        return_old: false,
    };
    let edges = store
        .collection_by_id(collection)
        .is_some_and(|found| found.meta.is_edge());
    let mut position = 0;
    for (number, line) in lines.into_iter().enumerate() {
        let mut object = match line {
            Ok(object) => object,
            Err(reason) => {
                tally.fail(number + 1, &reason);
                continue;
            }
        };
        prefixed(&mut object, request);
        let text = Value::Object(object.clone()).to_string();
        if edges && !(object.contains_key("_from") && object.contains_key("_to")) {
            let reason = "missing '_from' or '_to' attribute";
            tally.fail(number + 1, &format!("{reason}, offending document: {text}"));
            continue;
        }
        match store.insert(collection, object, &how) {
            Ok(outcome) if outcome.ignored => tally.ignored += 1,
            Ok(outcome) if outcome.old_revision.is_some() => tally.updated += 1,
            Ok(_) => tally.created += 1,
            Err(error) => tally.refuse(position, &error, &text),
        }
        position += 1;
    }
    Ok(tally)
}

impl Tally {
    /// Positions count lines from one where a line is wrong, and documents from zero where storing
    /// fails, as the recorded examples do.
    pub(super) fn fail(&mut self, position: usize, reason: &str) {
        self.errors += 1;
        self.details
            .push(format!("at position {position}: {reason}"));
    }

    /// A document that could not be stored.
    pub(super) fn refuse(&mut self, position: usize, error: &ApiError, text: &str) {
        let reason = match error.number {
            1210 => "unique constraint violated",
            _ => &error.message,
        };
        let reason =
            format!("creating document failed with error '{reason}', offending document: {text}");
        self.fail(position, &reason);
    }

    /// The answer to the import.
    pub(super) fn answer(&self, request: &Request) -> Answer {
        let mut body = json!({
            "error": false,
            "created": self.created,
            "errors": self.errors,
            "empty": self.empty,
            "updated": self.updated,
            "ignored": self.ignored,
        });
        if request.query_flag("details") == Some(true) {
            body["details"] = json!(self.details);
        }
        Answer::json(201, &body)
    }
}
