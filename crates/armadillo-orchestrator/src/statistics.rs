//! What servers did, and what they use, in figures: a value per server and figure, sums, and differences between two moments.

mod metrics;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::server::ServerKey;

pub use metrics::{Metrics, MetricsError, Series};

/// A figure that servers of different systems have in common. Those that begin with *process* are what the operating system
/// says; the others are what the server says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Figure {
    /// The requests it has answered since it started, those of other servers and of Armadillo included.
    Requests,
    /// The documents or keys that clients have written since it started.
    Writes,
    /// The writes it has received from other servers, or applied from their log, since it started.
    Replicated,
    /// The connections that clients have open.
    Connections,
    /// The requests or proposals that wait to be handled.
    Queue,
    /// The memory it uses.
    Memory,
    /// The threads it has.
    Threads,
    /// The CPU time of its processes since they started.
    ProcessCpu,
    /// The resident memory of its processes.
    ProcessMemory,
    /// The threads of its processes.
    ProcessThreads,
    /// The file descriptors that its processes have open.
    ProcessDescriptors,
}

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A number of things.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
}

/// A value with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
}

/// Where a figure is in the metrics of a server.
#[derive(Clone, Copy, Debug)]
pub struct FigureSource {
    /// The figure.
    pub figure: Figure,
    /// The metric.
    pub metric: &'static str,
    /// The labels of the series that count. The figure is their sum.
    pub labels: &'static [(&'static str, &'static str)],
}

/// The figures of one server at one moment, or their change between two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServerStatistics {
    figures: BTreeMap<Figure, f64>,
    /// Why the server's own figures are not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// The figures of all servers of a deployment at one moment, or their change between two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Statistics {
    /// When they were read, in milliseconds since 1970.
    pub at_ms: u64,
    /// For a change: the moment it counts from, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<u64>,
    /// By server.
    pub servers: BTreeMap<ServerKey, ServerStatistics>,
}

impl Figure {
    /// Its unit.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::Memory | Self::ProcessMemory => Unit::Bytes,
            Self::ProcessCpu => Unit::Seconds,
            _ => Unit::Count,
        }
    }

    /// Whether it only grows while a server runs, and begins again at zero when the server is restarted.
    #[must_use]
    pub const fn is_total(self) -> bool {
        matches!(
            self,
            Self::Requests | Self::Writes | Self::Replicated | Self::ProcessCpu
        )
    }
}

impl FigureSource {
    /// The sum of all series of a metric.
    #[must_use]
    pub const fn new(figure: Figure, metric: &'static str) -> Self {
        Self {
            figure,
            metric,
            labels: &[],
        }
    }
}

impl ServerStatistics {
    /// A figure; `None` if this server does not have it.
    #[must_use]
    pub fn get(&self, figure: Figure) -> Option<Quantity> {
        let value = *self.figures.get(&figure)?;
        Some(figure.quantity(value))
    }

    /// All its figures, in the order of [`Figure`].
    pub fn figures(&self) -> impl Iterator<Item = (Figure, Quantity)> + '_ {
        let figures = self.figures.iter();
        figures.map(|(figure, value)| (*figure, figure.quantity(*value)))
    }

    /// Sets a figure, in its unit.
    pub fn set(&mut self, figure: Figure, value: f64) {
        self.figures.insert(figure, value);
    }

    /// Takes the figures from a server's metrics. If several sources of one figure are there, the first counts.
    pub fn read(&mut self, metrics: &Metrics, sources: &[FigureSource]) {
        for source in sources {
            if let Some(value) = metrics.value_with(source.metric, source.labels) {
                self.figures.entry(source.figure).or_insert(value);
            }
        }
    }

    fn since(&self, earlier: &Self) -> Self {
        let change = |(figure, now): (&Figure, &f64)| {
            let before = *earlier.figures.get(figure)?;
            // A total that became smaller began again at zero.
            let restarted = figure.is_total() && *now < before;
            Some((*figure, if restarted { *now } else { now - before }))
        };
        Self {
            figures: self.figures.iter().filter_map(change).collect(),
            missing: self.missing.clone().or_else(|| earlier.missing.clone()),
        }
    }
}

impl Figure {
    fn quantity(self, value: f64) -> Quantity {
        Quantity {
            value,
            unit: self.unit(),
        }
    }
}

impl Statistics {
    /// The figures of one server.
    #[must_use]
    pub fn of(&self, server: &ServerKey) -> Option<&ServerStatistics> {
        self.servers.get(server)
    }

    /// The sum of a figure over all servers that have it; `None` if no server has it.
    #[must_use]
    pub fn sum(&self, figure: Figure) -> Option<Quantity> {
        let values = self.servers.values();
        let values = values.filter_map(|server| server.figures.get(&figure));
        let sum = values.copied().reduce(|sum, value| sum + value)?;
        Some(figure.quantity(sum))
    }

    /// What changed since an earlier moment, for the figures that are known of both moments. A total (see
    /// [`Figure::is_total`]) shows what was added; after a restart of the server, what was added since the restart. Any other
    /// figure shows by how much it grew, which may be negative.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let change = |(key, now): (&ServerKey, &ServerStatistics)| {
            Some((key.clone(), now.since(earlier.servers.get(key)?)))
        };
        Self {
            at_ms: self.at_ms,
            from_ms: Some(earlier.at_ms),
            servers: self.servers.iter().filter_map(change).collect(),
        }
    }

    /// For a change: how long it took.
    #[must_use]
    pub fn over(&self) -> Option<Duration> {
        let from = self.from_ms?;
        Some(Duration::from_millis(self.at_ms.saturating_sub(from)))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: f64 = 1_048_576.0;
        match self.unit {
            Unit::Count => write!(f, "{}", self.value),
            Unit::Bytes => write!(f, "{:.1} MiB", self.value / MIB),
            Unit::Seconds => write!(f, "{:.2} s", self.value),
        }
    }
}

/// A line for each server.
impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, server) in &self.servers {
            write!(f, "{key}:")?;
            for (figure, quantity) in server.figures() {
                let name = format!("{figure:?}");
                write!(f, " {name} {quantity};")?;
            }
            if let Some(missing) = &server.missing {
                write!(f, " {missing}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics(at_ms: u64, requests: f64, connections: f64) -> Statistics {
        let mut one = ServerStatistics::default();
        one.set(Figure::Requests, requests);
        one.set(Figure::Connections, connections);
        let mut other = ServerStatistics::default();
        other.set(Figure::Requests, 10.0 * requests);
        Statistics {
            at_ms,
            from_ms: None,
            servers: [("one".into(), one), ("other".into(), other)].into(),
        }
    }

    #[test]
    fn totals_show_what_was_added_and_others_how_they_changed() {
        let (before, after) = (statistics(1_000, 5.0, 7.0), statistics(3_000, 8.0, 4.0));
        let change = after.since(&before);
        let one = change.of(&"one".into()).unwrap();
        assert_eq!(one.get(Figure::Requests).unwrap().value, 3.0);
        assert_eq!(one.get(Figure::Connections).unwrap().value, -3.0);
        assert_eq!(change.sum(Figure::Requests).unwrap().value, 33.0);
        assert_eq!(change.over(), Some(Duration::from_secs(2)));
        assert_eq!(change.sum(Figure::Queue), None);
        let restarted = statistics(4_000, 2.0, 1.0).since(&before);
        assert_eq!(restarted.sum(Figure::Requests).unwrap().value, 22.0);
    }

    #[test]
    fn a_figure_comes_from_the_first_metric_that_is_there() {
        let sources = [
            FigureSource::new(Figure::Memory, "new_name_bytes"),
            FigureSource::new(Figure::Memory, "old_name_bytes"),
            FigureSource::new(Figure::Queue, "gone"),
        ];
        let mut statistics = ServerStatistics::default();
        let metrics = Metrics::parse("old_name_bytes 1048576\n").unwrap();
        statistics.read(&metrics, &sources);
        let memory = statistics.get(Figure::Memory).unwrap();
        assert_eq!(memory.to_string(), "1.0 MiB");
        assert_eq!(statistics.get(Figure::Queue), None);
        let both = Metrics::parse("old_name_bytes 1\nnew_name_bytes 2\n").unwrap();
        let mut statistics = ServerStatistics::default();
        statistics.read(&both, &sources);
        assert_eq!(statistics.get(Figure::Memory).unwrap().value, 2.0);
    }

    #[test]
    fn statistics_are_the_same_after_json() {
        let before = statistics(1, 2.0, 3.0);
        let json = serde_json::to_string(&before).unwrap();
        assert!(json.contains(r#""requests":2.0"#), "{json}");
        assert_eq!(serde_json::from_str::<Statistics>(&json).unwrap(), before);
    }
}
