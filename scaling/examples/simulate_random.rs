//! Policy `weir` against the oracle on plants that nobody tuned it on: random CPU and state costs, curves, skew, contention, bursts.
//!
//! `cargo run --release -p weir-scaling --example simulate_random -- [SCENARIOS] [FIRST_SEED]`; prints a summary, and each run outside
//! of the policy's reach to standard error.

use std::error::Error;

use weir_scaling::sim::{Scenario, oracle, simulate};
use weir_scaling::{Limits, policy_by_name};

const PHASE_S: u64 = 3600;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let scenarios: u64 = args.next().map_or(Ok(300), |n| n.parse())?;
    let first: u64 = args.next().map_or(Ok(1), |n| n.parse())?;
    let policy = policy_by_name("weir", Limits::default()).ok_or("no policy weir")?;
    let mut costs = Vec::new();
    let [mut missed, mut late, mut restarts, mut actions] = [0; 4];
    for seed in first..first + scenarios {
        let toml = random(seed);
        let scenario = Scenario::parse(&toml, |_| Err("no files here".to_owned()))?;
        let best = oracle(&scenario)?;
        let outcome = simulate(&scenario, policy.as_ref());
        let over = outcome.cost / best.cost;
        let outside = [
            outcome.missed_phases > best.missed_phases,
            outcome.below_target_s > best.below_target_s,
            outcome.restarts_in_a_phase_max > 1,
            outcome.late_actions > 0,
        ];
        for (count, outside) in [&mut missed, &mut late, &mut restarts, &mut actions]
            .into_iter()
            .zip(outside)
        {
            *count += u64::from(outside);
        }
        costs.push(over);
        if outside.contains(&true) || over > 1.25 {
            eprintln!(
                "seed {seed}: cost {over:.3}, missed {} (oracle {}), below {} s ({}), {} restarts a phase, {} late changes",
                outcome.missed_phases,
                best.missed_phases,
                outcome.below_target_s,
                best.below_target_s,
                outcome.restarts_in_a_phase_max,
                outcome.late_actions
            );
        }
    }
    costs.sort_by(f64::total_cmp);
    let over = costs.iter().filter(|c| **c > 1.25).count();
    println!(
        "{scenarios} scenarios: {missed} missed where the oracle is not, {late} late, {restarts} with two restarts a phase or more, \
         {actions} with late changes; cost over the oracle {:.3} (median), {:.3} (worst), {over} over 1.25",
        costs[costs.len() / 2],
        costs[costs.len() - 1]
    );
    Ok(())
}

/// A scenario of one operator with two phases; the same for the same seed.
fn random(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    // Xorshift (Marsaglia, 2003): good enough to scatter scenarios.
    let mut between = |low: f64, high: f64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        low + (high - low) * ((state >> 11) as f64 / (1u64 << 53) as f64)
    };
    let noise = between(0.0, 0.15);
    let cpu_us = between(5.0, 200.0);
    let lookups = between(0.0, 4.0);
    let hit_us = between(0.5, 5.0);
    let miss_us = hit_us + between(20.0, 400.0);
    let knee_mib = between(0.0, 9.0).exp2() + 8.0;
    let (at_knee, at_end) = (between(0.2, 0.6), between(0.0, 0.1));
    let skew = between(-0.5, 0.5).max(0.0);
    let contention = between(-0.01, 0.02).max(0.0);
    let burst = between(0.0, 1.0);
    let compaction = match burst > 0.7 {
        true => ", compaction = { every_s = 300, lasts_s = 60, slowdown = 0.3 }",
        false => "",
    };
    // What one instance does if half of its lookups miss, times so many instances.
    let one = 1000.0 / (cpu_us + lookups * (hit_us + 0.5 * (miss_us - hit_us)));
    let [first, second] = [0, 1].map(|_| one * between(0.0, 3.0).exp2());
    let instances = between(1.0, 5.0) as u32;
    let cache_mib = between(3.0, 8.0).exp2();
    format!(
        "horizon_s = {}\nnoise = {noise:.3}\nseed = {seed}\n[budget]\nslots = 24\ncache_mib = 8192\n[[operator]]\nname = \"q\"\n\
         plant = {{ cpu_us = {cpu_us:.1}, lookups = {lookups:.2}, hit_us = {hit_us:.1}, miss_us = {miss_us:.1}, \
         curve = [[0, 1.0], [{knee_mib:.1}, {at_knee:.2}], [{:.1}, {at_end:.3}]], key_skew = {skew:.2}, \
         contention = {contention:.4}{compaction} }}\nstart = {{ parallelism = {instances}, cache_mib = {cache_mib:.0} }}\n\
         target = [ {{ at_s = 0, rate_kps = {first:.3} }}, {{ at_s = {PHASE_S}, rate_kps = {second:.3} }} ]\n",
        2 * PHASE_S,
        4.0 * knee_mib
    )
}
