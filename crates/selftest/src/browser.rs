//! Chromium without a window, told what to do over two pipes (`--remote-debugging-pipe`): one JSON text after the other, each
//! ended by a zero byte. What it does not do is a panic with the reason.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "it is for tests, which fail where the browser does not do what it is told"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cargo::has;

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What it is called here.
const PROGRAM: &str = "chromium";

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: Option<ChildStdin>,
    from: Receiver<Value>,
    reader: Option<JoinHandle<()>>,
    session: Option<String>,
    count: u64,
    complaints: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A browser, if there is one.
    pub fn start() -> Option<Self> {
        if !has(PROGRAM, &["--version"], "ARMADILLO_REQUIRE_CHROMIUM") {
            return None;
        }
        let profile = tempfile::tempdir().unwrap();
        // The pipes must be descriptors 3 and 4.
        let mut child = Command::new("sh")
            .args([
                "-c",
                r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#,
                "sh",
                PROGRAM,
            ])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args(["--hide-scrollbars", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, from) = channel();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let mut text = Vec::new();
            while output.read_until(0, &mut text).is_ok_and(|count| count > 0) {
                text.pop();
                let Ok(message) = serde_json::from_slice(&text) else {
                    return;
                };
                if sender.send(message).is_err() {
                    return;
                }
                text.clear();
            }
        });
        let mut browser = Self {
            to: child.stdin.take(),
            child,
            from,
            reader: Some(reader),
            session: None,
            count: 0,
            complaints: Vec::new(),
            _profile: profile,
        };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.ask("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for method in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.ask(method, json!({}));
        }
        Some(browser)
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.count += 1;
        let mut message = json!({"id": self.count, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let to = self.to.as_mut().unwrap();
        to.write_all(format!("{message}\0").as_bytes()).unwrap();
        to.flush().unwrap();
        let until = Instant::now() + LIMIT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let answer = self.from.recv_timeout(left);
            let answer = answer.unwrap_or_else(|error| panic!("no answer to {method}: {error}"));
            if answer["id"] == json!(self.count) {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.listen(&answer);
        }
    }

    /// Whatever a person would see in red in the console.
    fn listen(&mut self, event: &Value) {
        let params = &event["params"];
        let complains = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => {
                params["type"] == "error" || params["type"] == "warning"
            }
            Some("Log.entryAdded") => params["entry"]["level"] != "info",
            _ => false,
        };
        if complains {
            self.complaints.push(params.to_string());
        }
    }

    /// The size of the window, and the colours the reader prefers.
    pub fn look(&mut self, width: u32, height: u32, scheme: &str) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.ask("Emulation.setDeviceMetricsOverride", size);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.ask("Emulation.setEmulatedMedia", features);
    }

    /// Opens a file at an address within it, and waits until it is drawn.
    pub fn open(&mut self, file: &Path, hash: &str) {
        self.visit(&format!("file://{}{hash}", file.display()));
    }

    /// Opens an address, and waits until the page is drawn.
    pub fn visit(&mut self, url: &str) {
        self.ask("Page.navigate", json!({"url": "about:blank"}));
        self.ask("Page.navigate", json!({"url": url}));
        self.wait("document.documentElement.dataset.ready === 'yes'");
    }

    /// Waits until an expression is true.
    pub fn wait(&mut self, expression: &str) {
        let script = format!(
            "new Promise((done, fail) => {{ const end = Date.now() + 20000; const look = () => {{ let is = false; try {{ is = !!({expression}); }} catch {{}} \
             if (is) done(true); else if (Date.now() > end) done(false); else requestAnimationFrame(look); }}; look(); }})"
        );
        // The page may be replaced while it is asked.
        let until = Instant::now() + LIMIT;
        loop {
            let answer = self.evaluate(&script);
            if answer["result"]["value"] == json!(true) {
                return;
            }
            assert!(
                Instant::now() < until
                    && answer["exceptionDetails"].is_null()
                    && answer["result"]["value"].is_null(),
                "never: {expression}: {answer}"
            );
        }
    }

    fn evaluate(&mut self, script: &str) -> Value {
        let params = json!({"expression": script, "awaitPromise": true, "returnByValue": true});
        self.ask("Runtime.evaluate", params)
    }

    /// What a script comes to.
    pub fn run(&mut self, script: &str) -> Value {
        let answer = self.evaluate(script);
        assert!(answer["exceptionDetails"].is_null(), "{script}: {answer}");
        answer["result"]["value"].clone()
    }

    /// A text of the page.
    pub fn text(&mut self, selector: &str) -> String {
        let script = format!("document.querySelector({}).innerText", json!(selector));
        self.run(&script).as_str().unwrap_or_default().to_owned()
    }

    fn mouse(&mut self, kind: &str, x: f64, y: f64) {
        let buttons = i32::from(kind != "mouseMoved");
        let event = json!({"type": kind, "x": x, "y": y, "button": if buttons == 1 { "left" } else { "none" }, "clickCount": buttons});
        self.ask("Input.dispatchMouseEvent", event);
    }

    /// Clicks at a point.
    pub fn click_at(&mut self, x: f64, y: f64) {
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            self.mouse(kind, x, y);
        }
    }

    /// Clicks into the middle of an element.
    pub fn click(&mut self, selector: &str) {
        let script = format!(
            "(() => {{ const one = document.querySelector({}); one.scrollIntoView({{block: 'nearest'}}); const box = one.getBoundingClientRect(); \
             return [box.x + box.width / 2, box.y + box.height / 2]; }})()",
            json!(selector)
        );
        let at = self.run(&script);
        self.click_at(at[0].as_f64().unwrap(), at[1].as_f64().unwrap());
    }

    /// Presses a key: `a`, `ArrowDown`, `Enter`.
    pub fn key(&mut self, key: &str) {
        let mut down = json!({"type": "keyDown", "key": key});
        if key.chars().count() == 1 {
            down["text"] = json!(key);
        }
        if key == "Enter" {
            down["text"] = json!("\r");
        }
        self.ask("Input.dispatchKeyEvent", down);
        self.ask(
            "Input.dispatchKeyEvent",
            json!({"type": "keyUp", "key": key}),
        );
    }

    /// Types a text.
    pub fn type_text(&mut self, text: &str) {
        self.ask("Input.insertText", json!({"text": text}));
    }

    /// Keeps a picture of the page where `ARMADILLO_SCREENSHOTS` says, if it says so.
    pub fn picture(&mut self, name: &str) {
        let Some(directory) = std::env::var_os("ARMADILLO_SCREENSHOTS") else {
            return;
        };
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
        let shot = self.ask("Page.captureScreenshot", json!({"format": "png"}));
        let bytes = base64(shot["data"].as_str().unwrap_or_default());
        std::fs::write(Path::new(&directory).join(format!("{name}.png")), bytes).unwrap();
    }

    /// What the console has shown in red or yellow since it was asked last.
    pub fn complaints(&mut self) -> Vec<String> {
        self.run("0");
        std::mem::take(&mut self.complaints)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends with its pipe; if it does not, it is ended.
        drop(self.to.take());
        let until = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u32> = (text.bytes().filter(|byte| *byte != b'='))
        .map(|byte| u32::from(value(byte)))
        .collect();
    let mut bytes = Vec::new();
    for four in digits.chunks(4) {
        let bits = four.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - four.len()));
        bytes.extend(&bits.to_be_bytes()[1..four.len()]);
    }
    bytes
}
