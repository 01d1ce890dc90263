//! Where `arangod` may be, how to get it, and what it says of its version.
//!
//! Packages install it into `sbin`, which is not in the `PATH` of users. What is `bin/arangod` in the official tarball is a
//! script: it starts `usr/sbin/arangod` with an endpoint on port 8529 in addition to those it is given (`server.endpoint` is an
//! option that is given several times). The second such server of a machine cannot start, so the program itself is used.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use armadillo_orchestrator::{Candidate, Installed, Program, Settings};

/// The setting that names the program.
pub(crate) const SETTING: &str = "arangod";

/// The word that names the stand-in instead of a file. It is used nowhere else.
const STAND_IN: &str = "emulator";

/// What is between that word and the version that it stands in for: `emulator@3.11.14`.
const VERSION_MARK: char = '@';

/// The stand-in's own option of which version it is. `arangod` does not know it.
const IMITATE: &str = "--imitate";

/// The title of the stand-in in every report.
const TITLE: &str = "arangod-emulator, a stand-in, not ArangoDB";

pub(crate) fn candidates(settings: &Settings) -> Vec<Candidate> {
    let Some(name) = settings.get(SETTING) else {
        return usual();
    };
    vec![named(name)]
}

/// Where it is found without anybody naming it.
fn usual() -> Vec<Candidate> {
    let packages = ["/usr/sbin/arangod", "/usr/local/sbin/arangod"];
    let packages = packages.map(|path| Candidate::Usually(path.into()));
    let unpacked = BELOW.map(|file| Candidate::UsuallyBelow {
        parent: "/opt".into(),
        prefix: "arangodb3",
        file,
    });
    let on_path = [Candidate::OnPath("arangod")];
    on_path
        .into_iter()
        .chain(packages)
        .chain(unpacked)
        .collect()
}

/// Where it is below a directory that holds it: an unpacked tarball, a build, an installation.
const BELOW: [&str; 3] = ["usr/sbin/arangod", "bin/arangod", "sbin/arangod"];

/// As much of a script as is read.
const SCRIPT: u64 = 64 << 10;

/// What to run where `arangod` was found or named: a program, a script in front of one, or a directory that holds one.
pub(crate) fn installed(found: &Path) -> Result<Installed, String> {
    if found.is_dir() {
        let inside = BELOW.map(|file| found.join(file));
        let first = inside.iter().find(|file| file.is_file());
        return match first {
            Some(file) => installed(file),
            None => Err(format!("is a directory without {}", BELOW.join(", "))),
        };
    }
    let mut place = Installed::at(found);
    if adds_an_endpoint(found) {
        // A link to the script lies elsewhere than the script.
        let script = found.canonicalize().unwrap_or_else(|_| found.to_owned());
        let program = root_of(&script).join("usr/sbin/arangod");
        if !program.is_file() {
            return Err(format!(
                "is a script that adds an endpoint, and the program that it starts is not {}",
                program.display()
            ));
        }
        place.program = program;
        place.note = Some(format!(
            "instead of {}, a script that adds an endpoint on a fixed port",
            found.display()
        ));
    }
    // Needed only if somebody switches JavaScript on; a server does not find it without a configuration file.
    if let Some(directory) = startup_directory(&place.program) {
        let directory = directory.display().to_string();
        place.args = vec!["--javascript.startup-directory".to_owned(), directory];
    }
    Ok(place)
}

/// Whether a file is a script that starts a server with an endpoint of its own.
fn adds_an_endpoint(file: &Path) -> bool {
    let mut text = Vec::new();
    let read = File::open(file).and_then(|file| file.take(SCRIPT).read_to_end(&mut text));
    let option = b"--server.endpoint";
    read.is_ok() && text.starts_with(b"#!") && text.windows(option.len()).any(|part| part == option)
}

/// The directory with the `bin` or `sbin` of a program.
fn root_of(program: &Path) -> PathBuf {
    let root = program.parent().and_then(Path::parent);
    root.unwrap_or(Path::new("/")).to_owned()
}

/// The JavaScript files of a server: of an installation, of a build, or of the sources that the build is in.
fn startup_directory(program: &Path) -> Option<PathBuf> {
    let beside = |program: &Path| {
        let root = root_of(program);
        let sources = root.parent().map(|sources| sources.join("js"));
        let places = [root.join("share/arangodb3/js"), root.join("js")];
        let mut places = places.into_iter().chain(sources);
        places.find(|place| place.join("server").is_dir())
    };
    // A link may lie elsewhere than the program.
    beside(program).or_else(|| beside(&program.canonicalize().ok()?))
}

/// The file or directory of that name, or the stand-in, for a version that it is told or its own.
pub(crate) fn named(name: &str) -> Candidate {
    let (word, version) = match name.split_once(VERSION_MARK) {
        Some((word, version)) => (word, Some(version)),
        None => (name, None),
    };
    if word != STAND_IN {
        return Candidate::File(name.into());
    }
    let told = |version: &str| vec![IMITATE.to_owned(), version.to_owned()];
    Candidate::StandIn {
        applet: "arangod",
        title: TITLE,
        args: version.map(told).unwrap_or_default(),
    }
}

/// Whether the data of a server must be upgraded for this version: if it is of an older minor version. Data of another patch
/// level is that of the same version (`Version.cpp`), and for older programs there is no way back.
pub(crate) fn needs_upgrade(before: &Program, now: &Program) -> bool {
    match (minor(before), minor(now)) {
        (Some(before), Some(now)) => before < now,
        // Who does not say it is asked at its start, and exits if it must.
        _ => false,
    }
}

/// The two numbers of a program's minor version.
pub(crate) fn minor(program: &Program) -> Option<(u32, u32)> {
    let version = program.version.as_deref()?;
    let mut numbers = version.split(['.', '-']).map(|number| number.parse().ok());
    let mut next = || -> Option<u32> { numbers.next()? };
    Some((next()?, next()?))
}

pub(crate) const HOW_TO_GET: &str = "\
install ArangoDB 3.12 (https://docs.arangodb.com)
or set the path of the program, of an unpacked tarball, or of a build directory: --arangod PATH, ARMADILLO_ARANGOD=PATH,
or `arangod = \"PATH\"` in armadillo.toml
or use the built-in stand-in, which is not ArangoDB: --arangod emulator, or a version of it, --arangod emulator@3.11.14";

/// The version in the output of `arangod --version`: the line `server-version: 3.12.10`, or a first line that is nothing
/// but a version (what the ArangoDB Starter reads; the bare line is what older servers print).
pub(crate) fn version_of(output: &str) -> Option<String> {
    let named = output.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "server-version").then(|| value.trim())
    });
    let bare = || output.lines().next().map(str::trim);
    let version = named.or_else(bare)?;
    let is_version = version.contains('.') && version.starts_with(|c: char| c.is_ascii_digit());
    (is_version && !version.contains(' ')).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(arangod: &str) -> Settings {
        let mut settings = Settings::default();
        settings.set(SETTING, vec![arangod.to_owned()]);
        settings
    }

    #[test]
    fn the_stand_in_is_used_only_where_it_is_named() {
        let usual = candidates(&Settings::default());
        assert_eq!(usual[0], Candidate::OnPath("arangod"));
        assert_eq!(usual.len(), 6);
        let stands_in = |candidate: &Candidate| matches!(candidate, Candidate::StandIn { .. });
        assert!(!usual.iter().any(stands_in));
        assert_eq!(
            candidates(&settings("/opt/arangod")),
            [Candidate::File("/opt/arangod".into())]
        );
        assert!(matches!(
            candidates(&settings("emulator"))[..],
            [Candidate::StandIn { applet: "arangod", title, ref args }]
                if title.contains("not ArangoDB") && args.is_empty()
        ));
        assert!(matches!(
            named("emulator@3.11.14"),
            Candidate::StandIn { args, .. } if args == ["--imitate", "3.11.14"]
        ));
        // A file may have such a name.
        let path = "/opt/builds/arangod@3.11";
        assert_eq!(named(path), Candidate::File(path.into()));
    }

    #[test]
    fn data_of_an_older_minor_version_must_be_upgraded() {
        let program = |version: Option<&str>| Program {
            path: "/arangod".into(),
            leading_args: Vec::new(),
            version: version.map(str::to_owned),
            title: "a toy".to_owned(),
            stand_in: false,
            note: None,
            origin: None,
            sanitizers: Default::default(),
            features: Default::default(),
        };
        for (before, now, expected) in [
            (Some("3.11.14"), Some("3.12.4"), true),
            (Some("3.9.1"), Some("3.12.4-devel"), true),
            (Some("3.12.4"), Some("4.0.0"), true),
            (Some("3.12.4"), Some("3.12.10"), false),
            (Some("3.12.10"), Some("3.11.14"), false),
            (None, Some("3.12.4"), false),
            (Some("3.12.4"), None, false),
        ] {
            let needs = needs_upgrade(&program(before), &program(now));
            assert_eq!(needs, expected, "{before:?} {now:?}");
        }
    }

    #[test]
    fn a_script_that_adds_an_endpoint_is_not_run() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for name in ["bin", "usr/sbin"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        let (script, program) = (root.join("bin/arangod"), root.join("usr/sbin/arangod"));
        let text = "#!/bin/sh\nexec arangod --server.endpoint tcp://127.0.0.1:8529 \"$@\"\n";
        std::fs::write(&script, text).unwrap();
        let refused = installed(&script).unwrap_err();
        assert!(refused.contains("adds an endpoint"), "{refused}");
        std::fs::write(&program, "ELF").unwrap();
        let canonical = program.canonicalize().unwrap();
        assert_eq!(installed(&script).unwrap().program, canonical);
        assert_eq!(installed(root).unwrap(), Installed::at(&program));
        std::fs::write(&script, text.replace("--server.endpoint", "--log.level")).unwrap();
        assert_eq!(installed(&script).unwrap(), Installed::at(&script));
    }

    #[test]
    fn the_version_is_read_from_its_line_or_from_a_bare_first_one() {
        let output = "architecture: 64bit\nserver-version: 3.12.10\nfull-version-string: ArangoDB 3.12.4 enterprise";
        assert_eq!(version_of(output).as_deref(), Some("3.12.10"));
        assert_eq!(
            version_of("3.12.4\n\narm: false").as_deref(),
            Some("3.12.4")
        );
        assert_eq!(version_of("3.12.4-devel").as_deref(), Some("3.12.4-devel"));
        assert_eq!(version_of("GNU sed 4.8"), None);
        assert_eq!(version_of("4.8 of something"), None);
        assert_eq!(version_of(""), None);
    }
}
