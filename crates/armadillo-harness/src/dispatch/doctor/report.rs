//! What `--doctor` says: a line for each assumption as it is tried out, and a summary.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use armadillo_orchestrator::Program;
use armadillo_orchestrator::doctor::Finding;
use serde::Serialize;

use crate::exit_code::Exit;
use crate::report::console;

/// The version of the file's format.
const VERSION: u32 = 1;

/// One assumption with what became of it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// `mydb.single.version`.
    pub(super) name: String,
    pub(super) finding: Finding,
    pub(super) assumes: String,
    pub(super) breaks: String,
    pub(super) advice: String,
    /// Whether runs work without it.
    pub(super) optional: bool,
    pub(super) took: Duration,
}

/// Everything that was found.
#[derive(Default)]
pub(super) struct Report {
    lines: Vec<Line>,
    programs: BTreeMap<String, ProgramLine>,
}

#[derive(Serialize)]
struct ProgramLine {
    version: Option<String>,
    stand_in: Option<String>,
}

/// The file of `--json`.
#[derive(Serialize)]
struct FileContent<'r> {
    version: u32,
    armadillo: &'static str,
    programs: &'r BTreeMap<String, ProgramLine>,
    assumptions: Vec<FileLine<'r>>,
}

#[derive(Serialize)]
struct FileLine<'r> {
    name: &'r str,
    verdict: &'static str,
    seen: String,
    assumes: &'r str,
    breaks: &'r str,
    advice: &'r str,
    ms: u128,
}

impl Line {
    fn verdict(&self) -> &'static str {
        match (&self.finding, self.optional) {
            (Finding::Holds(_), _) => "ok",
            (Finding::Fails(_), false) => "FAILED",
            (Finding::Fails(_), true) => "missing",
            (Finding::NotReached(_), _) => "not reached",
        }
    }

    fn seen(&self) -> String {
        match &self.finding {
            Finding::Holds(seen) | Finding::Fails(seen) => seen.clone(),
            Finding::NotReached(missing) => format!("needs {}", missing.join(", ")),
        }
    }

    fn text(&self) -> String {
        let seen = self.seen();
        let seen = if seen.is_empty() {
            seen
        } else {
            format!("  {seen}")
        };
        let mut text = format!("{:11}  {}{seen}\n", self.verdict(), self.name);
        if matches!(self.finding, Finding::Fails(_)) {
            for (word, sentence) in [
                ("assumed", &self.assumes),
                ("breaks", &self.breaks),
                ("advice", &self.advice),
            ] {
                let sentence = sentence.replace('\n', "\n             ");
                text.push_str(&format!("             {word}: {sentence}\n"));
            }
        }
        text
    }
}

impl Report {
    /// The beginning of a group.
    pub(super) fn heading(&mut self, title: &str) {
        console::text(&format!("\n{title}\n"));
    }

    /// One more, which is shown at once.
    pub(super) fn add(&mut self, line: Line) {
        console::tamed_text(&line.text());
        self.lines.push(line);
    }

    /// The program of a system.
    pub(super) fn program(&mut self, system: &str, program: &Program) {
        let known = ProgramLine {
            version: program.version.clone(),
            stand_in: program.stand_in.then(|| program.title.clone()),
        };
        self.programs.insert(system.to_owned(), known);
    }

    /// The summary, and what it comes to.
    pub(super) fn end(&self, took: Duration) -> Exit {
        let count = |verdict: &str| {
            self.lines
                .iter()
                .filter(|line| line.verdict() == verdict)
                .count()
        };
        let failed = count("FAILED");
        let stand_ins: Vec<String> = (self.programs.iter())
            .filter_map(|(system, program)| {
                Some(format!(
                    "\n  note: {system} is {}",
                    program.stand_in.as_ref()?
                ))
            })
            .collect();
        console::text(&format!(
            "\n{} hold, {failed} do not, {} not reached, {} missing on this machine, in {:.1} s{}\n",
            count("ok"),
            count("not reached"),
            count("missing"),
            took.as_secs_f64(),
            stand_ins.concat(),
        ));
        match failed {
            _ if self.lines.is_empty() => Exit::NothingSelected,
            0 => Exit::Passed,
            _ => Exit::Failed,
        }
    }

    /// Writes the file of `--json`.
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        let content = FileContent {
            version: VERSION,
            armadillo: env!("CARGO_PKG_VERSION"),
            programs: &self.programs,
            assumptions: (self.lines.iter())
                .map(|line| FileLine {
                    name: &line.name,
                    verdict: line.verdict(),
                    seen: line.seen(),
                    assumes: &line.assumes,
                    breaks: &line.breaks,
                    advice: &line.advice,
                    ms: line.took.as_millis(),
                })
                .collect(),
        };
        let mut text = serde_json::to_string_pretty(&content)?;
        text.push('\n');
        std::fs::write(path, text)
    }
}
