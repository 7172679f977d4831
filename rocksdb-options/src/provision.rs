//! How much memory a TaskManager's RocksDB may use, and for what: Flink's memory model, a profile and a memory mode in figures.

use thiserror::Error;

use crate::catalog::{RocksDbVersion, Section};
use crate::flink_memory::FlinkMemory;
use crate::memory::{InvalidRatio, MemorySplit};
use crate::profile::Profile;

/// A TaskManager as Flink is configured; sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TaskManager {
    /// `taskmanager.memory.process.size`.
    pub process_bytes: u64,
    /// `taskmanager.numberOfTaskSlots`.
    pub slots: u32,
    /// `taskmanager.memory.managed.fraction`; Flink's default is 0.4.
    pub managed_fraction: f64,
    /// `weir.memory.write-buffer-ratio` or Flink's; the default is 0.5.
    pub write_buffer_ratio: f64,
}

/// Where a profile's memory goes; sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Provision {
    /// Managed memory of the TaskManager.
    pub managed_bytes: u64,
    /// Managed memory of a slot, and how it is split.
    pub slot: MemorySplit,
    /// What one state's memtables reach before RocksDB waits for their flush: size x number.
    pub memtables_of_a_state_bytes: u64,
    /// RocksDB allocates a memtable in pieces of this size; every state has at least one.
    pub memtable_piece_bytes: u64,
    /// Whether index and filter blocks are in the cache, and so within the budget.
    pub index_and_filter_in_cache: bool,
    /// Bits of Bloom filter for each key; 0 without filters.
    pub filter_bits_per_key: f64,
    /// States with a piece of memtable each that fit into a slot's write buffers.
    pub states_that_fit: u64,
}

/// A TaskManager that Flink would not start.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Unprovisionable {
    /// Too little memory.
    #[error(
        "{0} bytes are less than what Flink needs for metaspace and overhead; give the TaskManager 1g or more"
    )]
    TooSmall(u64),
    /// No slot.
    #[error("a TaskManager has at least one slot")]
    NoSlots,
    /// A share that is none.
    #[error("managed fraction {0} must be from 0 to below 1, such as 0.4")]
    Fraction(f64),
    /// A ratio that is none.
    #[error(transparent)]
    Ratio(#[from] InvalidRatio),
}

const MIB: u64 = 1 << 20;

// === impl TaskManager ===

impl TaskManager {
    /// Managed memory, as Flink derives it from the process size.
    pub fn managed_bytes(&self) -> Result<u64, Unprovisionable> {
        let memory = FlinkMemory {
            process_bytes: Some(self.process_bytes),
            managed_fraction: self.managed_fraction,
            ..FlinkMemory::default()
        };
        Ok(memory.managed()?.unwrap_or(0))
    }

    /// Where the memory goes with this profile. Options that the profile does not set have RocksDB's defaults.
    pub fn provision(
        &self,
        profile: &Profile,
        version: RocksDbVersion,
    ) -> Result<Provision, Unprovisionable> {
        Provision::of(
            self.managed_bytes()?,
            self.slots,
            self.write_buffer_ratio,
            profile,
            version,
        )
    }
}

// === impl Provision ===

impl Provision {
    /// Where `managed_bytes` of a TaskManager with so many slots go.
    pub fn of(
        managed_bytes: u64,
        slots: u32,
        write_buffer_ratio: f64,
        profile: &Profile,
        version: RocksDbVersion,
    ) -> Result<Self, Unprovisionable> {
        let slot_bytes = managed_bytes
            .checked_div(u64::from(slots))
            .ok_or(Unprovisionable::NoSlots)?;
        let slot = MemorySplit::new(slot_bytes, write_buffer_ratio)?;
        let value = |section, name| {
            let set = profile.value_of(version, section, name);
            set.or(version.default_of(section, name))
                .unwrap_or_default()
        };
        let number = |section, name| value(section, name).parse().unwrap_or(0_u64);
        let write_buffer_bytes = number(Section::ColumnFamily, "write_buffer_size");
        // RocksDB's own rule where `arena_block_size` is not set: an eighth, at most 1 MiB from 8.x on.
        let piece = match profile.value_of(version, Section::ColumnFamily, "arena_block_size") {
            Some(set) => set.parse().unwrap_or(0),
            None if version == RocksDbVersion::V6_20_3 => write_buffer_bytes / 8,
            None => (write_buffer_bytes / 8).min(MIB),
        };
        let policy = value(Section::Table, "filter_policy");
        let bits = policy
            .strip_prefix("bloomfilter:")
            .and_then(|rest| rest.split(':').next());
        // Where memory is bounded, Flink puts index and filter blocks into the cache unless the profile says no.
        let in_cache = profile.value_of(version, Section::Table, "cache_index_and_filter_blocks")
            != Some("false");
        Ok(Self {
            managed_bytes,
            slot,
            memtables_of_a_state_bytes: write_buffer_bytes
                * number(Section::ColumnFamily, "max_write_buffer_number"),
            memtable_piece_bytes: piece,
            index_and_filter_in_cache: in_cache,
            filter_bits_per_key: bits.and_then(|b| b.parse().ok()).unwrap_or(0.0),
            states_that_fit: slot
                .write_buffer_manager_bytes
                .checked_div(piece)
                .unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task_manager(gib: u64) -> TaskManager {
        TaskManager {
            process_bytes: gib << 30,
            slots: 4,
            managed_fraction: 0.4,
            write_buffer_ratio: 0.5,
        }
    }

    #[test]
    fn a_profile_says_where_index_and_filter_are() {
        let of = |name| {
            task_manager(3)
                .provision(&Profile::by_name(name).unwrap(), RocksDbVersion::V6_20_3)
                .unwrap()
        };
        assert!(of("flink").index_and_filter_in_cache);
        assert!(!of("direct-io-data-blocks").index_and_filter_in_cache);
        assert_eq!(of("direct-io-bloom").filter_bits_per_key, 10.0);
        let flink = of("flink");
        assert_eq!(flink.memtables_of_a_state_bytes, 128 * MIB);
        assert_eq!(flink.memtable_piece_bytes, 8 * MIB);
        assert_eq!(flink.states_that_fit, 10, "of 8 MiB each in 83.6 MiB");
        assert_eq!(
            flink.slot.cache_bytes + flink.slot.write_buffer_bytes,
            flink.slot.total_bytes
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let profile = Profile::by_name("flink").unwrap();
        let refuse = |tm: TaskManager| tm.provision(&profile, RocksDbVersion::V8_10_0).unwrap_err();
        assert_eq!(
            refuse(TaskManager {
                slots: 0,
                ..task_manager(3)
            }),
            Unprovisionable::NoSlots
        );
        assert_eq!(
            refuse(TaskManager {
                managed_fraction: 1.5,
                ..task_manager(3)
            }),
            Unprovisionable::Fraction(1.5)
        );
        assert!(matches!(
            refuse(TaskManager {
                write_buffer_ratio: 0.0,
                ..task_manager(3)
            }),
            Unprovisionable::Ratio(_)
        ));
    }
}
