use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn server(name: &str) -> End {
    End::Server(name.into())
}

fn on(from: &str, to: &str) -> Direction {
    Direction::new(server(from), server(to))
}

fn order(fault: LinkFault, directions: &[Direction]) -> LinkOrder {
    LinkOrder {
        directions: directions.to_vec(),
        stream: None,
        fault,
    }
}

fn of_stream(name: &str, order: LinkOrder) -> LinkOrder {
    LinkOrder {
        stream: Some(name.to_owned()),
        ..order
    }
}

/// A state with one connection from `a` to `b`, and a time that only the test changes.
struct Stage {
    state: State,
    now: Instant,
    no: ConnectionNo,
}

impl Stage {
    fn new() -> Self {
        let name = |first: &[u8]| {
            let text = String::from_utf8_lossy(first);
            Some(text.strip_prefix("STREAM ")?.trim().to_owned())
        };
        let mut state = State::new(Box::new(name));
        let no = state.open(Some(server("a")), &"b".into());
        assert_eq!(state.dial(no), Dial::Now);
        Self {
            state,
            now: Instant::now(),
            no,
        }
    }

    fn order(&mut self, order: &LinkOrder) -> Ticket {
        self.state.order(self.now, order).unwrap()
    }

    fn arrive(&mut self, way: Way, text: &str) {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.state.arrived(self.no, way, self.now, bytes);
    }

    fn next(&mut self, way: Way) -> Step {
        self.state.next(self.no, way, self.now)
    }

    /// All that gets through now, until there is something to wait for.
    fn delivered(&mut self, way: Way) -> String {
        let mut text = String::new();
        while let Step::Deliver(bytes) = self.next(way) {
            text += &String::from_utf8_lossy(&bytes);
        }
        text
    }

    fn is_seen(&mut self, ticket: Ticket) -> bool {
        matches!(self.state.effect(ticket), Effect::Seen(_))
    }
}

#[test]
fn nothing_is_changed_where_nothing_is_ordered() {
    let mut stage = Stage::new();
    stage.arrive(Way::There, "hello");
    stage.arrive(Way::Back, "welcome");
    assert_eq!(stage.delivered(Way::There), "hello");
    assert_eq!(stage.delivered(Way::Back), "welcome");
    stage
        .state
        .ended(stage.no, Way::There, stage.now, Ending::Finished);
    assert_eq!(stage.next(Way::There), Step::End(Ending::Finished));
    assert_eq!(stage.next(Way::There), Step::Idle);
    assert!(!stage.state.is_over(stage.no));
    stage
        .state
        .ended(stage.no, Way::Back, stage.now, Ending::Finished);
    assert_eq!(stage.next(Way::Back), Step::End(Ending::Finished));
    assert!(stage.state.is_over(stage.no));
}

#[test]
fn what_is_held_is_delivered_late_in_one_direction_only() {
    let mut stage = Stage::new();
    let held = stage.order(&order(LinkFault::Hold, &[on("a", "b")]));
    assert!(!stage.is_seen(held));
    stage.arrive(Way::Back, "welcome");
    assert_eq!(stage.delivered(Way::Back), "welcome");
    assert!(!stage.is_seen(held), "the other direction is no effect");
    stage.arrive(Way::There, "one ");
    stage.arrive(Way::There, "two");
    assert_eq!(stage.next(Way::There), Step::Idle);
    assert_eq!(stage.state.effect(held), Effect::Seen(vec![on("a", "b")]));
    let released = stage.order(&order(LinkFault::Release, &[on("a", "b")]));
    assert_eq!(stage.state.effect(released), Effect::NotYet);
    assert_eq!(stage.delivered(Way::There), "one two");
    assert!(stage.is_seen(released));
    assert!(!stage.state.is_doomed(stage.no));
}

#[test]
fn a_connection_that_missed_something_while_cut_is_reset_when_it_is_healed() {
    let both = [on("a", "b"), on("b", "a")];
    for misses in [true, false] {
        let mut stage = Stage::new();
        let cut = stage.order(&order(LinkFault::Cut, &both));
        if misses {
            stage.arrive(Way::Back, "lost");
        }
        assert_eq!(stage.next(Way::Back), Step::Idle);
        assert!(!stage.state.is_doomed(stage.no), "nobody is told yet");
        assert_eq!(stage.is_seen(cut), misses);
        let healed = stage.order(&order(LinkFault::Heal, &both));
        assert_eq!(stage.state.is_doomed(stage.no), misses);
        let effect = stage.state.effect(healed);
        assert_eq!(effect == Effect::NotYet, misses, "{effect:?}");
    }
}

#[test]
fn no_connection_is_made_through_a_link_that_is_cut_or_held_either_way() {
    for (fault, direction) in [
        (LinkFault::Cut, on("a", "b")),
        (LinkFault::Cut, on("b", "a")),
        (LinkFault::Hold, on("b", "a")),
    ] {
        let mut stage = Stage::new();
        let ticket = stage.order(&order(fault, std::slice::from_ref(&direction)));
        let no = stage.state.open(Some(server("a")), &"b".into());
        assert_eq!(stage.state.dial(no), Dial::Wait);
        assert_eq!(
            stage.state.effect(ticket),
            Effect::Seen(vec![direction.clone()])
        );
        let other = stage.state.open(Some(server("c")), &"b".into());
        assert_eq!(stage.state.dial(other), Dial::Now);
        stage.order(&order(LinkFault::Heal, &[direction]));
        let expected = if fault == LinkFault::Cut {
            Dial::Never
        } else {
            Dial::Now
        };
        assert_eq!(stage.state.dial(no), expected);
    }
}

#[test]
fn one_who_gives_up_before_it_is_connected_never_is() {
    let mut stage = Stage::new();
    stage.order(&order(LinkFault::Hold, &[on("a", "b")]));
    let no = stage.state.open(Some(server("a")), &"b".into());
    assert_eq!(stage.state.dial(no), Dial::Wait);
    stage
        .state
        .ended(no, Way::There, stage.now, Ending::Finished);
    assert_eq!(stage.state.dial(no), Dial::Never);
}

#[test]
fn a_stream_is_released_alone() {
    let mut stage = Stage::new();
    // Data comes back on a connection that asks for a stream.
    stage.arrive(Way::There, "STREAM message\n");
    let other = stage.state.open(Some(server("a")), &"b".into());
    stage.state.arrived(
        other,
        Way::There,
        stage.now,
        Bytes::from_static(b"STREAM append\n"),
    );
    let back = [on("b", "a")];
    stage.order(&order(LinkFault::Hold, &back));
    stage.arrive(Way::Back, "message");
    stage
        .state
        .arrived(other, Way::Back, stage.now, Bytes::from_static(b"append"));
    let release = of_stream("message", order(LinkFault::Release, &back));
    let released = stage.order(&release);
    assert_eq!(stage.state.next(other, Way::Back, stage.now), Step::Idle);
    assert!(!stage.is_seen(released), "the other stream is no effect");
    assert_eq!(stage.delivered(Way::Back), "message");
    assert!(stage.is_seen(released));
    // What is ordered for all is for this one, too.
    stage.order(&order(LinkFault::Hold, &back));
    stage.arrive(Way::Back, "more");
    assert_eq!(stage.next(Way::Back), Step::Idle);
    stage.order(&order(LinkFault::Heal, &back));
    assert_eq!(stage.delivered(Way::Back), "more");
}

#[test]
fn a_delay_counts_from_when_something_was_sent_and_may_grow() {
    let mut stage = Stage::new();
    let begun = stage.now;
    let ramp = LinkFault::Delay {
        from: MS * 100,
        to: MS * 300,
        over: MS * 1000,
    };
    let delay = stage.order(&order(ramp, &[on("a", "b")]));
    stage.arrive(Way::There, "first");
    assert_eq!(stage.next(Way::There), Step::Wait(begun + MS * 100));
    stage.now = begun + MS * 99;
    assert!(matches!(stage.next(Way::There), Step::Wait(_)));
    assert!(!stage.is_seen(delay));
    stage.now = begun + MS * 100;
    assert_eq!(stage.delivered(Way::There), "first");
    assert!(stage.is_seen(delay));
    stage.now = begun + MS * 500;
    stage.arrive(Way::There, "second");
    assert_eq!(stage.next(Way::There), Step::Wait(begun + MS * 700));
    stage.now = begun + MS * 5000;
    stage.arrive(Way::There, "third");
    assert_eq!(stage.delivered(Way::There), "second");
    assert_eq!(stage.next(Way::There), Step::Wait(begun + MS * 5300));
}

#[test]
fn a_bandwidth_is_shared_by_all_connections_of_a_direction() {
    let mut stage = Stage::new();
    let limit = LinkFault::Bandwidth {
        bytes_per_second: 1000,
    };
    let other = stage.state.open(Some(server("a")), &"b".into());
    let limited = stage.order(&order(limit, &[on("a", "b")]));
    for no in [stage.no, other] {
        let bytes = Bytes::from(vec![b'x'; 1000]);
        stage.state.arrived(no, Way::There, stage.now, bytes);
    }
    let (begun, mut passed) = (stage.now, 0);
    while passed < 2000 {
        let before = passed;
        for no in [stage.no, other] {
            if let Step::Deliver(bytes) = stage.state.next(no, Way::There, stage.now) {
                passed += bytes.len();
            }
        }
        assert!(passed - before <= 50, "only one at a time");
        let time = stage.now - begun;
        assert!(
            passed as f64 <= time.as_secs_f64() * 1000.0 + 51.0,
            "{passed} after {time:?}"
        );
        stage.now += MS * 10;
    }
    assert!(stage.is_seen(limited));
    assert!(stage.now - begun >= MS * 1900);
}

#[test]
fn a_reset_ends_every_connection_of_a_link_and_no_other() {
    let mut stage = Stage::new();
    let opposite = stage.state.open(Some(server("b")), &"a".into());
    let other = stage.state.open(Some(server("c")), &"b".into());
    let reset = stage.order(&order(LinkFault::Reset, &[on("a", "b")]));
    assert!(stage.is_seen(reset));
    assert!(stage.state.is_doomed(stage.no) && stage.state.is_doomed(opposite));
    assert!(!stage.state.is_doomed(other));
    let again = stage.order(&order(LinkFault::Reset, &[on("b", "c"), on("a", "c")]));
    assert!(stage.is_seen(again) && stage.state.is_doomed(other));
    let none = stage.order(&order(LinkFault::Reset, &[on("a", "c")]));
    assert!(matches!(stage.state.effect(none), Effect::Never(_)));
}

#[test]
fn a_fault_without_traffic_has_no_effect_and_is_named_when_it_ends() {
    let mut stage = Stage::new();
    let idle = order(LinkFault::Cut, &[on("b", "c")]);
    let ticket = stage.order(&idle);
    stage.arrive(Way::There, "elsewhere");
    assert_eq!(stage.delivered(Way::There), "elsewhere");
    assert_eq!(stage.state.effect(ticket), Effect::NotYet);
    let healed = stage.order(&order(LinkFault::Heal, &[on("b", "c")]));
    match stage.state.effect(healed) {
        Effect::Never(why) => assert!(why.contains("cut of b -> c"), "{why}"),
        other => panic!("{other:?}"),
    }
    stage.order(&idle);
    let busy = order(LinkFault::Hold, &[on("a", "b")]);
    stage.order(&busy);
    stage.arrive(Way::There, "held");
    let cleared = stage.state.clear(stage.now);
    assert_eq!(cleared.undone, [idle.to_string(), busy.to_string()]);
    assert_eq!(cleared.without_effect, [idle.to_string()]);
    assert_eq!(stage.delivered(Way::There), "held");
    assert_eq!(stage.state.clear(stage.now), Cleared::default());
}

#[test]
fn traffic_elsewhere_is_not_seen_as_a_heal() {
    let mut stage = Stage::new();
    stage.order(&order(LinkFault::Cut, &[on("b", "a")]));
    stage.arrive(Way::Back, "lost");
    let everything = [on("a", "b"), on("b", "a")];
    let healed = stage.order(&order(LinkFault::Heal, &everything));
    stage.arrive(Way::There, "this way was never cut");
    stage.delivered(Way::There);
    assert_eq!(stage.state.effect(healed), Effect::NotYet);
}

#[test]
fn nothing_is_ordered_about_servers_with_connections_from_nobody_known() {
    let mut stage = Stage::new();
    let unknown = stage.state.open(None, &"b".into());
    assert_eq!(stage.state.dial(unknown), Dial::Now);
    assert_eq!(stage.state.unattributed(), 1);
    let cut = order(LinkFault::Cut, &[on("a", "b")]);
    assert!(stage.state.order(stage.now, &cut).is_err());
    let elsewhere = order(LinkFault::Cut, &[on("a", "c")]);
    stage.order(&elsewhere);
    let clients = order(LinkFault::Cut, &[Direction::new(End::Clients, server("b"))]);
    stage.order(&clients);
    stage.state.close(unknown);
    stage.order(&cut);
}

#[test]
fn who_becomes_known_later_is_cut_off_as_the_others() {
    let mut stage = Stage::new();
    stage.no = stage.state.open(None, &"b".into());
    assert_eq!(stage.state.dial(stage.no), Dial::Now);
    let cut = order(LinkFault::Cut, &[on("a", "b")]);
    assert!(stage.state.order(stage.now, &cut).is_err());
    stage.state.identify(stage.no, server("a"));
    assert_eq!(stage.state.unattributed(), 0);
    stage.order(&cut);
    stage.arrive(Way::There, "lost");
    assert_eq!(stage.delivered(Way::There), "");
}

#[test]
fn whoever_is_gone_is_told_to_the_other_side() {
    let mut stage = Stage::new();
    stage.arrive(Way::Back, "nobody reads this");
    stage.state.gave_up(stage.no, Way::Back);
    stage
        .state
        .ended(stage.no, Way::There, stage.now, Ending::Broken);
    assert_eq!(stage.next(Way::Back), Step::Idle);
    stage.order(&order(LinkFault::Hold, &[on("a", "b")]));
    assert_eq!(stage.next(Way::There), Step::Idle);
    stage.order(&order(LinkFault::Release, &[on("a", "b")]));
    assert_eq!(stage.next(Way::There), Step::End(Ending::Broken));
}

/// What may happen to a connection.
#[derive(Clone, Debug)]
enum Event {
    Arrive(bool, u8),
    Order(LinkFault, bool, Option<&'static str>),
    Pass(u64),
    Clear,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let delay = (0..50u64, 0..50u64, 0..100u64).prop_map(|(from, to, over)| LinkFault::Delay {
        from: Duration::from_millis(from),
        to: Duration::from_millis(to),
        over: Duration::from_millis(over),
    });
    let fault = prop_oneof![
        Just(LinkFault::Hold),
        Just(LinkFault::Release),
        Just(LinkFault::Heal),
        delay,
        (1..5000u64).prop_map(|bytes_per_second| LinkFault::Bandwidth { bytes_per_second }),
    ];
    let stream = prop_oneof![Just(None), Just(Some("x")), Just(Some("y"))];
    let event = prop_oneof![
        3 => (any::<bool>(), 1..200u8).prop_map(|(there, length)| Event::Arrive(there, length)),
        2 => (fault, any::<bool>(), stream).prop_map(|(fault, there, stream)| Event::Order(fault, there, stream)),
        3 => (0..100u64).prop_map(Event::Pass),
        1 => Just(Event::Clear),
    ];
    vec(event, 0..60)
}

proptest! {
    /// Without a cut and a reset, a connection is a connection: what goes in comes out, in order, once, and never while it is
    /// held; and when everything is healed, all of it is there.
    #[test]
    fn nothing_is_lost_or_turned_round(events in events()) {
        let mut stage = Stage::new();
        stage.arrive(Way::There, "STREAM x\n");
        let mut sent = [b"STREAM x\n".to_vec(), Vec::new()];
        let mut got = [Vec::new(), Vec::new()];
        let mut byte = 0u8;
        let ways = [Way::There, Way::Back];
        for event in events {
            match event {
                Event::Arrive(there, length) => {
                    let way = if there { Way::There } else { Way::Back };
                    let bytes: Vec<u8> = (0..length).map(|_| { byte = byte.wrapping_add(1); byte }).collect();
                    sent[way as usize].extend_from_slice(&bytes);
                    stage.state.arrived(stage.no, way, stage.now, bytes.into());
                }
                Event::Order(fault, there, stream) => {
                    let on = if there { on("a", "b") } else { on("b", "a") };
                    let mut order = order(fault, &[on]);
                    order.stream = stream.map(str::to_owned);
                    stage.order(&order);
                }
                Event::Pass(ms) => stage.now += MS * u32::try_from(ms).unwrap(),
                Event::Clear => drop(stage.state.clear(stage.now)),
            }
            for way in ways {
                let direction = if way == Way::There { on("a", "b") } else { on("b", "a") };
                let held = stage.state.rules.rule(&direction, Some("x")).gate != Gate::Open;
                while let Step::Deliver(bytes) = stage.next(way) {
                    prop_assert!(!held && !bytes.is_empty());
                    got[way as usize].extend_from_slice(&bytes);
                }
                prop_assert!(sent[way as usize].starts_with(&got[way as usize]));
            }
        }
        stage.state.clear(stage.now);
        for way in ways {
            while let Step::Deliver(bytes) = stage.next(way) {
                got[way as usize].extend_from_slice(&bytes);
            }
            prop_assert_eq!(&sent[way as usize], &got[way as usize]);
        }
        prop_assert!(!stage.state.is_doomed(stage.no));
    }
}
