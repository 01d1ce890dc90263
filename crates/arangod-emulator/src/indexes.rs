//! Definitions of indexes: what clients may ask for, and what is kept and shown of it.
//!
//! An index that only makes queries faster is kept as a definition, which is all that can be seen of
//! it without queries. One that changes what happens to documents, as a unique or a TTL index does,
//! is refused by name. The attributes are those recorded from a 3.12.10.

use serde_json::{Map, Value, json};

use crate::errors::ApiError;

/// The analyzers that every arangod has.
pub(crate) const ANALYZERS: [&str; 13] = [
    "identity", "text_de", "text_en", "text_es", "text_fi", "text_fr", "text_it", "text_nl",
    "text_no", "text_pt", "text_ru", "text_sv", "text_zh",
];

/// Attributes of an index that do not make it another one.
const NOT_COMPARED: [&str; 6] = [
    "id",
    "name",
    "selectivityEstimate",
    "estimates",
    "cacheEnabled",
    "deduplicate",
];

/// The primary index of a collection, and the index of edges of an edge collection.
pub(crate) fn built_in(is_edge: bool) -> Vec<Value> {
    let mut indexes = vec![json!({
        "fields": ["_key"],
        "id": "0",
        "name": "primary",
        "selectivityEstimate": 1,
        "sparse": false,
        "type": "primary",
        "unique": true,
    })];
    if is_edge {
        indexes.push(json!({
            "cacheEnabled": false,
            "fields": ["_from", "_to"],
            "id": "2",
            "name": "edge",
            "selectivityEstimate": 1,
            "sparse": false,
            "type": "edge",
            "unique": false,
        }));
    }
    indexes
}

/// The index that the body of a request describes, without an id.
pub(crate) fn define(body: &Map<String, Value>) -> Result<Value, ApiError> {
    let kind = body.get("type").and_then(Value::as_str).unwrap_or("");
    let flag =
        |name: &str, default: bool| body.get(name).and_then(Value::as_bool).unwrap_or(default);
    if flag("unique", false) {
        return Err(ApiError::not_implemented("unique indexes"));
    }
    let mut index = match kind {
        "persistent" | "hash" | "skiplist" => json!({
            "cacheEnabled": flag("cacheEnabled", false),
            "deduplicate": flag("deduplicate", true),
            "estimates": flag("estimates", true),
            "fields": paths(body, "fields", 1, 32)?,
            "selectivityEstimate": 1,
            "sparse": flag("sparse", false),
        }),
        "geo" | "geo1" | "geo2" => json!({
            "bestIndexedLevel": 17,
            "fields": paths(body, "fields", 1, 2)?,
            "geoJson": flag("geoJson", false),
            "legacyPolygons": flag("legacyPolygons", false),
            "maxNumCoverCells": 8,
            "sparse": true,
            "worstIndexedLevel": 4,
        }),
        "fulltext" => json!({
            "fields": paths(body, "fields", 1, 1)?,
            "minLength": body.get("minLength").and_then(Value::as_u64).unwrap_or(2),
            "sparse": true,
        }),
        "mdi" | "zkd" | "mdi-prefixed" => multi_dimensional(body, kind)?,
        "inverted" => inverted(body)?,
        "ttl" | "vector" => {
            return Err(ApiError::not_implemented(format_args!("{kind} indexes")));
        }
        _ => return Err(ApiError::bad_parameter("invalid index type")),
    };
    let named = body.get("name").and_then(Value::as_str);
    if let Some(name) = named.filter(|name| !name.is_empty()) {
        index["name"] = json!(name);
    }
    if ["persistent", "mdi", "mdi-prefixed"].contains(&kind) && body.contains_key("storedValues") {
        index["storedValues"] = json!(paths(body, "storedValues", 0, 32)?);
    }
    index["type"] = json!(kind);
    index["unique"] = json!(false);
    Ok(index)
}

fn multi_dimensional(body: &Map<String, Value>, kind: &str) -> Result<Value, ApiError> {
    if body.get("fieldValueTypes").and_then(Value::as_str) != Some("double") {
        let text = "mdi index requires `fieldValueTypes` to be `double` - future releases might \
                    lift this requirement";
        return Err(ApiError::bad_parameter(text));
    }
    let sparse = body.get("sparse").and_then(Value::as_bool).unwrap_or(false);
    let mut index = json!({
        "estimates": false,
        "fieldValueTypes": "double",
        "fields": paths(body, "fields", 1, 32)?,
        "sparse": sparse,
    });
    if kind == "mdi-prefixed" {
        index["estimates"] = json!(true);
        index["selectivityEstimate"] = json!(1);
        index["prefixFields"] = json!(paths(body, "prefixFields", 1, 32)?);
    }
    Ok(index)
}

fn inverted(body: &Map<String, Value>) -> Result<Value, ApiError> {
    let fields = body.get("fields").and_then(Value::as_array);
    let mut shown = Vec::new();
    for field in fields.into_iter().flatten() {
        shown.push(match field {
            Value::String(name) => json!({ "name": name }),
            Value::Object(field) if field.get("name").is_some_and(Value::is_string) => {
                known_analyzer(field)?;
                let given = field.iter().filter(|(_, value)| !value.is_null());
                Value::Object(
                    given
                        .map(|(key, value)| (key.clone(), value.clone()))
                        .collect(),
                )
            }
            _ => return Err(ApiError::bad_parameter("'fields' is not valid")),
        });
    }
    let all = body.get("includeAllFields") == Some(&json!(true));
    if shown.is_empty() && !all {
        return Err(ApiError::bad_parameter("'fields' must not be empty"));
    }
    known_analyzer(body)?;
    let mut index = json!({
        "analyzer": "identity",
        "cleanupIntervalStep": 2,
        "commitIntervalMsec": 1000,
        "consolidationIntervalMsec": 5000,
        "consolidationPolicy": {
            "type": "tier",
            "segmentsBytesMax": 8_589_934_592_u64,
            "maxSkewThreshold": 0.4,
            "minDeletionRatio": 0.5,
        },
        "features": ["frequency", "norm"],
        "includeAllFields": false,
        "optimizeTopK": [],
        "primarySort": { "fields": [], "compression": "lz4" },
        "searchField": false,
        "storedValues": [],
        "trackListPositions": false,
        "version": 1,
        "writebufferActive": 0,
        "writebufferIdle": 64,
        "writebufferSizeMax": 33_554_432,
    });
    if let Value::Object(index) = &mut index {
        for (name, value) in index.iter_mut() {
            if let Some(given) = body.get(name).filter(|given| !given.is_null()) {
                overlay(value, given);
            }
        }
    }
    index["fields"] = json!(shown);
    index["sparse"] = json!(true);
    Ok(index)
}

/// What is given in the place of a default; of an object, attribute by attribute.
fn overlay(value: &mut Value, given: &Value) {
    match (value, given) {
        (Value::Object(value), Value::Object(given)) => {
            for (name, given) in given {
                overlay(value.entry(name.clone()).or_insert(Value::Null), given);
            }
        }
        (value, given) => *value = given.clone(),
    }
}

fn known_analyzer(body: &Map<String, Value>) -> Result<(), ApiError> {
    match body.get("analyzer").and_then(Value::as_str) {
        Some(name) if !name.is_empty() && !ANALYZERS.contains(&name) => Err(
            ApiError::not_implemented(format_args!("analyzers of one's own, as '{name}'")),
        ),
        _ => Ok(()),
    }
}

/// Attribute paths, so many at least and at most, none of them twice.
fn paths(
    body: &Map<String, Value>,
    name: &str,
    least: usize,
    most: usize,
) -> Result<Vec<String>, ApiError> {
    let wrong = || ApiError::bad_parameter(format!("invalid value for '{name}'"));
    let list = body.get(name).and_then(Value::as_array).ok_or_else(wrong)?;
    let mut paths: Vec<String> = Vec::new();
    for path in list {
        let path = path
            .as_str()
            .filter(|path| !path.is_empty())
            .ok_or_else(wrong)?;
        if paths.iter().any(|known| known == path) {
            return Err(ApiError::bad_parameter(format!(
                "duplicate attribute in '{name}'"
            )));
        }
        paths.push(String::from(path));
    }
    if paths.len() < least || paths.len() > most {
        return Err(wrong());
    }
    Ok(paths)
}

/// What becomes of a wish for an index.
#[derive(Debug)]
pub(crate) enum Ensured {
    /// There is one like that.
    There(Value),
    /// It is to be added.
    New(Value),
}

/// Finds out whether an index like that is there. `id` is the number of a new one.
pub(crate) fn ensure(
    known: &[Value],
    mut wanted: Value,
    id: impl FnOnce() -> u64,
) -> Result<Ensured, ApiError> {
    if let Some(same) = known.iter().find(|index| is_same(index, &wanted)) {
        return Ok(Ensured::There(same.clone()));
    }
    let named = |index: &&Value| !wanted["name"].is_null() && index["name"] == wanted["name"];
    if known.iter().any(|index| named(&index))
        || ["primary", "edge"]
            .iter()
            .any(|name| wanted["name"] == *name)
    {
        return Err(ApiError::new(
            409,
            1207,
            "duplicate value - an index of this name exists",
        ));
    }
    let id = id();
    if wanted["name"].is_null() {
        wanted["name"] = json!(format!("idx_{id}"));
    }
    wanted["id"] = json!(id.to_string());
    Ok(Ensured::New(wanted))
}

fn is_same(one: &Value, other: &Value) -> bool {
    let compared = |index: &Value| -> Map<String, Value> {
        let attributes = index.as_object().into_iter().flatten();
        attributes
            .filter(|(name, _)| !NOT_COMPARED.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    compared(one) == compared(other)
}

/// The position of an index that is called by number or by name.
pub(crate) fn position(indexes: &[Value], called: &str) -> Option<usize> {
    let is_it = |index: &Value| index["id"] == called || index["name"] == called;
    indexes.iter().position(is_it)
}

/// An index as answers show it: with the name of its collection in its id.
pub(crate) fn shown(index: &Value, collection: &str) -> Value {
    let mut index = index.clone();
    let number = index["id"].as_str().unwrap_or_default();
    index["id"] = json!(format!("{collection}/{number}"));
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defined(body: Value) -> Result<Value, ApiError> {
        define(body.as_object().unwrap())
    }

    #[test]
    fn the_same_index_is_there_only_once() {
        let wanted = |body: Value| defined(body).unwrap();
        let plain = json!({ "type": "persistent", "fields": ["a", "b"] });
        let Ok(Ensured::New(first)) = ensure(&[], wanted(plain.clone()), || 7) else {
            panic!("not new");
        };
        assert_eq!(
            (&first["id"], &first["name"]),
            (&json!("7"), &json!("idx_7"))
        );
        let known = [first];
        let again = ensure(&known, wanted(plain), || unreachable!());
        assert!(matches!(again, Ok(Ensured::There(_))));
        let sparse =
            json!({ "type": "persistent", "fields": ["a", "b"], "sparse": true, "name": "idx_7" });
        let clash = ensure(&known, wanted(sparse), || unreachable!());
        assert_eq!(clash.unwrap_err().number, 1207);
        let other = json!({ "type": "persistent", "fields": ["b", "a"] });
        assert!(matches!(
            ensure(&known, wanted(other), || 8),
            Ok(Ensured::New(_))
        ));
    }

    #[test]
    fn what_would_change_documents_is_refused_by_name() {
        for (body, what) in [
            (
                json!({ "type": "persistent", "fields": ["a"], "unique": true }),
                "unique",
            ),
            (
                json!({ "type": "ttl", "fields": ["a"], "expireAfter": 5 }),
                "ttl",
            ),
        ] {
            let error = defined(body).unwrap_err();
            assert_eq!(error.status, 501);
            assert!(error.message.contains(what), "{error}");
        }
        for bad in [
            json!({ "type": "nonsense", "fields": ["a"] }),
            json!({ "type": "persistent" }),
            json!({ "type": "persistent", "fields": ["a", "a"] }),
            json!({ "type": "geo", "fields": ["a", "b", "c"] }),
            json!({ "type": "mdi", "fields": ["a"] }),
        ] {
            let error = defined(bad).unwrap_err();
            assert_eq!((error.status, error.number), (400, 10));
        }
    }
}
