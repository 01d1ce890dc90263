//! The agency's client against prepared answers.

mod conflicts;
mod polls;

use std::time::{Duration, Instant};

use armadillo_orchestrator::{ServerKey, View};
use serde_json::{Value, json};

use super::*;
use crate::scripted::{answer, lost, run_as, sent_on, silence};
use crate::system::tests::cluster_view;

/// A cluster of three agents, of a name of its own, because logs of leadership are kept by name.
fn view(name: &str) -> View {
    let mut view = cluster_view(3, 1, 1);
    view.deployment = name.to_owned();
    view
}

/// What the agent of that number says: whom it names, in which term, and whether it has `lastAcked`.
pub(crate) fn config(number: u32, leader: u32, term: u64, acked: bool) -> Value {
    let leader = match leader {
        0 => String::new(),
        leader => format!("AGNT-{leader}"),
    };
    let mut config = json!({
        "term": term, "leaderId": leader, "commitIndex": 42,
        "configuration": {
            "id": format!("AGNT-{number}"), "endpoint": format!("tcp://127.0.0.1:1000{number}"),
            "agency size": 3, "pool": {"AGNT-1": "tcp://127.0.0.1:10001"},
        },
    });
    if acked {
        config["lastAcked"] = json!({
            "AGNT-1": {"lastAckedTime": 0.0, "lastAckedIndex": 42, "lastAppend": 0.1},
        });
    }
    config
}

/// The agents' answers when the second leads.
fn second_leads(term: u64) -> Vec<Vec<u8>> {
    (1..=3)
        .map(|number| answer(200, &config(number, 2, term, number == 2).to_string()))
        .collect()
}

fn looks(said: &[Option<Value>]) -> Vec<Look> {
    (1..)
        .zip(said)
        .map(|(number, said)| Look {
            server: ServerKey::numbered("agent", number),
            config: match said {
                Some(said) => Ok(serde_json::from_value(said.clone()).unwrap()),
                None => Err("connection refused".into()),
            },
        })
        .collect()
}

fn led(said: &[Option<Value>]) -> Option<(String, u64)> {
    let leader = agreed(&looks(said))?;
    assert!(leader.id.starts_with("AGNT-"));
    Some((leader.server.to_string(), leader.term))
}

#[test]
fn a_leader_says_so_alone_and_is_named_by_a_majority() {
    let says = |number, leader, term, acked| Some(config(number, leader, term, acked));
    let all = [
        says(1, 2, 5, false),
        says(2, 2, 5, true),
        says(3, 2, 5, false),
    ];
    assert_eq!(led(&all), Some(("agent-2".into(), 5)));
    let one_gone = [None, says(2, 2, 5, true), says(3, 2, 5, false)];
    assert_eq!(led(&one_gone), Some(("agent-2".into(), 5)));
    let alone = [None, says(2, 2, 5, true), None];
    assert_eq!(led(&alone), None, "nobody else names it");
    let silent = [says(1, 2, 5, false), None, says(3, 2, 5, false)];
    assert_eq!(led(&silent), None, "it does not say so itself");
    let without = [
        says(1, 2, 5, false),
        says(2, 2, 5, false),
        says(3, 2, 5, false),
    ];
    assert_eq!(led(&without), None, "nobody has lastAcked");
    let thawed = [
        says(1, 1, 5, true),
        says(2, 2, 6, true),
        says(3, 2, 6, false),
    ];
    assert_eq!(led(&thawed), Some(("agent-2".into(), 6)));
    let candidate = [
        says(1, 0, 7, false),
        says(2, 2, 6, true),
        says(3, 2, 6, false),
    ];
    assert_eq!(led(&candidate), None, "a newer term has no leader yet");
    let two = [
        says(1, 1, 6, true),
        says(2, 2, 6, true),
        says(3, 2, 6, false),
    ];
    assert_eq!(led(&two), None);
    assert_eq!(rivals(&looks(&two)).len(), 2);
    assert_eq!(led(&[says(1, 1, 1, true)]), Some(("agent-1".into(), 1)));
}

#[test]
fn the_config_of_a_leader_is_read() {
    let config: AgentConfig = serde_json::from_value(config(1, 1, 3, true)).unwrap();
    assert_eq!((config.id(), config.term), ("AGNT-1", 3));
    assert!(config.leads());
    assert_eq!(config.last_acked.as_ref().unwrap()["AGNT-1"].index, 42);
    assert_eq!(config.pool()["AGNT-1"], config.endpoint());
    assert_eq!(config.commit_index, 42);
}

#[test]
fn a_read_follows_to_the_leader_and_waits_for_one() {
    let answers = vec![
        answer(503, r#"{"message":"No leader"}"#),
        sent_on("127.0.0.1:10003"),
        answer(200, r#"[{"arango":{"Plan":{"Version":7}}}]"#),
        answer(200, r#"[{"arango":{}}]"#),
    ];
    let (read, seen) = run_as(view("a-read"), answers, async |view| {
        let agency = Agency::new(&view);
        let version: Option<u64> = agency.get("/arango/Plan/Version").await.unwrap();
        let nothing: Option<u64> = agency.get("arango/Plan/Version").await.unwrap();
        (version, nothing)
    });
    assert_eq!(read, (Some(7), None));
    assert!(
        seen.iter()
            .all(|seen| seen.line == "POST /_api/agency/read")
    );
    assert!(
        seen.iter()
            .all(|seen| seen.body == json!([["/arango/Plan/Version"]]))
    );
    assert!(seen[0].head.contains("authorization: bearer "));
}

#[test]
fn a_write_goes_to_the_leader_with_operations_and_preconditions() {
    let mut answers = second_leads(5);
    answers.push(answer(200, r#"{"results":[17]}"#));
    answers.push(answer(412, r#"{"results":[18,0]}"#));
    let (written, seen) = run_as(view("a-write"), answers, async |view| {
        let agency = Agency::new(&view);
        let counted = Transaction::new()
            .increment("counter", 2)
            .delete("/old")
            .when("/counter", Precondition::Is(3.into()))
            .when("/counter", Precondition::Present)
            .client_id("me");
        let plain = Transaction::new().set("/a", json!({"b": 1}));
        let first = agency.write(&counted).await.unwrap();
        let others = agency.write_all([&plain, &counted]).await.unwrap();
        (first, others)
    });
    let (first, others) = written;
    assert_eq!(first, Written::Committed(17));
    assert!(others[0].is_committed() && !others[1].is_committed());
    assert_eq!(
        seen[3].body,
        json!([[
            {"/counter": {"op": "increment", "step": 2}, "/old": {"op": "delete"}},
            {"/counter": {"old": 3, "oldEmpty": false}},
            "me",
        ]])
    );
    assert_eq!(
        seen[4].body[0],
        json!([{"/a": {"op": "set", "new": {"b": 1}}}])
    );
    assert_eq!(seen[4].body[1], seen[3].body[0]);
    assert_eq!(seen[4].line, "POST /_api/agency/write");
}

/// Of a transaction with an id of the test's own nobody else is asked.
#[test]
fn a_write_is_not_repeated_when_it_may_have_been_done() {
    let no_commit =
        r#"{"error":true,"code":503,"errorNum":503,"errorMessage":"service unavailable"}"#;
    let unknown = [
        answer(503, r#"{"message":"commit unknown"}"#),
        answer(503, no_commit),
        answer(408, "{}"),
        lost(),
    ];
    for unknown in unknown {
        let mut answers = second_leads(5);
        answers.push(unknown);
        let (error, seen) = run_as(view("once"), answers, async |view| {
            let transaction = Transaction::new().push("/list", 1).client_id("mine");
            Agency::new(&view).write(&transaction).await.unwrap_err()
        });
        assert!(error.outcome_unknown(), "{error}");
        assert_eq!(seen.len(), 4);
    }
    let starting = r#"{"error":true,"code":503,"errorNum":503,
        "errorMessage":"service unavailable due to startup or maintenance mode"}"#;
    let early = starting.replace(" or maintenance mode", "");
    let stopping =
        r#"{"error":true,"code":503,"errorNum":30,"errorMessage":"shutdown in progress"}"#;
    for nothing in [r#"{"message":"No leader"}"#, starting, &early, stopping] {
        let mut answers = second_leads(5);
        answers.push(answer(503, nothing));
        answers.extend(second_leads(5));
        answers.push(answer(200, r#"{"results":[4]}"#));
        let (written, seen) = run_as(view("twice"), answers, async |view| {
            let transaction = Transaction::new().pop("/list");
            Agency::new(&view).write(&transaction).await
        });
        assert_eq!(written.unwrap(), Written::Committed(4));
        // It is written again without asking whether it was.
        let inquired = seen.iter().any(|seen| seen.line.ends_with("inquire"));
        assert!(!inquired, "{nothing}");
    }
}

/// The agents' answers when the third leads, in the next term.
fn third_leads() -> Vec<Vec<u8>> {
    (1..=3)
        .map(|number| answer(200, &config(number, 3, 6, number == 3).to_string()))
        .collect()
}

/// Writes to the second agent, which does not say what became of it.
fn written_after(
    unanswered: Vec<u8>,
    then: Vec<Vec<u8>>,
) -> (Result<Written, AgencyError>, Vec<crate::scripted::Seen>) {
    let mut answers = second_leads(5);
    answers.push(unanswered);
    answers.extend(then);
    run_as(view("unanswered"), answers, async |view| {
        let agency = Agency::new(&view).with_limit(Duration::from_secs(15));
        agency.write(&Transaction::new().increment("/n", 1)).await
    })
}

const NOT_KNOWN: &str = r#"{"results":[0],"inquired":true}"#;

#[test]
fn a_write_without_an_answer_is_asked_about_and_not_repeated_when_it_was_done() {
    let mut then = third_leads();
    then.push(answer(200, r#"{"results":[7],"inquired":true}"#));
    let (written, seen) = written_after(lost(), then);
    assert_eq!(written.unwrap(), Written::Committed(7));
    assert_eq!(seen[3].line, "POST /_api/agency/write");
    assert_eq!(seen[7].line, "POST /_api/agency/inquire");
    assert!(seen[3].body[0][2].is_string(), "{}", seen[3].body);
    assert_eq!(seen[7].body, json!([seen[3].body[0][2]]));
}

#[test]
fn a_write_without_an_answer_is_repeated_when_the_next_leader_does_not_know_it() {
    for unanswered in [lost(), silence(), answer(408, "{}")] {
        let mut then = third_leads();
        then.push(answer(404, NOT_KNOWN));
        then.push(answer(200, r#"{"results":[8]}"#));
        let (written, seen) = written_after(unanswered, then);
        assert_eq!(written.unwrap(), Written::Committed(8));
        assert_eq!(seen[8].body, seen[3].body);
    }
}

/// It may still take up what it was asked, even when it does not know it yet.
#[test]
fn a_write_is_not_repeated_while_the_silent_agent_leads() {
    let mut then = second_leads(5);
    then.push(answer(404, NOT_KNOWN));
    let (written, seen) = written_after(silence(), then);
    let error = written.unwrap_err();
    assert!(matches!(error, AgencyError::Lost(_)), "{error}");
    assert!(error.outcome_unknown());
    let writes = seen.iter().filter(|seen| seen.line.ends_with("/write"));
    assert_eq!(writes.count(), 1);
}

#[test]
fn several_writes_of_which_some_are_known_stay_unknown() {
    let mut answers = second_leads(5);
    answers.push(lost());
    answers.extend(third_leads());
    answers.push(answer(404, r#"{"results":[7,0],"inquired":true}"#));
    let (error, _) = run_as(view("some"), answers, async |view| {
        let agency = Agency::new(&view).with_limit(Duration::from_secs(4));
        let transactions = ["/a", "/b"].map(|key| Transaction::new().set(key, 1));
        agency.write_all(&transactions).await.unwrap_err()
    });
    assert!(error.outcome_unknown(), "{error}");
}

#[test]
fn nothing_is_written_where_nobody_leads_any_more() {
    let mut answers = second_leads(5);
    answers.push(answer(200, r#"{"results":[1]}"#));
    answers.push(answer(503, r#"{"message":"No leader"}"#));
    let limit = Duration::from_secs(4);
    let ((error, took), _) = run_as(view("no-leader"), answers, async |view| {
        let agency = Agency::new(&view).with_limit(limit);
        let set = Transaction::new().set("/a", 1);
        assert!(agency.write(&set).await.unwrap().is_committed());
        let begun = Instant::now();
        (agency.write(&set).await.unwrap_err(), begun.elapsed())
    });
    assert!(!error.outcome_unknown(), "{error}");
    let AgencyError::NoLeader { waited, .. } = error else {
        panic!("{error}");
    };
    // On a busy machine the agent's answer took a part of the time.
    assert!(
        waited <= took && took >= limit.mul_f32(0.9),
        "{waited:?} of {took:?}"
    );
}

#[test]
fn reads_and_writes_at_once_are_answered_one_by_one() {
    let mut answers = second_leads(5);
    answers.push(answer(412, r#"[{"a":1},19,{"/a":1}]"#));
    let (answers, seen) = run_as(view("transact"), answers, async |view| {
        let write = Transaction::new().set("/a", 2);
        let refused = write.clone().when("/a", Precondition::Empty);
        let queries = [
            Query::Read(vec!["a".into()]),
            Query::Write(write),
            Query::Write(refused),
        ];
        Agency::new(&view).transact(&queries).await
    });
    assert_eq!(
        answers.unwrap(),
        [
            Answer::Tree(json!({"a": 1})),
            Answer::Committed(19),
            Answer::PreconditionFailed(json!({"/a": 1})),
        ]
    );
    let body = &seen[3].body;
    assert_eq!(body[0], json!(["/a"]));
    assert_eq!(body[2][1], json!({"/a": {"oldEmpty": true}}));
}

#[test]
fn a_lost_answer_is_inquired_after_and_changes_are_polled() {
    let poll = r#"{"error":false,"code":200,"result":
        {"commitIndex":43,"firstIndex":43,"log":[{"index":43,"query":{"/a":{"op":"delete"}}}]}}"#;
    let answers = vec![
        answer(200, r#"{"results":[43],"inquired":true}"#),
        answer(404, r#"{"results":[0],"inquired":true}"#),
        answer(200, poll),
    ];
    let (all, seen) = run_as(view("inquire"), answers, async |view| {
        let agency = Agency::new(&view);
        let known = agency.inquire("me").await.unwrap();
        let unknown = agency.inquire("you").await.unwrap();
        let changes = agency.poll(43, std::time::Duration::from_secs(9)).await;
        (known, unknown, changes.unwrap())
    });
    let (known, unknown, changes) = all;
    assert_eq!((known, unknown), (Some(43), None));
    assert_eq!((changes.commit_index, changes.log[0].index), (43, 43));
    assert_eq!(seen[2].line, "GET /_api/agency/poll?index=43&timeout=2.000");
}

#[test]
fn a_redirection_to_somebody_else_is_not_followed() {
    let answers = vec![sent_on("127.0.0.1:9")];
    let (error, _) = run_as(view("elsewhere"), answers, async |view| {
        Agency::new(&view).read(&["/"]).await.unwrap_err()
    });
    let text = error.to_string();
    assert!(text.contains("not an agent"), "{text}");
    assert!(!error.outcome_unknown());
}

#[test]
fn without_a_leader_the_wait_ends_and_says_what_was_seen() {
    let (error, _) = run_as(view("nobody"), vec![], async |view| {
        let hasty = Agency::new(&view).with_limit(Duration::from_secs(4));
        hasty.leader().await.unwrap_err()
    });
    let text = error.to_string();
    assert!(text.contains("agent-3: connection refused"), "{text}");
}

#[test]
fn the_next_leader_is_waited_for() {
    let mut answers = second_leads(5);
    answers.extend(second_leads(5));
    let third = |number| answer(200, &config(number, 3, 6, number == 3).to_string());
    answers.extend((1..=3).map(third));
    run_as(view("next"), answers, async |view| {
        let agency = Agency::new(&view);
        let first = agency.leader().await.unwrap();
        let followers = agency.followers().await.unwrap();
        assert_eq!(followers, ["agent-1".into(), "agent-3".into()]);
        let next = agency.leader_after(first.term).await.unwrap();
        assert_eq!(next.to_string(), "agent-3 leads in term 6");
    });
}
