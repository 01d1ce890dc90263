//! The live display: a few lines at the bottom of a terminal that say what is going on. It takes itself off before
//! anything else is written.

use std::collections::BTreeMap;

use armadillo_orchestrator::{Notice, Stage};

use super::eta::Eta;
use super::model::Model;
use super::paint::{Paint, many, one_line, time};
use super::screen::Live;
use super::terminal::tamed;
use crate::event::{Event, EventKind};

/// What runs now, and what is on the terminal.
pub(super) struct Display {
    live: Live,
    paint: Paint,
    /// Running tests and when they started, the earliest first.
    running: Vec<(String, u64)>,
    /// Deployments that come up: since when, and how far they are.
    coming_up: BTreeMap<String, (u64, String)>,
    /// How many deployments serve.
    serving: usize,
    /// When it will be over.
    eta: Option<Eta>,
    /// How many lines are on the terminal.
    drawn: usize,
    over: bool,
}

impl Display {
    pub(super) fn new(live: Live, color: bool) -> Self {
        Self {
            live,
            paint: Paint(color),
            running: Vec::new(),
            coming_up: BTreeMap::new(),
            serving: 0,
            eta: None,
            drawn: 0,
            over: false,
        }
    }

    pub(super) fn on(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted(started) => self.eta = Eta::of(started),
            EventKind::TestStarted { test, .. } => self.running.push((test.clone(), event.us)),
            EventKind::TestPutBack { test, .. } => {
                self.running.retain(|(running, _)| running != test);
            }
            EventKind::TestFinished(finished) => {
                if let Some(at) = self
                    .running
                    .iter()
                    .position(|(test, _)| *test == finished.test)
                {
                    self.running.remove(at);
                }
                if let (false, Some(eta)) = (finished.retried, &mut self.eta) {
                    eta.ended(&finished.test);
                }
            }
            EventKind::DeploymentStarting { deployment, .. } => {
                self.coming_up
                    .insert(deployment.clone(), (event.us, String::new()));
            }
            EventKind::Deployment { deployment, notice } => {
                if let Some((_, stage)) = self.coming_up.get_mut(deployment)
                    && let Some(reached) = progress(notice)
                {
                    *stage = one_line(&reached);
                }
            }
            EventKind::DeploymentReady { deployment, .. } => {
                self.coming_up.remove(deployment);
                self.serving += 1;
            }
            EventKind::DeploymentFailed { deployment, .. } => _ = self.coming_up.remove(deployment),
            EventKind::DeploymentStopped { deployment, .. }
                if self.coming_up.remove(deployment).is_none() =>
            {
                self.serving = self.serving.saturating_sub(1);
            }
            EventKind::RunFinished { .. } => self.over = true,
            _ => {}
        }
    }

    /// The text that replaces what is on the terminal.
    pub(super) fn draw(&mut self, model: &Model, now_us: u64) -> String {
        let mut text = self.erase().unwrap_or_default();
        if self.over || model.started.is_none() {
            return text;
        }
        let (columns, lines) = (self.live.size)();
        let room = (lines / 3).clamp(2, 12);
        let shown = self.lines(model, now_us, room);
        for line in &shown {
            let cut: String = tamed(line, false)
                .chars()
                .take(columns.saturating_sub(1))
                .collect();
            text.push_str(&self.paint.dim(&cut));
            text.push('\n');
        }
        self.drawn = shown.len();
        text
    }

    /// At most `room` lines; the last one counts everything.
    fn lines(&self, model: &Model, now_us: u64, room: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for (deployment, (since, stage)) in &self.coming_up {
            let elapsed = time(now_us.saturating_sub(*since));
            lines.push(
                format!("  {elapsed:>9}  {deployment} starting  {stage}")
                    .trim_end()
                    .to_owned(),
            );
        }
        for (test, since) in &self.running {
            lines.push(format!(
                "  {:>9}  {test}",
                time(now_us.saturating_sub(*since))
            ));
        }
        let kept = room.saturating_sub(1 + usize::from(model.repeating.is_some()));
        if lines.len() > kept {
            let hidden = lines.len() - kept.saturating_sub(1);
            lines.truncate(kept.saturating_sub(1));
            lines.push(format!("             and {hidden} more"));
        }
        if let Some(so_far) = model.repeating {
            lines.push(format!("  {:>9}  repetitions: {so_far}", ""));
        }
        let counts = model.counts();
        let planned = model.started.as_ref().map_or(0, |run| run.tests.len());
        let mut failed = String::new();
        for (count, word) in [
            (counts.failed, "failed"),
            (counts.inconclusive, "inconclusive"),
        ] {
            if count > 0 {
                failed.push_str(&format!(", {count} {word}"));
            }
        }
        let running = self.running.iter();
        let running = running.map(|(test, since)| (test.as_str(), now_us.saturating_sub(*since)));
        let left = self.eta.as_ref().and_then(|eta| eta.left(running));
        let left = left.map_or(String::new(), |left| format!(", {left}"));
        lines.push(format!(
            "  {:>9}  {} of {}{failed}{left}, {} running, {}",
            time(now_us),
            model.tests.len(),
            many(planned, "test"),
            self.running.len(),
            many(self.serving, "deployment"),
        ));
        lines
    }

    /// What takes the display off the terminal, if it is on it.
    pub(super) fn erase(&mut self) -> Option<String> {
        let lines = std::mem::take(&mut self.drawn);
        (lines > 0).then(|| format!("\r\x1b[{lines}A\x1b[J"))
    }
}

/// What a notice says of how far a deployment has come; `None` if it says nothing of that.
fn progress(notice: &Notice) -> Option<String> {
    match notice {
        Notice::ServerStarted { server, .. } => Some(format!("{server} started")),
        Notice::ServerReached { server, stage, .. } => Some(match stage {
            Stage::Started => format!("{server} started"),
            Stage::Answering => format!("{server} responds"),
            Stage::Ready => format!("{server} ready"),
        }),
        Notice::ServerExited { server, exit, .. } => Some(format!("{server} exited: {exit}")),
        Notice::Prepared { server, what, .. } => Some(format!("{server}: {what}")),
        Notice::Warning { text } => Some(text.clone()),
        _ => None,
    }
}
