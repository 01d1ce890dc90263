//! Exchanges recorded from a real 3.12.10: same status, same headers, same shape of the body.

use serde_json::Value;

use crate::support::{Client, Place};

const GOLDEN: &str = include_str!("../data/golden.json");

/// Answers whose message names what the parser of arangod expected: only the number is compared.
const OTHER_WORDS: &[&str] = &["RestDocumentHandlerPostBadJson1_single"];

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Same kinds, same keys, same lengths; equal values where they do not depend on the server.
fn compare(path: &str, ours: &Value, theirs: &Value, words: bool, wrong: &mut Vec<String>) {
    if kind(ours) != kind(theirs) {
        wrong.push(format!("{path}: {ours} instead of {theirs}"));
        return;
    }
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let (a, b): (Vec<_>, Vec<_>) = (ours.keys().collect(), theirs.keys().collect());
            if a != b {
                wrong.push(format!("{path}: keys {a:?} instead of {b:?}"));
            }
            for (key, theirs) in theirs {
                if let Some(ours) = ours.get(key) {
                    compare(&format!("{path}.{key}"), ours, theirs, words, wrong);
                }
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            if ours.len() != theirs.len() {
                let (a, b) = (ours.len(), theirs.len());
                wrong.push(format!("{path}: {a} elements instead of {b}"));
            }
            for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                compare(&format!("{path}[{index}]"), ours, theirs, words, wrong);
            }
        }
        _ => {
            let name = path.rsplit('.').next().unwrap_or(path);
            let own = [
                "id",
                "_id",
                "_key",
                "_rev",
                "_oldRev",
                "objectId",
                "globallyUniqueId",
                "license",
            ];
            let free = own.contains(&name) || (name == "errorMessage" && !words);
            if !free && ours != theirs {
                wrong.push(format!("{path}: {ours} instead of {theirs}"));
            }
        }
    }
}

fn exchange(client: &Client, example: &Value) -> Vec<String> {
    let text = |name: &str| example[name].as_str().unwrap();
    for step in example["prepare"].as_array().unwrap() {
        let answer = client.send(
            step[0].as_str().unwrap(),
            step[1].as_str().unwrap(),
            &step[2].to_string(),
        );
        assert!(answer.status < 300, "{step}: {}", answer.text);
    }
    let mut client = client.clone();
    for (name, value) in example["request_headers"].as_object().unwrap() {
        client = client.header(name, value.as_str().unwrap());
    }
    let answer = client.send(text("method"), text("path"), text("request_body"));

    let mut wrong = Vec::new();
    if u64::from(answer.status) != example["status"].as_u64().unwrap() {
        wrong.push(format!("status {}", answer.status));
    }
    for (name, value) in example["headers"].as_object().unwrap() {
        // The client asks for the connection to be closed, so that answer differs.
        let value = value.as_str().unwrap();
        match answer.header(name) {
            None => wrong.push(format!("header {name} is missing")),
            Some(_) if name == "connection" || value.is_empty() => {}
            Some(ours) if ours != value => wrong.push(format!("header {name}: {ours}")),
            Some(_) => {}
        }
    }
    for (name, _) in &answer.headers {
        if example["headers"].get(name).is_none() {
            wrong.push(format!("header {name} was not recorded"));
        }
    }
    let words = !OTHER_WORDS.contains(&text("name"));
    compare("", &answer.json(), &example["body"], words, &mut wrong);
    wrong
}

#[test]
fn answers_have_the_recorded_shapes() {
    let examples: Vec<Value> = serde_json::from_str(GOLDEN).unwrap();
    assert!(examples.len() > 40);
    let mut failures = Vec::new();
    for example in &examples {
        let place = Place::new();
        let server = place.start(&[]);
        let name = example["name"].as_str().unwrap();
        // The recorded client was root of a server without a password.
        let client = server.anonymous().basic("root", "");
        for wrong in exchange(&client, example) {
            failures.push(format!("{name}: {wrong}"));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
