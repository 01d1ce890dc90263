//! The emulator with one defect: `no-handshake`.

fn main() -> std::process::ExitCode {
    let args = std::env::args_os().skip(1).collect();
    arangod_emulator::planted::main("no-handshake", args)
}
