//! The system itself: the methods of [`System`], each in the file of its idea.

use std::path::Path;

use armadillo_orchestrator::doctor::{Assumption, DoctorStage, Patient};
use armadillo_orchestrator::{
    AttachError, Attached, Attachment, Candidate, Checker, Evidence, ExitMeaning, Flag, Fut,
    Health, Launch, LogRecord, PlanError, Probe, ServerKey, ServerPlan, Settings, Stop, System,
    Topology, View,
};

use crate::options::{FLAGS, PROGRAM_FLAG};
use crate::topology::SYSTEM;
use crate::{attach, checker, doctor, evidence, exit, health, launch, log, plan, probe, purge};

/// The etcd system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Etcd;

armadillo_orchestrator::register_system!(Etcd);

impl System for Etcd {
    fn name(&self) -> &'static str {
        SYSTEM
    }

    fn flags(&self) -> &'static [Flag] {
        FLAGS
    }

    fn markers(&self) -> &'static [(&'static str, &'static str)] {
        &[("etcd", "runs on an etcd cluster; set automatically")]
    }

    fn topology_markers(&self, _topology: &Topology) -> Vec<&'static str> {
        vec!["etcd"]
    }

    fn check_settings(&self, settings: &Settings) -> Result<(), PlanError> {
        plan::check(settings)
    }

    fn programs(&self, settings: &Settings) -> Vec<Candidate> {
        match settings.get(PROGRAM_FLAG) {
            Some(path) => vec![Candidate::File(path.into())],
            None => vec![Candidate::OnPath("etcd")],
        }
    }

    fn how_to_get(&self) -> String {
        "install etcd 3.4 or newer (`apt-get install etcd-server`, `dnf install etcd`, `brew install etcd`, or a \
         release from https://github.com/etcd-io/etcd/releases), or set its path: `--etcd PATH`, `ARMADILLO_ETCD=PATH`, or \
         `etcd = \"PATH\"` in armadillo.toml"
            .to_owned()
    }

    fn survey<'a>(&'a self, at: &'a Attachment) -> Fut<'a, Result<Attached, AttachError>> {
        Box::pin(attach::survey(at))
    }

    fn stages(&self) -> &'static [DoctorStage] {
        &doctor::STAGES
    }

    fn assumptions(&self) -> &'static [Assumption] {
        &doctor::ALL
    }

    fn try_out<'a>(
        &'a self,
        assumption: &'a str,
        on: &'a Patient,
    ) -> Fut<'a, Result<String, String>> {
        Box::pin(doctor::try_out(assumption, on))
    }

    fn version_of(&self, output: &str) -> Option<String> {
        let line = output
            .lines()
            .find_map(|line| line.strip_prefix("etcd Version:"))?;
        Some(line.trim().to_owned()).filter(|version| !version.is_empty())
    }

    fn complete(&self, wish: &Topology, settings: &Settings) -> Result<Topology, PlanError> {
        plan::complete(wish, settings)
    }

    fn plan(&self, topology: &Topology) -> Vec<ServerPlan> {
        plan::plan(topology)
    }

    fn launch(&self, view: &View, server: &ServerKey) -> Launch {
        launch::launch(view, server)
    }

    fn last_stop(&self) -> Option<Stop> {
        Some(launch::last_stop())
    }

    fn probe<'a>(&'a self, view: &'a View, server: &'a ServerKey) -> Fut<'a, Probe> {
        Box::pin(probe::probe(view, server))
    }

    fn health<'a>(&'a self, view: &'a View) -> Fut<'a, Health> {
        Box::pin(health::health(view))
    }

    fn exit_meaning(&self, _role: &str, code: i32) -> ExitMeaning {
        exit::meaning(code)
    }

    fn log_line(&self, line: &str) -> Option<LogRecord> {
        log::log_line(line)
    }

    fn evidence(&self, view: &View) -> Vec<Evidence> {
        evidence::evidence(view)
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        checker::all()
    }

    fn access(&self, view: &View, server: &ServerKey, _credentials: &Path) -> Vec<String> {
        let Some(address) = view.reach(server, "client") else {
            return Vec::new();
        };
        let etcdctl = format!("etcdctl --endpoints http://{address}");
        vec![
            format!("{etcdctl} endpoint status -w table"),
            format!("{etcdctl} get --prefix ''"),
        ]
    }

    fn purge<'a>(&'a self, view: &'a View, lease: &'a str) -> Fut<'a, Result<Vec<String>, String>> {
        Box::pin(purge::purge(view, lease))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_what_the_program_says() {
        let said = "etcd Version: 3.4.23\nGit SHA: Not provided\nGo Version: go1.19.8\n";
        assert_eq!(Etcd.version_of(said).as_deref(), Some("3.4.23"));
        assert_eq!(Etcd.version_of("etcdctl version: 3.4.23"), None);
        assert_eq!(Etcd.version_of("etcd Version:"), None);
    }

    #[test]
    fn a_named_program_is_the_only_candidate() {
        let mut settings = Settings::default();
        assert_eq!(Etcd.programs(&settings), [Candidate::OnPath("etcd")]);
        settings.set("etcd", vec!["/opt/etcd".into()]);
        assert_eq!(
            Etcd.programs(&settings),
            [Candidate::File("/opt/etcd".into())]
        );
    }

    #[test]
    fn it_is_registered() {
        assert!(armadillo_orchestrator::system("etcd").is_some());
    }
}
