//! The invariants looked at after tests: a test leaves nothing behind.

use std::time::Duration;

use armadillo_orchestrator::{Checker, Fut, Scope, View};

use crate::auth;
use crate::client::wire::ranges_outside;
use crate::client::{EtcdClient, EtcdError, Member};
use crate::names::{DEPLOYMENT_USERS, kept_prefix};
use crate::purge::leftovers;

/// How many keys of a range are named; the rest is counted.
const NAMED: u32 = 20;

/// All checkers.
pub(crate) fn all() -> Vec<Box<dyn Checker>> {
    vec![Box::new(Keys), Box::new(Store)]
}

/// How long a cluster may take to say what is left in it.
const LIMIT: Duration = Duration::from_secs(3);

/// After a test: no key carries its lease any more. A cluster without a leader cannot be asked, which is no finding: a
/// test may leave its own like that, and [`Store`] looks when it has been repaired.
struct Keys;

impl Checker for Keys {
    fn name(&self) -> &'static str {
        "keys"
    }

    fn scope(&self) -> Scope {
        Scope::Lease
    }

    fn check<'a>(&'a self, view: &'a View, lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            let client = EtcdClient::for_lease(view, lease).with_limit(LIMIT);
            if client.leader().await.is_err() {
                return Ok(());
            }
            verdict(leftovers(&client).await)
        })
    }
}

/// When nobody holds a lease: no key and no user outside of what the deployment keeps, no role, no lease of etcd's, no alarm,
/// no member that was not planned.
struct Store;

impl Checker for Store {
    fn name(&self) -> &'static str {
        "store"
    }

    fn scope(&self) -> Scope {
        Scope::Idle
    }

    fn is_charged(&self) -> bool {
        true
    }

    fn check<'a>(&'a self, view: &'a View, _lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move { verdict(strangers(view).await) })
    }
}

fn verdict(found: Result<Vec<String>, EtcdError>) -> Result<(), String> {
    match found {
        Ok(found) if found.is_empty() => Ok(()),
        Ok(found) => Err(found.join(", ")),
        Err(error) => Err(format!("cannot be checked: {error}")),
    }
}

async fn strangers(view: &View) -> Result<Vec<String>, EtcdError> {
    let client = EtcdClient::without_prefix(view);
    let mut found = Vec::new();
    for range in ranges_outside(kept_prefix(view).as_bytes()) {
        let request = "list keys outside of the deployment's".to_owned();
        let (keys, count) = client.keys_between(range, NAMED, request).await?;
        let unnamed = count.saturating_sub(keys.len() as u64);
        found.extend(keys.into_iter().map(|key| format!("key {key}")));
        if unnamed > 0 {
            found.push(format!("{unnamed} more keys"));
        }
    }
    found.extend(client.etcd_leases().await?);
    found.extend(client.alarms().await?);
    if view.attached().is_some() {
        // Who started them planned their names.
        return Ok(found);
    }
    if auth::login(view).is_some() {
        let ours = |user: &String| user == auth::ROOT || user.starts_with(DEPLOYMENT_USERS);
        let users = client.users().await?.into_iter();
        found.extend(
            users
                .filter(|user| !ours(user))
                .map(|user| format!("user {user}")),
        );
        let roles = client.roles().await?.into_iter();
        found.extend(
            roles
                .filter(|role| role != auth::ROOT)
                .map(|role| format!("role {role}")),
        );
    }
    let planned = |member: &Member| {
        let server = member.server.as_ref();
        server.is_some_and(|server| {
            view.membership.is_part(server) && view.places.contains_key(server)
        })
    };
    let members = client.members().await?;
    let strangers = members.iter().filter(|member| !planned(member));
    found.extend(strangers.map(|member| format!("member {:?} ({:x})", member.name, member.id)));
    Ok(found)
}
