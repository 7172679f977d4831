//! The estimator's errors on recorded traces, over several choices of sampled blocks, against the exact stack.
//!
//! ```text
//! cargo run --release -p weir-mrc --example study -- [SEEDS=N] [SHARDS=N] [POOL=RATIO] [YOUNG] TRACE ...
//! ```
//!
//! Traces are `oracleGeneral` files, such as `synthetic_trace` writes. For work on the estimator: a trace is read and its exact curve
//! computed once for all seeds. The figures that count come from `make accuracy`.

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::time::{Duration, Instant};

use weir_mrc::exact::ExactStack;
use weir_mrc::simulator::BlockCache;
use weir_mrc::trace::oracle_general::OracleGeneralReader;
use weir_mrc::{
    Access, CacheShape, Estimator, EstimatorConfig, FirstTouch, MissRatioCurve, Outcome,
    hash_key_seeded,
};

/// Half a thousandth: how closely a curve follows its own points.
const THINNING: f64 = 5e-4;

/// Look-ups: block and size.
type Trace = Vec<(u64, u64)>;

/// Mean error, largest error, share of sizes that the band holds and its mean width, on one grid.
#[derive(Default)]
struct Errors {
    mean: f64,
    bias: f64,
    largest: f64,
    held: f64,
    width: f64,
}

fn access(block: (u64, u64), seed: u64) -> Access {
    Access {
        hash: hash_key_seeded(&block.0.to_le_bytes(), seed),
        charge_bytes: block.1,
        outcome: Outcome::Unknown,
        inserts: true,
        counted: true,
        high_priority: false,
    }
}

fn read(file: &str) -> Result<Trace, Box<dyn Error>> {
    let input = BufReader::with_capacity(1 << 20, File::open(file)?);
    OracleGeneralReader::new(file, input)
        .map(|access| Ok(access.map(|a| (a.key, a.size_bytes))?))
        .collect()
}

/// The sizes of the linear and of the logarithmic grid.
fn grids(working_set_bytes: f64) -> [Vec<u64>; 2] {
    let linear = (1..=100).map(|i| working_set_bytes * f64::from(i) / 100.0);
    let log = (0..100).map(|i| working_set_bytes / 128.0 * 128_f64.powf(f64::from(i) / 99.0));
    [
        linear.map(|s| s as u64).collect(),
        log.map(|s| s as u64).collect(),
    ]
}

fn estimate(trace: &Trace, seed: u64) -> (Estimator, Duration) {
    let mut estimator = Estimator::new(EstimatorConfig::offline(EstimatorConfig::SAMPLES));
    let start = Instant::now();
    for block in trace {
        estimator.look_up(&access(*block, seed), 0, Duration::ZERO);
    }
    (estimator, start.elapsed())
}

// === impl Errors ===

impl Errors {
    fn of(curve: &MissRatioCurve, grid: &[u64], truths: &[f64]) -> Self {
        let mut errors = Self::default();
        let each = 1.0 / grid.len() as f64;
        for (bytes, truth) in grid.iter().zip(truths) {
            let is = curve.miss_ratio_at(*bytes);
            let error = (is.value - truth).abs();
            errors.largest = errors.largest.max(error);
            errors.mean += error * each;
            errors.bias += (is.value - truth) * each;
            let held = (is.low - THINNING..=is.high + THINNING).contains(truth);
            errors.held += f64::from(u8::from(held)) * each;
            errors.width += (is.high - is.low) * each;
        }
        errors
    }

    /// The mean over seeds, in percent; the median for the error.
    fn print(all: &[Self]) {
        let mean =
            |value: fn(&Self) -> f64| all.iter().map(value).sum::<f64>() / all.len() as f64 * 100.0;
        let mut means: Vec<f64> = all.iter().map(|e| e.mean * 100.0).collect();
        means.sort_by(f64::total_cmp);
        print!(
            " {:5.2} (bias {:+.2}, most {:5.2}, max {:5.1}) band {:3.0} % ±{:4.2} |",
            means[means.len() / 2],
            mean(|e| e.bias),
            means[means.len() - 1],
            mean(|e| e.largest),
            mean(|e| e.held),
            mean(|e| e.width) / 2.0,
        );
    }
}

fn study(name: &str, trace: &Trace, seeds: u64) {
    let mut exact = ExactStack::new();
    for block in trace {
        exact.access(&access(*block, 0));
    }
    let grids = grids(exact.bytes() as f64);
    let truths = grids.each_ref().map(|grid| exact.miss_ratios(grid));
    let mut errors = [const { Vec::new() }; 2];
    let mut fastest = Duration::MAX;
    for seed in 1..=seeds {
        let (mut estimator, time) = estimate(trace, seed);
        fastest = fastest.min(time);
        let curve = estimator.curve(Duration::ZERO).expect("a curve");
        for (errors, (grid, truths)) in errors.iter_mut().zip(grids.iter().zip(&truths)) {
            errors.push(Errors::of(&curve, grid, truths));
        }
    }
    print!("{name:18}");
    errors.iter().for_each(|errors| Errors::print(errors));
    println!(
        " {:5.1} M/s",
        trace.len() as f64 / fastest.as_secs_f64() / 1e6
    );
}

/// Estimates for a cache of this shape beside simulated ones, at some shares of the working set.
fn study_shape(name: &str, trace: &Trace, seeds: u64, shape: CacheShape) {
    let (mut estimator, _) = estimate(trace, 1);
    let working_set = estimator.working_set_bytes();
    let ideal = estimator.curve(Duration::ZERO).expect("a curve");
    let shaped: Vec<MissRatioCurve> = (1..=seeds)
        .filter_map(|seed| estimate(trace, seed).0.curve_for(shape, Duration::ZERO))
        .collect();
    print!("{name:18}");
    for percent in [1, 2, 5, 10, 20, 40, 70] {
        let bytes = working_set / 100 * percent;
        // Which blocks share a shard is luck: the mean of some choices is what can be predicted.
        let choices = if shape.shards > 1 { 4 } else { 1 };
        let missed = |choice: u64| {
            let mut cache = BlockCache::new(bytes, shape);
            let missed =
                |block: &&(u64, u64)| cache.access(&access(**block, choice)) == Outcome::Miss;
            trace.iter().filter(missed).count() as f64 / trace.len() as f64
        };
        let truth = (0..choices).map(missed).sum::<f64>() / choices as f64;
        let ours = shaped
            .iter()
            .map(|c| c.miss_ratio_at(bytes).value)
            .sum::<f64>()
            / seeds as f64;
        print!(
            " {} MiB {:.2} ({:+.2}; ideal {:+.2})",
            bytes >> 20,
            truth * 100.0,
            (ours - truth) * 100.0,
            (ideal.miss_ratio_at(bytes).value - truth) * 100.0
        );
    }
    println!();
}

/// The curve of the first tenth, with the outcomes of a cache of a tenth of the working set, at multiples of that size, beside the whole
/// trace's; without the live bytes, and with them.
fn study_young(name: &str, trace: &Trace, seeds: u64) {
    let mut exact = ExactStack::new();
    for block in trace {
        exact.access(&access(*block, 0));
    }
    let capacity = exact.bytes() / 10;
    let mut cache = BlockCache::new(capacity, CacheShape::IDEAL);
    let tenth = &trace[..trace.len() / 10];
    let outcomes: Vec<Outcome> = tenth
        .iter()
        .map(|block| cache.access(&access(*block, 0)))
        .collect();
    let sizes = [1, 2, 4, 6, 8].map(|times| capacity * times);
    let mut curves = [Vec::new(), Vec::new()];
    for seed in 1..=seeds {
        let mut estimator = Estimator::new(EstimatorConfig {
            first_touch: FirstTouch::Censored,
            ..EstimatorConfig::offline(EstimatorConfig::SAMPLES)
        });
        for (block, outcome) in tenth.iter().zip(&outcomes) {
            let access = Access {
                outcome: *outcome,
                ..access(*block, seed)
            };
            estimator.look_up(&access, capacity, Duration::ZERO);
        }
        for (curves, live) in curves.iter_mut().zip([None, Some(exact.bytes())]) {
            estimator.set_live_bytes(live);
            curves.extend(estimator.curve(Duration::ZERO));
        }
        if seed == 1 {
            let watched = estimator.working_set_bytes() as f64;
            print!("{name:24} watched {:4.1}", watched / capacity as f64);
        }
    }
    for (size, truth) in sizes.iter().zip(exact.miss_ratios(&sizes)) {
        print!(" | {}x {:5.2}", size / capacity, truth * 100.0);
        for curves in &curves {
            let errors = curves
                .iter()
                .map(|c| (c.miss_ratio_at(*size).value - truth) * 100.0);
            let (low, high) = errors.fold((f64::MAX, f64::MIN), |(low, high), e| {
                (low.min(e), high.max(e))
            });
            print!(" {low:+5.1} {high:+5.1};");
        }
    }
    println!();
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut seeds = 5;
    let mut shape = CacheShape::IDEAL;
    let mut young = false;
    for argument in std::env::args().skip(1) {
        if let Some(number) = argument.strip_prefix("SEEDS=") {
            seeds = number.parse()?;
        } else if let Some(number) = argument.strip_prefix("SHARDS=") {
            shape.shards = number.parse()?;
        } else if let Some(ratio) = argument.strip_prefix("POOL=") {
            shape.high_pri_ratio = ratio.parse()?;
        } else if argument == "YOUNG" {
            young = true;
        } else {
            let trace = read(&argument)?;
            let name = argument.rsplit('/').next().unwrap_or(&argument);
            if young {
                study_young(name, &trace, seeds);
            } else if shape == CacheShape::IDEAL {
                study(name, &trace, seeds);
            } else {
                study_shape(name, &trace, seeds, shape);
            }
        }
    }
    Ok(())
}
