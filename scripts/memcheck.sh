#!/usr/bin/env bash
# Runs the agent on both builds of RocksDB under valgrind's memcheck: the C program, and the tests of the native lab named below.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "valgrind is not installed; apt-get install valgrind" >&2; exit 1; }

# Lifetimes of caches and managers, sizes that move, and hooks under traffic; the others differ in the number of look-ups only.
TESTS=(what_a_database_writes_is_counted_and_its_listener_goes_with_it a_cache_destroyed_without_a_word_is_let_go a_hook_is_not_reused_while_its_cache_lives a_cache_belongs_to_one_operator)
MEMCHECK=(valgrind --quiet --error-exitcode=99 --leak-check=no --num-callers=20)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo build --locked -p weir-agent
cargo test --locked -p weir-agent --no-run --message-format=json >"$work/built" 2>/dev/null
target=${CARGO_TARGET_DIR:-target}
cc -std=gnu11 -O1 -Iagent/include agent/tests/c/lab.c -o "$work/lab" -ldl
for version in 6.20.3 8.10.0; do
    rocksdb=$(scripts/get_rocksdbjni.sh "$version")
    "${MEMCHECK[@]}" "$work/lab" "$rocksdb" "$target/debug/libweir_agent.so" "$work/db-$version" >/dev/null
    echo "RocksDB $version: no errors in the C program"
    lab=$(sed -n "s/.*\"executable\":\"\([^\"]*native_lab_${version//./_}-[^\"]*\)\".*/\1/p" "$work/built" | tail -1)
    for test in "${TESTS[@]}"; do
        # The lab makes handles with malloc that RocksDB frees with delete, which is the same here.
        "${MEMCHECK[@]}" --show-mismatched-frees=no "$lab" --exact "scenarios::$test" --test-threads=1 >"$work/out" || { cat "$work/out"; exit 1; }
        echo "RocksDB $version: no errors in $test"
    done
done
