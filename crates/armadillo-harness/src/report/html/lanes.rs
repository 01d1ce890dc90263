//! The lanes of the timeline: a deployment with its servers, leaders, leases and curves.

use std::collections::BTreeSet;

use armadillo_orchestrator::operations::{Outcome, StepState};
use armadillo_orchestrator::{Figure, ServerKey};

use super::super::model::{DeploymentRecord, Model};
use super::build::{Index, Names, recycled};
use super::data::{
    CurveData, DeploymentData, ExitData, GroupData, LeaderData, LeaseData, OperationData,
    ProcessData, ServerData, StepData,
};
use super::story::{Exit, LeaseSpan, Life, OperationLife, Process, ServerLife, StepLife};

pub(super) fn deployment(
    model: &Model,
    id: &str,
    record: &DeploymentRecord,
    index: &Index,
    topologies: &mut Names,
) -> DeploymentData {
    let nothing = Life::default();
    let life = model.story.deployments.get(id).unwrap_or(&nothing);
    let at = |ms: u64| moment(model, ms);
    let servers = servers(life);
    DeploymentData {
        id: id.to_owned(),
        topology: topologies.place(&record.topology),
        system: record.system.clone(),
        reason: record.reason,
        from: record.starting_us,
        ready: life.ready,
        took: record.took_us,
        stopped: life.stopped,
        failed: record.failed.clone(),
        recycled: recycled(model, id, record),
        complaints: record.complaints.clone(),
        repairs: (life.repairs.iter())
            .map(|(to, took, what)| (to.saturating_sub(*took), *to, what.clone()))
            .collect(),
        operations: life.operations.iter().map(operation).collect(),
        leaders: leaders(life, at),
        leases: leases(&model.story.leases, id, index),
        marks: life.marks.kept.clone(),
        curves: curves(life, &servers),
        sampled: life.samples.kept.iter().map(|all| at(all.at_ms)).collect(),
        servers: (servers.iter())
            .map(|key| server(key, life.servers.get(key)))
            .collect(),
    }
}

/// The run's start, in microseconds since 1970.
pub(super) fn epoch(model: &Model) -> i64 {
    model.story.epoch_us.unwrap_or_else(|| {
        let seconds = model.started.as_ref().map_or(0, |run| run.unix_time);
        i64::try_from(seconds).map_or(0, |seconds| seconds.saturating_mul(1_000_000))
    })
}

/// Milliseconds since 1970 on the run's clock.
fn moment(model: &Model, ms: u64) -> u64 {
    let start = epoch(model);
    let us = i64::try_from(ms).map_or(0, |ms| ms.saturating_mul(1_000));
    u64::try_from(us.saturating_sub(start)).unwrap_or(0)
}

/// The servers that anything is known of.
fn servers(life: &Life) -> Vec<&ServerKey> {
    let sampled = life.samples.kept.iter().flat_map(|all| all.servers.keys());
    let all: BTreeSet<&ServerKey> = life.servers.keys().chain(sampled).collect();
    all.into_iter().collect()
}

fn server(key: &ServerKey, life: Option<&ServerLife>) -> ServerData {
    let processes = life.iter().flat_map(|life| &life.processes);
    let operations = life.iter().flat_map(|life| &life.operations);
    ServerData {
        name: key.to_string(),
        processes: processes.map(process).collect(),
        operations: operations
            .map(|done| {
                let failed = done.failed.clone();
                (done.what.clone(), done.ordered, done.seen, failed)
            })
            .collect(),
    }
}

fn process(process: &Process) -> ProcessData {
    ProcessData {
        pid: process.pid,
        from: process.from,
        stages: process.stages.clone(),
        exit: process.exit.as_ref().map(exit),
    }
}

fn exit(exit: &Exit) -> ExitData {
    ExitData {
        at: exit.at,
        how: exit.how.clone(),
        expected: exit.expected,
        log: exit.log.clone(),
    }
}

fn operation(life: &OperationLife) -> OperationData {
    let outcome = match &life.ended {
        None => "its end is not in the events".to_owned(),
        Some((_, Outcome::Failed { why })) => format!("failed: {why}"),
        Some((_, Outcome::Cancelled)) => "cancelled".to_owned(),
        Some(_) => "done".to_owned(),
    };
    OperationData {
        name: life.name.clone(),
        from: life.from,
        to: life.ended.as_ref().map(|(at, _)| *at),
        failed: matches!(life.ended, Some((_, Outcome::Failed { .. }))),
        outcome,
        steps: life.steps.iter().map(step).collect(),
    }
}

fn step(life: &StepLife) -> StepData {
    let outcome = match &life.state {
        StepState::Done { seen, .. } if seen.is_empty() => "done".to_owned(),
        StepState::Done { seen, .. } => format!("done: {seen}"),
        StepState::Failed { why, .. } => format!("failed: {why}"),
        StepState::LeftOut => "left out".to_owned(),
        StepState::Undone => "undone".to_owned(),
        StepState::Planned | StepState::Running => "not ended".to_owned(),
    };
    StepData {
        what: life.what.clone(),
        server: life.server.as_ref().map(ToString::to_string),
        from: life.from,
        to: life.to,
        failed: matches!(life.state, StepState::Failed { .. }),
        outcome,
    }
}

fn leaders(life: &Life, at: impl Fn(u64) -> u64) -> Vec<GroupData> {
    let groups = life.leaders.iter();
    let data = groups.map(|(name, entries)| GroupData {
        name: name.clone(),
        entries: (entries.iter())
            .map(|entry| LeaderData {
                after: entry.after_ms.map(&at),
                seen: at(entry.seen_ms),
                leader: entry.leader.as_ref().map(ToString::to_string),
                term: entry.term,
            })
            .collect(),
    });
    data.collect()
}

fn leases(all: &[LeaseSpan], deployment: &str, index: &Index) -> Vec<LeaseData> {
    let mut leases = Vec::new();
    for lease in all {
        let on = lease.on.iter().find(|(used, _)| used == deployment);
        if let (Some((_, mode)), Some(test)) = (on, index.tests.get(&lease.test)) {
            leases.push(LeaseData {
                test: *test,
                from: lease.from,
                to: lease.to,
                waited: lease.waited,
                mode: *mode,
            });
        }
    }
    leases
}

/// The figures that any server has, each at all moments.
fn curves(life: &Life, servers: &[&ServerKey]) -> Vec<CurveData> {
    let mut figures: BTreeSet<Figure> = BTreeSet::new();
    for of_server in life
        .samples
        .kept
        .iter()
        .flat_map(|all| all.servers.values())
    {
        figures.extend(of_server.figures().map(|(figure, _)| figure));
    }
    let of = |figure: Figure, key: &ServerKey| -> Vec<Option<f64>> {
        let values = life.samples.kept.iter().map(|all| {
            let value = all.of(key)?.get(figure)?.value;
            // Three digits after the point are more than a curve shows.
            Some((value * 1_000.0).round() / 1_000.0)
        });
        values.collect()
    };
    (figures.into_iter())
        .map(|figure| CurveData {
            figure,
            total: figure.is_total(),
            values: servers.iter().map(|key| of(figure, key)).collect(),
        })
        .collect()
}
