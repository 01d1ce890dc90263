#!/usr/bin/env bash
# The proofs of the example suite beside processes that do nothing but use a CPU: what was acknowledged must survive there
# too. Runs them RUNS times (20) beside LOOPS (60) of these, and counts the verdicts; a proof that could not find out is
# inconclusive, and counted apart. Exits with 1 if a proof failed otherwise.
#
#   crates/selftest/benches/proof-under-load.sh [RUNS] [LOOPS]
set -euo pipefail
cd "$(dirname "$0")/../../.."
runs=${1:-20} loops=${2:-60}
if ! [[ $runs =~ ^[1-9][0-9]*$ && $loops =~ ^[0-9]+$ ]]; then
  echo "usage: $0 [RUNS] [LOOPS]: two numbers, 20 and 60 by default" >&2
  exit 2
fi
results=$(mktemp -d)
busy=()
end_loops() {
  [ ${#busy[@]} = 0 ] || kill "${busy[@]}" 2>/dev/null || true
  rm -rf "$results"
}
trap end_loops EXIT

cargo test --quiet -p harness-example --no-run
for _ in $(seq "$loops"); do
  # A session for each: where the kernel shares its time among sessions first, one session of sixty loops is one loop.
  setsid bash -c 'while :; do :; done' &
  busy+=($!)
done
for run in $(seq "$runs"); do
  # Inconclusive is counted below, not a failure of this script.
  cargo test --quiet -p harness-example -- -n 1 -k "consistency and not for_long" --timeout-factor 10 --output-dir "$results/$run" \
    >"$results/log" 2>&1 || true
  found="$results/$run/latest/results.json"
  [ -f "$found" ] || { cat "$results/log" >&2; exit 1; }
  echo "run $run: $(grep -E '^(test result|[0-9]+ passed)' "$results/log" | tail -1)"
  cp "$found" "$results/$run.json"
done
python3 - "$results"/*.json <<'PY'
import collections, json, sys
totals = collections.Counter()
for path in sys.argv[1:]:
    totals.update(json.load(open(path))["totals"])
print(", ".join(f"{totals[verdict]} {verdict}" for verdict in ("passed", "failed", "inconclusive")))
sys.exit(1 if totals["failed"] or not totals["passed"] else 0)
PY
