//! Garbage, and torn logs.

use proptest::prelude::*;

use super::interval::Intervals;
use super::line::Line;
use super::timeline::Timeline;

const LOG: &str = include_str!("../../tests/lsm/rocksdb-6.20.3.log.txt");

/// Everything that is done with a log, but for files.
fn digest<'a>(lines: impl Iterator<Item = &'a str>) -> Timeline {
    let mut timeline = Timeline::default();
    for line in lines {
        if let Ok(line) = Line::parse(line) {
            timeline.take(line);
        }
    }
    let (start_micros, end_micros) = timeline.span.unwrap_or((0, 0));
    let width_micros = (end_micros - start_micros) / 20 + 1;
    let intervals = Intervals {
        start_micros,
        end_micros,
        width_micros,
    };
    let rows = intervals.cut(&timeline);
    let flushes: u64 = rows.iter().map(|row| row.flushes).sum();
    let finished = timeline
        .flushes
        .iter()
        .filter(|f| f.finished_micros.is_some());
    assert_eq!(flushes, finished.count() as u64);
    timeline
}

proptest! {
    #[test]
    fn no_line_is_too_strange(line in ".*", tail in ".*") {
        let _ = Line::parse(&line);
        let _ = Line::parse(&format!("2026/11/28-20:32:24.900711 7f47 {line}"));
        let _ = Line::parse(&format!("2026/11/28-20:32:24.900711 7f47 [/x.cc:1] [{line}] [JOB 1] Compacting {tail} files to L{tail}"));
        let _ = Line::parse(&format!("2026/11/28-20:32:24.900711 7f47 EVENT_LOG_v1 {{\"time_micros\": 1, \"event\": \"{line}\"{tail}"));
    }

    #[test]
    fn lines_may_be_lost_doubled_swapped_or_torn(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4, any::<prop::sample::Index>()), 0..40),
    ) {
        let mut lines: Vec<&str> = LOG.lines().collect();
        for (place, edit, other) in edits {
            let (place, other) = (place.index(lines.len()), other.index(lines.len()));
            match edit {
                0 => drop(lines.remove(place)),
                1 => lines.insert(other, lines[place]),
                2 => lines.swap(place, other),
                _ => {
                    let line = lines[place];
                    let cut = line.floor_char_boundary(other.min(line.len()));
                    lines[place] = &line[..cut];
                }
            }
        }
        digest(lines.into_iter());
    }

    #[test]
    fn numbers_may_be_anything(numbers in prop::collection::vec(any::<u64>(), 12)) {
        let text = LOG.lines().map(|line| {
            let (head, json) = line.split_once("EVENT_LOG_v1").unwrap_or((line, ""));
            if json.is_empty() {
                return head.to_owned();
            }
            let mut digits = false;
            let mut count = 0;
            let mut changed = String::new();
            for character in json.chars() {
                if character.is_ascii_digit() {
                    if !digits {
                        changed.push_str(&numbers[count % numbers.len()].to_string());
                        count += 1;
                    }
                    digits = true;
                } else {
                    changed.push(character);
                    digits = false;
                }
            }
            format!("{head}EVENT_LOG_v1{changed}")
        });
        let text: Vec<String> = text.collect();
        digest(text.iter().map(String::as_str));
    }
}

#[test]
fn a_log_that_begins_in_the_middle_still_adds_up() {
    let lines: Vec<&str> = LOG.lines().collect();
    let whole = digest(lines.iter().copied());
    let half = digest(lines[lines.len() / 2..].iter().copied());
    assert!(half.flushes.len() < whole.flushes.len() && !half.flushes.is_empty());
    assert_eq!(
        half.last_levels(0).files.len(),
        whole.last_levels(0).files.len()
    );
}
