//! Policies against plants: what the simulator promises, and what policy `weir` achieves in it.

#![allow(clippy::unwrap_used)]

use weir_scaling::sim::{Outcome, Scenario, oracle, simulate};
use weir_scaling::{
    History, JobPlan, JobVerdict, Limits, Plan, Policy, PredictedRate, Snapshot, VertexReason,
    policy_by_name,
};

/// Points measured with Flink on Nexmark's query 9, of which memory decides the rate, and query 11, of which it does not.
const MEASURED: &str = "query,cache_mib,parallelism,rate_kps
Q9,32.5,1,1.66
Q9,65,1,5.75
Q9,130,1,6.63
Q9,260,1,7.18
Q9,1040,1,7.83
Q9,32.5,2,12.32
Q9,65,2,13.49
Q9,130,2,15.13
Q9,520,2,16.18
Q9,32.5,4,26.24
Q9,65,4,30.49
Q9,130,4,34.30
Q9,260,4,32.72
Q11,32.5,1,26.67
Q11,520,1,27.32
Q11,32.5,2,51.07
Q11,260,2,51.89
Q11,32.5,4,77.63
Q11,260,4,83.86
";

fn parse(toml: &str) -> Scenario {
    Scenario::parse(toml, |_| Ok(MEASURED.to_owned())).unwrap()
}

fn measured(query: &str, noise: f64, seed: u64, targets: [f64; 2]) -> Scenario {
    let [first, second] = targets;
    parse(&format!(
        "horizon_s = 7200\nnoise = {noise}\nseed = {seed}\n\
         [budget]\nslots = 16\ncache_mib = 4096\n\
         [[operator]]\nname = \"q\"\nplant = {{ csv = \"measured.csv\", where = {{ query = \"{query}\" }} }}\n\
         start = {{ parallelism = 1, cache_mib = 32.5 }}\n\
         target = [ {{ at_s = 0, rate_kps = {first} }}, {{ at_s = 3600, rate_kps = {second} }} ]\n"
    ))
}

fn run(scenario: &Scenario, policy: &str) -> Outcome {
    let policy = policy_by_name(policy, Limits::default()).unwrap();
    simulate(scenario, policy.as_ref())
}

#[test]
fn weir_meets_steps_up_and_down_near_the_cost_of_the_oracle() {
    let steps = [
        ("Q9", [7.0, 25.0]),
        ("Q9", [34.30, 9.8]),
        ("Q11", [26.0, 70.0]),
        ("Q11", [80.0, 40.0]),
    ];
    for (query, targets) in steps {
        for (noise, seed) in [(0.0, 1), (0.05, 2), (0.15, 3)] {
            let scenario = measured(query, noise, seed, targets);
            let best = oracle(&scenario).unwrap();
            let outcome = run(&scenario, "weir");
            let case = format!("{query} {targets:?} noise {noise}: {outcome:#?}");
            assert_eq!(best.missed_phases, 0, "{case}");
            assert_eq!(outcome.missed_phases, 0, "{case}");
            assert!(
                outcome.cost <= 1.10 * best.cost,
                "{} of {}: {case}",
                outcome.cost,
                best.cost
            );
            assert!(outcome.restarts_in_a_phase_max <= 1, "{case}");
            assert_eq!(outcome.late_actions, 0, "{case}");
        }
    }
}

#[test]
fn where_memory_alone_is_enough_nothing_restarts() {
    let scenario = measured("Q9", 0.05, 7, [5.0, 7.0]);
    let outcome = run(&scenario, "weir");
    assert_eq!(outcome.restarts, 0, "{outcome:#?}");
    assert_eq!(outcome.missed_phases, 0, "{outcome:#?}");
    assert!(outcome.resizes > 0);
}

#[test]
fn static_keeps_its_shape_and_pays_for_it() {
    let outcome = run(&measured("Q9", 0.1, 1, [7.0, 25.0]), "static");
    assert_eq!(
        (outcome.restarts, outcome.resizes, outcome.decisions.len()),
        (0, 0, 1)
    );
    assert_eq!(outcome.slot_seconds, 7200.0);
    let gib = 32.5 / 1024.0 * 7200.0;
    assert!((outcome.gib_seconds - gib).abs() < 1e-6);
    assert!((outcome.cost - 7200.0 - 0.25 * gib).abs() < 1e-6);
    assert_eq!(outcome.below_target_with_grace_s, 7200);
    assert_eq!(outcome.below_target_s, 7200 - 2 * outcome.grace_s);
    assert!(
        outcome.backlog_end_s > 3600.0,
        "what is not processed queues up"
    );
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_does_not() {
    let run = |seed| run(&measured("Q9", 0.15, seed, [7.0, 25.0]), "weir");
    assert_eq!(run(4), run(4));
    assert_ne!(run(4), run(5));
}

/// A chain of an I/O-bound join behind a cheap filter, on formulas.
fn chain(slots: u32, cache_mib: u32, rate_kps: f64) -> Scenario {
    parse(&format!(
        "horizon_s = 3600\nnoise = 0.05\n[budget]\nslots = {slots}\ncache_mib = {cache_mib}\n\
         [[operator]]\nname = \"join\"\ninputs = [ {{ from = \"filter\", ratio = 0.5 }} ]\n\
         plant = {{ cpu_us = 40, lookups = 2, hit_us = 2, miss_us = 100, curve = [[0, 1.0], [64, 0.5], [512, 0.05]] }}\n\
         start = {{ parallelism = 1, cache_mib = 64 }}\n\
         [[operator]]\nname = \"filter\"\nplant = {{ cpu_us = 20 }}\nstart = {{ parallelism = 1, cache_mib = 1 }}\n\
         target = [ {{ at_s = 0, rate_kps = {rate_kps} }} ]\n"
    ))
}

#[test]
fn operators_of_a_chain_are_scaled_each_as_far_as_it_needs() {
    let scenario = chain(32, 4096, 80.0);
    let best = oracle(&scenario).unwrap();
    let outcome = run(&scenario, "weir");
    assert_eq!(outcome.missed_phases, 0, "{outcome:#?}");
    assert!(outcome.cost <= 1.25 * best.cost, "{outcome:#?} {best:#?}");
    assert!(outcome.restarts <= 2, "{outcome:#?}");
}

#[test]
fn no_budget_is_ever_exceeded() {
    for (slots, cache_mib) in [(2, 130), (4, 256), (5, 1024)] {
        let scenario = chain(slots, cache_mib, 150.0);
        let outcome = run(&scenario, "weir");
        assert_eq!(
            outcome.refused, 0,
            "a plan over budget is a defect of the policy: {outcome:#?}"
        );
    }
}

/// One operator on formulas, so many records a second.
fn single(head: &str, plant: &str, start: &str, targets: &str) -> Scenario {
    parse(&format!(
        "horizon_s = 3600\n{head}\n[[operator]]\nname = \"q\"\nplant = {{ {plant} }}\nstart = {{ {start} }}\ntarget = [ {targets} ]\n"
    ))
}

#[test]
fn without_a_budget_prices_decide() {
    let scenario = single(
        "noise = 0.05",
        "cpu_us = 100",
        "parallelism = 1, cache_mib = 1",
        "{ at_s = 0, rate_kps = 45 }",
    );
    let outcome = run(&scenario, "weir");
    assert_eq!(outcome.missed_phases, 0, "{outcome:#?}");
    assert!(
        outcome.cost <= 1.25 * oracle(&scenario).unwrap().cost,
        "{outcome:#?}"
    );
}

#[test]
fn bytes_cross_the_wall_between_cache_and_write_buffers() {
    // All reads fit into an eighth of the cache; what slows the operator down is compaction behind 4 MiB of write buffers.
    let scenario = single(
        "[budget]\nslots = 1\ncache_mib = 264",
        "cpu_us = 20, lookups = 1, hit_us = 1, miss_us = 20, curve = [[0, 1.0], [32, 0.05]], \
         write = { bytes_per_record = 400, data_mib = 20000, insert_us = 1, stall_us_per_mib = 5000 }",
        "parallelism = 1, cache_mib = 256, write_buffer_mib = 4",
        "{ at_s = 0, rate_kps = 19 }",
    );
    let outcome = run(&scenario, "weir");
    let last = outcome.decisions.last().unwrap();
    assert!(last.write_buffer_mib > 4.0, "{outcome:#?}");
    assert!(last.cache_mib < 256.0, "{outcome:#?}");
    assert_eq!(
        (outcome.missed_phases, outcome.restarts),
        (0, 0),
        "{outcome:#?}"
    );
    let fixed = run(&scenario, "static");
    assert_eq!(
        fixed.missed_phases, 1,
        "the cache alone does not help: {fixed:#?}"
    );
}

#[test]
fn bursts_of_compaction_average_out() {
    let scenario = single(
        "noise = 0.05\n[budget]\nslots = 16\ncache_mib = 1024",
        "cpu_us = 100, compaction = { every_s = 300, lasts_s = 60, slowdown = 0.4 }",
        "parallelism = 1, cache_mib = 1",
        "{ at_s = 0, rate_kps = 34 }",
    );
    let outcome = run(&scenario, "weir");
    assert_eq!(outcome.missed_phases, 0, "{outcome:#?}");
    assert!(outcome.restarts <= 2, "{outcome:#?}");
    // Four instances do 36.8 in the long run, and 24 in a burst.
    let steady = run(
        &single(
            "",
            "cpu_us = 100, compaction = { every_s = 300, lasts_s = 60, slowdown = 0.4 }",
            "parallelism = 4, cache_mib = 1",
            "{ at_s = 0, rate_kps = 34 }",
        ),
        "static",
    );
    assert_eq!(steady.below_target_with_grace_s, 0);
    assert!(steady.backlog_max_s > 5.0, "a burst queues up: {steady:#?}");
}

#[test]
fn a_backlog_that_grows_from_burst_to_burst_tells_that_a_shape_is_too_slow() {
    // In the long run 94 % of what is measured between two bursts; the first shape falls short of the target by half a percent.
    let scenario = single(
        "noise = 0.1\n[budget]\nslots = 1\ncache_mib = 2048",
        "cpu_us = 120, lookups = 3, hit_us = 3, miss_us = 300, curve = [[0, 1.0], [200, 0.58], [900, 0.07]], \
         compaction = { every_s = 300, lasts_s = 60, slowdown = 0.3 }",
        "parallelism = 1, cache_mib = 700",
        "{ at_s = 0, rate_kps = 2.95 }",
    );
    let fixed = run(&scenario, "static");
    assert_eq!(fixed.missed_phases, 1, "{fixed:#?}");
    let outcome = run(&scenario, "weir");
    assert_eq!(outcome.missed_phases, 0, "{outcome:#?}");
}

#[test]
fn a_job_whose_source_falls_silent_comes_down_to_one_instance_and_up_again() {
    let scenario = parse(
        "horizon_s = 10800\nnoise = 0.05\n[budget]\nslots = 16\ncache_mib = 4096\n[[operator]]\nname = \"q\"\n\
         plant = { cpu_us = 100, lookups = 1, hit_us = 1, miss_us = 200, curve = [[0, 1.0], [256, 0.1]] }\n\
         start = { parallelism = 2, cache_mib = 64 }\n\
         target = [ { at_s = 0, rate_kps = 30 }, { at_s = 3600, rate_kps = 0 }, { at_s = 7200, rate_kps = 30 } ]\n",
    );
    let best = oracle(&scenario).unwrap();
    let outcome = run(&scenario, "weir");
    let silent = outcome.decisions.iter().rfind(|d| d.at_s < 7200).unwrap();
    assert_eq!(
        (silent.parallelism, silent.cache_mib),
        (1, 1.0),
        "{outcome:#?}"
    );
    assert_eq!(outcome.missed_phases, 0, "{outcome:#?}");
    assert!(outcome.cost <= 1.25 * best.cost, "{outcome:#?} {best:#?}");
}

#[test]
fn an_uneven_load_is_known_to_end_at_one_instance() {
    let scenario = single(
        "[budget]\nslots = 16\ncache_mib = 1024",
        "cpu_us = 10, key_skew = 0.6",
        "parallelism = 2, cache_mib = 1",
        "{ at_s = 0, rate_kps = 70 }",
    );
    let outcome = run(&scenario, "weir");
    assert_eq!(
        outcome.decisions.last().unwrap().parallelism,
        1,
        "{outcome:#?}"
    );
    assert_eq!(outcome.missed_phases, 0, "{outcome:#?}");
}

/// Believes at its first look that one instance does as much as four.
struct Overconfident;

impl Policy for Overconfident {
    fn name(&self) -> &'static str {
        "overconfident"
    }

    fn decide(&self, snapshot: &Snapshot, _history: &History) -> Plan {
        let job = &snapshot.jobs.as_ref().unwrap()[0];
        let mut plan = JobPlan::keep(job, JobVerdict::Rescale, |_| VertexReason::Stays);
        let vertex = plan.vertices.iter_mut().find(|v| v.name == "q").unwrap();
        vertex.to_parallelism = 1;
        let value = 40_000.0;
        vertex.predicted = Some(PredictedRate {
            value,
            low: value,
            high: value,
        });
        Plan::new(self.name(), Vec::new()).with_jobs(vec![plan])
    }
}

#[test]
fn the_guard_takes_back_what_did_not_come_true_and_does_not_try_it_again_soon() {
    let at_four = |guard: &str| {
        single(
            &format!("noise = 0.05\n{guard}"),
            "cpu_us = 100",
            "parallelism = 4, cache_mib = 1",
            "{ at_s = 0, rate_kps = 35 }",
        )
    };
    let guarded = simulate(&at_four("[guard]\nmax-shrink = 0.8"), &Overconfident);
    let shapes: Vec<u32> = guarded.decisions.iter().map(|d| d.parallelism).collect();
    assert_eq!(shapes[..3], [4, 1, 4], "{guarded:#?}");
    let again = guarded.decisions.get(3).map_or(u64::MAX, |d| d.at_s);
    assert!(again >= guarded.decisions[2].at_s + 1800, "{guarded:#?}");
    // Without a section `guard` a policy is on its own.
    let alone = simulate(&at_four(""), &Overconfident);
    assert_eq!(alone.decisions.last().unwrap().parallelism, 1);
    assert_eq!(alone.missed_phases, 1);
}

#[test]
fn the_guards_limits_hold_every_policy() {
    let scenario = single(
        "[guard]\nmax-growth = 2.0\nmax-parallelism = 6",
        "cpu_us = 100",
        "parallelism = 2, cache_mib = 1",
        "{ at_s = 0, rate_kps = 75 }",
    );
    for policy in ["weir", "ds2", "a4s"] {
        let outcome = run(&scenario, policy);
        let shapes: Vec<u32> = outcome.decisions.iter().map(|d| d.parallelism).collect();
        assert_eq!(shapes, [2, 4, 6], "{outcome:#?}");
    }
}

#[test]
fn a_restart_stops_the_job_and_its_backlog_drains() {
    let outcome = run(&measured("Q11", 0.0, 1, [26.0, 40.0]), "weir");
    assert_eq!(outcome.restarts, 1, "{outcome:#?}");
    assert!(outcome.backlog_max_s >= 30.0);
    assert!(outcome.backlog_end_s < 1.0, "{outcome:#?}");
}

#[test]
fn the_oracle_takes_the_cheapest_measured_shape() {
    let best = oracle(&measured("Q9", 0.0, 1, [7.18, 25.0])).unwrap();
    let shapes: Vec<_> = best
        .decisions
        .iter()
        .map(|d| (d.parallelism, d.cache_mib))
        .collect();
    assert_eq!(shapes[0].0, 1);
    assert!((shapes[0].1 - 260.0).abs() < 0.01, "{shapes:?}");
    assert_eq!(shapes[1], (4, 32.5));
    assert_eq!(best.below_target_with_grace_s, 0);
    let unreachable = oracle(&measured("Q9", 0.0, 1, [7.0, 99.0])).unwrap();
    assert_eq!(unreachable.missed_phases, 1);
}

#[test]
fn a_bad_scenario_is_refused_with_the_field_and_the_remedy() {
    let good = "horizon_s = 600\n[[operator]]\nname = \"a\"\nplant = { cpu_us = 10 }\n\
                start = { parallelism = 1, cache_mib = 8 }\ntarget = [ { at_s = 0, rate_kps = 1 } ]\n";
    assert!(Scenario::parse(good, |_| Err(String::new())).is_ok());
    let cases = [
        (
            "horizon_s = 600",
            "horizont_s = 600",
            "unknown field `horizont_s`",
        ),
        (
            "horizon_s = 600",
            "horizon_s = 5",
            "horizon_s: is 5; give at least one policy_interval_s",
        ),
        (
            "cpu_us = 10",
            "cpu_us = -1",
            "plant.cpu_us: is -1; give 0 or more",
        ),
        (
            "{ cpu_us = 10 }",
            "{ csv = \"no.csv\" }",
            "plant.csv: no such file",
        ),
        (
            "parallelism = 1",
            "parallelism = 0",
            "start.parallelism: is 0; give at least 1",
        ),
        ("at_s = 0", "at_s = 9", "the first step must be { at_s = 0"),
        (
            "target = [ { at_s = 0, rate_kps = 1 } ]",
            "inputs = [ { from = \"b\" } ]",
            "\"b\" is no operator",
        ),
        (
            "target = [ { at_s = 0, rate_kps = 1 } ]",
            "inputs = [ { from = \"a\" } ]",
            "remove one edge of the cycle",
        ),
    ];
    for (from, to, expected) in cases {
        let bad = good.replace(from, to);
        let error = Scenario::parse(&bad, |_| Err("no such file".to_owned())).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
