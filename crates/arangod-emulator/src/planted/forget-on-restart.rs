//! The emulator with one defect: `forget-on-restart`.

fn main() -> std::process::ExitCode {
    let args = std::env::args_os().skip(1).collect();
    arangod_emulator::planted::main("forget-on-restart", args)
}
