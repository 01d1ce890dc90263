//! Rolling operations: one server after the other, while the others serve.

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Restart, Step, StepKind, SystemStep};
use crate::program::Program;
use crate::random::Random;
use crate::server::ServerKey;

/// The gate that every deployment has: its health is good.
pub const HEALTHY: &str = "healthy";

/// How long a mixture of versions is held at most, in a plan drawn from a seed.
const LONGEST_HOLD: Duration = Duration::from_millis(500);

/// What is to be done to one server after the other: what a system plans from.
#[derive(Clone, Debug)]
pub struct Rolling {
    /// The servers in the order in which they are planned, those that lead nothing first.
    pub servers: Vec<RollingServer>,
    /// What each is to become, one change of all of them after the other: a path of versions. A restart is one change to nothing
    /// else.
    pub changes: Vec<Change>,
}

/// A server, before a rolling operation begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollingServer {
    /// The server.
    pub key: ServerKey,
    /// Its role.
    pub role: String,
    /// The version of its program, where that says one.
    pub version: Option<Version>,
    /// Whether its process runs: it has neither ended nor been paused.
    pub runs: bool,
    /// Whether what it has stored may have been written by an older version than the one it runs.
    pub has_older_data: bool,
    /// The groups and parts that it leads.
    pub leads: Vec<String>,
}

/// What all servers are to become.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Change {
    /// Another program; `None`: the one each runs.
    pub program: Option<Program>,
    /// Options, in the place of those of the same name.
    pub options: Vec<(String, String)>,
    /// Whether it is made although too few servers would be left to decide anything meanwhile.
    #[serde(default)]
    pub forced: bool,
}

/// Which way the versions of a path go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// There are none.
    #[default]
    Nowhere,
    /// None is older than the one before it.
    Up,
    /// None is newer than the one before it.
    Down,
}

/// A version as numbers: `3.6.16`. What follows a number, such as `-rc.1`, is not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
    /// The third; 0 if it is not said.
    pub patch: u32,
}

impl Version {
    /// Reads `3.6.16`, `3.6` or `3.12.5-rc.1`; `None` if it does not begin with two numbers.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim_start_matches('v').splitn(3, '.');
        let number = |text: &str| {
            let digits = text.find(|c: char| !c.is_ascii_digit());
            text[..digits.unwrap_or(text.len())].parse::<u32>().ok()
        };
        Some(Self {
            major: number(numbers.next()?)?,
            minor: number(numbers.next()?)?,
            patch: numbers.next().and_then(number).unwrap_or(0),
        })
    }

    /// The version of a program, where it says one.
    #[must_use]
    pub fn of(program: &Program) -> Option<Self> {
        Self::parse(program.version.as_deref()?)
    }

    /// `3.6`
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }

    /// How the lines compare, whatever the patch levels are.
    #[must_use]
    pub fn cmp_line(&self, other: &Self) -> Ordering {
        (self.major, self.minor).cmp(&(other.major, other.minor))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Rolling {
    /// Whether its changes go this way, beginning with what the servers run.
    ///
    /// # Errors
    /// The first that does not: `3.5.35 is older than 3.6.16`.
    pub fn goes(&self, direction: Direction) -> Result<(), String> {
        let run = self.servers.iter().filter_map(|server| server.version);
        let mut last = match direction {
            Direction::Nowhere => return Ok(()),
            Direction::Up => run.min(),
            Direction::Down => run.max(),
        };
        for to in self
            .changes
            .iter()
            .filter_map(|change| change.program.as_ref())
        {
            let to = Version::of(to);
            let order = to.zip(last).map(|(to, last)| (to.cmp(&last), to, last));
            match (direction, order) {
                (Direction::Up, Some((Ordering::Less, to, last))) => {
                    return Err(format!("{to} is older than {last}: that is a downgrade"));
                }
                (Direction::Down, Some((Ordering::Greater, to, last))) => {
                    return Err(format!("{to} is newer than {last}: that is an upgrade"));
                }
                _ => {}
            }
            last = to.or(last);
        }
        Ok(())
    }

    /// The plan of a system that says nothing else: every server in turn is restarted, and the whole is healthy before the next.
    #[must_use]
    pub fn one_by_one(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for change in &self.changes {
            for server in &self.servers {
                steps.push(change.restart(&server.key));
                steps.push(Step::gate(None, SystemStep::new(HEALTHY)));
            }
        }
        steps
    }
}

impl Change {
    /// The step that makes a server so.
    #[must_use]
    pub fn restart(&self, server: &ServerKey) -> Step {
        let restart = Restart {
            program: self.program.clone(),
            options: self.options.clone(),
            forced: self.forced,
        };
        Step::restart(server, restart)
    }
}

/// The same plan with trouble in it, drawn from a seed: after a restart, the mixture that is there then is sometimes held for a
/// while, and sometimes a server is killed in it.
#[must_use]
pub fn with_trouble(steps: Vec<Step>, servers: &[ServerKey], seed: u64) -> Vec<Step> {
    let mut random = Random::new(seed);
    let mut all = Vec::new();
    let mut steps = steps.into_iter().peekable();
    while let Some(step) = steps.next() {
        let next = steps.peek().and_then(|next| next.server.as_ref());
        let ends_a_turn = matches!(step.what, StepKind::Gate(_)) && next != step.server.as_ref();
        all.push(step);
        if ends_a_turn && random.chance(50) {
            all.push(Step {
                server: None,
                what: StepKind::Hold(random.time_below(LONGEST_HOLD)),
                bound: false,
            });
        }
        if ends_a_turn
            && random.chance(25)
            && let Some(server) = random.one_of(servers)
        {
            all.push(Step::of(server, StepKind::Crash));
            all.push(Step::gate(None, SystemStep::new(HEALTHY)));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trouble comes after a server's turn, never within it, and the plan itself is in it as it was.
    #[test]
    fn trouble_comes_between_turns_and_is_the_same_for_a_seed() {
        let names = ["a", "b", "c"].map(ServerKey::from);
        let version = |server| Step::gate(Some(server), SystemStep::new("version"));
        let turn = |server| [Step::restart(server, Restart::default()), version(server)];
        let plan: Vec<Step> = names.iter().flat_map(turn).collect();
        let (mut holds, mut crashes) = (0, 0);
        for seed in 0..200 {
            let troubled = with_trouble(plan.clone(), &names, seed);
            assert_eq!(troubled, with_trouble(plan.clone(), &names, seed));
            let mut turns = plan.iter().peekable();
            for (number, step) in troubled.iter().enumerate() {
                if turns.peek() == Some(&step) {
                    turns.next();
                    continue;
                }
                let is_between = turns
                    .peek()
                    .is_none_or(|next| !matches!(next.what, StepKind::Gate(_)));
                assert!(is_between, "seed {seed}: {step} is within a turn");
                match &step.what {
                    StepKind::Hold(time) => {
                        assert!(*time < LONGEST_HOLD);
                        holds += 1;
                    }
                    StepKind::Crash => {
                        let healthy = Step::gate(None, SystemStep::new(HEALTHY));
                        assert_eq!(troubled.get(number + 1), Some(&healthy), "seed {seed}");
                        crashes += 1;
                    }
                    _ => assert_eq!(*step, Step::gate(None, SystemStep::new(HEALTHY))),
                }
            }
            assert!(turns.next().is_none(), "seed {seed}: a step is missing");
        }
        // Three turns each: half of them are held, a quarter crash.
        assert!((200..=400).contains(&holds), "{holds}");
        assert!((80..=220).contains(&crashes), "{crashes}");
    }

    #[test]
    fn versions_are_read_and_compared() {
        let version = |text| Version::parse(text).unwrap();
        assert_eq!(version("3.6.16").line(), "3.6");
        assert_eq!(version("v3.12.5-rc.1"), version("3.12.5"));
        assert_eq!(version("3.6"), version("3.6.0"));
        assert!(version("3.10.1") > version("3.9.12"));
        assert_eq!(
            version("3.6.1").cmp_line(&version("3.6.9")),
            Ordering::Equal
        );
        assert_eq!(
            version("3.7.0").cmp_line(&version("3.6.9")),
            Ordering::Greater
        );
        for nothing in ["", "3", "three.six", "3."] {
            assert_eq!(Version::parse(nothing), None, "{nothing}");
        }
    }
}
