//! The back end for local processes.

mod files;
mod logs;
mod running;

pub use files::write_private;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::backend::{BackEnd, BackEndError, PlaceRequest, Running, Site};
use crate::ports::HeldPort;
use crate::process::{Environment, Output, Processes, Spawn};
use crate::program::Program;
use crate::server::{Launch, ServerKey, ServerPlan, Verb};
use crate::system::Fut;
use crate::view::{Place, Share};

/// The name of the file in a server's directory that takes its stdout and stderr, over all its starts.
pub const LOG_FILE: &str = "log";

/// Runs servers as children of this process, on the loopback interface.
#[derive(Clone)]
pub struct Local {
    processes: Processes,
}

struct LocalSite {
    deployment: String,
    processes: Processes,
    places: BTreeMap<ServerKey, Place>,
    secrets: Option<PathBuf>,
    ports: Mutex<BTreeMap<ServerKey, Vec<HeldPort>>>,
    holes: logs::Holes,
}

impl Local {
    /// A back end that starts its servers through this table.
    #[must_use]
    pub fn new(processes: Processes) -> Self {
        Self { processes }
    }
}

impl BackEnd for Local {
    fn can(&self, _verb: Verb) -> bool {
        true
    }

    fn place<'a>(
        &'a self,
        request: &'a PlaceRequest<'a>,
    ) -> Fut<'a, Result<Box<dyn Site>, BackEndError>> {
        Box::pin(async move {
            let mut places = BTreeMap::new();
            let mut ports = BTreeMap::new();
            for server in request.plan {
                let (place, held) = place_one(server, request)?;
                places.insert(server.key.clone(), place);
                ports.insert(server.key.clone(), held);
            }
            let secrets = request.secrets.map(|path| path.join(request.deployment));
            if let Some(path) = &secrets {
                make_private(path)?;
            }
            let site: Box<dyn Site> = Box::new(LocalSite {
                deployment: request.deployment.to_owned(),
                processes: self.processes.clone(),
                places,
                secrets,
                ports: Mutex::new(ports),
                holes: logs::Holes::default(),
            });
            Ok(site)
        })
    }
}

fn place_one(
    server: &ServerPlan,
    request: &PlaceRequest<'_>,
) -> Result<(Place, Vec<HeldPort>), BackEndError> {
    let mut held = Vec::new();
    let mut addresses = BTreeMap::new();
    for name in server.ports {
        let port = HeldPort::take().map_err(|error| BackEndError::Port { source: error })?;
        addresses.insert((*name).to_owned(), port.address());
        held.push(port);
    }
    let directory = std::path::absolute(request.directory)
        .map_err(file_error("find", request.directory))?
        .join(server.key.as_str());
    make_private(&directory)?;
    let share = request.share.unwrap_or(Share {
        memory_mib: server.cost.memory_mib,
        cores: server.cost.cpu_percent.div_ceil(100).max(1),
    });
    let place = Place {
        role: server.role.to_owned(),
        bind: addresses.clone(),
        advertise: addresses.clone(),
        reach: addresses,
        dir_inside: directory.clone(),
        dir_outside: directory,
        share,
    };
    Ok((place, held))
}

impl LocalSite {
    fn place_of(&self, server: &ServerKey) -> Result<&Place, BackEndError> {
        self.places
            .get(server)
            .ok_or_else(|| BackEndError::Unknown {
                server: server.clone(),
            })
    }

    fn log_path(&self, server: &ServerKey) -> Option<PathBuf> {
        Some(self.places.get(server)?.dir_outside.join(LOG_FILE))
    }

    fn spawn(
        &self,
        server: &ServerKey,
        program: &Program,
        launch: &Launch,
    ) -> Result<Box<dyn Running>, BackEndError> {
        let place = self.place_of(server)?;
        let secrets = self.secrets.as_ref().map(|path| path.join(server.as_str()));
        files::write_all(&place.dir_outside, secrets.as_deref(), &launch.files)?;
        let log_path = place.dir_outside.join(LOG_FILE);
        let open = || -> io::Result<(File, File)> {
            let log = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&log_path)?;
            Ok((log.try_clone()?, log))
        };
        let (stdout, stderr) = open().map_err(file_error("open", &log_path))?;
        let set = launch
            .env
            .iter()
            .map(|(name, value)| (name.clone(), value.into()));
        let process = self.processes.spawn(Spawn {
            label: format!("{}/{server}", self.deployment),
            program: program.path.clone(),
            args: program
                .leading_args
                .iter()
                .chain(&launch.args)
                .map(Into::into)
                .collect(),
            directory: Some(place.dir_outside.clone()),
            environment: Environment::Empty(set.collect()),
            stdout: Output::from(stdout),
            stderr: Output::from(stderr),
        })?;
        Ok(Box::new(running::LocalRunning::new(process)))
    }
}

impl Site for LocalSite {
    fn places(&self) -> &BTreeMap<ServerKey, Place> {
        &self.places
    }

    fn start<'a>(
        &'a self,
        server: &'a ServerKey,
        program: &'a Program,
        launch: &'a Launch,
    ) -> Fut<'a, Result<Box<dyn Running>, BackEndError>> {
        Box::pin(async move { self.spawn(server, program, launch) })
    }

    fn release_ports(&self, server: &ServerKey) -> bool {
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.remove(server).is_some_and(|held| !held.is_empty())
    }

    fn log_size(&self, server: &ServerKey) -> u64 {
        self.log_path(server)
            .and_then(|path| fs::metadata(path).ok())
            .map_or(0, |metadata| metadata.len())
    }

    fn log(&self, server: &ServerKey, from: u64, limit: u64) -> io::Result<Vec<u8>> {
        let path = self
            .log_path(server)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        self.holes.read(server, &path, from, limit)
    }

    fn cut_log(&self, server: &ServerKey) -> io::Result<bool> {
        let path = self.log_path(server);
        path.map_or(Ok(false), |path| self.holes.cut(server, &path))
    }

    fn close_logs(&self) -> io::Result<()> {
        for (server, place) in &self.places {
            self.holes
                .close(server, &place.dir_outside.join(LOG_FILE))?;
        }
        Ok(())
    }

    fn remove_data(&self) -> io::Result<()> {
        self.remove_secrets();
        for place in self.places.values() {
            for entry in fs::read_dir(&place.dir_outside)? {
                let entry = entry?;
                if entry.file_name() == LOG_FILE {
                    continue;
                }
                if entry.file_type()?.is_dir() {
                    fs::remove_dir_all(entry.path())?;
                } else {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    fn remove_secrets(&self) {
        if let Some(path) = &self.secrets
            && let Err(error) = fs::remove_dir_all(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "cannot remove secrets");
        }
    }
}

/// Makes a directory, and those above it that are missing, that only its owner may enter.
fn make_private(path: &Path) -> Result<(), BackEndError> {
    DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(path)
        .map_err(file_error("make", path))
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackEndError {
    let path = path.to_owned();
    move |source| BackEndError::File {
        action,
        path,
        source,
    }
}
