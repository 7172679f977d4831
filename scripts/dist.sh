#!/usr/bin/env bash
# Packs everything an installation needs into one tarball: target/weir-VERSION.tar.gz. Called by `make dist`, which builds the parts.
set -euo pipefail
cd "$(dirname "$0")/.."

usage="usage: $0 VERSION WEIR_BINARY NATIVE_LIBRARY NEXMARK_JAR WEIR_JAR..."
[[ ${1:-} != --help ]] || { echo "$usage"; exit 0; }
[[ $# -ge 5 ]] || { echo "$usage" >&2; exit 64; }
version=$1 binary=$2 library=$3 nexmark=$4
shift 4

# Ubuntu 22.04's, so that one build runs on every Linux that Flink's own images are made from.
glibc=2.35
cache=${XDG_CACHE_HOME:-$HOME/.cache}/weir
# What bundled_parts.py needs, pinned by hash.
requirements=scripts/bundled_parts.requirements.txt

scripts/check_glibc.sh "$glibc" "$binary" "$library"

modules=$cache/bundled-parts-$(sha256sum "$requirements" | cut -c1-16)
if [[ ! -e $modules/ready ]]; then
  rm -rf "$modules"
  python3 -m pip install --quiet --require-hashes --no-deps --target "$modules" -r "$requirements"
  touch "$modules/ready"
fi

name=weir-$version
stage=target/$name
rm -rf "$stage" "$stage.tar.gz"
mkdir -p "$stage/bin" "$stage/lib" "$stage/nexmark" "$stage/scripts"
cp "$binary" "$stage/bin/weir"
cp "$@" "$stage/lib/"
cp "$nexmark" "$stage/nexmark/"
for workflow in env apply_flink_config build_rocksdb_options sync_cluster start_cluster stop_cluster run_nexmark_query run_nexmark_sql_query_test sweep_nexmark install_monitoring; do
  cp "scripts/$workflow.sh" "$stage/scripts/"
done
cp scripts/fetch_profile.py scripts/nexmark_pyflink.py "$stage/scripts/"
for part in flink-conf monitoring deploy docs LICENSE README.md; do
  [[ ! -e $part ]] || cp -r "$part" "$stage/"
done
PYTHONPATH=$modules python3 scripts/bundled_parts.py --out "$stage" weir-agent weir-controller
sums=$(cd "$stage" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
echo "$sums" >"$stage/SHA256SUMS"
# The same input gives the same bytes, but for what the compilers put into the binaries.
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct 2>/dev/null || echo 0)" -C target -cf - "$name" | gzip -n >"$stage.tar.gz"
echo "$stage.tar.gz ($(du -h "$stage.tar.gz" | cut -f1))"
