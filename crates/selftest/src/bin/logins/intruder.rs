//! Another user of the machine: what it can do to a deployment whose credentials it does not have.
//!
//! The user is a child process that has given up its own identity. It is told where everything is, and tries to read and change it.

mod attempts;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus};

use armadillo::deployment::Observe;
use armadillo::orchestrator::{Deadline, Poll, ServerKey, View};
use serde::{Deserialize, Serialize};

use super::*;

/// The variable that makes this program the other user. What it is told comes over its stdin.
const INTRUDER: &str = "LOGINS_INTRUDER";

/// The user: `nobody`, by whatever name.
const USER: u32 = 65_534;

/// How long the other user may take with everything.
const INTRUSION_LIMIT: Duration = Duration::from_secs(90);

/// What the other user is told.
#[derive(Serialize, Deserialize)]
struct Told {
    doors: Vec<Door>,
    /// What every door is asked.
    requests: Vec<Ask>,
    files: Vec<PathBuf>,
    sockets: Vec<PathBuf>,
    processes: Vec<u32>,
    /// The authority that a client has to know, where servers speak TLS. It is no secret.
    authority: Option<String>,
}

/// A port of a server.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Door {
    server: String,
    port: String,
    address: String,
}

/// A request.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ask {
    method: String,
    path: String,
    body: String,
    /// Whether it is also sent with credentials that are made up.
    forged: bool,
}

/// What the other user reports.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
    user: u32,
    answers: Vec<Answer>,
    /// What it could do to files, sockets and processes: nothing should be here.
    done: Vec<String>,
}

/// What a door answered to a request, by the credentials that were made up.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    door: usize,
    ask: usize,
    with: String,
    /// `None` if the connection was refused, or TLS was not agreed on.
    status: Option<u16>,
    text: String,
}

/// If this process is the other user, it has tried everything then.
pub(super) fn is_one() -> Option<ExitCode> {
    std::env::var_os(INTRUDER)?;
    Some(attempts::make().unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    }))
}

/// What a deployment has on this machine beside its ports: files, and sockets.
fn surroundings(view: &View) -> TestResult<(Vec<PathBuf>, Vec<PathBuf>)> {
    let places = view.servers().map(|(_, place)| place.dir_outside.clone());
    let private = PathBuf::from(std::env::var("LOGINS_PRIVATE")?);
    let mut open: Vec<PathBuf> = places.chain([private]).collect();
    let (mut files, mut sockets) = (Vec::new(), Vec::new());
    while let Some(at) = open.pop() {
        files.push(at.clone());
        for entry in std::fs::read_dir(&at).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_socket() => sockets.push(entry.path()),
                // Opening a pipe waits for its other end.
                Ok(kind) if kind.is_fifo() => {}
                Ok(_) => files.push(entry.path()),
                Err(_) => {}
            }
        }
    }
    assert!(!sockets.is_empty(), "the daemon has a socket");
    Ok((files, sockets))
}

/// The process of the other user. It does not outlive this.
struct Intruder(Child);

impl Intruder {
    /// What it reads comes from one file, and what it prints goes to another: no pipe can be full.
    fn start(told: File, report: File) -> TestResult<Self> {
        // Not by its path: a directory on the way may be closed to the other user.
        let child = Command::new("/proc/self/exe")
            .env_clear()
            .env(INTRUDER, "1")
            .current_dir("/")
            .uid(USER)
            .gid(USER)
            .stdin(told)
            .stdout(report)
            .spawn()?;
        Ok(Self(child))
    }

    async fn ended(&mut self) -> TestResult<ExitStatus> {
        let deadline = Deadline::after(INTRUSION_LIMIT);
        let mut poll = Poll::new(Duration::from_millis(5), Duration::from_millis(100));
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            if deadline.passed() {
                let why = format!("the other user was not done within {INTRUSION_LIMIT:?}");
                return Err(why.into());
            }
            poll.pause(deadline).await;
        }
    }
}

impl Drop for Intruder {
    fn drop(&mut self) {
        // It has usually ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has the other user try everything, and returns what it was answered.
async fn intrude(
    view: &View,
    ports: &[&str],
    requests: Vec<Ask>,
    pids: Vec<u32>,
) -> TestResult<(Told, Report)> {
    let (mut files, sockets) = surroundings(view)?;
    // What is open to everybody has to be found.
    let mut control = tempfile::Builder::new()
        .suffix("-control")
        .tempfile_in("/tmp")?;
    control.write_all(b"text")?;
    let open = std::fs::Permissions::from_mode(0o646);
    control.as_file().set_permissions(open)?;
    files.push(control.path().to_owned());
    let mut doors = Vec::new();
    for (server, place) in view.servers() {
        for port in ports {
            let address = place.reach.get(*port).ok_or("no such port")?;
            doors.push(Door {
                server: server.to_string(),
                port: (*port).to_owned(),
                address: address.clone(),
            });
        }
    }
    let told = Told {
        doors,
        requests,
        files,
        sockets,
        processes: pids,
        authority: view.tls.as_ref().map(|tls| tls.authority.clone()),
    };
    let (mut input, mut output) = (tempfile::tempfile()?, tempfile::tempfile()?);
    input.write_all(&serde_json::to_vec(&told)?)?;
    input.rewind()?;
    let mut intruder = Intruder::start(input, output.try_clone()?)?;
    let status = intruder.ended().await?;
    control.close()?;
    output.rewind()?;
    let text = std::io::read_to_string(output)?;
    assert!(status.success(), "{status}: {text}");
    let mut report: Report = serde_json::from_str(&text)?;
    assert_eq!(report.user, USER);
    let (found, done) = report
        .done
        .into_iter()
        .partition::<Vec<_>, _>(|what| what.ends_with("-control"));
    assert_eq!(found.len(), 2, "{found:?}");
    report.done = done;
    Ok((told, report))
}

/// Asserts what must hold of every deployment, and prints what was answered: a line for each kind of server, port and request.
fn judge(
    view: &View,
    told: &Told,
    report: &Report,
    secrets: &[&str],
    is_refused: impl Fn(&Answer) -> bool,
) -> TestResult {
    assert_eq!(report.done, [""; 0], "{}", view.deployment);
    let mut open = BTreeSet::new();
    let mut refused = 0;
    for answer in &report.answers {
        let (door, ask) = (&told.doors[answer.door], &told.requests[answer.ask]);
        for secret in secrets {
            assert!(
                !answer.text.contains(secret),
                "{door:?} {ask:?}: {answer:?}"
            );
        }
        if is_refused(answer) {
            refused += 1;
            continue;
        }
        let role = &view.places[&ServerKey::from(door.server.as_str())].role;
        let path = ask.path.split('?').next().unwrap_or_default();
        open.insert(format!(
            "open | {role} | {} | {} {path}",
            door.port, ask.method
        ));
    }
    for line in open {
        println!("{line}");
    }
    println!("{} refused {refused} requests", view.deployment);
    Ok(())
}

async fn pids(of: &impl Observe) -> TestResult<Vec<u32>> {
    let processes = of.processes().await?;
    Ok(processes
        .values()
        .filter_map(|process| process.pid)
        .collect())
}

/// Of every role, what a coordinator is asked, and what only others have.
async fn of_arangodb(
    view: &View,
    client: ArangoClient,
    db: &Database,
    pids: Vec<u32>,
) -> TestResult {
    let docs = db.create_collection("docs").await?;
    docs.insert(&json!({ "_key": "k", "v": "not to be read" }))
        .await?;
    let requests = attempts::of_arangodb(db.name());
    let (told, report) = intrude(view, &["http"], requests, pids).await?;
    let users = client.users().await?;
    judge(view, &told, &report, &["not to be read"], |answer| {
        answer.status == Some(401)
    })?;
    let known = |name: &str| users.iter().any(|user| user.name == name);
    assert!(known("root") && !known("eve"), "{users:?}");
    assert_eq!(docs.count().await?, 1);
    let kept: Option<Value> = docs.get("k").await?;
    assert_eq!(kept.ok_or("it is gone")?["v"], "not to be read");
    Ok(())
}

#[armadillo::test(timeout = "2m")]
async fn a_single_server(server: Exclusive<SingleServer>, db: Database) -> TestResult {
    let pids = pids(&*server).await?;
    of_arangodb(server.orchestrator().view(), server.client(), &db, pids).await
}

#[armadillo::test(cluster(minimal), timeout = "2m")]
async fn b_cluster(cluster: Exclusive<Cluster>, db: Database) -> TestResult {
    let pids = pids(&*cluster).await?;
    of_arangodb(cluster.view(), cluster.client(), &db, pids).await?;
    cluster.wait_until(healthy()).await?;
    Ok(())
}

#[armadillo::test(cluster(minimal, tls), timeout = "2m")]
async fn c_cluster_with_tls(cluster: Exclusive<Cluster>, db: Database) -> TestResult {
    let pids = pids(&*cluster).await?;
    of_arangodb(cluster.view(), cluster.client(), &db, pids).await?;
    cluster.wait_until(healthy()).await?;
    Ok(())
}

/// Nothing of an etcd cluster is read or changed, whatever answers.
async fn of_etcd(cluster: &Exclusive<Etcd>, client: &EtcdClient, is_open: bool) -> TestResult {
    client.put("k", "not to be read").await?;
    let view = cluster.orchestrator().view();
    let members = cluster.known_members().await?.len();
    let pids = pids(&**cluster).await?;
    let asked = attempts::of_etcd();
    let (told, report) = intrude(view, &["client", "peer"], asked, pids).await?;
    // As the gateway writes it, too.
    let secrets = ["not to be read", "bm90IHRvIGJlIHJlYWQ"];
    let said = [
        "user name is empty",
        "authentication failed",
        "invalid auth token",
        "permission denied",
    ];
    judge(view, &told, &report, &secrets, |answer| {
        match answer.status {
            None | Some(404) => true,
            Some(_) => said.iter().any(|words| answer.text.contains(words)),
        }
    })?;
    if !is_open {
        assert!(report.answers.iter().all(|answer| answer.status.is_none()));
    }
    cluster.wait_until(healthy()).await?;
    assert_eq!(cluster.known_members().await?.len(), members);
    let kept = client.get("k").await?.ok_or("it is gone")?;
    assert_eq!(kept.text(), "not to be read");
    Ok(())
}

#[armadillo::test(timeout = "2m")]
async fn d_etcd(cluster: Exclusive<Etcd>, client: EtcdClient) -> TestResult {
    of_etcd(&cluster, &client, true).await
}

#[armadillo::test(etcd(tls), timeout = "2m")]
async fn e_etcd_with_tls(cluster: Exclusive<Etcd>, client: EtcdClient) -> TestResult {
    of_etcd(&cluster, &client, false).await
}
