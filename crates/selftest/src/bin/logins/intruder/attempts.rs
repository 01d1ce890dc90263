//! What the other user tries, and how it is asked.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use armadillo::orchestrator::Tls;

use super::*;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// As much as is kept of an answer, in bytes.
const KEPT: usize = 4000;

/// Every request that was recorded of a real server, by right; see `README.md` beside the file.
const RECORDED: &str =
    include_str!("../../../../../arangod-emulator/tests/data/rights-3.12.10.tsv");

/// What dbservers and agents have in addition, and what would do harm. `DB` is a database that has a collection `docs` with the
/// document `k`.
const MORE: &[(&str, &str, &str)] = &[
    ("GET", "/_admin/metrics/v2", ""),
    ("GET", "/_db/DB/_api/document/docs/k", ""),
    ("GET", "/_db/DB/_api/collection/docs/count", ""),
    ("POST", "/_db/DB/_api/document/docs", r#"{"_key":"eve"}"#),
    ("PUT", "/_db/DB/_api/document/docs/k", r#"{"v":"eve"}"#),
    ("DELETE", "/_db/DB/_api/document/docs/k", ""),
    ("PUT", "/_db/DB/_api/collection/docs/truncate", "{}"),
    ("DELETE", "/_db/DB/_api/collection/docs", ""),
    ("DELETE", "/_db/_system/_api/database/DB", ""),
    (
        "POST",
        "/_db/DB/_api/import?collection=docs&type=list",
        r#"[{"_key":"eve"}]"#,
    ),
    (
        "POST",
        "/_db/DB/_api/cursor",
        r#"{"query":"FOR d IN docs RETURN d"}"#,
    ),
    ("POST", "/_api/user", r#"{"user":"eve","passwd":"eve"}"#),
    ("PUT", "/_api/user/root", r#"{"passwd":"eve"}"#),
    ("DELETE", "/_api/user/root", ""),
    ("PUT", "/_admin/server/mode", r#"{"mode":"readonly"}"#),
    ("PUT", "/_admin/log/level", r#"{"general":"fatal"}"#),
    ("PUT", "/_admin/debug/failat/SegfaultAfterAllCommits", ""),
    ("DELETE", "/_admin/shutdown", ""),
    ("PUT", "/_admin/shutdown", "{}"),
    ("GET", "/_api/agency/config", ""),
    ("GET", "/_api/agency/state", ""),
    ("GET", "/_api/agency/stores", ""),
    ("POST", "/_api/agency/read", r#"[["/"]]"#),
    ("POST", "/_api/agency/write", r#"[[{"/arango/eve":1}]]"#),
    ("POST", "/_api/agency/transact", r#"[["/"]]"#),
    ("POST", "/_api/agency/transient", r#"[["/"]]"#),
    ("POST", "/_api/agency/inquire", r#"["eve"]"#),
    ("GET", "/_api/agency/poll?index=0", ""),
    (
        "POST",
        "/_api/agency_priv/requestVote?term=9999&candidateId=eve",
        "",
    ),
    (
        "POST",
        "/_api/agency_priv/appendEntries?term=9999&leaderId=eve",
        "[]",
    ),
    ("POST", "/_api/emulator/raft", "{}"),
    ("POST", "/_api/emulator/shard", "{}"),
    (
        "PUT",
        "/_api/replication/addFollower",
        r#"{"shard":"s1","followerId":"eve"}"#,
    ),
    ("GET", "/_api/replication/logger-state", ""),
    (
        "POST",
        "/_open/auth",
        r#"{"username":"root","password":""}"#,
    ),
    ("GET", "/", ""),
    ("GET", "/_admin/aardvark/index.html", ""),
    ("GET", "/_api/foxx", ""),
    ("OPTIONS", "/_api/version", ""),
];

/// Of both ports of an etcd member.
const ETCD: &[(&str, &str, &str)] = &[
    ("GET", "/version", ""),
    ("GET", "/health", ""),
    ("GET", "/metrics", ""),
    ("GET", "/debug/vars", ""),
    ("GET", "/debug/pprof/", ""),
    ("GET", "/config/local/log", ""),
    ("GET", "/v2/keys/", ""),
    (
        "POST",
        "/v3/kv/range",
        r#"{"key":"AA==","range_end":"AA=="}"#,
    ),
    ("POST", "/v3/kv/put", r#"{"key":"ZXZl","value":"ZXZl"}"#),
    (
        "POST",
        "/v3/kv/deleterange",
        r#"{"key":"AA==","range_end":"AA=="}"#,
    ),
    (
        "POST",
        "/v3/kv/txn",
        r#"{"success":[{"request_put":{"key":"ZXZl","value":"ZXZl"}}]}"#,
    ),
    ("POST", "/v3/auth/user/list", "{}"),
    (
        "POST",
        "/v3/auth/user/add",
        r#"{"name":"eve","password":"x"}"#,
    ),
    ("POST", "/v3/auth/disable", "{}"),
    (
        "POST",
        "/v3/auth/authenticate",
        r#"{"name":"root","password":"root"}"#,
    ),
    (
        "POST",
        "/v3/cluster/member/add",
        r#"{"peerURLs":["http://127.0.0.1:1"]}"#,
    ),
    ("POST", "/v3/cluster/member/remove", r#"{"ID":"1"}"#),
    ("POST", "/v3/cluster/member/list", "{}"),
    ("POST", "/v3/maintenance/defragment", "{}"),
    ("POST", "/v3/maintenance/snapshot", "{}"),
    ("POST", "/v3/maintenance/hash", "{}"),
    ("POST", "/v3/maintenance/status", "{}"),
    ("POST", "/v3/maintenance/alarm", r#"{"action":"GET"}"#),
    (
        "POST",
        "/v3/maintenance/transfer-leadership",
        r#"{"targetID":"1"}"#,
    ),
    ("POST", "/v3/kv/compaction", r#"{"revision":"1"}"#),
    ("POST", "/v3/lease/grant", r#"{"TTL":"1","ID":"77"}"#),
    ("POST", "/v3/lease/leases", "{}"),
    ("POST", "/v3/lease/timetolive", r#"{"ID":"77","keys":true}"#),
    ("POST", "/v3/kv/lease/revoke", r#"{"ID":"77"}"#),
    ("GET", "/members", ""),
    ("POST", "/members/promote/1", ""),
    ("GET", "/members/hashkv", "{}"),
    ("GET", "/raft/probing", ""),
    ("POST", "/raft", "-"),
    ("POST", "/raft/snapshot", "-"),
    ("GET", "/raft/stream/message/1", ""),
    ("POST", "/leases", "-"),
    ("POST", "/leases/internal", "-"),
    ("GET", "/downgrade/enabled", ""),
];

fn ask(&(method, path, body): &(&str, &str, &str)) -> Ask {
    Ask {
        method: method.to_owned(),
        path: path.to_owned(),
        body: body.to_owned(),
        forged: true,
    }
}

/// What every server of ArangoDB is asked.
pub(super) fn of_arangodb(database: &str) -> Vec<Ask> {
    let lines = RECORDED.lines().map(|line| line.split('\t').collect());
    let recorded = lines.filter_map(|fields: Vec<&str>| match fields[..] {
        ["case", _, method, path, body, ..] => Some(Ask {
            method: method.to_owned(),
            path: path.to_owned(),
            body: Some(body)
                .filter(|body| *body != "-")
                .unwrap_or_default()
                .to_owned(),
            forged: false,
        }),
        _ => None,
    });
    let more = MORE.iter().map(ask).map(|mut ask| {
        ask.path = ask.path.replace("DB", database);
        ask
    });
    let all: Vec<Ask> = recorded.chain(more).collect();
    assert_eq!(all.len(), 296 + MORE.len());
    all
}

/// What every member of etcd is asked.
pub(super) fn of_etcd() -> Vec<Ask> {
    ETCD.iter().map(ask).collect()
}

/// Credentials that anybody can make up: a token without a signature, one signed with another key, and an empty password.
const MADE_UP: [(&str, &str); 4] = [
    ("nothing", ""),
    (
        "a token without a signature",
        "bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJpc3MiOiJhcmFuZ29kYiIsInNlcnZlcl9pZCI6ImV2ZSJ9.",
    ),
    (
        "a token of another key",
        "bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhcmFuZ29kYiIsInNlcnZlcl9pZCI6ImV2ZSJ9.\
         c2lnbmVkIHdpdGggYW5vdGhlciBrZXksIGFuZCBzbyBvbg",
    ),
    ("root without a password", "Basic cm9vdDo="),
];

/// Does what it was told, as the other user, and reports it.
pub(super) fn make() -> Result<ExitCode, TestError> {
    let mut told = String::new();
    std::io::stdin().read_to_string(&mut told)?;
    let told: Told = serde_json::from_str(&told)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let report = Report {
        user: rustix::process::geteuid().as_raw(),
        answers: runtime.block_on(knock(&told))?,
        done: told
            .files
            .iter()
            .flat_map(|path| touched(path))
            .chain(told.sockets.iter().filter_map(|path| connected(path)))
            .chain(told.processes.iter().flat_map(|pid| meddled(*pid)))
            .collect(),
    };
    println!("{}", serde_json::to_string(&report)?);
    Ok(ExitCode::SUCCESS)
}

async fn knock(told: &Told) -> Result<Vec<Answer>, TestError> {
    let authority = match &told.authority {
        Some(authority) => Some(Tls::of_authority(authority.clone(), "ca.pem".into())?),
        None => None,
    };
    let mut answers = Vec::new();
    for (number, door) in told.doors.iter().enumerate() {
        let client = match &authority {
            Some(tls) => Client::tls(door.address.as_str(), tls),
            None => Client::tcp(door.address.as_str()),
        };
        for (ask, asked) in told.requests.iter().enumerate() {
            let tried = if asked.forged { MADE_UP.len() } else { 1 };
            for (with, header) in MADE_UP.into_iter().take(tried) {
                let answer = client.send(asked.request(header), PATIENCE).await;
                let (status, text) = match answer {
                    Ok(answer) => (Some(answer.status), answer.text()),
                    Err(error) => (None, error.to_string()),
                };
                answers.push(Answer {
                    door: number,
                    ask,
                    with: with.to_owned(),
                    status,
                    text: text.chars().take(KEPT).collect(),
                });
            }
        }
    }
    Ok(answers)
}

impl Ask {
    fn request(&self, credentials: &str) -> Request {
        let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let method = methods.iter().find(|method| **method == self.method);
        let method = method.copied().unwrap_or("GET");
        let mut request = Request::new(method, self.path.as_str());
        if !self.body.is_empty() {
            request = request.body(self.body.as_bytes());
        }
        if !credentials.is_empty() {
            request = request.header("authorization", credentials);
        }
        request
    }
}

/// What can be done to a file or a directory.
fn touched(path: &Path) -> Vec<String> {
    let mut done = Vec::new();
    let named = |what: &str| format!("{what} {}", path.display());
    if path.is_dir() {
        if std::fs::read_dir(path).is_ok() {
            done.push(named("listed"));
        }
        if File::create(path.join("eve")).is_ok() {
            done.push(named("made a file in"));
        }
        return done;
    }
    let mut byte = [0];
    if File::open(path).is_ok_and(|mut file| file.read(&mut byte).is_ok()) {
        done.push(named("read"));
    }
    if OpenOptions::new().append(true).open(path).is_ok() {
        done.push(named("opened for writing"));
    }
    done
}

fn connected(path: &Path) -> Option<String> {
    let connected = std::os::unix::net::UnixStream::connect(path).is_ok();
    connected.then(|| format!("connected to {}", path.display()))
}

/// What can be done to a process.
fn meddled(pid: u32) -> Vec<String> {
    let mut done = Vec::new();
    for file in ["environ", "mem", "maps"] {
        let read = File::open(format!("/proc/{pid}/{file}"));
        let mut byte = [0];
        if read.is_ok_and(|mut file| file.read(&mut byte).is_ok()) {
            done.push(format!("read {file} of process {pid}"));
        }
    }
    let id = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if id.is_some_and(|id| rustix::process::test_kill_process(id).is_ok()) {
        done.push(format!("may signal process {pid}"));
    }
    done
}
