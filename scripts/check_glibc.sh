#!/usr/bin/env bash
# Fails if one of the files needs a symbol of a glibc newer than the given version.
set -euo pipefail

usage="usage: $0 VERSION FILE..."
[[ ${1:-} != --help ]] || { echo "$usage"; exit 0; }
[[ $# -ge 2 ]] || { echo "$usage" >&2; exit 64; }
newest=$1
shift
for file in "$@"; do
  needed=$(objdump -T "$file" | grep -oE 'GLIBC_[0-9.]+' | sed 's/GLIBC_//' | sort -Vu | tail -1)
  [[ -n $needed ]] || { echo "$file: no versioned glibc symbol found; is it a dynamic executable or library?" >&2; exit 1; }
  if [[ $(printf '%s\n%s\n' "$needed" "$newest" | sort -V | tail -1) != "$newest" ]]; then
    echo "$file needs glibc $needed; the distribution promises $newest:" >&2
    objdump -T "$file" | grep -F "GLIBC_$needed" >&2
    exit 1
  fi
  echo "$(basename "$file"): needs glibc $needed"
done
