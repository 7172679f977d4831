#!/usr/bin/env bash
# sweep_nexmark.sh --queries QUERY[,QUERY]... [OPTION]...
#
# Runs queries with every TaskManager memory and every variant of the configuration: a cluster started anew for each run, and a folder for each in
# which configuration, result, flame graphs and RocksDB's logs are kept. Runs that are there already are skipped, so a sweep that was
# interrupted goes on where it was. To sweep the caches of a running job without any restart: weir sweep.
#
#   --memory SIZE,...     taskmanager.memory.process.size of each run (default: TASKMANAGER_MEMORY)
#   --variant NAME[:KEY=VALUE[,KEY=VALUE]...]
#                         keys of Flink's configuration, and a name for them; may be repeated (default: plain, without keys)
#   --mode MODE           observe (default), shared or per-operator
#   --purpose PURPOSE     measure (default) or trace, with which RocksDB's logs are kept
#   --events N            events to measure (default 10000000)
#   --warmup-events N     events before them (default 0)
#   --parallelism N       subtasks of every operator (default 1)
#   --tables KIND         stream (default), or keyed
#   --set OPTION=VALUE    an option of the tables; may be repeated
#   --profile SECONDS     a flame graph of every TaskManager over so many seconds of each run
#   --out FOLDER          where the runs are kept (default sweep)
#   --dry-run             prints what it would run
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/env.sh
source "$here/env.sh"

queries=() memories=() variants=() settings=() mode=observe purpose=measure events=10000000 warmup=0 parallelism=1 tables=stream
profile='' out=sweep dry_run=''
while [[ $# -gt 0 ]]; do
  case $1 in
    --help | -h) help; exit 0 ;;
    --dry-run) dry_run=1 ;;
    --queries | --memory | --variant | --mode | --purpose | --events | --warmup-events | --parallelism | --tables | --set | --profile | --out)
      [[ $# -ge 2 ]] || misused "$1 needs a value"
      case $1 in
        --queries) IFS=, read -ra queries <<<"$2" ;;
        --memory) IFS=, read -ra memories <<<"$2" ;;
        --variant) variants+=("$2") ;;
        --mode) mode=$2 ;;
        --purpose) purpose=$2 ;;
        --events) events=$2 ;;
        --warmup-events) warmup=$2 ;;
        --parallelism) parallelism=$2 ;;
        --tables) tables=$2 ;;
        --set) settings+=(--set "$2") ;;
        --profile) profile=$2 ;;
        --out) out=$2 ;;
      esac
      shift
      ;;
    *) misused "unknown argument $1" ;;
  esac
  shift
done
[[ ${#queries[@]} -gt 0 ]] || misused "no query named; expected --queries such as q7,q9,q20"
[[ ${#memories[@]} -gt 0 ]] || memories=("$TASKMANAGER_MEMORY")
[[ ${#variants[@]} -gt 0 ]] || variants=(plain)
for variant in "${variants[@]}"; do
  [[ ${variant%%:*} =~ ^[A-Za-z0-9._+-]+$ ]] || misused "--variant $variant: expected NAME or NAME:KEY=VALUE, the name of letters, digits and . _ + -"
done
need_flink_home
nexmark=${NEXMARK:-$here/../target/release/nexmark}
[[ -n $dry_run || -x $nexmark ]] || fail "there is no $nexmark; \`make build\` makes it, or NEXMARK names it"

logs=$ROCKSDB_LOG_DIR
more=()
[[ -z $dry_run ]] || more=(--dry-run)

# RocksDB's own logs, from here and from every worker.
keep_logs() { # FOLDER
  local host from
  [[ $purpose == trace ]] || return 0
  for host in ${WORKER_HOSTS:-localhost}; do
    run mkdir -p "$1/rocksdb-logs/$host"
    from=$ROCKSDB_LOG_DIR/
    if [[ -n $WORKER_HOSTS ]]; then
      run rsync --archive --rsh="$WEIR_SSH" "$host:$from" "$1/rocksdb-logs/$host/"
    else
      run cp -r "$from." "$1/rocksdb-logs/$host/"
    fi
  done
}

one_run() { # QUERY MEMORY VARIANT FOLDER
  local folder=$4 keys=() pair sets=(--set "taskmanager.memory.process.size=$2") profiler=''
  [[ $3 != *:* ]] || IFS=, read -ra keys <<<"${3#*:}"
  for pair in ${keys[@]+"${keys[@]}"}; do
    sets+=(--set "$pair")
  done
  run mkdir -p "$folder"
  local config=("$here/apply_flink_config.sh" --mode "$mode" --purpose "$purpose" "${sets[@]}")
  # What changes is in the folder, not between the lines of a dry run.
  if [[ -n $dry_run ]]; then run "${config[@]}"; else "${config[@]}" >"$folder/applied.diff"; fi
  run cp "$FLINK_HOME/conf/config.yaml" "$folder/config.yaml"
  [[ -z $WORKER_HOSTS ]] || "$here/sync_cluster.sh" ${more[@]+"${more[@]}"}
  "$here/start_cluster.sh" ${more[@]+"${more[@]}"}
  if [[ -n $profile ]]; then
    if [[ -n $dry_run ]]; then
      run "$here/fetch_profile.py" --flink "$(rest_url)" --seconds "$profile" --out "$folder/profiles"
    else
      "$here/fetch_profile.py" --flink "$(rest_url)" --seconds "$profile" --out "$folder/profiles" --wait-for-job &
      profiler=$!
    fi
  fi
  local savepoint=()
  [[ $warmup == 0 ]] || savepoint=(--savepoint)
  run "$nexmark" run "$1" --flink "$(rest_url)" --events "$events" --warmup-events "$warmup" ${savepoint[@]+"${savepoint[@]}"} \
    --parallelism "$parallelism" --tables "$tables" --json "$folder/result.json.part" ${settings[@]+"${settings[@]}"}
  [[ -z $profiler ]] || wait "$profiler" || say "no flame graph: see above"
  keep_logs "$folder"
  "$here/stop_cluster.sh" ${more[@]+"${more[@]}"}
  # Only a run that came to its end has a result, so that the next sweep does what is left.
  run mv "$folder/result.json.part" "$folder/result.json"
}

trap '"$here/stop_cluster.sh" ${more[@]+"${more[@]}"} >/dev/null' EXIT
for query in "${queries[@]}"; do
  for memory in "${memories[@]}"; do
    for variant in "${variants[@]}"; do
      folder=$out/$query-$memory-${variant%%:*}
      if [[ -e $folder/result.json ]]; then
        say "$folder is there already"
        continue
      fi
      say "$query with $memory, ${variant%%:*}"
      # Logs of this run alone.
      export ROCKSDB_LOG_DIR=$logs/${folder##*/}
      one_run "$query" "$memory" "$variant" "$folder"
    done
  done
done
say "results are in $out/*/result.json; two of them side by side: nexmark compare A B"
