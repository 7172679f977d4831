//! A timeline cut into intervals of the same width.

use serde::Serialize;

use super::timeline::{Levels, Timeline};

/// Where the intervals lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Intervals {
    /// Microseconds since 1970.
    pub(super) start_micros: u64,
    pub(super) end_micros: u64,
    /// Not zero.
    pub(super) width_micros: u64,
}

/// What happened within an interval. Flushes and compactions count where they end.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Row {
    /// Since the first line of all logs.
    pub(super) from_seconds: f64,
    pub(super) flushes: u64,
    /// Written by flushes.
    pub(super) flushed_bytes: u64,
    pub(super) compactions: u64,
    /// Read by compactions.
    pub(super) read_bytes: u64,
    /// Written by compactions.
    pub(super) written_bytes: u64,
    /// Written to files for each byte that was flushed; not known without a flush.
    pub(super) write_amplification: Option<f64>,
    /// Time in which compactions ran, added up over those that ran at the same time.
    pub(super) compacting_seconds: f64,
    pub(super) write_stops: u64,
    pub(super) write_slowdowns: u64,
    /// At the end of the interval.
    pub(super) levels: Levels,
}

// === impl Intervals ===

impl Intervals {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        let span = self.end_micros - self.start_micros;
        (span / self.width_micros) as usize + 1
    }

    /// Cuts the timeline.
    pub(super) fn cut(&self, timeline: &Timeline) -> Vec<Row> {
        let mut rows: Vec<Row> = (0..self.count() as u64)
            .map(|number| Row {
                from_seconds: (number * self.width_micros) as f64 / 1e6,
                ..Row::default()
            })
            .collect();
        for flush in &timeline.flushes {
            if let Some(finished) = flush.finished_micros {
                let row = &mut rows[self.place(finished)];
                row.flushes += 1;
                row.flushed_bytes = row.flushed_bytes.saturating_add(flush.written_bytes);
            }
        }
        for compaction in &timeline.compactions {
            let Some(finished) = compaction.finished_micros else {
                continue;
            };
            let row = &mut rows[self.place(finished)];
            row.compactions += 1;
            row.read_bytes = row.read_bytes.saturating_add(compaction.read_bytes);
            row.written_bytes = row.written_bytes.saturating_add(compaction.written_bytes);
            self.run(compaction.started_micros, finished, &mut rows);
        }
        for stall in &timeline.stalls {
            let row = &mut rows[self.place(stall.at_micros)];
            if stall.stop {
                row.write_stops += 1;
            } else {
                row.write_slowdowns += 1;
            }
        }
        for row in &mut rows {
            row.write_amplification = write_amplification(row.flushed_bytes, row.written_bytes);
        }
        self.shape(timeline, &mut rows);
        rows
    }

    /// Spreads the time that a compaction took over the intervals in which it ran.
    fn run(&self, started: u64, finished: u64, rows: &mut [Row]) {
        let (first, last) = (self.place(started), self.place(finished));
        let ran_in = rows.iter_mut().enumerate().take(last + 1).skip(first);
        for (place, row) in ran_in {
            let from = self.start_micros + place as u64 * self.width_micros;
            let to = finished.min(from.saturating_add(self.width_micros));
            row.compacting_seconds += to.saturating_sub(started.max(from)) as f64 / 1e6;
        }
    }

    fn shape(&self, timeline: &Timeline, rows: &mut [Row]) {
        let mut shapes: Vec<_> = timeline.shapes.iter().collect();
        shapes.sort_by_key(|shape| shape.at_micros);
        let mut shapes = shapes.into_iter().peekable();
        let mut now = vec![None; timeline.families.len()];
        for (place, row) in rows.iter_mut().enumerate() {
            while let Some(shape) = shapes.next_if(|s| self.place(s.at_micros) <= place) {
                now[shape.family] = Some(&shape.levels);
            }
            for levels in now.iter().flatten() {
                row.levels.add(levels);
            }
        }
    }

    fn place(&self, at_micros: u64) -> usize {
        let after = at_micros.saturating_sub(self.start_micros);
        ((after / self.width_micros) as usize).min(self.count() - 1)
    }
}

/// Bytes written to files for each byte flushed.
pub(super) fn write_amplification(flushed: u64, compacted: u64) -> Option<f64> {
    (flushed > 0).then(|| (flushed as f64 + compacted as f64) / flushed as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_compaction_counts_in_all_intervals_that_it_ran_in() {
        let intervals = Intervals {
            start_micros: 1_000_000,
            end_micros: 4_500_000,
            width_micros: 1_000_000,
        };
        let mut rows = vec![Row::default(); intervals.count()];
        intervals.run(1_250_000, 3_500_000, &mut rows);
        let seconds: Vec<f64> = rows.iter().map(|r| r.compacting_seconds).collect();
        assert_eq!(seconds, [0.75, 1.0, 0.5, 0.0]);
        assert_eq!(write_amplification(100, 250), Some(3.5));
        assert_eq!(write_amplification(0, 250), None);
    }
}
