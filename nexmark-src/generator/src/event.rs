//! A whole event with named fields and text of its own, for those who like it comfortable: exports, tests.

use crate::batch::{ROW_HEADER, RowGenerator, Stretch};
use crate::config::{GeneratorConfig, InvalidConfig};
use crate::numbering::Kind;
use crate::row_plan::{Column, RowPlan};
use crate::words::WORD;

/// Makes whole events one after the other, out of the rows that others get.
#[derive(Debug)]
pub struct Events {
    rows: RowGenerator,
    buffer: Vec<u8>,
    /// Of the next row's header in the buffer; at the limit there is none.
    offset: usize,
    limit: usize,
    position: u64,
    end: u64,
}

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

// === impl Events ===

/// The buffer has room for so many of the longest rows.
const ROWS_PER_BATCH: usize = 64;

impl Events {
    /// Those from one position up to but not including another.
    pub fn new(config: GeneratorConfig, from: u64, to: u64) -> Result<Self, InvalidConfig> {
        let mut columns = vec![Column::EventType];
        columns.extend(Kind::ALL.map(Column::Whole));
        let rows = RowGenerator::new(config, RowPlan::new(columns), None)?;
        Ok(Self {
            buffer: vec![0; ROWS_PER_BATCH * rows.least_buffer_bytes()],
            rows,
            offset: 0,
            limit: 0,
            position: from,
            end: to,
        })
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.offset == self.limit {
            if self.position >= self.end {
                return None;
            }
            let stretch = Stretch {
                from: self.position,
                to: self.end,
                splits: &[true],
            };
            let batch = self.rows.fill(stretch, &mut self.buffer);
            self.position = batch.position;
            self.offset = 0;
            self.limit = batch.bytes;
        }
        let header = &self.buffer[self.offset..];
        let row = &header[ROW_HEADER..ROW_HEADER + word(header, WORD) as usize];
        self.offset += ROW_HEADER + row.len();
        Some(Event::read(row))
    }
}

// === impl Event ===

impl Event {
    /// The event in a row of its kind and of persons, auctions and bids as a whole.
    fn read(row: &[u8]) -> Self {
        // One word of header, then the kind and the three kinds' rows.
        let kind = Kind::ALL[word(row, WORD) as usize];
        let reference = word(row, (2 + kind as usize) * WORD);
        let row = &row[(reference >> 32) as usize..];
        let number = |column: usize| word(row, (1 + column) * WORD) as i64;
        let text = |column: usize| text(row, (1 + column) * WORD);
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

fn text(row: &[u8], at: usize) -> String {
    let field = word(row, at);
    let inline = (field >> 56) as usize;
    let letters = if inline & 0x80 > 0 {
        &row[at..at + (inline & 0x7F)]
    } else {
        let start = (field >> 32) as usize;
        &row[start..start + (field & 0xFFFF_FFFF) as usize]
    };
    letters.iter().copied().map(char::from).collect()
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; WORD];
    word.copy_from_slice(&bytes[at..at + WORD]);
    u64::from_le_bytes(word)
}
