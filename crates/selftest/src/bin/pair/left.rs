//! One of two suites that run at the same time.

mod pair;

fn main() -> std::process::ExitCode {
    pair::main()
}
