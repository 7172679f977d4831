#!/usr/bin/env bash
# start_cluster.sh [--dry-run]
#
# Starts a JobManager here and a TaskManager on every host of WORKER_HOSTS (none: one here), and waits until all have registered.
#
#   --dry-run  prints what it would run
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/env.sh
source "$here/env.sh"

only_dry_run "$@"
need_flink_home
run mkdir -p "$FLINK_HOME/run" "$FLINK_HOME/log" "$TMP_DIR" "$LOCAL_STATE_DIR" "$ROCKSDB_LOG_DIR"
run env FLINK_PID_DIR="$FLINK_HOME/run" "$FLINK_HOME/bin/jobmanager.sh" start
task_managers start
[[ -z $dry_run ]] || exit 0

read -ra workers <<<"$WORKER_HOSTS"
expected=${#workers[@]}
[[ $expected -gt 0 ]] || expected=1
say "waiting for $expected TaskManagers at $(rest_url)"
for ((second = 0; second < START_SECONDS; second++)); do
  found=$(flink_rest /overview 2>/dev/null | sed -n 's/.*"taskmanagers":\([0-9]*\).*/\1/p' || true)
  if [[ ${found:-0} -ge $expected ]]; then
    say "$found TaskManagers have registered"
    exit 0
  fi
  sleep 1
done
fail "only ${found:-no} of $expected TaskManagers have registered after $START_SECONDS s; see log/ in FLINK_HOME here and on the workers, then stop_cluster.sh"
