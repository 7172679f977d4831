#!/usr/bin/env bash
# Prints the path of a RocksDB library that Flink ships, taken from its distribution (scripts/get_flink.sh).
#
# usage: get_rocksdbjni.sh [6.20.3 | 8.10.0]
#
# 6.20.3 comes from Flink 1.20 and is the default, 8.10.0 from Flink 2.1. The agent's native tests open these very files: they
# are what is in production. WEIR_ROCKSDBJNI_6_20_3 and WEIR_ROCKSDBJNI_8_10_0 name files to take instead.
set -euo pipefail

version=${1:-6.20.3}
case $version in
  6.20.3) line=1.20 ;;
  8.10.0) line=2.1 ;;
  *) echo "there is no RocksDB '$version' in any Flink that Weir supports; known are: 6.20.3, 8.10.0" >&2; exit 64 ;;
esac

override=WEIR_ROCKSDBJNI_${version//./_}
if [[ -n ${!override:-} ]]; then
  [[ -f ${!override} ]] || { echo "$override=${!override} does not exist" >&2; exit 1; }
  printf '%s\n' "${!override}"
  exit 0
fi

home=$("$(dirname "${BASH_SOURCE[0]}")/get_flink.sh" "$line")
dist=("$home"/lib/flink-dist-*.jar)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/weir/native
library=$cache/${dist[0]##*/}-librocksdbjni-linux64.so
if [[ ! -f $library ]]; then
  mkdir -p "$cache"
  scratch=$(mktemp -d "$cache/unpack.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  (cd "$scratch" && jar xf "${dist[0]}" librocksdbjni-linux64.so)
  # A rename is all or nothing, so two callers at once do no harm.
  mv "$scratch/librocksdbjni-linux64.so" "$library"
fi
printf '%s\n' "$library"
