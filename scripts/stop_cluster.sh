#!/usr/bin/env bash
# stop_cluster.sh [--dry-run]
#
# Stops what start_cluster.sh has started, here and on every host of WORKER_HOSTS, and waits until the processes are gone.
# Without a cluster it does nothing.
#
#   --dry-run  prints what it would run
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/env.sh
source "$here/env.sh"

only_dry_run "$@"
need_flink_home
# Flink's script waits for a process to end only within its own time limit.
task_managers stop-all
run env FLINK_PID_DIR="$FLINK_HOME/run" "$FLINK_HOME/bin/jobmanager.sh" stop-all
