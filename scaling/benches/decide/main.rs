//! How long policy `weir` takes to decide, over the number of operators: 32 subtasks each, ten to a pipeline.
//!
//! `ample` budgets do not bind; `tight` ones allow all vertices together a tenth more than they have, while half of them need more.
//! The caches are those of one TaskManager, or dealt out at random over a thousand.

mod snapshot;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;

use snapshot::{Budgets, snapshot};
use weir_scaling::{History, Policy, WeirPolicy};

fn bench(c: &mut Criterion) {
    let shapes = [
        ("ample budgets", Budgets::Ample, 1),
        ("tight budgets", Budgets::Tight, 1),
        ("ample budgets, 1000 TaskManagers", Budgets::Ample, 1_000),
        ("tight budgets, 1000 TaskManagers", Budgets::Tight, 1_000),
    ];
    for (name, budgets, task_managers) in shapes {
        let mut group = c.benchmark_group(format!("weir decides, {name}"));
        group.sample_size(10).warm_up_time(Duration::from_secs(1));
        for operators in [1_000, 2_000, 5_000, 10_000] {
            let snapshot = snapshot(operators, budgets, task_managers);
            let mut history = History::default();
            history.observe(&snapshot);
            let policy = WeirPolicy::default();
            group.throughput(Throughput::Elements(operators as u64));
            group.bench_function(BenchmarkId::from_parameter(operators), |b| {
                // The plan names every cache; to drop it is not part of the decision.
                b.iter_with_large_drop(|| policy.decide(black_box(&snapshot), &history));
            });
        }
        group.finish();
    }
    let mut group = c.benchmark_group("models learn from a snapshot");
    group.sample_size(10).warm_up_time(Duration::from_secs(1));
    for operators in [1_000, 10_000] {
        let snapshot = snapshot(operators, Budgets::Ample, 1);
        group.throughput(Throughput::Elements(operators as u64));
        group.bench_function(BenchmarkId::from_parameter(operators), |b| {
            b.iter_batched(
                History::default,
                |mut history| {
                    history.observe(black_box(&snapshot));
                    history
                },
                criterion::BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
