//! When a request is sent again: servers that end at each point of a request.

use std::time::Duration;

use super::*;
use crate::client::retry::Effect;
use crate::scripted::{Seen, cut, lost, run_two, silence, unread};

/// What one coordinator answers to its requests.
type Answers = Vec<Vec<u8>>;

fn good() -> Vec<u8> {
    answer(200, r#"{"_id":"docs/k","_key":"k","_rev":"_a"}"#)
}

fn refusal(status: u16, number: u32) -> Vec<u8> {
    let body = json!({"error": true, "code": status, "errorNum": number, "errorMessage": "no"});
    answer(status, &body.to_string())
}

/// A request that reads, and one that writes.
fn requests() -> [Request; 2] {
    let path = "/_db/d/_api/document/docs";
    let write = Request::post(path).json(&json!({"n": 1}));
    [Request::get(format!("{path}/k")), write]
}

/// Sends the request to two coordinators with these answers; so many of them must be asked for.
fn send(
    request: &Request,
    answers: [Answers; 2],
    asked: [usize; 2],
) -> (Result<Response, ArangoError>, [Vec<Seen>; 2]) {
    let (came, seen) = run_two(answers, async |view| {
        let client = ArangoClient::superuser(&view);
        client.with_limit(LIMIT).request(request.clone()).await
    });
    let counts = seen.each_ref().map(Vec::len);
    assert_eq!(counts, asked, "{came:?} {seen:#?}");
    (came, seen)
}

/// Sends the request to two coordinators, of which the second is well and must not be asked.
fn send_once(request: &Request, first: Vec<u8>) -> Result<Response, ArangoError> {
    send(request, [vec![first], vec![good()]], [1, 0]).0
}

/// For requests that are never answered; long enough for all others.
const LIMIT: Duration = Duration::from_secs(2);

#[test]
fn another_coordinator_does_what_the_first_certainly_did_not() {
    for request in requests() {
        // Nobody listens, and a server that has just started.
        for (first, asked) in [(vec![], 0), (vec![refusal(503, 503)], 1)] {
            let (came, seen) = send(&request, [first, vec![good()]], [asked, 1]);
            assert_eq!(came.unwrap().status, 200);
            assert!(seen[1][0].line.starts_with(request.method));
        }
    }
}

#[test]
fn a_lost_answer_is_read_elsewhere_and_a_write_is_of_unknown_outcome() {
    let [read, write] = requests();
    for end in [lost(), cut()] {
        let (came, seen) = send(&read, [vec![end.clone()], vec![good()]], [1, 1]);
        assert_eq!(came.unwrap().status, 200);
        assert_eq!(seen[0][0].line, seen[1][0].line);
        let error = send_once(&write, end).unwrap_err();
        assert!(error.outcome_unknown(), "{error}");
    }
    // Whether the request was sent that nobody read, the client need not know.
    let (came, _) = send(&read, [vec![unread()], vec![good()]], [1, 1]);
    assert_eq!(came.unwrap().status, 200);
}

#[test]
fn a_server_that_ends_may_have_begun_to_write() {
    let [read, write] = requests();
    let ends = || refusal(503, 30);
    let (came, _) = send(&read, [vec![ends()], vec![good()]], [1, 1]);
    assert_eq!(came.unwrap().status, 200);
    assert_eq!(send_once(&write, ends()).unwrap().status, 503);
}

#[test]
fn no_answer_in_time_and_every_other_answer_is_what_came_of_it() {
    for request in requests() {
        // A server that waits for the next request keeps the connection of this one.
        let silent = vec![silence(), good()];
        let (came, _) = send(&request, [silent, vec![good()]], [1, 0]);
        let error = came.unwrap_err();
        assert!(error.outcome_unknown(), "{error}");
        for (status, number) in [(404, 1202), (409, 1210), (500, 4), (503, 1478), (501, 9)] {
            let came = send_once(&request, refusal(status, number));
            assert_eq!(came.unwrap().status, status);
        }
    }
}

#[test]
fn when_all_are_gone_it_is_told_what_one_of_them_said_or_did() {
    let [read, _] = requests();
    let (came, _) = send(&read, [vec![refusal(503, 503)], vec![]], [1, 0]);
    assert_eq!(came.unwrap().status, 503);
    for (answers, asked) in [
        ([vec![lost()], vec![]], [1, 0]),
        ([vec![lost()], vec![lost()]], [1, 1]),
    ] {
        let error = send(&read, answers, asked).0.unwrap_err().to_string();
        assert!(error.contains("connection lost"), "{error}");
    }
    let error = send(&read, [vec![], vec![]], [0, 0]).0.unwrap_err();
    assert!(error.to_string().contains("connection refused"), "{error}");
}

#[test]
fn a_server_that_has_just_started_is_asked_again_wherever_it_is() {
    for request in requests() {
        let refused = || refusal(401, 11);
        let (came, _) = send(&request, [vec![refused(), good()], vec![good()]], [2, 0]);
        assert_eq!(came.unwrap().status, 200);
        let (came, _) = send(&request, [vec![], vec![refused(), good()]], [0, 2]);
        assert_eq!(came.unwrap().status, 200);
        let (came, _) = send(
            &request,
            [vec![refused(), refused(), good()], vec![good()]],
            [2, 0],
        );
        assert_eq!(came.unwrap().status, 401);
    }
}

#[test]
fn a_lone_server_is_asked_once_more_for_what_it_did_not_say() {
    let [read, write] = requests();
    let lone = |request: Request, answers: Answers| {
        run(answers, async |view| {
            ArangoClient::superuser(&view).request(request).await
        })
    };
    let (came, _) = lone(read.clone(), vec![lost(), good()]);
    assert_eq!(came.unwrap().status, 200);
    let (came, _) = lone(read.clone(), vec![lost(), lost()]);
    assert!(came.unwrap_err().to_string().contains("connection lost"));
    let (came, _) = lone(read, vec![refusal(503, 503)]);
    assert_eq!(came.unwrap().status, 503);
    let (came, _) = lone(write, vec![lost()]);
    assert!(came.unwrap_err().outcome_unknown());
}

#[test]
fn method_and_path_tell_what_reads() {
    let reads = |method: &'static str, path: &str| {
        Effect::of(&Request::new(method, path.to_owned())) == Effect::Reads
    };
    for (method, path) in [
        ("GET", "/_api/version"),
        ("HEAD", "/_db/d/_api/document/c/k"),
        ("GET", "/_db/_system/_admin/cluster/health"),
        ("PUT", "/_db/d/_api/document/c?onlyget=true"),
        ("PUT", "/_db/d/_api/collection/c/responsibleShard"),
        ("POST", "/_db/d/_api/cursor/7/2"),
    ] {
        assert!(reads(method, path), "{method} {path}");
    }
    for (method, path) in [
        ("POST", "/_db/d/_api/cursor"),
        ("POST", "/_db/d/_api/cursor/7"),
        ("PUT", "/_db/d/_api/document/c"),
        ("PUT", "/_db/d/_api/document/c?x=onlyget=true"),
        ("DELETE", "/_db/d/_api/document/c/k"),
        // A Foxx service may do anything.
        ("GET", "/_db/d/shop/buy"),
        ("GET", "/_db/_api/shop/buy"),
    ] {
        assert!(!reads(method, path), "{method} {path}");
    }
}
