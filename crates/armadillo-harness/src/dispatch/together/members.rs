//! The executables as processes.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};

use crate::exit_code::Exit;

/// All of them. Dropping this ends those that still run.
#[derive(Default)]
pub(super) struct Members(Vec<Member>);

/// One of them.
pub(super) struct Member {
    pub(super) package: String,
    pub(super) binary: String,
    child: Child,
    ended: Option<ExitStatus>,
}

impl Members {
    pub(super) fn add(&mut self, package: &str, binary: &str, child: Child) {
        self.0.push(Member {
            package: package.to_owned(),
            binary: binary.to_owned(),
            child,
            ended: None,
        });
    }

    /// What each writes to its stdout and its stderr. They are given away once.
    pub(super) fn streams(&mut self) -> impl Iterator<Item = (Option<OwnedFd>, Option<OwnedFd>)> {
        self.0.iter_mut().map(|member| {
            let stdout = member.child.stdout.take().map(OwnedFd::from);
            let stderr = member.child.stderr.take().map(OwnedFd::from);
            (stdout, stderr)
        })
    }

    pub(super) fn any_runs(&self) -> bool {
        self.running().next().is_some()
    }

    pub(super) fn running(&self) -> impl Iterator<Item = &Member> {
        self.0.iter().filter(|member| member.ended.is_none())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Member> {
        self.0.iter()
    }

    /// Learns which have ended. Returns what is to be said of those that were killed.
    pub(super) fn reap(&mut self) -> io::Result<Vec<String>> {
        let mut killed = Vec::new();
        for member in self.0.iter_mut().filter(|member| member.ended.is_none()) {
            member.ended = member.child.try_wait()?;
            if let Some(ended) = member.ended.filter(|ended| ended.code().is_none()) {
                killed.push(format!("{} was killed: {ended}", member.name()));
            }
        }
        Ok(killed)
    }

    /// Ctrl-C for those that run.
    pub(super) fn interrupt(&self) {
        for member in self.running() {
            // Nobody has waited for it yet, so its id is its own; it may have ended all the same.
            _ = kill_process(Pid::from_child(&member.child), Signal::INT);
        }
    }

    /// The exit codes of those that have ended.
    pub(super) fn codes(&self) -> impl Iterator<Item = u8> {
        self.0.iter().filter_map(Member::code)
    }
}

impl Member {
    /// The executable, for people.
    pub(super) fn name(&self) -> String {
        format!("{}::{}", self.package, self.binary)
    }

    /// How it has ended, if it has.
    pub(super) fn how(&self) -> Option<String> {
        Some(match self.ended?.code() {
            Some(code) => format!("ended with code {code}"),
            None => "was killed".to_owned(),
        })
    }

    /// Its exit code, if it has ended; that of an error if it was killed.
    pub(super) fn code(&self) -> Option<u8> {
        let code = self.ended?.code().and_then(|code| u8::try_from(code).ok());
        Some(code.unwrap_or(Exit::Harness.code()))
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        for member in &mut self.0 {
            // It has ended, unless nobody waits for it any more. Then its daemon ends what it has started.
            if matches!(member.child.try_wait(), Ok(None)) {
                _ = member.child.kill();
                _ = member.child.wait();
            }
        }
    }
}
