//! Executables that run at the same time, shown as one run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use armadillo_harness::group::{GROUP, Group, Manner};
use armadillo_harness::live_page::{LivePage, Source};
use armadillo_harness::together::Together;
use tokio::runtime::Runtime;

use super::TestError;
use super::plan::{self, Planned};
use super::run::os;

/// Whether executables can run at the same time.
pub(super) enum Way {
    /// They can, in the manner of the first.
    Together {
        manner: Box<Manner>,
        /// The executable whose program their daemon is.
        host: PathBuf,
    },
    /// They run one after the other, for this reason.
    InTurn(String),
}

impl Way {
    /// That of these executables, as they have said themselves.
    pub(super) fn of(planned: &[Planned]) -> Self {
        let mut manners = Vec::new();
        for one in planned {
            match &one.plan.manner {
                Some(Manner {
                    alone: Some(why), ..
                }) => return Self::InTurn(why.clone()),
                Some(manner) => manners.push(manner),
                None => {
                    let Planned { plan, .. } = one;
                    let why = format!("an older version in {}::{}", plan.package, plan.binary);
                    return Self::InTurn(why);
                }
            }
        }
        let Some(first) = manners.first() else {
            return Self::InTurn("there is nothing to run".to_owned());
        };
        let mut formats = manners.iter().map(|manner| manner.showing.format);
        if formats.any(|format| format != first.showing.format) {
            return Self::InTurn("settings that give them different formats".to_owned());
        }
        if manners.iter().any(|manner| manner.terms != first.terms) {
            return Self::InTurn("settings that give them different daemons".to_owned());
        }
        let systems: Vec<&Systems> = manners.iter().map(|manner| &manner.systems).collect();
        let Some(host) = host(&systems).and_then(|place| planned.get(place)) else {
            let why = "their systems: no executable has those of all others".to_owned();
            return Self::InTurn(why);
        };
        let limits = manners.iter().filter_map(|manner| manner.max_fail);
        Self::Together {
            manner: Box::new(Manner {
                max_fail: limits.min(),
                ..(*first).clone()
            }),
            host: host.executable.path.clone(),
        }
    }
}

/// What an executable has of systems: see [`Manner::systems`].
type Systems = BTreeMap<String, String>;

/// Which of them has the systems of all, if one has.
fn host(systems: &[&Systems]) -> Option<usize> {
    let most = systems.iter().map(|systems| systems.len()).max()?;
    let place = systems.iter().position(|systems| systems.len() == most)?;
    let all = systems.get(place)?;
    let are_there = |wanted: &&Systems| {
        let mut wanted = wanted.iter();
        wanted.all(|(system, origin)| all.get(system) == Some(origin))
    };
    systems.iter().all(are_there).then_some(place)
}

/// Runs these, and shows the report meanwhile if that is wanted. The exit code of the whole.
pub(super) fn run(
    runtime: &Runtime,
    planned: &[Planned],
    (manner, host): (&Manner, &Path),
    ui: bool,
) -> Result<u8, TestError> {
    let mut group = Group::begin(true).map_err(os("begin the run"))?;
    group.hosted_by(host).map_err(os("begin the run"))?;
    let mut together = Together::begin(group.file(), manner).map_err(os("show the run"))?;
    let page = || LivePage::start(Source::Group(group.file().to_owned()));
    let page = (ui || manner.showing.report_live).then(page).transpose();
    let page = page.map_err(os("start the live report"))?;
    if let Some(page) = &page {
        together.note(&format!("live report: {}\n", page.url()));
    }
    for one in planned {
        let mut command = plan::command(&one.executable);
        command.args(&one.arguments).env(GROUP, group.file());
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|source| TestError::Executable {
            path: one.executable.path.clone(),
            source,
        })?;
        together.add(&one.plan.package, &one.plan.binary, child);
    }
    let verdict = runtime.block_on(together.run());
    let verdict = verdict.map_err(os("wait for the executables"))?;
    let finished = runtime.block_on(group.finish(Some(&verdict)));
    if let Some(page) = page {
        page.finish();
    }
    let shown = together.finish(&verdict);
    finished?;
    shown.map_err(os("show the end of the run"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(all: &[&[(&str, &str)]]) -> Option<usize> {
        let systems = all.iter().map(|systems| {
            let named = systems
                .iter()
                .map(|(system, origin)| ((*system).to_owned(), (*origin).to_owned()));
            named.collect()
        });
        let systems: Vec<Systems> = systems.collect();
        host(&systems.iter().collect::<Vec<_>>())
    }

    #[test]
    fn the_daemon_is_of_an_executable_that_has_the_systems_of_all() {
        let (etcd, tally) = (("etcd", "armadillo-etcd 1"), ("tally", "tally-system 1"));
        assert_eq!(chosen(&[&[], &[etcd, tally], &[tally]]), Some(1));
        assert_eq!(chosen(&[&[], &[]]), Some(0));
        // One of them lacks what the other has, or has it from elsewhere.
        assert_eq!(chosen(&[&[etcd], &[tally]]), None);
        let other = ("etcd", "armadillo-etcd 2");
        assert_eq!(chosen(&[&[etcd, tally], &[other]]), None);
        assert_eq!(chosen(&[]), None);
    }
}
