//! The value of every column of an event, each made from random numbers of its own.

use crate::config::GeneratorConfig;
use crate::numbering::{Kind, Place};
use crate::random::EventRandom;
use crate::text::Text;

const FIRST_ID: i64 = 1000;
const FIRST_CATEGORY: i64 = 10;
const CATEGORIES: u64 = 5;
/// The hot auction, bidder and seller change with every so many new ones.
const HOT_INTERVAL: i64 = 100;
/// Events may refer to so many persons and auctions that do not exist yet: streams are not in perfect order.
const LEAD: i64 = 10;
const OTHER_CHANNELS: u64 = 10_000;
const HOT_CHANNELS: [&str; 4] = ["Apple", "Baidu", "Facebook", "Google"];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
const CITIES: [&str; 10] = [
    "Phoenix",
    "Los Angeles",
    "San Francisco",
    "Boise",
    "Portland",
    "Bend",
    "Redmond",
    "Seattle",
    "Kent",
    "Cheyenne",
];
const FIRST_NAMES: [&str; 11] = [
    "Ada", "Ben", "Clara", "Dan", "Eva", "Finn", "Grace", "Hugo", "Iris", "Jon", "Kate",
];
const LAST_NAMES: [&str; 9] = [
    "Abrams", "Bartels", "Cho", "Drake", "Ember", "Franklin", "Gold", "Hart", "Ito",
];
const SITE: &str = "https://www.nexmark.com";
const ITEM: &str = "/item.htm?query=1&channel_id=";
const EMAIL_USER: usize = 7;
const EMAIL_HOST: usize = 5;
const CARD_BYTES: usize = 19;
const ITEM_NAME_BYTES: usize = 20;
const DESCRIPTION_BYTES: usize = 100;
const URL_FOLDER_BYTES: usize = 8;
const NUMBER_BYTES: usize = 8;
/// The column whose numbers say whether an event comes late; no event has so many.
const DELAY: u64 = 15;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// A whole number, or a time in milliseconds since 1970.
    Number,
    /// ASCII text.
    Text,
}

/// The columns of a kind, in the order of the tables.
#[must_use]
pub fn column_types(kind: Kind) -> &'static [ColumnType] {
    use ColumnType::{Number as N, Text as T};
    match kind {
        // id, name, emailAddress, creditCard, city, state, dateTime, extra
        Kind::Person => &[N, T, T, T, T, T, N, T],
        // id, itemName, description, initialBid, reserve, dateTime, expires, seller, category, extra
        Kind::Auction => &[N, T, T, N, N, N, N, N, N, T],
        // auction, bidder, price, channel, url, dateTime, extra
        Kind::Bid => &[N, N, N, T, T, N, T],
    }
}

/// One event, its columns yet to be asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LazyEvent<'a> {
    config: &'a GeneratorConfig,
    random: EventRandom,
    place: Place,
    kind: Kind,
}

/// The channel of a bid, which its URL names too.
enum Channel {
    Hot(usize),
    Other(u64),
}

// === impl LazyEvent ===

impl<'a> LazyEvent<'a> {
    #[inline]
    pub(crate) fn new(
        config: &'a GeneratorConfig,
        mixed_seed: u64,
        place: Place,
        kind: Kind,
    ) -> Self {
        Self {
            config,
            random: EventRandom::new(mixed_seed, place.number),
            place,
            kind,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// A column of type [`ColumnType::Number`].
    #[inline]
    pub(crate) fn number(&self, column: usize) -> i64 {
        match (self.kind, column) {
            (Kind::Person, 0) => FIRST_ID + self.place.newest_person(self.config),
            (Kind::Person, _) | (Kind::Auction | Kind::Bid, 5) => self.time_millis(),
            (Kind::Auction, 0) => FIRST_ID + self.place.newest_auction(self.config),
            (Kind::Auction, 3) => self.random.column(3).price(),
            (Kind::Auction, 4) => self.random.column(3).price() + self.random.column(4).price(),
            (Kind::Auction, 6) => self.time_millis() + 1 + self.open_millis(),
            (Kind::Auction, 7) => self.seller(),
            (Kind::Auction, _) => FIRST_CATEGORY + self.random.column(8).below(CATEGORIES) as i64,
            (Kind::Bid, 0) => self.auction(),
            (Kind::Bid, 1) => self.bidder(),
            (Kind::Bid, _) => self.random.column(2).price(),
        }
    }

    /// A column of type [`ColumnType::Text`].
    #[inline]
    pub(crate) fn text(&self, column: usize, out: &mut Text<'_>) {
        match (self.kind, column) {
            (Kind::Person, 1) => {
                let (first, last) = self.name();
                out.push_str(first);
                out.push(b' ');
                out.push_str(last);
            }
            (Kind::Person, 2) => {
                let mut random = self.random.column(2);
                out.push_letters(&mut random, EMAIL_USER);
                out.push(b'@');
                out.push_letters(&mut random, EMAIL_HOST);
                out.push_str(".com");
            }
            (Kind::Person, 3) => {
                let mut random = self.random.column(3);
                for i in 0..CARD_BYTES {
                    out.push(if i % 5 == 4 {
                        b' '
                    } else {
                        b'0' + random.below(10) as u8
                    });
                }
            }
            (Kind::Person, 4) => out.push_str(self.city()),
            (Kind::Person, 5) => out.push_str(self.state()),
            (Kind::Auction, 1) => out.push_letters(&mut self.random.column(1), ITEM_NAME_BYTES),
            (Kind::Auction, 2) => out.push_letters(&mut self.random.column(2), DESCRIPTION_BYTES),
            (Kind::Bid, 3) => match self.channel() {
                Channel::Hot(hot) => out.push_str(HOT_CHANNELS[hot]),
                Channel::Other(other) => {
                    out.push_str("channel-");
                    out.push_number(other);
                }
            },
            (Kind::Bid, 4) => self.url(out),
            _ => self.filler(out),
        }
    }

    fn time_millis(&self) -> i64 {
        let config = self.config;
        let time = config.base_time_millis + config.schedule.millis(self.place.number) as i64;
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

    /// How long the auction is open beyond the first millisecond: on average until as many new ones have come as are in flight together.
    fn open_millis(&self) -> i64 {
        let config = self.config;
        let sum = config.person_proportion + config.auction_proportion + config.bid_proportion;
        let events = config.in_flight_auctions * sum / config.auction_proportion;
        let number = self.place.number;
        let turnover = config.schedule.millis(number + events) - config.schedule.millis(number);
        self.random.column(6).below((2 * turnover).max(1)) as i64
    }

    fn seller(&self) -> i64 {
        let newest = self.place.newest_person(self.config);
        self.hot_or(
            7,
            self.config.hot_seller_ratio,
            newest,
            0,
            Self::active_person,
        )
    }

    fn auction(&self) -> i64 {
        let newest = self.place.newest_auction(self.config);
        self.hot_or(
            0,
            self.config.hot_auction_ratio,
            newest,
            0,
            Self::in_flight_auction,
        )
    }

    fn bidder(&self) -> i64 {
        let newest = self.place.newest_person(self.config);
        // One apart from the hot seller, so that few bid on their own auctions.
        self.hot_or(
            1,
            self.config.hot_bidder_ratio,
            newest,
            1,
            Self::active_person,
        )
    }

    /// The identifier of the hot one, or in one case of `ratio` the start and length of a range to draw from.
    #[inline]
    fn hot_or(
        &self,
        column: u64,
        ratio: u64,
        newest: i64,
        apart: i64,
        others: impl Fn(&Self, i64) -> (i64, i64),
    ) -> i64 {
        let mut random = self.random.column(column);
        FIRST_ID
            + if random.below(ratio) > 0 {
                newest / HOT_INTERVAL * HOT_INTERVAL + apart
            } else {
                let (first, count) = others(self, newest);
                first + random.below(count as u64) as i64
            }
    }

    /// The newest persons and the next to come.
    fn active_person(&self, newest: i64) -> (i64, i64) {
        let people = newest + 1;
        let active = people.min(self.config.active_people as i64);
        (people - active, active + LEAD)
    }

    /// The newest auctions and the next to come.
    fn in_flight_auction(&self, newest: i64) -> (i64, i64) {
        let oldest = (newest - self.config.in_flight_auctions as i64).max(0);
        (oldest, newest - oldest + 1 + LEAD)
    }

    fn name(&self) -> (&'static str, &'static str) {
        let mut random = self.random.column(1);
        let first = FIRST_NAMES[random.below(FIRST_NAMES.len() as u64) as usize];
        (
            first,
            LAST_NAMES[random.below(LAST_NAMES.len() as u64) as usize],
        )
    }

    fn city(&self) -> &'static str {
        CITIES[self.random.column(4).below(CITIES.len() as u64) as usize]
    }

    fn state(&self) -> &'static str {
        STATES[self.random.column(5).below(STATES.len() as u64) as usize]
    }

    #[inline]
    fn channel(&self) -> Channel {
        let choice = self.random.column(3).below(2 * OTHER_CHANNELS);
        if choice >= OTHER_CHANNELS {
            Channel::Hot(choice as usize % HOT_CHANNELS.len())
        } else {
            Channel::Other(choice)
        }
    }

    #[inline]
    fn url(&self, out: &mut Text<'_>) {
        out.push_str(SITE);
        match self.channel() {
            Channel::Hot(hot) => {
                out.push_str(ITEM);
                out.push_number(hot as u64);
            }
            Channel::Other(other) => {
                let mut random = self.random.column(3);
                // Past the number that chose the channel.
                random.bits();
                out.push(b'/');
                out.push_letters(&mut random, URL_FOLDER_BYTES);
                out.push_str(ITEM);
                out.push_number(other);
            }
        }
    }

    /// Fills up to the wanted mean size, give or take a fifth of what is missing.
    #[inline]
    fn filler(&self, out: &mut Text<'_>) {
        let config = self.config;
        let (wanted, present, column) = match self.kind {
            Kind::Person => (config.person_bytes, self.person_bytes(), 7),
            Kind::Auction => (
                config.auction_bytes,
                7 * NUMBER_BYTES + ITEM_NAME_BYTES + DESCRIPTION_BYTES,
                9,
            ),
            Kind::Bid => (config.bid_bytes, self.bid_bytes(), 6),
        };
        let missing = wanted.saturating_sub(present as u64);
        let spread = missing / 5;
        let mut random = self.random.column(column);
        let count = missing - spread + random.below(2 * spread + 1);
        out.push_letters(&mut random, count as usize);
    }

    fn person_bytes(&self) -> usize {
        let (first, last) = self.name();
        let name = first.len() + 1 + last.len();
        let email = EMAIL_USER + 1 + EMAIL_HOST + ".com".len();
        2 * NUMBER_BYTES + name + email + CARD_BYTES + self.city().len() + self.state().len()
    }

    #[inline]
    fn bid_bytes(&self) -> usize {
        4 * NUMBER_BYTES
            + SITE.len()
            + ITEM.len()
            + match self.channel() {
                Channel::Hot(hot) => HOT_CHANNELS[hot].len() + 1,
                Channel::Other(other) => {
                    let digits = 1
                        + usize::from(other >= 10)
                        + usize::from(other >= 100)
                        + usize::from(other >= 1000);
                    "channel-".len() + digits + 1 + URL_FOLDER_BYTES + digits
                }
            }
    }
}

/// Bytes of the longest text that a kind has, its filler apart.
pub(crate) const LONGEST_TEXT: usize = DESCRIPTION_BYTES;

/// Bytes of the longest filler.
pub(crate) fn longest_filler(config: &GeneratorConfig, kind: Kind) -> usize {
    let wanted = match kind {
        Kind::Person => config.person_bytes,
        Kind::Auction => config.auction_bytes,
        Kind::Bid => config.bid_bytes,
    };
    (wanted + wanted / 5 + 1) as usize
}
