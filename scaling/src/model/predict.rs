//! Seconds per record at a shape, with the variance of that prediction.
//!
//! Every visit predicts on its own: what was measured there, times the ratio the formula gives between both shapes. The farther
//! away, the larger the variance: with the part of the time that depends on memory, with every doubling of the parallelism, and
//! with age. The predictions are combined by their variances.

use super::state_cost::StateCost;
use super::{Imbalance, SubtaskShape, VertexModel, Visit, WriteCost};

/// Logarithm of seconds per record of one instance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seconds {
    pub ln_seconds: f64,
    pub variance: f64,
}

/// Predictions from one model at one moment.
pub(crate) struct Predictor<'a> {
    model: &'a VertexModel,
    now_ms: u64,
    /// Seconds per record that depend on nothing we can choose.
    cpu_seconds: f64,
    /// By how much the state's cost is really larger than measured, found from visits with different bytes.
    state_gain: f64,
    /// Relative variance of the state's cost.
    state_variance: f64,
    /// Variance of one doubling of the parallelism.
    doubling_variance: f64,
    /// Load of the busiest instance over the mean wherever there are several.
    imbalance: f64,
    /// What every visit contributes whatever shape is asked for.
    visits: Vec<Seen>,
}

/// What a [`Visit`] contributes to any prediction.
#[derive(Clone, Copy)]
struct Seen {
    /// Logarithm of the formula there.
    ln_formula: f64,
    inverse_weight: f64,
    /// Variance that its age adds.
    drift_variance: f64,
    /// Doublings between its parallelism and the one that the state's cost was measured at.
    away: f64,
    /// Logarithm of the factor by which a record takes longer with several instances than with the visit's one, and with one instance
    /// than with the visit's several.
    ln_uneven: [f64; 2],
}

/// Predictions for one parallelism and one size of the write buffers, over cache bytes: whatever does not depend on these is
/// reckoned once.
pub(crate) struct Line<'a> {
    parallelism: u32,
    state: Option<&'a StateCost>,
    state_gain: f64,
    /// Seconds per record that do not depend on the cache.
    rest_seconds: f64,
    /// Of the first visit, and of the others: most vertices have had one shape.
    terms: (Term, Vec<Term>),
}

/// What one visit contributes to a [`Line`].
#[derive(Clone, Copy, Default)]
struct Term {
    ln_seconds: f64,
    /// Less this is the logarithm of a formula's value the ratio to the visit.
    ln_visit: f64,
    variance: f64,
    ratio_variance: f64,
}

// === impl Predictor ===

impl<'a> Predictor<'a> {
    /// Instances share disks, memory bandwidth and network: with every doubling a record takes so much longer, give or take.
    /// (Gunther's law of scalability, linear at the scales a job moves in.)
    pub(crate) const PER_DOUBLING: f64 = 0.05;
    const PER_DOUBLING_DEVIATION: f64 = 0.04;
    /// A curve measured at one parallelism says less of another: keys are not as uniform as rescaling it assumes. Per doubling.
    const RESCALED_DEVIATION: f64 = 0.15;
    /// Even a perfect curve does not know what the block cache cannot see: the operating system's cache, the disk's queue.
    const STATE_DEVIATION: f64 = 0.05;
    /// Workloads drift: a measurement an hour old is off by as much.
    const DRIFT_PER_HOUR: f64 = 0.02;
    /// Share of the time that is always CPU, whatever the state's cost is measured to be.
    const LEAST_CPU: f64 = 0.02;
    /// Two instruments that disagree by more than this factor on what bytes do measure something else.
    const MOST_GAIN: f64 = 2.0;
    /// Band quantile: half of a 90 % band over the deviation.
    const BAND: f64 = 1.645;

    /// Absent before anything was measured.
    pub fn new(model: &'a VertexModel, now_ms: u64) -> Option<Self> {
        let present = model.visits.last()?;
        let widening = model.surprise.widening().powi(2);
        let mut predictor = Self {
            model,
            now_ms,
            cpu_seconds: 0.0,
            state_gain: 1.0,
            state_variance: 0.0,
            doubling_variance: Self::PER_DOUBLING_DEVIATION.powi(2) * widening,
            imbalance: Imbalance::none(),
            visits: Vec::new(),
        };
        let several = model.visits.iter().rev();
        let mut several = several.filter(|v| v.shape.parallelism > 1);
        predictor.imbalance = several.next().map_or(Imbalance::none(), |v| v.imbalance);
        if let Some(state) = &model.state {
            let one = model
                .state_scatter
                .variance(VertexModel::STATE_SCATTER)
                .max((state.half_band / Self::BAND).powi(2));
            let known = Self::STATE_DEVIATION.powi(2) + one / f64::from(state.samples);
            let (gain, variance) = predictor.calibrate(present, known * widening);
            predictor.state_gain = gain;
            predictor.state_variance = variance;
        }
        let rest = present.ln_seconds.exp() - predictor.memory_seconds(&present.shape);
        predictor.cpu_seconds = rest.max(Self::LEAST_CPU * present.ln_seconds.exp());
        let visits = model.visits.iter();
        predictor.visits = visits.map(|v| predictor.seen(v)).collect();
        Some(predictor)
    }

    fn seen(&self, visit: &Visit) -> Seen {
        let hours = self.now_ms.saturating_sub(visit.last_ms) as f64 / 3.6e6;
        // The load of the busiest instance; one instance alone has nobody to be busier than.
        let ln_uneven = match visit.shape.parallelism {
            1 => [self.imbalance.ln(), 0.0],
            _ => [0.0, visit.imbalance.recip().ln()],
        };
        Seen {
            ln_formula: self.formula(&visit.shape).ln(),
            inverse_weight: 1.0 / visit.weight,
            drift_variance: (Self::DRIFT_PER_HOUR * hours).powi(2),
            away: self.doublings_away(visit.shape.parallelism).abs(),
            ln_uneven,
        }
    }

    /// The prediction for a shape.
    pub fn seconds(&self, shape: &SubtaskShape) -> Seconds {
        let line = self.line(shape.parallelism, shape.write_buffer_bytes);
        line.seconds(line.position(shape.cache_bytes))
    }

    /// The predictions for a parallelism and a size of the write buffers.
    pub fn line(&self, parallelism: u32, write_buffer_bytes: f64) -> Line<'a> {
        let write = self.model.write.as_ref();
        let write = write.map_or(0.0, |w| w.at(parallelism, write_buffer_bytes));
        let measured_at = self.model.state.as_ref().map(|s| s.parallelism);
        let away = self.doublings_away(parallelism);
        let visits = self.model.visits.iter().zip(&self.visits);
        let mut terms = visits.map(|(visit, seen)| {
            let there = visit.shape.parallelism;
            let doublings = match Some(there) == measured_at {
                true => away,
                false => doublings(there, parallelism),
            };
            let ln_uneven = seen.ln_uneven[usize::from(parallelism == 1)];
            Term {
                ln_seconds: visit.ln_seconds + Self::PER_DOUBLING * doublings,
                ln_visit: seen.ln_formula - ln_uneven,
                variance: seen.inverse_weight
                    + self.doubling_variance * doublings * doublings
                    + seen.drift_variance,
                ratio_variance: self.ratio_variance(away.abs().max(seen.away)),
            }
        });
        Line {
            parallelism,
            state: self.model.state.as_ref(),
            state_gain: self.state_gain,
            rest_seconds: self.cpu_seconds + write,
            terms: (terms.next().unwrap_or_default(), terms.collect()),
        }
    }

    /// Deviation of the part of a prediction that trying other bytes would make certain.
    pub fn memory_deviation(&self, shape: &SubtaskShape) -> f64 {
        let here = self.formula(shape);
        let away = self.doublings_away(shape.parallelism).abs();
        let off = |visit: &Visit| {
            let ratio = (here / self.formula(&visit.shape)).ln();
            let there = self.doublings_away(visit.shape.parallelism).abs();
            let variance = self.ratio_variance(away.max(there));
            variance.sqrt() * ratio.abs()
        };
        let offs = self.model.visits.iter().map(off);
        offs.fold(f64::INFINITY, f64::min)
    }

    /// Deviation of what was measured at the present shape.
    pub fn present_deviation(&self) -> f64 {
        let present = self.model.visits.last();
        present.map_or(f64::INFINITY, |v| v.weight.recip().sqrt())
    }

    /// Load of the busiest instance over the mean wherever there are several.
    pub fn imbalance(&self) -> f64 {
        self.imbalance
    }

    /// Whether bytes have anything to do with the time per record, as far as is known.
    pub fn knows_memory(&self) -> bool {
        self.model.state.is_some()
    }

    /// Relative variance of the ratio between two shapes by the formula, the farther of which is so many doublings of the parallelism
    /// away from where the state's cost was measured.
    fn ratio_variance(&self, away: f64) -> f64 {
        match &self.model.state {
            Some(_) => self.state_variance + (Self::RESCALED_DEVIATION * away).powi(2),
            None => 0.0,
        }
    }

    /// Doublings from the parallelism that the state's cost was measured at to another; none where it could not be measured.
    fn doublings_away(&self, parallelism: u32) -> f64 {
        let state = self.model.state.as_ref();
        state.map_or(0.0, |s| doublings(s.parallelism, parallelism))
    }

    /// Seconds per record by the formula alone.
    fn formula(&self, shape: &SubtaskShape) -> f64 {
        self.cpu_seconds + self.memory_seconds(shape)
    }

    fn memory_seconds(&self, shape: &SubtaskShape) -> f64 {
        let state = self.model.state.as_ref();
        let state = state.map_or(0.0, |s| s.at(shape.parallelism, shape.cache_bytes));
        let write = self
            .model
            .write
            .as_ref()
            .map_or(0.0, |w| w.at(shape.parallelism, shape.write_buffer_bytes));
        self.state_gain * state + write
    }

    /// The state's cost is measured by other instruments than the whole. Two visits at one parallelism with different bytes tell
    /// by how much they differ: recalibrates the term and returns (gain, variance).
    fn calibrate(&self, present: &Visit, variance: f64) -> (f64, f64) {
        let Some(state) = &self.model.state else {
            return (1.0, 0.0);
        };
        let cost = |v: &Visit| state.at(v.shape.parallelism, v.shape.cache_bytes);
        let (mut sum, mut weight) = (1.0 / variance, 1.0 / variance);
        let others = self.model.visits.iter().filter(|v| {
            v.shape.parallelism == present.shape.parallelism
                && v.shape.write_buffer_bytes == present.shape.write_buffer_bytes
        });
        for other in others {
            let by_formula = cost(other) - cost(present);
            if by_formula == 0.0 {
                continue;
            }
            let [there, here] = [other, present].map(|v| v.ln_seconds.exp());
            let error = there * there / other.weight + here * here / present.weight;
            let gain = (there - here) / by_formula;
            let variance =
                error / (by_formula * by_formula) + Self::STATE_DEVIATION.powi(2) * gain * gain;
            let credible = Self::MOST_GAIN.recip()..=Self::MOST_GAIN;
            if credible.contains(&gain) && variance.is_finite() && variance > 0.0 {
                sum += gain / variance;
                weight += 1.0 / variance;
            }
        }
        let gain = sum / weight;
        (gain, 1.0 / weight / (gain * gain))
    }
}

/// Doublings that lead from one parallelism to another.
fn doublings(from: u32, to: u32) -> f64 {
    match from == to {
        true => 0.0,
        false => (f64::from(to) / f64::from(from)).log2(),
    }
}

// === impl Line ===

impl Line<'_> {
    /// Positions in an octave of bytes.
    pub const STEPS_PER_OCTAVE: f64 = StateCost::STEPS_PER_OCTAVE;

    /// Where these cache bytes of one subtask lie on the line: in steps of an eighth of an octave.
    pub fn position(&self, cache_bytes: f64) -> f64 {
        self.state
            .map_or(0.0, |s| s.position(self.parallelism, cache_bytes))
    }

    /// The prediction for a position.
    pub fn seconds(&self, position: f64) -> Seconds {
        let state = self.state.map_or(0.0, |s| s.at_position(position));
        let ln_formula = (self.rest_seconds + self.state_gain * state).ln();
        let (mut sum, mut weight) = (0.0, 0.0);
        let (first, others) = &self.terms;
        for term in std::iter::once(first).chain(others) {
            let ratio = ln_formula - term.ln_visit;
            let variance = term.variance + term.ratio_variance * ratio * ratio;
            sum += (term.ln_seconds + ratio) / variance;
            weight += 1.0 / variance;
        }
        Seconds {
            ln_seconds: sum / weight,
            variance: 1.0 / weight,
        }
    }
}

// === impl WriteCost ===

impl WriteCost {
    /// RocksDB's levels grow by ten; each rewrites a byte about five times.
    const LEVEL_RATIO: f64 = 10.0;

    /// Stalled seconds per record with these write buffers: they are in proportion to what compaction writes, and that falls with
    /// the number of levels between write buffer and data (O'Neil et al., 1996).
    pub(crate) fn at(&self, parallelism: u32, write_buffer_bytes: f64) -> f64 {
        let now = self.write_buffer_bytes * f64::from(self.parallelism);
        let then = write_buffer_bytes * f64::from(parallelism);
        if self.amplification <= 0.0 || now <= 0.0 || then <= 0.0 {
            return self.stall_seconds;
        }
        let levels = (then / now).log(Self::LEVEL_RATIO);
        let amplification = (self.amplification - levels * Self::LEVEL_RATIO / 2.0).max(0.0);
        self.stall_seconds * amplification / self.amplification
    }
}
