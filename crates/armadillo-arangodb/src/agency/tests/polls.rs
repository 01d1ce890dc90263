//! Long polls: whoever leads meanwhile, and for as long as said.

use super::*;

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
fn a_poll_goes_on_with_the_next_leader_for_what_is_left_of_its_time() {
    let answers = vec![
        lost(),
        answer(503, r#"{"message":"No leader"}"#),
        sent_on("127.0.0.1:10003"),
        committed(8),
        committed(9),
    ];
    let (changes, seen) = run_as(view("poll-on"), answers, async |view| {
        Agency::new(&view)
            .poll(9, Duration::from_millis(1500))
            .await
    });
    assert_eq!(changes.unwrap().commit_index, 9);
    assert!((1.4..=1.5).contains(&turn(&seen[0])), "{seen:#?}");
    assert!(turn(&seen[2]) < turn(&seen[0]), "{seen:#?}");
    assert!(turn(&seen[4]) < turn(&seen[3]), "{seen:#?}");
}

#[test]
fn a_poll_waits_for_fractions_of_a_second_and_no_longer() {
    let (changes, seen) = run_as(view("poll-short"), vec![committed(8)], async |view| {
        let agency = Agency::new(&view);
        let changes = agency.poll(9, Duration::ZERO).await;
        changes.unwrap()
    });
    assert_eq!((changes.commit_index, turn(&seen[0])), (8, 0.0));
    let (_, seen) = run_as(view("poll-200"), vec![committed(9)], async |view| {
        Agency::new(&view).poll(9, Duration::from_millis(200)).await
    });
    assert!((0.1..=0.2).contains(&turn(&seen[0])), "{seen:#?}");
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
    assert!(
        begun.elapsed() < Duration::from_secs(3),
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
