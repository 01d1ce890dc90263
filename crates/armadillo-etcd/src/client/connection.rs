//! What anybody else's client needs.

use std::collections::BTreeMap;

/// The way to a deployment's members for another client, `etcdctl` among them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EtcdConnection {
    /// The members' addresses, as `http://host:port`.
    pub endpoints: Vec<String>,
    /// What every key of the test should begin with; may be empty.
    pub prefix: String,
}

impl EtcdConnection {
    pub(super) fn new<'a>(addresses: impl Iterator<Item = &'a str>, prefix: &str) -> Self {
        Self {
            endpoints: addresses
                .map(|address| format!("http://{address}"))
                .collect(),
            prefix: prefix.to_owned(),
        }
    }

    /// The same as variables for a child process: `ETCDCTL_API`, `ETCDCTL_ENDPOINTS` (which `etcdctl` reads) and
    /// `ARMADILLO_ETCD_PREFIX`.
    #[must_use]
    pub fn env(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("ETCDCTL_API".to_owned(), "3".to_owned()),
            ("ETCDCTL_ENDPOINTS".to_owned(), self.endpoints.join(",")),
            ("ARMADILLO_ETCD_PREFIX".to_owned(), self.prefix.clone()),
        ])
    }
}
