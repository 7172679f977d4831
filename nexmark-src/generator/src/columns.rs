//! The columns, and the numbers in them, each made from random numbers of its own.

use crate::config::GeneratorConfig;
use crate::numbering::{Kind, Place};
use crate::random::EventRandom;
use crate::texts::Channel;

const FIRST_ID: i64 = 1000;
const FIRST_CATEGORY: i64 = 10;
const CATEGORIES: u64 = 5;
/// The hot auction, bidder and seller change with every so many new ones.
const HOT_INTERVAL: i64 = 100;
/// Events may refer to so many persons and auctions that do not exist yet: streams are not in perfect order.
const LEAD: i64 = 10;
/// The column whose numbers say whether an event comes late; no event has so many.
const DELAY: u64 = 15;

/// A column of a kind's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    PersonId,
    Name,
    EmailAddress,
    CreditCard,
    City,
    State,
    AuctionId,
    ItemName,
    Description,
    InitialBid,
    Reserve,
    Expires,
    Seller,
    Category,
    BidAuction,
    Bidder,
    Price,
    Channel,
    Url,
    DateTime,
    Extra,
}

// === impl Field ===

impl Field {
    /// The columns of a kind, in the order of the tables.
    pub(crate) const fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Person => &[
                Self::PersonId,
                Self::Name,
                Self::EmailAddress,
                Self::CreditCard,
                Self::City,
                Self::State,
                Self::DateTime,
                Self::Extra,
            ],
            Kind::Auction => &[
                Self::AuctionId,
                Self::ItemName,
                Self::Description,
                Self::InitialBid,
                Self::Reserve,
                Self::DateTime,
                Self::Expires,
                Self::Seller,
                Self::Category,
                Self::Extra,
            ],
            Kind::Bid => &[
                Self::BidAuction,
                Self::Bidder,
                Self::Price,
                Self::Channel,
                Self::Url,
                Self::DateTime,
                Self::Extra,
            ],
        }
    }
}

/// One event, its columns yet to be asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LazyEvent<'a> {
    pub(crate) config: &'a GeneratorConfig,
    pub(crate) random: EventRandom,
    pub(crate) kind: Kind,
    place: Place,
    /// By the schedule, after event 0.
    millis: u64,
    /// Of a bid whose channel, URL or size is asked for: all three depend on it.
    pub(crate) channel: Channel,
}

// === impl LazyEvent ===

impl<'a> LazyEvent<'a> {
    #[inline]
    pub(crate) fn new(
        config: &'a GeneratorConfig,
        mixed_seed: u64,
        place: Place,
        kind: Kind,
        millis: u64,
        needs_channel: bool,
    ) -> Self {
        let random = EventRandom::new(mixed_seed, place.number);
        let channel = if needs_channel && kind == Kind::Bid {
            Channel::of(random)
        } else {
            Channel::UNKNOWN
        };
        Self {
            config,
            random,
            kind,
            place,
            millis,
            channel,
        }
    }

    #[inline]
    pub(crate) fn person_id(&self) -> i64 {
        FIRST_ID + self.place.newest_person(self.config)
    }

    #[inline]
    pub(crate) fn auction_id(&self) -> i64 {
        FIRST_ID + self.place.newest_auction(self.config)
    }

    #[inline]
    pub(crate) fn date_time(&self) -> i64 {
        let config = self.config;
        let time = config.base_time_millis + self.millis as i64;
        if config.delayed_share == 0.0 {
            return time;
        }
        let mut random = self.random.column(DELAY);
        if random.fraction() >= config.delayed_share {
            return time;
        }
        let range = config.longest_delay_millis - config.shortest_delay_millis + 1;
        let delay = config.shortest_delay_millis + random.below(range);
        (time - delay as i64).max(config.base_time_millis)
    }

    /// Of an auction. It is open for more than a millisecond: on average until as many new ones have come as are in flight together.
    pub(crate) fn expires(&self) -> i64 {
        let config = self.config;
        let sum = config.person_proportion + config.auction_proportion + config.bid_proportion;
        let events = config.in_flight_auctions * sum / config.auction_proportion;
        let turnover = config.schedule.millis(self.place.number + events) - self.millis;
        let open = self.random.column(6).below((2 * turnover).max(1)) as i64;
        self.date_time() + 1 + open
    }

    #[inline]
    pub(crate) fn initial_bid(&self) -> i64 {
        self.random.column(3).price()
    }

    #[inline]
    pub(crate) fn reserve(&self) -> i64 {
        self.initial_bid() + self.random.column(4).price()
    }

    #[inline]
    pub(crate) fn seller(&self) -> i64 {
        let newest = self.place.newest_person(self.config);
        let (first, count) = self.active_people(newest);
        self.hot_or_one_of(7, self.config.hot_seller_ratio, hot(newest), first, count)
    }

    #[inline]
    pub(crate) fn category(&self) -> i64 {
        FIRST_CATEGORY + self.random.column(8).below(CATEGORIES) as i64
    }

    #[inline]
    pub(crate) fn bid_auction(&self) -> i64 {
        let newest = self.place.newest_auction(self.config);
        // The newest auctions and the next to come.
        let oldest = (newest - self.config.in_flight_auctions as i64).max(0);
        let count = newest - oldest + 1 + LEAD;
        self.hot_or_one_of(0, self.config.hot_auction_ratio, hot(newest), oldest, count)
    }

    #[inline]
    pub(crate) fn bidder(&self) -> i64 {
        let newest = self.place.newest_person(self.config);
        let (first, count) = self.active_people(newest);
        // One apart from the hot seller, so that few bid on their own auctions.
        let hot = hot(newest) + 1;
        self.hot_or_one_of(1, self.config.hot_bidder_ratio, hot, first, count)
    }

    #[inline]
    pub(crate) fn price(&self) -> i64 {
        self.random.column(2).price()
    }

    /// The newest persons and the next to come: the first, and how many.
    #[inline]
    fn active_people(&self, newest: i64) -> (i64, i64) {
        let people = newest + 1;
        let active = people.min(self.config.active_people as i64);
        (people - active, active + LEAD)
    }

    /// The identifier of the hot one, or in one case of `ratio` of one of a range. Both are worked out, since nobody could guess which it
    /// will be, the processor neither.
    #[inline]
    fn hot_or_one_of(&self, column: u64, ratio: u64, hot: i64, first: i64, count: i64) -> i64 {
        let mut random = self.random.column(column);
        let is_hot = random.below(ratio) > 0;
        let other = first + random.below(count as u64) as i64;
        FIRST_ID + std::hint::select_unpredictable(is_hot, hot, other)
    }
}

#[inline]
fn hot(newest: i64) -> i64 {
    newest / HOT_INTERVAL * HOT_INTERVAL
}
