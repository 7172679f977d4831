//! The hot paths on their own: what one look-up costs in time, and, run under an instruction counter, in instructions.
//!
//! ```sh
//! cargo build --release -p weir-mrc --example hot_paths
//! target/release/examples/hot_paths sampled 20000000
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/examples/hot_paths sampled 2000000
//! ```
//!
//! The time printed is that of the loop alone. Instructions are of the whole program: count twice with different numbers of look-ups;
//! the difference over the difference is the cost of one. `make accuracy` does both and takes the path `none` off.
//!
//! Paths: `none` (a key is loaded), `rejected` (hash and compare), `counted` (`look_up` of a block that is not sampled), `sampled`
//! (`observe` of a block in the sample), `skewed` (`look_up` of Zipf 0.99 over a million blocks, as they come).

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use weir_mrc::{Access, Estimator, EstimatorConfig, Outcome, hash_key};

const USAGE: &str = "usage: hot_paths none|rejected|counted|sampled|skewed LOOKUPS";
/// Keys that the loop goes round: few enough for the processor's second-level cache, so that the path is measured and not the memory.
const KEYS: usize = 1 << 14;
/// Blocks that fill the sample.
const BLOCKS: u64 = 800_000;

/// Numbers that look random (Knuth's linear congruential generator).
struct Random(u64);

// === impl Random ===

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

fn access(hash: u64) -> Access {
    Access {
        hash,
        charge_bytes: 4_160,
        outcome: Outcome::Unknown,
        inserts: true,
        counted: true,
        high_priority: false,
    }
}

fn full_estimator(random: &mut Random) -> Estimator {
    let mut estimator = Estimator::new(EstimatorConfig::offline(EstimatorConfig::SAMPLES));
    for _ in 0..500_000 {
        let block = random.next() % BLOCKS;
        let hash = hash_key(&block.to_le_bytes());
        estimator.look_up(&access(hash), 0, Duration::ZERO);
    }
    estimator
}

/// Zipf 0.99 over a million blocks by inversion.
fn skewed(random: &mut Random, lookups: u64) -> Vec<u64> {
    let mut sum = 0.0;
    let cumulative: Vec<f64> = (1..=1_000_000)
        .map(|rank| {
            sum += f64::from(rank).powf(-0.99);
            sum
        })
        .collect();
    (0..lookups)
        .map(|_| {
            let drawn = random.next() as f64 / 2.0_f64.powi(31) * sum;
            cumulative.partition_point(|c| *c <= drawn) as u64
        })
        .collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, lookups] = &arguments[..] else {
        return Err(USAGE.into());
    };
    let lookups: u64 = lookups.parse()?;
    let mut random = Random(1);
    if path == "skewed" {
        let blocks = skewed(&mut random, lookups);
        let mut estimator = Estimator::new(EstimatorConfig::offline(EstimatorConfig::SAMPLES));
        let start = Instant::now();
        for block in &blocks {
            let hash = hash_key(&block.to_le_bytes());
            estimator.look_up(&access(hash), 0, Duration::ZERO);
        }
        report(path, lookups, start.elapsed());
        return Ok(());
    }
    let mut estimator = full_estimator(&mut random);
    let threshold = estimator.threshold();
    let in_sample: Vec<u64> = (0..BLOCKS)
        .map(|block| hash_key(&block.to_le_bytes()))
        .filter(|hash| *hash < threshold / 2)
        .collect();
    // Keys as FRocksDB has them: a file's prefix, then an offset.
    let keys: Vec<[u8; 16]> = (0..KEYS)
        .map(|_| u128::from(random.next() << 24 | 7).to_le_bytes())
        .collect();
    let taken = |key: &[u8; 16]| u64::from(hash_key(key) < black_box(1));
    let mut sum = 0;
    let start = Instant::now();
    match path.as_str() {
        "none" => {
            (0..lookups).for_each(|i| sum += u64::from(black_box(&keys[i as usize % KEYS])[3]))
        }
        "rejected" => (0..lookups).for_each(|i| sum += taken(black_box(&keys[i as usize % KEYS]))),
        "counted" => (0..lookups).for_each(|i| {
            let hash = hash_key(black_box(&keys[i as usize % KEYS])) | 1 << 63;
            estimator.look_up(&access(hash), 0, Duration::ZERO);
        }),
        "sampled" => (0..lookups).for_each(|i| {
            let hash = in_sample[(i * 7_919) as usize % in_sample.len()];
            estimator.observe(&access(hash), 0, Duration::ZERO);
        }),
        _ => return Err(USAGE.into()),
    }
    let time = start.elapsed();
    black_box(sum);
    report(path, lookups, time);
    Ok(())
}

fn report(path: &str, lookups: u64, time: Duration) {
    let nanoseconds = time.as_secs_f64() * 1e9 / lookups as f64;
    println!("{path}: {nanoseconds:.2} ns per look-up");
}
