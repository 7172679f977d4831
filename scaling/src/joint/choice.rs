//! What to do with each vertex: stay, change bytes, try bytes, restart.

use super::Subject;
use super::budget::{self, Fixed};
use super::frontier::{Candidate, Frontier};
use super::market::{Market, Pick};
use crate::model::SubtaskShape;
use crate::{JobState, Snapshot};

/// What becomes of a vertex.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Choice {
    pub kind: Kind,
    /// The shape it gets; the present one if nothing changes.
    pub candidate: Candidate,
    /// The present shape.
    pub present: Candidate,
}

/// A choice among these.
pub(crate) struct Chosen {
    pub choice: Choice,
    /// Ascending in parallelism; to be shown as alternatives.
    pub frontier: Vec<Candidate>,
}

/// The least a vertex takes of either, whatever slots and bytes cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Floor {
    pub parallelism: u32,
    pub bytes: f64,
}

/// Why it gets that shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It keeps its shape.
    Stay,
    /// Other bytes.
    Bytes,
    /// Bytes of a shape with another parallelism, to see what they do before a restart.
    Trial,
    /// Another parallelism is needed.
    Needed,
    /// Another parallelism is cheaper.
    Cheaper,
}

/// Factors on the prices, raised until the budgets are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Price {
    pub slot: f64,
    pub byte: f64,
}

/// What the policy makes of a vertex, apart from the budgets.
pub(crate) struct Wish {
    pub frontier: Vec<Candidate>,
    /// The frontier at the present parallelism.
    pub here: Candidate,
    present: Candidate,
    /// What it gets if it does not restart.
    pub stays: (Kind, Candidate),
    /// Whether the present parallelism is not enough.
    pub short: bool,
    /// Whether a few snapshots more bring better measurements.
    pub unsettled: bool,
    /// Whether of any shape it is not known if it is enough.
    pub unclear: bool,
    /// How surely a shape has to be enough if it is only cheaper.
    sure: f64,
}

/// Less surely enough (30 %, in deviations as all below), the present parallelism is given up.
const GIVEN_UP: f64 = -0.524_400_5;
/// A parallelism that is needed has to be enough so surely (70 %).
const TAKEN: f64 = 0.524_400_5;
/// A parallelism that is only cheaper has to be enough so surely (90 %): two restarts are lost if not.
const SURE: f64 = 1.281_551_6;
/// The same once the job was restarted at this target already (98 %): what was believed at the first restart did not hold.
const SURE_AGAIN: f64 = 2.053_748_9;
/// Snapshots for which a doubtful restart waits for better measurements.
const PATIENCE: u32 = 4;
/// A measurement is good enough if it deviates by less.
const GOOD: f64 = 0.03;
/// Other bytes are tried first if a restart relied on a prediction less certain than this.
const UNTRIED: f64 = 0.05;
/// Bytes that differ by less are not worth a change.
const SAME_BYTES: f64 = 0.1;
/// Share of the vertex's cost that fewer bytes have to save in the first [`SETTLED`] snapshots of a target; later in proportion more:
/// the longer it has held, the more a change has to bring.
const SAVING: f64 = 0.02;
/// Snapshots after which a shape should be found.
const SETTLED: f64 = 10.0;
/// A shape that falls short gets at least so many times its bytes: small steps would cost more time than bytes.
const LEAST_GROWTH: f64 = 1.5;
/// Present bytes that are enough with this probability stay. The longer the target has held, the less doubt is let in: what is
/// too slow shows itself, and what is just fast enough always looks doubtful.
const ENOUGH: f64 = 0.6;
/// Share of the job's cost that a restart has to save where none is needed, in the first [`SETTLED`] snapshots of a target; later in
/// proportion more, as with bytes.
const RESTART_SAVING: f64 = 0.05;
/// What it has to save at least once the job was restarted at this target already. A third restart is never worth a saving: what two
/// decisions did not find is not there.
const SECOND_RESTART_SAVING: f64 = 0.2;
/// A restart has to pay within this time, or the time for which the target has been the same if that is longer.
const PAYS_WITHIN_S: f64 = 600.0;

/// Shares of the targets that are tried where the budgets do not allow the whole.
const SHARES: [f64; 9] = [0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2];

/// A choice for every subject, in their order.
pub(crate) fn choose(
    subjects: &mut [Subject<'_>],
    snapshot: &Snapshot,
    job: &JobState,
    restarts_at_target: u32,
    fixed: &Fixed,
) -> Vec<Chosen> {
    let ask = |subjects: &mut [Subject<'_>], share: f64, wishes: &mut Vec<Wish>| {
        subjects.iter_mut().for_each(|s| s.ask(share));
        Wish::fill(wishes, subjects, restarts_at_target);
        let saving = Saving::of(subjects, wishes, snapshot, job, restarts_at_target);
        let wanted = of_job(subjects, wishes, &saving);
        within(subjects, wishes, fixed, wanted, &saving)
    };
    let mut all = Vec::with_capacity(subjects.len());
    let whole = match ask(subjects, 1.0, &mut all) {
        Ok(choices) => return chosen(choices, all),
        Err(whole) => whole,
    };
    // The budgets do not allow all targets: as large a share of them as they do, alike for all, since a pipeline is as fast as its
    // slowest vertex. Not again and again, as measurements scatter.
    if restarts_at_target < 2 {
        let taken = floors(subjects, &all).map_or(1.0, |f| fixed.share_taken(&f));
        let (mut wishes, mut kept) = (Vec::new(), Vec::new());
        let best = largest_share(taken, |share| {
            let choices = ask(subjects, share, &mut wishes).ok()?;
            std::mem::swap(&mut wishes, &mut kept);
            Some(choices)
        });
        subjects.iter_mut().for_each(|s| s.ask(1.0));
        if let Some(choices) = best {
            return chosen(choices, kept);
        }
    }
    chosen(budget::fit(subjects, fixed, whole), all)
}

/// What the largest share of the targets that fits leads to. A smaller share never takes more; what the whole takes at least tells
/// where to look first.
fn largest_share<T>(taken: f64, mut by_share: impl FnMut(f64) -> Option<T>) -> Option<T> {
    let (mut best, mut low, mut high) = (None, 0, SHARES.len());
    let mut next = SHARES.partition_point(|share| share * taken > 1.0);
    while low < high {
        let at = next.clamp(low, high - 1);
        match by_share(SHARES[at]) {
            Some(found) => {
                best = Some(found);
                high = at;
                next = at.saturating_sub(1);
            }
            None => {
                low = at + 1;
                next = low + (high - low) / 2;
            }
        }
    }
    best
}

fn chosen(choices: Vec<Choice>, wishes: Vec<Wish>) -> Vec<Chosen> {
    let pairs = choices.into_iter().zip(wishes);
    let with = |(choice, wish): (Choice, Wish)| Chosen {
        choice,
        frontier: wish.frontier,
    };
    pairs.map(with).collect()
}

/// What every subject takes at least; absent where a doubt may hold the restart of all.
fn floors(subjects: &[Subject<'_>], wishes: &[Wish]) -> Option<Vec<Floor>> {
    if wishes.iter().any(|w| w.short && w.unsettled) {
        return None;
    }
    let pairs = subjects.iter().zip(wishes);
    Some(pairs.map(|(s, w)| w.floor(s)).collect())
}

/// What is wished for at the real prices, bytes tried first where a restart relies on them.
fn of_job(subjects: &[Subject<'_>], wishes: &[Wish], saving: &Saving) -> Vec<Choice> {
    let pairs = || subjects.iter().zip(wishes);
    let price = Price::REAL;
    let needed: Vec<Option<&Candidate>> = pairs().map(|(s, w)| w.needed(s, price)).collect();
    let must = needed.iter().any(Option::is_some);
    let mut goals: Vec<Option<(&Candidate, Kind)>> = needed
        .iter()
        .map(|n| n.map(|n| (n, Kind::Needed)))
        .collect();
    // Where a restart is needed, cheaper shapes of the others come with it.
    let mut saved = 0.0;
    for ((subject, wish), goal) in pairs().zip(&mut goals) {
        if goal.is_none()
            && let Some(cheaper) = wish.cheaper(subject, price)
        {
            saved += wish.here.cost() - cheaper.cost();
            *goal = Some((cheaper, Kind::Cheaper));
        }
    }
    if !(must || saving.pays(saved)) {
        goals.fill(None);
    }
    // Doubts of one vertex hold the restart of all.
    let doubtful = wishes
        .iter()
        .zip(&needed)
        .any(|(w, n)| n.is_some_and(|n| w.doubtful(n)));
    let trials = pairs().zip(&goals);
    let trials = trials.map(|((s, _), goal)| goal.and_then(|(goal, kind)| trial(s, goal, kind)));
    let trials: Vec<Option<Candidate>> = trials.collect();
    let hold = doubtful || trials.iter().any(Option::is_some);
    let mut choices = Vec::with_capacity(wishes.len());
    for ((wish, goal), trial) in wishes.iter().zip(goals).zip(trials) {
        let (kind, candidate) = match (goal, trial) {
            (_, Some(trial)) => (Kind::Trial, trial),
            (Some((goal, kind)), None) if !hold => (kind, *goal),
            _ => wish.stays,
        };
        choices.push(Choice {
            kind,
            candidate,
            present: wish.present,
        });
    }
    choices
}

/// Choices within the budgets: what is wanted, or else what is taken at the lowest raised prices that lead there, without trials.
/// Where none do, what is wanted, as an error.
fn within(
    subjects: &[Subject<'_>],
    wishes: &[Wish],
    fixed: &Fixed,
    wanted: Vec<Choice>,
    saving: &Saving,
) -> Result<Vec<Choice>, Vec<Choice>> {
    let mut kept = fixed.keeps(&wanted);
    if kept == (true, true) {
        return Ok(wanted);
    }
    // Where what they take at least is too much, no prices lead there.
    let least = floors(subjects, wishes);
    let fits = |floors: &[Floor]| {
        fixed.allows(floors.iter().map(|f| (f.parallelism, f.bytes))) == (true, true)
    };
    if least.is_some_and(|floors| !fits(&floors)) {
        return Err(wanted);
    }
    let market = Market::of(subjects, wishes);
    let mut picks = Vec::with_capacity(wishes.len());
    let mut price = Price::REAL;
    for round in 0..=Price::ROUNDS {
        // The first round only does without trials.
        if round > 0 && !kept.0 {
            price.slot *= 2.0;
        }
        if round > 0 && !kept.1 {
            price.byte *= 2.0;
        }
        market.picks(price, |saved| saving.pays(saved), &mut picks);
        kept = fixed.allows(picks.iter().map(|p| (p.parallelism, p.total_bytes)));
        if kept == (true, true) {
            let pairs = wishes.iter().zip(&picks);
            return Ok(pairs.map(|(wish, pick)| wish.choice(pick)).collect());
        }
        if market.is_held() {
            break;
        }
    }
    Err(wanted)
}

/// What a restart that nobody needs has to save.
struct Saving {
    /// What the job costs a second at the present parallelism.
    cost: f64,
    /// Share of it that has to be saved; absent where no saving is worth a restart.
    least: Option<f64>,
    restart_s: f64,
    within_s: f64,
}

// === impl Saving ===

impl Saving {
    fn of(
        subjects: &[Subject<'_>],
        wishes: &[Wish],
        snapshot: &Snapshot,
        job: &JobState,
        restarts_at_target: u32,
    ) -> Self {
        let since_ms = subjects.iter().map(|s| s.frontier.model.target_since_ms);
        let steady_ms = since_ms
            .map(|since| snapshot.at_ms.saturating_sub(since))
            .min();
        let restart_s = job.restart_seconds.known();
        Self {
            cost: wishes.iter().map(|w| w.here.cost()).sum(),
            least: match restarts_at_target {
                0 => Some(RESTART_SAVING * held(subjects)),
                1 => Some(SECOND_RESTART_SAVING * held(subjects)),
                _ => None,
            },
            restart_s: restart_s.unwrap_or(snapshot.terms.restart_seconds),
            within_s: PAYS_WITHIN_S.max(steady_ms.unwrap_or(0) as f64 / 1000.0),
        }
    }

    /// Whether saving so much a second is worth it.
    fn pays(&self, saved_per_s: f64) -> bool {
        self.least.is_some_and(|least| {
            saved_per_s > least * self.cost
                && saved_per_s * self.within_s > self.restart_s * self.cost
        })
    }
}

/// For how many times the time in which a shape should be found the targets have held; at least 1.
fn held(subjects: &[Subject<'_>]) -> f64 {
    let samples = |s: &Subject<'_>| s.frontier.model.samples_at_target;
    let least = subjects.iter().map(samples).min().unwrap_or(0);
    (f64::from(least) / SETTLED).max(1.0)
}

/// The present parallelism with the bytes that the goal would have, if they have never been tried and the goal relies on them.
fn trial(subject: &Subject<'_>, goal: &Candidate, kind: Kind) -> Option<Candidate> {
    let frontier = &subject.frontier;
    let present = subject.shape;
    if !frontier.need.has_memory || frontier.predictor.memory_deviation(&goal.shape) <= UNTRIED {
        return None;
    }
    let factor = f64::from(goal.shape.parallelism) / f64::from(present.parallelism);
    let tried = SubtaskShape {
        cache_bytes: (goal.shape.cache_bytes * factor).max(frontier.need.least_cache_bytes),
        ..present
    };
    let room = frontier.need.most_bytes_together / f64::from(present.parallelism);
    let change = (tried.cache_bytes / present.cache_bytes).ln().abs();
    if change < SAME_BYTES || frontier.need.bytes_of(&tried) > room {
        return None;
    }
    let tried = frontier.candidate(tried);
    // What is enough now is not put at risk for a look.
    (kind == Kind::Needed || tried.sure >= SURE).then_some(tried)
}

// === impl Wish ===

impl Wish {
    /// A restart has to be enough so surely not to wait for better measurements.
    pub const SURE: f64 = SURE;
    /// A shape that is only cheaper has to save this share of the vertex's cost.
    pub const RESTART_SAVING: f64 = RESTART_SAVING;

    /// Replaces the wishes by those of these subjects.
    fn fill(wishes: &mut Vec<Self>, subjects: &[Subject<'_>], restarts_at_target: u32) {
        if wishes.is_empty() {
            let all = subjects.iter();
            wishes.extend(all.map(|s| Self::of(s, restarts_at_target, Vec::new())));
            return;
        }
        for (wish, subject) in wishes.iter_mut().zip(subjects) {
            let room = std::mem::take(&mut wish.frontier);
            *wish = Self::of(subject, restarts_at_target, room);
        }
    }

    /// `room`: a vector for the frontier, to be filled anew.
    fn of(subject: &Subject<'_>, restarts_at_target: u32, room: Vec<Candidate>) -> Self {
        let frontier = subject.frontier.candidates(room);
        let present = subject.frontier.candidate(subject.shape);
        let here = frontier
            .iter()
            .find(|c| c.shape.parallelism == subject.shape.parallelism);
        let here = here.copied().unwrap_or(present);
        let settled = subject.frontier.predictor.present_deviation() <= GOOD
            || subject.frontier.model.samples_since_change > PATIENCE;
        let maybe = |c: &Candidate| c.sure > GIVEN_UP && c.sure < SURE;
        Self {
            here,
            present,
            stays: stay(subject, &present, &here),
            short: here.sure < GIVEN_UP && present.sufficient() < ENOUGH,
            unsettled: !settled,
            unclear: frontier.iter().any(maybe),
            sure: match restarts_at_target {
                0 => SURE,
                _ if settled => SURE_AGAIN,
                _ => f64::INFINITY,
            },
            frontier,
        }
    }

    /// The cheapest sufficient shape, where the present parallelism is not enough.
    fn needed(&self, subject: &Subject<'_>, price: Price) -> Option<&Candidate> {
        if !self.short {
            return None;
        }
        let cheapest = price.cheapest(self.enough(), Candidate::costs);
        let goal = cheapest.or_else(|| self.closest().map(|(_, c)| c))?;
        (goal.shape.parallelism != subject.shape.parallelism).then_some(goal)
    }

    fn enough(&self) -> impl Iterator<Item = &Candidate> {
        self.frontier.iter().filter(|c| self.is_enough(c))
    }

    /// Whether it is enough to be taken where a restart is needed.
    pub fn is_enough(&self, candidate: &Candidate) -> bool {
        candidate.sure >= TAKEN
    }

    /// Whether it is so surely enough that it may be taken for being cheaper.
    pub fn is_sure(&self, candidate: &Candidate) -> bool {
        candidate.sure >= self.sure
    }

    /// What this pick comes to.
    fn choice(&self, pick: &Pick) -> Choice {
        let (kind, candidate) = match pick.goal {
            Some((at, kind)) => (kind, self.frontier[at as usize]),
            None => self.stays,
        };
        Choice {
            kind,
            candidate,
            present: self.present,
        }
    }

    /// Shapes with another parallelism that are surely sufficient.
    fn sure<'a>(&'a self, subject: &Subject<'_>) -> impl Iterator<Item = &'a Candidate> {
        let now = subject.shape.parallelism;
        self.frontier
            .iter()
            .filter(move |c| self.is_sure(c) && c.shape.parallelism != now)
    }

    /// The least it takes at any price if nothing holds its restart.
    fn floor(&self, subject: &Subject<'_>) -> Floor {
        let of = |c: &Candidate| Floor {
            parallelism: c.shape.parallelism,
            bytes: c.total_bytes,
        };
        let least = |a: Floor, b: Floor| Floor {
            parallelism: a.parallelism.min(b.parallelism),
            bytes: a.bytes.min(b.bytes),
        };
        let stays = of(&self.stays.1);
        if !self.short {
            return self.sure(subject).map(of).fold(stays, least);
        }
        let enough = self.enough().map(|c| match c.shape.parallelism {
            p if p == subject.shape.parallelism => stays,
            _ => of(c),
        });
        enough.reduce(least).unwrap_or_else(|| {
            let closest = self.closest().map_or(stays, |(_, c)| of(c));
            least(closest, stays)
        })
    }

    /// No shape is sufficient: the cheapest of those that come about as close as any.
    pub fn closest(&self) -> Option<(usize, &Candidate)> {
        let most = self
            .frontier
            .iter()
            .map(|c| c.rate_per_s)
            .fold(0.0, f64::max);
        let near = self
            .frontier
            .iter()
            .enumerate()
            .filter(|(_, c)| c.rate_per_s >= most * 0.995);
        near.min_by(|(_, a), (_, b)| a.cost().total_cmp(&b.cost()))
    }

    /// A shape with another parallelism that is surely sufficient and cheaper than the present parallelism.
    fn cheaper(&self, subject: &Subject<'_>, price: Price) -> Option<&Candidate> {
        let most = price.of(self.here.costs()) * (1.0 - RESTART_SAVING);
        let cheapest = price.cheapest(self.sure(subject), Candidate::costs)?;
        (price.of(cheapest.costs()) < most).then_some(cheapest)
    }

    /// Whether better measurements, which a few snapshots bring, might lead to another parallelism than this one.
    fn doubtful(&self, goal: &Candidate) -> bool {
        self.unsettled && (self.unclear || goal.sure < SURE)
    }
}

/// The best bytes at the present parallelism, if they are worth a change.
fn stay(subject: &Subject<'_>, now: &Candidate, best: &Candidate) -> (Kind, Candidate) {
    let keep = (Kind::Stay, *now);
    if !subject.frontier.need.has_memory || best.shape.is_same(&now.shape) {
        return keep;
    }
    let held = f64::from(subject.frontier.model.samples_at_target) / SETTLED;
    let held = held.max(1.0);
    if now.sufficient() < ENOUGH / held
        && best.rate_per_s > now.rate_per_s * (1.0 + Frontier::AS_FAST)
    {
        return (Kind::Bytes, subject.frontier.at_least(best, LEAST_GROWTH));
    }
    let saves = best.sure >= Frontier::BYTES_DEVIATIONS - 1e-6
        && now.cost() - best.cost() > SAVING * held * now.cost();
    if saves { (Kind::Bytes, *best) } else { keep }
}

// === impl Price ===

impl Price {
    /// The prices as they are.
    pub const REAL: Self = Self {
        slot: 1.0,
        byte: 1.0,
    };
    /// How often prices are doubled at most.
    pub const ROUNDS: u32 = 10;

    /// The first of the cheapest; `costs` are those of slots and of bytes.
    pub fn cheapest<'a, T>(
        &self,
        of: impl IntoIterator<Item = &'a T>,
        costs: impl Fn(&T) -> [f64; 2],
    ) -> Option<&'a T> {
        let priced = of.into_iter().map(|c| (self.of(costs(c)), c));
        let first = |best: (f64, &'a T), next: (f64, &'a T)| match next.0 < best.0 {
            true => next,
            false => best,
        };
        priced.reduce(first).map(|(_, c)| c)
    }

    pub fn of(&self, [slots, bytes]: [f64; 2]) -> f64 {
        self.slot * slots + self.byte * bytes
    }
}
