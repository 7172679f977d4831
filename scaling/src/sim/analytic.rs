//! A plant from formulas: CPU time, lookups, curve, hit and miss times, key skew, contention, compaction bursts, a write path.

use weir_mrc::{CurvePoint, MissRatioCurve};

use super::plant::{MIB, Shape, Truth, WriteTruth};

/// A plant from formulas.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalyticPlant {
    /// Seconds per record outside of the state.
    pub cpu_seconds: f64,
    /// State lookups for one record.
    pub lookups_per_record: f64,
    /// A lookup that hits, seconds.
    pub hit_seconds: f64,
    /// A lookup that misses, seconds.
    pub miss_seconds: f64,
    /// Miss ratio over the bytes of the whole operator, if one instance had all keys: (bytes, ratio), both monotone.
    pub curve: Vec<(f64, f64)>,
    /// How much more than an even share the first subtask gets: 0.2 is 20 % more.
    pub key_skew: f64,
    /// By how much each further instance lengthens the CPU time of all: the `sigma` of Gunther's scalability law.
    pub contention: f64,
    /// Slowdowns that come and go.
    pub compaction: Option<Bursts>,
    /// What writing costs.
    pub write: Option<WritePath>,
}

/// Compaction bursts: the operator slows down for a while, again and again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bursts {
    /// From the begin of one to the begin of the next, seconds.
    pub every_s: u64,
    /// How long one lasts, seconds.
    pub lasts_s: u64,
    /// Share of the speed that is lost meanwhile.
    pub slowdown: f64,
}

/// The write path: write amplification falls with the logarithm of the write buffers (O'Neil et al., "The log-structured
/// merge-tree", 1996: levels between the buffer and the data), and stalls in proportion to what compaction has to write.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WritePath {
    /// Bytes that one record writes.
    pub bytes_per_record: f64,
    /// Live data of the whole operator, bytes.
    pub data_bytes: f64,
    /// Task thread's time to put a record into the write buffer, seconds.
    pub insert_seconds: f64,
    /// Task thread's stall for one MiB that compaction writes, seconds.
    pub stall_seconds_per_mib: f64,
}

// === impl AnalyticPlant ===

impl AnalyticPlant {
    /// Less is no cache.
    pub const MIN_CACHE_BYTES: u64 = 1 << 20;

    pub(crate) fn capacity_per_s(&self, shape: &Shape) -> f64 {
        let subtasks = (0..shape.parallelism).map(|k| {
            let share = self.share(shape.parallelism, k);
            1.0 / (share * self.service_seconds(shape, share))
        });
        subtasks.fold(f64::INFINITY, f64::min)
    }

    /// Speed averaged over bursts, as a share of full speed.
    pub(crate) fn mean_speed(&self) -> f64 {
        self.compaction.map_or(1.0, |b| {
            1.0 - b.slowdown * b.lasts_s as f64 / b.every_s as f64
        })
    }

    /// Speed at a moment, as a share of full speed. A burst ends a period, so that a run begins without one.
    pub(crate) fn speed_at(&self, at_s: u64) -> f64 {
        let bursting = |b: &Bursts| at_s % b.every_s >= b.every_s - b.lasts_s;
        let burst = self.compaction.filter(bursting);
        burst.map_or(1.0, |b| 1.0 - b.slowdown)
    }

    pub(crate) fn largest_useful_cache_bytes(&self, parallelism: u32) -> u64 {
        let last = self.curve.last().map_or(0.0, |p| p.0);
        let largest_share = self.share(parallelism, 0);
        ((last * largest_share).ceil() as u64).max(Self::MIN_CACHE_BYTES)
    }

    pub(crate) fn truth(&self, shape: &Shape) -> Vec<Truth> {
        let of_subtask = |k: u32| {
            let share = self.share(shape.parallelism, k);
            Truth {
                share,
                service_seconds: self.service_seconds(shape, share),
                lookups_per_record: self.lookups_per_record,
                hit_seconds: self.hit_seconds,
                miss_seconds: self.miss_seconds,
                miss_ratio: self.ratio_at(shape.cache_bytes as f64 / share),
                curve: self.curve_of(share),
                write: self.write.map(|w| w.truth(shape, share)),
            }
        };
        (0..shape.parallelism).map(of_subtask).collect()
    }

    /// Share of the records that a subtask gets.
    fn share(&self, parallelism: u32, subtask: u32) -> f64 {
        let even = 1.0 / f64::from(parallelism);
        if parallelism == 1 {
            return 1.0;
        }
        let hottest = (even * (1.0 + self.key_skew)).min(1.0);
        match subtask {
            0 => hottest,
            _ => (1.0 - hottest) / f64::from(parallelism - 1),
        }
    }

    fn service_seconds(&self, shape: &Shape, share: f64) -> f64 {
        let others = f64::from(shape.parallelism.saturating_sub(1));
        let cpu = self.cpu_seconds * (1.0 + self.contention * others);
        let ratio = self.ratio_at(shape.cache_bytes as f64 / share);
        let lookup = self.hit_seconds + ratio * (self.miss_seconds - self.hit_seconds);
        let write = self
            .write
            .map_or(0.0, |w| w.truth(shape, share).seconds_per_record);
        cpu + self.lookups_per_record * lookup + write
    }

    /// Miss ratio if all keys had these bytes.
    fn ratio_at(&self, bytes: f64) -> f64 {
        let after = self.curve.partition_point(|p| p.0 <= bytes);
        let from = match after {
            0 => (0.0, 1.0),
            _ => self.curve[after - 1],
        };
        match self.curve.get(after) {
            Some(to) => from.1 + (to.1 - from.1) * (bytes - from.0) / (to.0 - from.0),
            None => from.1,
        }
    }

    /// A subtask with this share of the keys needs this share of the bytes.
    fn curve_of(&self, share: f64) -> MissRatioCurve {
        let points = self.curve.iter().map(|&(bytes, miss_ratio)| CurvePoint {
            bytes: (bytes * share).round() as u64,
            miss_ratio,
            low: miss_ratio,
            high: miss_ratio,
        });
        let mut points: Vec<CurvePoint> = points.collect();
        // Far below a byte between two points: the later one, which is what is measured there.
        points.reverse();
        points.dedup_by_key(|p| p.bytes);
        points.reverse();
        MissRatioCurve::new(points).unwrap_or_default()
    }
}

// === impl WritePath ===

impl WritePath {
    /// Each level of RocksDB's tree is this much larger than the one above.
    const LEVEL_RATIO: f64 = 10.0;

    fn truth(&self, shape: &Shape, share: f64) -> WriteTruth {
        let buffer = (shape.write_buffer_bytes as f64).max(64.0 * 1024.0);
        let levels = (self.data_bytes * share / buffer)
            .max(1.0)
            .log(Self::LEVEL_RATIO);
        // Every level rewrites a byte about half of its ratio's times.
        let amplification = levels * Self::LEVEL_RATIO / 2.0;
        let compacted_mib = self.bytes_per_record * amplification / MIB;
        let stall = compacted_mib * self.stall_seconds_per_mib;
        WriteTruth {
            bytes_per_record: self.bytes_per_record,
            compaction_bytes_per_flushed_byte: amplification,
            seconds_per_record: self.insert_seconds + stall,
            stall_seconds_per_record: stall,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plant() -> AnalyticPlant {
        AnalyticPlant {
            cpu_seconds: 10e-6,
            lookups_per_record: 2.0,
            hit_seconds: 1e-6,
            miss_seconds: 101e-6,
            curve: vec![(0.0, 1.0), (100.0 * MIB, 0.1)],
            key_skew: 0.0,
            contention: 0.0,
            compaction: None,
            write: None,
        }
    }

    fn shape(parallelism: u32, mib: u64) -> Shape {
        Shape {
            parallelism,
            cache_bytes: mib << 20,
            write_buffer_bytes: 8 << 20,
        }
    }

    #[test]
    fn time_per_record_is_cpu_plus_lookups() {
        let expected = 10e-6 + 2.0 * (1e-6 + 0.1 * 100e-6);
        assert!((1.0 / plant().capacity_per_s(&shape(1, 100)) - expected).abs() < 1e-12);
    }

    #[test]
    fn half_the_keys_need_half_the_bytes() {
        let one = plant().capacity_per_s(&shape(1, 60));
        let two = plant().capacity_per_s(&shape(2, 30));
        assert!((two / one - 2.0).abs() < 1e-9);
    }

    #[test]
    fn the_hottest_subtask_limits_all() {
        let skewed = AnalyticPlant {
            key_skew: 0.5,
            ..plant()
        };
        let truth = skewed.truth(&shape(4, 100));
        assert!((truth.iter().map(|t| t.share).sum::<f64>() - 1.0).abs() < 1e-9);
        let hottest = truth[0].share * truth[0].service_seconds;
        assert!((skewed.capacity_per_s(&shape(4, 100)) - 1.0 / hottest).abs() < 1e-6);
        assert!(truth[0].share > truth[1].share);
    }

    #[test]
    fn contention_and_small_write_buffers_slow_down() {
        let crowded = AnalyticPlant {
            contention: 0.1,
            ..plant()
        };
        assert!(crowded.capacity_per_s(&shape(4, 30)) < plant().capacity_per_s(&shape(4, 30)));
        let writing = AnalyticPlant {
            write: Some(WritePath {
                bytes_per_record: 200.0,
                data_bytes: 1e10,
                insert_seconds: 2e-6,
                stall_seconds_per_mib: 5e-3,
            }),
            ..plant()
        };
        let wide = Shape {
            write_buffer_bytes: 64 << 20,
            ..shape(1, 50)
        };
        assert!(writing.capacity_per_s(&shape(1, 50)) < writing.capacity_per_s(&wide));
    }

    #[test]
    fn bursts_come_and_go_and_average_out() {
        let bursting = AnalyticPlant {
            compaction: Some(Bursts {
                every_s: 100,
                lasts_s: 20,
                slowdown: 0.5,
            }),
            ..plant()
        };
        assert_eq!(bursting.speed_at(10), 1.0);
        assert_eq!(bursting.speed_at(190), 0.5);
        let mean = (0..100).map(|s| bursting.speed_at(s)).sum::<f64>() / 100.0;
        assert!((mean - bursting.mean_speed()).abs() < 1e-12);
    }
}
