//! A server of the emulator with one defect: a proxy in front of it changes an answer. It is started by a script, which a suite
//! takes for the program.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use armadillo_orchestrator::{APPLET_WORD, Applet};
use rustix::process::{Signal, set_parent_process_death_signal};

/// The applet that becomes the emulator, with a proxy beside it.
const BROKEN: &str = "broken";

/// The applet that is the proxy.
const PROXY: &str = "broken-proxy";

/// The defect of a server that nobody reaches: there is no proxy.
pub const DEAF: &str = "deaf";

/// The defect of a program that prints what is no log.
pub const GARBLED: &str = "garbled";

armadillo_orchestrator::inventory::submit! {
    Applet { name: BROKEN, main: broken, build: None }
}

armadillo_orchestrator::inventory::submit! {
    Applet { name: PROXY, main: proxy, build: None }
}

/// To be called by the main function of a suite whose executable has these applets: what nobody refers to is not linked.
#[inline(never)]
pub fn link() {}

/// A script in `directory` that is an `arangod` with this defect; `program` has the emulator built in.
///
/// # Panics
/// When it cannot be written.
#[must_use]
pub fn script(directory: &Path, program: &str, defect: &str) -> PathBuf {
    let text = format!("exec '{program}' {APPLET_WORD} {BROKEN} {defect} \"$@\"");
    self::program(directory, defect, &text)
}

/// A script in `directory` that does this.
///
/// # Panics
/// When it cannot be written.
#[must_use]
pub fn program(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    let written = std::fs::write(&path, format!("#!/bin/sh\n{text}\n"));
    written.unwrap_or_else(|error| panic!("{name}: {error}"));
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, mode).unwrap_or_else(|error| panic!("{name}: {error}"));
    path
}

/// Starts the proxy and becomes the emulator, on another port.
fn broken(args: Vec<OsString>) -> ExitCode {
    let mut args: Vec<String> = args
        .into_iter()
        .filter_map(|arg| arg.into_string().ok())
        .collect();
    let defect = args.remove(0);
    let at = args.iter().position(|arg| arg == "--server.endpoint");
    if let Some(endpoint) = at.and_then(|at| args.get_mut(at + 1)) {
        let outside = endpoint.trim_start_matches("tcp://").to_owned();
        let inside = free_address();
        *endpoint = format!("tcp://{inside}");
        if defect != DEAF {
            let mut proxy = Command::new("/proc/self/exe");
            proxy.args([APPLET_WORD, PROXY, &defect, &outside, &inside]);
            if let Err(error) = proxy.spawn() {
                return failed(&format!("no proxy: {error}"));
            }
        }
    }
    let mut emulator = Command::new("/proc/self/exe");
    emulator.args([APPLET_WORD, "arangod"]).args(args);
    failed(&format!("no emulator: {}", emulator.exec()))
}

fn failed(why: &str) -> ExitCode {
    // Who started it reads its log.
    let _ = std::io::stderr().write_all(why.as_bytes());
    ExitCode::FAILURE
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map_or_else(
        |error| panic!("no port: {error}"),
        |address| address.to_string(),
    )
}

/// Passes requests on, one on each connection, and changes what its defect is about.
fn proxy(args: Vec<OsString>) -> ExitCode {
    // It ends with the emulator, whose parent's child it is.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let args: Vec<String> = args
        .into_iter()
        .filter_map(|arg| arg.into_string().ok())
        .collect();
    let [defect, outside, inside] = args.as_slice() else {
        return failed("defect, address and address");
    };
    if defect == GARBLED {
        let line = "this is no line of a log\n".repeat(500);
        let _ = std::io::stdout().write_all(line.as_bytes());
    }
    let listener = match TcpListener::bind(outside.as_str()) {
        Ok(listener) => listener,
        Err(error) => return failed(&format!("{outside}: {error}")),
    };
    for stream in listener.incoming().flatten() {
        let (defect, inside) = (defect.clone(), inside.clone());
        std::thread::spawn(move || pass_on(stream, &defect, &inside));
    }
    ExitCode::SUCCESS
}

/// One message of HTTP: its head, without the empty line, and its body.
struct Message {
    head: String,
    /// Not always a text: servers send each other records.
    body: Vec<u8>,
}

impl Message {
    fn read(stream: &mut TcpStream, to_the_end: bool) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 8192];
        loop {
            let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
                let body = &bytes[end + 4..];
                let length = length(&head).unwrap_or(if to_the_end { usize::MAX } else { 0 });
                if body.len() >= length {
                    let body = body.to_owned();
                    return Some(Self { head, body });
                }
            }
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => {
                    let end = end?;
                    return Some(Self {
                        head: String::from_utf8_lossy(&bytes[..end]).into_owned(),
                        body: bytes.split_off(end + 4),
                    });
                }
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// Changes a body that is a text.
    fn edit(&mut self, change: impl FnOnce(String) -> String) {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        self.body = change(text).into_bytes();
    }

    /// The head without these headers.
    fn without(&self, names: &[&str]) -> String {
        let lines = self.head.lines().filter(|line| {
            let name = line.split(':').next().unwrap_or_default();
            !names.iter().any(|known| name.eq_ignore_ascii_case(known))
        });
        lines.collect::<Vec<_>>().join("\r\n")
    }
}

/// The length that a head says its body has.
fn length(head: &str) -> Option<usize> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().ok())?
    })
}

fn pass_on(mut stream: TcpStream, defect: &str, inside: &str) -> Option<()> {
    let request = Message::read(&mut stream, false)?;
    let mut line = request.head.lines().next()?.split(' ');
    let (method, path) = (line.next()?.to_owned(), line.next()?.to_owned());
    let mut dropped = vec!["connection", "expect"];
    if defect == "old-revisions" {
        dropped.push("if-match");
    }
    let mut answer = if defect == "no-rights" && path.contains("/database/") && method == "PUT" {
        answer(200, "{\"error\":false,\"code\":200}")
    } else {
        let mut server = TcpStream::connect(inside).ok()?;
        let head = request.without(&dropped);
        let head = format!("{head}\r\nconnection: close\r\n\r\n");
        server.write_all(head.as_bytes()).ok()?;
        server.write_all(&request.body).ok()?;
        Message::read(&mut server, true)?
    };
    change(defect, (&method, &path), &mut answer);
    let head = answer.without(&["connection", "content-length", "transfer-encoding"]);
    let length = answer.body.len();
    // A HEAD has a length and no body.
    let head = format!("{head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&answer.body).ok()
}

fn answer(status: u16, body: &str) -> Message {
    Message {
        head: format!("HTTP/1.1 {status} Status\r\ncontent-type: application/json"),
        body: body.as_bytes().to_owned(),
    }
}

fn change(defect: &str, (method, path): (&str, &str), said: &mut Message) {
    let is = |wanted: &str| {
        path.split('?')
            .next()
            .is_some_and(|path| path.ends_with(wanted))
    };
    let unauthorized = said.head.starts_with("HTTP/1.1 401");
    match defect {
        "other-product" if is("/_api/version") => {
            said.edit(|body| body.replace("\"arango\"", "\"nango\""))
        }
        "open-door" if unauthorized => *said = answer(200, "{\"result\":[]}"),
        "wrong-role" if is("/_admin/status") => {
            said.edit(|body| body.replace("\"SINGLE\"", "\"COORDINATOR\""))
        }
        "wrong-pid" if is("/_admin/status") => {
            said.edit(|body| body.replacen("\"pid\":", "\"pid\":1,\"old\":", 1))
        }
        "never-available" if is("/_admin/server/availability") => *said = answer(503, "{}"),
        "no-databases" if is("/_api/database") && method == "POST" => *said = answer(500, "{}"),
        "forgets-documents" if path.contains("/_api/document/") && method == "GET" => {
            *said = answer(
                404,
                "{\"error\":true,\"code\":404,\"errorNum\":1202,\"errorMessage\":\"document not found\"}",
            );
        }
        "other-numbers" => said.edit(|body| body.replace("\"errorNum\":1203", "\"errorNum\":4")),
        "no-leader" if is("/_api/agency/config") => {
            said.edit(|mut body| {
                let start = body.find("\"leaderId\":\"").map(|at| at + 12);
                if let Some(start) = start
                    && let Some(length) = body[start..].find('"')
                {
                    body.replace_range(start..start + length, "");
                }
                body
            });
        }
        "never-failed" if is("/_admin/cluster/health") => {
            said.edit(|body| body.replace("\"FAILED\"", "\"GOOD\""))
        }
        _ => {}
    }
}
