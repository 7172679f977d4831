//! What must not be set, or not together: options that are Flink's to set, and combinations that lose data or answers.

use crate::catalog::{RocksDbVersion, Section};
use crate::profile::{Entry, Problem};

use Section::{ColumnFamily, Db, Read, Table};

/// Options that Flink's correctness hangs on, with the reason why they are not a profile's.
const NOT_A_PROFILES: [(Section, &str, &str); 19] = [
    (Db, "create_if_missing", "Flink sets it"),
    (
        Db,
        "create_missing_column_families",
        "Flink lists the column families itself",
    ),
    (Db, "error_if_exists", "Flink opens a restored database"),
    (Db, "avoid_flush_during_shutdown", "Flink sets it"),
    (
        Db,
        "unordered_write",
        "iterators would no longer see one state of the database, and Flink's snapshots rely on it",
    ),
    (
        Db,
        "two_write_queues",
        "Flink writes without a log, through one queue",
    ),
    (Db, "manual_wal_flush", "Flink writes without a log"),
    (
        Db,
        "allow_mmap_reads",
        "blocks would bypass the block cache, and nothing could be measured",
    ),
    (
        Db,
        "allow_mmap_writes",
        "it is not meant for a database whose memory is bounded",
    ),
    (
        ColumnFamily,
        "comparator",
        "Flink's keys are in byte order; another order loses them",
    ),
    (
        ColumnFamily,
        "merge_operator",
        "Flink sets its own; without it list states lose their elements",
    ),
    (
        ColumnFamily,
        "compaction_filter",
        "Flink sets its own for expiring state",
    ),
    (
        ColumnFamily,
        "compaction_filter_factory",
        "Flink sets its own for expiring state",
    ),
    (
        ColumnFamily,
        "table_factory",
        "Weir watches the cache of block-based tables",
    ),
    (
        ColumnFamily,
        "inplace_update_support",
        "an update in place changes what a snapshot sees",
    ),
    (
        ColumnFamily,
        "memtable_factory",
        "Flink iterates over memtables in order, which only the skip list does well",
    ),
    (
        Table,
        "no_block_cache",
        "without a block cache there is nothing to measure or to move",
    ),
    (Table, "flush_block_policy_factory", "RocksDB has but one"),
    (Read, "fill_cache", "the cache would stay empty"),
];

/// Options whose value must be in a range: smallest and largest.
const RANGES: [(Section, &str, f64, f64); 9] = [
    (Db, "max_background_jobs", 1.0, 256.0),
    (Db, "max_subcompactions", 1.0, 256.0),
    (ColumnFamily, "max_write_buffer_number", 2.0, 64.0),
    (ColumnFamily, "num_levels", 2.0, 64.0),
    (
        ColumnFamily,
        "write_buffer_size",
        65_536.0,
        68_719_476_736.0,
    ),
    (ColumnFamily, "memtable_prefix_bloom_size_ratio", 0.0, 0.25),
    (Table, "block_size", 512.0, 67_108_864.0),
    (Table, "block_size_deviation", 0.0, 100.0),
    (Table, "data_block_hash_table_util_ratio", 0.01, 1.0),
];

/// Everything that is wrong with the options as `version` would see them.
pub(crate) fn broken(entries: &[Entry], version: RocksDbVersion) -> Vec<Problem> {
    let seen = Seen { entries, version };
    let mut problems = Vec::new();
    seen.owned_and_ranges(&mut problems);
    seen.prefixes(&mut problems);
    seen.filters(&mut problems);
    seen.direct_io(&mut problems);
    seen.replaced(&mut problems);
    seen.levels(&mut problems);
    problems
}

/// A profile's options for one version, with RocksDB's defaults behind them.
struct Seen<'a> {
    entries: &'a [Entry],
    version: RocksDbVersion,
}

// === impl Seen ===

impl Seen<'_> {
    fn entry(&self, section: Section, name: &str) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|e| e.section == section && e.name == name && e.is_for(self.version))
    }

    /// The entry if it sets the option to `value`.
    fn set_to(&self, section: Section, name: &str, value: &str) -> Option<&Entry> {
        self.entry(section, name).filter(|e| e.value == value)
    }

    fn number(&self, section: Section, name: &str) -> Option<f64> {
        let set = self.entry(section, name).map(|e| e.value.as_str());
        set.or(self.version.default_of(section, name))?.parse().ok()
    }

    fn owned_and_ranges(&self, problems: &mut Vec<Problem>) {
        for (section, name, why) in NOT_A_PROFILES {
            if let Some(entry) = self.entry(section, name) {
                problems.push(problem(
                    entry,
                    format!("{name} is not a profile's to set: {why}"),
                    "remove the line",
                ));
            }
        }
        for (section, name, least, most) in RANGES {
            if let Some(entry) = self.entry(section, name)
                && !(least..=most).contains(&entry.value.parse().unwrap_or(f64::NAN))
            {
                problems.push(problem(
                    entry,
                    format!("{name} = {} is out of range", entry.value),
                    &format!("write {least} to {most}"),
                ));
            }
        }
        if let Some(entry) = self.set_to(ColumnFamily, "compaction_style", "kCompactionStyleFIFO") {
            problems.push(problem(
                entry,
                "FIFO compaction drops the oldest files, and with them state".to_owned(),
                "use kCompactionStyleLevel or kCompactionStyleUniversal",
            ));
        }
        if let Some(entry) = self.set_to(ColumnFamily, "compaction_style", "kCompactionStyleNone") {
            problems.push(problem(
                entry,
                "without compaction deleted state is never given up".to_owned(),
                "use kCompactionStyleLevel or kCompactionStyleUniversal",
            ));
        }
    }

    /// Flink's snapshots and timers iterate across any prefix; an iterator that stops at one silently leaves state out.
    fn prefixes(&self, problems: &mut Vec<Problem>) {
        if let Some(entry) = self.set_to(Read, "prefix_same_as_start", "true") {
            problems.push(problem(entry, "iterators would end at the first other prefix, and snapshots and timers would lose the rest".to_owned(), "remove the line and set total_order_seek = true under [ReadOptions]"));
        }
        let extractor = self
            .entry(ColumnFamily, "prefix_extractor")
            .filter(|e| e.value != "nullptr");
        let Some(extractor) = extractor else {
            if let Some(entry) = self.set_to(Table, "index_type", "kHashSearch") {
                problems.push(problem(
                    entry,
                    "a hash index needs prefixes to hash".to_owned(),
                    "set prefix_extractor under [CFOptions], or use kBinarySearch",
                ));
            }
            return;
        };
        let length = extractor
            .value
            .strip_prefix("fixed:")
            .or(extractor.value.strip_prefix("capped:"));
        if !length.is_some_and(|n| n.parse::<u16>().is_ok_and(|n| n > 0)) {
            problems.push(problem(
                extractor,
                format!("'{}' is not a prefix extractor", extractor.value),
                "write fixed:BYTES or capped:BYTES, such as fixed:22",
            ));
        }
        if self.set_to(Read, "total_order_seek", "true").is_none() {
            problems.push(problem(
                extractor,
                "with a prefix extractor, iterators across prefixes may leave keys out".to_owned(),
                "set total_order_seek = true under [ReadOptions]",
            ));
        }
    }

    fn filters(&self, problems: &mut Vec<Problem>) {
        let policy = self
            .entry(Table, "filter_policy")
            .filter(|e| e.value != "nullptr");
        if let Some(entry) = policy
            && !is_bloom_filter(&entry.value)
        {
            problems.push(problem(
                entry,
                format!("'{}' is not a filter policy", entry.value),
                "write bloomfilter:BITS_PER_KEY:false, such as bloomfilter:10:false",
            ));
        }
        if let (Some(_), Some(entry)) = (policy, self.set_to(Table, "whole_key_filtering", "false"))
            && self
                .entry(ColumnFamily, "prefix_extractor")
                .is_none_or(|e| e.value == "nullptr")
        {
            problems.push(problem(entry, "neither whole keys nor prefixes would be in the filters, so they would filter nothing".to_owned(), "remove the line, or set prefix_extractor under [CFOptions]"));
        }
        if let Some(entry) = self.set_to(Table, "partition_filters", "true") {
            if policy.is_none() {
                problems.push(problem(
                    entry,
                    "there is no filter to partition".to_owned(),
                    "set filter_policy = bloomfilter:10:false",
                ));
            }
            if self
                .set_to(Table, "index_type", "kTwoLevelIndexSearch")
                .is_none()
            {
                problems.push(problem(
                    entry,
                    "RocksDB partitions filters only beside a partitioned index".to_owned(),
                    "set index_type = kTwoLevelIndexSearch",
                ));
            }
        }
    }

    fn direct_io(&self, problems: &mut Vec<Problem>) {
        let direct = self.set_to(Db, "use_direct_io_for_flush_and_compaction", "true");
        if let (Some(_), Some(entry)) = (direct, self.entry(Db, "writable_file_max_buffer_size"))
            && entry.value == "0"
        {
            problems.push(problem(
                entry,
                "direct I/O writes through this buffer".to_owned(),
                "write 1 MiB or more",
            ));
        }
    }

    /// Values that RocksDB replaces when it opens a database, so that nobody would get what they read in the profile.
    fn replaced(&self, problems: &mut Vec<Problem>) {
        let direct = self.set_to(Db, "use_direct_reads", "true").is_some();
        if direct && let Some(entry) = self.set_to(Db, "compaction_readahead_size", "0") {
            problems.push(problem(
                entry,
                "with direct reads RocksDB replaces 0 by 2 MiB".to_owned(),
                "write the size that compactions shall read at once, such as 2 MiB",
            ));
        }
        let reads_ahead = self
            .number(Db, "compaction_readahead_size")
            .is_some_and(|bytes| bytes > 0.0);
        if let Some(entry) = self.set_to(Db, "new_table_reader_for_compaction_inputs", "false")
            && (direct || reads_ahead)
        {
            problems.push(problem(
                entry,
                "with direct reads or read-ahead RocksDB always opens a reader for compactions"
                    .to_owned(),
                "remove the line",
            ));
        }
    }

    fn levels(&self, problems: &mut Vec<Problem>) {
        let names = [
            "level0_file_num_compaction_trigger",
            "level0_slowdown_writes_trigger",
            "level0_stop_writes_trigger",
        ];
        for pair in names.windows(2) {
            let values = (
                self.number(ColumnFamily, pair[0]),
                self.number(ColumnFamily, pair[1]),
            );
            let entry = self
                .entry(ColumnFamily, pair[1])
                .or(self.entry(ColumnFamily, pair[0]));
            if let ((Some(first), Some(second)), Some(entry)) = (values, entry)
                && first > second
            {
                problems.push(problem(
                    entry,
                    format!("{} = {first} is above {} = {second}", pair[0], pair[1]),
                    "each of the three level 0 triggers must be at least the one before",
                ));
            }
        }
    }
}

fn is_bloom_filter(value: &str) -> bool {
    let Some(rest) = value.strip_prefix("bloomfilter:") else {
        return false;
    };
    let (bits, mode) = rest.split_once(':').unwrap_or((rest, "false"));
    // `true` asks for the filters of one block each that RocksDB has given up.
    mode == "false" && bits.parse::<f64>().is_ok_and(|b| b > 0.0 && b <= 100.0)
}

fn problem(entry: &Entry, reason: String, remedy: &str) -> Problem {
    Problem {
        line: entry.line,
        reason,
        remedy: remedy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::Profile;

    #[test]
    fn what_loses_data_or_answers_is_refused() {
        for (text, line, reason) in [
            (
                "[CFOptions]\nprefix_extractor = fixed:22",
                2,
                "iterators across prefixes",
            ),
            (
                "[ReadOptions]\nprefix_same_as_start = true",
                2,
                "would lose the rest",
            ),
            (
                "[CFOptions]\nprefix_extractor = rocksdb.Noop\n[ReadOptions]\ntotal_order_seek = true",
                2,
                "is not a prefix extractor",
            ),
            (
                "[BlockBasedTable]\nfilter_policy = bloomfilter:10:false\nwhole_key_filtering = false",
                3,
                "filter nothing",
            ),
            (
                "[BlockBasedTable]\nfilter_policy = bloomfilter:10:true",
                2,
                "is not a filter policy",
            ),
            (
                "[BlockBasedTable]\npartition_filters = true\nindex_type = kTwoLevelIndexSearch",
                2,
                "no filter to partition",
            ),
            (
                "[BlockBasedTable]\nfilter_policy = bloomfilter:10:false\npartition_filters = true",
                3,
                "beside a partitioned index",
            ),
            (
                "[BlockBasedTable]\nindex_type = kHashSearch",
                2,
                "needs prefixes",
            ),
            (
                "[CFOptions]\ncompaction_style = kCompactionStyleFIFO",
                2,
                "drops the oldest files",
            ),
            (
                "[CFOptions]\nmerge_operator = x",
                2,
                "not a profile's to set",
            ),
            (
                "[CFOptions]\nmax_write_buffer_number = 1",
                2,
                "out of range",
            ),
            (
                "[CFOptions]\nlevel0_file_num_compaction_trigger = 30",
                2,
                "is above level0_slowdown_writes_trigger = 20",
            ),
            (
                "[DBOptions]\nuse_direct_reads = true\ncompaction_readahead_size = 0",
                3,
                "replaces 0 by 2 MiB",
            ),
            (
                "[DBOptions]\nuse_direct_reads = true\n[DBOptions 6.20.3]\nnew_table_reader_for_compaction_inputs = false",
                4,
                "always opens a reader",
            ),
            (
                "[DBOptions]\nallow_mmap_reads = true",
                2,
                "bypass the block cache",
            ),
        ] {
            let refused = Profile::parse("p", text).unwrap_err();
            let [problem] = refused.problems.as_slice() else {
                panic!("{text}: {refused}");
            };
            assert_eq!(problem.line, line, "{text}");
            assert!(problem.reason.contains(reason), "{text}: {refused}");
            assert!(!problem.remedy.is_empty());
        }
    }

    #[test]
    fn a_prefix_extractor_with_total_order_iterators_is_fine() {
        let text = "[CFOptions]\nprefix_extractor = capped:8\n[BlockBasedTable]\nfilter_policy = bloomfilter:10\nwhole_key_filtering = false\n[ReadOptions]\ntotal_order_seek = true";
        Profile::parse("p", text).unwrap();
    }
}
