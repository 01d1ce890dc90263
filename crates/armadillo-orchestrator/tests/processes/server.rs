//! The server under test: one thread, one request at a time, and whatever bad habits its options name.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// The options, as `name=value`.
struct Options<'a>(&'a [String]);

impl Options<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|option| option == name)
    }

    fn millis(&self, name: &str) -> Duration {
        Duration::from_millis(self.get(name).map_or(0, |value| value.parse().unwrap()))
    }
}

pub(crate) fn main(options: &[String]) -> ExitCode {
    let options = Options(options);
    let begun = Instant::now();
    eprintln!("server {} begins", std::process::id());
    for name in ["ONLY_IN_THE_PARENT", "ROW_SERVER", "NOWHERE"] {
        eprintln!("{name}: {:?}", std::env::var(name).ok());
    }
    if options.has("sleep") {
        loop {
            std::thread::park();
        }
    }
    if options.has("ignores-terminate") {
        // SAFETY: SIG_IGN is no handler: nothing runs when the signal comes.
        unsafe {
            libc::signal(libc::SIGTERM, libc::SIG_IGN);
        }
    }
    if options.has("daemonises") {
        daemonise();
    }
    if let Some(code) = options.get("exits") {
        eprintln!("FATAL: I was told to");
        return ExitCode::from(code.parse::<u8>().unwrap());
    }
    let port: u16 = options.get("port").unwrap().parse().unwrap();
    let listener = if options.has("does-not-reuse") {
        match bind_without_reuse(port) {
            Ok(listener) => listener,
            Err(error) => {
                eprintln!("cannot bind: {error}");
                return ExitCode::from(21);
            }
        }
    } else {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap()
    };
    if let Some(file) = options.get("makes") {
        std::fs::write(file, "").unwrap();
    }
    if let Some(file) = options.get("leaves-with").map(PathBuf::from) {
        std::thread::spawn(move || {
            while !file.exists() {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            end_with(5);
        });
    }
    if let Some(limit) = options.get("logs-after") {
        let limit = Duration::from_millis(limit.parse().unwrap());
        std::thread::spawn(move || {
            std::thread::park_timeout(limit);
            eprintln!("READY at last");
        });
    }
    for stream in listener.incoming() {
        let stage = if begun.elapsed() < options.millis("ready-after") {
            "answering"
        } else {
            "ready"
        };
        let token = if options.has("wrong-token") {
            "wrong"
        } else {
            options.get("token").unwrap_or("")
        };
        answer(stream.unwrap(), stage, token);
    }
    ExitCode::SUCCESS
}

/// Answers on a port as a server would, from a thread of this process, for ever.
pub(crate) fn impersonate(port: u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), "ready", "right");
        }
    });
}

fn answer(mut stream: TcpStream, stage: &str, token: &str) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(request)) = lines.next() else {
        return;
    };
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    while lines
        .next()
        .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
    {}
    match path.as_str() {
        "/abort" => {
            eprintln!("CRASH: asked to abort");
            std::process::abort();
        }
        "/trace" => {
            eprintln!("CRASH: asked to abort");
            (1..=50).for_each(|frame| eprintln!("frame {frame}"));
            std::process::abort();
        }
        "/leave" => end_with(3),
        _ => {}
    }
    let body = format!(
        r#"{{"pid": {}, "stage": "{stage}", "token": "{token}"}}"#,
        std::process::id()
    );
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n",
        body.len()
    );
    // Whoever asked may be gone.
    let _ = write!(stream, "{head}\r\n{body}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server that leaves in the middle of a request"
)]
fn end_with(code: i32) {
    std::process::exit(code);
}

/// Leaves a grandchild in a session of its own, whose parent is gone.
fn daemonise() {
    let mut command = Command::new("/proc/self/exe");
    command.args(["serve", "sleep"]).stdin(Stdio::null());
    // SAFETY: setsid and fork are system calls; the intermediate child ends at once without running anything of Rust's.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            match libc::fork() {
                0 => Ok(()),
                _ => libc::_exit(0),
            }
        });
    }
    // The intermediate child never executes anything: std sees its pipe close by the grandchild's exec.
    command.spawn().unwrap().wait().unwrap();
}

fn bind_without_reuse(port: u16) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(16)?;
    Ok(socket.into())
}
