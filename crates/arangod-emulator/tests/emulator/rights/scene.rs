//! What has to be there before a request is made, and what is cleared away behind it.

use serde_json::{Value, json};

use super::table::GRANTS;
use crate::support::{Answer, Client};

const DOCUMENT: &str = "/_db/d/_api/document/c";
const TEST_USER: &str = "/_db/_system/_api/user/testuser";
const DATABASES: &str = "/_db/_system/_api/database";

/// Makes the database `d` with the collections `c` and `e`, and all users.
pub(super) fn set(client: &Client) {
    let made = |answer: Answer| assert!(answer.status < 300, "{}: {}", answer.status, answer.text);
    made(client.post(DATABASES, &json!({ "name": "d" })));
    let collections = "/_db/d/_api/collection";
    made(client.post(collections, &json!({ "name": "c" })));
    made(client.post(collections, &json!({ "name": "e", "type": 3 })));
    let documents =
        (1..=100).map(|number| json!({ "_key": format!("k{number}"), "Hallo": number }));
    made(client.post(DOCUMENT, &documents.collect()));
    let edge = |number| json!({ "_from": format!("c/k{number}"), "_to": "c/k1" });
    let edges = (1..=100).map(edge);
    made(client.post("/_db/d/_api/document/e", &edges.collect()));

    let user = |name: &str| {
        let body = json!({ "user": name, "passwd": name });
        made(client.post("/_db/_system/_api/user", &body));
    };
    let grant = |name: &str, place: &str, grant: char| {
        let right = match grant {
            'N' => "none",
            'R' => "ro",
            'W' => "rw",
            _ => return,
        };
        let path = format!("/_db/_system/_api/user/{name}/database/{place}");
        made(client.put(&path, &json!({ "grant": right })));
    };
    for database in GRANTS {
        user(&format!("A{database}"));
        grant(&format!("A{database}"), "_system", database);
        for collection in GRANTS {
            for all in GRANTS {
                let name = format!("{database}{collection}{all}");
                user(&name);
                grant(&name, "d", database);
                grant(&name, "d/*", all);
                grant(&name, "d/c", collection);
                grant(&name, "d/e", collection);
            }
        }
    }
}

/// Puts something there. The answer is its id or its token if it has one, or that the server cannot
/// make it.
pub(super) fn make(client: &Client, thing: &str) -> Result<Option<String>, Unable> {
    let answer = match thing {
        "testdoc" => client.post(
            &format!("{DOCUMENT}?overwriteMode=replace"),
            &json!({ "_key": "testdoc", "value": 1 }),
        ),
        "c_apitest" => client.post("/_db/d/_api/collection", &json!({ "name": "c_apitest" })),
        "d2" => client.post(DATABASES, &json!({ "name": "d2" })),
        "c2" => client.post("/_db/d2/_api/collection", &json!({ "name": "c2" })),
        "testuser" => client.post(
            "/_db/_system/_api/user",
            &json!({ "user": "testuser", "passwd": "testpasswd" }),
        ),
        "grant:d2" => client.put(
            &format!("{TEST_USER}/database/d2"),
            &json!({ "grant": "ro" }),
        ),
        "grant:c2" => client.put(
            &format!("{TEST_USER}/database/d2/c2"),
            &json!({ "grant": "ro" }),
        ),
        "config" => client.put(
            &format!("{TEST_USER}/config/testkey"),
            &json!({ "value": 1 }),
        ),
        "transaction" => client.post(
            "/_db/d/_api/transaction/begin",
            &json!({ "collections": { "read": ["c"] } }),
        ),
        "cursor" => client.post(
            "/_db/d/_api/cursor",
            &json!({ "query": "FOR d IN c RETURN d", "batchSize": 10 }),
        ),
        "index" => client.post(
            "/_db/d/_api/index?collection=c",
            &json!({ "type": "persistent", "fields": ["Hallo"] }),
        ),
        "graph" => client.post("/_db/d/_api/gharial", &json!({ "name": "g" })),
        "view" => client.post(
            "/_db/d/_api/view",
            &json!({ "name": "v_apitest", "type": "arangosearch" }),
        ),
        "analyzer" => client.post(
            "/_db/d/_api/analyzer",
            &json!({ "name": "apitest_analyzer", "type": "identity" }),
        ),
        "task" => client.post("/_db/d/_api/tasks", &json!({ "command": "1" })),
        "token" => client.post("/_api/token/root", &json!({ "name": "apitester-token" })),
        "job" => client
            .header("x-arango-async", "store")
            .get("/_api/version"),
        "batch" => client.post("/_api/replication/batch", &json!({ "ttl": 60 })),
        "dump" => client.post("/_db/d/_api/dump/start", &json!({ "shards": [] })),
        "login" => client.post(
            "/_open/auth",
            &json!({ "username": "AR", "password": "AR" }),
        ),
        other => panic!("nobody knows how to make {other}"),
    };
    if let Some(id) = answer.header("x-arango-async-id") {
        return Ok(Some(String::from(id)));
    }
    if answer.error() == (501, 501) {
        return Err(Unable);
    }
    assert!(answer.status < 300, "{thing}: {}", answer.text);
    let body = answer.json();
    let id = [&body["result"]["id"], &body["id"], &body["jwt"]].map(Value::as_str);
    Ok(id.into_iter().flatten().next().map(String::from))
}

/// The server says that it cannot make something.
pub(super) struct Unable;

/// Clears something away, there or not.
pub(super) fn clear(client: &Client, thing: &str) {
    let path = match thing {
        "testdoc" => format!("{DOCUMENT}/testdoc"),
        "c_apitest" => String::from("/_db/d/_api/collection/c_apitest"),
        "d2" => format!("{DATABASES}/d2"),
        "testuser" => String::from(TEST_USER),
        "transaction" | "transactions" => String::from("/_db/d/_api/transaction/write"),
        // They go with what they belong to.
        "c2" | "grant:d2" | "grant:c2" | "config" => return,
        "index" => return clear_indexes(client),
        other => panic!("nobody knows how to clear {other} away"),
    };
    let answer = client.delete(&path);
    assert!(
        answer.status < 300 || answer.status == 404,
        "{thing}: {} {}",
        answer.status,
        answer.text
    );
}

fn clear_indexes(client: &Client) {
    let list = client.get("/_db/d/_api/index?collection=c").json();
    let secondary = |index: &&Value| index["type"] != "primary";
    let indexes = list["indexes"].as_array().into_iter().flatten();
    for index in indexes.filter(secondary) {
        let path = format!("/_db/d/_api/index/{}", index["id"].as_str().unwrap());
        assert_eq!(client.delete(&path).status, 200);
    }
}
