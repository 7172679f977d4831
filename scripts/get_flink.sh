#!/usr/bin/env bash
# get_flink.sh [1.20|2|VERSION]: prints the path of a Flink distribution: $FLINK_HOME where that is of the line asked for,
# else a pinned one fetched from PyPI once and cached. Without an argument: 1.20.
#
# PyPI carries Flink in two packages which together are a distribution: `apache-flink-libraries` (lib/, opt/, plugins/)
# and `apache-flink` (bin/, conf/). Both are pinned by hash, so a run next year gets the same bytes.
# Progress goes to standard error, the path alone to standard output. Safe to call many times at once.
set -euo pipefail

say() { printf '%s\n' "get_flink: $*" >&2; }
fail() { say "$*"; exit 1; }

readonly asked=${1:-1.20}
case $asked in
  1.20 | 1.20.5)
    version=1.20.5
    libraries_sha256=e6aee62ea1a1fe7b32e28894ad079f3f1a50a372a4caac3df52405267f4228c8
    wheel_sha256=6e8ec098a7c06ea34d01fd540e81d44703a90e3bda74052dcbcbb7db5253c10f
    ;;
  2.1 | 2.1.3)
    version=2.1.3
    libraries_sha256=b48d3944755b9303f99d205ea1a9bcb798fc563a872c782393fb466f16d4f91c
    wheel_sha256=88a6d7443297102f63f7d575367b6710912dcb4283a04f9141f83e54a1e25f09
    ;;
  2 | 2.3 | 2.3.0)
    version=2.3.0
    libraries_sha256=570bf8831d3c1336311e924e97119e52d8842e5485a4a7709ff9a92db709b006
    wheel_sha256=0e5f612704de1610b153e919c0564b62ad513cddfcf4960f5a021658cdf41a13
    ;;
  *) fail "no Flink $asked is pinned here; there are 1.20 (1.20.5), 2.1 (2.1.3) and 2 (2.3.0). For another one set FLINK_HOME" ;;
esac
readonly version libraries_sha256 wheel_sha256

# An installation of the user's is only read, never changed; any version that begins with what was asked for will do.
if [[ -n ${FLINK_HOME:-} ]]; then
  shopt -s nullglob
  dist=("$FLINK_HOME"/lib/flink-dist-*.jar)
  [[ ${#dist[@]} -eq 1 ]] || fail "FLINK_HOME=$FLINK_HOME has ${#dist[@]} files lib/flink-dist-*.jar, expected one; point it at a Flink or unset it"
  found=${dist[0]##*/flink-dist-}
  found=${found%.jar}
  if [[ $found == "$asked" || $found == "$asked".* ]]; then
    printf '%s\n' "$FLINK_HOME"
    exit 0
  fi
  [[ $# -gt 0 ]] || fail "FLINK_HOME=$FLINK_HOME is Flink $found, expected $asked.x; point it at a Flink $asked.x or unset it"
fi

readonly cache=${XDG_CACHE_HOME:-$HOME/.cache}/weir
readonly home=$cache/flink-$version
if [[ -d $home ]]; then
  printf '%s\n' "$home"
  exit 0
fi

mkdir -p "$cache"
# One caller fetches, the others wait for it: 300 MB need to travel only once.
exec 9>"$cache/flink-$version.lock"
flock --nonblock 9 || { say "another process is fetching Flink $version, waiting for it"; flock 9; }
if [[ -d $home ]]; then
  printf '%s\n' "$home"
  exit 0
fi
command -v python3 >/dev/null || fail "python3 is missing; install it (Debian: apt-get install python3-pip)"
python3 -m pip --version >/dev/null 2>&1 || fail "pip is missing; install it (Debian: apt-get install python3-pip)"

# A fetch that was killed leaves its folder; we hold this version's lock, so none of its folders is in use.
find "$cache" -maxdepth 1 -name ".fetch-$version-*" -exec rm -rf {} +
work=$(mktemp -d "$cache/.fetch-$version-XXXXXX")
trap 'rm -rf "$work"' EXIT

download() { # requirement, sha256, further options of pip
  local requirement=$1 sha256=$2
  shift 2
  printf '%s --hash=sha256:%s\n' "$requirement" "$sha256" >"$work/requirements.txt"
  python3 -m pip download --require-hashes --no-deps --no-cache-dir --disable-pip-version-check \
    --progress-bar on --dest "$work" "$@" --requirement "$work/requirements.txt" >&2 ||
    fail "pip could not download $requirement; is the package index reachable from here?"
}

say "fetching Flink $version into $home (230 to 330 MB, once)"
# pip reads the metadata of a source distribution by running its setup.py; --no-build-isolation would need setuptools here.
download "apache-flink-libraries==$version" "$libraries_sha256" --no-binary apache-flink-libraries
# The wheel's tag is fixed, so that any Python 3 can fetch it; nothing in it is run by Python.
download "apache-flink==$version" "$wheel_sha256" --only-binary=:all: \
  --python-version 3.11 --implementation cp --abi cp311 --platform manylinux2014_x86_64

say "unpacking"
mkdir "$work/flink"
tar -xzf "$work/apache_flink_libraries-$version.tar.gz" -C "$work/flink" --strip-components=2 \
  "apache_flink_libraries-$version/deps" || fail "the archive of apache-flink-libraries has no deps/ folder"
python3 -m zipfile -e "$work"/apache_flink-"$version"-*.whl "$work/wheel"
cp -r "$work/wheel/pyflink/bin/." "$work/flink/bin/"
cp -r "$work/wheel/pyflink/conf" "$work/flink/"
mkdir -p "$work/flink/log"
chmod +x "$work"/flink/bin/*.sh "$work/flink/bin/flink"
mv "$work/flink" "$home" # same file system: the folder appears whole or not at all
say "Flink $version is ready"
printf '%s\n' "$home"
