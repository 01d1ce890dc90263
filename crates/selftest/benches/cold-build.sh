#!/usr/bin/env bash
# What Armadillo costs a crate of its own: a crate with the feature `etcd` and one test, built cold, beside a crate with
# tokio, hyper, serde_json and clap. Prints crates, CPU seconds (user and system, of all processes of the build) and the
# ratio. Both are built one after the other with the toolchain of this repository, from the same registry.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

crate() { # NAME DEPENDENCIES CODE
  mkdir -p "$work/$1/tests"
  cp "$root/rust-toolchain.toml" "$work/$1/"
  # The versions that this repository is tested with.
  cp "$root/Cargo.lock" "$work/$1/"
  printf '[package]\nname = "%s"\nversion = "0.1.0"\nedition = "2024"\n\n[lib]\npath = "lib.rs"\n\n[[test]]\nname = "it"\nharness = false\n\n[dependencies]\n%s\n[workspace]\n' "$1" "$2" > "$work/$1/Cargo.toml"
  touch "$work/$1/lib.rs"
  printf '%s\n' "$3" > "$work/$1/tests/it.rs"
  (cd "$work/$1" && cargo fetch --quiet)
}

crates() { # NAME
  (cd "$work/$1" && cargo tree --edges normal,build --no-dedupe --prefix none --format '{p}' | sort -u | grep -vc "^$1 ")
}

# What the children of this shell have used, in ticks.
ticks() {
  local stat
  read -r -a stat </proc/$BASHPID/stat
  used=$((stat[15] + stat[16]))
}

cpu() { # NAME
  local used before
  ticks; before=$used
  (cd "$work/$1" && CARGO_INCREMENTAL=0 CARGO_TARGET_DIR="$work/target-$1" cargo test --quiet --offline --no-run) >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; exit 1; }
  ticks
  rm -rf "$work/target-$1"
  awk -v ticks=$((used - before)) -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.1f\n", ticks / hz }'
}

crate stranger "armadillo-test = { path = \"$root/crates/armadillo\", features = [\"etcd\"] }" '
use armadillo::prelude::*;
use armadillo::etcd::Etcd;

#[armadillo::test]
async fn a_key_is_read_back(etcd: Etcd) -> TestResult {
    etcd.client().put("key", "value").await?;
    Ok(())
}

fn main() -> std::process::ExitCode {
    armadillo::main()
}'
crate reference 'clap = { version = "4", features = ["derive"] }
hyper = { version = "1", features = ["full"] }
serde_json = "1"
tokio = { version = "1", features = ["full"] }' 'fn main() {}'

reference=$(cpu reference)
stranger=$(cpu stranger)
printf 'reference: %3d crates, %s s of CPU\n' "$(crates reference)" "$reference"
printf 'stranger:  %3d crates, %s s of CPU\n' "$(crates stranger)" "$stranger"
awk -v a="$stranger" -v b="$reference" 'BEGIN { printf "ratio: %.2f\n", a / b }'
