//! How much memory the machine has to give.

use armadillo_orchestrator::{ServerPlan, System, Topology};

/// The memory that the servers of a deployment take, in MiB.
pub(crate) fn of_deployment(system: &dyn System, topology: &Topology) -> u64 {
    let servers: Vec<ServerPlan> = system.plan(topology);
    let each = servers.iter();
    each.map(|server| u64::from(server.cost.memory_mib)).sum()
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
