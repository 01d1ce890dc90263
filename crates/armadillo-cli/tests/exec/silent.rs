//! A session whose daemon never answers.

use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use armadillo_orchestrator::process::proc_fs;
use serde_json::json;

use super::Scene;

/// It is gone when this is dropped.
pub(super) struct Silent {
    directory: PathBuf,
    _socket: UnixListener,
}

impl Silent {
    pub(super) fn in_scene(scene: &Scene) -> Self {
        let directory = scene.file("private").join("0");
        std::fs::create_dir_all(&directory).unwrap();
        let socket = directory.join("socket");
        let listening = UnixListener::bind(&socket).unwrap();
        let pid = std::process::id();
        let session = json!({
            "command": "up",
            "pid": pid,
            "start_time": proc_fs::start_time(pid).unwrap(),
            "socket": socket,
            "lease": "0",
            "token": "0",
            "deployments": ["0"],
            "variables": {},
            "files": directory,
        });
        std::fs::write(directory.join("session.json"), session.to_string()).unwrap();
        Self {
            directory,
            _socket: listening,
        }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.directory);
    }
}
