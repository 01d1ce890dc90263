//! The JSON of etcd's gateway: 64-bit numbers are strings, bytes are base64, and what is zero is left out.
//!
//! Source: <https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/> and
//! <https://etcd.io/docs/v3.4/dev-guide/api_reference_v3/>.

use std::fmt::Display;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};

/// Bytes as the gateway takes them.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// The end of the range of all keys that begin with `prefix`.
pub(crate) fn end_of_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    // All keys: the range from the least key to no end.
    vec![0]
}

/// The range of all keys that begin with `prefix`, as the fields `key` and `range_end`.
pub(crate) fn prefix_range(prefix: &[u8]) -> (String, String) {
    let start: &[u8] = if prefix.is_empty() { &[0] } else { prefix };
    (encode(start), encode(end_of_prefix(prefix)))
}

/// The two ranges of all keys that do not begin with `prefix`, which must not be empty.
pub(crate) fn ranges_outside(prefix: &[u8]) -> [(String, String); 2] {
    let before = (encode([0]), encode(prefix));
    let after = (encode(end_of_prefix(prefix)), encode([0]));
    [before, after]
}

fn number<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: Display,
{
    String::deserialize(deserializer)?
        .parse()
        .map_err(D::Error::custom)
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    STANDARD
        .decode(String::deserialize(deserializer)?)
        .map_err(D::Error::custom)
}

/// What every answer begins with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Header {
    #[serde(deserialize_with = "number")]
    pub(crate) member_id: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) revision: u64,
}

/// `/v3/maintenance/status`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StatusAnswer {
    pub(crate) header: Header,
    pub(crate) version: String,
    #[serde(rename = "storageVersion")]
    pub(crate) storage_version: String,
    #[serde(rename = "downgradeInfo")]
    pub(crate) downgrade: DowngradeAnswer,
    #[serde(rename = "dbSize", deserialize_with = "number")]
    pub(crate) db_size: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) leader: u64,
    #[serde(rename = "raftIndex", deserialize_with = "number")]
    pub(crate) raft_index: u64,
    #[serde(rename = "raftAppliedIndex", deserialize_with = "number")]
    pub(crate) raft_applied_index: u64,
    #[serde(rename = "raftTerm", deserialize_with = "number")]
    pub(crate) raft_term: u64,
    #[serde(rename = "isLearner")]
    pub(crate) is_learner: bool,
    pub(crate) errors: Vec<String>,
}

/// What a member says of a downgrade in [`StatusAnswer`], from 3.6 on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DowngradeAnswer {
    pub(crate) enabled: bool,
    #[serde(rename = "targetVersion")]
    pub(crate) target: String,
}

/// `GET /version`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct VersionAnswer {
    #[serde(rename = "etcdcluster")]
    pub(crate) cluster: String,
}

/// `/v3/cluster/member/list`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MembersAnswer {
    pub(crate) header: Header,
    pub(crate) members: Vec<MemberAnswer>,
}

/// `/v3/auth/authenticate`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AuthAnswer {
    pub(crate) token: String,
}

/// `/v3/auth/user/list`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct UsersAnswer {
    pub(crate) users: Vec<String>,
}

/// `/v3/auth/role/list`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RolesAnswer {
    pub(crate) roles: Vec<String>,
}

/// A member in [`MembersAnswer`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MemberAnswer {
    #[serde(rename = "ID", deserialize_with = "number")]
    pub(crate) id: u64,
    pub(crate) name: String,
    #[serde(rename = "peerURLs")]
    pub(crate) peer_urls: Vec<String>,
    #[serde(rename = "clientURLs")]
    pub(crate) client_urls: Vec<String>,
    #[serde(rename = "isLearner")]
    pub(crate) is_learner: bool,
}

/// A member in the answer to `GET /members` on a peer port: there, numbers are numbers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PeerAnswer {
    pub(crate) name: String,
}

/// A key with its value.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct KvAnswer {
    #[serde(deserialize_with = "bytes")]
    pub(crate) key: Vec<u8>,
    #[serde(deserialize_with = "bytes")]
    pub(crate) value: Vec<u8>,
    #[serde(deserialize_with = "number")]
    pub(crate) create_revision: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) mod_revision: u64,
    #[serde(deserialize_with = "number")]
    pub(crate) version: u64,
}

/// `/v3/kv/put`, and any other answer of which only the header counts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PlainAnswer {
    pub(crate) header: Header,
}

/// `/v3/kv/range`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RangeAnswer {
    pub(crate) kvs: Vec<KvAnswer>,
    #[serde(deserialize_with = "number")]
    pub(crate) count: u64,
}

/// `/v3/kv/deleterange`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DeleteAnswer {
    #[serde(deserialize_with = "number")]
    pub(crate) deleted: u64,
}

/// `/v3/kv/txn` with at most one range in its answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TxnAnswer {
    pub(crate) header: Header,
    pub(crate) succeeded: bool,
    pub(crate) responses: Vec<TxnPart>,
}

/// One part of [`TxnAnswer`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TxnPart {
    pub(crate) response_range: Option<RangeAnswer>,
}

/// `/v3/maintenance/hash`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HashAnswer {
    pub(crate) hash: u32,
}

/// `GET /members/hashkv` on a peer port: there, numbers are numbers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HashKvAnswer {
    pub(crate) hash: u32,
    pub(crate) compact_revision: i64,
}

/// `/v3/lease/leases`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LeasesAnswer {
    pub(crate) leases: Vec<LeaseAnswer>,
}

/// A lease of etcd in [`LeasesAnswer`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LeaseAnswer {
    #[serde(rename = "ID", deserialize_with = "number")]
    pub(crate) id: i64,
}

/// `/v3/maintenance/alarm`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AlarmsAnswer {
    pub(crate) alarms: Vec<AlarmAnswer>,
}

/// An alarm in [`AlarmsAnswer`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AlarmAnswer {
    #[serde(rename = "memberID", deserialize_with = "number")]
    pub(crate) member_id: u64,
    pub(crate) alarm: String,
}

/// A part of `/v3/maintenance/snapshot`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SnapshotPart {
    pub(crate) result: SnapshotBlob,
    pub(crate) error: Option<ErrorAnswer>,
}

/// What a [`SnapshotPart`] is about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SnapshotBlob {
    #[serde(deserialize_with = "bytes")]
    pub(crate) blob: Vec<u8>,
}

/// What an answer other than 200 says: a status of gRPC.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ErrorAnswer {
    pub(crate) message: String,
    pub(crate) code: u32,
}

/// An answer's body, or why it is none.
pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_gateway_is_read() {
        let body = br#"{"header":{"cluster_id":"11656012402537943169","member_id":"3745263348598517099",
            "revision":"2","raft_term":"5"},"kvs":[{"key":"Zm9v","create_revision":"2","mod_revision":"2",
            "version":"1","value":"YmFy"}],"count":"1"}"#;
        let answer: RangeAnswer = decode(body).unwrap();
        assert_eq!(answer.count, 1);
        assert_eq!(answer.kvs[0].key, b"foo");
        assert_eq!(answer.kvs[0].value, b"bar");
        assert_eq!(answer.kvs[0].mod_revision, 2);
    }

    #[test]
    fn zeros_are_left_out_and_nonsense_is_refused() {
        let answer: StatusAnswer = decode(br#"{"raftTerm":"5","more":1}"#).unwrap();
        assert_eq!((answer.leader, answer.raft_term), (0, 5));
        let error = decode::<StatusAnswer>(br#"{"leader":"x"}"#).unwrap_err();
        assert!(error.contains("invalid digit"), "{error}");
        assert!(decode::<RangeAnswer>(br#"{"kvs":[{"key":"!"}]}"#).is_err());
    }

    #[test]
    fn a_prefix_ends_where_the_next_begins() {
        assert_eq!(end_of_prefix(b"/a/"), b"/a0");
        assert_eq!(end_of_prefix(&[1, 255, 255]), [2]);
        assert_eq!(end_of_prefix(&[255]), [0]);
        assert_eq!(prefix_range(b""), (encode([0]), encode([0])));
        let [before, after] = ranges_outside(b"/a/");
        assert_eq!(before, (encode([0]), encode("/a/")));
        assert_eq!(after, (encode("/a0"), encode([0])));
    }
}
