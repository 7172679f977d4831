//! Which columns of the event stream rows have, worked out beforehand as steps for each kind of event.

use thiserror::Error;

use crate::binary_row::{HEADER_BITS, RowWriter, header_bytes};
use crate::columns::{Field, LazyEvent};
use crate::config::GeneratorConfig;
use crate::numbering::Kind;
use crate::texts::most_bytes;
use crate::words::WORD;

/// A column of the event stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The kind of the event, an INT.
    EventType,
    /// All columns of a kind as one row; null in events of other kinds.
    Whole(Kind),
    /// One column of a kind; null in events of other kinds.
    Of(Kind, usize),
}

/// There is no such column.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the event stream has no column at {0:?}; expected [0], [1..3], or [1..3, column of the kind]"
)]
pub struct UnknownColumn(pub Vec<usize>);

/// See the [module](self).
#[derive(Debug, Clone)]
pub struct RowPlan {
    columns: Vec<Column>,
    /// Bytes of a row's header and columns.
    fixed_bytes: usize,
    steps: [Vec<Step>; 3],
    /// Whether a column depends on a bid's channel.
    needs_channel: bool,
}

/// Something to write; offsets count from the beginning of the row.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Eight bytes that are always the same: a header, the kind, nothing.
    Word { at: usize, word: u64 },
    /// A column.
    Field { at: usize, field: Field },
    /// All columns as a row within the row.
    Inner { at: usize },
}

// === impl Column ===

impl Column {
    /// Of a path into the event stream's schema: `[0]` the kind, `[3]` the whole bid, `[3, 2]` its price.
    pub fn of_path(path: &[usize]) -> Result<Self, UnknownColumn> {
        let kind = |column: usize| {
            column
                .checked_sub(1)
                .and_then(|kind| Kind::ALL.get(kind).copied())
        };
        match *path {
            [0] => Some(Self::EventType),
            [column] => kind(column).map(Self::Whole),
            [column, of] => kind(column)
                .filter(|&kind| of < Field::of(kind).len())
                .map(|kind| Self::Of(kind, of)),
            _ => None,
        }
        .ok_or_else(|| UnknownColumn(path.to_vec()))
    }

    fn is_of(self, kind: Kind) -> bool {
        match self {
            Self::EventType => true,
            Self::Whole(of) | Self::Of(of, _) => of == kind,
        }
    }
}

// === impl RowPlan ===

impl RowPlan {
    /// A plan for rows of these columns.
    ///
    /// # Panics
    ///
    /// If a kind has no column of that number; [`Column::of_path`] makes none of these.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        Self {
            fixed_bytes: header_bytes(columns.len()) + columns.len() * WORD,
            steps: Kind::ALL.map(|kind| steps(&columns, kind)),
            needs_channel: columns.iter().any(|column| match *column {
                Column::Whole(Kind::Bid) => true,
                Column::Of(Kind::Bid, column) => matches!(
                    Field::of(Kind::Bid)[column],
                    Field::Channel | Field::Url | Field::Extra
                ),
                _ => false,
            }),
            columns,
        }
    }

    #[inline]
    pub(crate) fn needs_channel(&self) -> bool {
        self.needs_channel
    }

    /// No row is longer, and none needs more room while it is written.
    #[must_use]
    pub fn longest_row(&self, config: &GeneratorConfig) -> usize {
        let variable: usize = self
            .columns
            .iter()
            .map(|column| match *column {
                Column::EventType => 0,
                Column::Of(kind, column) => most_bytes(Field::of(kind)[column], kind, config),
                Column::Whole(kind) => {
                    let texts = Field::of(kind)
                        .iter()
                        .map(|&field| most_bytes(field, kind, config));
                    inner_fixed_bytes(kind) + texts.sum::<usize>()
                }
            })
            .sum();
        self.fixed_bytes + variable
    }

    /// Writes the row of an event to the beginning of a slice that is at least [`RowPlan::longest_row`] long; returns the row's length.
    #[inline]
    pub(crate) fn write(&self, event: &LazyEvent<'_>, out: &mut [u8]) -> usize {
        let mut row = RowWriter::new(out, self.fixed_bytes);
        for &step in &self.steps[event.kind as usize] {
            match step {
                Step::Word { at, word } => row.put(at, word),
                Step::Field { at, field } => write_field(event, field, &mut row, at),
                Step::Inner { at } => match event.kind {
                    Kind::Person => write_inner(event, Kind::Person, &mut row, at),
                    Kind::Auction => write_inner(event, Kind::Auction, &mut row, at),
                    Kind::Bid => write_inner(event, Kind::Bid, &mut row, at),
                },
            }
        }
        row.end()
    }
}

fn steps(columns: &[Column], kind: Kind) -> Vec<Step> {
    let header = header_bytes(columns.len());
    let mut nulls = vec![0; header / WORD];
    for (i, column) in columns.iter().enumerate() {
        if !column.is_of(kind) {
            let bit = i + HEADER_BITS;
            nulls[bit / 64] |= 1 << (bit % 64);
        }
    }
    let mut steps: Vec<Step> = (0..)
        .step_by(WORD)
        .zip(nulls)
        .map(|(at, word)| Step::Word { at, word })
        .collect();
    for (i, column) in columns.iter().enumerate() {
        let at = header + i * WORD;
        steps.push(match *column {
            Column::EventType => Step::Word {
                at,
                word: kind as u64,
            },
            Column::Of(of, column) if of == kind => Step::Field {
                at,
                field: Field::of(kind)[column],
            },
            Column::Whole(of) if of == kind => Step::Inner { at },
            Column::Of(..) | Column::Whole(_) => Step::Word { at, word: 0 },
        });
    }
    steps
}

fn inner_fixed_bytes(kind: Kind) -> usize {
    let columns = Field::of(kind).len();
    header_bytes(columns) + columns * WORD
}

/// Writes all columns; called with a constant kind, so that the compiler lays them out one after the other.
#[inline(always)]
fn write_inner(event: &LazyEvent<'_>, kind: Kind, row: &mut RowWriter<'_>, at: usize) {
    let fields = Field::of(kind);
    let header = header_bytes(fields.len());
    let start = row.begin_inner(inner_fixed_bytes(kind));
    row.put(0, 0);
    for (i, &field) in fields.iter().enumerate() {
        write_field(event, field, row, header + i * WORD);
    }
    row.end_inner(at, start);
}

#[inline(always)]
fn write_field(event: &LazyEvent<'_>, field: Field, row: &mut RowWriter<'_>, at: usize) {
    let number = match field {
        Field::PersonId => event.person_id(),
        Field::AuctionId => event.auction_id(),
        Field::InitialBid => event.initial_bid(),
        Field::Reserve => event.reserve(),
        Field::Expires => event.expires(),
        Field::Seller => event.seller(),
        Field::Category => event.category(),
        Field::BidAuction => event.bid_auction(),
        Field::Bidder => event.bidder(),
        Field::Price => event.price(),
        Field::DateTime => event.date_time(),
        Field::Name => return event.name(row, at),
        Field::EmailAddress => return event.email_address(row, at),
        Field::CreditCard => return event.credit_card(row, at),
        Field::City => return event.city(row, at),
        Field::State => return event.state(row, at),
        Field::ItemName => return event.item_name(row, at),
        Field::Description => return event.description(row, at),
        Field::Channel => return event.channel(row, at),
        Field::Url => return event.url(row, at),
        Field::Extra => return event.extra(row, at),
    };
    row.put(at, number as u64);
}
