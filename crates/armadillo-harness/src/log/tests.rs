use std::sync::{Arc, Mutex};

use tracing::subscriber::with_default;
use tracing::{Level, debug, error, info, span};

use super::{Filter, Log, now};

/// What a subscriber with this filter writes while `job` runs, without the times.
fn written(filter: &str, job: impl FnOnce()) -> Vec<String> {
    let text = Arc::new(Mutex::new(String::new()));
    let sink = text.clone();
    let log = Log::new(Filter::parse(filter).0, move |line| {
        sink.lock().unwrap().push_str(line);
    });
    with_default(log, job);
    let text = text.lock().unwrap();
    let without_time = |line: &str| line[now().len()..].to_owned();
    text.lines().map(without_time).collect()
}

#[test]
fn an_event_is_a_line_with_its_fields() {
    let lines = written("info", || {
        info!(amount = 12, who = "Ann", how = %"card", r#type = ?Some(1), "paid {}", "twice");
        error!("no money");
        debug!("never shown");
    });
    let target = module_path!();
    assert_eq!(
        lines,
        [
            format!("  INFO {target}: paid twice amount=12 who=\"Ann\" how=card type=Some(1)"),
            format!(" ERROR {target}: no money"),
        ]
    );
}

#[test]
fn spans_stand_before_the_event() {
    let lines = written("info", || {
        let order = span!(Level::INFO, "order", id = 7, state = tracing::field::Empty);
        let inside = order.enter();
        info!(target: "t", "one");
        order.record("state", "paid");
        let payment = span!(Level::INFO, "payment");
        payment.in_scope(|| {
            info!(target: "t", "two");
            info!(target: "t", parent: None, "three");
            let alone = span!(parent: None, Level::INFO, "alone");
            info!(target: "t", parent: &alone, "four");
        });
        drop(inside);
        info!(target: "t", "five");
        // A span knows those around it also when they have been closed.
        drop(order);
        payment.in_scope(|| info!(target: "t", "six"));
    });
    assert_eq!(
        lines,
        [
            "  INFO order{id=7}: t: one",
            "  INFO order{id=7 state=\"paid\"}:payment: t: two",
            "  INFO t: three",
            "  INFO alone: t: four",
            "  INFO t: five",
            "  INFO order{id=7 state=\"paid\"}:payment: t: six",
        ]
    );
}

#[test]
fn spans_are_per_thread_and_forgotten_when_the_last_handle_goes() {
    let log = Arc::new(Log::new(Filter::parse("info").0, |_| {}));
    with_default(log.clone(), || {
        let outer = span!(Level::INFO, "outer");
        let inside = outer.enter();
        assert_eq!(tracing::Span::current().id(), outer.id());
        std::thread::scope(|threads| {
            threads.spawn(|| assert!(log.spans.current().is_none()));
        });
        let copy = outer.clone();
        drop(inside);
        drop(outer);
        let id = copy.id().unwrap();
        assert!(log.spans.get(&id).is_some());
        drop(copy);
        assert!(log.spans.get(&id).is_none());
    });
}
