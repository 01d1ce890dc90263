//! The same by hand: members that the bench starts itself, and an operator who restarts one after the other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use armadillo::etcd::{EtcdClient, etcd};
use armadillo::orchestrator::ports::HeldPort;
use armadillo::orchestrator::{Deadline, Place, Poll, Secret, ServerKey, Settings, Share, View};

use crate::Failed;
use crate::figures::Round;
use crate::ours::Started;
use crate::process::Running;
use crate::writers::Writers;

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How long the operator waits for one answer.
const ANSWER: Duration = Duration::from_secs(1);

/// How long the operator waits before the next look.
const PAUSE: Duration = Duration::from_millis(5);

/// A key that nobody writes.
const NOBODYS_KEY: &str = "nobody's";

/// A member, and its process while it runs.
struct Member {
    key: ServerKey,
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    log: PathBuf,
    client: HeldPort,
    peer: HeldPort,
    process: Option<Running>,
}

/// Starts members as ours were started, restarts them under load, and ends them.
pub(crate) async fn round(ours: &[Started], directory: &Path) -> Result<Round, Failed> {
    let mut members = members(ours, directory)?;
    for member in &mut members {
        member.start()?;
    }
    let client = EtcdClient::without_prefix(&view(&members));
    let operator = client.with_limit(ANSWER);
    for member in &members {
        serves(&operator, &member.key).await?;
    }
    let writers = Writers::start(client.clone()).await?;
    restart_all(&mut members, &operator).await?;
    let (during, all) = writers.stop().await?;
    Ok(Round::of(&during, &all, &client).await?)
}

/// Followers first, and then who leads, which hands over before.
async fn restart_all(members: &mut [Member], operator: &EtcdClient) -> Result<(), Failed> {
    let leader = operator.leader().await?;
    members.sort_by_key(|member| member.key == leader);
    let heir = members.first().ok_or("no members")?.key.clone();
    for member in members {
        if member.key == leader {
            hand_over(operator, &heir).await?;
        }
        member.restart().await?;
        serves(operator, &member.key).await?;
        has_caught_up(operator, &member.key).await?;
    }
    Ok(())
}

async fn hand_over(operator: &EtcdClient, heir: &ServerKey) -> Result<(), Failed> {
    operator.transfer_leadership(heir).await?;
    until("it does not lead", async || {
        operator
            .status(heir)
            .await
            .is_ok_and(|status| status.leads())
    })
    .await
}

/// The member answers a linearizable read.
async fn serves(operator: &EtcdClient, member: &ServerKey) -> Result<(), Failed> {
    let own = operator.at(member)?;
    until("it serves no client", async || {
        own.get(NOBODYS_KEY).await.is_ok()
    })
    .await
}

/// The member has applied what every other has applied when this is called.
async fn has_caught_up(operator: &EtcdClient, member: &ServerKey) -> Result<(), Failed> {
    let mut goal = 0;
    for other in operator.servers() {
        goal = goal.max(operator.status(&other).await?.applied_index);
    }
    until("it has not caught up", async || {
        let status = operator.status(member).await;
        status.is_ok_and(|status| status.applied_index >= goal)
    })
    .await
}

async fn until(otherwise: &str, mut holds: impl AsyncFnMut() -> bool) -> Result<(), Failed> {
    let deadline = Deadline::after(LIMIT);
    let mut poll = Poll::new(PAUSE, PAUSE);
    while !holds().await {
        if deadline.passed() {
            return Err(format!("not within {LIMIT:.0?}: {otherwise}").into());
        }
        poll.pause(deadline).await;
    }
    Ok(())
}

/// Members with command lines of ours, but with names, directories and ports of their own.
fn members(ours: &[Started], directory: &Path) -> Result<Vec<Member>, Failed> {
    let mut members = Vec::new();
    for (number, ours) in (1..).zip(ours) {
        let key = ServerKey::numbered("member", number);
        members.push(Member {
            program: ours.program.clone(),
            args: ours.args.clone(),
            env: ours.env.clone(),
            log: directory.join(format!("{key}.log")),
            client: HeldPort::take()?,
            peer: HeldPort::take()?,
            process: None,
            key,
        });
    }
    let peers: Vec<String> = members
        .iter()
        .map(|member| format!("{}={}", member.key, url(&member.peer)))
        .collect();
    for member in &mut members {
        member.take_own(directory, &peers.join(","));
    }
    Ok(members)
}

fn url(port: &HeldPort) -> String {
    format!("http://{}", address(port))
}

fn address(port: &HeldPort) -> String {
    format!("127.0.0.1:{}", port.port())
}

impl Member {
    /// Replaces what our members must not share with these.
    fn take_own(&mut self, directory: &Path, cluster: &str) {
        let (client, peer) = (url(&self.client), url(&self.peer));
        let data = directory.join(self.key.to_string()).display().to_string();
        let own = BTreeMap::from([
            ("--name", self.key.to_string()),
            ("--data-dir", data),
            ("--listen-client-urls", client.clone()),
            ("--advertise-client-urls", client),
            ("--listen-peer-urls", peer.clone()),
            ("--initial-advertise-peer-urls", peer),
            ("--initial-cluster", cluster.to_owned()),
            ("--initial-cluster-token", "by-hand".to_owned()),
        ]);
        for arg in &mut self.args {
            let name = arg.split('=').next().unwrap_or_default();
            if let Some(value) = own.get(name) {
                *arg = format!("{name}={value}");
            }
        }
    }

    fn start(&mut self) -> Result<(), Failed> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .envs(self.env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.process = Some(Running::start(&mut command)?);
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), Failed> {
        if let Some(process) = self.process.take() {
            process.terminate().await?;
        }
        self.start()
    }
}

/// What the client needs to know of the members.
fn view(members: &[Member]) -> View {
    let place = |member: &Member| {
        let ports = [("client", &member.client), ("peer", &member.peer)];
        let ports = ports.map(|(name, port)| (name.to_owned(), address(port)));
        let addresses = BTreeMap::from(ports);
        let place = Place {
            role: "member".to_owned(),
            bind: addresses.clone(),
            advertise: addresses.clone(),
            reach: addresses,
            dir_inside: PathBuf::new(),
            dir_outside: PathBuf::new(),
            share: Share {
                memory_mib: 0,
                cores: 1,
            },
        };
        (member.key.clone(), place)
    };
    View {
        deployment: "by-hand".to_owned(),
        topology: etcd().no_auth().topology().to_topology(),
        places: members.iter().map(place).collect(),
        secret: Secret::new(""),
        keys: Default::default(),
        membership: Default::default(),
        stand_ins: Default::default(),
        settings: Settings::default(),
        tls: None,
        held: Default::default(),
    }
}
