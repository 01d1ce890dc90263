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

# What takes longer than anybody waits for after a change: runs that are killed at random moments, many times, ten minutes of test
# processes under nextest that are killed at random, every stage of `--doctor` on every defect, upgrades of etcd that fail, mixtures
# of its versions for ten seeds, stale reads that a bug of etcd causes, the proof through upgrades, and the whole of the Go driver's
# suite under `armadillo exec`.
long ROUNDS="200":
    ARMADILLO_ROUNDS={{ROUNDS}} cargo test -p armadillo-selftest --test orphans -- --nocapture --test-threads 2 a_storm
    SELFTEST_SECONDS=600 cargo test -p armadillo-selftest --test neighbours -- --nocapture processes_that_die
    cargo test -p armadillo-selftest --test doctor -- --include-ignored --test-threads 2
    for version in 3.5.16 3.5.35 3.6.8 3.6.16 3.7.3; do cargo run -p armadillo-cli -- get etcd $version; done
    cargo test -p armadillo-selftest --test exits -- --include-ignored upgrades
    cargo test -p armadillo-selftest --test exits -- --include-ignored --nocapture stale_reads
    cargo test -p harness-example -- --runslow --repeat 10 --exact upgrade::versions_live_together
    cargo test -p harness-example -- --runslow --rounds 40 --exact consistency::etcd_keeps_what_it_acknowledged_through_upgrades
    cargo test -p harness-example -- --runslow --rounds 40 --exact consistency::a_cluster_keeps_the_documents_it_acknowledged_through_an_upgrade
    ARMADILLO_REQUIRE_GO=1 cargo test -p armadillo-cli --test go_driver -- --include-ignored --nocapture the_whole

# The proofs of the example suite beside 60 busy loops, five runs at the same moment: each five take half an hour of a whole machine. What
# RESULTS has from before counts, too.
proof-under-load RUNS="20" RESULTS="target/proof-under-load":
    crates/selftest/benches/proof-under-load.sh {{RUNS}} 60 5 {{RESULTS}}

# The longest time without an acknowledged write during a rolling restart of etcd, beside the same by hand. For a quiet machine.
rolling-restart:
    cargo bench -p armadillo-selftest --bench rolling-restart

# ArangoDB's own programs judge the emulator, in all modes: needs Go.
judges:
    ARMADILLO_REQUIRE_GO=1 cargo test -p arangod-emulator --test emulator -- --include-ignored --nocapture --test-threads 1 judges::

# `report.html` in a browser, with its times, pages of 20 runs that are killed, and pictures of it all in DIRECTORY.
report DIRECTORY="/tmp":
    ARMADILLO_REQUIRE_CHROMIUM=1 ARMADILLO_MEASURE=1 ARMADILLO_ROUNDS=60 ARMADILLO_SCREENSHOTS={{DIRECTORY}} cargo test -p armadillo-selftest --test files -- --nocapture --test-threads 1
