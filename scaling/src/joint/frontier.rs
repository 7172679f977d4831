//! The frontier of one vertex: for each parallelism the fewest bytes that meet the target with confidence.

use super::normal::probability_below;
use crate::model::{Predictor, SubtaskShape, VertexModel};
use crate::{CacheState, Snapshot, VertexState};

/// What a vertex has to do, and within which limits.
#[derive(Clone)]
pub(crate) struct Need {
    pub target_per_s: f64,
    pub present: SubtaskShape,
    pub least_cache_bytes: f64,
    pub most_bytes_together: f64,
    pub most_parallelism: u32,
    pub allowed: Option<Vec<u32>>,
    pub slot_price: f64,
    pub byte_price: f64,
    pub has_memory: bool,
    pub has_write_path: bool,
}

/// A shape of a vertex and what is predicted of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    pub shape: SubtaskShape,
    /// Probability that it meets the target.
    pub sufficient: f64,
    /// Records per second it can do, all instances together.
    pub rate_per_s: f64,
    /// Deviation of the logarithm of that rate.
    pub deviation: f64,
    /// Price of its instances per second.
    pub slot_cost: f64,
    /// Price of its bytes per second.
    pub byte_cost: f64,
}

/// The frontier.
#[derive(Clone)]
pub(crate) struct Frontier<'a> {
    pub model: &'a VertexModel,
    pub predictor: Predictor<'a>,
    pub need: Need,
}

// === impl Candidate ===

impl Candidate {
    pub fn cost(&self) -> f64 {
        self.slot_cost + self.byte_cost
    }

    pub fn total_bytes(&self) -> f64 {
        let shape = &self.shape;
        f64::from(shape.parallelism) * (shape.cache_bytes + shape.write_buffer_bytes)
    }
}

// === impl Need ===

impl Need {
    const GIB: f64 = (1u64 << 30) as f64;
    /// Where nobody sets a bound.
    const MOST_PARALLELISM: u32 = 32_768;

    pub fn of(
        snapshot: &Snapshot,
        vertex: &VertexState,
        caches: &[&CacheState],
        present: &SubtaskShape,
        target_per_s: f64,
        sharing: f64,
    ) -> Self {
        let terms = &snapshot.terms;
        let operators = caches.len() / (present.parallelism as usize).max(1);
        let budgets = || snapshot.task_managers.iter().map(|tm| tm.budget);
        let least = budgets().map(|b| b.min_cache_bytes).max().unwrap_or(0);
        let all: f64 = budgets().map(|b| b.cache_bytes as f64).sum();
        let slots = [
            terms.slot_budget,
            snapshot.slots.map(|s| s.total),
            vertex.max_parallelism,
            Some(Self::MOST_PARALLELISM),
        ];
        Self {
            target_per_s,
            present: *present,
            least_cache_bytes: least as f64 * operators as f64,
            most_bytes_together: terms.memory_budget_bytes.map_or(all, |b| all.min(b as f64)),
            most_parallelism: slots.into_iter().flatten().min().unwrap_or(1).max(1),
            allowed: vertex.allowed_parallelisms.clone(),
            slot_price: terms.slot_second / sharing,
            byte_price: terms.gib_second / Self::GIB,
            has_memory: !caches.is_empty(),
            has_write_path: !caches.is_empty() && caches.iter().all(|c| c.write_path.is_some()),
        }
    }
}

// === impl Frontier ===

impl<'a> Frontier<'a> {
    /// Bytes are cheap and can be taken back: they are dealt with this confidence, in deviations (95 %).
    const BYTES_DEVIATIONS: f64 = 1.645;
    /// Steps of the search over bytes: an eighth of an octave apart, below what a curve can tell apart.
    const STEPS_PER_OCTAVE: f64 = 8.0;
    /// A shape is as fast as the fastest with the same parallelism if it is so near.
    const AS_FAST: f64 = 0.0005;
    /// Parallelisms looked at one by one from the least that can be enough; beyond, each is a quarter larger.
    const DENSE: u32 = 6;

    pub fn new(model: &'a VertexModel, predictor: Predictor<'a>, need: Need) -> Self {
        Self {
            model,
            predictor,
            need,
        }
    }

    /// What is predicted of a shape.
    pub fn candidate(&self, shape: SubtaskShape) -> Candidate {
        let seconds = self.predictor.seconds(&shape);
        let deviation = seconds.variance.sqrt();
        let rate_per_s = f64::from(shape.parallelism) / seconds.ln_seconds.exp();
        let margin = (rate_per_s / self.need.target_per_s).ln();
        let bytes = shape.cache_bytes + shape.write_buffer_bytes;
        Candidate {
            shape,
            sufficient: probability_below(margin / deviation),
            rate_per_s,
            deviation,
            slot_cost: f64::from(shape.parallelism) * self.need.slot_price,
            byte_cost: f64::from(shape.parallelism) * bytes * self.need.byte_price,
        }
    }

    /// With this parallelism, the fewest bytes that meet the target with confidence, or else the fewest that are as fast as any.
    pub fn at(&self, parallelism: u32) -> Candidate {
        let mut best: Option<Candidate> = None;
        for write_buffer_bytes in self.write_buffers(parallelism) {
            let candidate = self.at_write_buffer(parallelism, write_buffer_bytes);
            let better = best.is_none_or(|best| {
                let meets = |c: &Candidate| c.sufficient >= Self::bytes_confidence();
                match (meets(&candidate), meets(&best)) {
                    (true, true) => candidate.cost() < best.cost() * (1.0 - 1e-9),
                    (false, false) => {
                        candidate.rate_per_s > best.rate_per_s * (1.0 + Self::AS_FAST)
                    }
                    (meets, _) => meets,
                }
            });
            if better {
                best = Some(candidate);
            }
        }
        best.unwrap_or_else(|| self.candidate(self.need.present))
    }

    /// This candidate, or one with so many times the present bytes if that is more; never more than still makes it faster.
    pub fn at_least(&self, candidate: &Candidate, growth: f64) -> Candidate {
        let present = &self.need.present;
        let SubtaskShape {
            parallelism,
            cache_bytes,
            write_buffer_bytes,
        } = candidate.shape;
        let grown = (present.cache_bytes * growth)
            .min(self.most_cache_bytes(parallelism, write_buffer_bytes));
        if parallelism != present.parallelism || cache_bytes >= grown {
            return *candidate;
        }
        let useful = self
            .fastest(parallelism, write_buffer_bytes)
            .shape
            .cache_bytes;
        self.candidate(SubtaskShape {
            cache_bytes: grown.min(useful).max(cache_bytes),
            ..candidate.shape
        })
    }

    /// Every parallelism worth a look, ascending, the present one among them.
    pub fn candidates(&self) -> Vec<Candidate> {
        let mut parallelisms = match &self.need.allowed {
            Some(allowed) => allowed.clone(),
            None => self.parallelisms(),
        };
        // An uneven load ends where there is but one instance.
        parallelisms.extend((self.predictor.imbalance() > 1.0).then_some(1));
        parallelisms.retain(|p| (1..=self.need.most_parallelism).contains(p));
        parallelisms.push(self.need.present.parallelism);
        parallelisms.sort_unstable();
        parallelisms.dedup();
        parallelisms.into_iter().map(|p| self.at(p)).collect()
    }

    /// Confidence with which bytes are dealt.
    pub fn bytes_confidence() -> f64 {
        probability_below(Self::BYTES_DEVIATIONS)
    }

    /// From the least parallelism that may be enough with all the bytes to the one that is with the fewest.
    fn parallelisms(&self) -> Vec<u32> {
        let need = &self.need;
        let enough = |bytes: &dyn Fn(u32) -> f64, margin: f64| {
            // The rate rises with the parallelism: bisect.
            let (mut low, mut high) = (1, need.most_parallelism);
            while low < high {
                let middle = low + (high - low) / 2;
                let shape = SubtaskShape {
                    parallelism: middle,
                    cache_bytes: bytes(middle),
                    write_buffer_bytes: need.present.write_buffer_bytes,
                };
                if self.candidate(shape).rate_per_s * margin >= need.target_per_s {
                    high = middle;
                } else {
                    low = middle + 1;
                }
            }
            low
        };
        let least = enough(
            &|p| self.most_cache_bytes(p, need.present.write_buffer_bytes),
            1.1,
        );
        let most = enough(&|_| need.least_cache_bytes, 0.8).max(least);
        let mut found = Vec::new();
        let mut parallelism = least.saturating_sub(1).max(1);
        while parallelism < most && found.len() < 64 {
            found.push(parallelism);
            let step = if parallelism < least + Self::DENSE {
                1
            } else {
                (parallelism / 4).max(1)
            };
            parallelism += step;
        }
        found.push(most);
        found
    }

    fn at_write_buffer(&self, parallelism: u32, write_buffer_bytes: f64) -> Candidate {
        let need = &self.need;
        if !need.has_memory || !self.predictor.knows_memory() {
            // Keys spread over more instances: as many bytes together as now.
            let together = need.present.cache_bytes * f64::from(need.present.parallelism);
            let each = (together / f64::from(parallelism)).max(need.least_cache_bytes);
            return self.candidate(SubtaskShape {
                parallelism,
                cache_bytes: each,
                write_buffer_bytes,
            });
        }
        let meets = |c: &Candidate| {
            (c.rate_per_s / need.target_per_s).ln() >= Self::BYTES_DEVIATIONS * c.deviation
        };
        let first = self.fewest(parallelism, write_buffer_bytes, &meets);
        if meets(&first) {
            return first;
        }
        self.fastest(parallelism, write_buffer_bytes)
    }

    /// The fewest bytes that are as fast as any.
    fn fastest(&self, parallelism: u32, write_buffer_bytes: f64) -> Candidate {
        let most = self.candidate(SubtaskShape {
            parallelism,
            cache_bytes: self.most_cache_bytes(parallelism, write_buffer_bytes),
            write_buffer_bytes,
        });
        let enough = most.rate_per_s * (1.0 - Self::AS_FAST);
        self.fewest(parallelism, write_buffer_bytes, &|c| c.rate_per_s >= enough)
    }

    /// The fewest bytes that are good enough, if more bytes are never worse; the most there are if none is.
    fn fewest(
        &self,
        parallelism: u32,
        write_buffer_bytes: f64,
        good: &dyn Fn(&Candidate) -> bool,
    ) -> Candidate {
        let least = self.need.least_cache_bytes.max(1.0);
        let most = self.most_cache_bytes(parallelism, write_buffer_bytes);
        let steps = ((most / least).log2() * Self::STEPS_PER_OCTAVE)
            .ceil()
            .max(0.0) as u32;
        let with = |step: u32| {
            let bytes = least * (f64::from(step) / Self::STEPS_PER_OCTAVE).exp2();
            self.candidate(SubtaskShape {
                parallelism,
                cache_bytes: bytes.min(most),
                write_buffer_bytes,
            })
        };
        let (mut low, mut high) = (0, steps);
        while low < high {
            let middle = low + (high - low) / 2;
            if good(&with(middle)) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        with(low)
    }

    /// Cache bytes of a subtask if the vertex had all there is.
    fn most_cache_bytes(&self, parallelism: u32, write_buffer_bytes: f64) -> f64 {
        // No curve reaches farther than this.
        const MOST: f64 = (64_u64 << 30) as f64;
        let each = self.need.most_bytes_together / f64::from(parallelism) - write_buffer_bytes;
        each.min(MOST).max(self.need.least_cache_bytes).max(1.0)
    }

    /// Sizes of the write buffers worth a look: as many bytes together as now, and up to four times less and more.
    fn write_buffers(&self, parallelism: u32) -> Vec<f64> {
        let now = self.need.present.write_buffer_bytes;
        let same = now * f64::from(self.need.present.parallelism) / f64::from(parallelism);
        if !self.need.has_write_path || self.model.write.is_none() {
            return vec![now];
        }
        let stays = if parallelism == self.need.present.parallelism {
            now
        } else {
            same
        };
        [1.0, 0.5, 2.0, 0.25, 4.0]
            .iter()
            .map(|factor| stays * factor)
            .collect()
    }
}
