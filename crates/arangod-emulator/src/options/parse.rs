//! From arguments to options.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::catalog::{self, Kind, Spec};
use super::{OptionError, Options, config_file, suggest, value};

/// Values in the order of their source, one source at a time.
pub(super) type Values = BTreeMap<&'static str, Vec<String>>;

/// Reads the command line and the configuration file that it names.
pub(crate) fn parse(args: Vec<OsString>) -> Result<Options, OptionError> {
    let mut options = Options::default();
    let mut line = Values::new();
    let mut directory: Option<String> = None;
    let mut args = args
        .into_iter()
        .map(|arg| arg.into_string().map_err(OptionError::NotUtf8))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .peekable();

    while let Some(arg) = args.next() {
        if !arg.starts_with('-') {
            if directory.is_some() {
                return Err(OptionError::Surplus(arg));
            }
            directory = Some(arg);
            continue;
        }
        let (name, inline) = match arg.split_once('=') {
            Some((name, value)) => (String::from(name), Some(String::from(value))),
            None => (arg, None),
        };
        let name = normalise(&name);
        if name == "--help" || name.starts_with("--help-") {
            options.help = Some(name);
            continue;
        }
        let spec = lookup(&name)?;
        let given = match inline {
            Some(text) => text,
            None => match spec.kind {
                Kind::Flag => match args.next_if(|next| value::flag(next).is_some()) {
                    Some(text) => text,
                    None => String::from("true"),
                },
                Kind::Obsolete => args
                    .next_if(|next| !next.starts_with('-'))
                    .unwrap_or_default(),
                _ => args.next().ok_or_else(|| OptionError::Missing {
                    name: String::from(spec.name),
                })?,
            },
        };
        assign(&mut line, spec, given)?;
    }
    if let Some(directory) = directory {
        line.insert("--database.directory", vec![directory]);
    }

    options.set = from_file(&line)?;
    options.set.extend(line);
    Ok(options)
}

/// The values of the configuration file that the command line names, if it names one.
fn from_file(line: &Values) -> Result<Values, OptionError> {
    let named = ["--configuration", "--config"]
        .iter()
        .find_map(|name| line.get(name)?.last());
    match named.map(String::as_str) {
        None | Some("none" | "") => Ok(Values::new()),
        Some(path) => {
            let defines = line.get("--define").map_or(&[][..], Vec::as_slice);
            config_file::read(Path::new(path), defines)
        }
    }
}

/// Checks a value and puts it where it belongs: beside the earlier ones, or in their place.
pub(super) fn assign(
    values: &mut Values,
    spec: &'static Spec,
    text: String,
) -> Result<(), OptionError> {
    if let Some(reason) = value::refuse(spec.kind, &text) {
        return Err(OptionError::Value {
            name: String::from(spec.name),
            reason,
        });
    }
    let slot = values.entry(spec.name).or_default();
    if spec.kind != Kind::TextList {
        slot.clear();
    }
    slot.push(text);
    Ok(())
}

/// Finds an option or says which name is near.
pub(super) fn lookup(name: &str) -> Result<&'static Spec, OptionError> {
    catalog::find(name).ok_or_else(|| OptionError::Unknown {
        name: String::from(name),
        near: suggest::near(name),
    })
}

/// Short names, one dash instead of two, and the version options without a section.
fn normalise(name: &str) -> String {
    match name {
        "-c" => String::from("--configuration"),
        "-D" => String::from("--define"),
        "-h" => String::from("--help"),
        _ if name.starts_with("--") => String::from(name),
        _ => format!("-{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Options, OptionError> {
        parse(args.iter().map(OsString::from).collect())
    }

    #[test]
    fn every_spelling_of_a_value() {
        let options = parsed(&[
            "--server.endpoint=tcp://127.0.0.1:1",
            "--server.endpoint",
            "tcp://127.0.0.1:2",
            "--log.role",
            "--server.authentication",
            "false",
            "--log.level",
            "startup=trace",
            "data",
        ])
        .unwrap();
        assert_eq!(options.list("--server.endpoint").len(), 2);
        assert!(options.flag("--log.role"));
        assert!(!options.flag("--server.authentication"));
        assert_eq!(options.text("--database.directory"), "data");
        assert_eq!(options.list("--log.level"), ["startup=trace"]);
    }

    #[test]
    fn names_of_earlier_versions_are_understood() {
        let options = parsed(&[
            "--server.authenticate-system-only=false",
            "--database.extended-names-databases",
            "--javascript.files-whitelist=.*",
        ]);
        let options = options.unwrap();
        assert!(!options.flag("--server.authentication-system-only"));
        assert!(options.flag("--database.extended-names"));
        assert_eq!(options.list("--javascript.files-allowlist"), [".*"]);
    }

    #[test]
    fn every_name_of_an_earlier_version_has_one_of_today() {
        for (old, new) in catalog::RENAMED {
            assert!(catalog::all().contains_key(new), "{old}: {new}");
            assert!(!catalog::all().contains_key(old), "{old}");
        }
    }

    #[test]
    fn every_official_option_takes_its_default() {
        for spec in catalog::all().values() {
            if spec.name == "--configuration" || spec.name == "--config" {
                continue;
            }
            let given = spec.default.first().cloned().unwrap_or_default();
            let args = match spec.kind {
                Kind::Flag if given.is_empty() => vec![String::from(spec.name)],
                _ => vec![format!("{}={given}", spec.name)],
            };
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            assert!(parsed(&args).is_ok(), "{} refused", spec.name);
        }
        assert!(catalog::all().len() > 475);
    }

    #[test]
    fn wrong_names_and_values_have_their_own_codes() {
        use crate::exit::Exit;
        let code = |args: &[&str]| parsed(args).unwrap_err().exit();
        assert_eq!(code(&["--server.endpont", "x"]), Exit::InvalidOptionName);
        assert_eq!(code(&["--agency.size", "many"]), Exit::InvalidOptionValue);
        assert_eq!(code(&["--log.role=maybe"]), Exit::InvalidOptionValue);
        assert_eq!(code(&["--agency.size"]), Exit::InvalidOptionValue);
        assert_eq!(code(&["-c", "/does/not/exist.conf"]), Exit::ConfigNotFound);
        assert_eq!(code(&["one", "two"]), Exit::Failed);
    }

    #[test]
    fn obsolete_options_are_swallowed() {
        let options = parsed(&["--server.storage-engine", "rocksdb", "dir"]).unwrap();
        assert_eq!(options.text("--database.directory"), "dir");
    }
}
