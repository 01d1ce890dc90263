#!/usr/bin/env bash
# From an edit to the verdict: `cargo test` after a change of one line, of one test on an etcd cluster of three, with
# Armadillo and with `#[tokio::test]` and servers that the test starts by hand. Prints the median of ten of each, in
# seconds, and the ratio. Both crates use the same client, toolchain, registry and profile (that of docs/getting-started.md);
# runs alternate.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
runs=${1:-10}

crate() { # NAME HARNESS DEPENDENCIES CODE
  mkdir -p "$work/$1/tests"
  cp "$root/rust-toolchain.toml" "$root/Cargo.lock" "$work/$1/"
  printf '[package]\nname = "%s"\nversion = "0.1.0"\nedition = "2024"\n\n[lib]\npath = "lib.rs"\n\n[[test]]\nname = "it"\nharness = %s\n\n[dependencies]\n%s\n[workspace]\n\n[profile.dev.package."*"]\ndebug = "line-tables-only"\n' "$1" "$2" "$3" > "$work/$1/Cargo.toml"
  touch "$work/$1/lib.rs"
  printf '%s\n' "$4" > "$work/$1/tests/it.rs"
}

crate ours false "armadillo-test = { path = \"$root/crates/armadillo\", features = [\"etcd\"] }" '
use armadillo::prelude::*;

#[armadillo::test]
async fn a_key_is_read_back(client: EtcdClient) -> TestResult {
    client.put("key", "value").await?;
    let found = client.get("key").await?;
    assert_eq!(found.map(|found| found.value), Some(b"value".to_vec()), "edit 0");
    Ok(())
}

fn main() -> std::process::ExitCode {
    armadillo::main()
}'

crate by_hand true 'hyper = { version = "1", features = ["client", "http1"] }
hyper-util = { version = "0.1", features = ["tokio"] }
http-body-util = "0.1"
bytes = "1"
serde_json = "1"
tokio = { version = "1", features = ["rt", "net", "time", "macros"] }' '
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

type Failed = Box<dyn std::error::Error + Send + Sync>;

struct Cluster {
    members: Vec<Child>,
    clients: Vec<u16>,
    data: std::path::PathBuf,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in &mut self.members {
            let _ = member.kill();
            let _ = member.wait();
        }
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|port| port.local_addr().unwrap().port()).collect()
}

impl Cluster {
    async fn start() -> Result<Self, Failed> {
        let (clients, peers) = (free_ports(3), free_ports(3));
        let data = std::env::temp_dir().join(format!("by-hand-{}", std::process::id()));
        let all: Vec<String> = (0..3).map(|n| format!("m{n}=http://127.0.0.1:{}", peers[n])).collect();
        let mut cluster = Self { members: Vec::new(), clients: clients.clone(), data: data.clone() };
        for n in 0..3 {
            let (client, peer) = (format!("http://127.0.0.1:{}", clients[n]), format!("http://127.0.0.1:{}", peers[n]));
            let member = Command::new("etcd")
                .args(["--name", &format!("m{n}"), "--data-dir"])
                .arg(data.join(format!("m{n}")))
                .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
                .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
                .args(["--initial-cluster", &all.join(","), "--initial-cluster-state", "new"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            cluster.members.push(member);
        }
        let limit = Instant::now() + Duration::from_secs(30);
        for client in &clients {
            while !matches!(post(*client, "/v3/maintenance/status", json!({})).await, Ok(status) if status["leader"].is_string()) {
                assert!(Instant::now() < limit, "no leader");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(cluster)
    }
}

async fn post(port: u16, path: &str, body: Value) -> Result<Value, Failed> {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = hyper::Request::post(path)
        .header("host", "127.0.0.1")
        .body(Full::new(Bytes::from(body.to_string())))?;
    let answer = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
    Ok(serde_json::from_slice(&answer)?)
}

#[tokio::test]
async fn a_key_is_read_back() -> Result<(), Failed> {
    let cluster = Cluster::start().await?;
    post(cluster.clients[0], "/v3/kv/put", json!({ "key": "a2V5", "value": "dmFsdWU=" })).await?;
    let found = post(cluster.clients[1], "/v3/kv/range", json!({ "key": "a2V5" })).await?;
    assert_eq!(found["kvs"][0]["value"], "dmFsdWU=", "edit 0");
    Ok(())
}'

# Edits one line, and prints how long the verdict took.
verdict() { # NAME EDIT
  local begun
  sed -i "s/\"edit [0-9]*\"/\"edit $2\"/" "$work/$1/tests/it.rs"
  begun=$(date +%s%N)
  (cd "$work/$1" && CARGO_TARGET_DIR="$work/target-$1" cargo test --quiet --offline --test it) >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; exit 1; }
  awk -v ns=$(($(date +%s%N) - begun)) 'BEGIN { printf "%.3f\n", ns / 1e9 }'
}

median() { sort -n | awk '{ all[NR] = $1 } END { print (all[int((NR + 1) / 2)] + all[int(NR / 2) + 1]) / 2 }'; }

for name in ours by_hand; do
  (cd "$work/$name" && cargo fetch --quiet)
  verdict "$name" 0 >/dev/null
done
for run in $(seq "$runs"); do
  for name in ours by_hand; do
    verdict "$name" "$run" >>"$work/$name.times"
  done
done
ours=$(median <"$work/ours.times")
by_hand=$(median <"$work/by_hand.times")
printf 'with Armadillo:      %s s\nservers by hand:     %s s\n' "$ours" "$by_hand"
awk -v a="$ours" -v b="$by_hand" 'BEGIN { printf "ratio: %.2f\n", a / b }'
