//! `armadillo.toml`: found, read, and checked key by key against the table.
//!
//! ```toml
//! parallel = 4                # any setting, by its long name
//!
//! [markers]                   # markers of this workspace, with their meanings
//! nightly = "runs in the night only"
//!
//! [[rule]]                    # these markers for every test that meets the conditions
//! markers = ["nightly"]
//! path = "tests/suite/upgrade.rs"
//!
//! [flags]                     # flags of a suite; those of other suites are skipped
//! orders = 500
//!
//! [system.tally]              # of a system this executable does not have, it is skipped
//! tally = "/opt/tally"        # its flags may stand here or above
//! missing = "ignore"
//!
//! [profile.ci]                # wins over the keys above when it is chosen
//! timeout = "5m"
//!
//! [profile.ci.system.tally]
//! missing = "fail"
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use armadillo_orchestrator::closest::closest;
use toml_span::Span;
use toml_span::value::{Key, Table, Value, ValueInner};

use super::error::{Source, UsageError};
use super::setting::{Group, Said, Setting, Settled, SystemFlags};
use crate::collect::Rule;

/// The name of the file.
pub(super) const NAME: &str = "armadillo.toml";

/// More than anybody writes by hand.
const LONGEST: u64 = 1 << 20;

/// What a file says.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    /// Its keys outside profiles.
    pub(super) base: Section,
    /// Its profiles.
    pub(super) profiles: BTreeMap<String, Section>,
    /// The markers it declares.
    pub(super) markers: BTreeMap<String, String>,
    /// Its rules, in their order.
    pub(super) rules: Vec<Rule>,
    /// The systems it speaks of, whether this executable knows them or not.
    pub(super) systems: BTreeSet<String>,
}

/// The keys of the file or of one profile.
#[derive(Clone, Debug, Default)]
pub(super) struct Section {
    /// By the setting's name.
    pub(super) values: BTreeMap<String, Settled>,
    /// `[system.NAME] missing`, by the system's name.
    pub(super) missing: BTreeMap<String, Settled>,
    /// Keys of `[flags]` that this executable has no flag for.
    pub(super) unknown_flags: Vec<String>,
}

/// The nearest file from `directory` upwards, not beyond the root of the workspace or of the repository.
pub(super) fn find(directory: &Path) -> Option<PathBuf> {
    for at in directory.ancestors() {
        let file = at.join(NAME);
        if file.is_file() {
            return Some(file);
        }
        if at.join("Cargo.lock").is_file() || at.join(".git").exists() {
            return None;
        }
    }
    None
}

/// Reads and checks a file.
pub(super) fn read(
    path: &Path,
    table: &[Setting],
    systems: &[SystemFlags],
) -> Result<File, UsageError> {
    let bytes = crate::regular::read(path, LONGEST);
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
    let text = text.map_err(|error| UsageError::File {
        path: path.to_owned(),
        reason: format!("cannot be read: {error}"),
        help: "pass an existing file, or remove `--config`".to_owned(),
    })?;
    let reader = Reader {
        path,
        text: &text,
        table,
        systems,
    };
    reader.file()
}

pub(super) struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    table: &'a [Setting],
    systems: &'a [SystemFlags],
}

impl Reader<'_> {
    fn file(&self) -> Result<File, UsageError> {
        let parsed = toml_span::parse(self.text).map_err(|error| {
            let reason = error.to_string();
            self.wrong(error.span, "", reason, "it must be valid TOML")
        })?;
        let parsed = self.table_at("", &parsed)?;
        let mut file = File::default();
        if let Some(systems) = parsed.get("system").and_then(Value::as_table) {
            file.systems = systems.keys().map(|key| key.name.to_string()).collect();
        }
        for (key, value) in parsed {
            let name = key.name.as_ref();
            match name {
                "markers" if value.as_table().is_some() => {
                    file.markers = self.markers(self.table_at(name, value)?)?;
                }
                "rule" => file.rules = self.rules(key, value)?,
                "profile" => {
                    for (profile, value) in self.table_at(name, value)? {
                        let profile = profile.name.as_ref();
                        let path = format!("profile.{profile}.");
                        let mut section = Section::default();
                        for (key, value) in self.table_at(&path, value)? {
                            self.entry(&mut section, &path, key, value)?;
                        }
                        file.profiles.insert(profile.to_owned(), section);
                    }
                }
                _ => self.entry(&mut file.base, "", key, value)?,
            }
        }
        Ok(file)
    }

    /// A key of the file or of a profile.
    fn entry(
        &self,
        section: &mut Section,
        path: &str,
        key: &Key<'_>,
        value: &Value<'_>,
    ) -> Result<(), UsageError> {
        let (name, place) = (key.name.as_ref(), key.span);
        if name == "system" {
            for (system, value) in self.table_at("system", value)? {
                let name = system.name.as_ref();
                self.system(section, path, name, value)?;
            }
            return Ok(());
        }
        if name == "flags" {
            for (flag, value) in self.table_at(&format!("{path}flags"), value)? {
                self.flag(section, path, flag, value)?;
            }
            return Ok(());
        }
        let key = format!("{path}{name}");
        let setting = self.table.iter().find(|setting| setting.name == name);
        match setting {
            Some(setting) if setting.group == Group::Suite => {
                let reason = "flags of a suite have a section of their own".to_owned();
                let help = format!("write it in the section `[{path}flags]`");
                Err(self.wrong(place, &key, reason, &help))
            }
            Some(setting) if setting.said == Said::Everywhere => {
                self.settle(section, setting, &key, (place, value))
            }
            Some(_) => Err(self.wrong(
                place,
                &key,
                "this setting is not allowed in the file".to_owned(),
                &format!("set it with `--{name}` or in the environment"),
            )),
            None if name == "rule" => Err(self.wrong(
                place,
                &key,
                "rules are not allowed in a profile".to_owned(),
                "write `[[rule]]`; rules apply with every profile",
            )),
            None => Err(self.unknown(place, &key, name)),
        }
    }

    /// A key of `[flags]`. One file serves several test executables, each with flags of its own.
    fn flag(
        &self,
        section: &mut Section,
        path: &str,
        key: &Key<'_>,
        value: &Value<'_>,
    ) -> Result<(), UsageError> {
        let name = key.name.as_ref();
        let mut flags = (self.table.iter()).filter(|setting| setting.group == Group::Suite);
        let Some(flag) = flags.find(|flag| flag.name == name) else {
            section.unknown_flags.push(name.to_owned());
            return Ok(());
        };
        let full = format!("{path}flags.{name}");
        self.settle(section, flag, &full, (key.span, value))
    }

    /// What a key says is the value of this setting.
    fn settle(
        &self,
        section: &mut Section,
        setting: &Setting,
        key: &str,
        (place, value): (Span, &Value<'_>),
    ) -> Result<(), UsageError> {
        let values = self.values(key, setting, value)?;
        let source = self.source(place, key);
        let name = setting.name.to_string();
        section.values.insert(name, Settled { values, source });
        Ok(())
    }

    /// `[system.NAME]`.
    fn system(
        &self,
        section: &mut Section,
        path: &str,
        name: &str,
        value: &Value<'_>,
    ) -> Result<(), UsageError> {
        let path = format!("{path}system.{name}");
        let table = self.table_at(&path, value)?;
        // One file serves several test binaries, and not every one of them knows every system.
        let Some(system) = self.systems.iter().find(|system| system.system == name) else {
            return Ok(());
        };
        for (key, value) in table {
            let key_name = key.name.as_ref();
            let full = format!("{path}.{key_name}");
            if key_name == "missing" {
                let Some(text) = value.as_str() else {
                    let help = "write \"error\", \"ignore\" or \"fail\"";
                    let reason = "expected a string".to_owned();
                    return Err(self.wrong(value.span, &full, reason, help));
                };
                let settled = Settled {
                    values: vec![text.to_owned()],
                    source: self.source(key.span, &full),
                };
                section.missing.insert(name.to_owned(), settled);
            } else if system.flags.iter().any(|flag| flag.name == key_name) {
                let path = format!("{path}.");
                self.entry(section, &path, key, value)?;
            } else {
                let flags = system.flags.iter().map(|flag| flag.name);
                let keys: Vec<&str> = ["missing"].into_iter().chain(flags).collect();
                let help = format!("valid keys in this section are {}", keys.join(", "));
                let reason = "unknown key".to_owned();
                return Err(self.wrong(key.span, &full, reason, &help));
            }
        }
        Ok(())
    }

    fn markers(&self, table: &Table<'_>) -> Result<BTreeMap<String, String>, UsageError> {
        let mut markers = BTreeMap::new();
        for (key, value) in table {
            let name = key.name.as_ref();
            let Some(meaning) = value.as_str() else {
                let help = "write a description of the marker, in quotes";
                let key = format!("markers.{name}");
                return Err(self.wrong(value.span, &key, "expected a string".to_owned(), help));
            };
            markers.insert(name.to_owned(), meaning.to_owned());
        }
        Ok(markers)
    }

    /// The values of a setting, as the command line would give them.
    fn values(
        &self,
        key: &str,
        setting: &Setting,
        value: &Value<'_>,
    ) -> Result<Vec<String>, UsageError> {
        let scalar = |value: &Value<'_>| match value.as_ref() {
            ValueInner::String(text) => Some(text.to_string()),
            ValueInner::Integer(number) if self.is_decimal(value) => Some(number.to_string()),
            ValueInner::Float(number) => Some(number.to_string()),
            ValueInner::Boolean(on) => Some(on.to_string()),
            _ => None,
        };
        let values = match value.as_ref() {
            ValueInner::Array(list) if setting.repeats => list.iter().map(scalar).collect(),
            _ => scalar(value).map(|value| vec![value]),
        };
        values.ok_or_else(|| {
            let help = if setting.repeats {
                "write a string or a list of strings"
            } else {
                "write a string, a number, `true` or `false`"
            };
            let reason = format!(
                "a value of type {} is not allowed here",
                value.as_ref().type_str()
            );
            self.wrong(value.span, key, reason, help)
        })
    }

    /// Whether a number is written in the digits of every day, not as `0x10`.
    fn is_decimal(&self, number: &Value<'_>) -> bool {
        let text = self.text.get(number.span.start..number.span.end);
        text.is_some_and(|text| !text.contains(['x', 'o', 'b']))
    }

    fn table_at<'v, 'i>(
        &self,
        key: &str,
        value: &'v Value<'i>,
    ) -> Result<&'v Table<'i>, UsageError> {
        let key = key.trim_end_matches('.');
        value.as_table().ok_or_else(|| {
            let help = format!("write it as a section, `[{key}]`");
            self.wrong(value.span, key, "expected a section".to_owned(), &help)
        })
    }

    fn unknown(&self, place: Span, key: &str, name: &str) -> UsageError {
        let long_names = self.table.iter().map(|setting| setting.name);
        let aliased = self.table.iter().find(|s| s.aliases.contains(&name));
        let with_dashes = name.replace('_', "-");
        let meant = match aliased {
            Some(setting) => Some(setting.name),
            None => closest(
                &with_dashes,
                long_names.chain(["flags", "markers", "profile", "rule", "system"]),
            ),
        };
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "valid keys are the long flags of `--help`; valid sections are `[flags]`, `[markers]`, `[[rule]]`, `[system.NAME]` and `[profile.NAME]`".to_owned(),
        };
        self.wrong(place, key, "unknown setting".to_owned(), &help)
    }

    pub(super) fn source(&self, place: Span, key: &str) -> Source {
        let before = self.text.get(..place.start).unwrap_or_default();
        Source::File {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            key: key.to_owned(),
        }
    }

    pub(super) fn wrong(&self, place: Span, key: &str, reason: String, help: &str) -> UsageError {
        UsageError::Value {
            said_by: self.source(place, key),
            reason,
            help: help.to_owned(),
        }
    }
}
