//! The emulator with one defect: `ack-before-replicating`.

fn main() -> std::process::ExitCode {
    let args = std::env::args_os().skip(1).collect();
    arangod_emulator::planted::main("ack-before-replicating", args)
}
