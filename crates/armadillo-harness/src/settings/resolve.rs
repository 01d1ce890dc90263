//! Command line, environment, file and defaults, merged and checked.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::command::{self, CommandLine};
use super::error::{Source, UsageError, Wrong};
use super::file::{self, File};
use super::help;
use super::setting::{Said, Setting, Settled, SystemFlags};
use super::table::all;
use super::value::{choice, last};
use crate::markers::Markers;
use crate::options::{Missing, Options};
use crate::select::closest;

/// Everything the settings are made from, so that resolving them touches nothing but the file.
#[derive(Clone, Debug)]
pub struct Input {
    /// The arguments, without the program's name.
    pub args: Vec<OsString>,
    /// The environment.
    pub environment: Environment,
    /// Where the search for `armadillo.toml` begins: the package's directory.
    pub directory: PathBuf,
    /// The flags of the systems in this executable.
    pub systems: Vec<SystemFlags>,
}

impl Input {
    /// That of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let environment = Environment::of_process();
        let directory = match environment.get("CARGO_MANIFEST_DIR") {
            Some(directory) => PathBuf::from(directory),
            None => std::env::current_dir().unwrap_or_default(),
        };
        Self {
            args: std::env::args_os().skip(1).collect(),
            environment,
            directory,
            systems: SystemFlags::registered(),
        }
    }
}

/// Environment variables.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// These.
    #[must_use]
    pub fn of(variables: &[(&str, &str)]) -> Self {
        let owned = |&(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        Self(variables.iter().map(owned).collect())
    }

    /// The value of a variable. An empty one counts as not set, which is how CI systems leave it out.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        let value = self.0.get(OsStr::new(name))?;
        (!value.is_empty()).then_some(value.as_os_str())
    }

    fn text(&self, name: &str) -> Result<Option<String>, UsageError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match value.to_str() {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(
                Wrong::new("the value is not valid UTF-8", "set another one")
                    .said_by(&Source::Variable(name.to_owned())),
            ),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(|name| name.to_str())
    }
}

/// What the settings come to.
#[derive(Clone, Debug)]
pub enum Resolved {
    /// A run, a list or a plan.
    Options {
        /// What was said.
        options: Box<Options>,
        /// What a person should know about it: a variable that means nothing.
        warnings: Vec<String>,
    },
    /// A text that was asked for (help, version); it goes to stdout.
    Text(String),
}

/// libtest's variables, the settings they stand for, and whether any value but `0` switches them on.
const LIBTEST_VARIABLES: [(&str, &str, bool); 4] = [
    ("RUST_TEST_THREADS", "test-threads", false),
    ("RUST_TEST_NOCAPTURE", "nocapture", true),
    ("RUST_TEST_SHUFFLE", "shuffle", true),
    ("RUST_TEST_SHUFFLE_SEED", "shuffle-seed", false),
];

/// Merges and checks everything that was said.
///
/// # Errors
/// The first thing that makes no sense: where it was said, why, and what would be right.
pub fn resolve(input: &Input) -> Result<Resolved, UsageError> {
    let table = all(&input.systems);
    let line = command::read(&table, &input.args)?;
    if line.help {
        return Ok(Resolved::Text(help::help(&table)));
    }
    if line.version {
        return Ok(Resolved::Text(
            concat!("armadillo ", env!("CARGO_PKG_VERSION"), "\n").to_owned(),
        ));
    }
    let sources = Sources::read(input, &table, line)?;
    let options = sources.options(&table)?;
    Ok(Resolved::Options {
        options: Box::new(options),
        warnings: sources.unknown_variables(&table),
    })
}

/// How strongly a value counts: the command line the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    CommandLine,
    Environment,
    File,
    Libtest,
}

struct Sources<'a> {
    input: &'a Input,
    line: CommandLine,
    file: File,
    profile: Option<String>,
}

impl<'a> Sources<'a> {
    fn read(input: &'a Input, table: &[Setting], line: CommandLine) -> Result<Self, UsageError> {
        let environment = &input.environment;
        let named = match line.given.get("config") {
            Some(values) => Some(last(values).to_owned()),
            None => environment.text("ARMADILLO_CONFIG")?,
        };
        let path = named
            .map(PathBuf::from)
            .or_else(|| file::find(&input.directory));
        let file = match &path {
            Some(path) => file::read(path, table, &input.systems)?,
            None => File::default(),
        };
        let mut sources = Self {
            input,
            line,
            file,
            profile: None,
        };
        if let Some(setting) = table.iter().find(|setting| setting.name == "profile")
            && let Some((_, settled)) = sources.find(setting)?
        {
            let name = last(&settled.values).to_owned();
            sources.check_profile(&name, &settled.source, path.as_deref())?;
            sources.profile = Some(name);
        }
        Ok(sources)
    }

    fn check_profile(
        &self,
        name: &str,
        source: &Source,
        path: Option<&Path>,
    ) -> Result<(), UsageError> {
        if self.file.profiles.contains_key(name) {
            return Ok(());
        }
        let profiles = self.file.profiles.keys().map(String::as_str);
        let help = match (closest(name, profiles), path) {
            (Some(meant), _) => format!("did you mean `{meant}`?"),
            (None, Some(path)) => format!("add a section `[profile.{name}]` to {}", path.display()),
            (None, None) => format!(
                "profiles are sections `[profile.{name}]` of armadillo.toml, and there is none"
            ),
        };
        Err(Wrong::new(format!("there is no profile `{name}`"), help).said_by(source))
    }

    /// The strongest values of a setting.
    fn find(&self, setting: &Setting) -> Result<Option<(Rank, Settled)>, UsageError> {
        if let Some(values) = self.line.given.get(setting.name) {
            let settled = Settled {
                values: values.clone(),
                source: Source::CommandLine(flag(setting)),
            };
            return Ok(Some((Rank::CommandLine, settled)));
        }
        if setting.said == Said::OnCommandLine {
            return Ok(None);
        }
        let variable = setting.variable();
        if let Some(text) = self.input.environment.text(&variable)? {
            let settled = Settled {
                values: split(setting, &text),
                source: Source::Variable(variable),
            };
            return Ok(Some((Rank::Environment, settled)));
        }
        let profile = self
            .profile
            .as_ref()
            .and_then(|name| self.file.profiles.get(name));
        for section in profile.into_iter().chain([&self.file.base]) {
            if let Some(settled) = section.values.get(setting.name) {
                return Ok(Some((Rank::File, settled.clone())));
            }
        }
        self.find_libtest(setting)
    }

    fn find_libtest(&self, setting: &Setting) -> Result<Option<(Rank, Settled)>, UsageError> {
        let variable = LIBTEST_VARIABLES
            .iter()
            .find(|(_, name, _)| *name == setting.name);
        let Some(&(variable, _, is_switch)) = variable else {
            return Ok(None);
        };
        let text = self.input.environment.text(variable)?;
        Ok(text.map(|text| {
            let value = if is_switch {
                (text != "0").to_string()
            } else {
                text
            };
            let settled = Settled {
                values: vec![value],
                source: Source::Variable(variable.to_owned()),
            };
            (Rank::Libtest, settled)
        }))
    }

    fn options(&self, table: &[Setting]) -> Result<Options, UsageError> {
        let mut found: BTreeMap<&'static str, (Rank, Settled)> = BTreeMap::new();
        for setting in table {
            if let Some(said) = self.find(setting)? {
                found.insert(setting.name, said);
            }
        }
        settle_pairs(&mut found)?;

        let mut options = Options {
            markers: self.file.markers.clone(),
            ..Options::default()
        };
        options.selection.filters = self.line.filters.clone();
        for setting in table {
            let Some((_, settled)) = found.get(setting.name) else {
                continue;
            };
            (setting.apply)(&mut options, &settled.values)
                .map_err(|wrong| wrong.said_by(&settled.source))?;
            options.settings.set(setting.name, settled.values.clone());
        }
        self.missing(&mut options)?;
        check_markers(&options, &found)?;
        Ok(options)
    }

    /// What is done about missing programs: said of one system each, so sources add up instead of replacing each other.
    fn missing(&self, options: &mut Options) -> Result<(), UsageError> {
        let profile = self
            .profile
            .as_ref()
            .and_then(|name| self.file.profiles.get(name));
        for section in [&self.file.base].into_iter().chain(profile) {
            for (system, settled) in &section.missing {
                set_missing(options, system, settled)?;
            }
            if let Some(settled) = section.values.get("missing") {
                self.missing_pairs(options, settled)?;
            }
        }
        if let Some(text) = self.input.environment.text("ARMADILLO_MISSING")? {
            let settled = Settled {
                values: text.split(SEPARATOR).map(str::to_owned).collect(),
                source: Source::Variable("ARMADILLO_MISSING".to_owned()),
            };
            self.missing_pairs(options, &settled)?;
        }
        for system in &self.input.systems {
            let variable = missing_variable(system.system);
            if let Some(text) = self.input.environment.text(&variable)? {
                let settled = Settled {
                    values: vec![text],
                    source: Source::Variable(variable),
                };
                set_missing(options, system.system, &settled)?;
            }
        }
        if let Some(values) = self.line.given.get("missing") {
            let settled = Settled {
                values: values.clone(),
                source: Source::CommandLine("--missing".to_owned()),
            };
            self.missing_pairs(options, &settled)?;
        }
        Ok(())
    }

    /// `SYSTEM=WHAT`, each.
    fn missing_pairs(&self, options: &mut Options, settled: &Settled) -> Result<(), UsageError> {
        for pair in &settled.values {
            let Some((system, what)) = pair.split_once('=') else {
                let help = "write it as `SYSTEM=ignore`";
                return Err(
                    Wrong::new(format!("`{pair}` names no system"), help).said_by(&settled.source)
                );
            };
            let names = || self.input.systems.iter().map(|system| system.system);
            if !names().any(|name| name == system) {
                let help = match closest(system, names()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!(
                        "this executable knows: {}",
                        names().collect::<Vec<_>>().join(", ")
                    ),
                };
                let wrong = Wrong::new(format!("there is no system `{system}`"), help);
                return Err(wrong.said_by(&settled.source));
            }
            let one = Settled {
                values: vec![what.to_owned()],
                source: settled.source.clone(),
            };
            set_missing(options, system, &one)?;
        }
        Ok(())
    }

    /// Variables that look like settings and are none: slips of the fingers that would change nothing, silently.
    fn unknown_variables(&self, table: &[Setting]) -> Vec<String> {
        let known: Vec<String> = table
            .iter()
            .filter(|setting| setting.said != Said::OnCommandLine)
            .map(Setting::variable)
            .chain(
                self.input
                    .systems
                    .iter()
                    .map(|system| missing_variable(system.system)),
            )
            .collect();
        let names = self.input.environment.names();
        names
            .filter(|name| name.starts_with("ARMADILLO_"))
            .filter(|name| !known.iter().any(|variable| variable == name))
            .filter_map(|name| {
                let meant = closest(name, known.iter().map(String::as_str))?;
                Some(format!(
                    "the variable {name} means nothing here; did you mean {meant}?"
                ))
            })
            .collect()
    }
}

/// What separates the values of a setting that repeats, in a variable.
pub(super) const SEPARATOR: char = ';';

fn split(setting: &Setting, text: &str) -> Vec<String> {
    if setting.repeats {
        text.split(SEPARATOR).map(str::to_owned).collect()
    } else {
        vec![text.to_owned()]
    }
}

fn flag(setting: &Setting) -> String {
    match setting.short {
        Some(short) if setting.said == Said::OnCommandLine => format!("-{short}"),
        Some(short) => format!("-{short}/--{}", setting.name),
        None => format!("--{}", setting.name),
    }
}

fn missing_variable(system: &str) -> String {
    format!(
        "ARMADILLO_{}_MISSING",
        system.replace('-', "_").to_uppercase()
    )
}

fn set_missing(options: &mut Options, system: &str, settled: &Settled) -> Result<(), UsageError> {
    let choices = [
        ("error", Missing::Error),
        ("ignore", Missing::Ignore),
        ("fail", Missing::Fail),
    ];
    let what = choice(&settled.values, &choices).map_err(|wrong| wrong.said_by(&settled.source))?;
    options.missing.insert(system.to_owned(), what);
    Ok(())
}

/// Pairs of settings for one thing. The one said more strongly counts; said equally strongly, they must agree.
fn settle_pairs(found: &mut BTreeMap<&'static str, (Rank, Settled)>) -> Result<(), UsageError> {
    for (one, other, reason, help) in [
        (
            "parallel",
            "test-threads",
            "they are two names for the number of tests that run at once",
            "give one of them",
        ),
        (
            "seed",
            "shuffle-seed",
            "a run has one seed",
            "give one of them; `--shuffle --seed N` is the same as `--shuffle-seed N`",
        ),
        (
            "format",
            "quiet",
            "`--quiet` is `--format terse`",
            "give one of them",
        ),
        (
            "ignored",
            "include-ignored",
            "one runs the ignored tests only, the other runs them among the others",
            "give one of them",
        ),
    ] {
        let (Some((rank, a)), Some((other_rank, b))) = (found.get(one), found.get(other)) else {
            continue;
        };
        match rank.cmp(other_rank) {
            std::cmp::Ordering::Less => _ = found.remove(other),
            std::cmp::Ordering::Greater => _ = found.remove(one),
            std::cmp::Ordering::Equal if agree(one, &a.values, &b.values) => {}
            std::cmp::Ordering::Equal => {
                return Err(UsageError::Contradiction {
                    one: said(one, a),
                    other: said(other, b),
                    reason: reason.to_owned(),
                    help: help.to_owned(),
                });
            }
        }
    }
    Ok(())
}

fn agree(one: &str, a: &[String], b: &[String]) -> bool {
    let off = |values: &[String]| matches!(last(values), "false" | "0" | "no" | "off");
    match one {
        "format" => last(a) == "terse" || off(b),
        "ignored" => off(a) || off(b),
        _ => last(a) == last(b),
    }
}

/// `--test-threads 3`, or the place in the file.
fn said(name: &str, settled: &Settled) -> String {
    match &settled.source {
        Source::CommandLine(flag) if matches!(name, "quiet" | "ignored" | "include-ignored") => {
            format!("`{flag}`")
        }
        Source::CommandLine(flag) => format!("`{flag} {}`", last(&settled.values)),
        Source::Variable(variable) => format!("`{variable}={}`", last(&settled.values)),
        Source::File { .. } => format!("{} = {}", settled.source, last(&settled.values)),
    }
}

/// Every word of `-m` must be a declared marker.
fn check_markers(
    options: &Options,
    found: &BTreeMap<&'static str, (Rank, Settled)>,
) -> Result<(), UsageError> {
    let (Some(expression), Some((_, settled))) = (&options.selection.markers, found.get("markers"))
    else {
        return Ok(());
    };
    let declared = Markers::declared(&options.markers);
    expression
        .check_declared(&declared.names())
        .map_err(|error| Wrong::from(error).said_by(&settled.source))
}
