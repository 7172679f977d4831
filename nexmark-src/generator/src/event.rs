//! A whole event with named fields and text of its own, for those who like it comfortable: exports, tests.

use crate::columns::{LONGEST_TEXT, LazyEvent, longest_filler};
use crate::config::GeneratorConfig;
use crate::numbering::{Kind, Place};
use crate::random::mix;
use crate::text::{SLACK, Text};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// A person registers.
    Person(Person),
    /// An auction is opened.
    Auction(Auction),
    /// A bid is made.
    Bid(Bid),
}

/// A person who may bid and sell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the columns of the table")]
pub struct Person {
    pub id: i64,
    pub name: String,
    pub email_address: String,
    pub credit_card: String,
    pub city: String,
    pub state: String,
    /// Milliseconds since 1970, as every time here.
    pub date_time: i64,
    pub extra: String,
}

/// Something for sale.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the columns of the table")]
pub struct Auction {
    pub id: i64,
    pub item_name: String,
    pub description: String,
    pub initial_bid: i64,
    pub reserve: i64,
    pub date_time: i64,
    pub expires: i64,
    pub seller: i64,
    pub category: i64,
    pub extra: String,
}

/// An offer for an auction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the columns of the table")]
pub struct Bid {
    pub auction: i64,
    pub bidder: i64,
    pub price: i64,
    pub channel: String,
    pub url: String,
    pub date_time: i64,
    pub extra: String,
}

// === impl Event ===

impl Event {
    /// The event at a position.
    #[must_use]
    pub fn at(position: u64, config: &GeneratorConfig) -> Self {
        let place = Place::at(position, config);
        let kind = place.kind(config);
        let event = LazyEvent::new(config, mix(config.seed as u64), place, kind);
        let number = |column| event.number(column);
        let text = |column| text(&event, config, column);
        match kind {
            Kind::Person => Self::Person(Person {
                id: number(0),
                name: text(1),
                email_address: text(2),
                credit_card: text(3),
                city: text(4),
                state: text(5),
                date_time: number(6),
                extra: text(7),
            }),
            Kind::Auction => Self::Auction(Auction {
                id: number(0),
                item_name: text(1),
                description: text(2),
                initial_bid: number(3),
                reserve: number(4),
                date_time: number(5),
                expires: number(6),
                seller: number(7),
                category: number(8),
                extra: text(9),
            }),
            Kind::Bid => Self::Bid(Bid {
                auction: number(0),
                bidder: number(1),
                price: number(2),
                channel: text(3),
                url: text(4),
                date_time: number(5),
                extra: text(6),
            }),
        }
    }
}

fn text(event: &LazyEvent<'_>, config: &GeneratorConfig, column: usize) -> String {
    let mut bytes = vec![0; LONGEST_TEXT.max(longest_filler(config, event.kind())) + SLACK];
    let mut text = Text::new(&mut bytes);
    event.text(column, &mut text);
    let len = text.len();
    bytes.truncate(len);
    bytes.into_iter().map(char::from).collect()
}
