//! Command line, environment, file and defaults, merged and checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use armadillo_orchestrator::Attachment;
use armadillo_orchestrator::closest::closest;

use super::command::{self, CommandLine};
use super::error::{Source, UsageError, Wrong};
use super::file::{self, File, Section};
use super::help;
use super::input::Input;
use super::missing::{attach_variables, missing_variable};
use super::pairs::{Rank, settle_pairs};
use super::setting::{Said, Setting, Settled};
use super::suite;
use super::table::all;
use super::value::last;
use crate::markers::Markers;
use crate::options::Options;
use crate::session::SESSION;

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
    suite::check_declarations(&input.linked)?;
    let table = all(&input.linked);
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
        warnings: sources.warnings(&table),
    })
}

/// Everything that was said, place by place.
pub(super) struct Sources<'a> {
    pub(super) input: &'a Input,
    pub(super) line: CommandLine,
    pub(super) file: File,
    /// The chosen profile; the file has it.
    pub(super) profile: Option<String>,
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
            Some(path) => file::read(path, table, &input.linked.systems)?,
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
                "profiles are sections `[profile.{name}]` of armadillo.toml, but no armadillo.toml was found"
            ),
        };
        Err(Wrong::new(format!("unknown profile `{name}`"), help).said_by(source))
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
        for section in self.profile_section().into_iter().chain([&self.file.base]) {
            if let Some(settled) = section.values.get(setting.name) {
                return Ok(Some((Rank::File, settled.clone())));
            }
        }
        self.find_libtest(setting)
    }

    /// The section of the chosen profile.
    pub(super) fn profile_section(&self) -> Option<&Section> {
        self.file.profiles.get(self.profile.as_ref()?)
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
            rules: self.file.rules.clone(),
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
        let said = found.iter().map(|(name, (_, said))| (*name, said.clone()));
        options.said = said.collect();
        options.flags = suite::values(&self.input.linked.suite, &found)?;
        self.missing(&mut options)?;
        check_markers(&options, &found)?;
        check_systems(&options, &found)?;
        Ok(options)
    }

    /// What looks like a setting and is none: slips of the fingers that would change nothing, silently.
    fn warnings(&self, table: &[Setting]) -> Vec<String> {
        let is_ours = |name: &str| {
            // Within a session there are the variables of its servers, too.
            suite::OWN_VARIABLES.contains(&name) || self.input.environment.get(SESSION).is_some()
        };
        let systems: Vec<&str> = self
            .input
            .linked
            .systems
            .iter()
            .map(|system| system.system)
            .collect();
        let settings = table
            .iter()
            .filter(|setting| setting.said != Said::OnCommandLine);
        let variables: Vec<String> = settings
            .map(Setting::variable)
            .chain(systems.iter().map(|system| missing_variable(system)))
            .chain(systems.iter().flat_map(|system| attach_variables(system)))
            .collect();
        let said = self.input.environment.names();
        let strange = said.filter(|name| name.starts_with("ARMADILLO_") && !is_ours(name));
        let strange = strange.filter(|name| !variables.iter().any(|known| known == name));
        let variables = strange.filter_map(|name| {
            let meant = closest(name, variables.iter().map(String::as_str))?;
            let nothing = format!("unknown variable {name}");
            Some(format!("{nothing}; did you mean {meant}?"))
        });
        let sections = self.file.systems.iter().filter_map(|name| {
            if systems.contains(&name.as_str()) {
                return None;
            }
            let meant = closest(name, systems.iter().copied())?;
            let nothing = format!("ignoring the section [system.{name}] of armadillo.toml");
            Some(format!("{nothing}; did you mean [system.{meant}]?"))
        });
        let flags = self.unknown_flags();
        variables.chain(sections).chain(flags).collect()
    }

    /// Of the flags in the file that this suite does not have, those that are nearly one of its own. The others are those of other
    /// suites.
    fn unknown_flags(&self) -> Vec<String> {
        let sections = [&self.file.base].into_iter().chain(self.profile_section());
        let unknown = sections.flat_map(|section| &section.unknown_flags);
        let warned = unknown.filter_map(|name| {
            let known = self.input.linked.suite.iter().map(|flag| flag.name);
            let meant = closest(name, known)?;
            let nothing = format!("ignoring `{name}` in the section [flags] of armadillo.toml");
            Some(format!("{nothing}; did you mean `{meant}`?"))
        });
        warned.collect()
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

/// Every system must be able to make sense of what was said for it, whatever tests need.
fn check_systems(
    options: &Options,
    found: &BTreeMap<&'static str, (Rank, Settled)>,
) -> Result<(), UsageError> {
    for system in armadillo_orchestrator::systems() {
        let attachment = Attachment::named(system.name(), &options.settings).map(drop);
        let Err(error) = attachment.and_then(|()| system.check_settings(&options.settings)) else {
            continue;
        };
        let source = match found.get(error.param.as_str()) {
            Some((_, settled)) => settled.source.clone(),
            None => Source::CommandLine(format!("--{}", error.param)),
        };
        return Err(Wrong::new(error.says, error.help).said_by(&source));
    }
    Ok(())
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
