//! Wherever a test can run: a suite started there as a person, nextest or a debugger would.

use armadillo::harness::options::Isolation;
use armadillo::harness::settings::Surroundings;
use armadillo_selftest::cargo::has;
use armadillo_selftest::{Ran, Suite, meeting};

const SUITE: &str = env!("CARGO_BIN_EXE_isolations");

/// A column of the manual's table.
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) surroundings: Surroundings,
    /// The word of its isolation in the reports.
    pub(super) word: &'static str,
    /// Several tests can run.
    pub(super) many: bool,
    how: How,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Isolation,
    /// One test by its name, and settings in the environment.
    Nextest,
    Debugger,
    /// One test by its name, with `--nocapture`.
    Editor,
    /// Settings in the environment.
    OwnMain,
}

/// What became of a run there.
pub(super) struct Seen {
    pub(super) ran: Ran,
    pub(super) code: Option<i32>,
}

impl Place {
    /// All that this machine has.
    pub(super) fn all() -> Vec<Self> {
        let here = Isolation::InProcess;
        let mut all = vec![
            Self::new("workers", Isolation::Workers, How::Isolation),
            Self::new("process", Isolation::Process, How::Isolation),
            Self::new("in-process", here, How::Isolation),
            Self::new("none", Isolation::None, How::Isolation),
            Self::new("nextest", here, How::Nextest),
            Self::new("one test", here, How::Editor),
            Self::new("own main", Isolation::None, How::OwnMain),
        ];
        if has("gdb", &["--version"], "ARMADILLO_REQUIRE_GDB") {
            all.push(Self::new("debugger", here, How::Debugger));
        }
        all
    }

    fn new(name: &'static str, isolation: Isolation, how: How) -> Self {
        Self {
            name,
            surroundings: Surroundings {
                isolation,
                own_main: how == How::OwnMain,
                nextest: how == How::Nextest,
                debugger: how == How::Debugger,
            },
            word: match how {
                How::Isolation => name,
                How::OwnMain => "none",
                How::Nextest | How::Debugger | How::Editor => "in-process",
            },
            many: matches!(how, How::Isolation | How::Debugger | How::OwnMain),
            how,
        }
    }

    /// Whether flags can be given.
    pub(super) fn has_flags(&self) -> bool {
        !matches!(self.how, How::Nextest | How::OwnMain)
    }

    /// Runs these tests with these settings; one test at a time, or two that need copies.
    pub(super) fn run(&self, tests: &str, settings: &[(&str, &str)]) -> Seen {
        let mut args: Vec<String> = Vec::new();
        if self.how == How::Isolation && settings.iter().all(|(name, _)| *name != "isolation") {
            args.extend(["--isolation".to_owned(), self.name.to_owned()]);
        }
        let count = |(name, _): &(&str, &str)| matches!(*name, "parallel" | "test-threads");
        if self.how == How::OwnMain || self.many && !settings.iter().any(count) {
            // Copies of a deployment are of use to tests that run at the same time.
            let copies = settings.iter().any(|(name, _)| *name == "copies");
            args.push(format!("--test-threads={}", 1 + u8::from(copies)));
        }
        args.push(tests.to_owned());
        if !self.many && settings.iter().all(|(name, _)| *name != "exact") {
            args.push("--exact".to_owned());
        }
        if matches!(self.how, How::Nextest | How::Editor)
            && settings.iter().all(|(name, _)| *name != "nocapture")
        {
            args.push("--nocapture".to_owned());
        }
        if self.has_flags() {
            args.extend(settings.iter().map(|(name, value)| match *value {
                "true" => format!("--{name}"),
                value if *name == "unstable" => format!("-Z{value}"),
                value => format!("--{name}={value}"),
            }));
        }
        let mut suite = match self.how {
            How::Debugger => Suite::new("gdb").args(GDB).args([SUITE]),
            _ => Suite::new(SUITE),
        };
        let place = suite.home().join("meeting");
        suite = suite.args(args).env(meeting::PLACE, place);
        for (name, text) in [
            ("armadillo.toml", "[profile.ci]\nseed = 7\n"),
            ("other.toml", "seed = 8\n"),
            ("script.json", SCRIPT),
        ] {
            suite = suite.file(name, text);
        }
        match self.how {
            How::Nextest => suite = suite.env("NEXTEST", "1"),
            How::OwnMain => suite = suite.env("SELFTEST_MAIN", "own"),
            How::Isolation | How::Debugger | How::Editor => {}
        }
        if !self.has_flags() {
            for (name, value) in settings {
                let variable = format!("ARMADILLO_{}", name.replace('-', "_").to_uppercase());
                suite = suite.env(&variable, value);
            }
        }
        let ran = suite.run();
        let code = match self.how {
            How::Debugger => debugged(&ran.stdout),
            _ => ran.code,
        };
        Seen { ran, code }
    }
}

const SCRIPT: &str = r#"{"script": 1, "of": "4c0243f9", "steps": [{"begin": "told::ignored"}]}"#;

/// Without symbols, which take gdb longer than a run takes.
const GDB: [&str; 12] = [
    "-nx",
    "-batch",
    "-readnever",
    "-iex",
    "set debuginfod enabled off",
    "-iex",
    "set auto-solib-add off",
    "-ex",
    "set disable-randomization off",
    "-ex",
    "run",
    "--args",
];

/// The exit code that gdb says.
fn debugged(stdout: &str) -> Option<i32> {
    if stdout.contains("exited normally]") {
        return Some(0);
    }
    let (_, rest) = stdout.rsplit_once("exited with code ")?;
    i32::from_str_radix(rest.split(']').next()?, 8).ok()
}
