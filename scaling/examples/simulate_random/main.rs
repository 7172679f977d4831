//! Policy `weir` against the oracle and the other policies on plants that nobody tuned it on.
//!
//! `cargo run --release -p weir-scaling --example simulate_random -- [SCENARIOS] [FIRST_SEED] [FAMILY,...|all]`; prints a line a
//! family, and each run outside of the policy's reach to standard error. `--show SEED FAMILY` prints one scenario and what `weir` and
//! the oracle do.

mod families;

use std::error::Error;

use families::{FAMILIES, Family, Made};
use weir_scaling::sim::{Outcome, Scenario, oracle, simulate};
use weir_scaling::{Limits, policy_by_name};

const RIVALS: [&str; 3] = ["ds2", "justin", "a4s"];

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, seed, family] = args.as_slice()
        && flag == "--show"
    {
        let seed = seed.parse()?;
        for (_, make) in chosen(family)? {
            let Made { toml, csv } = make(seed);
            println!("{toml}\n{csv}");
            let run = Run::of(Made { toml, csv })?;
            run.weir.decisions.iter().for_each(|d| println!("{d:?}"));
            run.best.decisions.iter().for_each(|d| println!("{d:?}"));
        }
        return Ok(());
    }
    let number = |at: usize, default: u64| args.get(at).map_or(Ok(default), |n| n.parse());
    let (scenarios, first) = (number(0, 300)?, number(1, 1)?);
    let names = args.get(2).map_or("one", String::as_str);
    println!(
        "| family | scenarios | missed | late | 2 restarts a phase or more | late changes | refused | cost over oracle, median | worst | over 1.25 | over 2 % dearer than a rival |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for (name, make) in chosen(names)? {
        let mut tally = Tally::default();
        for seed in first..first + scenarios {
            let run = Run::of(make(seed)).map_err(|e| format!("{name}, seed {seed}: {e}"))?;
            if let Some(what) = tally.add(&run) {
                eprintln!("{name}, seed {seed}: {what}");
            }
        }
        println!("| {name} | {}", tally.row());
    }
    Ok(())
}

fn chosen(names: &str) -> Result<Vec<Family>, String> {
    if names == "all" {
        return Ok(FAMILIES.to_vec());
    }
    let find = |name: &str| {
        let found = FAMILIES.iter().find(|(n, _)| *n == name).copied();
        let known = FAMILIES.map(|(n, _)| n).join(", ");
        found.ok_or_else(|| format!("no family `{name}`; there are {known}"))
    };
    names.split(',').map(find).collect()
}

/// What `weir`, the oracle and the other policies make of a scenario.
struct Run {
    weir: Outcome,
    best: Outcome,
    rivals: Vec<Outcome>,
}

impl Run {
    fn of(made: Made) -> Result<Self, Box<dyn Error>> {
        let scenario = Scenario::parse(&made.toml, |_| Ok(made.csv.clone()))?;
        let policy =
            |name: &str| policy_by_name(name, Limits::default()).ok_or(format!("no policy {name}"));
        let mut rivals = Vec::new();
        for name in RIVALS {
            rivals.push(simulate(&scenario, policy(name)?.as_ref()));
        }
        Ok(Self {
            weir: simulate(&scenario, policy("weir")?.as_ref()),
            best: oracle(&scenario)?,
            rivals,
        })
    }

    /// Whether an outcome meets all that the oracle meets.
    fn meets(&self, outcome: &Outcome) -> bool {
        outcome.missed_phases <= self.best.missed_phases
            && outcome.below_target_s <= self.best.below_target_s
    }

    /// What `weir` costs over the cheapest rival that meets the targets.
    fn over_rival(&self) -> Option<f64> {
        let met = self.rivals.iter().filter(|r| self.meets(r));
        let cheapest = met.map(|r| r.cost).min_by(f64::total_cmp)?;
        Some(self.weir.cost / cheapest)
    }
}

/// Runs of one family.
#[derive(Default)]
struct Tally {
    costs: Vec<f64>,
    missed: u32,
    late: u32,
    restarts: u32,
    actions: u32,
    refused: u32,
    over: u32,
    compared: u32,
    dearer: u32,
}

impl Tally {
    /// Counts a run; says what is outside of the policy's reach.
    fn add(&mut self, run: &Run) -> Option<String> {
        let (weir, best) = (&run.weir, &run.best);
        let over = weir.cost / best.cost;
        self.costs.push(over);
        let over_rival = run.over_rival();
        self.compared += u32::from(over_rival.is_some());
        let dearer = over_rival.is_some_and(|r| r > 1.02);
        let counts = [
            (&mut self.missed, weir.missed_phases > best.missed_phases),
            (&mut self.late, weir.below_target_s > best.below_target_s),
            (&mut self.restarts, weir.restarts_in_a_phase_max > 1),
            (&mut self.actions, weir.late_actions > 0),
            (&mut self.refused, weir.refused > 0),
            (&mut self.over, over > 1.25),
            (&mut self.dearer, dearer),
        ];
        let mut outside = false;
        for (count, it_is) in counts {
            *count += u32::from(it_is);
            outside |= it_is;
        }
        outside.then(|| {
            format!(
                "cost {over:.3} ({:.3} of the best rival's), missed {} (oracle {}), below {} s ({}), {} restarts a phase, \
                 {} late changes, {} refused",
                over_rival.unwrap_or(f64::NAN),
                weir.missed_phases,
                best.missed_phases,
                weir.below_target_s,
                best.below_target_s,
                weir.restarts_in_a_phase_max,
                weir.late_actions,
                weir.refused
            )
        })
    }

    fn row(mut self) -> String {
        self.costs.sort_by(f64::total_cmp);
        let runs = self.costs.len();
        format!(
            "{runs} | {} | {} | {} | {} | {} | {:.3} | {:.3} | {} | {} of {} |",
            self.missed,
            self.late,
            self.restarts,
            self.actions,
            self.refused,
            self.costs[runs / 2],
            self.costs[runs - 1],
            self.over,
            self.dearer,
            self.compared
        )
    }
}
