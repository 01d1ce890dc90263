# The example suite.
example *ARGS:
    cargo test -- -m "not slow" -n 4 {{ARGS}}

# Every test of the workspace.
test:
    cargo test --workspace

# Format and lints, as CI checks them.
lint:
    cargo fmt --all -- --check
    cargo clippy --workspace --all-targets -- -D warnings

# What takes longer than anybody waits for after a change: runs that are killed at random moments, many times, and every
# stage of `--doctor` on every defect.
long ROUNDS="200":
    ARMADILLO_ROUNDS={{ROUNDS}} cargo test -p armadillo-selftest --test orphans -- --nocapture --test-threads 2 a_storm
    cargo test -p armadillo-selftest --test doctor -- --include-ignored --test-threads 2

# The proofs of the example suite beside 60 busy loops: takes hours on two cores.
proof-under-load RUNS="20":
    crates/selftest/benches/proof-under-load.sh {{RUNS}}

# ArangoDB's own programs judge the emulator, in all modes: needs Go.
judges:
    ARMADILLO_REQUIRE_GO=1 cargo test -p arangod-emulator --test emulator -- --include-ignored --nocapture --test-threads 1 judges::
