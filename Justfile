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
