#!/usr/bin/env bash
# build_rocksdb_options.sh [--jar FILE] [--dry-run]
#
# Builds Weir's JAR for the line of Flink in $FLINK_HOME and puts it into $FLINK_HOME/lib, in place of an earlier one.
# Beside an unpacked tarball there is nothing to build: its JAR is taken.
#
#   --jar FILE  installs this JAR and builds nothing
#   --dry-run   prints what it would run
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/env.sh
source "$here/env.sh"

jar='' dry_run=
while [[ $# -gt 0 ]]; do
  case $1 in
    --help | -h) help; exit 0 ;;
    --dry-run) dry_run=1 ;;
    --jar)
      [[ $# -ge 2 ]] || misused "$1 needs a value"
      jar=$2
      shift
      ;;
    *) misused "unknown argument $1" ;;
  esac
  shift
done
need_flink_home
line=$(flink_line)

name="weir-flink-$line-*.jar"
if [[ -z $jar && -d $here/../lib ]]; then
  jar=$(find_jar java-bridge/target lib "$name" build_rocksdb_options.sh)
elif [[ -z $jar ]]; then
  run make -C "$here/.." jar
  if [[ -n $dry_run ]]; then
    jar=java-bridge/target/$name
  else
    jar=$(find_jar java-bridge/target lib "$name" build_rocksdb_options.sh)
  fi
elif [[ ! -f $jar ]]; then
  fail "there is no file $jar"
elif [[ ${jar##*/} != weir-flink-"$line"-*.jar ]]; then
  fail "${jar##*/} is not for the Flink $line in $FLINK_HOME; take weir-flink-$line-VERSION.jar"
fi
for earlier in "$FLINK_HOME"/lib/weir-flink-*.jar; do
  [[ ! -e $earlier || $earlier -ef $jar ]] || run rm "$earlier"
done
run cp "$jar" "$FLINK_HOME/lib/"
