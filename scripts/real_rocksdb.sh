#!/usr/bin/env bash
# Drives the RocksDB that Flink 2 ships through rust-rocksdb: opens a database with every built-in profile and holds the OPTIONS file that
# RocksDB wrote against the profile, key by key.
#
# rust-rocksdb 0.22 is made for RocksDB 8.10.0, which Flink's librocksdbjni is, with the whole C API exported: nothing is compiled but the
# bindings. Needs libclang for these (Debian: libclang-dev).
set -euo pipefail
cd "$(dirname "$0")/.."

[[ ${1:-} != --help ]] || { sed -n '2,/^[^#]/{/^#/{s/^# \{0,1\}//;p}}' "$0"; exit 0; }
if [[ -z ${LIBCLANG_PATH:-} ]] && ! compgen -G '/usr/lib/llvm-*/lib/libclang.so*' >/dev/null && ! compgen -G '/usr/lib/*/libclang*.so*' >/dev/null; then
  echo "libclang is missing; install it (apt-get install libclang-dev) or name its folder in LIBCLANG_PATH" >&2
  exit 1
fi
library=$(scripts/get_rocksdbjni.sh 8.10.0)
# A folder of its own, in which the library has the name that the linker looks for.
folder=$(dirname "$library")/rust-rocksdb
mkdir -p "$folder"
ln -sfn "$library" "$folder/librocksdb.so"
export ROCKSDB_LIB_DIR=$folder LD_LIBRARY_PATH=$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
exec cargo test --locked -p weir-rocksdb-options --features real-rocksdb --test real_rocksdb -- --nocapture
