//! libtest's JSON dialect: one object a line.

use super::block::failure_block;
use super::libtest::{Printer, filtered_out, is_success, seconds};
use super::model::{Model, TestRecord};
use crate::options::Showing;
use crate::outcome::Verdict;

pub(super) struct Json {
    pub(super) show_output: bool,
}

impl Printer for Json {
    fn title(&mut self, out: &mut String, count: usize, shuffle_seed: Option<u64>) {
        let seed = match shuffle_seed {
            Some(seed) => format!(", \"shuffle_seed\": {seed}"),
            None => String::new(),
        };
        out.push_str(&format!(
            "{{ \"type\": \"suite\", \"event\": \"started\", \"test_count\": {count}{seed} }}\n"
        ));
    }

    fn ignored(&mut self, out: &mut String, name: &str, reason: &str) {
        // libtest starts an ignored test, too.
        self.started(out, name);
        let message = (!reason.is_empty()).then_some(reason);
        event(out, name, "ignored", None, None, message);
    }

    fn started(&mut self, out: &mut String, name: &str) {
        let name = quoted(name);
        out.push_str(&format!(
            "{{ \"type\": \"test\", \"event\": \"started\", \"name\": {name} }}\n"
        ));
    }

    fn finished(&mut self, out: &mut String, model: &Model, test: &TestRecord) {
        let Some(last) = test.last() else { return };
        let us = Some(last.finished.times.total);
        match &last.finished.verdict {
            Verdict::Passed => {
                let text = &last.finished.output.text;
                let shown = (self.show_output && !text.is_empty()).then_some(text.as_str());
                let flaky = format!("flaky: passed at attempt {}", test.attempts.len());
                let message = test.is_flaky().then_some(flaky.as_str());
                event(out, &test.name, "ok", us, shown, message);
            }
            Verdict::Skipped { reason } => {
                event(out, &test.name, "ignored", us, None, Some(reason));
            }
            Verdict::Failed { message, .. } => {
                let block = failure_block(model, test);
                event(out, &test.name, "failed", us, Some(&block), Some(message));
            }
        }
    }

    fn end(&mut self, out: &mut String, model: &Model, _showing: &Showing) {
        let counts = model.counts();
        out.push_str(&format!(
            "{{ \"type\": \"suite\", \"event\": \"{}\", \"passed\": {}, \"failed\": {}, \"ignored\": {}, \"measured\": 0, \
             \"filtered_out\": {}, \"exec_time\": {} }}\n",
            if is_success(model) { "ok" } else { "failed" },
            counts.passed,
            counts.not_passed(),
            counts.not_run(),
            filtered_out(model),
            seconds(model.now_us),
        ));
    }
}

/// The fields stand in libtest's order.
fn event(
    out: &mut String,
    name: &str,
    what: &str,
    us: Option<u64>,
    stdout: Option<&str>,
    message: Option<&str>,
) {
    let name = quoted(name);
    out.push_str(&format!(
        "{{ \"type\": \"test\", \"name\": {name}, \"event\": \"{what}\""
    ));
    if let Some(us) = us {
        out.push_str(&format!(", \"exec_time\": {}", seconds(us)));
    }
    for (key, text) in [("stdout", stdout), ("message", message)] {
        if let Some(text) = text {
            out.push_str(&format!(", \"{key}\": {}", quoted(text)));
        }
    }
    out.push_str(" }\n");
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
