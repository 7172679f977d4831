//! The RocksDB options in force as series: numbers of interest, one series each, where every database and state of the TaskManager agrees.
//!
//! The list is fixed, so there are never more series, whatever a profile sets; `GET /v1/options` has every option of every state.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use prometheus::proto::MetricFamily;

use super::family::Series;
use super::labels::Naming;
use crate::options_in_force::DatabaseOptions;

const DATABASE: [&str; 6] = [
    "max_open_files",
    "max_background_jobs",
    "use_direct_reads",
    "use_direct_io_for_flush_and_compaction",
    "compaction_readahead_size",
    "stats_dump_period_sec",
];
const STATE: [&str; 11] = [
    "write_buffer_size",
    "max_write_buffer_number",
    "min_write_buffer_number_to_merge",
    "arena_block_size",
    "target_file_size_base",
    "max_bytes_for_level_base",
    "level0_file_num_compaction_trigger",
    "level0_slowdown_writes_trigger",
    "level0_stop_writes_trigger",
    "num_levels",
    "optimize_filters_for_hits",
];
const TABLE: [&str; 8] = [
    "block_size",
    "metadata_block_size",
    "cache_index_and_filter_blocks",
    "cache_index_and_filter_blocks_with_high_priority",
    "pin_l0_filter_and_index_blocks_in_cache",
    "pin_top_level_index_and_filter",
    "partition_filters",
    "whole_key_filtering",
];
/// Profiles that are told apart; operators with any further one are counted as `other`.
const MOST_PROFILES: usize = 32;

/// How many operators started with each profile since the TaskManager started. There is one of it, as there is one agent.
static PROFILES: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

/// Notes that an operator starts with this profile.
pub fn note_profile(name: &str) {
    count_profile(&mut PROFILES.lock(), name);
}

fn count_profile(profiles: &mut BTreeMap<String, u64>, name: &str) {
    let full = profiles.len() >= MOST_PROFILES && !profiles.contains_key(name);
    let name = if full { "other" } else { name };
    *profiles.entry(name.to_owned()).or_default() += 1;
}

pub(super) fn families(databases: &[DatabaseOptions], naming: &Naming) -> Vec<MetricFamily> {
    let (mut values, mut differing) = (Series::default(), 0_u32);
    for (section, option, found) in of_interest(databases) {
        match agreed(&found) {
            Agreement::On(value) => {
                let mut labels = naming.of_task_manager();
                labels.push(("section", section.to_owned()));
                labels.push(("option", option.to_owned()));
                values.add(labels, value);
            }
            Agreement::Nothing => {}
            Agreement::Differ => differing += 1,
        }
    }
    let mut profiles = Series::default();
    for (name, count) in PROFILES.lock().iter() {
        let mut labels = naming.of_task_manager();
        labels.push(("profile", name.clone()));
        profiles.add(labels, *count as f64);
    }
    vec![
        values.gauge(
            "weir_rocksdb_option",
            "RocksDB option in force, from the file that RocksDB wrote, where all states of the TaskManager agree; true is 1.",
        ),
        Series::one(naming.of_task_manager(), f64::from(differing)).gauge(
            "weir_rocksdb_options_differing",
            "Options among those of weir_rocksdb_option in which states of the TaskManager differ.",
        ),
        Series::one(naming.of_task_manager(), databases.len() as f64).gauge(
            "weir_rocksdb_databases",
            "RocksDB databases that are open in the TaskManager.",
        ),
        profiles.counter(
            "weir_options_profile_operators_total",
            "Operator subtasks that started with an option profile.",
        ),
    ]
}

/// Every option of the list with its values in all databases or states.
fn of_interest(
    databases: &[DatabaseOptions],
) -> impl Iterator<Item = (&'static str, &'static str, Vec<Option<&str>>)> {
    let states = || databases.iter().flat_map(|d| d.states.values());
    let database = DATABASE.into_iter().map(move |option| {
        let found = databases.iter().map(|d| d.database.get(option));
        (
            "DBOptions",
            option,
            found.map(|v| v.map(String::as_str)).collect(),
        )
    });
    let state = STATE.into_iter().map(move |option| {
        let found = states().map(|s| s.options.get(option));
        (
            "CFOptions",
            option,
            found.map(|v| v.map(String::as_str)).collect(),
        )
    });
    let table = TABLE.into_iter().map(move |option| {
        let found = states().map(|s| s.tables.get(option));
        (
            "BlockBasedTable",
            option,
            found.map(|v| v.map(String::as_str)).collect(),
        )
    });
    database.chain(state).chain(table)
}

enum Agreement {
    On(f64),
    /// No database is open, or this RocksDB has no such option, or no number for it.
    Nothing,
    Differ,
}

fn agreed(found: &[Option<&str>]) -> Agreement {
    let mut values = found.iter().flatten();
    let Some(first) = values.next() else {
        return Agreement::Nothing;
    };
    if values.any(|value| value != first) {
        return Agreement::Differ;
    }
    let number = match *first {
        "true" => Some(1.0),
        "false" => Some(0.0),
        text => text.parse().ok().filter(|n: &f64| n.is_finite()),
    };
    number.map_or(Agreement::Nothing, Agreement::On)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::options_in_force::StateOptions;

    fn database(write_buffer_size: &str) -> DatabaseOptions {
        let of = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let state = StateOptions {
            options: of("write_buffer_size", write_buffer_size),
            tables: of("cache_index_and_filter_blocks", "true"),
        };
        DatabaseOptions {
            directory: PathBuf::from("/state"),
            rocksdb: "6.20.3",
            database: of("max_open_files", "-1"),
            states: BTreeMap::from([
                ("left".to_owned(), state.clone()),
                ("right".to_owned(), state),
            ]),
        }
    }

    fn values(databases: &[DatabaseOptions]) -> Vec<(String, Vec<f64>)> {
        let naming = Naming::new("tm", std::iter::empty());
        let families = families(databases, &naming);
        let numbers = |f: &MetricFamily| {
            f.get_metric()
                .iter()
                .map(|m| m.get_gauge().get_value())
                .collect()
        };
        families
            .iter()
            .map(|f| (f.name().to_owned(), numbers(f)))
            .collect()
    }

    #[test]
    fn options_on_which_all_states_agree_have_a_series() {
        let agreeing = values(&[database("67108864"), database("67108864")]);
        assert_eq!(
            agreeing[0].1,
            [1.0, 67_108_864.0, -1.0],
            "in the order of their sections"
        );
        assert_eq!(agreeing[1].1, [0.0]);
        assert_eq!(agreeing[2].1, [2.0]);
        let differing = values(&[database("67108864"), database("1048576")]);
        assert_eq!(differing[0].1, [1.0, -1.0]);
        assert_eq!(differing[1].1, [1.0]);
        assert!(values(&[])[0].1.is_empty());
    }

    #[test]
    fn there_are_never_more_series_than_options() {
        let mut one = database("1");
        for name in 0..1000 {
            one.database
                .insert(format!("option_{name}"), "1".to_owned());
        }
        assert!(values(&[one])[0].1.len() <= DATABASE.len() + STATE.len() + TABLE.len());
    }

    #[test]
    fn profiles_beyond_the_bound_are_counted_together() {
        let mut profiles = BTreeMap::new();
        for name in 0..100 {
            count_profile(&mut profiles, &format!("/profiles/{name}"));
        }
        count_profile(&mut profiles, "/profiles/0");
        assert_eq!(profiles.len(), MOST_PROFILES + 1);
        assert_eq!(profiles["/profiles/0"], 2);
        assert_eq!(profiles["other"], 100 - MOST_PROFILES as u64);
    }
}
