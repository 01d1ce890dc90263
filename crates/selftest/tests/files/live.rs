//! `--report-live` in a browser: the page follows the run.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows test functions, not the helpers beside them"
)]

use std::io::{Read, Write};
use std::net::TcpStream;

use armadillo_selftest::wait::{LIMIT, until};
use armadillo_selftest::{Running, Suite, meeting, suite};
use rustix::process::Signal;

use armadillo_selftest::browser::Browser;

fn staying() -> Running {
    let suite = Suite::new(env!("CARGO_BIN_EXE_crowd"));
    meeting::staying(suite.args(["--report-live"]))
}

/// The address that it prints.
fn address(running: &Running) -> String {
    let found = until(LIMIT, || {
        let said = running.stderr();
        let mut lines = said.lines();
        lines.find_map(|line| Some(line.split_once("live report: ")?.1.to_owned()))
    });
    found.unwrap_or_else(|| panic!("no address in {}", running.stderr()))
}

/// Waits until its second test has begun.
fn begun(running: &Running) {
    let stays = running.home().join("meeting/stays");
    assert!(until(LIMIT, || stays.exists().then_some(())).is_some());
}

/// The status line of the answer to a request of this host's name.
fn ask(address: &str, path: &str, host: &str) -> Option<String> {
    let place = address.split('/').nth(2).unwrap();
    let mut stream = TcpStream::connect(place).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.lines().next().map(str::to_owned)
}

#[test]
fn the_page_follows_the_run_and_keeps_what_one_did_to_it() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let running = staying();
    let address = address(&running);
    begun(&running);
    browser.look(1280, 900, "light");
    browser.visit(&address);
    browser.wait("/Running: [0-2] of 3 tests/.test(document.querySelector('#main').innerText)");
    browser.wait("document.querySelector('[data-card=Running]').innerText.includes('stays')");
    browser.picture("live");
    browser.run("window.neverReloaded = true");
    browser.key("/");
    browser.type_text("stays");
    browser.wait("document.querySelectorAll('[role=option]').length === 1");
    browser.key("ArrowDown");
    browser.key("Enter");
    browser.wait("document.querySelector('.detail .pill.running')");

    let (host, path) = address
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let path = format!("/{path}");
    let ok = Some("HTTP/1.1 200 OK".to_owned());
    let unknown = Some("HTTP/1.1 404 Not Found".to_owned());
    assert_eq!(ask(&address, &path, host), ok);
    assert_eq!(ask(&address, &path, "elsewhere.example"), unknown);
    assert_eq!(ask(&address, "/", host), unknown);
    assert_eq!(ask(&address, &format!("{path}data?after=0"), host), ok);

    meeting::leave(&running);
    browser.wait("document.querySelector('#bar').innerText.includes('3 tests passed')");
    let ran = running.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    // The test that was open is open, in its new state; the words are there; nothing was loaded again.
    browser.wait("document.querySelector('.detail .pill.passed')");
    assert_eq!(
        browser.run("document.querySelector('#search').value"),
        "stays"
    );
    assert_eq!(browser.run("window.neverReloaded"), true);
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert_eq!(
        ask(&address, &path, host),
        None,
        "the server is still there"
    );
}

#[test]
fn a_page_that_has_lost_its_run_says_so() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let running = staying();
    let address = address(&running);
    begun(&running);
    browser.look(1280, 900, "dark");
    browser.visit(&address);
    browser.wait("/Running: [0-2] of 3 tests/.test(document.querySelector('#main').innerText)");
    suite::send(running.pid(), Signal::KILL);
    browser.wait("document.querySelector('#lost').innerText.includes('has lost the run')");
    browser.picture("live-lost");
    let ran = running.wait();
    assert_eq!(ran.code, None, "{}", ran.said());
}
