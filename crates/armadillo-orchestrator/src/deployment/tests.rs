//! The order of starts and stops, for plans of every shape.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

use super::fake::{Act, Did, Theatre, key};
use super::*;
use crate::deadline::Deadline;
use crate::operations::{Change, Direction};
use crate::program::Program;
use crate::programs::Programs;
use crate::server::Stage;
use crate::topology::Topology;

/// More virtual time than any of these plans takes.
const LIMIT: Duration = Duration::from_secs(600);

/// The longest pause between two looks at a server.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

fn program(path: &str) -> Program {
    Program {
        path: path.into(),
        leading_args: Vec::new(),
        version: None,
        title: "fake".into(),
        stand_in: path == "/stand-in",
        note: None,
        origin: None,
        sanitizers: Default::default(),
        features: Default::default(),
    }
}

async fn start(theatre: &Theatre) -> Arc<Deployment> {
    let mut programs = Programs::default();
    programs.add("fake", None, program("/own"));
    let nowhere = Path::new("/nonexistent");
    start_on(theatre, programs, BTreeMap::new(), nowhere)
        .await
        .unwrap()
}

async fn start_on(
    theatre: &Theatre,
    programs: Programs,
    binaries: BTreeMap<String, String>,
    directory: &Path,
) -> Result<Arc<Deployment>, StartError> {
    let request = StartRequest {
        id: "fake-1".into(),
        system: Box::leak(Box::new(theatre.clone())),
        topology: Topology {
            system: "fake".into(),
            shape: "row".into(),
            params: BTreeMap::new(),
            words: Default::default(),
            options: Vec::new(),
            binaries,
            data: None,
        },
        settings: Default::default(),
        programs,
        directory: directory.into(),
        secrets: None,
        share: None,
        deadline: Deadline::after(LIMIT),
    };
    let (notices, _) = unbounded_channel();
    Deployment::start(Arc::new(theatre.clone()), request, notices).await
}

/// A server that takes no time for anything.
fn at_once() -> Act {
    Act {
        after: Vec::new(),
        stop_after: Vec::new(),
        answers: Duration::ZERO,
        ready: Duration::ZERO,
        ends: Duration::ZERO,
    }
}

#[test]
fn who_led_is_logged_also_while_nobody_asks() {
    let theatre = Theatre::new(vec![at_once(), at_once()]);
    let lead = |leader: Option<usize>, term| {
        *theatre.leader.lock().unwrap() = Some((leader.map(key), term));
    };
    lead(Some(0), 1);
    let directory = tempfile::tempdir().unwrap();
    block_on(async {
        let mut programs = Programs::default();
        programs.add("fake", None, program("/own"));
        let started = start_on(&theatre, programs, BTreeMap::new(), directory.path()).await;
        let deployment = started.unwrap();
        // More than the time between two looks.
        let while_nobody_asks = async || tokio::time::sleep(Duration::from_secs(2)).await;
        lead(None, 1);
        while_nobody_asks().await;
        lead(Some(1), 2);
        while_nobody_asks().await;
        while_nobody_asks().await;
        let log = deployment.leadership_log();
        let said: Vec<String> = log.entries().iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "troupe: s-0 leads in term 1",
                "troupe: no leader in term 1",
                "troupe: s-1 leads in term 2"
            ]
        );
        let file = std::fs::read_to_string(directory.path().join("leaders.jsonl")).unwrap();
        assert_eq!(file, log.to_lines());
        let evidence = directory.path().join("evidence");
        deployment.evidence(&evidence, LIMIT).await;
        let file = std::fs::read_to_string(evidence.join("leaders.jsonl")).unwrap();
        assert_eq!(file, log.to_lines());
        // What has ended is not looked at any more, and what is dropped keeps nothing alive.
        deployment.stop(LIMIT).await;
        lead(Some(0), 3);
        while_nobody_asks().await;
        assert_eq!(deployment.leadership_log(), log);
        let weak = Arc::downgrade(&deployment);
        drop(deployment);
        while_nobody_asks().await;
        assert!(weak.upgrade().is_none());
    });
}

/// One that closes a connection and is there, as a server that somebody else started may do. The clock is the real one: that of a
/// deadline is, too.
#[test]
fn a_server_that_seemed_to_end_is_not_waited_for() {
    let theatre = Theatre::new(vec![at_once()]);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().unwrap();
    runtime.block_on(async {
        let deployment = start(&theatre).await;
        theatre.in_doubt.store(true, Ordering::SeqCst);
        let is_there = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            theatre.in_doubt.store(false, Ordering::SeqCst);
        };
        let noted = async { tokio::join!(deployment.note_exits(LIMIT), is_there) };
        let noted = tokio::time::timeout(Duration::from_secs(60), noted).await;
        assert!(noted.is_ok());
    });
}

/// Not with a paused clock: what a look that is cut short says depends on the real one.
#[test]
fn a_plan_that_would_cost_a_majority_is_refused_however_little_time_there_is() {
    let theatre = Theatre::new(vec![at_once(); 5]);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().unwrap();
    runtime.block_on(async {
        let deployment = start(&theatre).await;
        let plan = async |limit: Duration| {
            let restart = vec![Change::default()];
            let plan = deployment.plan_rolling("restart", Direction::default(), restart, limit);
            plan.await.map(|plan| plan.steps.len())
        };
        // Those with even numbers decide by majority.
        assert!(plan(LIMIT).await.is_ok());
        let stopped = deployment.operate(&key(0), Operation::Stop, LIMIT).await;
        stopped.unwrap();
        let refused = plan(Duration::from_secs(4)).await.unwrap_err();
        let said = "2 of 3 players are healthy; restarting s-2 would leave 1 of 3";
        assert!(refused.to_string().contains(said), "{refused}");
        let refused = plan(Duration::ZERO).await.unwrap_err();
        let said = "no time is left to see whether the majority is kept";
        assert!(refused.to_string().contains(said), "{refused}");
    });
}

#[test]
fn each_server_runs_the_program_of_its_role() {
    let theatre = Theatre::new(vec![at_once(), at_once(), at_once()]);
    let mut programs = Programs::default();
    programs.add("fake", None, program("/own"));
    programs.add("fake", Some("other"), program("/stand-in"));
    let nowhere = Path::new("/nonexistent");
    block_on(async {
        let binaries = BTreeMap::from([("odd".to_owned(), "other".to_owned())]);
        let started = start_on(&theatre, programs.clone(), binaries, nowhere).await;
        let view = started.unwrap().view().clone();
        assert_eq!(view.stand_ins, [key(1)].into());
        let ran = |number| theatre.program(number).display().to_string();
        assert_eq!([ran(0), ran(1), ran(2)], ["/own", "/stand-in", "/own"]);
        let binaries = BTreeMap::from([("odd".to_owned(), "unknown".to_owned())]);
        let refused = start_on(&theatre, programs, binaries, nowhere).await;
        let refused = refused.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "fake-1 has no program for the role odd"
        );
    });
}

/// Server `number` waits for some of those before it, and stops after some of those behind it.
fn act(number: usize, count: usize) -> impl Strategy<Value = Act> {
    let stages = select(vec![Stage::Started, Stage::Answering, Stage::Ready]);
    let gates = prop::collection::vec((any::<bool>(), stages), number);
    let stops = prop::collection::vec(any::<bool>(), count - number - 1);
    (gates, stops, 0..300_u64, 0..300_u64, 0..300_u64).prop_map(
        move |(gates, stops, answers, more, ends)| Act {
            after: gates
                .into_iter()
                .enumerate()
                .filter_map(|(on, (is_gate, stage))| is_gate.then_some((on, stage)))
                .collect(),
            stop_after: stops
                .into_iter()
                .enumerate()
                .filter_map(|(behind, is_gate)| is_gate.then_some(number + 1 + behind))
                .collect(),
            answers: Duration::from_millis(answers),
            ready: Duration::from_millis(answers + more),
            ends: Duration::from_millis(ends),
        },
    )
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    (1..8_usize).prop_flat_map(|count| {
        (0..count)
            .map(|number| act(number, count))
            .collect::<Vec<_>>()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_starts_and_stops_in_the_very_moment_it_may(acts in acts()) {
        let theatre = Theatre::new(acts);
        block_on(async {
            let begun = Instant::now();
            let deployment = start(&theatre).await;
            for (number, act) in theatre.acts.iter().enumerate() {
                let opened = act
                    .after
                    .iter()
                    .map(|(on, stage)| theatre.shown(*on, *stage).unwrap())
                    .max()
                    .unwrap_or(begun);
                let started = theatre.when(number, Did::Start).unwrap();
                prop_assert_eq!(started, opened, "start of {}", number);
                let ready = theatre.shown(number, Stage::Ready).unwrap();
                let late = ready - (started + act.ready);
                prop_assert!(late <= 2 * LONGEST_PAUSE, "{} was seen {:?} late", number, late);
            }
            let asked = Instant::now();
            let report = deployment.stop(Deadline::after(LIMIT)).await;
            prop_assert_eq!(report.complaints(), Vec::<String>::new());
            prop_assert_eq!(report.servers.len(), theatre.acts.len());
            for (number, act) in theatre.acts.iter().enumerate() {
                let free = act
                    .stop_after
                    .iter()
                    .map(|on| theatre.when(*on, Did::End).unwrap())
                    .max()
                    .unwrap_or(asked);
                prop_assert_eq!(theatre.when(number, Did::Ask).unwrap(), free, "stop of {}", number);
            }
            Ok(())
        })?;
    }
}

#[test]
fn what_the_daemon_awaits_can_move_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let theatre = Theatre::new(vec![Act {
        after: Vec::new(),
        stop_after: Vec::new(),
        answers: Duration::ZERO,
        ready: Duration::ZERO,
        ends: Duration::ZERO,
    }]);
    block_on(is_send(async {
        let deployment = is_send(start(&theatre)).await;
        assert!(is_send(deployment.health(LIMIT)).await.is_good());
        is_send(deployment.wait_for_health(0, LIMIT)).await;
        is_send(deployment.wait_good(LIMIT)).await.unwrap();
        let first = key(0);
        is_send(deployment.operate(&first, Operation::Restart, LIMIT))
            .await
            .unwrap();
        is_send(deployment.purge("x", LIMIT)).await.unwrap();
        is_send(deployment.check(crate::system::Scope::Idle, "x", |_| true, LIMIT)).await;
        is_send(deployment.stop(LIMIT)).await;
    }));
}
