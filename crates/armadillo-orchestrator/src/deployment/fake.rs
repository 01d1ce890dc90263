//! A back end without processes and a system without a product: servers are times at which things happen.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::backend::{BackEnd, BackEndError, PlaceRequest, Running, Site};
use crate::deadline::Deadline;
use crate::health::{Health, State};
use crate::ports::PortOwner;
use crate::process::Exit;
use crate::process::proc_fs::Stat;
use crate::program::Program;
use crate::secret::Secret;
use crate::server::{Cost, Launch, ServerKey, ServerPlan, Stage, Verb};
use crate::settings::Settings;
use crate::system::{Candidate, Fut, Identity, PlanError, Probe, System};
use crate::topology::Topology;
use crate::view::{Place, Share, View};

/// One server, with how long it takes for what.
#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) after: Vec<(usize, Stage)>,
    pub(super) stop_after: Vec<usize>,
    pub(super) answers: Duration,
    pub(super) ready: Duration,
    pub(super) ends: Duration,
}

/// What was done to a server, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Did {
    Start,
    /// A look has shown this stage for the first time.
    Show(Stage),
    Ask,
    End,
}

/// Who leads, in which term.
type Led = (Option<ServerKey>, u64);

/// The servers of a deployment and the record of what was done to them.
#[derive(Clone)]
pub(super) struct Theatre {
    pub(super) acts: Arc<Vec<Act>>,
    pub(super) record: Arc<Mutex<Vec<(usize, Did, Instant)>>>,
    programs: Arc<Mutex<BTreeMap<usize, PathBuf>>>,
    /// Who leads the group `troupe`; `None`: there is no such group.
    pub(super) leader: Arc<Mutex<Option<Led>>>,
    /// Whether servers that run seem to be on their way out.
    pub(super) in_doubt: Arc<AtomicBool>,
}

impl Theatre {
    pub(super) fn new(acts: Vec<Act>) -> Self {
        Self {
            acts: Arc::new(acts),
            record: Arc::default(),
            programs: Arc::default(),
            leader: Arc::default(),
            in_doubt: Arc::default(),
        }
    }

    /// What a server was started with last.
    pub(super) fn program(&self, server: usize) -> PathBuf {
        self.programs.lock().unwrap()[&server].clone()
    }

    fn note(&self, server: usize, did: Did) {
        let mut record = self.record.lock().unwrap();
        if !record
            .iter()
            .any(|(known, what, _)| (*known, *what) == (server, did))
        {
            record.push((server, did, Instant::now()));
        }
    }

    /// When this was done first.
    pub(super) fn when(&self, server: usize, did: Did) -> Option<Instant> {
        let record = self.record.lock().unwrap();
        record
            .iter()
            .find(|(known, what, _)| (*known, *what) == (server, did))
            .map(|(_, _, when)| *when)
    }

    /// When a look first showed at least this stage.
    pub(super) fn shown(&self, server: usize, stage: Stage) -> Option<Instant> {
        if stage == Stage::Started {
            return self.when(server, Did::Start);
        }
        [Stage::Answering, Stage::Ready]
            .into_iter()
            .filter(|shown| *shown >= stage)
            .filter_map(|shown| self.when(server, Did::Show(shown)))
            .min()
    }
}

pub(super) fn key(index: usize) -> ServerKey {
    ServerKey(format!("s-{index}"))
}

fn index(key: &ServerKey) -> usize {
    key.as_str()[2..].parse().unwrap()
}

impl System for Theatre {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn programs(&self, _: &Settings) -> Vec<Candidate> {
        Vec::new()
    }

    fn how_to_get(&self) -> String {
        String::new()
    }

    fn version_of(&self, _: &str) -> Option<String> {
        None
    }

    fn complete(&self, wish: &Topology, _: &Settings) -> Result<Topology, PlanError> {
        Ok(wish.clone())
    }

    fn plan(&self, _: &Topology) -> Vec<ServerPlan> {
        let plan = self
            .acts
            .iter()
            .enumerate()
            .map(|(number, act)| ServerPlan {
                key: key(number),
                role: if number % 2 == 0 { "even" } else { "odd" },
                after: act
                    .after
                    .iter()
                    .map(|(on, stage)| (key(*on), *stage))
                    .collect(),
                stop_after: act.stop_after.iter().map(|on| key(*on)).collect(),
                ports: &[],
                cost: Cost {
                    memory_mib: 1,
                    cpu_percent: 1,
                    disk_mib: 1,
                },
                spare: false,
            });
        plan.collect()
    }

    fn voters(&self, _: &Topology) -> Option<(&'static str, &'static str)> {
        Some(("even", "players"))
    }

    fn launch(&self, _: &View, _: &ServerKey) -> Launch {
        Launch::default()
    }

    fn probe<'a>(&'a self, _: &'a View, server: &'a ServerKey) -> Fut<'a, Probe> {
        Box::pin(async move {
            let number = index(server);
            let act = &self.acts[number];
            let Some(started) = self.when(number, Did::Start) else {
                return Probe::Hopeless("it was not started".into());
            };
            let stage = match started.elapsed() {
                age if age >= act.ready => Stage::Ready,
                age if age >= act.answers => Stage::Answering,
                _ => return Probe::NotYet("too early".into()),
            };
            self.note(number, Did::Show(stage));
            Probe::At {
                stage,
                identity: Some(Identity::Ours(true)),
                missing: String::new(),
            }
        })
    }

    fn health<'a>(&'a self, view: &'a View) -> Fut<'a, Health> {
        let good = |key: &ServerKey| (key.clone(), (State::Good, String::new()));
        let mut health = Health {
            servers: view.places.keys().map(good).collect(),
            ..Health::default()
        };
        if let Some((leader, term)) = self.leader.lock().unwrap().clone() {
            health.leaders.insert("troupe".into(), leader);
            health.terms.insert("troupe".into(), term);
        }
        Box::pin(std::future::ready(health))
    }

    fn purge<'a>(&'a self, _: &'a View, _: &'a str) -> Fut<'a, Result<Vec<String>, String>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

impl BackEnd for Theatre {
    fn can(&self, _: Verb) -> bool {
        true
    }

    fn place<'a>(
        &'a self,
        request: &'a PlaceRequest<'a>,
    ) -> Fut<'a, Result<Box<dyn Site>, BackEndError>> {
        let place = Place {
            role: "fake".into(),
            bind: BTreeMap::new(),
            advertise: BTreeMap::new(),
            reach: BTreeMap::new(),
            dir_inside: "/".into(),
            dir_outside: "/".into(),
            share: Share {
                memory_mib: 1,
                cores: 1,
            },
        };
        let places = request
            .plan
            .iter()
            .map(|server| (server.key.clone(), place.clone()));
        let site: Box<dyn Site> = Box::new(FakeSite {
            theatre: self.clone(),
            places: places.collect(),
        });
        Box::pin(std::future::ready(Ok(site)))
    }
}

struct FakeSite {
    theatre: Theatre,
    places: BTreeMap<ServerKey, Place>,
}

impl Site for FakeSite {
    fn places(&self) -> &BTreeMap<ServerKey, Place> {
        &self.places
    }

    fn start<'a>(
        &'a self,
        server: &'a ServerKey,
        program: &'a Program,
        _: &'a Launch,
    ) -> Fut<'a, Result<Box<dyn Running>, BackEndError>> {
        let number = index(server);
        self.theatre.note(number, Did::Start);
        let mut programs = self.theatre.programs.lock().unwrap();
        programs.insert(number, program.path.clone());
        let running: Box<dyn Running> = Box::new(FakeRunning {
            theatre: self.theatre.clone(),
            number,
            ends_at: watch::Sender::new(None),
        });
        Box::pin(std::future::ready(Ok(running)))
    }

    fn write_files(&self, _: &ServerKey, _: &[(PathBuf, u32, Secret)]) -> Result<(), BackEndError> {
        Ok(())
    }

    fn release_ports(&self, _: &ServerKey) -> bool {
        false
    }

    fn log_size(&self, _: &ServerKey) -> u64 {
        0
    }

    fn log(&self, _: &ServerKey, _: u64, _: u64) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn remove_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn remove_secrets(&self) {}
}

struct FakeRunning {
    theatre: Theatre,
    number: usize,
    ends_at: watch::Sender<Option<Instant>>,
}

impl FakeRunning {
    fn end_after(&self, delay: Duration) {
        self.ends_at.send_if_modified(|ends_at| {
            let at = Instant::now() + delay;
            let sooner = ends_at.is_none_or(|known| at < known);
            if sooner {
                *ends_at = Some(at);
            }
            sooner
        });
    }
}

impl Running for FakeRunning {
    fn id(&self) -> String {
        format!("fake {}", self.number)
    }

    fn pid(&self) -> Option<u32> {
        None
    }

    fn deliver(&self, verb: Verb, _: Deadline) -> Fut<'_, Result<(), BackEndError>> {
        self.theatre.note(self.number, Did::Ask);
        match verb {
            Verb::Kill => self.end_after(Duration::ZERO),
            _ => self.end_after(self.theatre.acts[self.number].ends),
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn kill_now(&self) {
        self.end_after(Duration::ZERO);
    }

    fn exited(&self) -> Fut<'_, Exit> {
        Box::pin(async move {
            let mut ends_at = self.ends_at.subscribe();
            loop {
                let at = *ends_at.borrow_and_update();
                let ended = async {
                    match at {
                        Some(at) => tokio::time::sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = ended => break,
                    _ = ends_at.changed() => {}
                }
            }
            self.theatre.note(self.number, Did::End);
            Exit::with_code(0)
        })
    }

    fn try_exit(&self) -> Option<Exit> {
        self.theatre
            .when(self.number, Did::End)
            .map(|_| Exit::with_code(0))
    }

    fn is_ending(&self) -> bool {
        self.theatre.in_doubt.load(Ordering::SeqCst)
    }

    fn is_paused(&self) -> Option<bool> {
        Some(false)
    }

    fn owns_pid(&self, _: u32) -> Option<bool> {
        None
    }

    fn port_owner(&self, _: &str) -> Option<PortOwner> {
        None
    }

    fn processes(&self) -> Vec<Stat> {
        Vec::new()
    }
}
