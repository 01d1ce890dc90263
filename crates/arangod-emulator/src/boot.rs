//! From a locked directory to "ready for business", and down again.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinHandle, LocalSet, spawn_blocking, spawn_local};
use tokio::time::timeout;

use crate::agency::Agent;
use crate::auth::users::{Grants, User, save};
use crate::auth::{Right, Secrets};
use crate::cluster::Cluster;
use crate::directory::Directory;
use crate::errors::ApiError;
use crate::exit::Exit;
use crate::http::{Client, Listeners, bind};
use crate::logging::Logger;
use crate::options::Options;
use crate::role::Role;
use crate::server::{Server, Stage};
use crate::settings::{Settings, Step};
use crate::signals::Signals;
use crate::store::{SYSTEM, SYSTEM_ID, Store};
use crate::supervision::Supervision;
use crate::tls::Tls;
use crate::upgrade::upgrade_cluster;
use crate::version::imitated;

/// How long requests that are under way at the end may take to end too. An estimate, nobody
/// measured how patient arangod is.
const GRACE: Duration = Duration::from_secs(2);

/// What the process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Answer requests until somebody stops it.
    Serve,
    /// `--database.init-database`
    Initialise,
    /// `--database.auto-upgrade`
    Upgrade,
    /// `--database.check-version`
    CheckVersion,
}

/// Runs the server to its end.
pub(crate) fn live(
    options: &Options,
    settings: Settings,
    log: Arc<Logger>,
    secrets: Secrets,
    directory: Directory,
    task: Task,
    started: Instant,
) -> Exit {
    if task == Task::CheckVersion {
        directory.unlock();
        return Exit::Success;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            log.fatal("", "general", format!("cannot start the runtime: {error}"));
            return Exit::Failed;
        }
    };
    let password = root_password(options);
    let server = Rc::new(Server::new(settings, Arc::clone(&log), secrets, started));
    let life = Life {
        server,
        directory,
        password,
        task,
    };
    let local = LocalSet::new();
    let exit = local.block_on(&runtime, life.run());
    // Tasks hold the server; with them go the sockets. A recovery that was interrupted by a signal
    // ends here too, before anybody else may lock the directory.
    drop(local);
    drop(runtime);
    if exit == Exit::Success {
        life.directory.unlock();
    }
    log.info(
        "4bcb9",
        "general",
        "the stand-in for ArangoDB has been shut down",
    );
    exit
}

/// The password of a new `root`: the option, else the environment, else none.
fn root_password(options: &Options) -> String {
    if options.given("--database.password") {
        return String::from(options.text("--database.password"));
    }
    std::env::var("ARANGODB_DEFAULT_ROOT_PASSWORD").unwrap_or_default()
}

struct Life {
    server: Rc<Server>,
    directory: Directory,
    password: String,
    task: Task,
}

impl Life {
    async fn run(&self) -> Exit {
        let server = &self.server;
        match Signals::catch() {
            Ok(signals) => drop(spawn_local(signals.serve(Rc::clone(server)))),
            Err(error) => {
                server
                    .log
                    .fatal("", "general", format!("cannot catch signals: {error}"));
                return Exit::Failed;
            }
        }
        let (close, closing) = watch::channel(false);
        let (stop, stopped) = watch::channel(false);
        let mut serving = None;
        // A signal may come at any time, also while the server is still on its way up.
        let result = tokio::select! {
            result = self.rise(&mut serving, closing, stopped) => result,
            () = server.stop_requested() => Ok(()),
        };
        server.enter(Stage::Stopping);
        // From now on nobody can connect. The receivers may be gone already, if no port was opened.
        let _ = close.send(true);
        let down = tokio::select! {
            down = self.fall(serving, stop) => down,
            () = server.abandoned() => Err(Exit::Failed),
        };
        match result.and(down) {
            Ok(()) => Exit::Success,
            Err(exit) => exit,
        }
    }

    /// Ends service, and brings everything to the disk.
    async fn fall(
        &self,
        serving: Option<JoinHandle<()>>,
        stop: watch::Sender<bool>,
    ) -> Result<(), Exit> {
        let server = &self.server;
        if let Some(cluster) = server.cluster() {
            drop(timeout(GRACE / 4, cluster.say("SHUTDOWN")).await);
        }
        if serving.is_some() {
            server.settings.pace.spend(Step::Shutdown).await;
        }
        // The receivers may be gone already, if no port was opened.
        let _ = stop.send(true);
        if let Some(serving) = serving
            && timeout(GRACE, serving).await.is_err()
        {
            let message = "some connections did not end in time, closing them";
            server.log.warning("", "communication", message);
        }
        match server.detach() {
            Some(mut store) => store
                .close()
                .map_err(|error| self.die("", "engines", &error.to_string(), Exit::Failed)),
            None => Ok(()),
        }
    }

    /// Goes through the stages, and serves until the server is asked to stop.
    async fn rise(
        &self,
        serving: &mut Option<JoinHandle<()>>,
        closing: watch::Receiver<bool>,
        stopped: watch::Receiver<bool>,
    ) -> Result<(), Exit> {
        let server = &self.server;
        let serve = |listeners: Listeners| {
            let (closing, stopped) = (closing.clone(), stopped.clone());
            spawn_local(listeners.serve(Rc::clone(server), closing, stopped))
        };
        self.announce();
        let listens = self.task == Task::Serve && server.settings.rest_server;
        let early = listens && server.settings.early_connections;
        if early {
            *serving = Some(serve(self.open_ports()?));
        }
        self.recover().await?;
        // A coordinator has no data that could be of a version.
        if server.settings.role != Role::Coordinator {
            self.directory
                .write_version()
                .map_err(|error| self.die(error.id, "startup", &error.message, error.exit))?;
        }
        if self.task != Task::Serve {
            return self.finish_task().await;
        }
        server.enter(Stage::Maintenance);
        if listens && !early {
            *serving = Some(serve(self.open_ports()?));
        }
        server.settings.pace.spend(Step::Bootstrap).await;
        if server.settings.role == Role::Single {
            self.bootstrap()?;
        }
        if let Ok(agent) = server.agent() {
            agent.launch();
            if server.settings.supervision.enabled {
                let log = Arc::clone(&server.log);
                let settings = server.settings.supervision;
                spawn_local(Supervision::new(Rc::clone(agent), settings, log).run());
            }
        }
        if let Some(cluster) = server.cluster() {
            self.join(cluster).await?;
        }
        server.enter(Stage::Serving);
        if matches!(server.settings.role, Role::Single | Role::Coordinator) {
            let text = "Preloading the users";
            server.log.info("ef78c", "authentication", text);
            server.settings.pace.spend(Step::LoadUsers).await;
        }
        server.knows_users.set(true);
        server.log.info(
            "cf3f4",
            "general",
            format!(
                "ArangoDB (version {} [linux]) is ready for business. Have fun!",
                imitated().text
            ),
        );
        match server.agent() {
            Ok(agent) => tokio::select! {
                () = server.stop_requested() => Ok(()),
                () = agent.broken() => Err(Exit::Failed),
            },
            Err(_) => {
                server.stop_requested().await;
                Ok(())
            }
        }
    }

    /// Does what the process is for, instead of serving.
    async fn finish_task(&self) -> Result<(), Exit> {
        let server = &self.server;
        let log = &server.log;
        if let (Task::Upgrade, Role::Coordinator, Some(cluster)) =
            (self.task, server.settings.role, server.cluster())
        {
            self.join(cluster).await?;
            upgrade_cluster(cluster, server)
                .await
                .map_err(|error| self.die("482a3", "cluster", &error.to_string(), Exit::Failed))?;
            let text = "server will now shut down due to upgrade.";
            log.info("d6047", "startup", text);
            return Ok(());
        }
        if server.settings.role == Role::Single {
            self.bootstrap()?;
        }
        if self.task == Task::Upgrade {
            log.info("0de5e", "general", "database upgrade passed");
        }
        let text = "server will now shut down due to upgrade, database initialization or admin restoration.";
        log.info("7da27", "startup", text);
        Ok(())
    }

    fn announce(&self) {
        let settings = &self.server.settings;
        let text = match (settings.authentication, settings.system_only) {
            (true, true) => "Authentication is turned on (system only)",
            (true, false) => "Authentication is turned on",
            (false, _) => "Authentication is turned off",
        };
        self.server.log.info("3844e", "authentication", text);
    }

    fn die(&self, id: &str, topic: &str, message: &str, exit: Exit) -> Exit {
        self.server.log.fatal(id, topic, message);
        exit
    }

    fn open_ports(&self) -> Result<Listeners, Exit> {
        let endpoints = &self.server.settings.endpoints;
        if endpoints.iter().any(|endpoint| endpoint.encrypted) {
            let tls = Tls::open(&self.server.settings.tls).map_err(|error| {
                if let Some(cause) = error.cause {
                    let message = format!("failed to create SSL context: {cause}");
                    self.server.log.error("bd0ba", "ssl", message);
                }
                self.die(error.id, "ssl", &error.message, Exit::Failed)
            })?;
            self.server.attach_tls(tls);
        }
        let listeners = bind(endpoints).map_err(|(endpoint, error)| {
            let message = format!(
                "failed to bind to endpoint '{endpoint}'. Please check whether another instance is \
                 already running using this endpoint and review your endpoints configuration. \
                 ({error})"
            );
            self.die("c81f6", "general", &message, Exit::CouldNotBindPort)
        })?;
        for endpoint in endpoints {
            self.server.log.info(
                "6ea38",
                "general",
                format!(
                    "using endpoint '{}' for {} requests",
                    endpoint.log_name(),
                    match endpoint.encrypted {
                        true => "ssl-encrypted",
                        false => "non-encrypted",
                    }
                ),
            );
        }
        Ok(listeners)
    }

    /// Replays the journal, on another thread so that early connections are answered meanwhile.
    async fn recover(&self) -> Result<(), Exit> {
        let server = &self.server;
        let settings = &server.settings;
        let directory_failed = |error: crate::directory::DirectoryError| {
            self.die(error.id, "general", &error.message, error.exit)
        };
        if settings.role != Role::Single {
            self.recover_member().await?;
        }
        if settings.role != Role::Single && settings.role != Role::DbServer {
            settings.pace.spend(Step::Recovery).await;
            server.attach(Store::nobodys());
            return Ok(());
        }
        let path = self.directory.journal().map_err(directory_failed)?;
        server
            .server_id
            .set(self.directory.server_id().map_err(directory_failed)?);
        let (extended, sync) = (settings.extended_names, settings.always_sync);
        let began = Instant::now();
        let recovering = spawn_blocking(move || Store::open(&path, extended, sync));
        let recovered = recovering.await;
        settings.pace.spend(Step::Recovery).await;
        let (store, found) = match recovered {
            Ok(Ok(recovered)) => recovered,
            Ok(Err(error)) => {
                return Err(self.die("", "engines", &error.to_string(), Exit::Recovery));
            }
            Err(error) => {
                return Err(self.die("", "engines", &error.to_string(), Exit::Recovery));
            }
        };
        if found.torn > 0 {
            server.log.warning(
                "",
                "engines",
                format!(
                    "the journal ended in a torn record: {} bytes were cut off",
                    found.torn
                ),
            );
        }
        server.log.info(
            "8767f",
            "engines",
            format!(
                "recovery finished: {} records in {} frames, {} ms",
                found.records,
                found.frames,
                began.elapsed().as_millis()
            ),
        );
        server.attach(store);
        if settings.role == Role::DbServer {
            // What else there is, the plan will say.
            let system = [(String::from(SYSTEM), SYSTEM_ID)];
            let made = server.write(|store| {
                if store.is_empty() {
                    store.follow_databases(&system);
                }
                Ok(())
            });
            made.map_err(|error| self.die("", "engines", &error.to_string(), Exit::Failed))?;
        }
        Ok(())
    }

    /// Finds the id of a server of a deployment, and reads what an agent has kept.
    async fn recover_member(&self) -> Result<(), Exit> {
        let server = &self.server;
        let settings = &server.settings;
        let directory_failed = |error: crate::directory::DirectoryError| {
            self.die(error.id, "general", &error.message, error.exit)
        };
        let fresh = !self.directory.has_uuid();
        if fresh {
            if settings
                .cluster
                .as_ref()
                .is_some_and(|cluster| cluster.persisted)
            {
                let text = "required persisted UUID file not found";
                return Err(self.die("", "cluster", text, Exit::Failed));
            }
            let text = "Fresh start. Persisting new UUID";
            server.log.info("0d924", "cluster", text);
        }
        let recovery_id = settings.agency.as_ref();
        let recovery_id = recovery_id.and_then(|agency| agency.recovery_id.as_deref());
        let id = self
            .directory
            .uuid(settings.role.prefix(), recovery_id)
            .map_err(directory_failed)?;
        server.secrets.set_id(&id);
        let client = Rc::new(Client::new(Rc::clone(&server.secrets)));
        if let Some(agency) = settings.agency.clone() {
            let folder = self.directory.data().map_err(directory_failed)?;
            let agent = Agent::open(&id, &folder, agency, client, Arc::clone(&server.log))
                .map_err(|error| self.die("", "engines", &error.to_string(), Exit::Recovery))?;
            server.attach_agent(Rc::new(agent));
        } else if let Some(cluster) = settings.cluster.clone() {
            let cluster = Cluster::new(&id, settings.role, cluster, client, fresh);
            server.attach_cluster(Rc::new(cluster));
        }
        Ok(())
    }

    /// Makes a dbserver or a coordinator a member of its cluster. A dbserver waits for the agency,
    /// a coordinator also for a dbserver and for whoever sets the cluster up.
    async fn join(&self, cluster: &Rc<Cluster>) -> Result<(), Exit> {
        let server = &self.server;
        let lost = |text: String| self.die("", "cluster", &text, Exit::Failed);
        cluster
            .join(server)
            .await
            .map_err(|error| lost(error.to_string()))?;
        if cluster.role == Role::Coordinator {
            let root = root(&self.password).map_err(|error| lost(error.to_string()))?;
            cluster.set_up(&self.server, &root).await;
        }
        // What others have changed meanwhile is known before the first request.
        cluster
            .catch_up(server)
            .await
            .map_err(|error| lost(error.to_string()))
    }

    /// Creates `_system` and `root` where they are not there.
    fn bootstrap(&self) -> Result<(), Exit> {
        let fresh = |store: &Store| Ok(store.is_empty());
        let result = self.server.read(fresh).and_then(|fresh| {
            if !fresh {
                return Ok(());
            }
            self.server.write(|store| {
                store.bootstrap();
                save(store, &root(&self.password)?)
            })
        });
        result.map_err(|error: ApiError| self.die("", "startup", &error.to_string(), Exit::Failed))
    }
}

fn root(password: &str) -> Result<User, ApiError> {
    let mut root = User::new("root", password)?;
    let everything = Grants {
        database: Some(Right::Rw),
        collections: [(String::from("*"), Right::Rw)].into(),
    };
    root.databases.insert(String::from("*"), everything);
    Ok(root)
}
