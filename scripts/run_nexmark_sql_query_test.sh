#!/usr/bin/env bash
# run_nexmark_sql_query_test.sh --query QUERY --duration-seconds N [OPTION]...
#
# Runs one Nexmark query at a steady rate for a time, then cancels it; prints the records a second that its sources made.
#
#   --query QUERY         such as q7
#   --duration-seconds N  time it runs, once all its tasks do
#   --rate N              events a second (default 7500), or max
#   --parallelism N       subtasks of every operator (default 1)
#   --tables KIND         stream (default), or keyed: a table with a key for each kind of event
#   --set OPTION=VALUE    an option of the event generator; may be repeated
#   --no-start            the cluster runs already
#   --no-stop             the cluster shall go on running
#   --dry-run             prints what it would run
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/env.sh
source "$here/env.sh"

query='' duration='' rate=7500 parallelism=1 tables=stream settings=() start=1 stop=1 dry_run=
while [[ $# -gt 0 ]]; do
  case $1 in
    --help | -h) help; exit 0 ;;
    --no-start) start= ;;
    --no-stop) stop= ;;
    --dry-run) dry_run=1 ;;
    --query | --duration-seconds | --rate | --parallelism | --tables | --set)
      [[ $# -ge 2 ]] || misused "$1 needs a value"
      case $1 in
        --query) query=$2 ;;
        --duration-seconds) duration=$2 ;;
        --rate) rate=$2 ;;
        --parallelism) parallelism=$2 ;;
        --tables) tables=$2 ;;
        --set) settings+=(--set "$2") ;;
      esac
      shift
      ;;
    *) misused "unknown argument $1" ;;
  esac
  shift
done
[[ -n $query ]] || misused "--query is missing"
[[ $duration =~ ^[1-9][0-9]*$ ]] || misused "--duration-seconds '$duration': expected a number above 0"
need_flink_home
jar=$(find_jar nexmark-src/target nexmark 'nexmark-flink-*.jar' build_nexmark.sh)

more=()
[[ -z $dry_run ]] || more=(--dry-run)
[[ -z $start ]] || "$here/start_cluster.sh" ${more[@]+"${more[@]}"}
[[ -z $stop ]] || trap '"$here/stop_cluster.sh" ${more[@]+"${more[@]}"}' EXIT
submit=("$FLINK_HOME/bin/flink" run --detached --class io.weir.nexmark.NexmarkJob "$jar" --queries "$query" --rate "$rate" --events 0
  --parallelism "$parallelism" --tables "$tables" ${settings[@]+"${settings[@]}"})
if [[ -n $dry_run ]]; then
  run "${submit[@]}"
  run sleep "$duration"
  run "$FLINK_HOME/bin/flink" cancel JOB
  exit 0
fi
output=$("${submit[@]}" 2>&1) || fail "the job was not accepted: $output"
job=$(grep -oE 'JobID [0-9a-f]{32}' <<<"$output" | head -1 | cut -d' ' -f2)
[[ -n $job ]] || fail "no job id in Flink's answer: $output"
for ((second = 0; second < START_SECONDS; second++)); do
  tasks=$(flink_rest "/jobs/$job" | grep -oE '"status-counts":\{[^}]*\}' | tail -1)
  [[ ! $tasks =~ \"RUNNING\":0|\"FAILED\":[1-9] && $tasks =~ \"SCHEDULED\":0 && $tasks =~ \"DEPLOYING\":0 && $tasks =~ \"INITIALIZING\":0 ]] && break
  sleep 1
done
say "$query runs as job $job for $duration s"
sleep "$duration"
# A question makes Flink gather the counts; the next one gets them.
flink_rest "/jobs/$job" >/dev/null
sleep 2
read -r state made < <(flink_rest "/jobs/$job" | python3 -c '
import json, sys
job = json.load(sys.stdin)
sources = [v["metrics"].get("write-records", 0) for v in job["vertices"] if v["name"].startswith("Source")]
print(job["state"], sum(sources))')
"$FLINK_HOME/bin/flink" cancel "$job" >&2
[[ $state == RUNNING ]] || fail "$query was $state after $duration s; see log/ in FLINK_HOME"
echo "$query: $made records from its sources in $duration s"
