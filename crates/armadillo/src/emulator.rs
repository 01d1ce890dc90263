//! The stand-in for arangod, built into the test executable as an applet.

use armadillo_orchestrator::Applet;

inventory::submit! {
    Applet { name: "arangod", main: arangod_emulator::main }
}
