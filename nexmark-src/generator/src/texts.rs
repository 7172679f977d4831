//! The text in the columns, written straight into a row.

use std::hint::select_unpredictable;

use crate::binary_row::RowWriter;
use crate::columns::{Field, LazyEvent};
use crate::config::GeneratorConfig;
use crate::numbering::Kind;
use crate::random::EventRandom;
use crate::words::{WORD, Words, decimal, first_letters};

const OTHER_CHANNELS: u64 = 10_000;
const HOT_CHANNELS: [Words<1>; 4] = [
    Words::of("Apple"),
    Words::of("Baidu"),
    Words::of("Facebook"),
    Words::of("Google"),
];
const STATES: [Words<1>; 6] = [
    Words::of("AZ"),
    Words::of("CA"),
    Words::of("ID"),
    Words::of("OR"),
    Words::of("WA"),
    Words::of("WY"),
];
static CITIES: [Words<2>; 10] = [
    Words::of("Phoenix"),
    Words::of("Los Angeles"),
    Words::of("San Francisco"),
    Words::of("Boise"),
    Words::of("Portland"),
    Words::of("Bend"),
    Words::of("Redmond"),
    Words::of("Seattle"),
    Words::of("Kent"),
    Words::of("Cheyenne"),
];
const FIRST_NAMES: [&str; 11] = [
    "Ada", "Ben", "Clara", "Dan", "Eva", "Finn", "Grace", "Hugo", "Iris", "Jon", "Kate",
];
const LAST_NAMES: [&str; 9] = [
    "Abrams", "Bartels", "Cho", "Drake", "Ember", "Franklin", "Gold", "Hart", "Ito",
];
/// Every first name with every last name.
static NAMES: [[Words<2>; LAST_NAMES.len()]; FIRST_NAMES.len()] = {
    let mut names = [[Words::EMPTY; LAST_NAMES.len()]; FIRST_NAMES.len()];
    let mut first = 0;
    while first < FIRST_NAMES.len() {
        let mut last = 0;
        while last < LAST_NAMES.len() {
            names[first][last] = Words::of(FIRST_NAMES[first])
                .with(" ")
                .with(LAST_NAMES[last]);
            last += 1;
        }
        first += 1;
    }
    names
};
const CHANNEL: Words<1> = Words::of("channel-");
const SITE: &str = "https://www.nexmark.com";
const ITEM: &str = "/item.htm?query=1&channel_id=";
/// The URL of a hot channel, all but its number.
const HOT_URL: Words<9> = Words::of(SITE).with(ITEM);
/// That of another, all but its number; the folder's eight letters are the fourth word.
const OTHER_URL: Words<9> = Words::of(SITE)
    .with("/")
    .with("\0\0\0\0\0\0\0\0")
    .with(ITEM);

const EMAIL_BYTES: usize = 17;
const EMAIL_USER_BYTES: usize = 7;
const EMAIL_HOST_BYTES: usize = 5;
const CARD_BYTES: usize = 19;
const ITEM_NAME_BYTES: usize = 20;
const DESCRIPTION_BYTES: usize = 100;
const NUMBER_BYTES: usize = 8;

/// The channel of a bid, which its URL names too. Every second is hot, which no processor can foresee: instead of branches, what either
/// would write is worked out and one of both taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channel {
    is_hot: bool,
    /// Of a hot one which; of another its number.
    number: u64,
    /// The same in decimal, and how many digits those are.
    digits: u64,
    digit_count: usize,
    /// The letters of the URL's folder.
    folder: u64,
}

/// Bytes that a column needs at most behind a row's columns while it is written.
pub(crate) fn most_bytes(field: Field, kind: Kind, config: &GeneratorConfig) -> usize {
    let words = match field {
        Field::Name | Field::City | Field::Channel => 2,
        Field::EmailAddress | Field::CreditCard | Field::ItemName => 3,
        Field::Description => DESCRIPTION_BYTES.div_ceil(WORD),
        Field::Url => OTHER_URL.words.len(),
        Field::Extra => {
            let wanted = wanted_bytes(kind, config);
            // Two words are written of a text that is shorter, too.
            ((wanted + wanted / 5 + 1) as usize).div_ceil(WORD).max(2)
        }
        _ => 0,
    };
    words * WORD
}

fn wanted_bytes(kind: Kind, config: &GeneratorConfig) -> u64 {
    match kind {
        Kind::Person => config.person_bytes,
        Kind::Auction => config.auction_bytes,
        Kind::Bid => config.bid_bytes,
    }
}

// === impl LazyEvent ===

impl LazyEvent<'_> {
    pub(crate) fn name(&self, row: &mut RowWriter<'_>, at: usize) {
        row.put_text(at, self.full_name());
    }

    fn full_name(&self) -> &'static Words<2> {
        let mut random = self.random.column(1);
        let first = random.below(FIRST_NAMES.len() as u64) as usize;
        &NAMES[first][random.below(LAST_NAMES.len() as u64) as usize]
    }

    pub(crate) fn email_address(&self, row: &mut RowWriter<'_>, at: usize) {
        let mut random = self.random.column(2);
        let user = first_letters(random.eight_letters(), EMAIL_USER_BYTES);
        let host = first_letters(random.eight_letters(), EMAIL_HOST_BYTES);
        let [com, rest] = Words::<2>::of("\0\0\0\0\0.com").words;
        let email = [user | u64::from(b'@') << 56, host | com, rest];
        row.put_words(at, &email, EMAIL_BYTES);
    }

    pub(crate) fn credit_card(&self, row: &mut RowWriter<'_>, at: usize) {
        let mut random = self.random.column(3);
        let mut words = [0; CARD_BYTES.div_ceil(WORD)];
        for i in 0..CARD_BYTES {
            let letter = if i % 5 == 4 {
                u64::from(b' ')
            } else {
                u64::from(b'0') + random.below(10)
            };
            words[i / WORD] |= letter << (8 * (i % WORD));
        }
        row.put_words(at, &words, CARD_BYTES);
    }

    pub(crate) fn city(&self, row: &mut RowWriter<'_>, at: usize) {
        row.put_text(at, self.city_name());
    }

    fn city_name(&self) -> &'static Words<2> {
        &CITIES[self.random.column(4).below(CITIES.len() as u64) as usize]
    }

    pub(crate) fn state(&self, row: &mut RowWriter<'_>, at: usize) {
        row.put_text(at, &STATES[self.state_index()]);
    }

    fn state_index(&self) -> usize {
        self.random.column(5).below(STATES.len() as u64) as usize
    }

    pub(crate) fn item_name(&self, row: &mut RowWriter<'_>, at: usize) {
        row.put_letters(at, &mut self.random.column(1), ITEM_NAME_BYTES);
    }

    pub(crate) fn description(&self, row: &mut RowWriter<'_>, at: usize) {
        row.put_letters(at, &mut self.random.column(2), DESCRIPTION_BYTES);
    }

    #[inline]
    pub(crate) fn channel(&self, row: &mut RowWriter<'_>, at: usize) {
        let channel = self.channel;
        let hot = &HOT_CHANNELS[channel.number as usize % HOT_CHANNELS.len()];
        let words = [
            channel.either(hot.words[0], CHANNEL.words[0]),
            channel.either(0, channel.digits),
        ];
        row.put_short(at, words, channel.name_bytes());
    }

    #[inline]
    pub(crate) fn url(&self, row: &mut RowWriter<'_>, at: usize) {
        const HOT: [u64; 9] = HOT_URL.words;
        const OTHER: [u64; 9] = OTHER_URL.words;
        const HOT_TAIL: usize = HOT_URL.len / WORD;
        const OTHER_TAIL: usize = OTHER_URL.len / WORD;
        let channel = self.channel;
        let hot_digits = channel.digits << (8 * (HOT_URL.len % WORD));
        let split = 8 * (OTHER_URL.len % WORD);
        let mut words = [0; 9];
        // Unrolled: all but the channel is constant.
        for i in 0..words.len() {
            let hot = if i == HOT_TAIL {
                HOT[i] | hot_digits
            } else {
                HOT[i]
            };
            let other = match i {
                3 => channel.folder,
                OTHER_TAIL => OTHER[i] | channel.digits << split,
                8 => channel.digits >> (64 - split),
                _ => OTHER[i],
            };
            words[i] = channel.either(hot, other);
        }
        row.put_words(at, &words, channel.url_bytes());
    }

    /// Fills up to the wanted mean size, give or take a fifth of what is missing.
    #[inline]
    pub(crate) fn extra(&self, row: &mut RowWriter<'_>, at: usize) {
        let (present, column) = match self.kind {
            Kind::Person => (self.person_bytes(), 7),
            Kind::Auction => (7 * NUMBER_BYTES + ITEM_NAME_BYTES + DESCRIPTION_BYTES, 9),
            Kind::Bid => (self.bid_bytes(), 6),
        };
        let missing = wanted_bytes(self.kind, self.config).saturating_sub(present as u64);
        let spread = missing / 5;
        let mut random = self.random.column(column);
        let count = (missing - spread + random.below(2 * spread + 1)) as usize;
        if count <= 2 * WORD {
            // Whether it is short enough to lie in the column itself cannot be foreseen for bids.
            let words = [random.eight_letters(), random.eight_letters()];
            let words = [
                first_letters(words[0], count),
                first_letters(words[1], count.saturating_sub(WORD)),
            ];
            row.put_short(at, words, count);
        } else {
            row.put_letters(at, &mut random, count);
        }
    }

    fn person_bytes(&self) -> usize {
        2 * NUMBER_BYTES
            + self.full_name().len
            + EMAIL_BYTES
            + CARD_BYTES
            + self.city_name().len
            + STATES[self.state_index()].len
    }

    #[inline]
    fn bid_bytes(&self) -> usize {
        4 * NUMBER_BYTES + self.channel.name_bytes() + self.channel.url_bytes()
    }
}

// === impl Channel ===

impl Channel {
    /// Of an event that nobody asks for its channel.
    pub(crate) const UNKNOWN: Self = Self {
        is_hot: true,
        number: 0,
        digits: b'0' as u64,
        digit_count: 1,
        folder: 0,
    };

    /// Of a bid.
    #[inline]
    pub(crate) fn of(event: EventRandom) -> Self {
        let mut random = event.column(3);
        let choice = random.below(2 * OTHER_CHANNELS);
        let is_hot = choice >= OTHER_CHANNELS;
        let hot = choice % HOT_CHANNELS.len() as u64;
        let number = select_unpredictable(is_hot, hot, choice);
        let (digits, digit_count) = decimal(number);
        Self {
            is_hot,
            number,
            digits,
            digit_count,
            folder: random.eight_letters(),
        }
    }

    #[inline]
    fn either<T>(self, hot: T, other: T) -> T {
        select_unpredictable(self.is_hot, hot, other)
    }

    #[inline]
    fn name_bytes(self) -> usize {
        let hot = HOT_CHANNELS[self.number as usize % HOT_CHANNELS.len()].len;
        self.either(hot, CHANNEL.len + self.digit_count)
    }

    #[inline]
    fn url_bytes(self) -> usize {
        self.either(HOT_URL.len, OTHER_URL.len) + self.digit_count
    }
}
