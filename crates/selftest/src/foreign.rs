//! Servers that no run has started, as somebody starts them by hand.

use std::io::{Read, Write};
use std::net::TcpStream;
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
    /// Nobody else gets it while nothing listens on it.
    _ports: Vec<HeldPort>,
    _directory: TempDir,
}

impl Foreign {
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
            _ports: ports,
            _directory: directory,
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

fn path(directory: &TempDir, name: &str) -> String {
    directory.path().join(name).display().to_string()
}
