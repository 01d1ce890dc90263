//! Members of an etcd cluster that somebody else started.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use armadillo_orchestrator::tls::TLS;
use armadillo_orchestrator::{
    AttachError, Attached, Attachment, Client, Credentials, Login, Request, Response, ServerKey,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::client::wire::{
    AuthAnswer, MemberAnswer, MembersAnswer, PlainAnswer, StatusAnswer, decode, prefix_range,
};
use crate::names::ROOT;
use crate::topology::{MEMBERS, ROLE, etcd};

/// How long one request of the survey may take.
const LIMIT: Duration = Duration::from_secs(3);

const CHECK_ADDRESS: &str = "check the address";

const EACH_ADDRESS: &str = "give the address of each member";

const CHECK_LOGIN: &str = "put `USER:PASSWORD` into a file that only you can read, and name it with --attach-etcd-login FILE, \
                           or set ARMADILLO_ATTACH_ETCD_USER and ARMADILLO_ATTACH_ETCD_PASSWORD";

/// One look at the whole cluster: it says itself which members it has. A member whose address was not given is asked where it
/// says that clients reach it.
pub(crate) async fn survey(at: &Attachment) -> Result<Attached, AttachError> {
    let Some(first) = at.addresses.first() else {
        return Err(AttachError::at("", "no address is given", CHECK_ADDRESS));
    };
    let token = match &at.login {
        Some(Credentials::Login(login)) => Some(token(at, first, login).await?),
        Some(Credentials::Token(_)) => {
            let says = "a token is set, and tokens of etcd expire".to_owned();
            return Err(at.error(first, says, CHECK_LOGIN));
        }
        None => None,
    };
    let asked = |address: &str| Asked::new(at, address, token.clone());
    let first_status = asked(first).status().await?;
    asked(first).check_rights().await?;
    let list: MembersAnswer = asked(first)
        .post("/v3/cluster/member/list", &json!({}))
        .await?;
    let mut known = BTreeMap::from([(first_status.header.member_id, first.clone())]);
    for address in at.addresses.iter().skip(1) {
        let status = asked(address).status().await?;
        if !list
            .members
            .iter()
            .any(|member| member.id == status.header.member_id)
        {
            let says = "it is not a member of the cluster at the first address".to_owned();
            return Err(at.error(address, says, "give the addresses of one cluster"));
        }
        known.insert(status.header.member_id, address.clone());
    }
    let voters = list.members.iter().filter(|member| !member.is_learner);
    for member in voters {
        if let Entry::Vacant(unknown) = known.entry(member.id) {
            let address = advertised(member, at.encrypted, &asked).await;
            let missing = || at.error(first, unreached(member, &list), EACH_ADDRESS);
            unknown.insert(address.ok_or_else(missing)?);
        }
    }
    let members = u32::try_from(known.len()).unwrap_or(u32::MAX);
    let keys = (1..).map(|number| ServerKey::numbered(ROLE, number));
    let addresses: Vec<String> = known.into_values().collect();
    let ports = addresses.iter().cloned();
    let ports = ports.map(|address| [("client".to_owned(), address)].into());
    let mut topology = etcd().topology().to_topology();
    topology.params.insert(MEMBERS.to_owned(), members);
    topology.words.extend(at.tls.iter().map(|_| TLS.to_owned()));
    Ok(Attached {
        topology,
        servers: keys.zip(ports).collect(),
        advertised: BTreeMap::new(),
        addresses,
        left_out: None,
        version: first_status.version,
        stand_in: None,
        login: at.login.clone(),
        tls: at.tls.clone(),
    })
}

/// A member that was not found.
fn unreached(member: &MemberAnswer, list: &MembersAnswer) -> String {
    let urls = match member.client_urls.as_slice() {
        [] => "any address".to_owned(),
        urls => urls.join(" or "),
    };
    let (name, count) = (&member.name, list.members.len());
    format!("the cluster has {count} members, and {name} cannot be reached at {urls}")
}

/// The address at which a member says that clients reach it, if it is there.
async fn advertised(
    member: &MemberAnswer,
    encrypted: bool,
    asked: &impl Fn(&str) -> Asked,
) -> Option<String> {
    let scheme = if encrypted { "https://" } else { "http://" };
    for url in &member.client_urls {
        let Some(address) = url
            .strip_prefix(scheme)
            .map(|rest| rest.trim_end_matches('/'))
        else {
            continue;
        };
        let status = asked(address).status().await;
        if status.is_ok_and(|status| status.header.member_id == member.id) {
            return Some(address.to_owned());
        }
    }
    None
}

/// A token for a user. It holds as long as the members keep it.
async fn token(at: &Attachment, address: &str, login: &Login) -> Result<String, AttachError> {
    let asked = Asked::new(at, address, None);
    let body = json!({ "name": login.user, "password": login.password.reveal() });
    let response = asked.send("/v3/auth/authenticate", &body).await?;
    if response.is_success() {
        let answer: AuthAnswer = asked.read("/v3/auth/authenticate", &response)?;
        return Ok(answer.token);
    }
    let text = response.text();
    let says = if text.contains("authentication is not enabled") {
        "a login is set, but authentication is not enabled there".to_owned()
    } else if text.contains("authentication failed") {
        format!("it rejects the login of the user {}", login.user)
    } else {
        return Err(asked.strange("/v3/auth/authenticate", &response));
    };
    Err(at.error(address, says, CHECK_LOGIN))
}

struct Asked {
    /// Its address as a URL.
    url: String,
    client: Client,
    token: Option<String>,
}

impl Asked {
    fn new(at: &Attachment, address: &str, token: Option<String>) -> Self {
        Self {
            url: at.url(address),
            client: at.client(address),
            token,
        }
    }

    async fn send(&self, path: &str, body: &impl Serialize) -> Result<Response, AttachError> {
        let mut request = Request::post(path).json(body);
        if let Some(token) = &self.token {
            request = request.header("authorization", token.as_str());
        }
        let sent = self.client.send(request, LIMIT).await;
        sent.map_err(|error| AttachError::silent(&self.url, &error))
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, AttachError> {
        let response = self.send(path, body).await?;
        self.read(path, &response)
    }

    fn read<T: DeserializeOwned>(&self, path: &str, response: &Response) -> Result<T, AttachError> {
        if !response.is_success() {
            return Err(self.strange(path, response));
        }
        decode(&response.body).map_err(|_| self.strange(path, response))
    }

    async fn status(&self) -> Result<StatusAnswer, AttachError> {
        let path = "/v3/maintenance/status";
        let response = self.send(path, &json!({})).await?;
        let status: StatusAnswer = self.read(path, &response)?;
        if status.header.member_id == 0 || status.version.is_empty() {
            return Err(self.strange(path, &response));
        }
        Ok(status)
    }

    /// A read below the keys of tests: whether the login is good for it.
    async fn check_rights(&self) -> Result<(), AttachError> {
        let (key, range_end) = prefix_range(ROOT.as_bytes());
        let body = json!({ "key": key, "range_end": range_end, "limit": 1 });
        self.post("/v3/kv/range", &body)
            .await
            .map(|_: PlainAnswer| ())
    }

    /// An answer that etcd does not give to somebody who may ask.
    fn strange(&self, path: &str, response: &Response) -> AttachError {
        let text = response.text();
        let (says, help) =
            if text.contains("user name is empty") || text.contains("invalid auth token") {
                (
                    "it asks for a login, and none is set".to_owned(),
                    CHECK_LOGIN,
                )
            } else if text.contains("permission denied") {
                let says = format!("the user may not read and write keys below {ROOT}");
                (says, "grant it, or use another user")
            } else {
                let says = format!(
                    "this is not etcd 3.4 or newer: it responds with HTTP {} to POST {path}",
                    response.status
                );
                (says, CHECK_ADDRESS)
            };
        AttachError::at(&self.url, says, help)
    }
}
