//! Samples of how busy the machine is: a test that ran out of time on a machine without a free core says little about a server.

use std::rc::Rc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use armadillo_orchestrator::duration::micros;

use super::Daemon;
use crate::event::{EventKind, MachineSample};
use crate::resources::available_mib;

/// What the kernel has counted so far of the time in which some task waited, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waited {
    cpu: Option<u64>,
    memory: Option<u64>,
    io: Option<u64>,
}

/// Samples for as long as it is polled.
pub(super) async fn watch(daemon: Rc<Daemon>, every: Duration) {
    let (mut before, mut at) = (Waited::now(), Instant::now());
    loop {
        tokio::time::sleep(every).await;
        let (now, passed) = (Waited::now(), at.elapsed());
        at = Instant::now();
        daemon
            .log
            .emit(EventKind::MachineSampled(sample(before, now, passed)));
        before = now;
    }
}

fn sample(before: Waited, now: Waited, passed: Duration) -> MachineSample {
    let share = |before: Option<u64>, now: Option<u64>| {
        let waited = now?.saturating_sub(before?) as f64;
        let share = waited / micros(passed).max(1) as f64;
        // Three digits after the point are more than anybody needs.
        Some((share.min(1.0) * 1_000.0).round() / 1_000.0)
    };
    MachineSample {
        cores: available_parallelism()
            .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
        load: read("/proc/loadavg").as_deref().and_then(load),
        available_mib: available_mib(),
        waited_for_cpu: share(before.cpu, now.cpu),
        waited_for_memory: share(before.memory, now.memory),
        waited_for_io: share(before.io, now.io),
    }
}

impl Waited {
    /// Nothing where the kernel does not count it.
    fn now() -> Self {
        let of = |what: &str| {
            read(&format!("/proc/pressure/{what}"))
                .as_deref()
                .and_then(total)
        };
        Self {
            cpu: of("cpu"),
            memory: of("memory"),
            io: of("io"),
        }
    }
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Reads `5.62 5.42 4.78 9/178 31355`.
fn load(text: &str) -> Option<f64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// Reads the total of `some avg10=0.00 avg60=0.00 avg300=0.00 total=2157613370`.
fn total(text: &str) -> Option<u64> {
    let some = text.lines().find(|line| line.starts_with("some "))?;
    some.rsplit_once("total=")?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        assert_eq!(load("5.62 5.42 4.78 9/178 31355\n"), Some(5.62));
        assert_eq!(load(""), None);
        let pressure = "some avg10=95.49 avg60=87.94 avg300=86.60 total=2157613370\n\
                        full avg10=0.00 avg60=0.00 avg300=0.00 total=12\n";
        assert_eq!(total(pressure), Some(2_157_613_370));
        assert_eq!(total("full avg10=0.00 total=12\n"), None);
    }

    #[test]
    fn a_share_is_of_the_time_that_has_passed() {
        let waited = |cpu| Waited {
            cpu: Some(cpu),
            memory: None,
            io: Some(7),
        };
        let sample = sample(waited(1_000_000), waited(1_500_000), Duration::from_secs(2));
        assert_eq!(sample.waited_for_cpu, Some(0.25));
        assert_eq!(sample.waited_for_memory, None);
        assert_eq!(sample.waited_for_io, Some(0.0));
    }
}
