#!/usr/bin/env bash
# run_nexmark_query.sh [OPTION]... QUERY[,QUERY]...
#
# Runs Nexmark queries one after the other on the cluster, each over the same events, and prints a line with the time for each.
#
#   --category NAME    oa (default): q0 to q23; or cep, in which q0 to q3 stand for the patterns cep0 to cep3
#   --events N         events of each run (default 10000000)
#   --parallelism N    subtasks of every operator (default 1)
#   --tables KIND      stream (default), or keyed: a table with a key for each kind of event
#   --set OPTION=VALUE an option of the event generator; may be repeated
#   --no-start         the cluster runs already
#   --no-stop          the cluster shall go on running
#   --dry-run          prints what it would run
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/env.sh
source "$here/env.sh"

category=oa events=10000000 parallelism=1 tables=stream settings=() start=1 stop=1 dry_run='' queries=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --help | -h) help; exit 0 ;;
    --no-start) start= ;;
    --no-stop) stop= ;;
    --dry-run) dry_run=1 ;;
    --category | --events | --parallelism | --tables | --set)
      [[ $# -ge 2 ]] || misused "$1 needs a value"
      case $1 in
        --category) category=$2 ;;
        --events) events=$2 ;;
        --parallelism) parallelism=$2 ;;
        --tables) tables=$2 ;;
        --set) settings+=(--set "$2") ;;
      esac
      shift
      ;;
    -*) misused "unknown argument $1" ;;
    *)
      IFS=, read -ra named <<<"$1"
      queries+=("${named[@]}")
      ;;
  esac
  shift
done
[[ ${#queries[@]} -gt 0 ]] || misused "no query named"
case $category in
  oa) ;;
  cep) queries=("${queries[@]/#q/cep}") ;;
  *) misused "--category $category: expected oa or cep" ;;
esac
[[ $events =~ ^[1-9][0-9]*$ ]] || misused "--events $events: expected a number above 0, or the run would never end"
need_flink_home
jar=$(find_jar nexmark-src/target nexmark 'nexmark-flink-*.jar' build_nexmark.sh)

# What Flink says of a run is not the result; what would be run is.
more=() said=2
[[ -z $dry_run ]] || more=(--dry-run) said=1
[[ -z $start ]] || "$here/start_cluster.sh" ${more[@]+"${more[@]}"}
[[ -z $stop ]] || trap '"$here/stop_cluster.sh" ${more[@]+"${more[@]}"}' EXIT
for query in "${queries[@]}"; do
  began=$(date +%s.%N)
  run "$FLINK_HOME/bin/flink" run --class io.weir.nexmark.NexmarkJob "$jar" --queries "$query" --rate max --events "$events" \
    --parallelism "$parallelism" --tables "$tables" --wait ${settings[@]+"${settings[@]}"} >&"$said"
  [[ -n $dry_run ]] || awk -v q="$query" -v n="$events" -v a="$began" -v b="$(date +%s.%N)" \
    'BEGIN { printf "%s: %d events in %.1f s, start and end of the job included: %.0f events/s\n", q, n, b - a, n / (b - a) }'
done
