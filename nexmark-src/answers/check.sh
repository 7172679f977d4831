#!/usr/bin/env bash
# check.sh EVENTS ANSWERS [QUERY...]: runs check.py beside its engine, which is fetched once, pinned by hash, and cached.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/weir
venv=$cache/nexmark-answers-$(sha256sum "$here/requirements.txt" | cut -c1-16)
mkdir -p "$cache"
exec 9>"$venv.lock"
flock 9
if [[ ! -e $venv/ready ]]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary=:all: \
    --requirement "$here/requirements.txt" >&2
  touch "$venv/ready"
fi
exec 9>&-
exec "$venv/bin/python" "$here/check.py" "$@"
