//! Who may do what.

use serde_json::json;

use crate::support::{Place, Server, token};

fn user(server: &Server, name: &str, grants: &[(&str, &str)]) {
    let root = server.client();
    let body = json!({ "user": name, "passwd": name });
    assert_eq!(root.post("/_api/user", &body).status, 201);
    for (target, grant) in grants {
        let path = format!("/_api/user/{name}/database/{target}");
        let answer = root.put(&path, &json!({ "grant": grant }));
        assert_eq!(answer.json()[*target], *grant, "{}", answer.text);
    }
}

#[test]
fn without_credentials() {
    let place = Place::new();
    let server = place.start(&[]);
    let answer = server.anonymous().get("/_api/version");
    assert_eq!(
        (answer.status, answer.json()),
        (
            401,
            json!({
                "error": true,
                "code": 401,
                "errorNum": 11,
                "errorMessage": "not authorized to execute this request",
            })
        )
    );
    let challenges = |answer: &crate::support::Answer| {
        answer
            .headers
            .iter()
            .filter(|(name, _)| name == "www-authenticate")
            .map(|(_, value)| value.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        challenges(&answer),
        [
            "Basic, realm=\"ArangoDB\"",
            "Bearer, token_type=\"JWT\", realm=\"ArangoDB\""
        ]
    );
    let quiet = server.anonymous().header("X-Omit-Www-Authenticate", "1");
    let answer = quiet.get("/_api/version");
    assert_eq!((answer.status, challenges(&answer).len()), (401, 0));
    let open = server.anonymous().get("/_admin/server/availability");
    assert_eq!(
        open.json(),
        json!({ "error": false, "code": 200, "mode": "default" })
    );
    assert_eq!(
        server
            .anonymous()
            .send("OPTIONS", "/_api/version", "")
            .status,
        200
    );
    // An unknown database is not told apart from a forbidden one.
    assert_eq!(server.anonymous().get("/_db/nope/_api/version").status, 401);
    assert_eq!(
        server.client().get("/_db/nope/_api/version").error(),
        (404, 1228)
    );
}

#[test]
fn tokens() {
    let place = Place::new();
    let server = place.start(&[]);
    let status = |claims| {
        let client = server.anonymous().bearer(&token(&claims));
        client.get("/_api/version").status
    };
    assert_eq!(status(json!({ "iss": "arangodb", "server_id": "x" })), 200);
    assert_eq!(
        status(json!({ "iss": "arangodb", "preferred_username": "root" })),
        200
    );
    assert_eq!(
        status(json!({ "iss": "arangodb", "preferred_username": "no" })),
        401
    );
    assert_eq!(status(json!({ "iss": "else", "server_id": "x" })), 401);
    assert_eq!(
        status(json!({ "iss": "arangodb", "server_id": "x", "exp": 1 })),
        401
    );
    let limited = |path| json!({ "iss": "arangodb", "server_id": "x", "allowed_paths": [path] });
    assert_eq!(status(limited("/_api/version")), 200);
    assert_eq!(status(limited("/_api/other")), 401);

    let open = |body| server.anonymous().post("/_open/auth", &body);
    let good = open(json!({ "username": "root", "password": "" }));
    let jwt = good.json()["jwt"].as_str().unwrap().to_owned();
    let client = server.anonymous().bearer(&jwt);
    assert_eq!(client.get("/_api/version").status, 200);
    let bad = open(json!({ "username": "root", "password": "x" }));
    assert_eq!(
        (bad.error(), bad.json()["errorMessage"].clone()),
        ((401, 401), json!("Wrong credentials"))
    );
    assert_eq!(open(json!({ "username": "root" })).error(), (400, 400));
}

#[test]
fn rights_on_databases_and_collections() {
    let place = Place::new();
    let server = place.start(&[]);
    let root = server.client();
    root.post("/_api/database", &json!({ "name": "d" }));
    for name in ["open", "closed"] {
        root.post("/_db/d/_api/collection", &json!({ "name": name }));
    }
    user(&server, "reader", &[("d", "ro"), ("d/closed", "none")]);
    user(&server, "writer", &[("d", "ro"), ("d/open", "rw")]);
    user(&server, "stranger", &[]);
    let client = |name: &str| server.anonymous().basic(name, name);

    assert_eq!(client("stranger").get("/_db/d/_api/version").status, 401);
    assert_eq!(client("stranger").get("/_api/user/stranger").status, 200);
    assert_eq!(
        client("reader").get("/_db/d/_api/collection/open").status,
        200
    );
    assert_eq!(
        client("reader")
            .get("/_db/d/_api/collection/closed")
            .error(),
        (403, 11)
    );
    let list = client("reader").get("/_db/d/_api/collection?excludeSystem=true");
    assert_eq!(list.json()["result"].as_array().unwrap().len(), 1);
    let insert = |name: &str| {
        client(name)
            .post("/_db/d/_api/document/open", &json!({}))
            .status
    };
    assert_eq!((insert("reader"), insert("writer")), (403, 202));
    let create = json!({ "name": "mine" });
    assert_eq!(
        client("writer")
            .post("/_db/d/_api/collection", &create)
            .error(),
        (403, 11)
    );
    assert_eq!(
        client("reader").get("/_db/d/_api/database/user").json()["result"],
        json!(["d"])
    );
    // A user of one database is nobody in another.
    assert_eq!(client("reader").get("/_api/database").status, 401);
    // Nobody but the superuser reads the table of users.
    let users = "/_api/collection/_users/count";
    let as_root = server.anonymous().basic("root", "").get(users);
    assert_eq!((as_root.error(), root.get(users).status), ((403, 11), 200));
}

#[test]
fn without_authentication() {
    let place = Place::new();
    let server = place.start(&["--server.authentication", "false"]);
    let client = server.anonymous();
    assert_eq!(client.get("/_api/version").status, 200);
    let body = json!({ "username": "root", "password": "" });
    assert_eq!(client.post("/_open/auth", &body).status, 404);
}

#[test]
fn users_come_and_go() {
    let place = Place::new();
    let server = place.start(&[]);
    let root = server.client();
    user(&server, "eve", &[("_system", "rw")]);
    let again = root.post("/_api/user", &json!({ "user": "eve" }));
    assert_eq!(again.error(), (409, 1702));
    let eve = server.anonymous().basic("eve", "eve");
    assert_eq!(eve.get("/_api/version").status, 200);
    let inactive = root.send("PATCH", "/_api/user/eve", r#"{"active":false}"#);
    assert_eq!(inactive.json()["active"], false);
    assert_eq!(eve.get("/_api/version").status, 401);
    // A token of hers is good as long as there is such a user.
    let claims = json!({ "iss": "arangodb", "preferred_username": "eve" });
    let token_of_eve = server.anonymous().bearer(&token(&claims));
    assert_eq!(token_of_eve.get("/_api/version").status, 200);
    assert_eq!(root.delete("/_api/user/eve").status, 202);
    assert_eq!(token_of_eve.get("/_api/version").status, 401);
    assert_eq!(root.delete("/_api/user/eve").error(), (404, 1703));
    let names = root.get("/_api/user").json();
    assert_eq!(
        names["result"],
        json!([{ "user": "root", "active": true, "extra": {} }])
    );
}

#[test]
fn secrets_from_a_folder() {
    let place = Place::new();
    let folder = place.file("jwt");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("-"), "the active one").unwrap();
    std::fs::write(folder.join("old"), crate::support::SECRET).unwrap();
    let mut args = place.args();
    args.retain(|arg| !arg.contains("keyfile"));
    args.push(format!("--server.jwt-secret-folder={}", folder.display()));
    let both = format!("--server.jwt-secret-folder={}", folder.display());
    assert_eq!(place.run(&[&both]), 1);
    let mut child = crate::support::command(&args)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let client =
        crate::support::Client::new(place.port.address).bearer(&crate::support::superuser_token());
    let answer = crate::support::wait_for("ready", || {
        client
            .try_get("/_api/version")
            .filter(|answer| answer.status != 503)
    });
    assert_eq!(answer.status, 200);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A folder of secrets for one server, and the options that name it.
fn folder_of(place: &Place, files: &[(&str, &str)]) -> (std::path::PathBuf, Vec<String>) {
    let folder = place.file("jwt");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, secret) in files {
        std::fs::write(folder.join(name), secret).unwrap();
    }
    let mut args = place.args();
    args.retain(|arg| !arg.contains("keyfile"));
    args.push(format!("--server.jwt-secret-folder={}", folder.display()));
    (folder, args)
}

#[test]
fn secrets_are_read_again_on_request() {
    let place = Place::new();
    let (folder, mut args) = folder_of(&place, &[("1", crate::support::SECRET)]);
    // The folder itself may be a link.
    let link = place.file("linked");
    std::os::unix::fs::symlink(&folder, &link).unwrap();
    args.retain(|arg| !arg.contains("jwt-secret-folder"));
    args.push(format!("--server.jwt-secret-folder={}", link.display()));
    args.push(String::from("--edition=enterprise"));
    let server = place.start_with(&args);
    let old = server.client();
    let path = "/_admin/server/jwt";
    let first = old.get(path).json();
    assert_eq!(first["result"]["passive"], json!([]));
    let root = server.anonymous().basic("root", "");
    assert_eq!(root.get(path).json()["result"], first["result"]);
    assert_eq!(root.send("POST", path, "").error(), (403, 11));
    assert_eq!(server.anonymous().get(path).status, 401);
    assert_eq!(old.send("PUT", path, "").status, 405);

    std::fs::write(folder.join("0"), "the next one").unwrap();
    let both = old.send("POST", path, "").json();
    assert_eq!(both["result"]["passive"][0], first["result"]["active"]);
    assert_eq!(old.get("/_api/version").status, 200);
    std::fs::remove_file(folder.join("1")).unwrap();
    assert_eq!(old.get("/_api/version").status, 200, "nothing was read yet");
    assert_eq!(old.send("POST", path, "").status, 200);
    assert_eq!(old.get("/_api/version").status, 401);
    std::fs::remove_file(folder.join("0")).unwrap();
    let claims = json!({ "iss": "arangodb", "server_id": "x" });
    let key = jsonwebtoken::EncodingKey::from_secret(b"the next one");
    let new = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
    let new = server.anonymous().bearer(&new);
    assert_eq!(new.send("POST", path, "").error(), (400, 10));
    assert_eq!(new.get("/_api/version").status, 200);
    let log = place.log();
    assert!(
        log.contains("[4a34f]") && log.contains("have 1 passive JWT secrets"),
        "{log}"
    );
}

#[test]
fn secrets_of_community_builds_are_read_once() {
    let place = Place::new();
    let server = place.start(&[]);
    for method in ["GET", "POST"] {
        let answer = server.client().send(method, "/_admin/server/jwt", "");
        assert_eq!(answer.error(), (404, 404));
    }
}
