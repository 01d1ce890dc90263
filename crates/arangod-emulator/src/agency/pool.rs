//! The agents that know each other, and where they are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::store::crc::crc32;

/// Where an agent is. It says so itself, and its later starts overrule its earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// Its address.
    pub(crate) endpoint: String,
    /// Counts its starts.
    pub(crate) start: u64,
}

/// Agents by id.
pub(crate) type Members = BTreeMap<String, Member>;

/// The pool, which is complete when it has as many agents as the agency.
#[derive(Debug)]
pub(crate) struct Pool {
    file: PathBuf,
    size: usize,
    members: Members,
}

impl Pool {
    /// Opens the pool that was kept, and puts ourselves there as started once more.
    pub(crate) fn open(
        file: PathBuf,
        size: usize,
        id: &str,
        endpoint: &str,
    ) -> std::io::Result<Self> {
        let members: Members = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Members::new(),
            Err(error) => return Err(error),
        };
        let start = members.get(id).map_or(1, |member| member.start + 1);
        let mut pool = Self {
            file,
            size,
            members,
        };
        let member = Member {
            endpoint: String::from(endpoint),
            start,
        };
        pool.members.insert(String::from(id), member);
        pool.save()?;
        Ok(pool)
    }

    fn save(&self) -> std::io::Result<()> {
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, serde_json::to_vec(&self.members)?)?;
        std::fs::rename(&fresh, &self.file)
    }

    /// The agents.
    pub(crate) fn members(&self) -> &Members {
        &self.members
    }

    /// Whether all are known.
    pub(crate) fn is_complete(&self) -> bool {
        self.members.len() >= self.size
    }

    /// Where an agent is.
    pub(crate) fn endpoint(&self, id: &str) -> Option<&str> {
        self.members.get(id).map(|member| member.endpoint.as_str())
    }

    /// Takes in what another agent knows; whether that was anything new. A complete pool takes in
    /// nobody else.
    pub(crate) fn merge(&mut self, others: &Members) -> std::io::Result<bool> {
        let mut fresh = false;
        for (id, member) in others {
            let known = self.members.get(id);
            let newer = match known {
                Some(known) => member.start > known.start,
                None => self.members.len() < self.size,
            };
            if newer {
                self.members.insert(id.clone(), member.clone());
                fresh = true;
            }
        }
        if fresh {
            self.save()?;
        }
        Ok(fresh)
    }

    /// A number that agents with other members do not have. Those do not vote for each other.
    pub(crate) fn digest(&self) -> u32 {
        let ids: Vec<&str> = self.members.keys().map(String::as_str).collect();
        crc32(ids.join(",").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_starts_overrule_and_strangers_stay_out() {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str, id: &str, endpoint: &str| {
            Pool::open(folder.path().join(name), 2, id, endpoint).unwrap()
        };
        let mut a = open("a", "A", "tcp://h:1");
        let b = open("b", "B", "tcp://h:2");
        assert!(!a.is_complete());
        assert!(a.merge(b.members()).unwrap());
        assert!(a.is_complete() && !a.merge(b.members()).unwrap());
        assert!(!a.merge(open("c", "C", "tcp://h:3").members()).unwrap());
        let b = open("b", "B", "tcp://h:4");
        assert!(a.merge(b.members()).unwrap());
        let a = open("a", "A", "tcp://h:5");
        assert_eq!(a.endpoint("B"), Some("tcp://h:4"));
        assert_eq!(a.endpoint("A"), Some("tcp://h:5"));
        assert_ne!(a.digest(), b.digest());
    }
}
