//! The frontier of one vertex: for each parallelism the fewest bytes that meet the target with confidence.

use super::budget::Memory;
use super::normal::probability_below;
use crate::model::{Line, Predictor, Seconds, SubtaskShape, TaskCaches, VertexModel};
use crate::{Snapshot, VertexState};

/// What a vertex has to do, and within which limits.
#[derive(Clone)]
pub(crate) struct Need<'a> {
    pub target_per_s: f64,
    pub present: SubtaskShape,
    pub least_cache_bytes: f64,
    pub most_bytes_together: f64,
    /// Bytes of these that a byte of write buffers takes.
    pub write_buffer_cost: f64,
    pub most_parallelism: u32,
    pub allowed: Option<&'a [u32]>,
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
    /// What all its instances take of the memory there is.
    pub total_bytes: f64,
}

/// The frontier.
#[derive(Clone)]
pub(crate) struct Frontier<'a> {
    pub model: &'a VertexModel,
    pub predictor: Predictor<'a>,
    pub need: Need<'a>,
}

// === impl Candidate ===

impl Candidate {
    pub fn cost(&self) -> f64 {
        self.slot_cost + self.byte_cost
    }
}

// === impl Need ===

impl<'a> Need<'a> {
    const GIB: f64 = (1u64 << 30) as f64;
    /// Where nobody sets a bound.
    const MOST_PARALLELISM: u32 = 32_768;

    pub fn of(
        snapshot: &Snapshot,
        vertex: &'a VertexState,
        caches: &TaskCaches<'_>,
        present: &SubtaskShape,
        target_per_s: f64,
        sharing: f64,
        memory: &Memory,
    ) -> Self {
        let terms = &snapshot.terms;
        let operators = caches.all.len() / (present.parallelism as usize).max(1);
        let budgets = || snapshot.task_managers.iter().map(|tm| tm.budget);
        let least = budgets().map(|b| b.min_cache_bytes).max().unwrap_or(0);
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
            most_bytes_together: memory.bytes,
            write_buffer_cost: memory.write_buffer_cost,
            most_parallelism: slots.into_iter().flatten().min().unwrap_or(1).max(1),
            allowed: vertex.allowed_parallelisms.as_deref(),
            slot_price: terms.slot_second / sharing,
            byte_price: terms.gib_second / Self::GIB,
            has_memory: !caches.all.is_empty(),
            has_write_path: caches.have_write_paths && memory.write_buffer_cost > 0.0,
        }
    }

    /// What an instance of this shape takes of the memory there is.
    pub fn bytes_of(&self, shape: &SubtaskShape) -> f64 {
        shape.cache_bytes + self.write_buffer_cost * shape.write_buffer_bytes
    }
}

// === impl Frontier ===

impl<'a> Frontier<'a> {
    /// Bytes are cheap and can be taken back: they are dealt with this confidence, in deviations (95 %).
    const BYTES_DEVIATIONS: f64 = 1.645;
    /// A shape is as fast as the fastest with the same parallelism if it is so near.
    const AS_FAST: f64 = 0.0005;
    /// Parallelisms looked at one by one from the least that can be enough; beyond, each is a quarter larger.
    const DENSE: u32 = 6;

    pub fn new(model: &'a VertexModel, predictor: Predictor<'a>, need: Need<'a>) -> Self {
        Self {
            model,
            predictor,
            need,
        }
    }

    /// What is predicted of a shape.
    pub fn candidate(&self, shape: SubtaskShape) -> Candidate {
        self.judge(shape, self.predictor.seconds(&shape))
    }

    fn judge(&self, shape: SubtaskShape, seconds: Seconds) -> Candidate {
        let deviation = seconds.variance.sqrt();
        let rate_per_s = f64::from(shape.parallelism) / seconds.ln_seconds.exp();
        let margin = (rate_per_s / self.need.target_per_s).ln();
        let total_bytes = f64::from(shape.parallelism) * self.need.bytes_of(&shape);
        Candidate {
            shape,
            sufficient: probability_below(margin / deviation),
            rate_per_s,
            deviation,
            slot_cost: f64::from(shape.parallelism) * self.need.slot_price,
            byte_cost: total_bytes * self.need.byte_price,
            total_bytes,
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
        let useful = self.search(parallelism, write_buffer_bytes).fastest();
        let useful = useful.shape.cache_bytes;
        self.candidate(SubtaskShape {
            cache_bytes: grown.min(useful).max(cache_bytes),
            ..candidate.shape
        })
    }

    /// Every parallelism worth a look, ascending, the present one among them.
    pub fn candidates(&self) -> Vec<Candidate> {
        let mut parallelisms = match &self.need.allowed {
            Some(allowed) => allowed.to_vec(),
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
            let least = (need.target_per_s / margin).ln();
            while low < high {
                let middle = low + (high - low) / 2;
                let line = self.predictor.line(middle, need.present.write_buffer_bytes);
                let seconds = line.seconds(line.position(bytes(middle)));
                if f64::from(middle).ln() - seconds.ln_seconds >= least {
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
        let search = self.search(parallelism, write_buffer_bytes);
        search.meeting().unwrap_or_else(|| search.fastest())
    }

    fn search(&self, parallelism: u32, write_buffer_bytes: f64) -> Search<'_> {
        let line = self.predictor.line(parallelism, write_buffer_bytes);
        let least_bytes = self.need.least_cache_bytes.max(1.0);
        let most_bytes = self.most_cache_bytes(parallelism, write_buffer_bytes);
        let (first, last) = (line.position(least_bytes), line.position(most_bytes));
        let octaves = (most_bytes / least_bytes).log2();
        Search {
            frontier: self,
            shape: SubtaskShape {
                parallelism,
                cache_bytes: 0.0,
                write_buffer_bytes,
            },
            line,
            least_bytes,
            most_bytes,
            first,
            last,
            steps: (octaves * Line::STEPS_PER_OCTAVE).ceil().max(0.0) as u32,
        }
    }

    /// Cache bytes of a subtask if the vertex had all there is.
    fn most_cache_bytes(&self, parallelism: u32, write_buffer_bytes: f64) -> f64 {
        // No curve reaches farther than this.
        const MOST: f64 = (64_u64 << 30) as f64;
        let each = self.need.most_bytes_together / f64::from(parallelism)
            - self.need.write_buffer_cost * write_buffer_bytes;
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

/// The search over cache bytes along one [`Line`], an eighth of an octave a step; more bytes are never worse.
struct Search<'a> {
    frontier: &'a Frontier<'a>,
    line: Line<'a>,
    /// What does not change along the line.
    shape: SubtaskShape,
    least_bytes: f64,
    most_bytes: f64,
    /// Positions of these.
    first: f64,
    last: f64,
    steps: u32,
}

// === impl Search ===

impl Search<'_> {
    /// The fewest bytes that meet the target with confidence, if any do.
    fn meeting(&self) -> Option<Candidate> {
        let parallelism = f64::from(self.shape.parallelism);
        let ln_allowed = (parallelism / self.frontier.need.target_per_s).ln();
        let meets = |s: &Seconds| {
            ln_allowed - s.ln_seconds >= Frontier::BYTES_DEVIATIONS * s.variance.sqrt()
        };
        // Most parallelisms are enough with the fewest bytes, or with none.
        let (least, most) = (self.seconds(0), self.seconds(self.steps));
        match (meets(&least), meets(&most)) {
            (true, _) => Some(self.candidate(0, least)),
            (false, true) => Some(self.fewest(meets)),
            (false, false) => None,
        }
    }

    /// The fewest bytes that are as fast as any.
    fn fastest(&self) -> Candidate {
        let most = self.line.seconds(self.last).ln_seconds;
        let enough = most - (1.0 - Frontier::AS_FAST).ln();
        self.fewest(|s| s.ln_seconds <= enough)
    }

    /// The fewest bytes that are good enough; the most there are if none is.
    fn fewest(&self, good: impl Fn(&Seconds) -> bool) -> Candidate {
        let (mut low, mut high) = (0, self.steps);
        while low < high {
            let middle = low + (high - low) / 2;
            if good(&self.seconds(middle)) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        self.candidate(low, self.seconds(low))
    }

    fn seconds(&self, step: u32) -> Seconds {
        let position = (self.first + f64::from(step)).min(self.last);
        self.line.seconds(position)
    }

    fn candidate(&self, step: u32, seconds: Seconds) -> Candidate {
        let bytes = self.least_bytes * (f64::from(step) / Line::STEPS_PER_OCTAVE).exp2();
        let shape = SubtaskShape {
            cache_bytes: bytes.min(self.most_bytes),
            ..self.shape
        };
        self.frontier.judge(shape, seconds)
    }
}
