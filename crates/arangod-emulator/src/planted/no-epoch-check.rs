//! The emulator with one defect: `no-epoch-check`.

fn main() -> std::process::ExitCode {
    let args = std::env::args_os().skip(1).collect();
    arangod_emulator::planted::main("no-epoch-check", args)
}
