//! The product: a TCP server with named counters. One request a line, one answer a line:
//!
//! | request | answer |
//! | --- | --- |
//! | `add NAME N` | the new value |
//! | `get NAME` | the value |
//! | `drop PREFIX` | how many counters were removed |
//! | `pid` | the server's process id |
//! | `note TEXT` | `noted`; the text is in its log |
//! | `crash` | none: it aborts |

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

type Counters = Arc<Mutex<BTreeMap<String, i64>>>;

/// The program: `tally ADDRESS`. It exits with 2 when called wrongly and with 3 when it cannot listen.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let Some(address) = args.first().and_then(|arg| arg.to_str()) else {
        eprintln!("usage: tally ADDRESS");
        return ExitCode::from(2);
    };
    if address == "--version" {
        println!("tally 1.0");
        return ExitCode::SUCCESS;
    }
    let listener = match TcpListener::bind(address) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("error cannot listen on {address}: {error}");
            return ExitCode::from(3);
        }
    };
    eprintln!("info listening on {address}");
    let counters = Counters::default();
    for stream in listener.incoming().flatten() {
        let counters = counters.clone();
        std::thread::spawn(move || serve(stream, &counters));
    }
    ExitCode::SUCCESS
}

fn serve(stream: TcpStream, counters: &Counters) {
    let Ok(mut writer) = stream.try_clone() else {
        return;
    };
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let answer = answer(
            &line,
            &mut counters.lock().unwrap_or_else(PoisonError::into_inner),
        );
        if writeln!(writer, "{answer}").is_err() {
            return;
        }
    }
}

fn answer(line: &str, counters: &mut BTreeMap<String, i64>) -> String {
    match line.split(' ').collect::<Vec<_>>()[..] {
        ["add", name, number] => match number.parse::<i64>() {
            Ok(number) => {
                let value = counters.entry(name.to_owned()).or_default();
                *value = value.wrapping_add(number);
                value.to_string()
            }
            Err(error) => format!("error {error}"),
        },
        ["get", name] => counters.get(name).copied().unwrap_or(0).to_string(),
        ["drop", prefix] => {
            let before = counters.len();
            counters.retain(|name, _| !name.starts_with(prefix));
            (before - counters.len()).to_string()
        }
        ["pid"] => std::process::id().to_string(),
        ["note", ..] => {
            eprintln!("{}", line.trim_start_matches("note "));
            "noted".to_owned()
        }
        ["crash"] => std::process::abort(),
        _ => "error unknown request".to_owned(),
    }
}
