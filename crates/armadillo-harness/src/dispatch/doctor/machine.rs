//! What runs need of the machine, and what makes them better.

use std::fs;
use std::path::Path;
use std::time::Instant;

use armadillo_orchestrator::cores::{Collector, CorePattern};
use armadillo_orchestrator::doctor::Finding;
use armadillo_orchestrator::ports::HeldPort;
use armadillo_orchestrator::process::{Cgroup, raise_file_limit};
use armadillo_orchestrator::run_dir;
use rustix::process::{Resource, getrlimit};

use super::report::Line;

/// How many files a database server wants to have open.
const FILES: u64 = 8192;

/// How many processes and threads the servers of a run take.
const PROCESSES: u64 = 1024;

/// The space that the files of a run may take, in MiB.
const DISK_MIB: u64 = 2048;

/// How many ports the servers of a run may take.
const PORTS: u32 = 1000;

/// One thing to look at.
pub(super) struct Look {
    name: &'static str,
    assumes: &'static str,
    breaks: &'static str,
    advice: &'static str,
    /// Whether runs work without it.
    optional: bool,
    look: fn(&Path) -> Result<String, String>,
}

const LOOKS: [Look; 12] = [
    Look {
        name: "files",
        assumes: "a process may open 8192 files",
        breaks: "servers refuse to start, and the daemon runs out of connections",
        advice: "raise the hard limit: `ulimit -Hn 65536`, or `nofile` in /etc/security/limits.conf",
        optional: false,
        look: files,
    },
    Look {
        name: "processes",
        assumes: "there may be 1024 processes and threads",
        breaks: "servers cannot start their threads",
        advice: "raise the limit: `ulimit -u 4096`, or pids.max of the container",
        optional: false,
        look: processes,
    },
    Look {
        name: "disk",
        assumes: "2 GiB are free where the files of runs go",
        breaks: "servers refuse writes, and reports are lost",
        advice: "make room, or choose another place with --output-dir",
        optional: false,
        look: disk,
    },
    Look {
        name: "runtime_directory",
        assumes: "there is a private directory for sockets and secrets",
        breaks: "no run can start",
        advice: "use --runtime-dir DIR",
        optional: false,
        look: |_| {
            run_dir::check()
                .map(|()| run_dir::base().display().to_string())
                .map_err(|error| error.to_string())
        },
    },
    Look {
        name: "ports",
        assumes: "ports on 127.0.0.1 can be reserved, and there are many",
        breaks: "servers have no addresses",
        advice: "widen /proc/sys/net/ipv4/ip_local_port_range, and look for what holds the ports (`ss -tan`)",
        optional: false,
        look: ports,
    },
    Look {
        name: "orphans",
        assumes: "/proc shows the processes of this user, with their environment",
        breaks: "what a killed run leaves cannot be found and ended",
        advice: "mount /proc without hidepid",
        optional: false,
        look: proc_is_readable,
    },
    Look {
        name: "control_group",
        assumes: "a control group (version 2) can be made",
        breaks: "daemonised processes without an environment are found only by a scan twice a second",
        advice: "delegate a group: `systemd-run --user --scope -p Delegate=yes`, or a writable /sys/fs/cgroup in the container",
        optional: true,
        look: |_| {
            Cgroup::place("doctor")
                .map(|place| place.display().to_string())
                .ok_or_else(|| {
                    "cgroup v2 is not mounted, or its group here is not writable".to_owned()
                })
        },
    },
    Look {
        name: "namespaces",
        assumes: "user namespaces can be made",
        breaks: "faults of the network and of mounts would need root; no test needs them yet",
        advice: "set user.max_user_namespaces and kernel.unprivileged_userns_clone",
        optional: true,
        look: |_| {
            let most = number("/proc/sys/user/max_user_namespaces")?;
            if most == 0 {
                Err("user.max_user_namespaces is 0".to_owned())
            } else {
                Ok(format!("at most {most}"))
            }
        },
    },
    Look {
        name: "core_pattern",
        assumes: "the core of a crashed server can be had",
        breaks: "a failure does not show where a server crashed",
        advice: "`ulimit -H -c unlimited`; put coredumpctl in PATH if systemd-coredump takes cores, else `sysctl kernel.core_pattern=core`",
        optional: true,
        look: core_pattern,
    },
    Look {
        name: "gdb",
        assumes: "gdb is in PATH",
        breaks: "a test that hangs in a call has no stack in its report",
        advice: "`apt-get install gdb`",
        optional: true,
        look: gdb,
    },
    Look {
        name: "ptrace",
        assumes: "a debugger may attach to a child",
        breaks: "gdb cannot show the stacks of a hanging test",
        advice: "`sysctl kernel.yama.ptrace_scope=1`, and in a container --cap-add SYS_PTRACE",
        optional: true,
        look: ptrace,
    },
    Look {
        name: "fuse",
        assumes: "/dev/fuse is there",
        breaks: "faults of disks would need it; no test needs them yet",
        advice: "`modprobe fuse`, and in a container --device /dev/fuse",
        optional: true,
        look: |_| {
            let path = Path::new("/dev/fuse");
            if path.exists() {
                Ok(path.display().to_string())
            } else {
                Err("there is no /dev/fuse".to_owned())
            }
        },
    },
];

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Look> {
    LOOKS.iter()
}

impl Look {
    /// `machine.files`
    pub(super) fn full_name(&self) -> String {
        format!("machine.{}", self.name)
    }

    /// Looks. `output` is where the files of runs go.
    pub(super) fn at(&self, output: &Path) -> Line {
        let begun = Instant::now();
        let finding = match (self.look)(output) {
            Ok(seen) => Finding::Holds(seen),
            Err(seen) => Finding::Fails(seen),
        };
        Line {
            name: self.full_name(),
            finding,
            assumes: self.assumes.to_owned(),
            breaks: self.breaks.to_owned(),
            advice: self.advice.to_owned(),
            optional: self.optional,
            took: begun.elapsed(),
        }
    }
}

fn at_least(what: u64, least: u64) -> Result<String, String> {
    if what >= least {
        Ok(what.to_string())
    } else {
        Err(format!("{what}"))
    }
}

fn files(_: &Path) -> Result<String, String> {
    at_least(raise_file_limit(), FILES)
}

fn processes(_: &Path) -> Result<String, String> {
    match getrlimit(Resource::Nproc).current {
        None => Ok("unlimited".to_owned()),
        Some(limit) => at_least(limit, PROCESSES),
    }
}

fn disk(output: &Path) -> Result<String, String> {
    // The directory may not be there yet.
    let there = output
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(output);
    let space =
        rustix::fs::statvfs(there).map_err(|error| format!("{}: {error}", there.display()))?;
    let mib = (space.f_bavail * space.f_frsize) >> 20;
    if mib >= DISK_MIB {
        Ok(format!("{mib} MiB free at {}", there.display()))
    } else {
        Err(format!("{mib} MiB free at {}", there.display()))
    }
}

fn ports(_: &Path) -> Result<String, String> {
    let range = text("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut bounds = range
        .split_whitespace()
        .filter_map(|bound| bound.parse::<u32>().ok());
    let (Some(first), Some(last)) = (bounds.next(), bounds.next()) else {
        return Err(format!("cannot read the range {range:?}"));
    };
    let held: Result<Vec<HeldPort>, _> = (0..16).map(|_| HeldPort::take()).collect();
    held.map_err(|error| format!("cannot reserve 16 ports: {error}"))?;
    let count = last.saturating_sub(first) + 1;
    if count < PORTS {
        return Err(format!("only {count}, {first} to {last}"));
    }
    Ok(format!("{count}, {first} to {last}"))
}

fn proc_is_readable(_: &Path) -> Result<String, String> {
    for file in ["/proc/self/stat", "/proc/self/environ", "/proc/self/task"] {
        fs::metadata(file).map_err(|error| format!("{file}: {error}"))?;
    }
    let parent = rustix::process::getppid().map_or(1, |pid| pid.as_raw_nonzero().get());
    text(&format!("/proc/{parent}/stat"))?;
    Ok("lifeline pipe, subreaper, warden, parent-death signal, ledger".to_owned())
}

fn core_pattern(_: &Path) -> Result<String, String> {
    let pattern = CorePattern::read().map_err(|error| format!("core_pattern: {error}"))?;
    let text = text("/proc/sys/kernel/core_pattern")?;
    let limit = getrlimit(Resource::Core).maximum;
    whether_cores_are_had(&pattern, &text, limit, Collector::check)
}

/// `limit` is the hard limit of their size, as far as servers may raise theirs.
fn whether_cores_are_had(
    pattern: &CorePattern,
    text: &str,
    limit: Option<u64>,
    check: fn(Collector) -> Result<(), &'static str>,
) -> Result<String, String> {
    if limit == Some(0) {
        return Err(format!(
            "the hard limit of their size is 0 (pattern {text})"
        ));
    }
    match pattern {
        CorePattern::File { .. } => Ok(text.to_owned()),
        CorePattern::Nowhere => Err("the kernel writes no cores: core_pattern is empty".to_owned()),
        CorePattern::Pipe(_) => match pattern.collector().map(check) {
            None => Err(format!("another program takes core dumps: {text}")),
            Some(Err(why)) => Err(format!(
                "{why}, and another program takes core dumps: {text}"
            )),
            Some(Ok(())) => Ok(format!(
                "they are fetched from the program that takes them: {text}"
            )),
        },
    }
}

fn gdb(_: &Path) -> Result<String, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join("gdb"));
    let found = found.into_iter().find(|path| path.is_file());
    found
        .map(|path| path.display().to_string())
        .ok_or_else(|| "no gdb in PATH".to_owned())
}

fn ptrace(_: &Path) -> Result<String, String> {
    let Ok(scope) = number("/proc/sys/kernel/yama/ptrace_scope") else {
        return Ok("not restricted".to_owned());
    };
    if scope <= 1 {
        Ok(format!("ptrace_scope {scope}"))
    } else {
        Err(format!("ptrace_scope {scope}"))
    }
}

fn text(path: &str) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(text.trim().to_owned())
}

fn number(path: &str) -> Result<u64, String> {
    let text = text(path)?;
    text.parse()
        .map_err(|_| format!("{path}: {text:?} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_had_as_files_or_from_who_keeps_them() {
        let systemd = "|/usr/lib/systemd/systemd-coredump %P %u";
        let look = |text: &str, limit, check| {
            whether_cores_are_had(&CorePattern::parse(text, false), text, limit, check)
        };
        let is_there = |_| Ok(());
        assert_eq!(look("core", None, is_there).as_deref(), Ok("core"));
        assert!(look("core", Some(0), is_there).is_err());
        assert!(look("", None, is_there).is_err());
        assert!(look(systemd, None, is_there).is_ok());
        assert!(look("|/usr/share/apport/apport -p%p", Some(1 << 20), is_there).is_ok());
        assert!(look("|/usr/libexec/abrt-hook-ccpp %s", None, is_there).is_err());
        let missing = look(systemd, None, |_| Err("coredumpctl is not in PATH"));
        assert!(missing.is_err_and(|why| why.starts_with("coredumpctl is not in PATH")));
    }
}
