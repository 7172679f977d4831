//! From an agent's counts of flushes, compactions and stalls to the write path of one operator subtask.

use std::time::Duration;

use weir_protocol::{CacheReport, Report, WriteCounts};
use weir_scaling::{Measured, Missing, WritePath};

use super::{ReportLog, same_life};

/// The write path behind a cache over the last `window`, or as much of it as was seen of this life of the cache; absent where the agent
/// does not know the write buffers.
pub(super) fn write_path(
    report: &Report,
    log: &ReportLog,
    cache: &CacheReport,
    window: Duration,
) -> Option<WritePath> {
    let buffers = cache.write_buffers?;
    // A manager may serve several operators of a slot: each is said to have an even part of it, so that parts add up to the whole.
    let behind = |c: &&CacheReport| {
        c.write_buffers
            .is_some_and(|b| b.manager == buffers.manager)
    };
    let sharers = report.caches.iter().filter(behind).count().max(1) as u64;
    let path = WritePath {
        buffer_bytes: buffers.capacity_bytes / sharers,
        used_bytes: buffers.used_bytes / sharers,
        ..WritePath::default()
    };
    if cache.write_counts.is_none() && counted_at_another(report, cache) {
        return Some(rates(path, &Ok([0.0; 3])));
    }
    let rates_of = log.written(cache, window);
    Some(rates(path, &rates_of))
}

/// Whether the operator's database is counted at another of its caches: then this one has nothing to add.
fn counted_at_another(report: &Report, cache: &CacheReport) -> bool {
    let mut others = report.caches.iter();
    others.any(|c| c.operator == cache.operator && c.write_counts.is_some())
}

fn rates(path: WritePath, per_second: &Result<[f64; 3], Missing>) -> WritePath {
    let of = |at: usize| match per_second {
        Ok(rates) => Measured::of(rates[at]),
        Err(missing) => Measured::Missing(missing.clone()),
    };
    WritePath {
        flushed_bytes_per_second: of(0),
        compacted_bytes_per_second: of(1),
        stalled: of(2),
        ..path
    }
}

impl ReportLog {
    /// Bytes flushed, bytes written by compactions, and seconds stalled, each per second.
    fn written(&self, cache: &CacheReport, window: Duration) -> Result<[f64; 3], Missing> {
        if cache.write_counts.is_none() {
            return Err(Missing::NotReported);
        }
        let goes_on = |earlier: &CacheReport, later: &CacheReport| {
            let counts = (earlier.write_counts, later.write_counts);
            same_life(earlier, later)
                && matches!(counts, (Some(earlier), Some(later)) if only_grows(&earlier, &later))
        };
        let span = self.span(cache.id, window, goes_on);
        let (millis, first, last) = span.ok_or(Missing::OneReport)?;
        let (Some(first), Some(last)) = (first.write_counts, last.write_counts) else {
            return Err(Missing::OneReport);
        };
        if millis == 0 {
            return Err(Missing::OneReport);
        }
        let seconds = millis as f64 / 1000.0;
        let per_second =
            |count: fn(&WriteCounts) -> u64| (count(&last) - count(&first)) as f64 / seconds;
        // Several writers can be stalled at once; one thread cannot be for longer than all of the time.
        let stalled = (per_second(|c| c.stalled_micros) / 1e6).min(1.0);
        Ok([
            per_second(|c| c.flushed_bytes),
            per_second(|c| c.compacted_bytes),
            stalled,
        ])
    }
}

/// A database that was opened anew begins to count anew.
fn only_grows(earlier: &WriteCounts, later: &WriteCounts) -> bool {
    earlier.flushed_bytes <= later.flushed_bytes
        && earlier.compacted_bytes <= later.compacted_bytes
        && earlier.stalled_micros <= later.stalled_micros
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::{Value, json};

    use super::*;

    /// A report of one operator whose manager of 32 MiB it shares with another.
    fn report(uptime_ms: u64, counts: &Value) -> Report {
        let cache = |id: u64, counts: &Value| {
            json!({
                "id": id,
                "operator": {
                    "job_id": "j", "task_name": "t", "operator_name": format!("o{id}"), "subtask_index": 0, "parallelism": 1,
                    "attempt": 0,
                },
                "capacity_bytes": 1, "usage_bytes": 0, "pinned_bytes": 0, "age_ms": uptime_ms, "lookups": [], "curve": null,
                "curve_samples": 0.0, "miss_seconds": null, "write_counts": counts,
                "write_buffers": {"capacity_bytes": 32 << 20, "used_bytes": 8 << 20, "active_bytes": 0, "manager": 7},
            })
        };
        let report = json!({
            "protocol_version": 1, "uptime_ms": uptime_ms, "generation": 0,
            "agent": {"version": "0", "tm_id": "tm", "pid": 1, "rocksdb_version": "", "mode": "per-operator", "hook": {"state": "hooked"}},
            "budget": {
                "total_bytes": 172 << 20, "write_buffer_bytes": 72 << 20, "cache_bytes": 100 << 20, "allocated_bytes": 3,
                "min_cache_bytes": 1,
            },
            "caches": [cache(1, counts), cache(2, &Value::Null)],
            "health": {"samples_dropped": 0, "samples_taken": 0, "threads": 0, "panics_caught": 0},
        });
        serde_json::from_value(report).unwrap()
    }

    fn counts(flushed: u64, compacted: u64, stalled_micros: u64) -> Value {
        json!({
            "flushed_bytes": flushed, "compaction_read_bytes": compacted, "compacted_bytes": compacted,
            "stalled_micros": stalled_micros, "live_bytes": null,
        })
    }

    /// The write paths of both operators after these reports, ten seconds apart.
    fn paths(all: &[Value]) -> [WritePath; 2] {
        let mut log = ReportLog::default();
        let start = Instant::now();
        for (at, counts) in (1..).zip(all) {
            let seconds = Duration::from_secs(10 * at);
            log.push(start + seconds, report(10_000 * at, counts), Duration::MAX);
        }
        let newest = log.newest().unwrap();
        let of = |at: usize| write_path(newest, &log, &newest.caches[at], Duration::from_secs(60));
        [of(0).unwrap(), of(1).unwrap()]
    }

    #[test]
    fn rates_are_differences_over_the_agents_clock() {
        let [counted, other] = paths(&[counts(100, 1000, 0), counts(400, 3000, 5_000_000)]);
        assert_eq!(counted.flushed_bytes_per_second, Measured::of(30.0));
        assert_eq!(counted.compacted_bytes_per_second, Measured::of(200.0));
        assert_eq!(counted.stalled, Measured::of(0.5));
        assert_eq!(counted.buffer_bytes, 16 << 20, "half of what both share");
        let not_reported = Measured::Missing(Missing::NotReported);
        assert_eq!(other.flushed_bytes_per_second, not_reported);
    }

    #[test]
    fn one_report_or_a_count_that_begins_anew_tells_nothing_rather_than_zero() {
        let missing = Measured::Missing(Missing::OneReport);
        let [one, _] = paths(&[counts(100, 0, 0)]);
        assert_eq!(one.flushed_bytes_per_second, missing);
        let [anew, _] = paths(&[counts(100, 0, 0), counts(40, 0, 0)]);
        assert_eq!(anew.compacted_bytes_per_second, missing);
        let [came_late, _] = paths(&[Value::Null, counts(40, 0, 0)]);
        assert_eq!(came_late.stalled, missing);
    }

    #[test]
    fn a_thread_is_not_stalled_for_longer_than_all_of_the_time() {
        let [path, _] = paths(&[counts(0, 0, 0), counts(0, 0, 90_000_000)]);
        assert_eq!(path.stalled, Measured::of(1.0));
    }
}
