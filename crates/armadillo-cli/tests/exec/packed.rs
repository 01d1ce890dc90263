//! `armadillo ci pack`: the worse a run went, the more is kept of it.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use armadillo_orchestrator::APPLET_WORD;
use armadillo_selftest::cargo::has;

use super::{ARMADILLO, Said, Scene};

/// Every file below a directory.
fn files(directory: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let below = path.strip_prefix(directory).unwrap();
                found.insert(below.display().to_string());
            }
        }
    }
    found
}

fn pack(scene: &Scene, output: &str, more: &[&str]) -> Said {
    let run = scene.file("runs/latest");
    let run = run.to_str().unwrap();
    scene.run(&[&["ci", "pack", run, "--output", output], more].concat())
}

#[test]
fn of_a_good_run_the_results_of_a_bad_one_the_logs_of_a_crash_everything() {
    let scene = Scene::new();
    assert_eq!(scene.exec(&["single"], "true").code, Some(0));
    let packed = pack(&scene, "good", &[]);
    assert_eq!(packed.code, Some(0), "{}", packed.stderr);
    let good = files(&scene.file("good"));
    for name in ["events.jsonl", "results.json", "junit.xml", "report.html"] {
        assert!(good.contains(&format!("results/{name}")), "{good:?}");
    }
    let others = good.iter().filter(|name| !name.starts_with("results/"));
    assert_eq!(others.count(), 0, "{good:?}");
    for line in ["(always kept)", "logs     nothing", "crashes  nothing"] {
        assert!(packed.stdout.contains(line), "{}", packed.stdout);
    }

    assert_eq!(scene.exec(&["single"], "exit 7").code, Some(7));
    let packed = pack(&scene, "bad", &[]);
    let bad = files(&scene.file("bad"));
    let log = |name: &str| name.starts_with("logs/servers/") && name.ends_with("/log");
    assert!(bad.iter().any(|name| log(name)), "{bad:?}");
    assert!(
        !bad.iter().any(|name| name.starts_with("crashes/")),
        "{bad:?}"
    );
    assert!(
        packed.stdout.contains("(tests failed)"),
        "{}",
        packed.stdout
    );

    // What a server that crashed leaves.
    let servers = fs::read_dir(scene.file("runs/latest/servers")).unwrap();
    let deployment = servers.flatten().next().unwrap().path();
    fs::create_dir(deployment.join("crashes")).unwrap();
    fs::write(deployment.join("crashes/server.core"), vec![7; 3 << 20]).unwrap();
    fs::write(deployment.join("crashes/server.stacks.txt"), "main").unwrap();
    let packed = pack(&scene, "crashed", &[]);
    let crashed = files(&scene.file("crashed"));
    for name in ["server.core", "server.stacks.txt"] {
        let is_it = |file: &String| file.starts_with("crashes/servers/") && file.ends_with(name);
        assert!(crashed.iter().any(is_it), "{crashed:?}");
    }
    assert!(packed.stdout.contains("cores contain"), "{}", packed.stdout);

    // What is too large is left out, and named; the small files come first.
    let packed = pack(&scene, "small", &["--max", "2M"]);
    let small = files(&scene.file("small"));
    assert!(
        !small.iter().any(|name| name.ends_with(".core")),
        "{small:?}"
    );
    assert!(
        small.iter().any(|name| name.ends_with(".stacks.txt")),
        "{small:?}"
    );
    let left = packed
        .stdout
        .lines()
        .find(|line| line.starts_with("left out: "));
    assert!(
        left.is_some_and(|line| line.ends_with("server.core, 3.0 MiB")),
        "{}",
        packed.stdout
    );
}

/// Writes a program of this name that runs another one.
fn program(scene: &Scene, name: &str, runs: &str) -> String {
    let path = scene.file(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\nexec {runs} \"$@\"\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// Two systems may have it, and versions of one mostly do.
#[test]
fn programs_of_one_name_are_all_kept() {
    if !has("etcd", &["--version"], "ARMADILLO_REQUIRE_ETCD") {
        return;
    }
    let scene = Scene::new();
    let emulator = format!("{ARMADILLO} {APPLET_WORD} arangod");
    let one = program(&scene, "one/server", &emulator);
    let two = program(&scene, "two/server", "etcd");
    let topologies = [
        "single",
        "etcd(members = 1)",
        "--arangod",
        &one,
        "--etcd",
        &two,
    ];
    scene.exec(&topologies, "exit 7").ended(7);
    let deployments = fs::read_dir(scene.file("runs/latest/servers")).unwrap();
    let crashes = deployments.flatten().next().unwrap().path().join("crashes");
    fs::create_dir(&crashes).unwrap();
    fs::write(crashes.join("server.core"), "core").unwrap();
    pack(&scene, "packed", &[]).ended(0);
    let kept = |number: u32| {
        let kept = scene.file(&format!("packed/crashes/programs/{number}/server"));
        fs::read_to_string(kept).unwrap()
    };
    for (number, program) in [(1, one), (2, two)] {
        assert_eq!(kept(number), fs::read_to_string(program).unwrap());
    }
}

#[test]
fn what_cannot_be_packed_says_why() {
    let scene = Scene::new();
    let none = scene.run(&["ci", "pack", "nothing", "--output", "packed"]);
    assert_eq!(none.code, Some(2), "{}", none.stderr);
    assert_eq!(scene.exec(&["single"], "true").code, Some(0));
    fs::create_dir(scene.file("full")).unwrap();
    fs::write(scene.file("full/mine"), "").unwrap();
    let full = pack(&scene, "full", &[]);
    assert_eq!(full.code, Some(2));
    assert!(full.stderr.contains("full is not empty"), "{}", full.stderr);
    let size = pack(&scene, "packed", &["--max", "much"]);
    assert_eq!(size.code, Some(2));
    assert!(size.stderr.contains("`500M`, `2G`"), "{}", size.stderr);
}
