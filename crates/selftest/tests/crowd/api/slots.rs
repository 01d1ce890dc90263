//! Clients that share their slots: the daemon decides how many tests run at once over all of them.

use std::path::Path;

use armadillo_selftest::meeting;
use serde_json::{Value, json};

use super::{post, socket, staying};

/// What the daemon answers to a client; `path` is below those of the client.
fn say(socket: &Path, client: &Value, path: &str, body: &Value) -> Value {
    let (code, said) = post(socket, &format!("/v1/clients/{client}/{path}"), body);
    assert_eq!(code, 200, "{path}: {said}");
    serde_json::from_str(&said).unwrap_or_default()
}

#[test]
fn a_slot_is_one_clients_until_it_is_free_again() {
    let running = staying();
    let socket = socket(&running);
    let join = || {
        let joined = json!({"slots": 3, "shared_slots": 3});
        let (code, said) = post(&socket, "/v1/clients", &joined);
        assert_eq!(code, 200, "{said}");
        let joined: Value = serde_json::from_str(&said).unwrap_or_default();
        joined["client"].clone()
    };
    let mut polls = 0;
    let mut next = |client: &Value| {
        polls += 1;
        let ready = json!({"poll": polls, "wait": false, "plain": true});
        say(&socket, client, "next", &ready)
    };
    let (one, other) = (join(), join());
    // A test with a lease is running; two slots are left.
    assert_eq!(next(&one), json!("plain"));
    assert_eq!(next(&other), json!("plain"));
    assert_eq!(next(&one), json!("nothing"));
    assert_eq!(next(&other), json!("nothing"));
    say(&socket, &one, "free-slot", &Value::Null);
    assert_eq!(next(&other), json!("plain"));
    assert_eq!(next(&one), json!("nothing"));
    // Whoever goes takes no slot along.
    say(&socket, &other, "leave", &Value::Null);
    assert_eq!(next(&one), json!("plain"));
    assert_eq!(next(&one), json!("plain"));
    assert_eq!(next(&one), json!("nothing"));
    say(&socket, &one, "leave", &Value::Null);
    meeting::leave(&running);
    let ran = running.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
}
