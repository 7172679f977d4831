//! Which kind an event is, and which persons and auctions exist by then.
//!
//! Plain arithmetic on the event's number; no randomness. Identifiers count from 0 here. A number says where an event stands in time; its
//! position says where it stands in the stream, which is another place if events are out of order.

use crate::GeneratorConfig;

/// A prime above every group's size: multiplying by it permutes a group.
const SHUFFLE: u64 = 1_000_003;

/// What an event is about; the discriminant is the table's `event_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A person registers.
    Person = 0,
    /// An auction is opened.
    Auction = 1,
    /// A bid is made.
    Bid = 2,
}

/// An event's place among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The event's number.
    pub number: u64,
    /// How often the kinds have repeated before it.
    pub round: u64,
    /// Its place within the round: persons come first, then auctions, then bids.
    pub offset: u64,
}

// === impl Kind ===

impl Kind {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 3] = [Self::Person, Self::Auction, Self::Bid];
}

// === impl Place ===

impl Place {
    /// Of the event at a position.
    #[inline]
    #[must_use]
    pub fn at(position: u64, config: &GeneratorConfig) -> Self {
        let group = config.out_of_order_group;
        let number = if group == 1 {
            position
        } else {
            let offset = position % group;
            position - offset + offset * SHUFFLE % group
        };
        let sum = config.person_proportion + config.auction_proportion + config.bid_proportion;
        Self {
            number,
            round: number / sum,
            offset: number % sum,
        }
    }

    /// Of the event one position on.
    #[inline]
    #[must_use]
    pub fn next(self, position: u64, config: &GeneratorConfig) -> Self {
        if config.out_of_order_group > 1 {
            return Self::at(position + 1, config);
        }
        // The same without a division.
        let sum = config.person_proportion + config.auction_proportion + config.bid_proportion;
        let wraps = self.offset + 1 == sum;
        Self {
            number: self.number + 1,
            round: self.round + u64::from(wraps),
            offset: if wraps { 0 } else { self.offset + 1 },
        }
    }

    /// What the event is about.
    #[inline]
    #[must_use]
    pub fn kind(self, config: &GeneratorConfig) -> Kind {
        if self.offset < config.person_proportion {
            Kind::Person
        } else if self.offset < config.person_proportion + config.auction_proportion {
            Kind::Auction
        } else {
            Kind::Bid
        }
    }

    /// The newest person once the event has happened.
    #[inline]
    #[must_use]
    pub fn newest_person(self, config: &GeneratorConfig) -> i64 {
        (self.round * config.person_proportion + self.offset.min(config.person_proportion - 1))
            as i64
    }

    /// The newest auction once the event has happened; -1 while there is none.
    #[inline]
    #[must_use]
    pub fn newest_auction(self, config: &GeneratorConfig) -> i64 {
        let opened = self.offset as i64 - config.person_proportion as i64;
        (self.round * config.auction_proportion) as i64
            + opened.clamp(-1, config.auction_proportion as i64 - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Place};
    use crate::GeneratorConfig;

    #[test]
    fn walking_is_jumping() {
        for out_of_order_group in [1, 70] {
            let config = GeneratorConfig {
                out_of_order_group,
                person_proportion: 2,
                ..GeneratorConfig::default()
            };
            let mut place = Place::at(0, &config);
            for position in 0..1_000 {
                assert_eq!(place, Place::at(position, &config));
                place = place.next(position, &config);
            }
        }
    }

    #[test]
    fn shuffling_permutes_a_group() {
        let config = GeneratorConfig {
            out_of_order_group: 1_000,
            ..GeneratorConfig::default()
        };
        let mut numbers: Vec<u64> = (5_000..6_000)
            .map(|p| Place::at(p, &config).number)
            .collect();
        assert_ne!(numbers[1], 5_001);
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(5_000..6_000));
    }

    #[test]
    fn persons_auctions_bids_in_this_order() {
        let config = GeneratorConfig::default();
        let kinds: Vec<Kind> = (0..50)
            .map(|p| Place::at(p, &config).kind(&config))
            .collect();
        assert_eq!(kinds[0], Kind::Person);
        assert_eq!(kinds[1..4], [Kind::Auction; 3]);
        assert_eq!(kinds[4..], [Kind::Bid; 46]);
        assert_eq!(Place::at(0, &config).newest_auction(&config), -1);
        assert_eq!(Place::at(3, &config).newest_auction(&config), 2);
        assert_eq!(Place::at(104, &config).newest_auction(&config), 8);
        assert_eq!(Place::at(104, &config).newest_person(&config), 2);
    }
}
