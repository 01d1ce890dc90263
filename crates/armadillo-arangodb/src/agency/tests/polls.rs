//! Long polls: whoever leads meanwhile, and for as long as said.

use super::*;
use crate::scripted::run_until_over;

/// How long the agent was to wait, in seconds.
fn turn(seen: &crate::scripted::Seen) -> f64 {
    let (_, seconds) = seen.line.split_once("timeout=").unwrap();
    seconds.parse().unwrap()
}

/// An answer to a poll when so many entries are committed, with none of them.
fn committed(index: u64) -> Vec<u8> {
    let result = json!({"commitIndex": index, "firstIndex": index, "log": []});
    answer(200, &json!({"result": result}).to_string())
}

#[test]
fn a_poll_goes_on_with_the_next_leader() {
    let answers = vec![
        lost(),
        answer(503, r#"{"message":"No leader"}"#),
        sent_on("127.0.0.1:10003"),
        committed(8),
        committed(9),
    ];
    let (changes, seen) = run_as(view("poll-on"), answers, async |view| {
        Agency::new(&view).poll(9, Duration::from_secs(60)).await
    });
    assert_eq!(changes.unwrap().commit_index, 9);
    // Nobody is left to wait for all of it.
    assert!(seen.iter().all(|seen| turn(seen) == 2.0), "{seen:#?}");
}

#[test]
fn each_agent_is_left_to_wait_for_what_is_left_of_the_time() {
    const WAIT: Duration = Duration::from_millis(1500);
    let (took, seen) = run_until_over(view("poll-left"), vec![committed(8); 30], async |view| {
        let agency = Agency::new(&view);
        let begun = Instant::now();
        let changes = agency.poll(9, WAIT).await;
        assert_eq!(changes.unwrap().commit_index, 8);
        begun.elapsed()
    });
    let turns: Vec<f64> = seen.iter().map(turn).collect();
    assert!(took >= WAIT && turns[0] <= WAIT.as_secs_f64(), "{turns:?}");
    let shrinks = |two: &[f64]| two[1] < two[0] || two[1] == 0.0;
    assert!(turns.windows(2).all(shrinks), "{turns:?}");
}

#[test]
fn a_poll_waits_for_fractions_of_a_second_and_no_longer() {
    let (changes, seen) = run_as(view("poll-short"), vec![committed(8)], async |view| {
        let agency = Agency::new(&view);
        let changes = agency.poll(9, Duration::ZERO).await;
        changes.unwrap()
    });
    assert_eq!((changes.commit_index, turn(&seen[0])), (8, 0.0));
    let (took, seen) = run_as(view("poll-200"), vec![committed(9)], async |view| {
        let begun = Instant::now();
        let agency = Agency::new(&view);
        agency.poll(9, Duration::from_millis(200)).await.unwrap();
        begun.elapsed()
    });
    // A slow machine has asked later, for what was left then.
    let least = (0.199 - took.as_secs_f64()).max(0.0);
    assert!(
        (least..=0.2).contains(&turn(&seen[0])),
        "{took:?} {seen:#?}"
    );
}

#[test]
fn a_poll_without_a_leader_ends_with_its_limit_and_its_wait() {
    let begun = Instant::now();
    let (error, _) = run_as(view("poll-nobody"), vec![], async |view| {
        let agency = Agency::new(&view).with_limit(Duration::from_millis(200));
        let poll = agency.poll(1, Duration::from_millis(300));
        poll.await.unwrap_err()
    });
    assert!(matches!(error, AgencyError::NoLeader { .. }), "{error}");
    assert!(!error.outcome_unknown());
    // And not with the limit that agencies have by themselves.
    assert!(
        begun.elapsed() < Duration::from_secs(25),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_poll_does_not_stay_with_a_frozen_agent() {
    let begun = Instant::now();
    let answers = vec![silence(), committed(9)];
    let (changes, _) = run_as(view("poll-frozen"), answers, async |view| {
        Agency::new(&view).poll(9, Duration::from_secs(60)).await
    });
    assert_eq!(changes.unwrap().commit_index, 9);
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}
