//! How a server becomes a member (`ServerState.cpp` of arangodb/arangodb, `integrateIntoCluster`).

use serde_json::{Map, Value, json};
use tokio::time::{Duration, Instant, sleep};

use super::structure::structure;
use super::{AgencyError, Cluster, Decided, find};
use crate::role::Role;
use crate::server::Server;
use crate::version::{ENGINE, imitated};

/// arangod tries for so long to reach the agency: 300 times, a second apart.
const LONGEST: Duration = Duration::from_secs(300);

/// Does what a start needs of the agency, again and again until it is done.
async fn insist(
    server: &Server,
    what: &str,
    step: impl AsyncFn() -> Result<(), AgencyError>,
) -> Result<(), AgencyError> {
    let end = Instant::now() + LONGEST;
    loop {
        match step().await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() >= end => return Err(error),
            Err(error) => {
                let text = format!("cannot {what} yet: {error}");
                server.log.warning("", "cluster", text);
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

impl Cluster {
    /// Goes through all steps; each may be made again after an answer that was lost.
    pub(super) async fn register(&self, server: &Server) -> Result<(), AgencyError> {
        insist(server, "register", async || {
            self.register_once(server).await
        })
        .await
    }

    /// Takes in what others have changed while the server was on its way up.
    pub(crate) async fn catch_up(&self, server: &Server) -> Result<(), AgencyError> {
        insist(server, "catch up", async || self.try_refresh(server).await).await
    }

    async fn write(&self, operations: Value, conditions: Value) -> Result<Decided, AgencyError> {
        self.agency
            .write(operations, conditions, Duration::from_secs(60))
            .await
    }

    async fn register_once(&self, server: &Server) -> Result<(), AgencyError> {
        let (id, kind) = (&self.id, self.kind());
        let paths = ["/arango"];
        let mut tree = self.agency.read(&paths, Duration::from_secs(60)).await?;
        if find(&tree, "/arango/Plan").is_null() {
            let cluster = crate::system::uuid()
                .map_err(|error| AgencyError::Unreachable(error.to_string()))?;
            // Whoever comes second finds it there.
            self.write(
                json!({ "/arango": structure(&cluster, self.settings.heartbeat) }),
                json!({ "/arango/Plan": { "oldEmpty": true } }),
            )
            .await?;
            tree = self.agency.read(&paths, Duration::from_secs(60)).await?;
        }
        if find(&tree, &format!("/arango/Plan/{kind}/{id}")).is_null() {
            let increment = json!({ "op": "increment" });
            let mut operations = Map::new();
            for half in ["Plan", "Current"] {
                operations.insert(format!("/arango/{half}/{kind}/{id}"), json!("none"));
                operations.insert(format!("/arango/{half}/Version"), increment.clone());
            }
            let mut conditions = Map::new();
            conditions.insert(
                format!("/arango/Plan/{kind}/{id}"),
                json!({ "oldEmpty": true }),
            );
            self.write(Value::Object(operations), Value::Object(conditions))
                .await?;
        }
        self.take_name(&tree).await?;
        self.announce(server, &tree).await?;
        drop(self.agency.learn().await?);
        Ok(())
    }

    /// Takes a short name. Coordinators get a new one at every start, dbservers keep theirs.
    async fn take_name(&self, tree: &Value) -> Result<(), AgencyError> {
        let (counter, word) = match self.role {
            Role::DbServer => ("/arango/Target/LatestDBServerId", "DBServer"),
            _ => ("/arango/Target/LatestCoordinatorId", "Coordinator"),
        };
        let path = format!("/arango/Target/MapUniqueToShortID/{}", self.id);
        if self.role == Role::DbServer && !find(tree, &path).is_null() {
            return Ok(());
        }
        let mut latest = find(tree, counter).clone();
        loop {
            let number = latest.as_u64().unwrap_or(0) + 1;
            let condition = match &latest {
                Value::Null => json!({ "oldEmpty": true }),
                known => json!({ "old": known }),
            };
            let mut operations = Map::new();
            operations.insert(String::from(counter), json!(number));
            operations.insert(
                path.clone(),
                json!({ "TransactionID": number, "ShortName": format!("{word}{number:04}") }),
            );
            let conditions = Map::from_iter([(String::from(counter), condition)]);
            let decided = self
                .write(Value::Object(operations), Value::Object(conditions))
                .await?;
            if decided != Decided::Not {
                return Ok(());
            }
            let now = self
                .agency
                .read(&[counter], Duration::from_secs(60))
                .await?;
            latest = find(&now, counter).clone();
        }
    }

    /// Says where the server is, and counts its start.
    async fn announce(&self, server: &Server, tree: &Value) -> Result<(), AgencyError> {
        let id = &self.id;
        let registered = find(tree, "/arango/Current/ServersRegistered");
        let twin = registered
            .as_object()
            .into_iter()
            .flatten()
            .find(|(other, entry)| {
                *other != id && entry["endpoint"] == json!(self.settings.endpoint)
            });
        if let Some((other, _)) = twin {
            let text = format!("the endpoint of this server is also that of {other}");
            server.log.warning("9a134", "cluster", text);
        }
        let known = format!("/arango/Current/ServersKnown/{id}");
        let count = format!("{known}/rebootId");
        let mut operations = Map::new();
        operations.insert(
            format!("/arango/Current/ServersRegistered/{id}"),
            json!({
                "endpoint": self.settings.endpoint,
                "advertisedEndpoint": self.settings.advertised,
                "host": crate::system::host_name(),
                "version": imitated().number(),
                "versionString": imitated().text,
                "engine": ENGINE,
                "timestamp": crate::system::timestamp(),
            }),
        );
        for path in [
            count.as_str(),
            "/arango/Current/Version",
            "/arango/Current/ServersRegistered/Version",
        ] {
            operations.insert(String::from(path), json!({ "op": "increment" }));
        }
        let strange = self.fresh && self.reboot.get() == 0 && !find(tree, &known).is_null();
        if strange {
            let text = "this server is new, but the agency knows its id";
            server.log.warning("", "cluster", text);
        }
        self.write(Value::Object(operations), json!({})).await?;
        let now = self.agency.read(&[&count], Duration::from_secs(60)).await?;
        self.reboot.set(find(&now, &count).as_u64().unwrap_or(1));
        Ok(())
    }
}
