//! Configuration files: sections, assignments, `@include`, `@NAME@`.

use std::path::{Path, PathBuf};

use super::OptionError;
use super::parse::{Values, assign, lookup};

/// How deep files may include each other.
const MAX_DEPTH: usize = 16;

/// Reads a file and everything that it includes.
pub(super) fn read(path: &Path, defines: &[String]) -> Result<Values, OptionError> {
    let mut values = Values::new();
    read_into(&mut values, path, defines, 0)?;
    Ok(values)
}

fn read_into(
    values: &mut Values,
    path: &Path,
    defines: &[String],
    depth: usize,
) -> Result<(), OptionError> {
    let text = std::fs::read_to_string(path).map_err(|source| OptionError::ConfigFile {
        path: path.display().to_string(),
        source,
    })?;
    let mut section = String::new();
    for (index, line) in text.lines().enumerate() {
        let wrong = |reason: String| OptionError::ConfigLine {
            path: path.display().to_string(),
            line: index + 1,
            reason,
        };
        let line = substitute(line.trim(), defines);
        if line.is_empty() || line.starts_with('#') || line.starts_with(';') {
            continue;
        }
        if let Some(name) = line.strip_prefix("@include") {
            if depth == MAX_DEPTH {
                return Err(wrong(String::from("files include each other too deeply")));
            }
            read_into(values, &beside(path, name.trim()), defines, depth + 1)?;
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            let name = name
                .strip_suffix(']')
                .ok_or_else(|| wrong(format!("section without end: {line}")))?;
            section = String::from(name.trim());
            continue;
        }
        let (key, given) = line
            .split_once('=')
            .ok_or_else(|| wrong(format!("expecting 'name = value', got: {line}")))?;
        let key = key.trim();
        let name = if section.is_empty() || key.contains('.') {
            format!("--{key}")
        } else {
            format!("--{section}.{key}")
        };
        assign(values, lookup(&name)?, String::from(given.trim()))?;
    }
    Ok(())
}

/// An included file lies beside the one that includes it; `.conf` may be left out.
fn beside(path: &Path, name: &str) -> PathBuf {
    let mut file = PathBuf::from(name);
    if file.extension().is_none() {
        file.set_extension("conf");
    }
    match path.parent() {
        Some(folder) if file.is_relative() => folder.join(file),
        _ => file,
    }
}

/// Replaces every `@NAME@` by `--define NAME=VALUE`, or by the environment.
fn substitute(line: &str, defines: &[String]) -> String {
    let mut result = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('@') {
        let Some((name, behind)) = after.split_once('@') else {
            break;
        };
        let named = !name.is_empty()
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        match named.then(|| lookup_name(name, defines)).flatten() {
            Some(value) => {
                result.push_str(before);
                result.push_str(&value);
                rest = behind;
            }
            None => {
                result.push_str(before);
                result.push('@');
                rest = after;
            }
        }
    }
    result.push_str(rest);
    result
}

fn lookup_name(name: &str, defines: &[String]) -> Option<String> {
    defines
        .iter()
        .rev()
        .find_map(|define| {
            let (key, value) = define.split_once('=')?;
            (key == name).then(|| String::from(value))
        })
        .or_else(|| std::env::var(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_include_and_substitute() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("common.conf"),
            "[log]\nlevel = info\nlevel = startup=@LEVEL@\n",
        )
        .unwrap();
        let main = folder.path().join("main.conf");
        std::fs::write(
            &main,
            "# a comment\n@include common\n[server]\nendpoint = tcp://@HOST_NAME@:8529\nstorage-engine = rocksdb\n",
        )
        .unwrap();
        let defines = ["LEVEL=trace", "HOST_NAME=127.0.0.1"].map(String::from);
        let values = read(&main, &defines).unwrap();
        assert_eq!(values["--log.level"], ["info", "startup=trace"]);
        assert_eq!(values["--server.endpoint"], ["tcp://127.0.0.1:8529"]);
    }

    #[test]
    fn a_lonely_sign_stays() {
        assert_eq!(substitute("a@b", &[]), "a@b");
        assert_eq!(
            substitute("root@home @A@", &[String::from("A=1")]),
            "root@home 1"
        );
    }

    #[test]
    fn unknown_names_and_bad_lines_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.conf");
        for text in [
            "[server]\nendpont = x\n",
            "[server\n",
            "just words\n",
            "@include a\n",
        ] {
            std::fs::write(&file, text).unwrap();
            assert!(read(&file, &[]).is_err(), "{text}");
        }
    }
}
