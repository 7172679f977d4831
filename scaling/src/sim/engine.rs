//! Runs a scenario in virtual time, second by second, and asks a policy once an interval.

use super::account::Account;
use super::flow::{flow, pipelines};
use super::noise::Noise;
use super::observe::{JOB_ID, JobNow, Tally, snapshot};
use super::outcome::Outcome;
use super::plant::Shape;
use super::scenario::{Feed, Scenario};
use crate::{Guard, History, Plan, Policy, ShapeChange, Snapshot, VertexPlan, observe_job};

/// What a policy makes of a scenario. Same scenario, same policy, same outcome.
#[must_use]
pub fn simulate(scenario: &Scenario, policy: &dyn Policy) -> Outcome {
    let mut run = Run::new(scenario, policy);
    for at_s in 0..scenario.horizon_s {
        if at_s > 0 && at_s % scenario.policy_interval_s == 0 {
            run.decide(at_s);
        }
        run.second(at_s);
    }
    run.account.close()
}

struct Run<'a> {
    scenario: &'a Scenario,
    policy: &'a dyn Policy,
    pipelines: Vec<usize>,
    noise: Noise,
    guard: Guard,
    history: History,
    account: Account<'a>,
    shapes: Vec<Shape>,
    sized_at_s: Vec<u64>,
    /// Records waiting at each operator's own source.
    pending: Vec<f64>,
    tally: Tally,
    running_since_s: u64,
    restarts: u64,
}

// === impl Run ===

impl<'a> Run<'a> {
    fn new(scenario: &'a Scenario, policy: &'a dyn Policy) -> Self {
        let count = scenario.operators.len();
        let mut run = Self {
            scenario,
            policy,
            pipelines: pipelines(scenario),
            noise: Noise::new(scenario.seed, scenario.noise),
            guard: Guard::default().with_job_limits(scenario.limits.clone()),
            history: History::default(),
            account: Account::new(scenario, policy.name()),
            shapes: scenario.operators.iter().map(|o| o.start).collect(),
            sized_at_s: vec![0; count],
            pending: vec![0.0; count],
            tally: Tally::default(),
            running_since_s: 0,
            restarts: 0,
        };
        for at in 0..count {
            run.account
                .decided(0, at, &run.shapes[at], "start".to_owned());
        }
        run.clear_tally();
        run
    }

    fn clear_tally(&mut self) {
        let zeros = || vec![0.0; self.shapes.len()];
        self.tally = Tally {
            seconds: 0,
            processed: zeros(),
            consumed: zeros(),
            busy_seconds: zeros(),
            backpressured_seconds: zeros(),
        };
    }

    /// What arrives in a second at each operator's own source.
    fn arriving(&self, at_s: u64) -> Vec<f64> {
        let required = self.scenario.required_per_s(at_s);
        let operators = self.scenario.operators.iter().zip(required);
        let own = operators.map(|(o, rate)| match o.feed {
            Feed::Source(_) => rate,
            Feed::Operators(_) => 0.0,
        });
        own.collect()
    }

    fn second(&mut self, at_s: u64) {
        let required = self.scenario.required_per_s(at_s);
        let arriving = self.arriving(at_s);
        let running = at_s >= self.running_since_s;
        let operators = self.scenario.operators.iter().zip(&self.shapes);
        let capacity: Vec<f64> = match running {
            true => operators
                .map(|(o, shape)| o.plant.capacity_at_per_s(shape, at_s))
                .collect(),
            false => vec![0.0; self.shapes.len()],
        };
        for (pending, arriving) in self.pending.iter_mut().zip(&arriving) {
            *pending += arriving;
        }
        if running {
            let flow = flow(self.scenario, &self.pipelines, &self.pending, &capacity);
            self.tally.seconds += 1;
            for (at, capacity) in capacity.iter().enumerate() {
                self.pending[at] -= flow.consumed_per_s[at];
                self.tally.processed[at] += flow.processed_per_s[at];
                self.tally.consumed[at] += flow.consumed_per_s[at];
                let busy = flow.processed_per_s[at] / capacity;
                self.tally.busy_seconds[at] += busy;
                if flow.backpressured[at] {
                    self.tally.backpressured_seconds[at] += 1.0 - busy;
                }
            }
        }
        let queued = self.pending.iter().zip(&arriving);
        let backlog_s = queued
            .filter(|(_, arriving)| **arriving > 0.0)
            .map(|(pending, arriving)| pending / arriving)
            .fold(0.0, f64::max);
        let sustained = self.sustained_per_s(running);
        self.account
            .second(at_s, &self.shapes, &required, &sustained, backlog_s);
    }

    /// What operators can do in the long run: what queues up in a burst of compaction is worked off after it.
    fn sustained_per_s(&self, running: bool) -> Vec<f64> {
        let operators = self.scenario.operators.iter().zip(&self.shapes);
        let can = operators.map(|(o, shape)| match running {
            true => o.plant.capacity_per_s(shape),
            false => 0.0,
        });
        can.collect()
    }

    fn decide(&mut self, at_s: u64) {
        // Half an interval of running is the least that counters are worth looking at.
        if at_s < self.running_since_s || 2 * self.tally.seconds < self.scenario.policy_interval_s {
            return;
        }
        let now = JobNow {
            at_s,
            running_since_s: self.running_since_s,
            restarts: self.restarts,
            shapes: &self.shapes,
            sized_at_s: &self.sized_at_s,
            pending: &self.pending,
            // What arrived in the window that ends now.
            arriving_per_s: &self.arriving(at_s - 1),
        };
        let snapshot = snapshot(
            self.scenario,
            &self.pipelines,
            &self.tally,
            &now,
            &mut self.noise,
        );
        self.clear_tally();
        self.history.observe(&snapshot);
        let plan = self.policy.decide(&snapshot, &self.history);
        let plan = self.guard.review(plan, &snapshot, &self.history);
        self.carry_out(at_s, &plan, &snapshot);
    }

    fn carry_out(&mut self, at_s: u64, plan: &Plan, snapshot: &Snapshot) {
        let Some(job) = plan.job(JOB_ID) else {
            return;
        };
        let operators = self.scenario.operators.iter().zip(&self.shapes);
        let wanted = operators.map(|(operator, shape)| match job.vertex(&operator.name) {
            Some(vertex) => operator.plant.feasible(planned(vertex, *shape)),
            None => *shape,
        });
        let wanted: Vec<Shape> = wanted.collect();
        if wanted == self.shapes {
            return;
        }
        let slots: u64 = wanted.iter().map(|s| u64::from(s.parallelism)).sum();
        let bytes: u64 = wanted.iter().map(Shape::total_bytes).sum();
        let budget = &self.scenario.budget;
        if slots > u64::from(budget.slots) || bytes > budget.bytes {
            self.account.refused();
            return;
        }
        let rescales = wanted.iter().zip(&self.shapes);
        let rescales = rescales
            .filter(|(to, from)| to.parallelism != from.parallelism)
            .count()
            > 0;
        for (at, to) in wanted.iter().enumerate() {
            if *to == self.shapes[at] {
                continue;
            }
            let vertex = job.vertex(&self.scenario.operators[at].name);
            let why = vertex.map_or_else(String::new, |v| v.reason.to_string());
            self.account.decided(at_s, at, to, why);
            self.sized_at_s[at] = at_s;
            if !rescales {
                self.account.resized(at_s);
            }
        }
        self.shapes = wanted;
        let observed = snapshot.job(JOB_ID).map(|job| observe_job(snapshot, job));
        let observed = observed.unwrap_or_default();
        let change = ShapeChange::of(at_s * 1000, &plan.policy, job, |id| {
            observed.get(id).cloned().unwrap_or_default()
        });
        self.history
            .jobs
            .entry(JOB_ID.to_owned())
            .or_default()
            .push(change);
        if rescales {
            self.account.restarted(at_s);
            self.restarts += 1;
            self.running_since_s = at_s + self.scenario.restart_s;
            self.sized_at_s.fill(self.running_since_s);
        }
        // What was counted at the old shape says nothing about the new one.
        self.clear_tally();
    }
}

/// The shape that a plan wants for an operator.
fn planned(vertex: &VertexPlan, now: Shape) -> Shape {
    let memory = vertex
        .memory
        .iter()
        .find(|m| m.operator_name == vertex.name);
    Shape {
        parallelism: vertex.to_parallelism.max(1),
        cache_bytes: memory.map_or(now.cache_bytes, |m| m.to_cache_bytes),
        write_buffer_bytes: memory
            .and_then(|m| m.to_write_buffer_bytes)
            .unwrap_or(now.write_buffer_bytes),
    }
}
