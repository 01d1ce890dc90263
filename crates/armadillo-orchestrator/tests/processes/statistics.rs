//! Statistics of deployments whose system has no metrics: what the operating system says is there.

use std::time::Duration;

use armadillo_orchestrator::{Figure, Notice, Operation, Statistics};

use crate::support::{Ground, LIMIT, Scenario, block_on, key, row, until};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("statistics::processes_have_figures", processes),
    ("statistics::samples_are_told_until_the_end", samples),
];

fn processes() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 2, &[])).await.unwrap();
        let stopped = deployment.operate(&key(2), Operation::Stop, LIMIT).await;
        stopped.unwrap();
        let statistics = deployment.statistics(LIMIT).await;
        let running = statistics.of(&key(1)).unwrap();
        let memory = running.get(Figure::ProcessMemory).unwrap();
        assert!(memory.value > 100_000.0, "{statistics}");
        assert!(running.get(Figure::ProcessDescriptors).unwrap().value >= 3.0);
        assert_eq!(running.get(Figure::Requests), None);
        let gone = statistics.of(&key(2)).unwrap();
        assert_eq!(gone.missing.as_deref(), Some("it is stopped"));
        assert_eq!(gone.figures().count(), 0);
        let processes = deployment.processes();
        assert!(processes[&key(1)].up_for.unwrap() < LIMIT);
        assert_eq!(processes[&key(2)].pid, None);
        deployment.stop(LIMIT).await;
    });
}

fn samples() {
    block_on(async {
        let mut ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 1, &[])).await.unwrap();
        let sampling = tokio::spawn(deployment.sample_statistics(Duration::from_millis(10)));
        let mut samples = Vec::new();
        until("three samples are told", || {
            samples.extend(ground.heard().into_iter().filter_map(sample));
            samples.len() >= 3
        })
        .await;
        assert!(samples.windows(2).all(|two| two[0].at_ms <= two[1].at_ms));
        deployment.stop(LIMIT).await;
        // It ends by itself.
        tokio::time::timeout(LIMIT, sampling)
            .await
            .unwrap()
            .unwrap();
    });
}

fn sample(notice: Notice) -> Option<Statistics> {
    match notice {
        Notice::Statistics(statistics) => Some(statistics),
        _ => None,
    }
}
