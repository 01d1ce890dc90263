//! Steps that change who is part of the cluster. Each looks first whether it is done already.

use armadillo_orchestrator::membership::LaunchWords;
use armadillo_orchestrator::{ServerKey, SystemStep, Tried, View};

use super::LIMIT;
use crate::client::{Code, EtcdClient, EtcdError, Member, Reconfiguration};
use crate::names::member_name;

/// The cluster is told of a member that its peers will reach at the address of the server. With the argument [`LEARNER`] it has no
/// vote.
const ADD: &str = "add-member";
/// A learner gets a vote.
const PROMOTE: &str = "promote";
/// The cluster is told that a server is no member any more.
const REMOVE: &str = "remove-member";
/// The cluster is told that a member is where the server in the argument has its address.
const MOVE: &str = "move-member-to";
/// A member becomes the leader.
const LEAD: &str = "take-leadership";

/// The argument of a member without a vote.
const LEARNER: &str = "learner";

/// What etcd says while a change may be accepted a moment later: it refuses one while it has not been connected to all members for
/// five seconds (`--strict-reconfig-check`), a promotion while the learner has not caught up, and a transfer whose leader has just
/// lost the leadership.
const NOT_YET: [&str; 4] = [
    "not leader",
    "unhealthy cluster",
    "not enough started members",
    "in sync with leader",
];

/// What etcd says of a change that was made already.
const DONE_BEFORE: &str = "already exist";

pub(crate) fn add(learner: bool) -> SystemStep {
    SystemStep::with(ADD, if learner { LEARNER } else { "" })
}

pub(crate) fn promote() -> SystemStep {
    SystemStep::new(PROMOTE)
}

pub(crate) fn remove() -> SystemStep {
    SystemStep::new(REMOVE)
}

pub(crate) fn move_to(server: &ServerKey) -> SystemStep {
    SystemStep::with(MOVE, server.as_str())
}

pub(crate) fn lead() -> SystemStep {
    SystemStep::new(LEAD)
}

/// One try; `None` if it is no step of this kind.
pub(super) async fn try_step(
    view: &View,
    client: &EtcdClient,
    server: &ServerKey,
    step: &SystemStep,
) -> Option<Tried> {
    let tried = match step.name.as_str() {
        ADD => tell_of(view, client, server, step.argument == LEARNER).await,
        PROMOTE => give_vote(view, client, server).await,
        REMOVE => take_off(view, client, server).await,
        MOVE => readdress(view, client, server, &step.argument.as_str().into()).await,
        LEAD => lead_with(client, server).await,
        _ => return None,
    };
    Some(tried.unwrap_or_else(|error| not_done(&error)))
}

async fn tell_of(
    view: &View,
    client: &EtcdClient,
    server: &ServerKey,
    learner: bool,
) -> Result<Tried, EtcdError> {
    let peer_url = peer_url(view, server);
    if find(view, &client.members().await?, server).is_none() {
        let add = Reconfiguration::Add { peer_url, learner };
        client.reconfigure(&add).await?;
    }
    Ok(Tried::Done(String::new()))
}

async fn give_vote(
    view: &View,
    client: &EtcdClient,
    server: &ServerKey,
) -> Result<Tried, EtcdError> {
    Ok(match find(view, &client.members().await?, server) {
        None => Tried::Refused("it is no member".to_owned()),
        Some(member) if !member.is_learner => Tried::Done("it has a vote".to_owned()),
        Some(member) => {
            let promote = Reconfiguration::Promote(member.id);
            client.reconfigure(&promote).await?;
            Tried::Done(String::new())
        }
    })
}

async fn take_off(
    view: &View,
    client: &EtcdClient,
    server: &ServerKey,
) -> Result<Tried, EtcdError> {
    if let Some(member) = find(view, &client.members().await?, server) {
        let remove = Reconfiguration::Remove(member.id);
        client.reconfigure(&remove).await?;
    }
    Ok(Tried::Done(String::new()))
}

async fn readdress(
    view: &View,
    client: &EtcdClient,
    server: &ServerKey,
    to: &ServerKey,
) -> Result<Tried, EtcdError> {
    let members = client.members().await?;
    let mut known = members.iter();
    let Some(member) = known.find(|member| member.server.as_ref() == Some(server)) else {
        return Ok(Tried::Refused("it is no member".to_owned()));
    };
    let peer_url = peer_url(view, to);
    if member.peer_urls != [peer_url.as_str()] {
        let id = member.id;
        let moved = Reconfiguration::Move { id, peer_url };
        client.reconfigure(&moved).await?;
    }
    Ok(Tried::Done(String::new()))
}

async fn lead_with(client: &EtcdClient, server: &ServerKey) -> Result<Tried, EtcdError> {
    if client.leader().await? == *server {
        return Ok(Tried::Done("it leads".to_owned()));
    }
    client.transfer_leadership(server).await?;
    // Seen at the next look.
    Ok(Tried::NotYet("it does not lead yet".to_owned()))
}

/// What the launch of a new member is told: the members that there are, and that it is one of them.
pub(crate) async fn joining(
    view: &View,
    server: &ServerKey,
) -> Result<Option<LaunchWords>, String> {
    let client = EtcdClient::without_prefix(view).with_limit(LIMIT);
    let members = client.members().await;
    let members = members.map_err(|error| error.to_string())?;
    let (url, name) = (
        peer_url(view, server),
        member_name(&view.deployment, server),
    );
    match find(view, &members, server) {
        Some(_) => Ok(Some(told(&members, &url, &name))),
        None => Err("the cluster does not know it yet".to_owned()),
    }
}

/// One without a name has not been started yet: the new one itself.
fn told(members: &[Member], own_url: &str, own_name: &str) -> LaunchWords {
    let mut cluster = Vec::new();
    for member in members {
        let name = match member.peer_urls.iter().any(|url| url == own_url) {
            true => own_name,
            false => &member.name,
        };
        cluster.extend(member.peer_urls.iter().map(|url| format!("{name}={url}")));
    }
    let words = [
        ("initial-cluster", cluster.join(",")),
        ("initial-cluster-state", "existing".to_owned()),
    ];
    words.map(|(name, value)| (name.to_owned(), value)).into()
}

/// The member that a server is, by its name, or by its address if it has not been started yet.
fn find<'a>(view: &View, members: &'a [Member], server: &ServerKey) -> Option<&'a Member> {
    let own_url = peer_url(view, server);
    let is_there = |member: &Member| member.name.is_empty() && member.peer_urls.contains(&own_url);
    let mut members = members.iter();
    members.find(|member| member.server.as_ref() == Some(server) || is_there(member))
}

/// Where peers reach a planned server.
fn peer_url(view: &View, server: &ServerKey) -> String {
    let place = view.place(server);
    let address = place.as_ref().and_then(|place| place.advertise.get("peer"));
    view.url(address.map(String::as_str).unwrap_or_default())
}

/// What it means that a change was not made.
fn not_done(error: &EtcdError) -> Tried {
    let why = error.to_string();
    if NOT_YET.iter().any(|words| why.contains(words)) {
        return Tried::NotYet(why);
    }
    match error {
        // The next look says what there is.
        EtcdError::Refused {
            code: Code::NotFound,
            ..
        } => Tried::Unsure(why),
        EtcdError::Refused { .. } if why.contains(DONE_BEFORE) => Tried::Unsure(why),
        EtcdError::Refused { .. } => Tried::Refused(why),
        EtcdError::Unknown { .. } | EtcdError::Malformed { .. } => Tried::Unsure(why),
        _ => Tried::NotYet(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str, url: &str) -> Member {
        Member {
            server: None,
            id: 1,
            name: name.to_owned(),
            peer_urls: vec![url.to_owned()],
            client_urls: Vec::new(),
            is_learner: false,
        }
    }

    #[test]
    fn a_new_member_is_told_of_the_others_and_of_itself() {
        let members = [known("d.member-1", "http://a"), known("", "http://b")];
        let words = told(&members, "http://b", "d.member-2");
        assert_eq!(
            words["initial-cluster"],
            "d.member-1=http://a,d.member-2=http://b"
        );
        assert_eq!(words["initial-cluster-state"], "existing");
    }

    #[test]
    fn what_may_pass_is_asked_again_and_what_may_be_done_is_looked_for() {
        let unknown = |message: &str| EtcdError::Unknown {
            request: "add a member".into(),
            why: format!("member-1 answered HTTP 503: {message}"),
        };
        let refused = |message: &str, code| EtcdError::Refused {
            request: "add a member".into(),
            server: "member-1".into(),
            message: format!("etcdserver: {message}"),
            code,
        };
        for (error, wanted) in [
            (unknown("etcdserver: unhealthy cluster"), "not yet"),
            (unknown("etcdserver: request timed out"), "unsure"),
            (
                refused(
                    "can only promote a learner member which is in sync with leader",
                    Code::FailedPrecondition,
                ),
                "not yet",
            ),
            (
                refused("Peer URLs already exists", Code::FailedPrecondition),
                "unsure",
            ),
            (refused("member not found", Code::NotFound), "unsure"),
            (
                refused(
                    "too many learner members in cluster",
                    Code::FailedPrecondition,
                ),
                "refused",
            ),
        ] {
            let tried = match not_done(&error) {
                Tried::Done(_) => "done",
                Tried::NotYet(_) => "not yet",
                Tried::Unsure(_) => "unsure",
                Tried::Refused(_) => "refused",
            };
            assert_eq!(tried, wanted, "{error}");
        }
    }
}
