//! Names that say to whom something belongs: members to a deployment, keys to a lease.

use armadillo_orchestrator::{ServerKey, View};

/// Everything Armadillo puts into the key space lies below this.
pub(crate) const ROOT: &str = "/armadillo/";

/// Below this lies what belongs to a whole deployment: data loaded once for all its tests.
pub(crate) const DEPLOYMENT_PREFIX: &str = "/armadillo/deployment/";

/// The prefix of what belongs to a whole deployment. Members that somebody else started go on after the run: there it is the
/// run's own, and is removed with it.
pub(crate) fn kept_prefix(view: &View) -> String {
    match view.attached() {
        Some(_) => lease_prefix(view.mark()),
        None => DEPLOYMENT_PREFIX.to_owned(),
    }
}

/// The `--name` of a member. The deployment's id in it makes it unique among all etcd members of all runs, so that a
/// member that answers with this name is the one just started.
pub(crate) fn member_name(deployment: &str, server: &ServerKey) -> String {
    format!("{deployment}.{server}")
}

/// The server that a member's name stands for, if it is one of this deployment.
pub(crate) fn server_of_name(deployment: &str, name: &str) -> Option<ServerKey> {
    name.strip_prefix(deployment)?
        .strip_prefix('.')
        .map(ServerKey::from)
}

/// The prefix of every key of a lease.
pub(crate) fn lease_prefix(lease: &str) -> String {
    format!("{ROOT}{lease}/")
}

/// How the names of the users of a lease begin.
pub(crate) fn lease_users(lease: &str) -> String {
    format!("armadillo-{lease}-")
}

/// How the names of users begin that belong to a whole deployment.
pub(crate) const DEPLOYMENT_USERS: &str = "armadillo-deployment-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_name_leads_back_to_its_server() {
        let server = ServerKey::numbered("member", 2);
        let name = member_name("etcd-cluster-members3-00c0ffee", &server);
        assert_eq!(name, "etcd-cluster-members3-00c0ffee.member-2");
        assert_eq!(
            server_of_name("etcd-cluster-members3-00c0ffee", &name),
            Some(server)
        );
        assert_eq!(
            server_of_name("etcd-cluster-members3-00c0ff", &name),
            None,
            "a deployment whose id is the beginning of another's"
        );
    }
}
