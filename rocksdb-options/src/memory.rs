//! How a memory budget is divided between write buffers and block cache.

use thiserror::Error;

/// A budget divided the way Flink divides managed memory.
///
/// RocksDB may hold half as much again in memtables as its write buffer manager is told, because immutable memtables
/// wait for their flush. Flink therefore tells it two thirds of the share meant for writing
/// (`RocksDBMemoryControllerUtils`: `2 x total x ratio / 3`); the rest of the budget is left to blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemorySplit {
    /// The whole budget in bytes.
    pub total_bytes: u64,
    /// What memtables may reach at worst: `total x ratio`.
    pub write_buffer_bytes: u64,
    /// What the write buffer manager is told: two thirds of that.
    pub write_buffer_manager_bytes: u64,
    /// What is left for cached blocks.
    pub cache_bytes: u64,
    /// Capacity of a cache that the write buffer manager is charged to, as Flink's shared one is: it holds the blocks and
    /// what the manager was told, so that only what memtables may take beyond that is outside (`(3 - ratio) x total / 3`).
    pub shared_cache_bytes: u64,
}

/// A share that is not between 0 and 1, both excluded.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("write buffer ratio {0} must be greater than 0 and less than 1, such as 0.5")]
pub struct InvalidRatio(pub f64);

impl MemorySplit {
    /// Divides `total_bytes`; `write_buffer_ratio` is the share for writing, Flink's default is 0.5.
    pub fn new(total_bytes: u64, write_buffer_ratio: f64) -> Result<Self, InvalidRatio> {
        if !(write_buffer_ratio > 0.0 && write_buffer_ratio < 1.0) {
            return Err(InvalidRatio(write_buffer_ratio));
        }
        let write_buffer_bytes = (total_bytes as f64 * write_buffer_ratio) as u64;
        let write_buffer_manager_bytes = write_buffer_bytes / 3 * 2;
        Ok(Self {
            total_bytes,
            write_buffer_bytes,
            write_buffer_manager_bytes,
            cache_bytes: total_bytes - write_buffer_bytes,
            shared_cache_bytes: total_bytes - (write_buffer_bytes - write_buffer_manager_bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn flinks_default_on_a_158_mib_slot() {
        let split = MemorySplit::new(158 << 20, 0.5).unwrap();
        assert_eq!(split.cache_bytes, 79 << 20);
        // Flink itself computes 2 * total * ratio / 3.
        let flink = (2.0 * split.total_bytes as f64 * 0.5 / 3.0) as u64;
        assert!(split.write_buffer_manager_bytes.abs_diff(flink) <= 2);
        let flink = ((3.0 - 0.5) * split.total_bytes as f64 / 3.0) as u64;
        assert!(split.shared_cache_bytes.abs_diff(flink) <= 2);
    }

    #[test]
    fn ratios_out_of_range_are_refused() {
        for ratio in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
            assert!(MemorySplit::new(1 << 30, ratio).is_err(), "{ratio}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_invented(total in 0_u64..1 << 50, ratio in 0.001..0.999) {
            let split = MemorySplit::new(total, ratio).unwrap();
            prop_assert_eq!(split.cache_bytes + split.write_buffer_bytes, total);
            prop_assert!(split.write_buffer_manager_bytes + split.write_buffer_manager_bytes / 2 <= split.write_buffer_bytes);
        }
    }
}
