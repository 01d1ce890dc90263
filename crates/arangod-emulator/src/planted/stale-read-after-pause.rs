//! The emulator with one defect: `stale-read-after-pause`.

fn main() -> std::process::ExitCode {
    let args = std::env::args_os().skip(1).collect();
    arangod_emulator::planted::main("stale-read-after-pause", args)
}
