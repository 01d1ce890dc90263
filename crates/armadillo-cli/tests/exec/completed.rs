//! What the shell offers when somebody presses the tab key.

use std::fs;

use super::{Scene, said};

/// The lines that the function of the shell gets for this beginning of a command line, whose last word is not finished.
fn completed(scene: &Scene, words: &[&str]) -> Vec<String> {
    let mut asked = scene.command(&[&["--", "armadillo"], words].concat());
    asked
        .env("_ARMADILLO_COMPLETE", "fish")
        .env("ARMADILLO_SERVERS_DIR", scene.file("servers"));
    let said = said(&asked.output().unwrap()).ended(0).stdout;
    said.lines().map(str::to_owned).collect()
}

#[test]
fn a_program_is_a_version_of_the_cache_or_a_path() {
    let scene = Scene::new();
    for version in ["3.5.35", "3.6.8", "3.6.16", "3.6.16+gofail"] {
        fs::create_dir_all(scene.file("servers/etcd").join(version)).unwrap();
    }
    fs::write(scene.file("3.6-of-mine"), "").unwrap();
    for command in ["exec", "up"] {
        let offered = completed(&scene, &[command, "etcd", "--etcd", "3.6"]);
        let all = [
            "3.6-of-mine",
            "3.6.16\tetcd",
            "3.6.16+gofail\tetcd",
            "3.6.8\tetcd",
        ];
        assert_eq!(offered, all, "{command}");
    }
    let offered = completed(&scene, &["upgrade", "3.5"]);
    assert_eq!(offered, ["3.5.35\tetcd"]);
    // No version of it can be in the cache.
    let offered = completed(&scene, &["up", "cluster", "--arangod", "3.6"]);
    assert_eq!(offered, ["3.6-of-mine"]);
}

#[test]
fn what_can_be_fetched_is_offered() {
    let scene = Scene::new();
    fs::create_dir(scene.file("servers")).unwrap();
    fs::write(scene.file("seven"), "").unwrap();
    assert_eq!(completed(&scene, &["get", ""])[0], "etcd");
    let lines = completed(&scene, &["get", "etcd", "3."]);
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[2], "3.6\tthe newest 3.6");
    let directories = completed(&scene, &["get", "etcd", "3.6", "--servers-dir", "se"]);
    assert_eq!(directories, ["servers/"]);
}
