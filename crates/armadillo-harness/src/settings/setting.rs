//! What one setting is.

use armadillo_orchestrator::Flag;

use super::error::Wrong;
use crate::flags::FlagDeclaration;
use crate::options::Options;

/// One setting, under its three names: `--NAME`, `ARMADILLO_NAME`, `name = ` in `armadillo.toml`.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The long name, without dashes.
    pub name: &'static str,
    /// The short name.
    pub short: Option<char>,
    /// Other long names on the command line.
    pub aliases: &'static [&'static str],
    /// What the value is called; empty for a switch.
    pub value: &'static str,
    /// The value that it has on the command line if it is written without one; empty if it needs one.
    pub bare: &'static str,
    /// Whether it may be given several times.
    pub repeats: bool,
    /// The default as one would write it; empty where there is none.
    pub default: &'static str,
    /// Its group in `--help`.
    pub group: Group,
    /// What it does: a paragraph.
    pub help: &'static str,
    /// Whether it belongs to the command line that runs a failed test again.
    pub again: bool,
    /// Where it may be said.
    pub said: Said,
    /// Puts its values into the options. A switch gets `true` or `false`.
    pub apply: Apply,
}

/// How a setting gets into the options.
pub type Apply = fn(&mut Options, &[String]) -> Result<(), Wrong>;

/// Where a setting may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// On the command line, in the environment and in the file.
    Everywhere,
    /// Not in the file: it says what is read of which file.
    NotInFile,
    /// On the command line only: accepted because libtest does, without effect.
    OnCommandLine,
}

/// The groups of `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Which tests.
    Selecting,
    /// What to do with them.
    Acting,
    /// How they run.
    Running,
    /// What they run on.
    Deployments,
    /// What systems add.
    Systems,
    /// What the suite adds.
    Suite,
    /// How results are shown, and where they go.
    Showing,
    /// Where settings come from.
    Settings,
    /// What is accepted without effect.
    Accepted,
}

impl Group {
    /// All of them, as `--help` shows them.
    pub const ALL: [Self; 9] = [
        Self::Selecting,
        Self::Acting,
        Self::Running,
        Self::Deployments,
        Self::Systems,
        Self::Suite,
        Self::Showing,
        Self::Settings,
        Self::Accepted,
    ];

    /// The heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Selecting => "Test selection",
            Self::Acting => "Other actions",
            Self::Running => "Running tests",
            Self::Deployments => "Deployments",
            Self::Systems => "Systems under test",
            Self::Suite => "Flags of this suite",
            Self::Showing => "Output and files",
            Self::Settings => "Settings",
            Self::Accepted => "Accepted for compatibility with libtest (no effect)",
        }
    }
}

/// The flags a system adds.
#[derive(Clone, Debug)]
pub struct SystemFlags {
    /// The system's name.
    pub system: &'static str,
    /// Its flags.
    pub flags: &'static [Flag],
}

impl SystemFlags {
    /// Those of every system in this executable.
    #[must_use]
    pub fn registered() -> Vec<Self> {
        armadillo_orchestrator::systems()
            .into_iter()
            .map(|system| Self {
                system: system.name(),
                flags: system.flags(),
            })
            .collect()
    }
}

/// The flags that are linked into this executable beside those of the harness.
#[derive(Clone, Debug, Default)]
pub struct Linked {
    /// Those of its systems.
    pub systems: Vec<SystemFlags>,
    /// Those of its suite.
    pub suite: Vec<FlagDeclaration>,
}

impl Linked {
    /// Those of this executable.
    #[must_use]
    pub fn registered() -> Self {
        Self {
            systems: SystemFlags::registered(),
            suite: FlagDeclaration::registered(),
        }
    }
}

/// The values a setting ended up with, and who said them.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The values; one, unless it repeats.
    pub values: Vec<String>,
    /// Who said them.
    pub source: super::error::Source,
}

impl Setting {
    /// A switch that changes nothing, to be refined.
    pub(super) const fn switch(name: &'static str, group: Group, help: &'static str) -> Self {
        Self {
            name,
            short: None,
            aliases: &[],
            value: "",
            bare: "",
            repeats: false,
            default: "false",
            group,
            help,
            again: false,
            said: Said::Everywhere,
            apply: |_, _| Ok(()),
        }
    }

    /// A setting with a value.
    pub(super) const fn valued(
        name: &'static str,
        value: &'static str,
        group: Group,
        help: &'static str,
    ) -> Self {
        let mut setting = Self::switch(name, group, help);
        setting.value = value;
        setting.default = "";
        setting
    }

    pub(super) const fn short(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }

    pub(super) const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(super) const fn bare(mut self, bare: &'static str) -> Self {
        self.bare = bare;
        self
    }

    pub(super) const fn repeats(mut self) -> Self {
        self.repeats = true;
        self
    }

    pub(super) const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    pub(super) const fn again(mut self) -> Self {
        self.again = true;
        self
    }

    pub(super) const fn said(mut self, said: Said) -> Self {
        self.said = said;
        self
    }

    pub(super) const fn apply(mut self, apply: Apply) -> Self {
        self.apply = apply;
        self
    }

    /// The setting for a flag of a system: its values go to [`Options::settings`], which every setting goes to.
    #[must_use]
    pub(super) const fn of_system(flag: &Flag) -> Self {
        let mut setting = Self::valued(flag.name, flag.value, Group::Systems, flag.help).again();
        setting.repeats = flag.repeats;
        setting.short = flag.short;
        if flag.value.is_empty() {
            setting.default = "false";
        }
        setting
    }

    /// The setting for a flag of the suite.
    #[must_use]
    pub(super) const fn of_suite(flag: &FlagDeclaration) -> Self {
        let mut setting = Self::valued(flag.name, flag.value, Group::Suite, flag.help).again();
        setting.repeats = flag.repeats;
        if let Some(default) = flag.default {
            setting.default = default;
        }
        setting
    }

    /// What follows its name on the command line.
    pub(super) fn value_as_written(&self) -> String {
        match (self.value, self.bare) {
            ("", _) => String::new(),
            (value, "") => format!(" {value}"),
            (value, _) => format!("[={value}]"),
        }
    }

    /// Whether it takes no value.
    #[must_use]
    pub fn is_switch(&self) -> bool {
        self.value.is_empty()
    }

    /// The variable that says it.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("ARMADILLO_{}", self.name.replace('-', "_").to_uppercase())
    }
}
