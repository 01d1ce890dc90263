//! The emulator against the contract: every row of its tables is played, by every role, in every
//! phase. A key that the contract does not give this role is wrong, and so is a missing one.

use std::collections::BTreeMap;
use std::net::TcpStream;

use arangod_contract::{Contract, Phase, Role, Row};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::agents::{Agents, PATIENT};
use crate::clusters::{Cluster, spawn_with, with_copies_for};
use crate::line::Line;
use crate::support::{Client, Place, Server, basic, catch, superuser_token, wait_for};

/// With this key the emulator says what it is. No arangod has it.
const MARK: &str = "standIn";

/// What has been compared.
#[derive(Debug, Default)]
struct Played {
    answers: usize,
    /// What the emulator has not got.
    missing: Vec<String>,
    wrong: Vec<String>,
}

impl Played {
    fn compare(&mut self, row: &Row, role: Role, status: u16, mut body: Value) {
        let place = format!(
            "{} {} {} to a {} by {}",
            row.method,
            row.path,
            row.request,
            role.name(),
            row.asker
        );
        self.answers += 1;
        let number = body["errorNum"].as_u64();
        if status == 501 && number == Some(501) {
            self.missing.push(place);
            return;
        }
        if status != row.status || (row.number.is_some() && number != row.number) {
            self.wrong.push(format!(
                "{place}: {status} {body} instead of {}/{:?}",
                row.status, row.number
            ));
            return;
        }
        let Some(shape) = &row.body else { return };
        if let Some(body) = body.as_object_mut() {
            body.remove(MARK);
        }
        for complaint in shape.complaints(&body) {
            self.wrong.push(format!("{place}: {complaint}"));
        }
    }

    /// Nothing is wrong or missing, and something was compared.
    fn check(self, least: usize) {
        assert!(self.wrong.is_empty(), "\n{}", self.wrong.join("\n"));
        assert!(self.answers >= least, "only {} answers", self.answers);
        println!("{} answers", self.answers);
        assert!(self.missing.is_empty(), "{:#?}", self.missing);
    }
}

fn contract() -> Contract {
    Contract::read().unwrap_or_else(|error| panic!("{error}"))
}

fn rows(contract: &Contract, role: Role, phase: Phase) -> Vec<&Row> {
    let fits = |row: &&Row| row.roles.contains(&role) && row.phases.contains(&phase);
    contract.rows.iter().filter(fits).collect()
}

fn credentials(row: &Row) -> String {
    match row.asker.as_str() {
        "superuser" => format!("authorization: bearer {}\r\n", superuser_token()),
        "root" => format!("authorization: {}\r\n", basic("root", "")),
        _ => String::new(),
    }
}

fn client(server: &Server, row: &Row) -> Client {
    match row.asker.as_str() {
        "superuser" => server.client(),
        "root" => server.anonymous().basic("root", ""),
        _ => server.anonymous(),
    }
}

/// Plays all rows for a server that serves, in their order: what one makes, others ask for.
fn play(contract: &Contract, role: Role, server: &Server) -> Played {
    let mut played = Played::default();
    let mut line = Line::open(server.address);
    let mut names = BTreeMap::from([
        ("{collection}", String::from("c")),
        ("{database}", String::from("contract")),
        ("{key}", String::from("k")),
        ("{missing}", String::from("none")),
        ("{name}", String::from("t")),
        ("{nokey}", String::from("none")),
        ("{primary}", String::from("0")),
        ("{renamed}", String::from("newname")),
        ("{server}", String::from("nobody")),
        ("{user}", String::from("u")),
    ]);
    for row in rows(contract, role, Phase::Serving) {
        let mut path = row.path.clone();
        for (hole, name) in &names {
            path = path.replace(hole, name);
        }
        let asked = line.ask(&row.method, &path, &credentials(row), &row.request);
        let (status, body) = asked.unwrap_or_else(|error| panic!("{path}: {error}"));
        // Its answer names what later rows ask for.
        let id = [("{job}", &body["id"]), ("{trx}", &body["result"]["id"])];
        for (hole, id) in id {
            let asked_for = ["/_admin/cluster/", "/_api/transaction/begin"]
                .iter()
                .any(|start| path.starts_with(start));
            if let (true, Some(id)) = (asked_for, id.as_str()) {
                names.insert(hole, String::from(id));
            }
        }
        played.compare(row, role, status, body);
    }
    played
}

#[test]
fn a_single_server_keeps_the_contract() {
    let place = Place::new();
    let server = place.start(&[]);
    let made = server
        .client()
        .post("/_api/collection", &json!({ "name": "c" }));
    assert_eq!(made.status, 200);
    let contract = contract();
    play(&contract, Role::Single, &server).check(100);
}

#[test]
fn a_cluster_keeps_the_contract() {
    let cluster = Cluster::start_with(&PATIENT, &[], 2, 1);
    cluster.wait_until_healthy(6);
    let client = cluster.client(0);
    let made = client.post("/_api/collection", &json!({ "name": "c" }));
    assert_eq!(made.status, 200);
    let contract = contract();
    let coordinator = cluster.coordinators[0].1.as_ref().unwrap();
    play(&contract, Role::Coordinator, coordinator).check(120);
    play(&contract, Role::DbServer, cluster.dbserver(0)).check(30);
    let leads = |server: &&Server| {
        let status = server.client().get("/_admin/status").json();
        status["agent"]["leading"] == true
    };
    let agents = cluster.agents.servers.iter().flatten();
    let leader = wait_for("a leader", || agents.clone().find(leads));
    play(&contract, Role::Agent, leader).check(40);
    // Headers for browsers are for those whom users talk to.
    for (server, has) in [
        (coordinator, true),
        (cluster.dbserver(0), false),
        (leader, false),
    ] {
        let answer = server.client().get("/_admin/status");
        for name in [
            "x-content-type-options",
            "cache-control",
            "x-arango-queue-time-seconds",
        ] {
            assert_eq!(answer.header(name).is_some(), has, "{name}");
        }
        assert!(answer.header("server").is_some());
    }
    // The others say less of each other.
    let follower = agents.clone().find(|server| !leads(server)).unwrap();
    let config = follower.client().get("/_api/agency/config").json();
    let shape = contract.shape("config").unwrap();
    assert_eq!(shape.complaints(&config), Vec::<String>::new());
    assert_eq!(config.get("lastAcked"), None);
}

/// An agency of one, and what a server of a role is started with.
struct World {
    agents: Agents,
    /// A coordinator is not ready without a dbserver.
    _dbserver: Option<(Place, Server)>,
}

impl World {
    fn of(role: Role) -> Self {
        let agents = match role {
            Role::DbServer | Role::Coordinator => Agents::start(1, &[]),
            Role::Single | Role::Agent => Agents::plan(1, &[]),
        };
        let dbserver = (role == Role::Coordinator).then(|| {
            let place = Place::new();
            let server = spawn_with(&agents, &place, "PRIMARY", &[]);
            (place, server)
        });
        Self {
            agents,
            _dbserver: dbserver,
        }
    }

    /// Starts a server and does not wait for it.
    fn spawn(&self, role: Role, place: &Place, more: &[&str]) -> Server {
        let address = format!("--agency.my-address=tcp://{}", place.port.address);
        let mut args = match role {
            Role::Single => Vec::new(),
            Role::Agent => vec!["--agency.activate=true", "--agency.size=1", &address],
            Role::DbServer => return spawn_with(&self.agents, place, "PRIMARY", more),
            Role::Coordinator => {
                let more = with_copies_for(1, more);
                return spawn_with(&self.agents, place, "COORDINATOR", &more);
            }
        };
        args.extend(more);
        place.spawn(&args)
    }
}

/// Asks all rows of a phase of a server on its way up. It passes through by itself, so the phase is
/// looked for before and after: if it was the same, it was that in between.
fn on_the_way_up(role: Role, phase: Phase) -> Played {
    let contract = contract();
    let rows = rows(&contract, role, phase);
    let more: &[&str] = match phase {
        Phase::Early => &["--pace=realistic", "--server.early-connections=true"],
        _ => &["--pace=realistic"],
    };
    let expected = match phase {
        Phase::Early => 200,
        _ => 503,
    };
    catch("a phase of the start", || {
        // Without an agency members of a cluster wait in it.
        let world = match phase {
            Phase::Early => World::of(role),
            _ => World {
                agents: Agents::plan(1, &[]),
                _dbserver: None,
            },
        };
        let place = Place::new();
        let server = world.spawn(role, &place, more);
        let look = || server.client().try_get("/_admin/status");
        let is_in_it = |status: u16| status == expected;
        let first = wait_for("an open port", look);
        let mut played = Played::default();
        for row in &rows {
            let answer = client(&server, row).try_send(&row.method, &row.path, &row.request)?;
            let body = serde_json::from_str(&answer.text).unwrap_or(Value::Null);
            played.compare(row, role, answer.status, body);
        }
        let last = look()?;
        let unready = phase != Phase::Early || last.json()["serverInfo"]["maintenance"] == true;
        (is_in_it(first.status) && is_in_it(last.status) && unready).then_some(played)
    })
}

#[test]
fn early_connections_keep_the_contract() {
    for role in Role::ALL {
        on_the_way_up(role, Phase::Early).check(15);
    }
}

#[test]
fn maintenance_keeps_the_contract() {
    for role in Role::ALL {
        on_the_way_up(role, Phase::Maintenance).check(20);
    }
}

#[test]
fn stopping_keeps_the_contract() {
    for role in Role::ALL {
        let contract = contract();
        let rows = rows(&contract, role, Phase::Stopping);
        let played = catch("a server that stops", || {
            let world = World::of(role);
            let place = Place::new();
            let mut server = world.spawn(role, &place, &["--pace=realistic"]);
            server.wait_until_ready();
            // An answer in this phase ends its connection, and there are no new ones.
            let mut lines: Vec<Line> = (0..=rows.len())
                .map(|_| Line::open(server.address))
                .collect();
            let mut probe = lines.pop().unwrap();
            server.signal(Signal::TERM);
            let path = "/_admin/server/availability";
            while probe.ask("GET", path, "", "").ok()?.0 == 200 {}
            wait_for("a port that nobody listens on", || {
                TcpStream::connect(server.address).is_err().then_some(())
            });
            let mut played = Played::default();
            for (row, line) in rows.iter().zip(&mut lines) {
                let asked = line.ask(&row.method, &row.path, &credentials(row), &row.request);
                let (status, body) = asked.ok()?;
                played.compare(row, role, status, body);
            }
            Some(played)
        });
        played.check(5);
    }
}

#[test]
fn recorded_exchanges_keep_the_contract() {
    let contract = contract();
    let examples: Vec<Value> = serde_json::from_str(include_str!("../data/golden.json")).unwrap();
    let mut compared = 0;
    for example in &examples {
        let text = |name: &str| example[name].as_str().unwrap();
        let status = example["status"].as_u64().unwrap().try_into().unwrap();
        let (method, path) = (text("method"), text("path"));
        let complaints: Vec<Vec<String>> = contract
            .fitting(method, path, Role::Single, status)
            .filter_map(|row| Some(row.body.as_ref()?.complaints(&example["body"])))
            .collect();
        if complaints.is_empty() {
            continue;
        }
        compared += 1;
        let fits = complaints.iter().any(Vec::is_empty);
        assert!(fits, "{}: {complaints:?}", text("name"));
    }
    assert!(compared >= 35, "only {compared} of {}", examples.len());
}
