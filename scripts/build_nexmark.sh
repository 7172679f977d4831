#!/usr/bin/env bash
# build_nexmark.sh [--clean] [--dry-run]
#
# Builds the Nexmark job: generator, Flink source and the SQL of every query in one JAR, which the run scripts submit.
# Nothing has to be installed on the workers.
#
#   --clean    removes what was built before
#   --dry-run  prints what it would run
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/env.sh
source "$here/env.sh"

clean='' dry_run=
for argument in "$@"; do
  case $argument in
    --help | -h) help; exit 0 ;;
    --clean) clean=clean ;;
    --dry-run) dry_run=1 ;;
    *) misused "unknown argument $argument" ;;
  esac
done
cd "$here/.."
library=${CARGO_TARGET_DIR:-$PWD/target}/release/libnexmark_native.so
run cargo build --release --locked -p nexmark-native
run mvn --batch-mode --no-transfer-progress -q -f nexmark-src/pom.xml ${clean:+"$clean"} package -DskipTests -Dnexmark.native.library="$library"
