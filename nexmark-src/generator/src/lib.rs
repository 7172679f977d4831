//! The events of Nexmark, an online auction house: persons register, open auctions and bid ("NEXMark: a benchmark for queries over data
//! streams", Tucker, Tufte, Papadimos, Maier).
//!
//! An event is a function of the configuration and its position alone, so any split of the stream gives the same events, and a
//! consumer that is restored at a position goes on where it was. A column is a function of the event alone, so those that nobody reads
//! are not made.
//!
//! | file | what |
//! |---|---|
//! | [`config`] | proportions, sizes, hot ratios, order: all that shapes the events |
//! | [`schedule`] | how many events are due by when |
//! | [`random`] | the random numbers of a column |
//! | [`numbering`] | which kind an event is, and which persons and auctions exist by then |
//! | [`columns`] | the value of every column |
//! | [`event`] | a whole event, for those who like it comfortable |
//! | [`binary_row`], [`batch`] | events as rows of Flink's binary format, many at once |
//!
//! # Limitations
//!
//! With events out of order the last group of a bounded stream may lack some events and have later ones instead, unless the number of
//! events is a multiple of the group's size.
#![forbid(unsafe_code)]

pub mod batch;
pub mod binary_row;
pub mod columns;
pub mod config;
pub mod event;
pub mod numbering;
pub mod random;
pub mod schedule;
mod text;

pub use batch::{Batch, RowGenerator, Stretch};
pub use binary_row::{Column, RowPlan, UnknownColumn};
pub use config::{GeneratorConfig, InvalidConfig};
pub use event::{Auction, Bid, Event, Person};
pub use numbering::Kind;
pub use schedule::{InvalidSchedule, RateSchedule};
