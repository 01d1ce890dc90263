//! What deployments take of the machine, and what it has to give: memory and time on its cores.
//!
//! Memory is a hard limit: without it servers die. Time on cores is not: with too many servers on them everything takes
//! longer, timers run out, and elections begin that nobody asked for.

use std::iter::Sum;
use std::ops::Add;
use std::thread::available_parallelism;

use armadillo_orchestrator::{ServerPlan, System, Topology};

/// What the servers of all deployments may take of each core together, in per cent of it. More than there is: a system
/// says what a server takes under load, and most servers are without load most of the time.
const CPU_PERCENT_OF_EACH_CORE: u64 = 200;

/// What one or more deployments take, or what there is for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resources {
    /// In MiB.
    pub(crate) memory_mib: u64,
    /// In per cent of one core, on average.
    pub(crate) cpu_percent: u64,
}

impl Resources {
    /// What the servers of a deployment take, as their system says.
    pub(crate) fn of_deployment(system: &dyn System, topology: &Topology) -> Self {
        let servers: Vec<ServerPlan> = system.plan(topology);
        let each = servers.iter().map(|server| Self {
            memory_mib: u64::from(server.cost.memory_mib),
            cpu_percent: u64::from(server.cost.cpu_percent),
        });
        each.sum()
    }

    /// What this machine has to give: so much memory in MiB, or three quarters of what is free now.
    pub(crate) fn of_machine(memory_mib: Option<u64>) -> Self {
        // Where it cannot be told, one small cluster at a time is what is surely possible.
        const UNKNOWN: u64 = 2048;
        Self::with_memory(
            memory_mib.unwrap_or_else(|| available_mib().map_or(UNKNOWN, |free| free * 3 / 4)),
        )
    }

    /// This much memory, and the cores this process may use.
    pub(crate) fn with_memory(memory_mib: u64) -> Self {
        let cores = available_parallelism().map_or(1, |cores| cores.get() as u64);
        Self {
            memory_mib,
            cpu_percent: cores * CPU_PERCENT_OF_EACH_CORE,
        }
    }
}

impl Add for Resources {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            memory_mib: self.memory_mib.saturating_add(other.memory_mib),
            cpu_percent: self.cpu_percent.saturating_add(other.cpu_percent),
        }
    }
}

impl Sum for Resources {
    fn sum<I: Iterator<Item = Self>>(each: I) -> Self {
        each.fold(Self::default(), Self::add)
    }
}

/// The memory that can be had without swapping, in MiB. `None` where that cannot be found out: not on Linux.
pub(crate) fn available_mib() -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

/// Reads the line `MemAvailable:   12345678 kB`.
fn parse(meminfo: &str) -> Option<u64> {
    let mut lines = meminfo.lines();
    let value = lines.find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kib >> 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_available_memory_is_read() {
        let meminfo = "\
MemTotal:       16384000 kB
MemFree:          204800 kB
MemAvailable:    8388608 kB
Buffers:          102400 kB
";
        assert_eq!(parse(meminfo), Some(8192));
        assert_eq!(parse("MemTotal:       16384000 kB\n"), None);
        assert_eq!(parse("MemAvailable:    many kB\n"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_has_memory() {
        assert!(available_mib().unwrap() > 0);
    }
}
