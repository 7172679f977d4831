//! Many events at once, as rows one after the other in a buffer.
//!
//! Before each row stand its event's position (eight bytes) and its length (four bytes, then four of nothing), little-endian; rows begin at
//! multiples of eight.

use crate::clock::Clock;
use crate::columns::LazyEvent;
use crate::config::{GeneratorConfig, InvalidConfig};
use crate::numbering::{Kind, Place};
use crate::random::mix;
use crate::row_plan::RowPlan;

/// Bytes before each row.
pub const ROW_HEADER: usize = 16;

/// Makes rows of events.
#[derive(Debug, Clone)]
pub struct RowGenerator {
    config: GeneratorConfig,
    plan: RowPlan,
    only: Option<Kind>,
    mixed_seed: u64,
    longest_row: usize,
}

/// Which positions to make rows of.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'a> {
    /// First position.
    pub from: u64,
    /// First position that is no longer part of it.
    pub to: u64,
    /// Only positions whose remainder, of as many as this is long, is true here. Not empty.
    pub splits: &'a [bool],
}

/// What was put into a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Number of rows.
    pub rows: usize,
    /// Bytes of them, headers included.
    pub bytes: usize,
    /// All rows of the stretch before this position are in this or an earlier batch.
    pub position: u64,
}

// === impl RowGenerator ===

impl RowGenerator {
    /// Of events of one kind, or of all.
    pub fn new(
        config: GeneratorConfig,
        plan: RowPlan,
        only: Option<Kind>,
    ) -> Result<Self, InvalidConfig> {
        config.check()?;
        let mixed_seed = mix(config.seed as u64);
        let longest_row = plan.longest_row(&config).next_multiple_of(8) + ROW_HEADER;
        Ok(Self {
            config,
            plan,
            only,
            mixed_seed,
            longest_row,
        })
    }

    /// A buffer must have room for at least so many bytes; one of many times that is filled well.
    #[must_use]
    pub fn least_buffer_bytes(&self) -> usize {
        self.longest_row
    }

    /// Fills a buffer with rows from the beginning of a stretch on, as many as there are or as have room. A buffer that is shorter than
    /// [`RowGenerator::least_buffer_bytes`] gets none.
    pub fn fill(&self, stretch: Stretch<'_>, buffer: &mut [u8]) -> Batch {
        let mut batch = Batch {
            rows: 0,
            bytes: 0,
            position: stretch.from,
        };
        let splits = stretch.splits;
        let mut place = Place::at(stretch.from, &self.config);
        let mut clock = Clock::at(place.number, &self.config.schedule);
        let in_order = self.config.out_of_order_group == 1;
        let mut split = (stretch.from % splits.len() as u64) as usize;
        while batch.position < stretch.to {
            let kind = place.kind(&self.config);
            if splits[split] && self.only.is_none_or(|only| only == kind) {
                let room = &mut buffer[batch.bytes..];
                if room.len() < self.longest_row {
                    break;
                }
                let event = LazyEvent::new(
                    &self.config,
                    self.mixed_seed,
                    place,
                    kind,
                    clock.millis(),
                    self.plan.needs_channel(),
                );
                let (header, row) = room.split_at_mut(ROW_HEADER);
                let length = self.plan.write(&event, row);
                header[..8].copy_from_slice(&batch.position.to_le_bytes());
                header[8..].copy_from_slice(&(length as u64).to_le_bytes());
                batch.bytes += ROW_HEADER + length;
                batch.rows += 1;
            }
            place = place.next(batch.position, &self.config);
            if in_order {
                clock.advance(place.number, &self.config.schedule);
            } else {
                clock = Clock::at(place.number, &self.config.schedule);
            }
            batch.position += 1;
            split = if split + 1 == splits.len() {
                0
            } else {
                split + 1
            };
        }
        batch
    }
}
