//! The frontier of one vertex: for each parallelism the fewest bytes that meet the target with confidence.

use std::cell::{LazyCell, RefCell};

use super::budget::Memory;
use super::normal::probability_below;
use crate::model::{Line, Predictor, Seconds, SubtaskShape, TaskCaches, VertexModel};
use crate::{Snapshot, VertexState};

/// What a vertex has to do, and within which limits.
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
    /// How surely it meets the target: by so many deviations is it faster than needed.
    pub sure: f64,
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
pub(crate) struct Frontier<'a> {
    pub model: &'a VertexModel,
    pub predictor: Predictor<'a>,
    pub need: Need<'a>,
    /// What was reckoned already, ascending in parallelism: it holds for any target.
    reaches: RefCell<Vec<Reach>>,
}

/// How fast an instance can be at a parallelism and a size of the write buffers; absent until somebody asks.
#[derive(Clone, Copy)]
struct Reach {
    parallelism: u32,
    write_buffer_bytes: f64,
    /// With the fewest bytes.
    least: Option<Seconds>,
    /// With all there are.
    most: Option<Seconds>,
    /// The step of [`Search`] with the fewest bytes that are as fast as any.
    fastest: Option<(u32, Seconds)>,
}

// === impl Candidate ===

impl Candidate {
    pub fn cost(&self) -> f64 {
        self.slot_cost + self.byte_cost
    }

    /// Its price for slots and for bytes.
    pub fn costs(&self) -> [f64; 2] {
        [self.slot_cost, self.byte_cost]
    }

    /// Probability that it meets the target.
    pub fn sufficient(&self) -> f64 {
        probability_below(self.sure)
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
        let operators = caches.len() / (present.parallelism as usize).max(1);
        let slots = [
            terms.slot_budget,
            snapshot.slots.map(|s| s.total),
            vertex.max_parallelism,
            Some(Self::MOST_PARALLELISM),
        ];
        Self {
            target_per_s,
            present: *present,
            least_cache_bytes: memory.least_cache_bytes as f64 * operators as f64,
            most_bytes_together: memory.bytes,
            write_buffer_cost: memory.write_buffer_cost,
            most_parallelism: slots.into_iter().flatten().min().unwrap_or(1).max(1),
            allowed: vertex.allowed_parallelisms.as_deref(),
            slot_price: terms.slot_second / sharing,
            byte_price: terms.gib_second / Self::GIB,
            has_memory: !caches.is_empty(),
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
    pub const BYTES_DEVIATIONS: f64 = 1.645;
    /// A shape is as fast as the fastest with the same parallelism if it is so near.
    pub const AS_FAST: f64 = 0.00002;
    /// Parallelisms looked at one by one from the least that can be enough; beyond, each is a quarter larger.
    const DENSE: u32 = 6;

    pub fn new(model: &'a VertexModel, predictor: Predictor<'a>, need: Need<'a>) -> Self {
        Self {
            model,
            predictor,
            need,
            reaches: RefCell::default(),
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
            sure: margin / deviation,
            rate_per_s,
            deviation,
            slot_cost: f64::from(shape.parallelism) * self.need.slot_price,
            byte_cost: total_bytes * self.need.byte_price,
            total_bytes,
        }
    }

    /// With this parallelism, the fewest bytes that meet the target with confidence, or else the fewest that are as fast as any.
    pub fn at(&self, parallelism: u32) -> Candidate {
        if !self.need.has_write_path || self.model.write.is_none() {
            return self.at_write_buffer(parallelism, self.need.present.write_buffer_bytes);
        }
        let mut best: Option<Candidate> = None;
        for write_buffer_bytes in self.write_buffers(parallelism) {
            let candidate = self.at_write_buffer(parallelism, write_buffer_bytes);
            let better = best.is_none_or(|best| {
                let meets = |c: &Candidate| c.sure >= Self::BYTES_DEVIATIONS;
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
        let (step, _) = self.search(parallelism, write_buffer_bytes).fastest();
        let useful = self.cache_bytes_at(step, parallelism, write_buffer_bytes);
        self.candidate(SubtaskShape {
            cache_bytes: grown.min(useful).max(cache_bytes),
            ..candidate.shape
        })
    }

    /// Every parallelism worth a look, ascending, the present one among them.
    ///
    /// `room`: a vector that is no longer needed, to be filled anew.
    pub fn candidates(&self, mut room: Vec<Candidate>) -> Vec<Candidate> {
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
        room.clear();
        room.extend(parallelisms.into_iter().map(|p| self.at(p)));
        room
    }

    /// From the least parallelism that may be enough with all the bytes to the one that is with the fewest.
    fn parallelisms(&self) -> Vec<u32> {
        let need = &self.need;
        let write_buffer_bytes = need.present.write_buffer_bytes;
        let ln_seconds = |parallelism: u32, all_bytes: bool| {
            let (at, mut reach) = self.reach(parallelism, write_buffer_bytes);
            let search = || self.search(parallelism, write_buffer_bytes);
            let seconds = match all_bytes {
                true => reach.most.get_or_insert_with(|| {
                    let search = search();
                    search.seconds(search.steps)
                }),
                false => reach.least.get_or_insert_with(|| search().seconds(0)),
            };
            let ln_seconds = seconds.ln_seconds;
            self.reaches.borrow_mut()[at] = reach;
            ln_seconds
        };
        let enough = |low: u32, all_bytes: bool, margin: f64| {
            let least = (need.target_per_s / margin).ln();
            let ln_over = |p: u32| f64::from(p).ln() - ln_seconds(p, all_bytes) - least;
            first_over(
                low,
                need.most_parallelism,
                need.present.parallelism,
                ln_over,
            )
        };
        let least = enough(1, true, 1.1);
        let most = enough(least, false, 0.8);
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
        let ln_allowed = (f64::from(parallelism) / need.target_per_s).ln();
        let meets =
            |s: &Seconds| ln_allowed - s.ln_seconds >= Self::BYTES_DEVIATIONS * s.variance.sqrt();
        let (at, mut reach) = self.reach(parallelism, write_buffer_bytes);
        let search = LazyCell::new(|| self.search(parallelism, write_buffer_bytes));
        // Most parallelisms are enough with the fewest bytes, or with none.
        let fewest = *reach.least.get_or_insert_with(|| search.seconds(0));
        let (step, seconds) = if meets(&fewest) {
            (0, fewest)
        } else if meets(
            reach
                .most
                .get_or_insert_with(|| search.seconds(search.steps)),
        ) {
            search.fewest(meets)
        } else {
            *reach.fastest.get_or_insert_with(|| search.fastest())
        };
        self.reaches.borrow_mut()[at] = reach;
        let shape = SubtaskShape {
            parallelism,
            cache_bytes: self.cache_bytes_at(step, parallelism, write_buffer_bytes),
            write_buffer_bytes,
        };
        self.judge(shape, seconds)
    }

    /// What was reckoned already of a parallelism, and where that is kept; nothing yet if nobody has asked.
    fn reach(&self, parallelism: u32, write_buffer_bytes: f64) -> (usize, Reach) {
        let mut reaches = self.reaches.borrow_mut();
        let order = |r: &Reach| {
            let buffers = r.write_buffer_bytes.total_cmp(&write_buffer_bytes);
            r.parallelism.cmp(&parallelism).then(buffers)
        };
        let at = reaches.binary_search_by(order).unwrap_or_else(|at| {
            let unknown = Reach {
                parallelism,
                write_buffer_bytes,
                least: None,
                most: None,
                fastest: None,
            };
            reaches.insert(at, unknown);
            at
        });
        (at, reaches[at])
    }

    fn search(&self, parallelism: u32, write_buffer_bytes: f64) -> Search<'a> {
        let line = self.predictor.line(parallelism, write_buffer_bytes);
        let (least, most) = self.cache_bytes_bounds(parallelism, write_buffer_bytes);
        let first = line.position(least);
        let steps = (most / least).log2() * Line::STEPS_PER_OCTAVE;
        Search {
            line,
            first,
            last: first + steps,
            steps: steps.ceil().max(0.0) as u32,
        }
    }

    /// The fewest and the most cache bytes of a subtask.
    fn cache_bytes_bounds(&self, parallelism: u32, write_buffer_bytes: f64) -> (f64, f64) {
        let least = self.need.least_cache_bytes.max(1.0);
        let most = self.most_cache_bytes(parallelism, write_buffer_bytes);
        (least, most)
    }

    /// Cache bytes of a subtask so many steps of a [`Search`] above the fewest.
    fn cache_bytes_at(&self, step: u32, parallelism: u32, write_buffer_bytes: f64) -> f64 {
        let (least, most) = self.cache_bytes_bounds(parallelism, write_buffer_bytes);
        let bytes = least * (f64::from(step) / Line::STEPS_PER_OCTAVE).exp2();
        bytes.min(most)
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
    fn write_buffers(&self, parallelism: u32) -> [f64; 5] {
        let SubtaskShape {
            parallelism: at_present,
            write_buffer_bytes: now,
            ..
        } = self.need.present;
        let stays = match parallelism == at_present {
            true => now,
            false => now * f64::from(at_present) / f64::from(parallelism),
        };
        [1.0, 0.5, 2.0, 0.25, 4.0].map(|factor| stays * factor)
    }
}

/// The first of `low..=high` at which `ln_over`, which never falls, is not negative; `high` if there is none.
///
/// It rises about like the logarithm of the parallelism: that tells where to look, and halving the range ends it where it does not.
fn first_over(mut low: u32, mut high: u32, near: u32, ln_over: impl Fn(u32) -> f64) -> u32 {
    const GUESSES: u32 = 5;
    let (mut next, mut looks) = (near, 0);
    while low < high {
        let at = match looks < GUESSES {
            true => next.clamp(low, high - 1),
            false => low + (high - low) / 2,
        };
        looks += 1;
        let over = ln_over(at);
        let there = (f64::from(at) * (-over).exp()).ceil() as u32;
        if over >= 0.0 {
            high = at;
            next = there.saturating_sub(1);
        } else {
            low = at + 1;
            next = there;
        }
    }
    low
}

/// The search over cache bytes along one [`Line`], an eighth of an octave a step; more bytes are never worse.
struct Search<'a> {
    line: Line<'a>,
    /// Positions of the fewest and the most bytes.
    first: f64,
    last: f64,
    steps: u32,
}

// === impl Search ===

impl Search<'_> {
    /// The fewest bytes that are as fast as any.
    fn fastest(&self) -> (u32, Seconds) {
        let most = self.line.seconds(self.last).ln_seconds;
        let enough = most - (1.0 - Frontier::AS_FAST).ln();
        self.fewest(|s| s.ln_seconds <= enough)
    }

    /// The fewest bytes that are good enough, in steps; the most there are if none is.
    fn fewest(&self, good: impl Fn(&Seconds) -> bool) -> (u32, Seconds) {
        let (mut low, mut high) = (0, self.steps);
        while low < high {
            let middle = low + (high - low) / 2;
            if good(&self.seconds(middle)) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        (low, self.seconds(low))
    }

    fn seconds(&self, step: u32) -> Seconds {
        let position = (self.first + f64::from(step)).min(self.last);
        self.line.seconds(position)
    }
}
