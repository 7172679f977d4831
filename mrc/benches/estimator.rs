//! What a look-up costs: rejected (hash and compare), sampled, and on average over a skewed stream.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use weir_mrc::{Access, Estimator, EstimatorConfig, Outcome, hash_key};

const KEYS: usize = 1 << 20;

/// Keys as FRocksDB 6.20.3 builds them: 12 bytes of file prefix, then the offset.
fn keys() -> Vec<[u8; 16]> {
    let mut state = 1_u64;
    (0..KEYS)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            // A cube of a uniform variate: most draws fall on few blocks.
            let uniform = (state >> 11) as f64 / (1_u64 << 53) as f64;
            let block = (uniform.powi(3) * 4_000_000.0) as u64;
            let mut key = [0x5a; 16];
            key[8..].copy_from_slice(&(block * 4_101).to_le_bytes());
            key
        })
        .collect()
}

fn access(hash: u64) -> Access {
    Access {
        hash,
        charge_bytes: 4_160,
        outcome: Outcome::Miss,
        inserts: true,
        counted: true,
        high_priority: false,
    }
}

fn estimator(criterion: &mut Criterion) {
    let keys = keys();
    let mut full = Estimator::new(EstimatorConfig {
        half_life: Some(Duration::from_secs(600)),
        ..EstimatorConfig::default()
    });
    let mut now = Duration::ZERO;
    for key in keys.iter().chain(&keys) {
        now += Duration::from_micros(5);
        full.observe(&access(hash_key(key)), 64 << 20, now);
    }
    let sampled: Vec<u64> = keys
        .iter()
        .map(|k| hash_key(k))
        .filter(|h| *h < full.threshold())
        .collect();

    let mut group = criterion.benchmark_group("estimator");
    group.throughput(Throughput::Elements(KEYS as u64));
    group.bench_function("rejected: hash and compare", |b| {
        b.iter(|| {
            // A threshold of 1: every look-up is turned away.
            let threshold = black_box(1_u64);
            keys.iter().filter(|k| hash_key(*k) < threshold).count()
        });
    });
    group.throughput(Throughput::Elements(sampled.len() as u64));
    group.bench_function("sampled, 8192 blocks", |b| {
        b.iter(|| {
            for hash in &sampled {
                now += Duration::from_micros(5);
                full.observe(&access(*hash), 64 << 20, now);
            }
        });
    });
    group.throughput(Throughput::Elements(KEYS as u64));
    group.bench_function("all look-ups of a skewed stream", |b| {
        b.iter(|| {
            for key in &keys {
                let hash = hash_key(key);
                if hash < full.threshold() {
                    now += Duration::from_micros(5);
                    full.observe(&access(hash), 64 << 20, now);
                }
            }
        });
    });
    group.finish();
    let mut group = criterion.benchmark_group("readout");
    full.set_lookups(1 << 30, now);
    group.bench_function("curve", |b| b.iter(|| full.curve(now)));
    group.finish();
}

criterion_group!(benches, estimator);
criterion_main!(benches);
