//! The daemon's API is as its description in OpenAPI says: the description is valid, the daemon knows every request of it, and
//! what is sent and answered is as its schemas say.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use armadillo_selftest::cargo::{has, workspace};
use armadillo_selftest::meeting;
use serde_json::{Value, json};

use super::{ask_with_token, socket, staying};

/// Reads exchanges, one JSON object a line, and says what is not as the description has it.
const CHECK: &str = include_str!("check.py");

fn description() -> PathBuf {
    workspace().join("docs/daemon-api.json")
}

/// What was sent and answered.
struct Exchanges {
    socket: PathBuf,
    seen: Vec<Value>,
}

impl Exchanges {
    /// Sends a request; `places` are for the places of its path.
    fn send(&mut self, request: &str, places: &[&str], token: &str, body: &Value) -> Value {
        let (method, template) = request.split_once(' ').unwrap_or((request, ""));
        let path = filled(template, places);
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = format!("{method} {path}");
        let (status, answer) = ask_with_token(&self.socket, &request, token, text.len(), &text);
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        self.seen.push(
            json!({"method": method.to_lowercase(), "path": template, "status": status,
            "body": body, "answer": answer}),
        );
        assert_eq!(status, 200, "{request}: {answer}");
        answer
    }
}

/// The path of a template.
fn filled(template: &str, places: &[&str]) -> String {
    let mut places = places.iter();
    let part = |part| match part {
        place if str::starts_with(place, "{") => places.next().copied().unwrap_or("1"),
        part => part,
    };
    template.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Whether the exchanges are as the description has them; if not, what is not.
fn check(description: &Path, exchanges: &[Value]) -> Result<(), String> {
    let mut python = Command::new("python3");
    python.args(["-c", CHECK]).arg(description);
    let python = python
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut python = python.spawn().unwrap_or_else(|error| panic!("{error}"));
    let lines: Vec<String> = exchanges.iter().map(Value::to_string).collect();
    let mut stdin = python.stdin.take();
    let written = stdin
        .as_mut()
        .map(|stdin| stdin.write_all(lines.join("\n").as_bytes()));
    assert!(matches!(written, Some(Ok(()))), "{written:?}");
    drop(stdin);
    let output = python
        .wait_with_output()
        .unwrap_or_else(|error| panic!("{error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}{}", text(&output.stdout), text(&output.stderr)))
}

#[test]
fn what_is_sent_and_answered_is_as_described() {
    let running = staying();
    let mut exchanges = Exchanges {
        socket: socket(&running),
        seen: Vec::new(),
    };
    let nothing = &Value::Null;
    let status = exchanges.send("GET /v1/status", &[], "", nothing);
    exchanges.send("GET /v1/kept", &[], "", nothing);
    let events = exchanges.send("GET /v1/events/{number}/now", &["0"], "", nothing);
    assert!(events.as_array().is_some_and(|events| !events.is_empty()));
    exchanges.send("GET /v1/events/{number}", &["0"], "", nothing);

    let joined = exchanges.send("POST /v1/clients", &[], "", &json!({"slots": 1}));
    let client = joined["client"].to_string();
    let client = [client.as_str()];
    let topology =
        json!({"system": "tally", "shape": "servers", "params": {"servers": 1}, "options": []});
    let test = json!({"ticket": 1, "test": "theirs", "needs": [[0, "fresh"]], "expected_us": 1000,
        "begins_later": true});
    let wishes = json!({"topologies": [{"topology": topology, "copies": 1}], "tests": [test]});
    exchanges.send("POST /v1/clients/{client}/wishes", &client, "", &wishes);
    let ready = json!({"poll": 1, "wait": true});
    let next = exchanges.send("POST /v1/clients/{client}/next", &client, "", &ready);
    let grant = &next["run"]["leases"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (lease, token) = (text(&grant["lease"]), text(&grant["token"]));
    let deployment = text(&grant["view"]["deployment"]);
    let begin = exchanges.send("POST /v1/leases/{lease}/begin", &[&lease], &token, nothing);
    assert_eq!(begin["go"], true, "{next}");

    let places = [lease.as_str(), deployment.as_str()];
    let limit = json!({"limit_ms": 10_000});
    let evidence = running.home().join("evidence");
    for (what, body) in [
        ("view", Value::Null),
        ("health", json!({"after": 0, "limit_ms": 10_000})),
        ("leaders", limit.clone()),
        ("processes", Value::Null),
        ("statistics", limit.clone()),
        (
            "evidence",
            json!({"directory": evidence, "limit_ms": 10_000}),
        ),
        (
            "log",
            json!({"server": "tally-1", "from": 0, "limit_ms": 10}),
        ),
        ("fixtures/claim", json!({"fixture": "theirs"})),
        (
            "fixtures/settle",
            json!({"fixture": "theirs", "outcome": {"Ok": 1}}),
        ),
        ("operations", Value::Null),
        (
            "expect-exit",
            json!({"server": "tally-1", "expectation": {"signal": 9}}),
        ),
        (
            "operate",
            json!({"server": "tally-1", "operation": "kill", "limit_ms": 10_000}),
        ),
        ("see-exit", json!({"expectation": 1, "limit_ms": 10_000})),
        ("start-all", limit),
    ] {
        let request = format!("POST /v1/leases/{{lease}}/on/{{deployment}}/{what}");
        exchanges.send(&request, &places, &token, &body);
    }
    let release = json!({"began_us": 0, "torn_down": true, "suspect": null, "failed": true, "checkers": {},
        "keeps": [], "retry": null});
    exchanges.send(
        "POST /v1/leases/{lease}/release",
        &[&lease],
        &token,
        &release,
    );
    exchanges.send("POST /v1/clients/{client}/leave", &client, "", nothing);
    every_request_is_known(&exchanges.socket);
    meeting::leave(&running);
    let ran = running.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.said());

    let import = [
        "-c",
        "import jsonschema, openapi_spec_validator, referencing",
    ];
    if has("python3", &import, "ARMADILLO_REQUIRE_SCHEMAS") {
        assert_eq!(check(&description(), &exchanges.seen), Ok(()));
        // What is not as described is found.
        let mut wrong = status;
        wrong["pid"] = "a word".into();
        let wrong = json!({"method": "get", "path": "/v1/status", "status": 200, "body": null, "answer": wrong});
        let found = check(&description(), &[wrong]);
        assert!(found.is_err_and(|error| error.contains("a word")));
    }
}

/// The daemon answers every request of the description itself, if only with a refusal.
fn every_request_is_known(socket: &Path) {
    let text = std::fs::read_to_string(description()).unwrap_or_default();
    let description: Value = serde_json::from_str(&text).unwrap_or_default();
    let mut known = 0;
    for (template, methods) in description["paths"].as_object().into_iter().flatten() {
        for method in methods
            .as_object()
            .into_iter()
            .flat_map(|methods| methods.keys())
        {
            // These are obeyed whatever is sent with them, and events after the last would be waited for.
            if ["/v1/end", "/v1/stop", "/v1/doctor/stop"].contains(&template.as_str()) {
                continue;
            }
            let request = format!(
                "{} {}",
                method.to_uppercase(),
                filled(template, &["0", "0"])
            );
            let (status, answer) = ask_with_token(socket, &request, "no token", 4, "null");
            assert!(status != 501, "{request}: {status} {answer}");
            assert!(
                !answer.contains("in version 1"),
                "{request}: {status} {answer}"
            );
            known += 1;
        }
    }
    assert!(known > 30, "{known} requests in the description");
}
