//! What another client needs to connect.

use std::collections::BTreeMap;
use std::path::Path;

use armadillo_orchestrator::{ClientTls, Login, Tls, View};

use crate::auth;

/// The variable with what every key should begin with.
pub(crate) const PREFIX_VARIABLE: &str = "ARMADILLO_ETCD_PREFIX";

/// Endpoints, login and key prefix for another client, such as `etcdctl`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EtcdConnection {
    /// The members' addresses, as `http://host:port`, or `https://` with TLS.
    pub endpoints: Vec<String>,
    /// What every key of the test should begin with; may be empty.
    pub prefix: String,
    /// User and password; `None` if authentication is off.
    pub login: Option<Login>,
    /// The authority to trust and the certificate to show; `None` if the members do not speak TLS.
    pub tls: Option<ClientTls>,
}

impl EtcdConnection {
    /// As the user with all rights, on all keys.
    pub(crate) fn superuser(view: &View) -> Self {
        let addresses = view
            .servers()
            .filter_map(|(key, _)| view.reach(key, "client"));
        Self {
            endpoints: addresses.map(|address| view.url(address)).collect(),
            prefix: String::new(),
            login: auth::login(view),
            tls: view.tls.as_ref().map(Tls::for_clients),
        }
    }

    /// The same as variables for a child process: `ETCDCTL_API`, `ETCDCTL_ENDPOINTS`, `ETCDCTL_USER` (`user:password`), which
    /// `etcdctl` reads, and `ARMADILLO_ETCD_PREFIX`; with TLS also `ETCDCTL_CACERT`, `ETCDCTL_CERT` and `ETCDCTL_KEY`, the paths
    /// of files. The map contains a password: pass it to the
    /// process, and do not print it.
    #[must_use]
    pub fn env(&self) -> BTreeMap<String, String> {
        let mut env = BTreeMap::from([
            ("ETCDCTL_API".to_owned(), "3".to_owned()),
            ("ETCDCTL_ENDPOINTS".to_owned(), self.endpoints.join(",")),
            (PREFIX_VARIABLE.to_owned(), self.prefix.clone()),
        ]);
        if let Some(Login { user, password }) = &self.login {
            let user = format!("{user}:{}", password.reveal());
            env.insert("ETCDCTL_USER".to_owned(), user);
        }
        if let Some(tls) = &self.tls {
            let mut file = |name: &str, path: &Path| {
                env.insert(name.to_owned(), path.display().to_string());
            };
            file("ETCDCTL_CACERT", &tls.authority_file);
            if let Some(client) = &tls.client {
                file("ETCDCTL_CERT", &client.certificate_file);
                file("ETCDCTL_KEY", &client.key_file);
            }
        }
        env
    }

    /// The names of those that every holder of a deployment with all rights has, with a login and with TLS.
    pub(crate) fn variables(login: bool, tls: bool) -> Vec<&'static str> {
        let mut names = vec!["ETCDCTL_API", "ETCDCTL_ENDPOINTS"];
        if login {
            names.push("ETCDCTL_USER");
        }
        if tls {
            names.extend(["ETCDCTL_CACERT", "ETCDCTL_CERT", "ETCDCTL_KEY"]);
        }
        names
    }
}
