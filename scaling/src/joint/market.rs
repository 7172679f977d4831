//! Slots and bytes are scarce together: prices are raised until what is taken fits (Lagrange's multipliers; Everett, "Generalized
//! Lagrange multiplier method", 1963). Each round looks once at every vertex, so the whole is near linear; no more of a vertex is
//! looked at than prices decide on, close together in memory, since there are many rounds.

use super::Subject;
use super::choice::{Kind, Price, Wish};
use super::frontier::Candidate;

/// What all vertices may take, in their order.
pub(crate) struct Market {
    rows: Vec<Row>,
    offers: Vec<Offer>,
    /// Whether doubts hold the restart of all at any price.
    held: bool,
}

/// What one vertex may take.
struct Row {
    /// Ends of its offers that are enough, where the present parallelism is not, and of those that are only cheaper.
    enough_until: u32,
    sure_until: u32,
    /// The offer that comes closest where none is enough.
    closest: Option<Offer>,
    short: bool,
    unsettled: bool,
    unclear: bool,
    /// Prices of slots and bytes at the present parallelism.
    here: [f64; 2],
    /// Instances and bytes if it does not restart.
    stays: (u32, f64),
}

/// A shape at another parallelism.
#[derive(Debug, Clone, Copy)]
struct Offer {
    /// Position in the frontier.
    at: u32,
    parallelism: u32,
    sure: f64,
    slot_cost: f64,
    byte_cost: f64,
    total_bytes: f64,
}

/// What a vertex takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pick {
    /// Position in the frontier; absent if it stays.
    pub goal: Option<(u32, Kind)>,
    pub parallelism: u32,
    pub total_bytes: f64,
}

// === impl Market ===

impl Market {
    pub fn of(subjects: &[Subject<'_>], wishes: &[Wish]) -> Self {
        let mut market = Self {
            rows: Vec::with_capacity(wishes.len()),
            offers: Vec::with_capacity(2 * wishes.len()),
            held: false,
        };
        for (subject, wish) in subjects.iter().zip(wishes) {
            let now = subject.shape.parallelism;
            let first = market.offers.len();
            if wish.short {
                market.push(wish, |c| wish.is_enough(c));
            }
            let enough_until = market.offers.len();
            market.push(wish, |c| wish.is_sure(c) && c.shape.parallelism != now);
            let closest = match wish.short && enough_until == first {
                true => wish.closest().filter(|(_, c)| c.shape.parallelism != now),
                false => None,
            };
            let has_goal = enough_until > first || closest.is_some();
            market.held |= wish.short && wish.unsettled && wish.unclear && has_goal;
            market.rows.push(Row {
                enough_until: enough_until as u32,
                sure_until: market.offers.len() as u32,
                closest: closest.map(|(at, c)| Offer::of(at, c)),
                short: wish.short,
                unsettled: wish.unsettled,
                unclear: wish.unclear,
                here: [wish.here.slot_cost, wish.here.byte_cost],
                stays: (wish.stays.1.shape.parallelism, wish.stays.1.total_bytes),
            });
        }
        market
    }

    /// Whether what is taken is the same at any price.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// What every vertex takes at this price without trials. `pays` says whether a restart that nobody needs saves enough.
    pub fn picks(&self, price: Price, pays: impl FnOnce(f64) -> bool, picks: &mut Vec<Pick>) {
        picks.clear();
        let (mut must, mut hold, mut saved, mut first) = (false, self.held, 0.0, 0);
        for row in &self.rows {
            let (enough, sure) = (row.enough_until as usize, row.sure_until as usize);
            let needed = price.cheapest(&self.offers[first..enough], Offer::costs);
            let needed = needed.or(row.closest.as_ref()).filter(|_| row.short);
            let goal = match needed {
                Some(offer) => {
                    must = true;
                    hold |= row.unsettled && (row.unclear || offer.sure < Wish::SURE);
                    Some((offer, Kind::Needed))
                }
                None => {
                    let cheapest = price.cheapest(&self.offers[enough..sure], Offer::costs);
                    let most = price.of(row.here) * (1.0 - Wish::RESTART_SAVING);
                    let cheaper = cheapest.filter(|offer| price.of(offer.costs()) < most);
                    cheaper.map(|offer| {
                        saved += row.here.iter().sum::<f64>() - offer.costs().iter().sum::<f64>();
                        (offer, Kind::Cheaper)
                    })
                }
            };
            first = sure;
            picks.push(match goal {
                Some((offer, kind)) => Pick {
                    goal: Some((offer.at, kind)),
                    parallelism: offer.parallelism,
                    total_bytes: offer.total_bytes,
                },
                None => row.stay(),
            });
        }
        if hold || !(must || pays(saved)) {
            picks.clear();
            picks.extend(self.rows.iter().map(Row::stay));
        }
    }

    /// Adds the offers that can be the cheapest at some price: with more instances, fewer bytes.
    fn push(&mut self, wish: &Wish, is_offered: impl Fn(&Candidate) -> bool) {
        let mut least = f64::INFINITY;
        for (at, candidate) in wish.frontier.iter().enumerate() {
            if candidate.byte_cost < least && is_offered(candidate) {
                least = candidate.byte_cost;
                self.offers.push(Offer::of(at, candidate));
            }
        }
    }
}

// === impl Row ===

impl Row {
    fn stay(&self) -> Pick {
        Pick {
            goal: None,
            parallelism: self.stays.0,
            total_bytes: self.stays.1,
        }
    }
}

// === impl Offer ===

impl Offer {
    fn of(at: usize, candidate: &Candidate) -> Self {
        Self {
            at: at as u32,
            parallelism: candidate.shape.parallelism,
            sure: candidate.sure,
            slot_cost: candidate.slot_cost,
            byte_cost: candidate.byte_cost,
            total_bytes: candidate.total_bytes,
        }
    }

    fn costs(&self) -> [f64; 2] {
        [self.slot_cost, self.byte_cost]
    }
}
