# shellcheck shell=bash
# Defaults of the workflows, sourced by every script here. Your own values: scripts/env.local.sh (not in git), or the environment, which wins.

# shellcheck source=/dev/null
[[ ! -f ${BASH_SOURCE[0]%/*}/env.local.sh ]] || source "${BASH_SOURCE[0]%/*}/env.local.sh"

# Where Flink is installed here, and where on every worker; a path without leading / starts in the login directory there.
: "${FLINK_HOME:=}"
: "${WORKER_FLINK_HOME:=$FLINK_HOME}"
# Hosts that run a TaskManager, separated by spaces; none: this host runs the only one.
: "${WORKER_HOSTS:=}"
# How to reach them; options may name a key, a user or a port.
: "${WEIR_SSH:=ssh -o BatchMode=yes}"

# Longest wait for a cluster, or a job, to start.
: "${START_SECONDS:=180}"

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

# The arguments of a script that takes no other ones; sets dry_run.
only_dry_run() {
  local argument
  dry_run=
  for argument in "$@"; do
    case $argument in
      --help | -h) help; exit 0 ;;
      --dry-run) dry_run=1 ;;
      *) misused "unknown argument $argument" ;;
    esac
  done
}

# Runs a command, or with --dry-run prints what it would run.
run() {
  if [[ -n ${dry_run:-} ]]; then
    printf '%q ' "$@"
    printf '\n'
  else
    "$@"
  fi
}

# Which of our two lines $FLINK_HOME is: 1.20 or 2.
flink_line() {
  local dist=("$FLINK_HOME"/lib/flink-dist-*.jar)
  local version=${dist[0]##*/flink-dist-}
  case ${version%.jar} in
    1.20.*) echo 1.20 ;;
    2.*) echo 2 ;;
    *) fail "$FLINK_HOME is Flink ${version%.jar}; Weir is made for 1.20 and 2" ;;
  esac
}

# The one JAR of this name, built here or unpacked from the tarball: FOLDER-IN-REPOSITORY FOLDER-IN-TARBALL NAME BUILD-SCRIPT
find_jar() {
  local root=${BASH_SOURCE[0]%/*}/.. found
  found=$(compgen -G "$root/$1/$3" || compgen -G "$root/$2/$3" || true)
  [[ $(wc -l <<<"$found") -eq 1 ]] || fail "there are several $3 ($(tr '\n' ' ' <<<"$found")); keep one"
  [[ -n $found ]] || fail "there is no $3; scripts/$4 builds it"
  realpath "$found"
}

# Runs a shell command on a worker: HOST COMMAND
on_worker() {
  local ssh
  read -ra ssh <<<"$WEIR_SSH"
  run "${ssh[@]}" "$1" "$2"
}

# Runs Flink's own script for a TaskManager on every worker, or here where there is none: start, or stop-all.
task_managers() {
  local host script folders=(run log "$TMP_DIR" "$LOCAL_STATE_DIR" "$ROCKSDB_LOG_DIR")
  # shellcheck disable=SC2016 # PWD is the worker's
  script=$(printf 'cd %q && mkdir -p %s && FLINK_PID_DIR=$PWD/run nohup bin/taskmanager.sh %q </dev/null' \
    "$WORKER_FLINK_HOME" "$(printf '%q ' "${folders[@]}")" "$1")
  for host in $WORKER_HOSTS; do
    on_worker "$host" "$script"
  done
  [[ -n $WORKER_HOSTS ]] || run env FLINK_PID_DIR="$FLINK_HOME/run" "$FLINK_HOME/bin/taskmanager.sh" "$1"
}

# Flink's REST API, at the address that the configuration in force says.
rest_url() {
  local config=$FLINK_HOME/conf/config.yaml host port
  host=$(sed -n 's/^rest.address: *//p' "$config")
  port=$(sed -n 's/^rest.port: *//p' "$config")
  echo "http://${host:-127.0.0.1}:${port:-8081}"
}
flink_rest() { python3 -c 'import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())' "$(rest_url)$1"; }

need_flink_home() {
  [[ -n $FLINK_HOME ]] || fail "FLINK_HOME is not set; name your Flink installation in the environment or in scripts/env.local.sh"
  compgen -G "$FLINK_HOME/lib/flink-dist-*.jar" >/dev/null || fail "FLINK_HOME=$FLINK_HOME has no lib/flink-dist-*.jar, so it is no Flink"
}
