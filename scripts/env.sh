# shellcheck shell=bash
# Defaults of the workflows, sourced by every script here. Your own values: scripts/env.local.sh (not in git), or the environment, which wins.

# shellcheck source=/dev/null
[[ ! -f ${BASH_SOURCE[0]%/*}/env.local.sh ]] || source "${BASH_SOURCE[0]%/*}/env.local.sh"

# Where Flink is installed, here and on every worker.
: "${FLINK_HOME:=}"
# Hosts that run a TaskManager, separated by spaces; none: this host runs the only one.
: "${WORKER_HOSTS:=}"
# How to reach them; options may name a key, a user or a port.
: "${WEIR_SSH:=ssh -o BatchMode=yes}"

# What ${NAME} means in a configuration template; see flink-conf/settings.toml.
: "${JOBMANAGER_HOST:=127.0.0.1}"
: "${BIND_HOST:=127.0.0.1}"
: "${REST_PORT:=8081}"
: "${RPC_PORT:=6123}"
: "${REPORTER_PORTS:=9250-9269}"
: "${TASKMANAGER_MEMORY:=3g}"
: "${OPTIONS_PROFILE:=flink}"
: "${CONTROLLER_URL:=http://$JOBMANAGER_HOST:9240}"
: "${STATE_ROOT:=${FLINK_HOME:-$HOME}/state}"
: "${LOCAL_STATE_DIR:=$STATE_ROOT/rocksdb}"
: "${CHECKPOINT_URI:=file://$STATE_ROOT/checkpoints}"
: "${SAVEPOINT_URI:=file://$STATE_ROOT/savepoints}"
: "${ROCKSDB_LOG_DIR:=$STATE_ROOT/rocksdb-logs}"
: "${TMP_DIR:=$STATE_ROOT/tmp}"

# The script's name, for messages.
me=${0##*/}
say() { printf '%s: %s\n' "$me" "$*" >&2; }
# Failed, 1; used wrongly, 64.
fail() { say "$*"; exit 1; }
misused() { say "$*; see $me --help"; exit 64; }

# Prints the comment at the head of the script that runs.
help() { sed -n '2,/^[^#]/{/^#/{s/^# \{0,1\}//;p}}' "$0"; }

# Runs a command, or with --dry-run prints what it would run.
run() {
  if [[ -n ${dry_run:-} ]]; then
    printf '%q ' "$@"
    printf '\n'
  else
    "$@"
  fi
}

need_flink_home() {
  [[ -n $FLINK_HOME ]] || fail "FLINK_HOME is not set; name your Flink installation in the environment or in scripts/env.local.sh"
  compgen -G "$FLINK_HOME/lib/flink-dist-*.jar" >/dev/null || fail "FLINK_HOME=$FLINK_HOME has no lib/flink-dist-*.jar, so it is no Flink"
}
