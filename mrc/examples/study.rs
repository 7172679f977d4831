//! A quick study of the estimator's errors: synthetic traces in several choices of sampled blocks, against the exact stack.
//!
//! `cargo run --release -p weir-mrc --example study -- [trace ...]`; half a minute. The figures that count come from `make accuracy`.

use std::time::{Duration, Instant};

use weir_mrc::exact::ExactStack;
use weir_mrc::simulator::BlockCache;
use weir_mrc::{Access, CacheShape, Estimator, EstimatorConfig, Outcome, hash_key_seeded};

const SEEDS: u64 = 5;
const BLOCKS: usize = 400_000;
const LOOKUPS: usize = 3_000_000;

type Make = fn() -> Trace;

/// A look-up: block and size.
type Trace = Vec<(u64, u64)>;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
    fn below(&mut self, limit: u64) -> u64 {
        (self.unit() * limit as f64) as u64
    }
}

struct Zipf(Vec<f64>);

impl Zipf {
    fn new(n: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let weight = |rank: usize| (rank as f64).powf(-exponent);
        let mut cumulative: Vec<f64> = (1..=n)
            .map(|rank| {
                sum += weight(rank);
                sum
            })
            .collect();
        cumulative.iter_mut().for_each(|c| *c /= sum);
        Self(cumulative)
    }
    fn rank(&self, random: &mut Random) -> u64 {
        let u = random.unit();
        self.0.partition_point(|c| *c <= u) as u64
    }
}

fn data(id: u64) -> (u64, u64) {
    (id, 3_000 + Random(id ^ 77).below(2_200))
}

fn zipf(exponent: f64, blocks: usize, lookups: usize) -> Trace {
    let law = Zipf::new(blocks, exponent);
    let mut random = Random(12_345);
    (0..lookups).map(|_| data(law.rank(&mut random))).collect()
}

fn uniform() -> Trace {
    let mut random = Random(12_345);
    (0..LOOKUPS)
        .map(|_| data(random.below(BLOCKS as u64)))
        .collect()
}

fn loop_mix() -> Trace {
    let half = BLOCKS as u64 / 2;
    let law = Zipf::new(BLOCKS / 2, 0.8);
    let mut random = Random(12_345);
    let mut at = 0;
    (0..LOOKUPS)
        .map(|_| {
            if random.unit() < 0.7 {
                return data(law.rank(&mut random));
            }
            at = (at + 1) % half;
            data(half + at)
        })
        .collect()
}

fn lsm() -> Trace {
    let (files, per_file) = (200_u64, 2_000_u64);
    let law = Zipf::new((files * per_file) as usize, 0.9);
    let mut random = Random(12_345);
    let mut names: Vec<u64> = (0..files).collect();
    let mut next = files;
    (0..LOOKUPS)
        .map(|i| {
            if i % 20_000 == 19_999 {
                names[random.below(files) as usize] = next;
                next += 1;
            }
            let place = law.rank(&mut random).wrapping_mul(0x9e37_79b1) % (files * per_file);
            data((names[(place / per_file) as usize] << 24) + place % per_file)
        })
        .collect()
}

fn rdb() -> Trace {
    let files = 64_u64;
    let per_file = 10_000_u64;
    let law = Zipf::new((files * per_file) as usize, 0.9);
    let mut random = Random(12_345);
    let mut trace = Vec::new();
    let large = |file: u64, kind: u64, from: u64, span: u64| {
        let id = (1 << 40) + file * 2 + kind;
        (id, from + Random(id).below(span))
    };
    while trace.len() < LOOKUPS {
        let place = law.rank(&mut random).wrapping_mul(0x9e37_79b1) % (files * per_file);
        let file = place / per_file;
        for _ in 0..2 {
            trace.push(large(random.below(files), 0, 600_000, 300_000));
        }
        trace.push(large(file, 0, 600_000, 300_000));
        trace.push(large(file, 1, 300_000, 200_000));
        trace.push(data(place));
    }
    trace
}

/// Sizes over four orders of magnitude, unrelated to popularity.
fn mixed_sizes() -> Trace {
    let law = Zipf::new(BLOCKS / 2, 0.8);
    let mut random = Random(99);
    (0..LOOKUPS)
        .map(|_| {
            let id = law.rank(&mut random);
            let mut own = Random(id ^ 5);
            let normal = (0..12).map(|_| own.unit()).sum::<f64>() - 6.0;
            (id, (20_000.0 * (1.3 * normal).exp()) as u64 + 200)
        })
        .collect()
}

fn access(block: (u64, u64), seed: u64, index: bool) -> Access {
    Access {
        hash: hash_key_seeded(&block.0.to_le_bytes(), seed),
        charge_bytes: block.1,
        outcome: Outcome::Unknown,
        inserts: true,
        counted: true,
        high_priority: index && block.1 > 65_536,
    }
}

fn grids(working_set: f64) -> [Vec<u64>; 2] {
    let linear = (1..=100).map(|i| (working_set * f64::from(i) / 100.0) as u64);
    let log = (1..=100).map(|i| (working_set / 128.0 * 128_f64.powf(f64::from(i) / 100.0)) as u64);
    [linear.collect(), log.collect()]
}

fn study(name: &str, trace: &Trace) {
    let mut exact = ExactStack::new();
    for block in trace {
        exact.access(&access(*block, 0, false));
    }
    let grids = grids(exact.bytes() as f64);
    let truths = grids.each_ref().map(|grid| exact.miss_ratios(grid));
    let mut cells = [[0.0; 3]; 2];
    let mut million_a_second = 0.0;
    for seed in 1..=SEEDS {
        let mut estimator = Estimator::new(EstimatorConfig::offline(8_192));
        let start = Instant::now();
        for block in trace {
            estimator.look_up(&access(*block, seed, false), 0, Duration::ZERO);
        }
        million_a_second += trace.len() as f64 / start.elapsed().as_secs_f64() / 1e6;
        let curve = estimator.curve(Duration::ZERO).expect("a curve");
        for (cell, (grid, truth)) in cells.iter_mut().zip(grids.iter().zip(&truths)) {
            let mut worst = 0.0_f64;
            for (bytes, truth) in grid.iter().zip(truth) {
                let is = curve.miss_ratio_at(*bytes);
                let error = (is.value - truth).abs();
                worst = worst.max(error);
                cell[0] += error / grid.len() as f64 / SEEDS as f64;
                let held = (is.low - 2e-4..=is.high + 2e-4).contains(truth);
                cell[2] += f64::from(u8::from(held)) / grid.len() as f64 / SEEDS as f64;
            }
            cell[1] += worst / SEEDS as f64;
        }
    }
    let [lin, log] = cells.map(|c| c.map(|v| v * 100.0));
    println!(
        "{name:10} linear {:5.2} % max {:5.2} band {:3.0} %   log {:5.2} % max {:5.2} band {:3.0} %   {:6.1} M/s",
        lin[0],
        lin[1],
        lin[2],
        log[0],
        log[1],
        log[2],
        million_a_second / SEEDS as f64,
    );
}

fn shapes(name: &str, trace: &Trace, capacities_mib: &[u64]) {
    for shape in [
        CacheShape {
            shards: 64,
            high_pri_ratio: 0.0,
        },
        CacheShape {
            shards: 1,
            high_pri_ratio: 0.5,
        },
        CacheShape {
            shards: 64,
            high_pri_ratio: 0.5,
        },
        CacheShape {
            shards: 1,
            high_pri_ratio: 0.1,
        },
    ] {
        for index in [false, true] {
            if index && (name != "rdb" || shape.high_pri_ratio == 0.0) {
                continue;
            }
            let mut estimator = Estimator::new(EstimatorConfig::offline(8_192));
            for block in trace {
                estimator.look_up(&access(*block, 3, index), 0, Duration::ZERO);
            }
            let ideal = estimator.curve(Duration::ZERO).expect("a curve");
            let shaped = estimator.curve_for(shape, Duration::ZERO).expect("a curve");
            print!("{name} {shape:?} index first {index}:");
            for mib in capacities_mib {
                // Which blocks share a shard is luck: the mean of some choices is what can be predicted.
                let seeds = if shape.shards > 1 { 4 } else { 1 };
                let runs: Vec<f64> = (0..seeds)
                    .map(|seed| {
                        let mut cache = BlockCache::new(mib << 20, shape);
                        let missed = |block: &&(u64, u64)| {
                            cache.access(&access(**block, seed, index)) == Outcome::Miss
                        };
                        trace.iter().filter(missed).count() as f64 / trace.len() as f64
                    })
                    .collect();
                let truth = runs.iter().sum::<f64>() / runs.len() as f64;
                let spread = runs.iter().map(|r| (r - truth).abs()).fold(0.0, f64::max);
                let [ours, plain] = [&shaped, &ideal].map(|c| c.miss_ratio_at(mib << 20).value);
                print!(
                    "  {mib} MiB {:.2}±{:.2} ({:+.2}; ideal {:+.2})",
                    truth * 100.0,
                    spread * 100.0,
                    (ours - truth) * 100.0,
                    (plain - truth) * 100.0
                );
            }
            println!();
        }
    }
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let all: [(&str, Make, &[u64]); 8] = [
        ("zipf0.99", || zipf(0.99, BLOCKS, LOOKUPS), &[]),
        ("zipf0.6", || zipf(0.6, BLOCKS, LOOKUPS), &[]),
        ("uniform", uniform, &[]),
        ("loopmix", loop_mix, &[32, 128, 512]),
        ("lsm", lsm, &[32, 128, 512]),
        ("rdb", rdb, &[47, 118, 235, 471, 1177]),
        ("mixed", mixed_sizes, &[64, 512, 2048]),
        ("short", || zipf(0.8, 100_000, 114_000), &[]),
    ];
    for (name, make, capacities) in all {
        let shape_only = wanted.contains(&format!("{name}-shapes"));
        if !wanted.is_empty() && !wanted.iter().any(|w| w == name) && !shape_only {
            continue;
        }
        let trace = make();
        if !shape_only {
            study(name, &trace);
        }
        if shape_only {
            shapes(name, &trace, capacities);
        }
    }
}
