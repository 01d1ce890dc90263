//! The emulator with one defect: `drop-without-agency`.

fn main() -> std::process::ExitCode {
    let args = std::env::args_os().skip(1).collect();
    arangod_emulator::planted::main("drop-without-agency", args)
}
