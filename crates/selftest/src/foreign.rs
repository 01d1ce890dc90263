//! Servers that no run has started, as somebody starts them by hand.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use armadillo_orchestrator::APPLET_WORD;
use armadillo_orchestrator::ports::HeldPort;
use serde_json::Value;
use tempfile::TempDir;

use crate::wait;

/// A server. It is killed when it is dropped.
pub struct Foreign {
    child: Child,
    address: String,
    /// Where it speaks TLS, if it does anywhere.
    secure: Option<Secure>,
    /// Nobody else gets it while nothing listens on it.
    _ports: Vec<HeldPort>,
    _directory: TempDir,
    _more: Option<TempDir>,
}

/// Where a server speaks TLS.
struct Secure {
    address: String,
    /// The file with the certificate to trust.
    authority: PathBuf,
}

impl Foreign {
    /// The same as [`Self::emulator`], which also speaks TLS at another address, with a certificate of its own.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn emulator_with_tls(program: &str, password: &str, options: &[&str]) -> Self {
        let (directory, port) = (directory(), port());
        let keyfile = path(&directory, "key.pem");
        let authority = certificate(&directory, Some(&keyfile));
        let endpoint = format!("ssl://{}", port.address());
        let own = ["--server.endpoint", &endpoint, "--ssl.keyfile", &keyfile];
        let mut foreign = Self::emulator(program, password, &[&own, options].concat());
        foreign.secure = Some(Secure {
            address: port.address(),
            authority,
        });
        foreign._ports.push(port);
        foreign._more = Some(directory);
        foreign
    }

    /// Where it speaks TLS: `https://127.0.0.1:4711`.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn secure_url(&self) -> String {
        let secure = self.secure.as_ref();
        let secure = secure.unwrap_or_else(|| panic!("it does not speak TLS"));
        format!("https://{}", secure.address)
    }

    /// The file with the certificate to trust.
    ///
    /// # Panics
    /// When it does not speak TLS.
    #[must_use]
    pub fn authority(&self) -> String {
        let secure = self.secure.as_ref();
        let secure = secure.unwrap_or_else(|| panic!("it does not speak TLS"));
        secure.authority.display().to_string()
    }

    /// A single server of the emulator that is built into `program`, with these options, where `root` has this password.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn emulator(program: &str, password: &str, options: &[&str]) -> Self {
        let directory = directory();
        let port = port();
        let mut command = Command::new(program);
        command
            .args([APPLET_WORD, "arangod", "--configuration", "none"])
            .args(["--database.directory", &path(&directory, "data")])
            .args(["--log.output", &path(&directory, "log")])
            .args(["--server.endpoint", &format!("tcp://{}", port.address())])
            .args(options)
            .env("ARANGODB_DEFAULT_ROOT_PASSWORD", password);
        let foreign = Self::start(command, directory, vec![port]);
        foreign.wait("GET /_admin/server/availability");
        foreign
    }

    /// A cluster of the emulator that is built into `program`: an agent, so many dbservers and a coordinator, where `root` has
    /// this password. Everybody in it has a good word from the supervision when this returns.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn cluster(program: &str, password: &str, dbservers: usize) -> ForeignCluster {
        const KEY: &str = "the key of a cluster that somebody started by hand";
        let ports: Vec<HeldPort> = (0..dbservers + 2).map(|_| port()).collect();
        let endpoints: Vec<String> = ports
            .iter()
            .map(|port| format!("tcp://{}", port.address()))
            .collect();
        let agent = &endpoints[0];
        let mut all = Vec::new();
        for (number, port) in ports.into_iter().enumerate() {
            let own = &endpoints[number];
            let directory = directory();
            let key = path(&directory, "key");
            std::fs::write(&key, KEY).unwrap_or_else(|error| panic!("{key}: {error}"));
            let role: Vec<&str> = match number {
                0 => vec![
                    "--agency.activate",
                    "true",
                    "--agency.size",
                    "1",
                    "--agency.my-address",
                    own,
                    "--agency.endpoint",
                    own,
                    "--agency.supervision",
                    "true",
                    "--agency.supervision-frequency",
                    "0.5",
                ],
                number => vec![
                    "--cluster.my-role",
                    if number <= dbservers {
                        "DBSERVER"
                    } else {
                        "COORDINATOR"
                    },
                    "--cluster.my-address",
                    own,
                    "--cluster.agency-endpoint",
                    agent,
                ],
            };
            let mut command = Command::new(program);
            command
                .args([APPLET_WORD, "arangod", "--configuration", "none"])
                .args(["--database.directory", &path(&directory, "data")])
                .args(["--log.output", &path(&directory, "log")])
                .args(["--server.endpoint", own])
                .args(["--server.authentication", "true"])
                .args(["--server.jwt-secret-keyfile", &key])
                .args(role)
                .env("ARANGODB_DEFAULT_ROOT_PASSWORD", password);
            all.push(Self::start(command, directory, vec![port]));
        }
        let claims = serde_json::json!({ "iss": "arangodb", "server_id": "by-hand" });
        let key = jsonwebtoken::EncodingKey::from_secret(KEY.as_bytes());
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
        let token = jsonwebtoken::encode(&header, &claims, &key)
            .unwrap_or_else(|error| panic!("no token: {error}"));
        let cluster = ForeignCluster { all, token };
        let good = || {
            let header = format!("authorization: bearer {}\r\n", cluster.token);
            let asked = cluster
                .coordinator()
                .ask("GET /_admin/cluster/health", &header, "");
            let (_, health) = asked?;
            let known = health["Health"].as_object()?;
            let good = known.values().filter(|server| server["Status"] == "GOOD");
            (good.count() == dbservers + 2).then_some(())
        };
        let good = wait::until(wait::LIMIT, good);
        good.unwrap_or_else(|| panic!("the cluster does not become good"));
        cluster
    }

    /// A cluster of one member of etcd.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn etcd() -> Self {
        let directory = directory();
        let (client, peer) = (port(), port());
        let url = |port: &HeldPort| format!("http://{}", port.address());
        let mut command = Command::new("etcd");
        command
            .args(["--name", "by-hand", "--data-dir", &path(&directory, "data")])
            .args([
                "--listen-client-urls",
                &url(&client),
                "--advertise-client-urls",
                &url(&client),
            ])
            .args([
                "--listen-peer-urls",
                &url(&peer),
                "--initial-advertise-peer-urls",
                &url(&peer),
            ])
            .args(["--initial-cluster", &format!("by-hand={}", url(&peer))]);
        let foreign = Self::start(command, directory, vec![client, peer]);
        foreign.wait("GET /health");
        foreign
    }

    fn start(mut command: Command, directory: TempDir, ports: Vec<HeldPort>) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn();
        Self {
            child: child.unwrap_or_else(|error| panic!("{command:?}: {error}")),
            address: ports[0].address(),
            secure: None,
            _ports: ports,
            _directory: directory,
            _more: None,
        }
    }

    /// Where it is: `http://127.0.0.1:4711`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn wait(&self, request: &str) {
        let ready = || {
            self.ask(request, "", "")
                .filter(|(status, _)| matches!(status, 200 | 401))
        };
        let ready = wait::until(wait::LIMIT, ready);
        ready.unwrap_or_else(|| panic!("{} does not start", self.address));
    }

    /// Asks it something, with these further header lines; its status and its body.
    #[must_use]
    pub fn ask(&self, request: &str, headers: &str, body: &str) -> Option<(u16, Value)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .ok()?;
        let length = body.len();
        let head = format!(
            "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        // A body in chunks has its size in a line before it.
        let start = body.find('{').unwrap_or(body.len());
        let end = body.rfind('}').map_or(start, |end| end + 1);
        let body = serde_json::from_str(&body[start.min(end)..end]).unwrap_or(Value::Null);
        Some((status, body))
    }

    /// Kills it.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(&mut self) {
        self.child
            .kill()
            .unwrap_or_else(|error| panic!("kill: {error}"));
        self.child
            .wait()
            .unwrap_or_else(|error| panic!("wait: {error}"));
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// A cluster. Its servers are killed when it is dropped.
pub struct ForeignCluster {
    all: Vec<Foreign>,
    /// A superuser's token.
    pub token: String,
}

impl ForeignCluster {
    /// Its coordinator.
    #[must_use]
    pub fn coordinator(&self) -> &Foreign {
        &self.all[self.all.len() - 1]
    }

    /// Its agent.
    #[must_use]
    pub fn agent(&self) -> &Foreign {
        &self.all[0]
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap_or_else(|error| panic!("no directory: {error}"))
}

fn port() -> HeldPort {
    HeldPort::take().unwrap_or_else(|error| panic!("no port: {error}"))
}

/// Makes a certificate for this machine, signed by itself, and its private key if there is a file for both. Returns the file
/// with the certificate.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn certificate(directory: &TempDir, keyfile: Option<&str>) -> PathBuf {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]);
    let made = made.unwrap_or_else(|error| panic!("no certificate: {error}"));
    let write = |path: &Path, text: String| {
        std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    };
    let authority = directory.path().join("ca.pem");
    write(&authority, made.cert.pem());
    if let Some(keyfile) = keyfile {
        let both = format!("{}{}", made.cert.pem(), made.signing_key.serialize_pem());
        write(Path::new(keyfile), both);
    }
    authority
}

fn path(directory: &TempDir, name: &str) -> String {
    directory.path().join(name).display().to_string()
}
