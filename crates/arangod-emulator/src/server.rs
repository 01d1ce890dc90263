//! What all requests share.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Notify;

use crate::agency::Agent;
use crate::async_jobs::AsyncJobs;
use crate::auth::{Identity, Right, Secrets, collection_right, database_right};
use crate::cluster::Cluster;
use crate::coordinator::Numbers;
use crate::errors::ApiError;
use crate::failure_points::FailurePoints;
use crate::http::Request;
use crate::logging::Logger;
use crate::settings::Settings;
use crate::shard::Shards;
use crate::store::{Shipment, Store};
use crate::tls::Tls;
use crate::transactions::Transactions;

/// How far the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The port may be open, the data are not there yet.
    Early,
    /// The data are there, bootstrap is not finished.
    Maintenance,
    /// Normal service.
    Serving,
    /// On the way down.
    Stopping,
}

/// Should a group of changes not come to its end, nobody may see what it has done.
struct Group<'a>(Option<&'a Server>);

impl Drop for Group<'_> {
    fn drop(&mut self) {
        if let Some(server) = self.0
            && let Some(store) = &mut *server.store.borrow_mut()
        {
            store.abandon_group();
        }
    }
}

/// A running server. It lives on one thread, hence the cells.
#[derive(Debug)]
pub(crate) struct Server {
    /// What the options ask for.
    pub(crate) settings: Settings,
    /// The log.
    pub(crate) log: Arc<Logger>,
    /// The JWT secrets.
    pub(crate) secrets: Rc<Secrets>,
    /// The number of this installation, in the unique ids of collections.
    pub(crate) server_id: Cell<u64>,
    /// When the process began.
    pub(crate) started: Instant,
    /// Answers given so far.
    pub(crate) answered: Cell<u64>,
    /// Connections that are open.
    pub(crate) connections: Cell<usize>,
    /// Of a single server: writes are refused.
    pub(crate) read_only: Cell<bool>,
    /// The users are known: a server serves a little before that.
    pub(crate) knows_users: Cell<bool>,
    /// Of a coordinator: numbers that nobody else gives.
    pub(crate) numbers: Numbers,
    /// Of a coordinator: how many shards it has placed, for the next one's turn.
    pub(crate) rotation: Cell<usize>,
    /// Requests whose answers wait to be fetched.
    pub(crate) async_jobs: RefCell<AsyncJobs>,
    /// The transactions that have begun.
    pub(crate) transactions: RefCell<Transactions>,
    /// Of a build with failure tests: where it misbehaves.
    pub(crate) failure_points: FailurePoints,
    agent: OnceCell<Rc<Agent>>,
    cluster: OnceCell<Rc<Cluster>>,
    /// The shards of a dbserver; others have none.
    pub(crate) shards: Shards,
    stage: Cell<Stage>,
    tls: OnceCell<Tls>,
    store: RefCell<Option<Store>>,
    stop: Notify,
    abandon: Notify,
}

impl Server {
    /// A server before recovery.
    pub(crate) fn new(
        settings: Settings,
        log: Arc<Logger>,
        secrets: Secrets,
        started: Instant,
    ) -> Self {
        Self {
            settings,
            log,
            secrets: Rc::new(secrets),
            server_id: Cell::new(0),
            started,
            answered: Cell::new(0),
            connections: Cell::new(0),
            read_only: Cell::new(false),
            knows_users: Cell::new(false),
            numbers: Numbers::default(),
            rotation: Cell::new(0),
            async_jobs: RefCell::default(),
            transactions: RefCell::default(),
            failure_points: FailurePoints::default(),
            agent: OnceCell::new(),
            cluster: OnceCell::new(),
            shards: Shards::default(),
            stage: Cell::new(Stage::Early),
            tls: OnceCell::new(),
            store: RefCell::new(None),
            stop: Notify::new(),
            abandon: Notify::new(),
        }
    }

    /// How far the server is.
    pub(crate) fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// Takes over the keyfile, if there is an endpoint with TLS.
    pub(crate) fn attach_tls(&self, tls: Tls) {
        // The ports are opened once.
        drop(self.tls.set(tls));
    }

    /// The keyfile in use; none without an endpoint with TLS.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.get()
    }

    /// Goes to another stage.
    pub(crate) fn enter(&self, stage: Stage) {
        self.stage.set(stage);
    }

    /// Takes over the agent, if the server is one.
    pub(crate) fn attach_agent(&self, agent: Rc<Agent>) {
        // Recovery runs once.
        drop(self.agent.set(agent));
    }

    /// The agent. Other servers have none, and do not offer what agents do.
    pub(crate) fn agent(&self) -> Result<&Rc<Agent>, ApiError> {
        let missing = || ApiError::not_implemented("the agency on a server that is no agent");
        self.agent.get().ok_or_else(missing)
    }

    /// Takes over what makes the server a coordinator or a dbserver.
    pub(crate) fn attach_cluster(&self, cluster: Rc<Cluster>) {
        // Recovery runs once.
        drop(self.cluster.set(cluster));
    }

    /// What a coordinator or a dbserver has, and other servers have not.
    pub(crate) fn cluster(&self) -> Option<&Rc<Cluster>> {
        self.cluster.get()
    }

    /// Whether writes are refused: here, or in the whole cluster.
    pub(crate) fn is_read_only(&self) -> bool {
        match self.cluster() {
            Some(cluster) => cluster.look("Readonly", |said| *said == true),
            None => self.read_only.get(),
        }
    }

    /// Takes over the recovered data.
    pub(crate) fn attach(&self, store: Store) {
        *self.store.borrow_mut() = Some(store);
    }

    /// Looks at the data.
    pub(crate) fn read<T>(
        &self,
        look: impl FnOnce(&Store) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        match &*self.store.borrow() {
            Some(store) => {
                store.check()?;
                look(store)
            }
            None => Err(ApiError::maintenance()),
        }
    }

    /// Looks at the data if they are there.
    pub(crate) fn peek<T>(&self, look: impl FnOnce(Option<&Store>) -> T) -> T {
        look(self.store.borrow().as_ref())
    }

    /// Changes the data; the change is in the journal when this returns.
    pub(crate) fn write<T>(
        &self,
        change: impl FnOnce(&mut Store) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let result = self.with_store(|store| store.transact(change));
        if let Err(error) = &result
            && error.number == 2
        {
            self.log.fatal("", "engines", &error.message);
        }
        result
    }

    /// Makes several changes of a shard as one frame, and gives what followers have to be sent.
    pub(crate) fn group<T>(
        &self,
        shard: u64,
        run: impl FnOnce() -> T,
    ) -> Result<(T, Option<Shipment>), ApiError> {
        self.with_store(Store::open_group)?;
        let mut group = Group(Some(self));
        let value = run();
        group.0 = None;
        let shipment = self.with_store(|store| store.close_group(shard))?;
        Ok((value, shipment))
    }

    fn with_store<T>(
        &self,
        act: impl FnOnce(&mut Store) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        match &mut *self.store.borrow_mut() {
            Some(store) => act(store),
            None => Err(ApiError::maintenance()),
        }
    }

    /// Gives the data back at the end.
    pub(crate) fn detach(&self) -> Option<Store> {
        self.store.borrow_mut().take()
    }

    /// Asks the server to stop.
    pub(crate) fn request_stop(&self) {
        self.stop.notify_one();
    }

    /// Returns when somebody has asked the server to stop.
    pub(crate) async fn stop_requested(&self) {
        self.stop.notified().await;
    }

    /// Asks the server to end without more ado.
    pub(crate) fn abandon(&self) {
        self.abandon.notify_one();
    }

    /// Returns when somebody has lost patience.
    pub(crate) async fn abandoned(&self) {
        self.abandon.notified().await;
    }

    /// The unique id of a collection across servers; system collections are called by name.
    pub(crate) fn globally_unique(&self, id: u64, name: &str) -> String {
        if name.starts_with('_') {
            String::from(name)
        } else {
            format!("h{:X}/{id}", self.server_id.get())
        }
    }

    /// Whether somebody is an administrator, that is, was granted to write `_system`. Read-only mode
    /// takes nothing from administrators: they can end it.
    pub(crate) fn is_admin(&self, who: &Identity) -> Result<bool, ApiError> {
        let system = crate::store::SYSTEM;
        self.read(|store| Ok(database_right(store, who, system) == Right::Rw))
    }

    /// Refuses those who are not administrators, where that is an error of HTTP.
    pub(crate) fn require_admin(&self, who: &Identity) -> Result<(), ApiError> {
        match self.is_admin(who)? {
            true => Ok(()),
            false => Err(ApiError::not_admin()),
        }
    }

    /// Refuses those who are not administrators, where that is an error of arangod's own. The
    /// recorded rights tell which endpoint does which.
    pub(crate) fn require_privilege(&self, who: &Identity) -> Result<(), ApiError> {
        match self.is_admin(who)? {
            true => Ok(()),
            false => Err(ApiError::forbidden()),
        }
    }

    /// What is left of a right: in read-only mode users only read.
    fn left_of(&self, who: &Identity, right: Right) -> Right {
        match who {
            Identity::User(_) if self.is_read_only() => right.min(Right::Ro),
            _ => right,
        }
    }

    /// The right on a collection, which may be called by its id.
    fn collection_right(&self, request: &Request, collection: &str) -> Result<Right, ApiError> {
        let has = self.read(|store| {
            // Rights are granted on names, and a collection may be called by its id.
            let found = store.collection(&request.database, collection);
            let name = found.map_or(collection, |found| found.meta.name.as_str());
            Ok(collection_right(
                store,
                &request.identity,
                &request.database,
                name,
            ))
        })?;
        Ok(self.left_of(&request.identity, has))
    }

    /// Refuses those who have a smaller right on the documents of a collection. Who may read them,
    /// but not write, is told so.
    pub(crate) fn require_collection(
        &self,
        request: &Request,
        collection: &str,
        right: Right,
    ) -> Result<(), ApiError> {
        match self.collection_right(request, collection)? {
            has if has >= right => Ok(()),
            Right::Ro => Err(ApiError::read_only()),
            _ => Err(ApiError::forbidden()),
        }
    }

    /// Refuses creating and dropping to those who may not write the database.
    pub(crate) fn require_ddl(&self, request: &Request) -> Result<(), ApiError> {
        let (who, database) = (&request.identity, &request.database);
        let has = self.read(|store| Ok(database_right(store, who, database)))?;
        if self.left_of(who, has) < Right::Rw {
            return Err(ApiError::forbidden());
        }
        Ok(())
    }

    /// Refuses changing a collection itself to those who may not write both it and its database.
    pub(crate) fn require_collection_ddl(
        &self,
        request: &Request,
        collection: &str,
    ) -> Result<(), ApiError> {
        self.require_ddl(request)?;
        if self.collection_right(request, collection)? < Right::Rw {
            return Err(ApiError::forbidden());
        }
        Ok(())
    }
}
