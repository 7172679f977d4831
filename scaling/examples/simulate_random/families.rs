//! Scenarios that nobody tuned a policy on, by family; the same for the same seed.

use std::fmt::Write as _;

/// What a family stresses, and its scenario with a seed.
pub type Family = (&'static str, fn(u64) -> Made);

/// Every family.
pub const FAMILIES: [Family; 11] = [
    ("one", one),
    ("measured", measured),
    ("pipeline", pipeline),
    ("tight", tight),
    ("write", write_path),
    ("diurnal", diurnal),
    ("small-steps", small_steps),
    ("exact", exact),
    ("zero", zero),
    ("unbounded", unbounded),
    ("pace", pace),
];

/// A scenario, and the file of measured points that it may name.
pub struct Made {
    pub toml: String,
    pub csv: String,
}

const PHASE_S: u64 = 3600;

/// Xorshift (Marsaglia, 2003): good enough to scatter scenarios.
struct Draw(u64);

impl Draw {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        low + (high - low) * ((self.0 >> 11) as f64 / (1u64 << 53) as f64)
    }

    fn chance(&mut self, share: f64) -> bool {
        self.between(0.0, 1.0) < share
    }
}

/// An analytic plant, and what one instance does if half of its lookups miss, thousand records a second.
struct Drawn {
    plant: String,
    one_kps: f64,
}

/// One operator, two phases: random costs, curve, skew, contention, bursts, noise, targets and start.
fn one(seed: u64) -> Made {
    let mut draw = Draw::new(seed);
    let noise = draw.between(0.0, 0.15);
    let drawn = analytic(&mut draw, 0.3);
    let [first, second] = [0, 1].map(|_| drawn.one_kps * draw.between(0.0, 3.0).exp2());
    let instances = draw.between(1.0, 5.0) as u32;
    let cache_mib = draw.between(3.0, 8.0).exp2();
    let head = head(noise, seed, 2 * PHASE_S, "slots = 24\ncache_mib = 8192");
    let targets = [(0, first), (PHASE_S, second)];
    let operator = source("q", &drawn.plant, &start(instances, cache_mib), &targets);
    analytic_only(head + &operator)
}

/// A query measured as Nexmark's were: 1, 2 and 4 instances, seven sizes, one run each, which scatters.
fn measured(seed: u64) -> Made {
    let mut draw = Draw::new(seed);
    let (csv, rates) = measured_file(&mut draw);
    let noise = draw.between(0.0, 0.15);
    let (low, high) = (rates[0], rates[rates.len() - 1]);
    let [first, second] = [0, 1].map(|_| low + (high - low) * draw.between(0.0, 1.0));
    measured_scenario(csv, noise, seed, &[(0, first), (PHASE_S, second)])
}

/// Two to four operators in a chain, some with two inputs; skew, contention and bursts.
fn pipeline(seed: u64) -> Made {
    let mut draw = Draw::new(seed);
    let noise = draw.between(0.0, 0.15);
    let scale = [1.0, draw.between(0.0, 2.0).exp2()];
    chain(
        &mut draw,
        noise,
        seed,
        "slots = 32\ncache_mib = 16384",
        scale,
    )
}

/// A chain under budgets that may be less than what the targets need.
fn tight(seed: u64) -> Made {
    let mut draw = Draw::new(seed);
    let noise = draw.between(0.0, 0.15);
    let slots = draw.between(6.0, 14.0) as u32;
    let cache_mib = draw.between(8.5, 11.0).exp2();
    let scale = [1.0, draw.between(0.0, 2.0).exp2()];
    let budget = format!("slots = {slots}\ncache_mib = {cache_mib:.0}");
    chain(&mut draw, noise, seed, &budget, scale)
}

/// One operator whose writes stall behind its write buffers.
fn write_path(seed: u64) -> Made {
    let mut draw = Draw::new(seed);
    let noise = draw.between(0.0, 0.15);
    let mut drawn = analytic(&mut draw, 0.2);
    let bytes = draw.between(100.0, 800.0);
    let data_mib = draw.between(10.0, 16.0).exp2();
    let stall = draw.between(0.0, 8000.0);
    let write = format!(
        ", write = {{ bytes_per_record = {bytes:.0}, data_mib = {data_mib:.0}, insert_us = 1, stall_us_per_mib = {stall:.0} }} }}"
    );
    drawn.plant.truncate(drawn.plant.len() - 2);
    drawn.plant += &write;
    let stalled_us = bytes * 15.0 / f64::from(1 << 20) * stall + 1.0;
    let one_kps = 1.0 / (1.0 / drawn.one_kps + stalled_us / 1000.0);
    let [first, second] = [0, 1].map(|_| one_kps * draw.between(0.0, 3.0).exp2());
    let instances = draw.between(1.0, 5.0) as u32;
    let buffers = draw.between(2.0, 7.0).exp2();
    let start = format!(
        "parallelism = {instances}, cache_mib = {:.0}, write_buffer_mib = {buffers:.0}",
        draw.between(3.0, 8.0).exp2()
    );
    let head = head(noise, seed, 2 * PHASE_S, "slots = 24\ncache_mib = 8192");
    let targets = [(0, first), (PHASE_S, second)];
    analytic_only(head + &source("q", &drawn.plant, &start, &targets))
}

/// A day in 24 steps of an hour: a wave of some depth.
fn diurnal(seed: u64) -> Made {
    let mut draw = Draw::new(seed);
    let noise = draw.between(0.0, 0.15);
    let drawn = analytic(&mut draw, 0.2);
    let most = drawn.one_kps * draw.between(1.0, 3.0).exp2();
    let depth = draw.between(0.3, 0.9);
    let hour = |h: u64| {
        let wave = 0.5 - 0.5 * (std::f64::consts::TAU * h as f64 / 24.0).cos();
        (h * PHASE_S, most * (1.0 - depth + depth * wave))
    };
    let targets: Vec<(u64, f64)> = (0..24).map(hour).collect();
    let head = head(noise, seed, 24 * PHASE_S, "slots = 24\ncache_mib = 8192");
    analytic_only(head + &source("q", &drawn.plant, &start(1, 64.0), &targets))
}

/// Steps of 2 to 8 percent up and down, below what the policy takes for a new target and above.
fn small_steps(seed: u64) -> Made {
    let mut draw = Draw::new(seed);
    let noise = draw.between(0.0, 0.15);
    let drawn = analytic(&mut draw, 0.0);
    let mut rate = drawn.one_kps * draw.between(0.0, 2.5).exp2();
    let mut targets = vec![(0, rate)];
    let rising = draw.chance(0.5);
    for at in 1..8 {
        let step = draw.between(0.02, 0.08);
        rate *= match draw.chance(0.8) == rising {
            true => 1.0 + step,
            false => 1.0 - step,
        };
        targets.push((at * PHASE_S, rate));
    }
    let head = head(noise, seed, 8 * PHASE_S, "slots = 24\ncache_mib = 8192");
    analytic_only(head + &source("q", &drawn.plant, &start(1, 64.0), &targets))
}

/// Targets that are exactly what one measured shape can do.
fn exact(seed: u64) -> Made {
    let mut draw = Draw::new(seed);
    let (csv, rates) = measured_file(&mut draw);
    let noise = draw.between(0.0, 0.15);
    let mut any = || rates[(draw.between(0.0, rates.len() as f64) as usize).min(rates.len() - 1)];
    let targets = [(0, any()), (PHASE_S, any())];
    measured_scenario(csv, noise, seed, &targets)
}

/// A source that falls silent, or nearly, and comes back.
fn zero(seed: u64) -> Made {
    let mut draw = Draw::new(seed);
    let noise = draw.between(0.0, 0.15);
    let drawn = analytic(&mut draw, 0.2);
    let [first, third] = [0, 1].map(|_| drawn.one_kps * draw.between(-1.0, 3.0).exp2());
    let second = match draw.chance(0.5) {
        true => 0.0,
        false => first * draw.between(0.0005, 0.02),
    };
    let opens = draw.chance(0.2);
    let first = if opens { 0.0 } else { first };
    let targets = [(0, first), (PHASE_S, second), (2 * PHASE_S, third)];
    let instances = draw.between(1.0, 5.0) as u32;
    let head = head(noise, seed, 3 * PHASE_S, "slots = 24\ncache_mib = 8192");
    analytic_only(head + &source("q", &drawn.plant, &start(instances, 64.0), &targets))
}

/// No budget at all, and prices of all kinds.
fn unbounded(seed: u64) -> Made {
    let mut draw = Draw::new(seed);
    let noise = draw.between(0.0, 0.15);
    let drawn = analytic(&mut draw, 0.2);
    let [first, second] = [0, 1].map(|_| drawn.one_kps * draw.between(0.0, 5.0).exp2());
    let gib = draw.between(-4.0, 3.0).exp2();
    let toml = format!(
        "horizon_s = {}\nnoise = {noise:.3}\nseed = {seed}\n[price]\ngib_second = {gib:.3}\n",
        2 * PHASE_S
    );
    let targets = [(0, first), (PHASE_S, second)];
    analytic_only(toml + &source("q", &drawn.plant, &start(2, 64.0), &targets))
}

/// Intervals from ten seconds to five minutes, restarts from five seconds to five minutes.
fn pace(seed: u64) -> Made {
    let mut draw = Draw::new(seed);
    let noise = draw.between(0.0, 0.15);
    let drawn = analytic(&mut draw, 0.2);
    let interval = draw.between(10.0_f64.ln(), 300.0_f64.ln()).exp() as u64;
    let restart = draw.between(5.0_f64.ln(), 300.0_f64.ln()).exp() as u64;
    let [first, second] = [0, 1].map(|_| drawn.one_kps * draw.between(0.0, 3.0).exp2());
    let phase = (40 * interval).max(PHASE_S);
    let pace = format!("policy_interval_s = {interval}\nrestart_s = {restart}\n");
    let head = pace + &head(noise, seed, 2 * phase, "slots = 24\ncache_mib = 8192");
    let targets = [(0, first), (phase, second)];
    analytic_only(head + &source("q", &drawn.plant, &start(1, 64.0), &targets))
}

fn analytic(draw: &mut Draw, bursting: f64) -> Drawn {
    let cpu_us = draw.between(5.0, 200.0);
    let lookups = draw.between(0.0, 4.0);
    let hit_us = draw.between(0.5, 5.0);
    let miss_us = hit_us + draw.between(20.0, 400.0);
    let knee_mib = draw.between(0.0, 9.0).exp2() + 8.0;
    let (at_knee, at_end) = (draw.between(0.2, 0.6), draw.between(0.0, 0.1));
    let skew = draw.between(-0.5, 0.5).max(0.0);
    let contention = draw.between(-0.01, 0.02).max(0.0);
    let compaction = match draw.between(0.0, 1.0) > 1.0 - bursting {
        true => ", compaction = { every_s = 300, lasts_s = 60, slowdown = 0.3 }",
        false => "",
    };
    let plant = format!(
        "{{ cpu_us = {cpu_us:.1}, lookups = {lookups:.2}, hit_us = {hit_us:.1}, miss_us = {miss_us:.1}, \
         curve = [[0, 1.0], [{knee_mib:.1}, {at_knee:.2}], [{:.1}, {at_end:.3}]], key_skew = {skew:.2}, \
         contention = {contention:.4}{compaction} }}",
        4.0 * knee_mib
    );
    Drawn {
        plant,
        one_kps: 1000.0 / (cpu_us + lookups * (hit_us + 0.5 * (miss_us - hit_us))),
    }
}

/// A chain whose first operator has a source; its first target is what one instance of the slowest does, times `scale[0]`, ...
fn chain(draw: &mut Draw, noise: f64, seed: u64, budget: &str, scale: [f64; 2]) -> Made {
    let count = draw.between(2.0, 5.0) as usize;
    let (mut operators, mut ratio, mut least) = (String::new(), 1.0, f64::INFINITY);
    let mut drawn = Vec::new();
    for at in 0..count {
        let bursting = if at == 0 { 0.1 } else { 0.05 };
        let one = analytic(draw, bursting);
        let here = if at == 0 { 1.0 } else { draw.between(0.3, 1.5) };
        ratio *= here;
        least = f64::min(least, one.one_kps / ratio);
        drawn.push((one, here));
    }
    let wanted = least * draw.between(0.0, 1.5).exp2();
    let targets = [(0, wanted * scale[0]), (PHASE_S, wanted * scale[1])];
    for (at, (one, here)) in drawn.iter().enumerate() {
        let begin = start(1, draw.between(3.0, 6.0).exp2());
        if at == 0 {
            operators += &source("o0", &one.plant, &begin, &targets);
            continue;
        }
        let _ = writeln!(
            operators,
            "[[operator]]\nname = \"o{at}\"\nplant = {}\nstart = {{ {begin} }}\ninputs = [ {{ from = \"o{}\", ratio = {here:.3} }} ]",
            one.plant,
            at - 1
        );
    }
    analytic_only(head(noise, seed, 2 * PHASE_S, budget) + &operators)
}

/// Points as of a query, and the rates that can be reached with them, ascending.
fn measured_file(draw: &mut Draw) -> (String, Vec<f64>) {
    const SIZES: [f64; 7] = [32.5, 65.0, 130.0, 260.0, 520.0, 1040.0, 2080.0];
    let one = draw.between(1.0, 8.0).exp2();
    // How much of the time memory can take away, and over how many octaves of bytes.
    let gain = draw.between(-0.5, 0.8).max(0.0);
    let octaves = draw.between(1.0, 5.0);
    let scatter = draw.between(0.0, 0.06);
    let scaling = draw.between(0.75, 1.02);
    let mut rows = String::from("query,cache_mib,parallelism,rate_kps\n");
    let mut rates = Vec::new();
    for (doublings, parallelism) in [1_u32, 2, 4].into_iter().enumerate() {
        let sizes = if parallelism == 1 {
            &SIZES[..]
        } else {
            &SIZES[..5]
        };
        let mut most: f64 = 0.0;
        for mib in sizes {
            let together = mib * f64::from(parallelism) / 32.5;
            let fallen = (together.log2() / octaves).min(1.0);
            let seconds = 1.0 - gain * fallen;
            let scattered = 1.0 + scatter * draw.between(-1.7, 1.7);
            let scaled = f64::from(parallelism) * scaling.powi(doublings as i32);
            let rate = one * scaled / seconds * scattered;
            let _ = writeln!(rows, "Q,{mib},{parallelism},{rate:.3}");
            most = most.max((rate * 1e3).round() / 1e3);
            rates.push(most);
        }
    }
    rates.sort_by(f64::total_cmp);
    (rows, rates)
}

fn measured_scenario(csv: String, noise: f64, seed: u64, targets: &[(u64, f64)]) -> Made {
    let head = head(noise, seed, 2 * PHASE_S, "slots = 16\ncache_mib = 4096");
    let plant = "{ csv = \"measured\", where = { query = \"Q\" } }";
    let toml = head + &source("q", plant, "parallelism = 1, cache_mib = 32.5", targets);
    Made { toml, csv }
}

fn analytic_only(toml: String) -> Made {
    Made {
        toml,
        csv: String::new(),
    }
}

fn head(noise: f64, seed: u64, horizon_s: u64, budget: &str) -> String {
    format!("horizon_s = {horizon_s}\nnoise = {noise:.3}\nseed = {seed}\n[budget]\n{budget}\n")
}

fn start(parallelism: u32, cache_mib: f64) -> String {
    format!("parallelism = {parallelism}, cache_mib = {cache_mib:.0}")
}

fn source(name: &str, plant: &str, start: &str, targets: &[(u64, f64)]) -> String {
    let steps = targets
        .iter()
        .map(|(at_s, rate)| format!("{{ at_s = {at_s}, rate_kps = {rate:.3} }}"));
    let steps: Vec<String> = steps.collect();
    format!(
        "[[operator]]\nname = \"{name}\"\nplant = {plant}\nstart = {{ {start} }}\ntarget = [ {} ]\n",
        steps.join(", ")
    )
}
