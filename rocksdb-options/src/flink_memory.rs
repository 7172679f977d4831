//! How Flink divides a TaskManager's memory, from the keys that say it.

use crate::provision::Unprovisionable;

const MIB: u64 = 1 << 20;

/// Keys under `taskmanager.memory.`; sizes in bytes, absent where the configuration does not say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlinkMemory {
    /// `process.size`: everything.
    pub process_bytes: Option<u64>,
    /// `flink.size`: everything but metaspace and overhead.
    pub flink_bytes: Option<u64>,
    /// `managed.size`: what RocksDB may have.
    pub managed_bytes: Option<u64>,
    /// `managed.fraction`, of `flink.size`, where the size is not given.
    pub managed_fraction: f64,
    /// `jvm-metaspace.size`.
    pub metaspace_bytes: u64,
    /// `jvm-overhead.fraction`, of `process.size`.
    pub overhead_fraction: f64,
    /// `jvm-overhead.min`.
    pub overhead_min_bytes: u64,
    /// `jvm-overhead.max`.
    pub overhead_max_bytes: u64,
}

impl Default for FlinkMemory {
    /// What holds where nothing is configured.
    fn default() -> Self {
        Self {
            process_bytes: None,
            flink_bytes: None,
            managed_bytes: None,
            managed_fraction: 0.4,
            metaspace_bytes: 256 * MIB,
            overhead_fraction: 0.1,
            overhead_min_bytes: 192 * MIB,
            overhead_max_bytes: 1024 * MIB,
        }
    }
}

// === impl FlinkMemory ===

impl FlinkMemory {
    /// Managed memory as Flink derives it (Flink documentation, "Set up TaskManager Memory"); `None` where the keys do not say.
    pub fn managed(&self) -> Result<Option<u64>, Unprovisionable> {
        if !(0.0..1.0).contains(&self.managed_fraction) {
            return Err(Unprovisionable::Fraction(self.managed_fraction));
        }
        if self.managed_bytes.is_some() {
            return Ok(self.managed_bytes);
        }
        let flink = match (self.flink_bytes, self.process_bytes) {
            (Some(flink), _) => flink,
            (None, Some(process)) => process
                .checked_sub(self.overhead(process) + self.metaspace_bytes)
                .filter(|rest| *rest >= 256 * MIB)
                .ok_or(Unprovisionable::TooSmall(process))?,
            (None, None) => return Ok(None),
        };
        Ok(Some((flink as f64 * self.managed_fraction) as u64))
    }

    /// What Flink leaves to the JVM itself, threads' stacks and native code.
    #[must_use]
    pub fn overhead(&self, process_bytes: u64) -> u64 {
        let share = (process_bytes as f64 * self.overhead_fraction) as u64;
        share
            .max(self.overhead_min_bytes)
            .min(self.overhead_max_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes that Flink 1.20 prints for these process sizes.
    #[test]
    fn managed_memory_is_what_flink_gives() {
        for (gib, mib) in [(2, 634.9), (3, 1003.5), (8, 2846.7)] {
            let memory = FlinkMemory {
                process_bytes: Some(gib << 30),
                ..FlinkMemory::default()
            };
            let managed = memory.managed().unwrap().unwrap() as f64 / MIB as f64;
            assert!((managed - mib).abs() < 0.1, "{gib} GiB: {managed}");
        }
    }

    #[test]
    fn what_is_said_outright_comes_first() {
        let memory = FlinkMemory {
            process_bytes: Some(8 << 30),
            flink_bytes: Some(1 << 30),
            ..FlinkMemory::default()
        };
        assert_eq!(memory.managed(), Ok(Some(429_496_729)));
        let explicit = FlinkMemory {
            managed_bytes: Some(5),
            ..memory
        };
        assert_eq!(explicit.managed(), Ok(Some(5)));
        assert_eq!(FlinkMemory::default().managed(), Ok(None));
        let small = FlinkMemory {
            process_bytes: Some(600 * MIB),
            ..FlinkMemory::default()
        };
        assert_eq!(small.managed(), Err(Unprovisionable::TooSmall(600 * MIB)));
    }
}
