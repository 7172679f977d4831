#!/usr/bin/env bash
# list_rocksdb_options.sh [LINE] [--check]
#
# Prints every option of the RocksDB in a Flink distribution with its default (LINE: 1.20, the default, or 2), in the form of rocksdb-options/options/*.ini.
# The options are what RocksDB itself writes into the OPTIONS file of an empty database; those of reading are not in that file, and listed here.
#
#   --check  compares with the file in rocksdb-options/options instead, and fails if they differ
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/env.sh
source "$here/env.sh"

line=1.20 check=
for argument in "$@"; do
  case $argument in
    --help | -h) help; exit 0 ;;
    --check) check=1 ;;
    1.20 | 2) line=$argument ;;
    *) misused "unknown argument $argument" ;;
  esac
done
home=$("$here/get_flink.sh" "$line")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/Empty.java" <<'JAVA'
import org.rocksdb.*;

/** Opens an empty database with default options. */
public class Empty {
    public static void main(String[] arguments) throws RocksDBException {
        RocksDB.loadLibrary();
        Options options = new Options().setCreateIfMissing(true).setTableFormatConfig(new BlockBasedTableConfig());
        RocksDB.open(options, arguments[0]).close();
    }
}
JAVA
java -Djava.io.tmpdir="$work" -cp "$home/lib/*" "$work/Empty.java" "$work/db" 2>/dev/null
written=("$work"/db/OPTIONS-*)
version=$(sed -n 's/^ *rocksdb_version=//p' "${written[0]}")
{
  echo "# Every option of RocksDB $version with its default, as the RocksDB that Flink ships writes them for an empty database."
  echo "# Made by scripts/list_rocksdb_options.sh; what depends on the machine (wal_dir) is left out."
  sed -n '/^\[DBOptions/,$p' "${written[0]}" |
    sed 's/^ *//; /^wal_dir=/d; /^$/d; s/\[CFOptions "default"\]/[CFOptions]/; s/\[TableOptions.*/[BlockBasedTable]/'
  printf '%s\n' '[ReadOptions]' prefix_same_as_start=false total_order_seek=false readahead_size=0 verify_checksums=true fill_cache=true \
    background_purge_on_iterator_cleanup=false max_skippable_internal_keys=0 ignore_range_deletions=false
} >"$work/list.ini"
if [[ -n $check ]]; then
  diff -u "$here/../rocksdb-options/options/$version.ini" "$work/list.ini" || fail "rocksdb-options/options/$version.ini is not what RocksDB $version says"
else
  cat "$work/list.ini"
fi
