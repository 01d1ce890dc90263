//! Databases, collections and documents beyond the recorded exchanges.

use serde_json::{Value, json};

use crate::support::{Client, Place, Server};

fn with_server(test: impl FnOnce(&Client)) {
    with_place(|_, client| test(client));
}

fn with_place(test: impl FnOnce(&Server, &Client)) {
    let place = Place::new();
    let server = place.start(&[]);
    test(&server, &server.client());
}

#[test]
fn databases() {
    with_server(|client| {
        let create = |name: &str| client.post("/_api/database", &json!({ "name": name }));
        assert_eq!(create("d").status, 201);
        assert_eq!(create("d").error(), (409, 1207));
        assert_eq!(create("a/b").error(), (400, 1229));
        let inside = client.post("/_db/d/_api/database", &json!({ "name": "e" }));
        assert_eq!(inside.error(), (403, 1230));
        let current = client.get("/_db/d/_api/database/current").json();
        assert_eq!(current["result"]["name"], "d");
        assert_eq!(current["result"]["isSystem"], false);
        assert_eq!(client.delete("/_api/database/_system").error(), (403, 11));
        assert_eq!(client.delete("/_api/database/nope").error(), (404, 1228));
        assert_eq!(client.delete("/_api/database/d").status, 200);
        assert_eq!(
            client.get("/_api/database").json()["result"],
            json!(["_system"])
        );
    });
}

#[test]
fn a_fresh_system_database() {
    with_server(|client| {
        let list = client.get("/_api/collection").json();
        let names: Vec<&str> = list["result"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| found["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "_analyzers",
                "_appbundles",
                "_apps",
                "_aqlfunctions",
                "_frontend",
                "_graphs",
                "_jobs",
                "_queues",
                "_statistics",
                "_statistics15",
                "_statisticsRaw",
                "_users"
            ]
        );
        assert_eq!(client.get("/_api/view").json()["result"], json!([]));
        let analyzers = client.get("/_api/analyzer").json()["result"].clone();
        assert_eq!(analyzers.as_array().unwrap().len(), 13);
        assert_eq!(client.get("/_api/analyzer/text_en").json()["type"], "text");
        assert_eq!(client.get("/_api/analyzer/own").error(), (404, 1202));
        assert_eq!(client.get("/_api/gharial").json()["graphs"], json!([]));
        assert_eq!(
            client.get("/_api/transaction").json(),
            json!({ "transactions": [] })
        );
        let role = client.get("/_admin/server/role").json();
        assert_eq!(
            (&role["role"], &role["mode"]),
            (&json!("SINGLE"), &json!("default"))
        );
        assert_eq!(client.get("/_admin/server/id").error(), (500, 500));
    });
}

#[test]
fn a_change_that_changes_nothing_keeps_the_revision() {
    with_server(|client| {
        client.post("/_api/collection", &json!({ "name": "c" }));
        let path = "/_api/document/c/k?versionAttribute=v&returnNew=true&returnOld=true";
        client.post("/_api/document/c", &json!({ "_key": "k", "v": 5, "n": 0 }));
        let changes = |answer: crate::support::Answer| {
            assert_eq!(answer.status, 202, "{}", answer.text);
            let body = answer.json();
            assert_eq!(body["_rev"], body["new"]["_rev"]);
            assert_eq!(body["_oldRev"], body["old"]["_rev"]);
            let is_changed = body["_rev"] != body["_oldRev"];
            assert_eq!(is_changed, body["new"] != body["old"], "{body}");
            is_changed
        };
        let patch = |path: &str, body: &Value| client.send("PATCH", path, &body.to_string());
        // Versions have to grow, as numbers without their fraction; what is no version does not count.
        for (version, is_newer) in [
            (json!(4), false),
            (json!(5), false),
            (json!(5.9), false),
            (json!(6), true),
            (json!("1"), true),
            (json!(1), true),
            (json!(-1), true),
            (json!(u64::MAX), true),
            (json!(u64::MAX - 1), false),
        ] {
            let document = json!({ "v": version, "n": 1 });
            assert_eq!(changes(client.put(path, &document)), is_newer, "{version}");
        }
        let older = json!({ "v": 2, "n": 2 });
        assert!(!changes(patch(path, &older)));
        let insert = "/_api/document/c?overwriteMode=replace&versionAttribute=v";
        let inserted = client.post(insert, &json!({ "_key": "k", "v": 2 })).json();
        assert_eq!(inserted["_rev"], inserted["_oldRev"]);
        let batch = "/_api/document/c?versionAttribute=v";
        let both = client.put(
            batch,
            &json!([{ "_key": "k", "v": 2 }, { "_key": "l", "v": 2 }]),
        );
        assert_eq!(both.json()[0]["_rev"], inserted["_rev"]);
        assert_eq!(both.json()[1]["errorNum"], 1202);
        // Nothing at all changes nothing either.
        assert!(!changes(patch(path, &json!({}))));
        assert!(!changes(patch(path, &json!({ "_key": "k" }))));
        // Without the parameter, every version is good.
        let plain = "/_api/document/c/k?returnNew=true&returnOld=true";
        assert!(changes(patch(plain, &older)));
    });
}

#[test]
fn collections() {
    with_server(|client| {
        let create = |body: Value| client.post("/_api/collection", &body);
        assert_eq!(create(json!({ "name": "c" })).status, 200);
        assert_eq!(create(json!({ "name": "c" })).error(), (409, 1207));
        assert_eq!(create(json!({ "name": "_c" })).error(), (400, 1208));
        assert_eq!(create(json!({})).error(), (400, 1208));
        let schema = create(json!({ "name": "s", "schema": { "rule": {} } }));
        assert_eq!(schema.error(), (501, 501));
        let revision = client.get("/_api/collection/c/revision").json();
        assert_eq!(revision["revision"], "54");
        client.post("/_api/document/c", &json!([{}, {}, {}]));
        assert_eq!(client.get("/_api/collection/c/count").json()["count"], 3);
        let rename = client.put("/_api/collection/c/rename", &json!({ "name": "d" }));
        assert_eq!(rename.json()["name"], "d");
        assert_eq!(client.get("/_api/collection/c").error(), (404, 1203));
        assert_eq!(client.get("/_api/collection/d/count").json()["count"], 3);
        let properties = json!({ "waitForSync": true });
        let changed = client
            .put("/_api/collection/d/properties", &properties)
            .json();
        assert_eq!(changed["waitForSync"], true);
        assert_eq!(client.post("/_api/document/d", &json!({})).status, 201);
        let id = changed["id"].as_str().unwrap();
        assert_eq!(
            client.get(&format!("/_api/collection/{id}")).json()["name"],
            "d"
        );
        client.put("/_api/collection/d/truncate", &json!({}));
        assert_eq!(client.get("/_api/collection/d/count").json()["count"], 0);
        assert_eq!(client.delete("/_api/collection/_jobs").error(), (403, 11));
        assert_eq!(client.delete("/_api/collection/d").json()["id"], id);
        assert_eq!(client.delete("/_api/collection/d").error(), (404, 1203));
    });
}

#[test]
fn conditional_requests() {
    with_server(|client| {
        client.post("/_api/collection", &json!({ "name": "c" }));
        let made = client.post("/_api/document/c", &json!({ "_key": "k", "a": 1 }));
        let etag = made.header("etag").unwrap().to_owned();
        assert_eq!(
            made.header("location"),
            Some("/_db/_system/_api/document/c/k")
        );
        let path = "/_api/document/c/k";
        let with = |name: &str, value: &str| client.header(name, value);
        let fresh = with("if-none-match", &etag).get(path);
        assert_eq!((fresh.status, fresh.text.as_str()), (304, ""));
        assert_eq!(with("if-none-match", "\"x\"").get(path).status, 200);
        assert_eq!(with("if-match", &etag).get(path).status, 200);
        assert_eq!(with("if-match", "\"x\"").get(path).error(), (412, 1200));
        let head = client.send("HEAD", path, "");
        assert_eq!(
            (head.status, head.header("etag")),
            (200, Some(etag.as_str()))
        );
        assert_eq!(client.send("HEAD", "/_api/document/c/none", "").status, 404);

        let patch = |client: &Client| client.send("PATCH", path, r#"{"b":2}"#);
        assert_eq!(patch(&with("if-match", "\"x\"")).error(), (412, 1200));
        assert_eq!(patch(&with("if-match", &etag)).status, 202);
        let stale = json!({ "_rev": etag.trim_matches('"') });
        let put = |query: &str| client.put(&format!("{path}{query}"), &stale);
        assert_eq!(put("?ignoreRevs=false").error(), (412, 1200));
        assert_eq!(put("").status, 202);
    });
}

#[test]
fn overwriting() {
    with_server(|client| {
        client.post("/_api/collection", &json!({ "name": "c" }));
        let post = |query: &str, body: Value| {
            client.post(
                &format!("/_api/document/c?returnNew=true&returnOld=true&{query}"),
                &body,
            )
        };
        let document = json!({ "_key": "k", "a": { "x": 1 }, "b": 1 });
        assert_eq!(post("", document.clone()).status, 202);
        let refused = post("", document);
        assert_eq!(refused.error(), (409, 1210));
        assert!(refused.text.contains("conflicting key: k"));
        let ignored = post("overwriteMode=ignore", json!({ "_key": "k", "z": 1 }));
        assert_eq!((ignored.status, ignored.json().get("new")), (202, None));
        let updated = post(
            "overwriteMode=update",
            json!({ "_key": "k", "a": { "y": 2 } }),
        );
        assert_eq!(updated.json()["new"]["a"], json!({ "x": 1, "y": 2 }));
        assert_eq!(updated.json()["old"]["a"], json!({ "x": 1 }));
        let replaced = post("overwriteMode=replace", json!({ "_key": "k", "c": 1 }));
        assert_eq!(replaced.json()["new"].get("a"), None);
        assert_eq!(replaced.json()["_oldRev"], updated.json()["_rev"]);
        assert_eq!(post("overwriteMode=x", json!({})).error(), (400, 10));
        assert_eq!(
            client
                .post("/_api/document/c?silent=true", &json!({}))
                .json(),
            json!({})
        );
    });
}

#[test]
fn batches_tell_about_each_element() {
    with_server(|client| {
        client.post("/_api/collection", &json!({ "name": "c" }));
        let batch = json!([{ "_key": "a" }, { "_key": "a" }, { "_key": "ä" }, 5, { "_key": "b" }]);
        let answer = client.post("/_api/document/c", &batch);
        assert_eq!(answer.status, 202);
        let codes: Value =
            serde_json::from_str(answer.header("x-arango-error-codes").unwrap()).unwrap();
        assert_eq!(codes, json!({ "1210": 1, "1221": 1, "1227": 1 }));
        let silent = client.post(
            "/_api/document/c?silent=true",
            &json!([{ "_key": "a" }, {}]),
        );
        assert_eq!(silent.json().as_array().unwrap().len(), 1);
        let patch = json!([{ "_key": "a", "n": 1 }, { "_key": "none" }, { "n": 1 }]);
        let answer = client.send(
            "PATCH",
            "/_api/document/c?returnNew=true",
            &patch.to_string(),
        );
        let results = answer.json();
        assert_eq!(results[0]["new"]["n"], 1);
        assert_eq!(
            (&results[1]["errorNum"], &results[2]["errorNum"]),
            (&json!(1202), &json!(1221))
        );
        let read = client.put(
            "/_api/document/c?onlyget=true",
            &json!(["a", "c/b", "none"]),
        );
        assert_eq!(read.json()[1]["_key"], "b");
        assert_eq!(read.header("x-arango-error-codes"), Some("{\"1202\":1}"));
    });
}

#[test]
fn keys() {
    with_server(|client| {
        let create = |name: &str, options: Value| {
            let body = json!({ "name": name, "keyOptions": options });
            client.post("/_api/collection", &body)
        };
        let key = |name: &str| {
            let made = client.post(&format!("/_api/document/{name}"), &json!({}));
            made.json()["_key"].as_str().unwrap().to_owned()
        };
        create(
            "auto",
            json!({ "type": "autoincrement", "increment": 5, "offset": 3 }),
        );
        assert_eq!([key("auto"), key("auto")], ["8", "13"]);
        create("uuid", json!({ "type": "uuid" }));
        assert_eq!(key("uuid").len(), 36);
        create("plain", json!({}));
        client.post("/_api/document/plain", &json!({ "_key": "1000000" }));
        assert!(key("plain").parse::<u64>().unwrap() > 1_000_000);
        create("own", json!({ "allowUserKeys": false }));
        let refused = client.post("/_api/document/own", &json!({ "_key": "k" }));
        assert_eq!(refused.error(), (400, 1222));
        assert_eq!(
            create("bad", json!({ "type": "magic" })).error(),
            (400, 1232)
        );
    });
}

#[test]
fn imports() {
    with_server(|client| {
        client.post("/_api/collection", &json!({ "name": "c" }));
        let import = |query: &str, body: &str| {
            let path = format!("/_api/import?collection=c&details=true&{query}");
            client.send("POST", &path, body)
        };
        let counts = |answer: &crate::support::Answer| {
            let body = answer.json();
            ["created", "updated", "ignored", "errors", "empty"]
                .map(|name| body[name].as_u64().unwrap())
        };
        let table = import("", "[\"_key\",\"n\"]\n[\"a\",1]\n\n[\"b\",2]\n[\"c\"]\n");
        assert_eq!(counts(&table), [2, 0, 0, 1, 1]);
        let list = r#"[{"_key":"a","m":1},{"_key":"d"}]"#;
        assert_eq!(
            counts(&import("type=auto&onDuplicate=update", list)),
            [1, 1, 0, 0, 0]
        );
        assert_eq!(client.get("/_api/document/c/a").json()["n"], 1);
        assert_eq!(
            counts(&import("type=list&onDuplicate=ignore", list)),
            [0, 0, 2, 0, 0]
        );
        let all = r#"[{"_key":"new"},{"_key":"new"}]"#;
        assert_eq!(
            import("type=list&complete=true&overwrite=true", all).error(),
            (409, 1210)
        );
        assert_eq!(client.get("/_api/collection/c/count").json()["count"], 3);
        assert_eq!(
            counts(&import("type=list&overwrite=true", all)),
            [1, 0, 0, 1, 0]
        );
        assert_eq!(client.get("/_api/collection/c/count").json()["count"], 1);
    });
}

#[test]
fn read_only_mode() {
    with_place(|server, client| {
        client.post("/_api/collection", &json!({ "name": "c" }));
        let mode = |mode: &str| client.put("/_admin/server/mode", &json!({ "mode": mode }));
        assert_eq!(mode("readonly").json()["mode"], "readonly");
        let root = server.anonymous().basic("root", "");
        let insert = |client: &Client| client.post("/_api/document/c", &json!({}));
        assert_eq!(insert(&root).error(), (403, 1004));
        assert_eq!(root.delete("/_api/collection/c").error(), (403, 11));
        // The superuser may write, and the server is available.
        assert_eq!(insert(client).status, 202);
        let available = client.get("/_admin/server/availability");
        assert_eq!(available.status, 200);
        assert_eq!(available.json()["mode"], "readonly");
        assert_eq!(client.get("/_api/collection/c/count").status, 200);
        assert_eq!(mode("default").status, 200);
        assert_eq!(client.post("/_api/document/c", &json!({})).status, 202);
        assert_eq!(mode("other").error(), (400, 400));
    });
}

#[test]
fn what_is_not_there_says_so() {
    with_server(|client| {
        client.post("/_api/collection", &json!({ "name": "c" }));
        let requests = [
            ("POST", "/_api/cursor"),
            ("POST", "/_api/view"),
            ("POST", "/_api/gharial"),
            ("POST", "/_api/analyzer"),
            ("POST", "/_api/tasks"),
            ("GET", "/_api/collection/c/figures"),
            ("GET", "/_api/collection/c/checksum"),
            ("GET", "/_admin/statistics"),
            ("GET", "/_api/foxx"),
        ];
        for (method, path) in requests {
            let answer = client.send(method, path, "{}");
            assert_eq!(answer.error(), (501, 501), "{method} {path}");
            let message = answer.json()["errorMessage"].as_str().unwrap().to_owned();
            assert!(
                message.starts_with("the emulator does not implement "),
                "{message}"
            );
        }
        let health = client.get("/_admin/cluster/health");
        assert_eq!(health.error(), (403, 403));
        // There are no queries, no cursors and no stored answers, and it says so.
        for (method, path, error) in [
            ("DELETE", "/_api/query/1", (404, 1591)),
            ("PUT", "/_api/cursor/1", (404, 1600)),
            ("GET", "/_api/job/1", (404, 404)),
            ("PUT", "/_api/transaction/1", (404, 1655)),
        ] {
            assert_eq!(
                client.send(method, path, "").error(),
                error,
                "{method} {path}"
            );
        }
        assert_eq!(client.get("/_api/query/current").json(), json!([]));
        // What arangod has not got either is not there.
        for path in [
            "/foo/bar",
            "/_admin/nothing",
            "/_api/nothing",
            "/_api/agency/config",
        ] {
            assert_eq!(client.get(path).error(), (404, 404), "{path}");
        }
        let in_transaction = client.header("x-arango-trx-id", "1");
        assert_eq!(
            in_transaction.post("/_api/document/c", &json!({})).error(),
            (501, 501)
        );
        assert_eq!(client.get("/_api/collection/c/count").json()["count"], 0);
    });
}

#[test]
fn the_log_and_its_levels() {
    with_server(|client| {
        let found = client
            .get("/_admin/log/entries?search=ready+for+business")
            .json();
        assert_eq!(found["total"], 1);
        let message = found["messages"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("[cf3f4] {general} "));
        let levels = client
            .put("/_admin/log/level", &json!({ "startup": "trace" }))
            .json();
        assert_eq!(
            (&levels["startup"], &levels["general"]),
            (&json!("TRACE"), &json!("INFO"))
        );
        let set = |topic: &str, level: &str| {
            let body = json!({ topic: level });
            client.put("/_admin/log/level", &body).status
        };
        // A topic that does not exist is no error.
        assert_eq!((set("x", "trace"), set("startup", "x")), (200, 400));
        assert_eq!(client.delete("/_admin/log/level").json()["startup"], "INFO");
        let metrics = client.get("/_admin/metrics/v2");
        assert_eq!(metrics.header("content-type"), Some("text/plain"));
        assert!(
            metrics
                .text
                .contains("arangodb_server_statistics_server_uptime_total{role=\"SINGLE\"}")
        );
    });
}

#[test]
fn definitions_of_indexes_are_kept() {
    let place = Place::new();
    let server = place.start(&[]);
    let client = server.client();
    client.post("/_api/collection", &json!({ "name": "c" }));
    client.post("/_api/collection", &json!({ "name": "e", "type": 3 }));
    let ensure = |body: Value| client.post("/_api/index?collection=c", &body);
    let body = json!({ "type": "persistent", "fields": ["a"], "name": "by_a" });
    let made = ensure(body.clone());
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (made.status, &made.json()["isNewlyCreated"]),
        (201, &json!(true))
    );
    let again = ensure(body);
    assert_eq!((again.status, &again.json()["id"]), (200, &json!(id)));
    let unique = ensure(json!({ "type": "persistent", "fields": ["a"], "unique": true }));
    assert_eq!(unique.error(), (501, 501));
    assert_eq!(ensure(json!({ "type": "x" })).error(), (400, 10));
    let count = |client: &Client, name: &str| {
        let path = format!("/_api/index?collection={name}");
        client.get(&path).json()["indexes"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!((count(&client, "c"), count(&client, "e")), (2, 2));
    let selectivity = client.get("/_api/index/selectivity?collection=c").json()["indexes"].clone();
    assert_eq!(selectivity, json!({ "c/0": 1, id.as_str(): 1 }));
    server.kill();

    let server = place.start(&[]);
    let client = server.client();
    assert_eq!(client.get("/_api/index/c/by_a").json()["id"], json!(id));
    assert_eq!(
        client.delete(&format!("/_api/index/{id}")).json()["id"],
        json!(id)
    );
    assert_eq!(client.get("/_api/index/c/by_a").error(), (404, 1212));
    assert_eq!(client.delete("/_api/index/c/primary").error(), (403, 11));
    assert_eq!(count(&client, "c"), 1);
}

#[test]
fn names_are_in_normal_form_c() {
    with_server(|client| {
        let create = |name: &str| client.post("/_api/database", &json!({ "name": name }));
        assert_eq!(create("n\u{303}").error(), (400, 1229));
        assert_eq!(create("\u{f1}").status, 201);
    });
}

#[test]
fn without_foxx_other_paths_are_forbidden() {
    let place = Place::new();
    let server = place.start(&["--foxx.enable=false", "--edition=enterprise"]);
    assert_eq!(server.client().get("/foo/bar").error(), (403, 11));
    assert_eq!(server.client().get("/_admin/nothing").error(), (404, 404));
    let version = server.client().get("/_api/version?details=true").json();
    assert_eq!(version["license"], "enterprise");
    assert_eq!(version["details"]["license"], "enterprise");
}

#[test]
fn transactions_are_seen_until_they_are_aborted() {
    let place = Place::new();
    let server = place.start(&[]);
    let client = server.client();
    client.post("/_api/collection", &json!({"name": "c"}));
    let begin = |collections: Value| {
        let body = json!({ "collections": collections });
        client.post("/_api/transaction/begin", &body)
    };
    assert_eq!(begin(json!({"read": "nothing"})).error(), (404, 1203));
    assert_eq!(begin(json!(7)).error(), (400, 10));
    let begun = begin(json!({"write": ["c"], "read": "_users"}));
    assert_eq!(
        (begun.status, &begun.json()["result"]["status"]),
        (201, &json!("running"))
    );
    let id = String::from(begun.json()["result"]["id"].as_str().unwrap());
    let listed = client.get("/_api/transaction").json()["transactions"].clone();
    assert_eq!(listed, json!([{ "id": id, "state": "running" }]));
    let path = format!("/_api/transaction/{id}");
    assert_eq!(
        client.get(&path).json()["result"],
        json!({"id": id, "status": "running"})
    );
    let in_it = client.header("x-arango-trx-id", &id);
    assert_eq!(
        in_it.post("/_api/document/c", &json!({})).error(),
        (501, 501)
    );
    assert_eq!(client.send("PUT", &path, "").error(), (501, 501));
    assert_eq!(
        client.delete(&path).json()["result"],
        json!({"id": id, "status": "aborted"})
    );
    assert_eq!(
        client.get("/_api/transaction").json()["transactions"],
        json!([])
    );
    assert_eq!(client.get(&path).json()["result"]["status"], "aborted");
    assert_eq!(client.get("/_api/transaction/1").error(), (404, 1655));
}
