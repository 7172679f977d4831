//! The study in `docs/simulator.md`: every query of the measured data, steps between quarters of its range, noise, seeds, all policies.
//!
//! `cargo run --release -p weir-scaling --example simulate_study -- FILE.csv [SEEDS] [THREADS]`; prints a Markdown table, and each run
//! in which `weir` is outside of its reach to standard error.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};

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
    let threads: usize = args.next().map_or(Ok(1), |s| s.parse())?;
    let text = std::fs::read_to_string(&file).map_err(|e| format!("{file}: {e}"))?;
    let cases = cases(&text, seeds)?;
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, Run)>, String> {
        let mut runs = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(at) else {
                return Ok(runs);
            };
            runs.push((at, case.run(&text).map_err(|e| e.to_string())?));
        }
    };
    let mut runs = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let done = workers
            .into_iter()
            .map(|w| w.join().map_err(|_| "a run panicked".to_owned())?);
        done.collect::<Result<Vec<_>, String>>()
    })?
    .concat();
    runs.sort_by_key(|(at, _)| *at);
    let mut tallies: BTreeMap<(usize, String), Tally> = BTreeMap::new();
    let mut rivals = Rivals::default();
    for (case, (_, run)) in cases.iter().zip(&runs) {
        for (at, outcome) in run.outcomes.iter().enumerate() {
            let tally = tallies.entry((at, case.query.clone())).or_default();
            tally.add(outcome, &run.best);
        }
        let over_rival = rivals.add(&run.outcomes, &run.best);
        report(case, run, over_rival);
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

/// One scenario of the study.
struct Case {
    query: String,
    noise: f64,
    seed: u64,
    first: f64,
    second: f64,
}

/// What all policies make of it.
#[derive(Clone)]
struct Run {
    best: Outcome,
    outcomes: Vec<Outcome>,
}

impl Case {
    fn run(&self, text: &str) -> Result<Run, Box<dyn Error>> {
        let scenario = scenario(text, self)?;
        let best = oracle(&scenario)?;
        let mut outcomes = Vec::new();
        for name in POLICIES {
            let policy = policy_by_name(name, Limits::default()).ok_or(name)?;
            outcomes.push(simulate(&scenario, policy.as_ref()));
        }
        Ok(Run { best, outcomes })
    }
}

/// Every step of every query at every noise, so many seeds each; without noise all seeds are one.
fn cases(text: &str, seeds: u64) -> Result<Vec<Case>, Box<dyn Error>> {
    let mut cases = Vec::new();
    for (query, levels) in levels(text)? {
        for (first, second) in steps(&levels) {
            for noise in NOISES {
                for seed in 1..=(if noise == 0.0 { 1 } else { seeds }) {
                    let query = query.clone();
                    cases.push(Case {
                        query,
                        noise,
                        seed,
                        first,
                        second,
                    });
                }
            }
        }
    }
    Ok(cases)
}

/// Says what of `weir`'s reach a run misses.
fn report(case: &Case, run: &Run, over_rival: Option<f64>) {
    let (weir, best) = (&run.outcomes[0], &run.best);
    let over = weir.cost / best.cost;
    let mut missed = Vec::new();
    if weir.missed_phases > best.missed_phases || weir.below_target_s > best.below_target_s {
        missed.push(format!("{} s below the target", weir.below_target_s));
    }
    if over > 1.25 {
        missed.push(format!("{over:.3} of the oracle's cost"));
    }
    if let Some(ratio) = over_rival.filter(|r| *r > 1.02) {
        missed.push(format!("{ratio:.3} of the best rival's cost"));
    }
    if weir.restarts_in_a_phase_max > 1 {
        missed.push(format!("{} restarts a phase", weir.restarts_in_a_phase_max));
    }
    if weir.late_actions > 0 {
        missed.push(format!("{} late changes", weir.late_actions));
    }
    if !missed.is_empty() {
        eprintln!(
            "{} from {:.2} to {:.2} k/s, noise {}, seed {}: {}",
            case.query,
            case.first,
            case.second,
            case.noise,
            case.seed,
            missed.join(", ")
        );
    }
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

fn scenario(text: &str, case: &Case) -> Result<Scenario, Box<dyn Error>> {
    let Case {
        query,
        noise,
        seed,
        first,
        second,
    } = case;
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
    /// What `weir` costs over the cheapest rival that meets all targets the oracle meets, if one does.
    fn add(&mut self, outcomes: &[Outcome], best: &Outcome) -> Option<f64> {
        let rivals = outcomes[1..4].iter().filter(|o| {
            o.missed_phases <= best.missed_phases && o.below_target_s <= best.below_target_s
        });
        let cheapest = rivals.map(|o| o.cost).min_by(f64::total_cmp)?;
        let ratio = outcomes[0].cost / cheapest;
        self.compared += 1;
        self.dearer += usize::from(ratio > 1.02);
        self.worst = self.worst.max(ratio);
        Some(ratio)
    }
}
