//! Servers of ArangoDB that somebody else started: a single server, or the coordinators of a cluster.

use std::time::Duration;

use armadillo_orchestrator::{
    AttachError, Attached, Attachment, Client, Login, Request, Response, ServerKey, Topology,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::auth;
use crate::client::Version;
use crate::launch::PORT;
use crate::role::Role;
use crate::topology::{CLUSTER, COORDINATORS, SINGLE, SYSTEM};

/// The shape of a cluster of which only coordinators are known. Its agents and dbservers take no requests of users.
pub(crate) const SHAPE: &str = "coordinators";

/// How long one request of the survey may take.
const LIMIT: Duration = Duration::from_secs(3);

const CHECK_ADDRESS: &str = "check the address";

const CHECK_LOGIN: &str = "put `USER:PASSWORD` into a file that only you can read, and name it with --attach-arangodb-login \
                           FILE, or set ARMADILLO_ATTACH_ARANGODB_USER and ARMADILLO_ATTACH_ARANGODB_PASSWORD";

/// What one server says of itself.
struct Seen {
    role: Role,
    version: String,
    stand_in: Option<String>,
    /// The cluster's id; `None` for a single server.
    cluster: Option<String>,
}

/// One look at each of them.
pub(crate) async fn survey(at: &Attachment) -> Result<Attached, AttachError> {
    let mut first: Option<Seen> = None;
    for address in &at.addresses {
        let seen = look(address, at.login.as_ref()).await?;
        match &first {
            None => first = Some(seen),
            Some(first) => check_same(address, first, &seen)?,
        }
    }
    let Some(seen) = first else {
        return Err(AttachError::at("", "no address is given", CHECK_ADDRESS));
    };
    let count = u32::try_from(at.addresses.len()).unwrap_or(u32::MAX);
    let (shape, params) = match seen.role {
        Role::Coordinator => (SHAPE, [(COORDINATORS.to_owned(), count)].into()),
        _ => (SINGLE, Default::default()),
    };
    let keys = (1..).map(|number| ServerKey::numbered(seen.role.name(), number));
    let ports = at
        .addresses
        .iter()
        .map(|address| [(PORT.to_owned(), address.clone())].into());
    Ok(Attached {
        topology: Topology {
            system: SYSTEM.to_owned(),
            shape: shape.to_owned(),
            params,
            options: Vec::new(),
            binaries: Default::default(),
        },
        servers: keys.zip(ports).collect(),
        version: seen.version,
        stand_in: seen.stand_in,
        login: at.login.clone(),
    })
}

/// Why the server at another address does not belong to the first.
fn check_same(address: &str, first: &Seen, seen: &Seen) -> Result<(), AttachError> {
    let says = if first.role != Role::Coordinator || seen.role != Role::Coordinator {
        "several addresses are given, but a single server is among them".to_owned()
    } else if first.cluster != seen.cluster {
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

#[derive(Deserialize)]
struct Health {
    #[serde(rename = "ClusterId")]
    cluster: String,
}

async fn look(address: &str, login: Option<&Login>) -> Result<Seen, AttachError> {
    let asked = Asked {
        address,
        login,
        client: Client::tcp(address),
    };
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
        return Err(AttachError::at(address, says, CHECK_ADDRESS));
    };
    let RoleAnswer { role } = asked.read("/_admin/server/role").await?;
    let role = match role.as_str() {
        "SINGLE" => Role::Single,
        "COORDINATOR" => Role::Coordinator,
        other => {
            let says = format!(
                "this server has the role {other}; tests can run on single servers and coordinators"
            );
            return Err(AttachError::at(
                address,
                says,
                "give the addresses of coordinators",
            ));
        }
    };
    asked.check_rights().await?;
    let cluster = if role == Role::Coordinator {
        let health: Health = asked.read("/_admin/cluster/health").await?;
        Some(health.cluster)
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
    login: Option<&'a Login>,
    client: Client,
}

impl Asked<'_> {
    async fn send(&self, path: &str) -> Result<Response, AttachError> {
        let mut request = Request::get(path);
        if let Some(login) = self.login {
            let authorization = auth::basic(&login.user, &login.password);
            request = request.header("authorization", authorization.reveal());
        }
        let sent = self.client.send(request, LIMIT).await;
        sent.map_err(|error| AttachError::silent(self.address, &error))
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
            AttachError::at(
                self.address,
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
            let user = self.login.map_or("nobody", |login| login.user.as_str());
            let says = format!(
                "the user {user} may not create databases and users (HTTP {status} to GET {path})"
            );
            return Err(AttachError::at(
                self.address,
                says,
                "use a user with administrate rights on _system",
            ));
        }
        Ok(())
    }

    fn refused(&self) -> AttachError {
        let says = match self.login {
            Some(login) => format!("it rejects the login of the user {} (HTTP 401)", login.user),
            None => "it asks for a login, and none is set (HTTP 401)".to_owned(),
        };
        AttachError::at(self.address, says, CHECK_LOGIN)
    }
}

/// Whether what is there will do for a test.
pub(crate) fn suffices(wish: &Topology, attached: &Attached) -> Result<(), String> {
    let there = attached.topology.shape.as_str();
    let needs = match (wish.shape.as_str(), there) {
        (SINGLE, SHAPE) => "a single server",
        (CLUSTER, SINGLE) => "a cluster",
        (CLUSTER, SHAPE) => "the agents and dbservers of a cluster",
        _ => return Ok(()),
    };
    Err(format!("needs {needs}"))
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::Secret;

    use super::*;
    use crate::scripted::{answer, run};
    use crate::topology::{ANY, cluster, single};

    const VERSION: &str = r#"{"server":"arango","license":"community","version":"3.12.10"}"#;

    /// What the survey says of a server with these answers.
    fn surveyed(answers: Vec<Vec<u8>>, login: Option<Login>) -> Result<Attached, String> {
        let (found, _) = run(answers, async |view| {
            let address = view.reach(&"single-1".into(), PORT).unwrap().to_owned();
            let at = Attachment {
                addresses: vec![address.clone()],
                login,
            };
            survey(&at)
                .await
                .map_err(|error| error.to_string().replace(&address, "HOST"))
        });
        found
    }

    fn ann() -> Option<Login> {
        Some(Login {
            user: "ann".to_owned(),
            password: Secret::new("s3cret"),
        })
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
        let health = answer(200, r#"{"ClusterId":"c","Health":{}}"#);
        let stand_in = answer(
            200,
            r#"{"server":"arango","version":"3.12.10","details":{"stand-in":"a toy"}}"#,
        );
        let found = surveyed(
            vec![stand_in, role("COORDINATOR"), list(), list(), health],
            None,
        )
        .unwrap();
        assert_eq!(
            found.topology.to_string(),
            "arangodb coordinators(coordinators = 1)"
        );
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
                ..single().topology().to_topology()
            },
            servers: Default::default(),
            version: String::new(),
            stand_in: None,
            login: None,
        };
        let suffices = |wish: Topology, shape: &str| suffices(&wish, &attached(shape));
        assert_eq!(suffices(ANY.to_topology(), SINGLE), Ok(()));
        assert_eq!(suffices(ANY.to_topology(), SHAPE), Ok(()));
        assert_eq!(suffices(single().topology().to_topology(), SINGLE), Ok(()));
        assert!(suffices(single().topology().to_topology(), SHAPE).is_err());
        assert!(suffices(cluster().topology().to_topology(), SINGLE).is_err());
        let needs = suffices(cluster().topology().to_topology(), SHAPE).unwrap_err();
        assert_eq!(needs, "needs the agents and dbservers of a cluster");
    }
}
