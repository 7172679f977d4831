//! From counters that Flink only ever adds to, to rates over a window.
//!
//! Flink renews what its REST API tells every `metrics.fetcher.update-interval` (10 s), so a window must hold several of these.
//! Counts are subtracted within one start of the job only: a restart begins them anew.
//!
//! What is read now was true at the last renewal, up to ten seconds ago. A task is busy, idle or backpressured and nothing else, so
//! these times tell how long it really is from one renewal to the other: rates are by that clock where Flink has all three.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use weir_scaling::{JobState, Measured, Missing, SourceState, SubtaskState};

use crate::clock::millis_of;

/// The counters of one vertex at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct VertexCounters {
    /// When they were read.
    pub at: Instant,
    /// When the job last began to run, by Flink's clock.
    pub running_since_ms: u64,
    /// By subtask index.
    pub subtasks: Vec<SubtaskCounters>,
    /// Of vertices that read from outside.
    pub source: Option<SourceCounters>,
}

/// The counters of one subtask; absent where Flink has none (a legacy source's busy time is NaN).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SubtaskCounters {
    /// Attempt number.
    pub attempt: u32,
    /// Records read.
    pub records_in: Option<f64>,
    /// Records written.
    pub records_out: Option<f64>,
    /// Milliseconds of work.
    pub busy_ms: Option<f64>,
    /// Milliseconds without input.
    pub idle_ms: Option<f64>,
    /// Milliseconds without room downstream.
    pub backpressured_ms: Option<f64>,
    /// Seconds of a state read at the 90th percentile, where Flink tracks them; not a counter.
    pub state_get_seconds_p90: Option<f64>,
}

/// The counters of a source, all subtasks together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SourceCounters {
    /// Records read from outside.
    pub records: Option<f64>,
    /// Records that wait there; not a counter.
    pub pending: Option<f64>,
}

/// The latest counters of every vertex, oldest first.
#[derive(Debug, Default)]
pub struct CounterLog {
    vertices: BTreeMap<(String, String), VecDeque<VertexCounters>>,
}

// === impl SubtaskCounters ===

impl SubtaskCounters {
    /// Seconds since the task started, by the sum of what it did in them.
    fn clock_seconds(&self) -> Option<f64> {
        Some((self.busy_ms? + self.idle_ms? + self.backpressured_ms?) / 1000.0)
    }
}

// === impl CounterLog ===

impl CounterLog {
    /// Adds what was read of a vertex, and forgets what is older than `keep` or of an earlier start.
    pub fn push(
        &mut self,
        job_id: &str,
        vertex_id: &str,
        counters: VertexCounters,
        keep: Duration,
    ) {
        let key = (job_id.to_owned(), vertex_id.to_owned());
        let log = self.vertices.entry(key).or_default();
        if log.back().is_some_and(|last| !continues(last, &counters)) {
            log.clear();
        }
        let now = counters.at;
        log.push_back(counters);
        while log.len() > 2 && log.get(1).is_some_and(|c| now.duration_since(c.at) >= keep) {
            log.pop_front();
        }
    }

    /// Forgets vertices of jobs that are gone.
    pub fn retain(&mut self, jobs: &[JobState]) {
        self.vertices.retain(|(job, _), _| {
            jobs.iter()
                .any(|j| j.job_id == *job && !j.vertices.is_empty())
        });
    }

    /// Puts the rates over what was kept into the vertices of a job.
    pub fn fill(&self, job: &mut JobState) {
        for vertex in &mut job.vertices {
            let key = (job.job_id.clone(), vertex.id.clone());
            let Some(log) = self.vertices.get(&key) else {
                continue;
            };
            let (Some(first), Some(last)) = (log.front(), log.back()) else {
                continue;
            };
            let seconds = seconds_between(first, last);
            vertex.window_ms = millis_of(last.at.duration_since(first.at));
            vertex.source = last.source.map(|_| source(first, last, seconds));
            let is_source = last.source.is_some();
            let subtasks = first.subtasks.iter().zip(&last.subtasks).zip(0..);
            vertex.subtasks = subtasks
                .map(|((first, last), index)| subtask(index, first, last, seconds))
                .collect();
            if is_source {
                share_of_source(vertex, first, last, seconds);
            }
        }
    }
}

/// Whether the later counters go on where the earlier ones stood.
fn continues(earlier: &VertexCounters, later: &VertexCounters) -> bool {
    let grows = |value: fn(&SubtaskCounters) -> Option<f64>| {
        let pairs = earlier.subtasks.iter().zip(&later.subtasks);
        pairs.into_iter().all(|(a, b)| value(a) <= value(b))
    };
    earlier.running_since_ms == later.running_since_ms
        && earlier.subtasks.len() == later.subtasks.len()
        && earlier
            .subtasks
            .iter()
            .zip(&later.subtasks)
            .all(|(a, b)| a.attempt == b.attempt)
        && grows(|s| s.records_in)
        && grows(|s| s.records_out)
}

/// Seconds from one look to the other, by the tasks' own clocks where they are known; 0 if nothing was renewed since.
fn seconds_between(first: &VertexCounters, last: &VertexCounters) -> f64 {
    let pairs = first.subtasks.iter().zip(&last.subtasks);
    let clocks: Option<Vec<f64>> = pairs
        .map(|(first, last)| Some(last.clock_seconds()? - first.clock_seconds()?))
        .collect();
    match clocks {
        Some(clocks) if !clocks.is_empty() => {
            let mean = clocks.iter().sum::<f64>() / clocks.len() as f64;
            mean.max(0.0)
        }
        _ => last.at.duration_since(first.at).as_secs_f64(),
    }
}

/// A difference per second; missing before there are two reports.
fn rate(first: Option<f64>, last: Option<f64>, seconds: f64) -> Measured {
    match (first, last) {
        _ if seconds <= 0.0 => Measured::Missing(Missing::OneReport),
        (Some(first), Some(last)) => Measured::of((last - first) / seconds),
        _ => Measured::default(),
    }
}

fn subtask(
    index: u32,
    first: &SubtaskCounters,
    last: &SubtaskCounters,
    seconds: f64,
) -> SubtaskState {
    let clocks = last.clock_seconds().zip(first.clock_seconds());
    let seconds = clocks.map_or(seconds, |(last, first)| (last - first).max(0.0));
    let share = |value: fn(&SubtaskCounters) -> Option<f64>| {
        rate(value(first), value(last), seconds).map(|ms_per_s| (ms_per_s / 1000.0).min(1.0))
    };
    SubtaskState {
        index,
        records_in_per_second: rate(first.records_in, last.records_in, seconds),
        records_out_per_second: rate(first.records_out, last.records_out, seconds),
        busy: share(|s| s.busy_ms),
        idle: share(|s| s.idle_ms),
        backpressured: share(|s| s.backpressured_ms),
        state_get_seconds_p90: Measured::reported(last.state_get_seconds_p90),
    }
}

/// What arrives outside is what is read plus what the backlog grows by.
fn source(first: &VertexCounters, last: &VertexCounters, seconds: f64) -> SourceState {
    let of = |counters: &VertexCounters| counters.source.unwrap_or_default();
    let (first, last) = (of(first), of(last));
    let target = match rate(first.records, last.records, seconds) {
        Measured::Known(read) => match (first.pending, last.pending) {
            (Some(before), Some(after)) => {
                Measured::of((read + (after - before) / seconds).max(0.0))
            }
            // A source that does not know a backlog offers what it gives.
            _ => Measured::of(read),
        },
        missing => missing,
    };
    SourceState {
        target_records_per_second: target,
        pending_records: Measured::reported(last.pending),
    }
}

/// A source's task reads from no other task: what its operator read is spread over its subtasks.
fn share_of_source(
    vertex: &mut weir_scaling::VertexState,
    first: &VertexCounters,
    last: &VertexCounters,
    seconds: f64,
) {
    let records = |counters: &VertexCounters| counters.source.and_then(|s| s.records);
    let total = rate(records(first), records(last), seconds);
    let subtasks = vertex.subtasks.len() as f64;
    for subtask in &mut vertex.subtasks {
        subtask.records_in_per_second = total.map(|total| total / subtasks);
    }
}

#[cfg(test)]
mod tests {
    use weir_scaling::VertexState;

    use super::*;

    fn counters(at: Instant, records: f64, pending: f64) -> VertexCounters {
        let subtask = SubtaskCounters {
            records_in: Some(0.0),
            records_out: Some(records / 2.0),
            busy_ms: Some(records),
            ..SubtaskCounters::default()
        };
        VertexCounters {
            at,
            running_since_ms: 7,
            subtasks: vec![subtask.clone(), subtask],
            source: Some(SourceCounters {
                records: Some(records),
                pending: Some(pending),
            }),
        }
    }

    fn filled(log: &CounterLog) -> VertexState {
        let vertex = VertexState {
            id: "v".to_owned(),
            parallelism: 2,
            ..VertexState::default()
        };
        let mut job = JobState {
            job_id: "j".to_owned(),
            name: String::new(),
            state: "RUNNING".to_owned(),
            restarts: None,
            vertices: vec![vertex],
            edges: Vec::new(),
            restart_seconds: Measured::default(),
        };
        log.fill(&mut job);
        job.vertices.remove(0)
    }

    #[test]
    fn what_arrives_is_what_is_read_and_what_the_backlog_grows_by() {
        let (start, keep) = (Instant::now(), Duration::from_secs(60));
        let mut log = CounterLog::default();
        log.push("j", "v", counters(start, 1000.0, 0.0), keep);
        let alone = filled(&log).source.unwrap();
        assert_eq!(
            alone.target_records_per_second,
            Measured::Missing(Missing::OneReport)
        );
        let later = start + Duration::from_secs(10);
        log.push("j", "v", counters(later, 6000.0, 3000.0), keep);
        let vertex = filled(&log);
        let source = vertex.source.unwrap();
        assert_eq!(source.target_records_per_second, Measured::of(800.0));
        assert_eq!(source.pending_records, Measured::of(3000.0));
        assert_eq!(
            vertex.subtasks[1].records_in_per_second,
            Measured::of(250.0)
        );
        assert_eq!(vertex.subtasks[1].busy, Measured::of(0.5));
        assert_eq!(vertex.subtasks[1].idle, Measured::default());
    }

    #[test]
    fn counters_that_were_renewed_at_other_moments_than_they_were_read_give_the_same_rates() {
        let (start, keep) = (Instant::now(), Duration::from_secs(60));
        // Read 20 s apart; what was read lies 30 s apart: 1000 records a second, and 0.6 of the time at work.
        let look = |at: Duration, seconds: f64| {
            let mut counters = counters(start + at, 1000.0 * seconds, 0.0);
            for subtask in &mut counters.subtasks {
                subtask.records_in = Some(500.0 * seconds);
                subtask.busy_ms = Some(600.0 * seconds);
                subtask.idle_ms = Some(300.0 * seconds);
                subtask.backpressured_ms = Some(100.0 * seconds);
            }
            counters
        };
        let mut log = CounterLog::default();
        log.push("j", "v", look(Duration::ZERO, 10.0), keep);
        log.push("j", "v", look(Duration::from_secs(20), 40.0), keep);
        let vertex = filled(&log);
        let source = vertex.source.unwrap();
        assert_eq!(source.target_records_per_second, Measured::of(1000.0));
        let subtask = &vertex.subtasks[0];
        assert_eq!(subtask.busy, Measured::of(0.6));
        assert_eq!(subtask.records_out_per_second, Measured::of(500.0));
        assert_eq!(vertex.window_ms, 20_000, "by the reader's clock");

        let mut log = CounterLog::default();
        log.push("j", "v", look(Duration::ZERO, 10.0), keep);
        log.push("j", "v", look(Duration::from_secs(5), 10.0), keep);
        let stale = Measured::Missing(Missing::OneReport);
        assert_eq!(filled(&log).subtasks[0].busy, stale, "nothing was renewed");
    }

    #[test]
    fn a_restart_begins_the_window_anew() {
        let (start, keep) = (Instant::now(), Duration::from_secs(60));
        let mut log = CounterLog::default();
        log.push("j", "v", counters(start, 1000.0, 0.0), keep);
        let mut restarted = counters(start + Duration::from_secs(10), 2000.0, 0.0);
        restarted.running_since_ms = 8;
        log.push("j", "v", restarted, keep);
        assert_eq!(filled(&log).window_ms, 0);
    }

    #[test]
    fn the_window_is_as_long_as_wanted_and_no_longer() {
        let (start, keep) = (Instant::now(), Duration::from_secs(20));
        let mut log = CounterLog::default();
        for tick in 0..10_u32 {
            let at = start + Duration::from_secs(5) * tick;
            log.push("j", "v", counters(at, f64::from(tick), 0.0), keep);
        }
        assert_eq!(filled(&log).window_ms, 20_000);
    }
}
