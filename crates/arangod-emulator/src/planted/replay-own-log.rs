//! The emulator with one defect: `replay-own-log`.

fn main() -> std::process::ExitCode {
    let args = std::env::args_os().skip(1).collect();
    arangod_emulator::planted::main("replay-own-log", args)
}
