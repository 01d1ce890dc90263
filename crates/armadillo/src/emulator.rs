//! The stand-in for arangod, built into the test executable as an applet.

use armadillo_orchestrator::{Applet, build_id};

inventory::submit! {
    Applet { name: "arangod", main: arangod_emulator::main, build: Some(build) }
}

fn build() -> String {
    build_id::<arangod_emulator::Build>(&[arangod_emulator::Build::SOURCES])
}
