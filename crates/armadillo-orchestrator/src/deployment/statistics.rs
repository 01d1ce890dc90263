//! Statistics: read when somebody asks, and sampled.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::Deployment;
use super::leaders::now_ms;
use super::status::Server;
use crate::deadline::Deadline;
use crate::join::join_all;
use crate::notice::Notice;
use crate::process::proc_fs;
use crate::server::ServerKey;
use crate::statistics::{Figure, ServerStatistics, Statistics};

/// How long a server may take to say its figures.
const LIMIT: Duration = Duration::from_secs(2);

impl Deployment {
    /// The figures of every planned server. What a server does not say in time is missing, with the reason.
    pub async fn statistics(&self, deadline: impl Into<Deadline> + Send) -> Statistics {
        let deadline = deadline.into().within(LIMIT);
        let at_ms = now_ms();
        let all = self.servers.iter().map(|(key, server)| async move {
            let of_one = self.statistics_of(key, server, deadline).await;
            (key.clone(), of_one)
        });
        Statistics {
            at_ms,
            from_ms: None,
            servers: join_all(all).await.into_iter().collect(),
        }
    }

    async fn statistics_of(
        &self,
        key: &ServerKey,
        server: &Server,
        deadline: Deadline,
    ) -> ServerStatistics {
        let mut statistics = ServerStatistics::default();
        let phase = server.phase();
        if !phase.is_alive() && self.view.attached().is_none() {
            statistics.missing = Some(format!("it is {phase}"));
            return statistics;
        }
        self.read_processes(key, &mut statistics);
        let sources = self.system.figures();
        if sources.is_empty() {
            return statistics;
        }
        match deadline.bound(self.system.metrics(&self.view, key)).await {
            Some(Ok(metrics)) => statistics.read(&metrics, sources),
            Some(Err(why)) => statistics.missing = Some(why),
            None => statistics.missing = Some("it did not return its metrics in time".to_owned()),
        }
        statistics
    }

    /// What the operating system says of a server and of the processes it has started.
    fn read_processes(&self, key: &ServerKey, statistics: &mut ServerStatistics) {
        let pids = self.pids(key);
        let usages: Vec<_> = pids.into_iter().filter_map(proc_fs::usage).collect();
        if usages.is_empty() {
            return;
        }
        let sum = |of: fn(&proc_fs::Usage) -> f64| usages.iter().map(of).sum();
        statistics.set(Figure::ProcessCpu, sum(|usage| usage.cpu.as_secs_f64()));
        statistics.set(
            Figure::ProcessMemory,
            sum(|usage| usage.memory_bytes as f64),
        );
        statistics.set(Figure::ProcessThreads, sum(|usage| usage.threads as f64));
        statistics.set(
            Figure::ProcessDescriptors,
            sum(|usage| usage.descriptors as f64),
        );
    }

    /// Reads the figures at once and then every so often, until the deployment ends, and tells them as notices.
    pub fn sample_statistics(
        self: &Arc<Self>,
        every: Duration,
    ) -> impl Future<Output = ()> + Send + use<> {
        let deployment = Arc::downgrade(self);
        async move {
            let mut ticks = tokio::time::interval(every);
            // A sample that comes late is not made up for.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let Some(deployment) = deployment.upgrade() else {
                    return;
                };
                if deployment.is_ended() {
                    return;
                }
                deployment.sample(LIMIT).await;
            }
        }
    }

    /// Reads the figures once more and tells them as a notice.
    pub async fn sample(&self, limit: Duration) {
        let statistics = self.statistics(limit).await;
        self.notices.send(Notice::Statistics(statistics));
    }
}
