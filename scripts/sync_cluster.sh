#!/usr/bin/env bash
# sync_cluster.sh [--dry-run]
#
# Makes $WORKER_FLINK_HOME on every host of WORKER_HOSTS what $FLINK_HOME is here: programs, JARs, configuration. What a cluster
# writes (log/, run/, state/) stays where it is.
#
#   --dry-run  prints what it would run
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/env.sh
source "$here/env.sh"

only_dry_run "$@"
need_flink_home
[[ -n $WORKER_HOSTS ]] || { say "WORKER_HOSTS names no host, so there is nothing to do"; exit 0; }
for host in $WORKER_HOSTS; do
  on_worker "$host" "$(printf 'mkdir -p %q' "$WORKER_FLINK_HOME")"
  run rsync --archive --delete --exclude=/log/ --exclude=/run/ --exclude=/state/ --rsh="$WEIR_SSH" "$FLINK_HOME/" "$host:$WORKER_FLINK_HOME/"
  [[ -n $dry_run ]] || say "$host has $FLINK_HOME"
done
