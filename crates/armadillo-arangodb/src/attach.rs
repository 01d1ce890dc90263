//! Servers of ArangoDB that somebody else started: a single server, or a cluster, of which the coordinators are named.

mod cluster;

use std::time::Duration;

use armadillo_orchestrator::tls::TLS;
use armadillo_orchestrator::{
    AttachError, Attached, Attachment, Client, Credentials, Request, Response, ServerKey, Topology,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(crate) use self::cluster::Health;
use crate::auth;
use crate::client::Version;
use crate::launch::PORT;
use crate::role::Role;
use crate::topology::{
    AGENTS, CLUSTER, COORDINATORS, DBSERVERS, FAST_FAILOVER, REPLICATION_FACTOR, SINGLE, SYSTEM,
};

/// The shape of a cluster of which only coordinators can be used: its agents and dbservers cannot be reached from here, or
/// accept no login of a user.
pub(crate) const SHAPE: &str = "coordinators";

/// How long one request of the survey may take.
const LIMIT: Duration = Duration::from_secs(3);

const CHECK_ADDRESS: &str = "check the address";

const CHECK_LOGIN: &str = "put `USER:PASSWORD` or `bearer TOKEN` into a file that only you can read, and name it with \
                           --attach-arangodb-login FILE, or set ARMADILLO_ATTACH_ARANGODB_USER and \
                           ARMADILLO_ATTACH_ARANGODB_PASSWORD, or ARMADILLO_ATTACH_ARANGODB_TOKEN";

/// What one server says of itself.
struct Seen {
    role: Role,
    version: String,
    stand_in: Option<String>,
    /// The cluster that it is a coordinator of; `None` for a single server.
    cluster: Option<Health>,
}

/// One look at each of them.
pub(crate) async fn survey(at: &Attachment) -> Result<Attached, AttachError> {
    let mut first: Option<Seen> = None;
    for address in &at.addresses {
        let seen = look(address, at).await?;
        match &first {
            None => first = Some(seen),
            Some(first) => check_same(&at.url(address), first, &seen)?,
        }
    }
    let Some(seen) = first else {
        return Err(AttachError::at("", "no address is given", CHECK_ADDRESS));
    };
    let mut attached = Attached {
        topology: Topology {
            system: SYSTEM.to_owned(),
            shape: SINGLE.to_owned(),
            params: Default::default(),
            words: at.tls.iter().map(|_| TLS.to_owned()).collect(),
            options: Vec::new(),
            binaries: Default::default(),
            data: None,
        },
        servers: Default::default(),
        advertised: Default::default(),
        addresses: at.addresses.clone(),
        left_out: None,
        version: seen.version,
        stand_in: seen.stand_in,
        login: at.login.clone(),
        tls: at.tls.clone(),
    };
    let on_port = |address: &str| [(PORT.to_owned(), address.to_owned())].into();
    let Some(health) = seen.cluster else {
        let servers = at.addresses.iter().map(|address| on_port(address));
        let keys = (1..).map(|number| ServerKey::numbered(seen.role.name(), number));
        attached.servers = keys.zip(servers).collect();
        return Ok(attached);
    };
    let found = cluster::find(&health, at).await?;
    for member in found.members {
        let servers = &mut attached.servers;
        servers.insert(member.key.clone(), on_port(&member.address));
        if let Some(address) = &member.advertised {
            attached.advertised.insert(member.key, on_port(address));
        }
    }
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let topology = &mut attached.topology;
    topology.shape = match found.left_out {
        None => CLUSTER.to_owned(),
        Some(_) => SHAPE.to_owned(),
    };
    topology.params = [
        (AGENTS.to_owned(), number(found.agents)),
        (DBSERVERS.to_owned(), number(found.dbservers)),
        (COORDINATORS.to_owned(), number(found.coordinators)),
    ]
    .into();
    let copies = found
        .copies
        .map(|copies| (REPLICATION_FACTOR.to_owned(), copies));
    topology.params.extend(copies);
    attached.left_out = found.left_out;
    Ok(attached)
}

/// Why the server at another address does not belong to the first.
fn check_same(address: &str, first: &Seen, seen: &Seen) -> Result<(), AttachError> {
    fn id(seen: &Seen) -> Option<&str> {
        seen.cluster.as_ref().map(|health| health.cluster.as_str())
    }
    let says = if first.role != Role::Coordinator || seen.role != Role::Coordinator {
        "several addresses are given, but a single server is among them".to_owned()
    } else if id(first) != id(seen) {
        "it is a coordinator of another cluster than the first address".to_owned()
    } else {
        return Ok(());
    };
    Err(AttachError::at(
        address,
        says,
        "give the address of one single server, or coordinators of one cluster",
    ))
}

/// `GET /_api/version?details=true`
#[derive(Deserialize)]
struct Detailed {
    #[serde(flatten)]
    version: Version,
    #[serde(default)]
    details: Details,
}

#[derive(Default, Deserialize)]
struct Details {
    /// What the emulator calls itself.
    #[serde(default, rename = "stand-in")]
    stand_in: Option<String>,
}

#[derive(Deserialize)]
struct RoleAnswer {
    role: String,
}

async fn look(address: &str, at: &Attachment) -> Result<Seen, AttachError> {
    let asked = Asked::new(address, at);
    let response = asked.send("/_api/version?details=true").await?;
    if response.status == 401 {
        return Err(asked.refused());
    }
    let version: Option<Detailed> = response.json().ok();
    let Some(Detailed { version, details }) =
        version.filter(|said| said.version.server == "arango")
    else {
        let says = format!(
            "this is not ArangoDB: it responds with HTTP {} to GET /_api/version",
            response.status
        );
        return Err(at.error(address, says, CHECK_ADDRESS));
    };
    let RoleAnswer { role } = asked.read("/_admin/server/role").await?;
    let role = match role.as_str() {
        "SINGLE" => Role::Single,
        "COORDINATOR" => Role::Coordinator,
        other => {
            let says = format!(
                "this server has the role {other}; tests can run on single servers and coordinators"
            );
            return Err(at.error(address, says, "give the addresses of coordinators"));
        }
    };
    asked.check_rights().await?;
    let cluster = if role == Role::Coordinator {
        Some(asked.read("/_admin/cluster/health").await?)
    } else {
        None
    };
    Ok(Seen {
        role,
        version: version.version,
        stand_in: details.stand_in,
        cluster,
    })
}

/// Who is asked, by whom.
struct Asked<'a> {
    address: &'a str,
    at: &'a Attachment,
    client: Client,
}

impl<'a> Asked<'a> {
    fn new(address: &'a str, at: &'a Attachment) -> Self {
        Self {
            address,
            at,
            client: at.client(address),
        }
    }

    fn error(&self, says: impl Into<String>, help: &str) -> AttachError {
        self.at.error(self.address, says, help)
    }

    async fn send(&self, path: &str) -> Result<Response, AttachError> {
        let mut request = Request::get(path);
        if let Some(login) = &self.at.login {
            request = request.header("authorization", auth::of_login(login).reveal());
        }
        let sent = self.client.send(request, LIMIT).await;
        sent.map_err(|error| self.at.silent(self.address, &error))
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, AttachError> {
        let response = self.send(path).await?;
        if response.status == 401 {
            return Err(self.refused());
        }
        let answer = if response.is_success() {
            response.json().ok()
        } else {
            None
        };
        answer.ok_or_else(|| {
            let says = format!("it responds with HTTP {} to GET {path}", response.status);
            self.error(
                says,
                "wait until it is up, and check the rights of the user",
            )
        })
    }

    /// Tests make databases and users: whoever may do that may list them.
    async fn check_rights(&self) -> Result<(), AttachError> {
        for path in ["/_db/_system/_api/database", "/_db/_system/_api/user"] {
            let status = match self.send(path).await?.status {
                401 => return Err(self.refused()),
                status if (200..300).contains(&status) => continue,
                status => status,
            };
            let who = match &self.at.login {
                None => "nobody".to_owned(),
                Some(Credentials::Login(login)) => format!("the user {}", login.user),
                Some(Credentials::Token(_)) => "the owner of the token".to_owned(),
            };
            let says =
                format!("{who} may not create databases and users (HTTP {status} to GET {path})");
            return Err(self.error(says, "use a user with administrate rights on _system"));
        }
        Ok(())
    }

    fn refused(&self) -> AttachError {
        let says = match &self.at.login {
            Some(Credentials::Login(login)) => {
                format!("it rejects the login of the user {} (HTTP 401)", login.user)
            }
            Some(Credentials::Token(_)) => "it rejects the token (HTTP 401)".to_owned(),
            None => "it asks for a login, and none is set (HTTP 401)".to_owned(),
        };
        self.error(says, CHECK_LOGIN)
    }
}

/// Whether what is there will do for a test.
pub(crate) fn suffices(wish: &Topology, attached: &Attached) -> Result<(), String> {
    let there = &attached.topology;
    if let Some(word) = wish.words.difference(&there.words).next() {
        return Err(format!("needs {word}, which is not known of these servers"));
    }
    match (wish.shape.as_str(), there.shape.as_str()) {
        (SINGLE, SHAPE | CLUSTER) => Err("needs a single server".to_owned()),
        (CLUSTER, SINGLE) => Err("needs a cluster".to_owned()),
        (CLUSTER, _) => {
            size_suffices(wish, there)?;
            match &attached.left_out {
                None => Ok(()),
                Some(why) => Err(format!(
                    "needs the agents and dbservers of a cluster: {why}"
                )),
            }
        }
        _ => Ok(()),
    }
}

/// Whether a cluster has the numbers that a test sets.
fn size_suffices(wish: &Topology, there: &Topology) -> Result<(), String> {
    for (name, wanted) in &wish.params {
        match there.param(name) {
            Some(number) if number == *wanted => {}
            Some(number) => return Err(format!("needs {name} = {wanted}, not {number}")),
            None if name == FAST_FAILOVER => {
                return Err(
                    "needs a fast failover, and the periods of these servers are not known"
                        .to_owned(),
                );
            }
            None => {
                return Err(format!(
                    "needs {name} = {wanted}, which is not known of these servers"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::{Login, Secret};

    use super::*;
    use crate::scripted::{answer, run};
    use crate::topology::{ANY, cluster, single};

    const VERSION: &str = r#"{"server":"arango","license":"community","version":"3.12.10"}"#;

    /// What the survey says of a server with these answers.
    fn surveyed(answers: Vec<Vec<u8>>, login: Option<Credentials>) -> Result<Attached, String> {
        let (found, _) = run(answers, async |view| {
            let address = view.reach(&"single-1".into(), PORT).unwrap().to_owned();
            let at = Attachment {
                addresses: vec![address.clone()],
                login,
                encrypted: false,
                tls: None,
            };
            survey(&at)
                .await
                .map_err(|error| error.to_string().replace(&address, "HOST"))
        });
        found
    }

    fn ann() -> Option<Credentials> {
        Some(Credentials::Login(Login {
            user: "ann".to_owned(),
            password: Secret::new("s3cret"),
        }))
    }

    #[test]
    fn what_is_there_is_described() {
        let role = |role: &str| answer(200, &format!(r#"{{"role":"{role}"}}"#));
        let list = || answer(200, r#"{"result":[]}"#);
        let found = surveyed(
            vec![answer(200, VERSION), role("SINGLE"), list(), list()],
            ann(),
        )
        .unwrap();
        assert_eq!(found.topology.to_string(), "arangodb single");
        assert_eq!(
            (found.version.as_str(), &found.stand_in),
            ("3.12.10", &None)
        );
        let health = answer(
            200,
            r#"{"ClusterId":"c","Health":{
                "AGNT-1": {"Role":"Agent","Endpoint":"tcp://127.0.0.1:1","Status":"GOOD"},
                "PRMR-1": {"Role":"DBServer","Endpoint":"tcp://127.0.0.1:1","Status":"GOOD"},
                "PRMR-2": {"Role":"DBServer","Endpoint":"tcp://127.0.0.1:1","Status":"GOOD"},
                "CRDN-1": {"Role":"Coordinator","Endpoint":"tcp://of-the-cluster:8529","Status":"GOOD"}}}"#,
        );
        let id = answer(200, r#"{"id":"CRDN-1"}"#);
        let defaults = answer(200, r#"{"replicationFactor":2,"writeConcern":1}"#);
        let stand_in = answer(
            200,
            r#"{"server":"arango","version":"3.12.10","details":{"stand-in":"a toy"}}"#,
        );
        let found = surveyed(
            vec![
                stand_in,
                role("COORDINATOR"),
                list(),
                list(),
                health,
                id,
                defaults,
            ],
            None,
        )
        .unwrap();
        assert_eq!(
            found.topology.to_string(),
            "arangodb coordinators(agents = 1, coordinators = 1, dbservers = 2, replication_factor = 2)"
        );
        let advertised = &found.advertised[&ServerKey::from("coordinator-1")][PORT];
        assert_eq!(advertised, "of-the-cluster:8529");
        let why = found.left_out.unwrap();
        let refused = "the agent at tcp://127.0.0.1:1 cannot be used: nothing listens there";
        assert!(why.starts_with(refused), "{why}");
        assert_eq!(found.stand_in.as_deref(), Some("a toy"));
        let keys: Vec<&str> = found.servers.keys().map(ServerKey::as_str).collect();
        assert_eq!(keys, ["coordinator-1"]);
    }

    #[test]
    fn what_is_wrong_is_said_and_no_password() {
        let unauthorized = || answer(401, "{}");
        let says = |answers, login| {
            let says = surveyed(answers, login).unwrap_err();
            assert!(!says.contains("s3cret"), "{says}");
            says
        };
        let text = says(vec![unauthorized()], ann());
        assert!(
            text.starts_with(
                "http://HOST: it rejects the login of the user ann (HTTP 401)\nhelp: put"
            ),
            "{text}"
        );
        assert!(says(vec![unauthorized()], None).contains("it asks for a login, and none is set"));
        let other = says(vec![answer(404, "404 page not found")], None);
        assert_eq!(
            other,
            "http://HOST: this is not ArangoDB: it responds with HTTP 404 to GET /_api/version\nhelp: check the address"
        );
        let role = |role: &str| answer(200, &format!(r#"{{"role":"{role}"}}"#));
        assert!(
            says(vec![answer(200, VERSION), role("PRIMARY")], None)
                .contains("has the role PRIMARY")
        );
        let forbidden = says(
            vec![answer(200, VERSION), role("SINGLE"), answer(403, "{}")],
            ann(),
        );
        assert!(
            forbidden.contains("the user ann may not create databases and users (HTTP 403"),
            "{forbidden}"
        );
        assert!(says(vec![], None).contains("nothing listens there (connection refused)"));
    }

    #[test]
    fn a_test_runs_on_what_it_asks_for() {
        let attached = |shape: &str| Attached {
            topology: Topology {
                shape: shape.to_owned(),
                params: match shape {
                    SINGLE => Default::default(),
                    _ => [(DBSERVERS.to_owned(), 2)].into(),
                },
                ..single().topology().to_topology()
            },
            servers: Default::default(),
            advertised: Default::default(),
            addresses: Vec::new(),
            left_out: (shape == SHAPE).then(|| "why not".to_owned()),
            version: String::new(),
            stand_in: None,
            login: None,
            tls: None,
        };
        let suffices = |wish: Topology, shape: &str| suffices(&wish, &attached(shape));
        assert_eq!(suffices(ANY.to_topology(), SINGLE), Ok(()));
        assert_eq!(suffices(ANY.to_topology(), SHAPE), Ok(()));
        assert_eq!(suffices(single().topology().to_topology(), SINGLE), Ok(()));
        assert!(suffices(single().topology().to_topology(), SHAPE).is_err());
        assert!(suffices(cluster().topology().to_topology(), SINGLE).is_err());
        assert!(suffices(single().topology().to_topology(), CLUSTER).is_err());
        let needs = |wish: crate::topology::Cluster, shape: &str| {
            suffices(wish.topology().to_topology(), shape).unwrap_err()
        };
        assert_eq!(
            needs(cluster(), SHAPE),
            "needs the agents and dbservers of a cluster: why not"
        );
        // Any cluster is large enough if the test does not say.
        assert_eq!(
            suffices(cluster().topology().to_topology(), CLUSTER),
            Ok(())
        );
        let two = cluster().dbservers(2);
        assert_eq!(suffices(two.topology().to_topology(), CLUSTER), Ok(()));
        assert_eq!(
            needs(cluster().dbservers(3), CLUSTER),
            "needs dbservers = 3, not 2"
        );
        assert_eq!(
            needs(cluster().dbservers(3), SHAPE),
            "needs dbservers = 3, not 2"
        );
        let copies = needs(cluster().replication_factor(2), CLUSTER);
        assert!(
            copies.ends_with("which is not known of these servers"),
            "{copies}"
        );
        assert!(needs(cluster().fast_failover(), CLUSTER).contains("fast failover"));
        assert!(needs(cluster().tls(), CLUSTER).starts_with("needs tls"));
    }
}
