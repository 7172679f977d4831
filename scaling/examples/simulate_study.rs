//! The study in `docs/simulator.md`: every query of the measured data, steps between quarters of its range, noise, seeds, all policies.
//!
//! `cargo run --release -p weir-scaling --example simulate_study -- FILE.csv [SEEDS]`; prints a Markdown table.

use std::collections::BTreeMap;
use std::error::Error;

use weir_scaling::sim::{Outcome, Scenario, oracle, simulate};
use weir_scaling::{Limits, policy_by_name};

/// A phase is an hour.
const PHASE_S: u64 = 3600;
const POLICIES: [&str; 5] = ["weir", "ds2", "justin", "a4s", "static"];
const NOISES: [f64; 3] = [0.0, 0.05, 0.15];

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("give the CSV file of measured points")?;
    let seeds: u64 = args.next().map_or(Ok(3), |s| s.parse())?;
    let text = std::fs::read_to_string(&file).map_err(|e| format!("{file}: {e}"))?;
    let mut tallies: BTreeMap<(usize, String), Tally> = BTreeMap::new();
    let mut rivals = Rivals::default();
    for (query, levels) in levels(&text)? {
        for (first, second) in steps(&levels) {
            for noise in NOISES {
                // Without noise all seeds are one.
                for seed in 1..=(if noise == 0.0 { 1 } else { seeds }) {
                    let scenario = scenario(&text, &query, noise, seed, first, second)?;
                    let best = oracle(&scenario)?;
                    let mut outcomes = Vec::new();
                    for (at, name) in POLICIES.iter().enumerate() {
                        let policy = policy_by_name(name, Limits::default()).ok_or(*name)?;
                        let outcome = simulate(&scenario, policy.as_ref());
                        tallies
                            .entry((at, query.clone()))
                            .or_default()
                            .add(&outcome, &best);
                        outcomes.push(outcome);
                    }
                    rivals.add(&outcomes, &best);
                }
            }
        }
    }
    println!(
        "| policy | query | runs | met | late | cost over oracle, median | worst | runs with 2 restarts a phase or more | runs with late actions |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for ((at, query), tally) in &mut tallies {
        println!("| `{}` | {query} | {}", POLICIES[*at], tally.row());
    }
    println!(
        "\n`weir` against the cheapest of `ds2`, `justin`, `a4s` that meets all targets the oracle meets: {} runs have one; `weir` costs over 2 % more in {} of them, at worst {:.1} % more.",
        rivals.compared,
        rivals.dearer,
        (rivals.worst - 1.0) * 100.0
    );
    Ok(())
}

/// For each query five rates from the least to the most measured.
fn levels(text: &str) -> Result<BTreeMap<String, Vec<f64>>, Box<dyn Error>> {
    let header: Vec<&str> = text.lines().next().unwrap_or_default().split(',').collect();
    let column = |name: &str| {
        header
            .iter()
            .position(|c| *c == name)
            .ok_or(format!("no column {name}"))
    };
    let (query, rate) = (column("query")?, column("rate_kps")?);
    let mut ranges: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let rate: f64 = cells[rate].parse()?;
        let range = ranges
            .entry(cells[query].to_owned())
            .or_insert((rate, rate));
        *range = (range.0.min(rate), range.1.max(rate));
    }
    let quarters = |(low, high): (f64, f64)| {
        (0..5)
            .map(|q| low + (high - low) * f64::from(q) / 4.0)
            .collect()
    };
    Ok(ranges
        .into_iter()
        .map(|(query, range)| (query, quarters(range)))
        .collect())
}

/// Every step up and down, and one target that stays.
fn steps(levels: &[f64]) -> Vec<(f64, f64)> {
    let all = levels
        .iter()
        .flat_map(|a| levels.iter().map(move |b| (*a, *b)));
    all.filter(|(a, b)| a != b || *a == levels[2]).collect()
}

fn scenario(
    text: &str,
    query: &str,
    noise: f64,
    seed: u64,
    first: f64,
    second: f64,
) -> Result<Scenario, Box<dyn Error>> {
    let toml = format!(
        "horizon_s = {}\nnoise = {noise}\nseed = {seed}\n[budget]\nslots = 16\ncache_mib = 4096\n[[operator]]\nname = \"q\"\n\
         plant = {{ csv = \"measured\", where = {{ query = \"{query}\" }} }}\nstart = {{ parallelism = 1, cache_mib = 32.5 }}\n\
         target = [ {{ at_s = 0, rate_kps = {first} }}, {{ at_s = {PHASE_S}, rate_kps = {second} }} ]\n",
        2 * PHASE_S
    );
    Ok(Scenario::parse(&toml, |_| Ok(text.to_owned()))?)
}

/// Runs of one policy on one query.
#[derive(Default)]
struct Tally {
    costs: Vec<f64>,
    missed: usize,
    late: usize,
    many_restarts: usize,
    late_actions: usize,
}

impl Tally {
    fn add(&mut self, outcome: &Outcome, best: &Outcome) {
        self.costs.push(outcome.cost / best.cost);
        self.missed += usize::from(outcome.missed_phases > best.missed_phases);
        self.late += usize::from(outcome.below_target_s > best.below_target_s);
        self.many_restarts += usize::from(outcome.restarts_in_a_phase_max > 1);
        self.late_actions += usize::from(outcome.late_actions > 0);
    }

    fn row(&mut self) -> String {
        self.costs.sort_by(f64::total_cmp);
        let runs = self.costs.len();
        format!(
            "{runs} | {:.1} % | {} | {:.3} | {:.3} | {} | {} |",
            100.0 * (runs - self.missed) as f64 / runs as f64,
            self.late,
            self.costs[runs / 2],
            self.costs[runs - 1],
            self.many_restarts,
            self.late_actions
        )
    }
}

/// `weir` against the others, where they meet the targets.
#[derive(Default)]
struct Rivals {
    compared: usize,
    dearer: usize,
    worst: f64,
}

impl Rivals {
    fn add(&mut self, outcomes: &[Outcome], best: &Outcome) {
        let rivals = outcomes[1..4].iter().filter(|o| {
            o.missed_phases <= best.missed_phases && o.below_target_s <= best.below_target_s
        });
        let Some(cheapest) = rivals.map(|o| o.cost).min_by(f64::total_cmp) else {
            return;
        };
        let ratio = outcomes[0].cost / cheapest;
        self.compared += 1;
        self.dearer += usize::from(ratio > 1.02);
        self.worst = self.worst.max(ratio);
    }
}
