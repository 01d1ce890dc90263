//! What was acknowledged is there after `kill -9`, whenever it comes.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::{Client, Place, Server, append};

const ROUNDS: usize = 12;
const WRITERS: usize = 3;

fn body(writer: usize, number: usize) -> Value {
    json!({ "_key": format!("w{writer}-{number}"), "n": number, "text": "x".repeat(number % 200) })
}

/// Writes until the server is gone; returns how many writes were acknowledged.
fn write(client: &Client, writer: usize, from: usize, sync: bool, stop: &AtomicBool) -> usize {
    let mut number = from;
    while !stop.load(Ordering::Relaxed) {
        let path = format!("/_api/document/c?waitForSync={sync}");
        let text = body(writer, number).to_string();
        match client.try_send("POST", &path, &text) {
            Some(answer) if answer.status == 201 || answer.status == 202 => number += 1,
            // Written, but its acknowledgement died with the server.
            Some(answer) if answer.error() == (409, 1210) => number += 1,
            Some(answer) => panic!("{}: {}", answer.status, answer.text),
            None => break,
        }
    }
    number
}

fn check(server: &Server, acknowledged: &[usize]) {
    let client = server.client();
    for (writer, count) in acknowledged.iter().enumerate() {
        let keys: Vec<String> = (0..*count).map(|n| format!("w{writer}-{n}")).collect();
        let found = client
            .put("/_api/document/c?onlyget=true", &json!(keys))
            .json();
        for (number, found) in found.as_array().unwrap().iter().enumerate() {
            let mut wanted = body(writer, number);
            wanted["_id"] = json!(format!("c/w{writer}-{number}"));
            wanted["_rev"] = found["_rev"].clone();
            assert_eq!(*found, wanted, "writer {writer}, write {number} of {count}");
        }
    }
}

#[test]
fn acknowledged_writes_survive_many_kills() {
    let place = Place::new();
    let mut acknowledged = [0; WRITERS];
    place
        .start(&[])
        .client()
        .post("/_api/collection", &json!({ "name": "c" }));
    for round in 0..ROUNDS {
        let server = place.start(&[]);
        check(&server, &acknowledged);
        let stop = AtomicBool::new(false);
        let client = server.client();
        let before: usize = acknowledged.iter().sum();
        std::thread::scope(|scope| {
            let writers: Vec<_> = acknowledged
                .into_iter()
                .enumerate()
                .map(|(writer, from)| {
                    let (client, stop) = (client.clone(), &stop);
                    scope.spawn(move || write(&client, writer, from, round % 4 == 3, stop))
                })
                .collect();
            // The kill comes in the middle of writing: after some documents are there.
            let wanted = before + 10 + 7 * round;
            crate::support::wait_for("some writes", || {
                let answer = client.try_get("/_api/collection/c/count")?;
                (answer.json()["count"].as_u64()? as usize >= wanted).then_some(())
            });
            server.kill();
            stop.store(true, Ordering::Relaxed);
            for (slot, writer) in acknowledged.iter_mut().zip(writers) {
                *slot = writer.join().unwrap();
            }
        });
        assert!(acknowledged.iter().sum::<usize>() > before);
    }
    check(&place.start(&[]), &acknowledged);
}

#[test]
fn everything_but_documents_survives_too() {
    let place = Place::new();
    let server = place.start(&[]);
    let client = server.client();
    client.post("/_api/database", &json!({ "name": "kept" }));
    client.post("/_api/database", &json!({ "name": "dropped" }));
    client.post(
        "/_db/kept/_api/collection",
        &json!({ "name": "old", "type": 3 }),
    );
    client.put(
        "/_db/kept/_api/collection/old/rename",
        &json!({ "name": "new" }),
    );
    client.put(
        "/_db/kept/_api/collection/new/properties",
        &json!({ "waitForSync": true }),
    );
    client.delete("/_api/database/dropped");
    client.post("/_api/user", &json!({ "user": "eve", "passwd": "p" }));
    client.put("/_api/user/eve/database/kept", &json!({ "grant": "ro" }));
    client.post("/_api/collection", &json!({ "name": "c" }));
    client.post(
        "/_api/document/c",
        &json!([{ "_key": "a" }, { "_key": "b" }]),
    );
    client.delete("/_api/document/c/a");
    let last = client.post("/_api/document/c", &json!({})).json();
    client.delete(&format!(
        "/_api/document/c/{}",
        last["_key"].as_str().unwrap()
    ));
    let properties = client.get("/_db/kept/_api/collection/new/properties").text;
    server.kill();

    let server = place.start(&[]);
    let client = server.client();
    assert_eq!(
        client.get("/_api/database").json()["result"],
        json!(["_system", "kept"])
    );
    assert_eq!(
        client.get("/_db/kept/_api/collection/new/properties").text,
        properties
    );
    assert_eq!(client.get("/_api/collection/c/count").json()["count"], 1);
    let eve = server.anonymous().basic("eve", "p");
    assert_eq!(eve.get("/_db/kept/_api/version").status, 200);
    // Keys and revisions never come back, not even those of documents that are gone.
    let next = client.post("/_api/document/c", &json!({})).json();
    let number = |document: &Value| document["_key"].as_str().unwrap().parse::<u64>().unwrap();
    assert!(number(&next) > number(&last));
    assert_ne!(next["_rev"], last["_rev"]);
}

#[test]
fn a_torn_tail_is_cut_off() {
    let place = Place::new();
    let server = place.start(&[]);
    let client = server.client();
    client.post("/_api/collection", &json!({ "name": "c" }));
    client.post("/_api/document/c", &json!({ "_key": "a" }));
    let journal = place.data().join("engine-rocksdb/emulator.journal");
    let intact = std::fs::metadata(&journal).unwrap().len();
    client.post("/_api/document/c", &json!({ "_key": "torn" }));
    server.kill();
    let whole = std::fs::read(&journal).unwrap();
    let frame = &whole[usize::try_from(intact).unwrap()..];
    for cut in [1, 4, 8, 20, frame.len() - 1] {
        std::fs::write(&journal, &whole[..usize::try_from(intact).unwrap()]).unwrap();
        append(&journal, &frame[..cut]);
        let server = place.start(&[]);
        let client = server.client();
        assert_eq!(client.get("/_api/document/c/a").status, 200);
        assert_eq!(client.get("/_api/document/c/torn").status, 404);
        server.kill();
        assert_eq!(std::fs::metadata(&journal).unwrap().len(), intact);
        assert!(place.log().contains(&format!("{cut} bytes were cut off")));
    }
    // Somebody else's file is not ours to cut.
    std::fs::write(&journal, "something else").unwrap();
    assert_eq!(place.run(&[]), 23);
}

#[test]
fn a_large_journal_is_read_whole() {
    let place = Place::new();
    let server = place.start(&[]);
    let client = server.client();
    client.post("/_api/collection", &json!({ "name": "c" }));
    for part in 0..20 {
        let lines: String = (0..5000)
            .map(|n| format!("{{\"_key\":\"k{part}-{n}\",\"value\":{n},\"text\":\"some text\"}}\n"))
            .collect();
        let answer = client.send("POST", "/_api/import?collection=c&type=documents", &lines);
        assert_eq!(answer.json()["created"], 5000);
    }
    server.kill();
    let server = place.start(&[]);
    let client = server.client();
    assert_eq!(
        client.get("/_api/collection/c/count").json()["count"],
        100_000
    );
    assert_eq!(
        client.get("/_api/document/c/k19-4999").json()["value"],
        4999
    );
}
