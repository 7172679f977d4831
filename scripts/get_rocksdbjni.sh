#!/usr/bin/env bash
# Prints the path of the RocksDB library that Flink 1.20 ships, taken from its distribution (scripts/get_flink.sh).
#
# The agent's native tests open this very file: it is what is in production.
set -euo pipefail

if [[ -n ${WEIR_ROCKSDBJNI:-} ]]; then
  [[ -f $WEIR_ROCKSDBJNI ]] || { echo "WEIR_ROCKSDBJNI=$WEIR_ROCKSDBJNI does not exist" >&2; exit 1; }
  printf '%s\n' "$WEIR_ROCKSDBJNI"
  exit 0
fi

home=$("$(dirname "${BASH_SOURCE[0]}")/get_flink.sh")
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
