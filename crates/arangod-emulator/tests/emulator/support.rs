//! Starting the real binary, and talking to it.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket, sockopt};
use serde_json::Value;
use tempfile::TempDir;

/// The secret of every emulator that is started here.
pub(crate) const SECRET: &str = "a secret for tests";

/// No test waits longer for anything.
const DEADLINE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer. There is no event to wait for in another
/// process that opens a port or writes a line.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: nothing within {DEADLINE:?}");
        pause();
    }
}

/// Tries to see a stage that a server passes through by itself. On a busy machine the test may come
/// too late, which is nobody's fault: then another server is started. What is seen is checked.
pub(crate) fn catch<T>(what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    std::iter::repeat_with(attempt)
        .take(10)
        .flatten()
        .next()
        .unwrap_or_else(|| panic!("{what}: not seen in ten attempts"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the pause of a poll with a deadline, in the one place that polls"
)]
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_millis(2));
}

/// A port that is held bound, never listened on, while servers bind over it.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    _held: OwnedFd,
}

impl Port {
    pub(crate) fn hold() -> Self {
        let held = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        sockopt::set_socket_reuseaddr(&held, true).unwrap();
        bind(&held, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = SocketAddr::try_from(getsockname(&held).unwrap()).unwrap();
        Self {
            address,
            _held: held,
        }
    }
}

/// The binary: with `ARMADILLO_PLANTED` the one that has this defect (feature `planted`), which shows
/// what tests find.
fn binary() -> String {
    let binary = env!("CARGO_BIN_EXE_arangod-emulator");
    match std::env::var("ARMADILLO_PLANTED") {
        Ok(bug) => format!("{binary}-planted-{bug}"),
        Err(_) => String::from(binary),
    }
}

/// The binary with arguments, without the environment of the test.
pub(crate) fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(binary());
    command.args(args).env_clear().stdin(Stdio::null());
    command
}

/// Runs the binary to its end: exit code, standard output, standard error.
pub(crate) fn run(args: &[&str]) -> (i32, String, String) {
    let output = command(args).output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// A place for a server: directory, port, log.
pub(crate) struct Place {
    folder: TempDir,
    pub(crate) port: Port,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            port: Port::hold(),
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// The arguments that put a server here.
    pub(crate) fn args(&self) -> Vec<String> {
        let secret = self.file("secret");
        std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
        vec![
            format!("--server.endpoint=tcp://{}", self.port.address),
            format!("--log.output=file://{}", self.file("log").display()),
            format!("--server.jwt-secret-keyfile={}", secret.display()),
            self.data().display().to_string(),
        ]
    }

    /// Starts a server here and does not wait for it.
    pub(crate) fn spawn(&self, more: &[&str]) -> Server {
        let mut args = self.args();
        args.extend(more.iter().map(|arg| String::from(*arg)));
        self.spawn_with(&args)
    }

    fn spawn_with(&self, args: &[String]) -> Server {
        let child = command(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Server {
            child,
            address: self.port.address,
        }
    }

    /// Starts a server with the port and the log of this place and the data of another; it ends by
    /// itself.
    pub(crate) fn run_in(&self, data: &Path) -> i32 {
        let mut args = self.args();
        args.pop();
        args.push(data.display().to_string());
        self.spawn_with(&args).wait().code().unwrap()
    }

    /// Starts a server here and waits until it serves.
    pub(crate) fn start(&self, more: &[&str]) -> Server {
        let mut server = self.spawn(more);
        server.wait_until_ready();
        server
    }

    /// Starts a server with exactly these arguments and waits until it serves.
    pub(crate) fn start_with(&self, args: &[String]) -> Server {
        let mut server = self.spawn_with(args);
        server.wait_until_ready();
        server
    }

    /// Starts a server here that ends by itself.
    pub(crate) fn run(&self, more: &[&str]) -> i32 {
        self.spawn(more).wait().code().unwrap()
    }
}

/// A running server. It is killed when the test is done with it.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn wait_until_ready(&mut self) {
        let address = self.address;
        let child = &mut self.child;
        wait_for("ready", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server ended with {status} before it was ready");
            }
            let answer = Client::new(address).try_get("/_admin/server/availability")?;
            (answer.status == 200).then_some(())
        });
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_for("the end of the server", || child.try_wait().unwrap())
    }

    /// `kill -9`, and it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.wait().signal(), Some(9));
    }

    /// A client that may do everything.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address).bearer(&superuser_token())
    }

    /// A client without credentials.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(self.address)
    }
}

/// A token signed with [`SECRET`].
pub(crate) fn token(claims: &Value) -> String {
    use jsonwebtoken::{EncodingKey, Header, encode};
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(&Header::default(), claims, &key).unwrap()
}

pub(crate) fn superuser_token() -> String {
    token(&serde_json::json!({ "iss": "arangodb", "server_id": "test" }))
}

/// The value of an `Authorization` header with a password.
pub(crate) fn basic(name: &str, password: &str) -> String {
    let encoded = STANDARD.encode(format!("{name}:{password}"));
    format!("Basic {encoded}")
}

/// A client that opens a connection for each request.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    headers: Vec<(String, String)>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error}: {} {:?}", self.status, self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Status and `errorNum`.
    pub(crate) fn error(&self) -> (u16, u64) {
        (self.status, self.json()["errorNum"].as_u64().unwrap_or(0))
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            headers: Vec::new(),
        }
    }

    pub(crate) fn header(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client
            .headers
            .push((String::from(name), String::from(value)));
        client
    }

    pub(crate) fn bearer(&self, token: &str) -> Self {
        self.header("authorization", &format!("bearer {token}"))
    }

    pub(crate) fn basic(&self, name: &str, password: &str) -> Self {
        self.header("authorization", &basic(name, password))
    }

    /// The answer, or nothing if the connection failed anywhere.
    pub(crate) fn try_send(&self, method: &str, path: &str, body: &str) -> Option<Answer> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        stream.write_all(text.as_bytes()).ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok()?;
        parse(&String::from_utf8(bytes).ok()?, method == "HEAD")
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        self.try_send(method, path, body)
            .unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    pub(crate) fn try_get(&self, path: &str) -> Option<Answer> {
        self.try_send("GET", path, "")
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &body.to_string())
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &body.to_string())
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, "")
    }
}

/// A whole answer; one that was cut off is none.
fn parse(text: &str, head: bool) -> Option<Answer> {
    let (top, body) = text.split_once("\r\n\r\n")?;
    let mut lines = top.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), String::from(value)))
        .collect();
    let answer = Answer {
        status,
        headers,
        text: String::from(body),
    };
    // An answer that cannot have a body needs no length.
    if answer.status == 304 {
        return Some(answer);
    }
    let length: usize = answer.header("content-length")?.parse().ok()?;
    (head || length == body.len()).then_some(answer)
}

/// Adds to the text of a file.
pub(crate) fn append(path: &Path, bytes: &[u8]) {
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}
