//! Turns choices into a plan: shapes, reasons, predictions, what was rejected.

use super::Subject;
use super::choice::{Choice, Chosen, Kind};
use super::frontier::Candidate;
use crate::model::OperatorBytes;
use crate::{
    CostEffect, JobPlan, JobState, JobVerdict, OperatorMemory, PredictedRate, RejectedShape,
    Rejection, VertexPlan, VertexReason,
};

/// Half of a 90 % band, in deviations.
const BAND: f64 = 1.645;
/// Below this probability a shape counts as too slow.
const TOO_SLOW: f64 = 0.7;

pub(crate) fn plan(
    job: &JobState,
    mut plans: Vec<VertexPlan>,
    subjects: &[Subject<'_>],
    choices: &[Chosen],
) -> JobPlan {
    let (mut before, mut after) = (0.0, 0.0);
    let mut rejected = Vec::new();
    for (subject, Chosen { choice, frontier }) in subjects.iter().zip(choices) {
        let plan = &mut plans[subject.at];
        before += choice.present.cost();
        after += choice.candidate.cost();
        plan.to_parallelism = choice.candidate.shape.parallelism;
        plan.predicted = Some(predicted(&choice.candidate));
        plan.reason = reason(subject, choice);
        if choice.kind != Kind::Stay {
            plan.memory = memory(subject, &choice.candidate);
            rejected.extend(rejections(subject, choice, frontier));
        }
    }
    let mut plan = JobPlan::new(job, JobVerdict::Steady, plans);
    plan.verdict = match (plan.rescales(), plan.resizes()) {
        (true, _) => JobVerdict::Rescale,
        (false, true) => JobVerdict::Resize,
        (false, false) => JobVerdict::Steady,
    };
    plan.effect = Some(CostEffect { before, after });
    plan.rejected = rejected;
    plan
}

fn predicted(candidate: &Candidate) -> PredictedRate {
    let factor = (BAND * candidate.deviation).exp();
    PredictedRate {
        value: candidate.rate_per_s,
        low: candidate.rate_per_s / factor,
        high: candidate.rate_per_s * factor,
    }
}

fn reason(subject: &Subject<'_>, choice: &Choice) -> VertexReason {
    let target = subject.frontier.need.target_per_s;
    let chosen = &choice.candidate;
    match choice.kind {
        Kind::Stay if choice.present.sufficient() < 0.05 => VertexReason::Unreachable {
            target,
            best: Some(choice.present.rate_per_s),
        },
        Kind::Stay => VertexReason::Stays,
        Kind::Trial => VertexReason::BytesFirst {
            target,
            predicted: chosen.rate_per_s,
        },
        Kind::Bytes | Kind::Needed if chosen.sufficient() < 0.3 => VertexReason::Unreachable {
            target,
            best: Some(chosen.rate_per_s),
        },
        Kind::Bytes | Kind::Needed | Kind::Cheaper => VertexReason::Cheapest {
            cost: chosen.cost(),
            confidence: chosen.sufficient(),
        },
    }
}

/// Every operator of the chain gets bytes in proportion to what it has.
fn memory(subject: &Subject<'_>, candidate: &Candidate) -> Vec<OperatorMemory> {
    let from = &subject.shape;
    let parallelism = f64::from(from.parallelism);
    let of_one = |operator: &OperatorBytes<'_>| {
        let capacity = operator.capacity_bytes as f64;
        let buffer = operator.write_buffer_bytes as f64;
        let scale = |part: f64, to: f64, from: f64| {
            if from > 0.0 {
                part / parallelism * to / from
            } else {
                0.0
            }
        };
        let now = capacity / parallelism;
        let buffers = scale(
            buffer,
            candidate.shape.write_buffer_bytes,
            from.write_buffer_bytes,
        );
        let changed = (buffers - buffer / parallelism).abs() >= 1.0;
        OperatorMemory {
            operator_name: operator.name.to_string(),
            from_cache_bytes: Some(now as u64),
            to_cache_bytes: scale(capacity, candidate.shape.cache_bytes, from.cache_bytes).floor()
                as u64,
            to_write_buffer_bytes: changed.then_some(buffers as u64),
        }
    };
    subject.caches.operators.iter().map(of_one).collect()
}

/// The other shapes of the frontier, and why not they.
fn rejections<'a>(
    subject: &'a Subject<'_>,
    choice: &'a Choice,
    frontier: &'a [Candidate],
) -> impl Iterator<Item = RejectedShape> + 'a {
    let chosen = &choice.candidate;
    let others = frontier
        .iter()
        .filter(move |c| c.shape.parallelism != chosen.shape.parallelism);
    let reject = move |c: &Candidate| RejectedShape {
        vertex_id: subject.vertex.id.clone(),
        parallelism: c.shape.parallelism,
        cache_bytes: subject
            .frontier
            .need
            .has_memory
            .then_some(c.shape.cache_bytes as u64),
        why: if c.sufficient() < TOO_SLOW {
            Rejection::TooSlow {
                predicted: c.rate_per_s,
                target: subject.frontier.need.target_per_s,
            }
        } else {
            Rejection::Dearer {
                cost: c.cost(),
                chosen: chosen.cost(),
            }
        },
    };
    others.map(reject)
}
