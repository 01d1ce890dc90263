#!/usr/bin/env bash
# The proofs of the example suite beside processes that do nothing but use a CPU: what was acknowledged must survive there
# too. Runs them RUNS times (20), TOGETHER (1) of these at the same moment, beside LOOPS (60) busy loops, and counts the verdicts; a
# proof that could not find out is inconclusive, and counted apart. Exits with 1 if a proof failed otherwise.
#
#   crates/selftest/benches/proof-under-load.sh [RUNS] [LOOPS] [TOGETHER] [DIRECTORY]
#
# Five runs at the same moment take half an hour on two cores. One after the other takes hours, because each has a small share of them;
# of ten at the same moment, most find nothing out. DIRECTORY keeps the results, and those that it has from before count too: they should
# be of the same code.
set -euo pipefail
cd "$(dirname "$0")/../../.."
runs=${1:-20} loops=${2:-60} together=${3:-1}
if ! [[ $runs =~ ^[1-9][0-9]*$ && $loops =~ ^[0-9]+$ && $together =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: $0 [RUNS] [LOOPS] [TOGETHER] [DIRECTORY]: three numbers; 20, 60 and 1 by default" >&2
  exit 2
fi
results=$(mktemp -d)
kept=${4:-$results/kept}
mkdir -p "$kept"
kept=$(realpath "$kept")
busy=() running=()
end_all() {
  # Each run ends its servers.
  [ ${#running[@]} = 0 ] || kill -TERM "${running[@]}" 2>/dev/null || true
  [ ${#busy[@]} = 0 ] || kill "${busy[@]}" 2>/dev/null || true
  wait
  rm -rf "$results"
}
trap end_all EXIT
trap 'exit 130' INT TERM

# Each run has about six processes that want a CPU. Limits are multiplied by how many want each of them.
factor=$(((loops + 6 * together) / $(nproc) + 10))

suite=$(cargo test -p harness-example --no-run 2>&1 | sed -n 's/.*Executable tests\/suite.*(\(.*\))$/\1/p')
suite=$(realpath "$suite")
for _ in $(seq "$loops"); do
  # A session for each: where the kernel shares its time among sessions first, one session of sixty loops is one loop.
  setsid bash -c 'while :; do :; done' &
  busy+=($!)
done
cd harness-example
for first in $(seq 1 "$together" "$runs"); do
  last=$((first + together - 1 < runs ? first + together - 1 : runs))
  running=()
  for run in $(seq "$first" "$last"); do
    # Each has its own limit of memory: they do not wait for each other.
    "$suite" -n 1 -k "consistency and not for_long" --timeout-factor "$factor" --memory 16G --output-dir "$results/$run" \
      >"$results/$run.log" 2>&1 &
    running+=($!)
  done
  # Inconclusive is counted below, not a failure of this script.
  wait "${running[@]}" || true
  running=()
  for run in $(seq "$first" "$last"); do
    found="$results/$run/latest/results.json"
    [ -f "$found" ] || { cat "$results/$run.log" >&2; exit 1; }
    echo "run $run: $(grep -E '^(test result|[0-9]+ passed)' "$results/$run.log" | tail -1)"
    cp "$found" "$kept/$(date +%s)-$run.json"
  done
done
python3 - "$kept"/*.json <<'PY'
import collections, json, sys
totals = collections.Counter()
for path in sys.argv[1:]:
    totals.update(json.load(open(path))["totals"])
print(", ".join(f"{totals[verdict]} {verdict}" for verdict in ("passed", "failed", "inconclusive")))
sys.exit(1 if totals["failed"] or not totals["passed"] else 0)
PY
