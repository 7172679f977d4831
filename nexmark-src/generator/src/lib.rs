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
//! | `clock` | when events that follow each other happen |
//! | `columns`, `texts`, `words` | the value of every column, text as words of eight letters |
//! | `binary_row`, [`row_plan`], [`batch`] | events as rows of Flink's binary format, with the columns that are asked for, many at once |
//! | [`event`] | a whole event, for those who like it comfortable |
//!
//! # Limitations
//!
//! With events out of order the last group of a bounded stream may lack some events and have later ones instead, unless the number of
//! events is a multiple of the group's size.
#![forbid(unsafe_code)]

pub mod batch;
mod binary_row;
mod clock;
mod columns;
pub mod config;
pub mod event;
pub mod numbering;
pub mod random;
pub mod row_plan;
pub mod schedule;
mod texts;
mod words;

pub use batch::{Batch, RowGenerator, Stretch};
pub use config::{GeneratorConfig, InvalidConfig};
pub use event::{Auction, Bid, Event, Events, Person};
pub use numbering::Kind;
pub use row_plan::{Column, RowPlan, UnknownColumn};
pub use schedule::{InvalidSchedule, RateSchedule};
