//! The back end for local processes.

mod files;
mod logs;
mod running;

pub use files::write_private;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::backend::{BackEnd, BackEndError, PlaceRequest, Running, Site};
use crate::cores::Cores;
use crate::links::{Proxy, Setup};
use crate::ports::HeldPort;
use crate::process::{CoreLimit, Environment, Output, Processes, Spawn};
use crate::program::Program;
use crate::recording::Recorder;
use crate::secret::Secret;
use crate::server::{Launch, ServerKey, ServerPlan, Verb};
use crate::system::Fut;
use crate::view::{Place, Share};

/// The name of the file in a server's directory that takes its stdout and stderr, over all its starts.
pub const LOG_FILE: &str = "log";

/// The name of the directory with the files that all servers of a deployment share.
const SHARED: &str = "tls";

/// The name of the file in a deployment's directory that takes what the proxy of its links says of itself.
const LINKS_LOG: &str = "links.log";

/// Runs servers as children of this process, on the loopback interface.
#[derive(Clone)]
pub struct Local {
    processes: Processes,
    cores: Option<Arc<Cores>>,
    recorder: Option<Recorder>,
    timeout_factor: f64,
}

struct LocalSite {
    deployment: String,
    processes: Processes,
    cores: Option<Arc<Cores>>,
    recorder: Option<Recorder>,
    places: BTreeMap<ServerKey, Place>,
    secrets: Option<PathBuf>,
    /// Where the files are that all servers share.
    shared: PathBuf,
    ports: Mutex<BTreeMap<ServerKey, Vec<HeldPort>>>,
    holes: logs::Holes,
    /// The proxy between them, and the ports held for it.
    links: Option<(Proxy, Vec<HeldPort>)>,
}

impl Local {
    /// A back end that starts its servers through this table.
    #[must_use]
    pub fn new(processes: Processes) -> Self {
        Self {
            processes,
            cores: None,
            recorder: None,
            timeout_factor: 1.0,
        }
    }

    /// With what it waits for itself given so many times the time.
    #[must_use]
    pub fn with_timeout_factor(mut self, factor: f64) -> Self {
        self.timeout_factor = factor;
        self
    }

    /// With servers recorded; `None` records none.
    #[must_use]
    pub fn with_recorder(mut self, recorder: Option<Recorder>) -> Self {
        self.recorder = recorder;
        self
    }

    /// With this done about the cores of its servers; without, they are as the kernel and the limits make them.
    #[must_use]
    pub fn with_cores(mut self, cores: Cores) -> Self {
        self.cores = Some(Arc::new(cores));
        self
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
            let (mut listeners, mut fronts) = (Vec::new(), Vec::new());
            for server in request.plan {
                let (mut place, held) = place_one(server, request)?;
                if let Some(wanted) = &request.links {
                    let front = wanted.front(&server.key, &place.bind);
                    let front = front.map_err(|source| BackEndError::Port { source })?;
                    place.advertise.extend(front.advertise);
                    place.reach.extend(front.reach);
                    listeners.extend(front.listeners);
                    fronts.extend(front.held);
                }
                places.insert(server.key.clone(), place);
                ports.insert(server.key.clone(), held);
            }
            let secrets = request.secrets.map(|path| path.join(request.deployment));
            if let Some(path) = &secrets {
                make_private(path)?;
            }
            let shared = secrets.as_deref().unwrap_or(request.directory);
            let shared = std::path::absolute(shared.join(SHARED));
            let shared = shared.map_err(file_error("find", request.directory))?;
            let links = match &request.links {
                None => None,
                Some(wanted) => {
                    let setup = Setup {
                        system: wanted.system.to_owned(),
                        listeners,
                    };
                    let log = request.directory.join(LINKS_LOG);
                    let (processes, deployment) = (&self.processes, request.deployment);
                    let proxy =
                        Proxy::start(processes, deployment, setup, &log, self.timeout_factor)
                            .await?;
                    Some((proxy, fronts))
                }
            };
            let site: Box<dyn Site> = Box::new(LocalSite {
                deployment: request.deployment.to_owned(),
                processes: self.processes.clone(),
                cores: self.cores.clone(),
                recorder: self.recorder.clone(),
                places,
                secrets,
                shared,
                ports: Mutex::new(ports),
                holes: logs::Holes::default(),
                links,
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
    ) -> Result<running::LocalRunning, BackEndError> {
        let place = self.place_of(server)?;
        self.write_files(server, &launch.files)?;
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
        let args = program.leading_args.iter().chain(&launch.args);
        let args: Vec<OsString> = args.map(Into::into).collect();
        let recorder = self.recorder.as_ref();
        let recorder = recorder.filter(|recorder| recorder.records(&place.role));
        let (executed, args, recording) = match recorder {
            None => (program.path.clone(), args, None),
            Some(recorder) => {
                let command = recorder.command(&place.dir_outside, &program.path, args);
                let command = command.map_err(file_error("record", &program.path))?;
                (command.program, command.args, Some(command.recording))
            }
        };
        let process = self.processes.spawn(Spawn {
            label: format!("{}/{server}", self.deployment),
            program: executed,
            args,
            directory: Some(place.dir_outside.clone()),
            environment: Environment::Empty(set.collect()),
            stdout: Output::from(stdout),
            stderr: Output::from(stderr),
            cores: (self.cores.as_ref()).map_or(CoreLimit::Inherited, |cores| cores.limit()),
        })?;
        let trace = self.cores.as_ref().map(|cores| running::Trace {
            cores: cores.clone(),
            processes: self.processes.clone(),
            server: server.clone(),
            directory: place.dir_outside.clone(),
        });
        Ok(running::LocalRunning::new(process, trace, recording))
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
        Box::pin(async move {
            let running = self.spawn(server, program, launch)?;
            if let Some((proxy, _)) = &self.links {
                let (pid, started) = running.identity();
                let told = proxy.server_started(server, pid, started).await;
                // Nobody else knows of it yet.
                told.inspect_err(|_| running.kill_now())?;
            }
            let running: Box<dyn Running> = Box::new(running);
            Ok(running)
        })
    }

    fn write_files(
        &self,
        server: &ServerKey,
        files: &[(PathBuf, u32, Secret)],
    ) -> Result<(), BackEndError> {
        let place = self.place_of(server)?;
        let secrets = self.secrets.as_ref().map(|path| path.join(server.as_str()));
        files::write_all(&place.dir_outside, secrets.as_deref(), files)
    }

    fn write_shared(&self, files: &[(PathBuf, Secret)]) -> Result<PathBuf, BackEndError> {
        for (path, content) in files {
            write_private(&self.shared.join(path), content)?;
        }
        Ok(self.shared.clone())
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

    fn log_part(&self, server: &ServerKey, from: u64) -> Range<u64> {
        let (start, end) = self.holes.part(server, from);
        let size = self.log_size(server).max(start);
        start..end.unwrap_or(size).min(size)
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
            files::remove_data(&place.dir_outside)?;
        }
        Ok(())
    }

    fn remove_data_of(&self, server: &ServerKey) -> Result<(), BackEndError> {
        let directory = &self.place_of(server)?.dir_outside;
        files::remove_data(directory).map_err(file_error("empty", directory))
    }

    fn remove_secrets(&self) {
        for path in [Some(&self.shared), self.secrets.as_ref()]
            .into_iter()
            .flatten()
        {
            if let Err(error) = fs::remove_dir_all(path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "cannot remove secrets");
            }
        }
    }

    fn links(&self) -> Option<&Proxy> {
        self.links.as_ref().map(|(proxy, _)| proxy)
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
