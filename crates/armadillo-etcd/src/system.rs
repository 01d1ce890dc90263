//! The system itself: the methods of [`System`], each in the file of its idea.

use std::collections::BTreeMap;
use std::path::Path;

use armadillo_orchestrator::doctor::{Assumption, CheckStage, CheckedDeployment};
use armadillo_orchestrator::membership::LaunchWords;
use armadillo_orchestrator::operations::Rolling;
use armadillo_orchestrator::statistics::FigureSource;
use armadillo_orchestrator::tls::TLS;
use armadillo_orchestrator::topology::OfferedTopology;
use armadillo_orchestrator::{
    AttachError, Attached, Attachment, Candidate, Checker, Evidence, ExitMeaning, Flag, Fut,
    Health, Launch, LinkUse, LogRecord, Metrics, PlanError, Probe, Secret, ServerKey, ServerPlan,
    Settings, Step, Stop, System, SystemStep, TlsUse, Topology, Tried, View,
};

use armadillo_orchestrator::versions::VersionName;

use crate::client::{EtcdConnection, PREFIX_VARIABLE};
use crate::options::{FLAGS, PROGRAM_FLAG};
use crate::topology::{self, NO_AUTH, SYSTEM};
use crate::{
    attach, auth, checker, doctor, evidence, exit, grow, health, launch, links, log, plan, probe,
    purge, rolling, statistics, steps,
};

/// The name of the program in `PATH`.
const PROGRAM: &str = "etcd";

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

    fn offered(&self) -> &'static [OfferedTopology] {
        topology::OFFERED
    }

    fn check_settings(&self, settings: &Settings) -> Result<(), PlanError> {
        plan::check(settings)
    }

    fn programs(&self, settings: &Settings) -> Vec<Candidate> {
        match settings.get(PROGRAM_FLAG) {
            Some(name) => vec![self.program_named(name)],
            None => vec![Candidate::OnPath(PROGRAM)],
        }
    }

    fn program_named(&self, name: &str) -> Candidate {
        let version = name.strip_prefix("etcd@").unwrap_or(name);
        match VersionName::parse(version) {
            Some(version) => Candidate::Version {
                version,
                on_path: PROGRAM,
            },
            None => Candidate::File(name.into()),
        }
    }

    fn program_option(&self, _role: &str) -> String {
        "program".to_owned()
    }

    fn how_to_get_version(&self, version: &VersionName) -> String {
        format!("run `armadillo get etcd {version}`")
    }

    fn how_to_get(&self) -> String {
        "install etcd 3.4 or newer (`apt-get install etcd-server`, `dnf install etcd`, `brew install etcd`, or a \
         release from https://github.com/etcd-io/etcd/releases), or set its path or its version: `--etcd PATH`, `ARMADILLO_ETCD=PATH`, or \
         `etcd = \"PATH\"` in armadillo.toml"
            .to_owned()
    }

    fn survey<'a>(&'a self, at: &'a Attachment) -> Fut<'a, Result<Attached, AttachError>> {
        Box::pin(attach::survey(at))
    }

    fn stages(&self) -> &'static [CheckStage] {
        &doctor::STAGES
    }

    fn assumptions(&self) -> &'static [Assumption] {
        &doctor::ALL
    }

    fn try_out<'a>(
        &'a self,
        assumption: &'a str,
        on: &'a CheckedDeployment,
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

    fn tls(&self, _topology: &Topology) -> Option<TlsUse> {
        Some(TlsUse {
            client_certificates: true,
            peer_certificates: true,
        })
    }

    fn links(&self, _topology: &Topology) -> LinkUse {
        links::USE
    }

    fn stream_of(&self, beginning: &[u8]) -> Option<String> {
        links::stream_of(beginning)
    }

    fn plan(&self, topology: &Topology) -> Vec<ServerPlan> {
        plan::plan(topology)
    }

    fn takes_data(&self, topology: &Topology, server: &ServerKey) -> bool {
        grow::takes_data(topology, server)
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

    fn make_ready<'a>(
        &'a self,
        view: &'a View,
        server: &'a ServerKey,
    ) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            auth::switch_on(view, server).await?;
            grow::grow(view, server).await
        })
    }

    fn health<'a>(&'a self, view: &'a View) -> Fut<'a, Health> {
        Box::pin(health::health(view))
    }

    fn figures(&self) -> &'static [FigureSource] {
        &statistics::FIGURES
    }

    fn metrics<'a>(
        &'a self,
        view: &'a View,
        server: &'a ServerKey,
    ) -> Fut<'a, Result<Metrics, String>> {
        Box::pin(statistics::metrics(view, server))
    }

    fn voters(&self, _topology: &Topology) -> Option<(&'static str, &'static str)> {
        Some(("member", "members"))
    }

    fn rolling(&self, _view: &View, rolling: &Rolling) -> Result<Vec<Step>, String> {
        rolling::plan(rolling)
    }

    fn joining<'a>(
        &'a self,
        view: &'a View,
        server: &'a ServerKey,
    ) -> Fut<'a, Result<Option<LaunchWords>, String>> {
        Box::pin(steps::members::joining(view, server))
    }

    fn try_step<'a>(
        &'a self,
        view: &'a View,
        server: Option<&'a ServerKey>,
        step: &'a SystemStep,
    ) -> Fut<'a, Tried> {
        Box::pin(steps::try_step(view, server, step))
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

    fn access(&self, view: &View, server: &ServerKey, credentials: &Path) -> Vec<String> {
        let Some(address) = view.reach(server, "client") else {
            return Vec::new();
        };
        let user = match auth::login(view) {
            Some(_) => format!("ETCDCTL_USER=\"$(cat '{}')\" ", credentials.display()),
            None => String::new(),
        };
        let url = view.url(address);
        let etcdctl = format!("{user}etcdctl --endpoints {url}{}", shown(view));
        vec![
            format!("{etcdctl} endpoint status -w table"),
            format!("{etcdctl} get --prefix ''"),
        ]
    }

    fn credentials(&self, view: &View) -> Option<Secret> {
        let login = auth::login(view)?;
        Some(Secret::new(format!(
            "{}:{}",
            login.user,
            login.password.reveal()
        )))
    }

    fn environment(&self, view: &View) -> BTreeMap<String, String> {
        let mut all = EtcdConnection::superuser(view).env();
        // Every key is theirs.
        all.remove(PREFIX_VARIABLE);
        all
    }

    fn variables(&self, topology: Option<&Topology>) -> Vec<&'static str> {
        let says = |word: &str| topology.map(|topology| topology.says(word));
        EtcdConnection::variables(says(NO_AUTH) != Some(true), says(TLS) != Some(false))
    }

    fn purge<'a>(&'a self, view: &'a View, lease: &'a str) -> Fut<'a, Result<Vec<String>, String>> {
        Box::pin(purge::purge(view, lease))
    }
}

/// The options with which `etcdctl` trusts the members and they trust it.
fn shown(view: &View) -> String {
    let Some(tls) = &view.tls else {
        return String::new();
    };
    let mut options = format!(" --cacert '{}'", tls.authority_file.display());
    if let Some(client) = &tls.client {
        let (certificate, key) = (&client.certificate_file, &client.key_file);
        options += &format!(
            " --cert '{}' --key '{}'",
            certificate.display(),
            key.display()
        );
    }
    options
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
