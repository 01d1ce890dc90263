//! The runs of a search.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use armadillo_harness::outcome::Verdict;
use armadillo_harness::replay::{Company, Seen, fails_as, in_words, of_script};
use armadillo_harness::report::many;

use crate::replay::{Executable, Recorded, ReplayError, flag, os, write};
use crate::session::say;

/// The directory with the files of all runs of searches, beside those of other runs: no other run's are removed for them.
const DIRECTORY: &str = "bisect";

/// How many lines of what a run said are shown if it did not begin.
const SHOWN: usize = 5;

/// One run.
pub(super) struct Step {
    /// The numbers of the companions.
    pub(super) with: Vec<usize>,
    pub(super) seen: Seen,
    pub(super) took: Duration,
}

/// Runs the test with some of its companions.
pub(super) struct Steps<'r> {
    recorded: &'r Recorded,
    met: &'r Company,
    executable: &'r Executable,
    output: PathBuf,
    place: tempfile::TempDir,
    pub(super) done: Vec<Step>,
}

impl<'r> Steps<'r> {
    pub(super) fn new(
        recorded: &'r Recorded,
        met: &'r Company,
        executable: &'r Executable,
    ) -> Result<Self, ReplayError> {
        let output = recorded.beside().join(DIRECTORY);
        std::fs::create_dir_all(&output).map_err(os(format!("make {}", output.display())))?;
        Ok(Self {
            recorded,
            met,
            executable,
            output,
            place: tempfile::tempdir().map_err(os("make a temporary directory"))?,
            done: Vec::new(),
        })
    }

    /// The directory with the files of the last runs.
    pub(super) fn output(&self) -> &std::path::Path {
        &self.output
    }

    /// A run with these companions, and what it has shown.
    pub(super) fn run(
        &mut self,
        with: &[usize],
        (attempt, attempts): (u32, u32),
    ) -> Result<Seen, ReplayError> {
        let number = self.done.len() + 1;
        let tests = self
            .met
            .with(with.iter().map(|one| self.met.companions[*one].test));
        let script = self.recorded.record.script(Some(&tests));
        let file = self.place.path().join(format!("script-{number}.json"));
        write(&file, &script)?;
        let begun = Instant::now();
        let (verdict, code) = self.verdict(&file)?;
        let took = begun.elapsed();
        let then = self.recorded.record.tests[self.met.test].verdict.as_ref();
        let is_same = self.executable.is_same();
        let (seen, said) = match (then, &verdict) {
            (Some(then), Some(now)) if fails_as(then, now, is_same) => {
                (Seen::Fails, "fails as before".to_owned())
            }
            (_, Some(Verdict::Passed)) => (Seen::Passes, "passes".to_owned()),
            (_, Some(now)) => (Seen::Unclear, format!("inconclusive: {}", in_words(now))),
            (_, None) => (
                Seen::Unclear,
                format!("inconclusive: it did not run (exit code {code:?})"),
            ),
        };
        let company = match with.len() {
            0 => "alone".to_owned(),
            some => format!("with {some} of {}", many(self.met.companions.len(), "test")),
        };
        let attempt = match attempts {
            1 => String::new(),
            _ => format!(", attempt {attempt} of {attempts}"),
        };
        say(&format!(
            "run {number}: {company}{attempt}: {said} ({:.1} s)\n",
            took.as_secs_f64()
        ));
        self.done.push(Step {
            with: with.to_vec(),
            seen,
            took,
        });
        Ok(seen)
    }

    /// How the test ended in a run of this script, and the exit code of that.
    fn verdict(
        &self,
        script: &std::path::Path,
    ) -> Result<(Option<Verdict>, Option<i32>), ReplayError> {
        let said = self.place.path().join("said");
        let file = || File::create(&said).map_err(os(format!("write {}", said.display())));
        let stdout = file()?;
        let stderr = stdout.try_clone().map_err(os("open a file again"))?;
        let mut command = self.executable.command(script, &self.output);
        command
            // What a search comes to says nothing of the tests in other runs.
            .arg(flag("history", &self.output.join("history.jsonl")))
            .arg("--keep-on-failure=false")
            .stdout(stdout)
            .stderr(stderr);
        let ended = command.status();
        let path = self.executable.path().display();
        let ended = ended.map_err(os(format!("run {path}")))?;
        let Some(now) = of_script(&self.output, script) else {
            if self.done.is_empty() {
                // Nothing of what follows would be any better.
                say(&last_lines(&said));
                return Err(ReplayError::NotBegun { code: ended.code() });
            }
            return Ok((None, ended.code()));
        };
        let name = self.recorded.name(self.met.test);
        let verdict = match now.place(name) {
            Some(place) => now.tests[place].verdict.clone(),
            None => now.never_began.get(name).cloned(),
        };
        Ok((verdict, ended.code()))
    }
}

fn last_lines(path: &std::path::Path) -> String {
    let said = std::fs::read(path).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    let first = lines.len().saturating_sub(SHOWN);
    let shown = lines[first..].iter();
    shown.map(|line| format!("  {line}\n")).collect()
}
