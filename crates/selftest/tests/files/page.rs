//! `report.html` in a browser that clicks and presses keys.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows test functions, not the helpers beside them"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use armadillo_selftest::rounds::{Moments, third};
use armadillo_selftest::wait::pause;
use armadillo_selftest::{Suite, meeting};
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use super::made;
use armadillo_selftest::browser::Browser;

/// The page of a run whose events are these.
fn page_of(directory: &Path) -> PathBuf {
    let said = Suite::new(env!("CARGO_BIN_EXE_commands"))
        .args(["--report-from".as_ref(), directory.as_os_str()])
        .run();
    assert_eq!(said.code, Some(0), "{}", said.said());
    directory.join("report.html")
}

/// The page of a made-up run of so many tests.
fn page(count: usize) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    made::write(directory.path(), count);
    let page = page_of(directory.path());
    (directory, page)
}

fn address(test: &str) -> String {
    let encoded: String = (test.bytes())
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    format!("#/tests/{encoded}")
}

#[track_caller]
fn quiet(browser: &mut Browser) {
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn from_the_overview_to_everything_about_a_failed_test() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (_directory, page) = page(300);
    browser.look(1280, 900, "light");
    browser.open(&page, "");
    let shown = browser.text("main");
    for part in [
        "4 tests failed",
        "flaky",
        "Slowest",
        "Leaked",
        "Deployments",
        "Pressure",
        "up to 6.5 on 4 cores at 2.000 s",
        "up to 61 % of the time",
        "3.0 GiB at least",
        "--seed",
        "the machine is slow",
    ] {
        let part = if part == "--seed" { "Seed" } else { part };
        assert!(shown.contains(part), "no {part} in {shown}");
    }
    browser.picture("overview");
    browser.click("[data-tile=failed]");
    browser.wait("document.querySelectorAll('[role=option]').length === 4");
    browser.key("/");
    browser.type_text("loses order");
    browser.wait("document.querySelectorAll('[role=option]').length === 1");
    browser.key("ArrowDown");
    browser.key("Enter");
    browser.wait("document.querySelector('.detail h2')");
    let shown = browser.text(".detail");
    for part in [
        "orders::lifecycle::loses_an_order",
        "assertion `left == right` failed",
        "at tests/suite/orders.rs:69:9",
        "cargo test -p shop --test suite -- --exact orders::lifecycle::loses_an_order --seed 42",
        "step 29",
        "ERROR lost the connection to a peer",
        "the test begins",
        "kill ordered",
        "Shared with",
        "server-logs/",
    ] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
    // The log of a server and what was done to it are on one clock.
    let order = browser.run(
        "[...document.querySelectorAll('[data-part=stream] tbody tr')].map((row) => row.innerText).filter((text) => /the test|kill seen|ERROR/.test(text))",
    );
    let order: Vec<&str> = order
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|line| line.as_str())
        .collect();
    let at = |word: &str| {
        order
            .iter()
            .position(|line| line.contains(word))
            .unwrap_or_else(|| panic!("no {word} in {order:?}"))
    };
    assert!(
        at("the test begins") < at("kill seen") && at("ERROR") < at("the test ends"),
        "{order:?}"
    );
    browser.picture("failed-test");
    browser.click("[data-part=company] a");
    browser.wait("!document.querySelector('.detail h2').innerText.includes('loses_an_order')");
    browser.run("history.back()");
    browser.wait("document.querySelector('.detail h2').innerText.includes('loses_an_order')");
    browser.click(".detail a[href^='#/timeline']");
    browser.wait("document.querySelector('[data-part=window]').innerText.includes('–')");
    browser.picture("timeline-of-a-test");
    quiet(&mut browser);
}

#[test]
fn what_a_test_is_called_or_prints_is_text() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (_directory, page) = page(60);
    browser.look(1280, 900, "dark");
    browser.open(&page, &address(made::HOSTILE));
    browser.wait("document.querySelector('.detail h2')");
    assert_eq!(browser.text(".detail h2"), made::HOSTILE);
    assert!(
        browser
            .text("[data-part=output]")
            .starts_with(made::HOSTILE)
    );
    assert_eq!(
        browser.run("document.querySelectorAll('img').length"),
        json!(0)
    );
    // What would ask the network is refused by the page itself.
    let refused = browser.run(
        "new Promise((done) => { addEventListener('securitypolicyviolation', () => done('refused')); const img = new Image(); img.onload = () => done('loaded'); img.src = 'file:///dev/null'; })",
    );
    assert_eq!(refused, json!("refused"));
}

#[test]
fn the_timeline_answers_to_mouse_and_keys_and_is_a_table_too() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (_directory, page) = page(300);
    browser.look(1440, 900, "light");
    browser.open(&page, "#/timeline?from=1000&to=5000");
    browser.wait("document.querySelector('.lanes canvas').width > 0");
    browser.picture("failover");
    // The lanes are, from the top: ruler, deployment, leaders, and a lane for each server.
    let lanes = browser.run("(() => { const box = document.querySelector('.lanes').getBoundingClientRect(); return [box.x, box.y, box.width]; })()");
    let (x, y, width) = (
        lanes[0].as_f64().unwrap(),
        lanes[1].as_f64().unwrap(),
        lanes[2].as_f64().unwrap(),
    );
    let at = |ms: f64| x + 190.0 + (ms - 1000.0) / 4000.0 * (width - 190.0);
    let (leaders, first) = (y + 24.0 + 38.0 + 9.0, y + 24.0 + 38.0 + 18.0 + 11.0);
    browser.click_at(at(4_000.0), leaders);
    let shown = browser.text(".inspect");
    assert!(
        shown.contains("raft: member-2 leads in term 3")
            && shown.contains("took over between 1.801 s and 2.401 s"),
        "{shown}"
    );
    browser.click_at(at(2_100.0), first);
    let shown = browser.text(".inspect");
    assert!(
        shown.contains("member-1 is down") && shown.contains("signal 9 (SIGKILL)"),
        "{shown}"
    );
    browser.click_at(at(1_540.0), first - 8.0);
    let shown = browser.text(".inspect");
    assert!(
        shown.contains("kill member-1") && shown.contains("ordered at 1.500 s, seen at 1.540 s"),
        "{shown}"
    );
    // Keys: the next lane down is that of the second server, and what is in it is said aloud.
    browser.run("document.querySelector('.lanes').focus()");
    browser.key("ArrowDown");
    browser.wait("document.querySelector('#say').innerText.startsWith('member-2')");
    browser.key("ArrowRight");
    browser.wait("document.querySelector('#say').innerText.includes('process')");
    browser.key("+");
    browser.wait("document.querySelector('[data-part=window]').innerText.includes('(2.40 s)')");
    browser.wait("location.hash.includes('from=')");
    browser.key("t");
    browser.wait("document.querySelector('[role=table] [role=row] [role=cell]')");
    let table = browser.run(
        "(async () => { const table = document.querySelector('[role=table]'); const lines = new Set(); \
         for (let at = 0; at <= table.scrollHeight; at += 200) { table.scrollTop = at; await new Promise(requestAnimationFrame); \
         for (const row of table.querySelectorAll('[role=row]')) lines.add(row.innerText); } return [...lines].join('\\n'); })()",
    );
    let table = table.as_str().unwrap();
    for part in [
        "member-2 leads in term 3",
        "answers slowly",
        "start seen",
        "crashed",
        "rolling restart begins",
        "restart: done: it answers",
        "rolling restart: failed: its disk is full",
    ] {
        assert!(table.contains(part), "no {part} in {table}");
    }
    browser.picture("timeline-table");
    // The second deployment, from the top: it itself, its leaders, operations, and their steps.
    browser.run("location.hash = '#/timeline?from=1000&to=5000&at=1'");
    // The lanes are there when the table goes.
    browser.wait("document.querySelector('[data-part=window]').innerText.includes('(4.00 s)')");
    browser.key("Escape");
    browser.wait("document.querySelector('.lanes')?.scrollTop > 0");
    let operations = y + 24.0 + 38.0 + 18.0 + 8.0;
    browser.click_at(at(2_200.0), operations);
    let shown = browser.text(".inspect");
    assert!(
        shown.contains("rolling restart")
            && shown.contains("failed: its disk is full, after 800 ms"),
        "{shown}"
    );
    browser.click_at(at(2_600.0), operations + 15.0);
    let shown = browser.text(".inspect");
    assert!(shown.contains("restart member-5"), "{shown}");
    browser.picture("operations");
    browser.run("document.querySelector('.lanes').focus()");
    browser.key("0");
    browser.click("#theme");
    browser.click("#theme");
    browser.wait("document.documentElement.dataset.theme === 'dark'");
    browser.picture("timeline-dark");
    browser.key("?");
    browser.wait("document.querySelector('dialog[open]')");
    quiet(&mut browser);
}

#[test]
fn five_thousand_tests_are_few_elements() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (_directory, page) = page(5_000);
    let size = std::fs::metadata(&page).unwrap().len();
    browser.look(1440, 900, "light");
    let begun = Instant::now();
    browser.open(&page, "#/tests");
    browser.wait("document.querySelector('[role=option]')");
    let took = begun.elapsed();
    browser.picture("5000-tests");
    let scroll = |selector: &str| {
        format!(
            "new Promise((done) => {{ const box = document.querySelector('{selector}'); const times = []; let last = performance.now(); let most = 0; \
             const step = (now) => {{ times.push(now - last); last = now; most = Math.max(most, document.querySelectorAll('*').length); box.scrollTop += 170; \
             if (times.length < 120) requestAnimationFrame(step); else done([times.sort((a, b) => a - b)[114], most]); }}; requestAnimationFrame(step); }})"
        )
    };
    let list = browser.run(&scroll(".list"));
    assert!(list[1].as_u64().unwrap() < 1_000, "{list}");
    assert_eq!(
        browser.run("document.querySelector('[role=option]').getAttribute('aria-setsize')"),
        json!("5020")
    );
    browser.open(&page, "#/timeline");
    browser.picture("5000-timeline");
    let lanes = browser.run(&scroll(".lanes"));
    assert!(lanes[1].as_u64().unwrap() < 1_000, "{lanes}");
    let pan = browser.run(
        "new Promise((done) => { const box = document.querySelector('.lanes'); box.focus(); const times = []; let last = performance.now(); \
         const step = (now) => { times.push(now - last); last = now; box.dispatchEvent(new KeyboardEvent('keydown', {key: times.length % 20 < 10 ? '+' : '-', bubbles: true})); \
         if (times.length < 120) requestAnimationFrame(step); else done(times.sort((a, b) => a - b)[114]); }; requestAnimationFrame(step); })",
    );
    println!(
        "5,000 tests: {size} bytes, loaded after {took:?}; of 120 frames, 114 took at most {} ms (list), {} ms (lanes), {pan} ms (zooming); at most {} elements",
        list[0], lanes[0], list[1]
    );
    // Machines differ, so this is looked at on a machine that nobody else uses.
    if std::env::var_os("ARMADILLO_MEASURE").is_some() {
        assert!(took.as_secs_f64() < 2.0, "{took:?}");
        for frame in [&list[0], &lanes[0], &pan] {
            assert!(frame.as_f64().unwrap() <= 50.0, "{frame} ms");
        }
    }
    quiet(&mut browser);
}

#[test]
fn it_can_be_read_on_a_phone() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (_directory, page) = page(300);
    browser.look(390, 844, "dark");
    let failed = address("orders::lifecycle::loses_an_order");
    for (name, hash) in [
        ("phone-overview", "#/overview"),
        ("phone-tests", "#/tests"),
        ("phone-failed", failed.as_str()),
        ("phone-timeline", "#/timeline"),
    ] {
        browser.open(&page, hash);
        browser.picture(name);
        let wider = browser.run("document.documentElement.scrollWidth > innerWidth || document.querySelector('main').scrollWidth > innerWidth");
        assert_eq!(wider, json!(false), "{hash} is wider than the screen");
    }
    quiet(&mut browser);
}

#[test]
fn a_log_that_ends_anywhere_is_a_page_that_says_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let events = made::write(directory.path(), 200);
    let first = events.find('\n').unwrap() + 1;
    let mut browser = Browser::start();
    for step in 0..20 {
        let end = first + (events.len() - first) * (step * 7919 % 1000) / 1000;
        let mut cut = events.as_bytes()[..end].to_vec();
        // A text of several bytes may be cut in the middle, as the writer's last line may.
        cut.truncate(end);
        std::fs::write(directory.path().join("events.jsonl"), &cut).unwrap();
        let page = page_of(directory.path());
        let Some(browser) = &mut browser else {
            continue;
        };
        browser.look(1280, 900, "light");
        browser.open(&page, "");
        let missing = browser.text("[data-part=missing]");
        assert!(missing.contains("the event log stops after"), "{missing}");
        for hash in ["#/tests", "#/timeline"] {
            browser.open(&page, hash);
        }
        if step == 13 {
            browser.picture("killed-timeline");
            browser.open(&page, "");
            browser.picture("killed");
        }
        quiet(browser);
    }
}

#[test]
fn a_run_that_is_killed_at_any_moment_has_a_page() {
    let mut browser = Browser::start();
    let mut moments = Moments::new("pages of killed runs");
    let (mut shown, mut too_early) = (0, 0);
    for _ in 0..third() {
        let suite = Suite::new(env!("CARGO_BIN_EXE_commands"));
        let place = suite.home().join("meeting");
        let running = suite
            .args(["pass", "fail", "endless::on_a_server", "-n", "2"])
            .env(meeting::PLACE, place)
            .start();
        pause(moments.below(Duration::from_secs(4)));
        running.signal(Signal::KILL);
        let ran = running.wait();
        let runs = ran.runs();
        let Some(directory) = runs.first().map(|run| ran.home().join("runs").join(run)) else {
            too_early += 1;
            continue;
        };
        let said = Suite::new(env!("CARGO_BIN_EXE_commands"))
            .args(["--report-from".as_ref(), directory.as_os_str()])
            .run();
        if said.code != Some(0) {
            // It was killed before it had written that it started.
            assert!(
                said.stderr.contains("no start of a run") || said.stderr.contains("No such file"),
                "{}",
                said.said()
            );
            too_early += 1;
            continue;
        }
        shown += 1;
        let Some(browser) = &mut browser else {
            continue;
        };
        browser.look(1280, 900, "light");
        browser.open(&directory.join("report.html"), "");
        let missing = browser.text("[data-part=missing]");
        assert!(missing.contains("the event log stops after"), "{missing}");
        for hash in ["#/tests", "#/timeline"] {
            browser.open(&directory.join("report.html"), hash);
        }
        quiet(browser);
    }
    println!("{shown} pages; {too_early} runs were killed before they had begun");
}
