//! What the guard allows to happen to the shape of a job.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Limits for parallelism, the same for every policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct JobLimits {
    /// Fewest instances of a vertex.
    pub min_parallelism: u32,
    /// Most instances of a vertex; its number of key groups limits it too.
    pub max_parallelism: u32,
    /// Largest factor by which a vertex may grow in one step.
    pub max_growth: f64,
    /// Largest share of its instances that a vertex may lose in one step.
    pub max_shrink: f64,
    /// A restart is not worth it where no vertex changes by this share of its instances.
    pub min_change: f64,
    /// After a change, and after any start of the job, nothing is decided for so long: counters need a whole window.
    pub cooldown_ms: u64,
    /// Times of the day at which nothing is changed.
    pub blackouts: Vec<Blackout>,
    /// Vertices that are left alone: their id, or a part of their name.
    pub excluded: Vec<String>,
    /// A change is taken back where a vertex can process less than this share of what was predicted.
    pub roll_back_below: f64,
    /// A shape that was taken back is not tried again for so long.
    pub roll_back_hold_ms: u64,
}

/// A time of every day (UTC), such as `22:00-06:00`: its begin is in, its end is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Blackout {
    from_minute: u32,
    to_minute: u32,
}

impl Default for JobLimits {
    fn default() -> Self {
        Self {
            min_parallelism: 1,
            // Flink's largest number of key groups.
            max_parallelism: 32_768,
            // No single measurement is worth more than four times the resources.
            max_growth: 4.0,
            // As the operator autoscaler's `scale-down.max-factor`.
            max_shrink: 0.6,
            min_change: 0.05,
            cooldown_ms: 60_000,
            blackouts: Vec::new(),
            excluded: Vec::new(),
            roll_back_below: 0.5,
            roll_back_hold_ms: 1_800_000,
        }
    }
}

// === impl JobLimits ===

impl JobLimits {
    /// The blackout that a moment lies in, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn blackout(&self, at_ms: u64) -> Option<&Blackout> {
        let minute = u32::try_from(at_ms / 60_000 % Blackout::MINUTES_PER_DAY).unwrap_or(0);
        self.blackouts.iter().find(|b| b.contains(minute))
    }

    /// Whether a vertex is left alone.
    #[must_use]
    pub fn excludes(&self, vertex_id: &str, name: &str) -> bool {
        let hit = |e: &String| *e == vertex_id || name.contains(e.as_str());
        self.excluded.iter().any(hit)
    }

    /// The number of instances nearest to `wanted` that one step may lead to, and which rule says so if it is another.
    #[must_use]
    pub fn step(&self, from: u32, wanted: u32, key_groups: Option<u32>) -> (u32, Option<String>) {
        let most = self.max_parallelism.min(key_groups.unwrap_or(u32::MAX));
        let grown = (f64::from(from) * self.max_growth).floor() as u32;
        let shrunk = (f64::from(from) * (1.0 - self.max_shrink)).ceil() as u32;
        let rules = [
            (
                wanted > grown,
                grown,
                format!("one step leads from {from} to {grown} at most"),
            ),
            (
                wanted < shrunk,
                shrunk,
                format!("one step leads from {from} to {shrunk} at least"),
            ),
        ];
        let by_step = rules.into_iter().find(|(broken, ..)| *broken);
        let (mut to, mut rule) = match by_step {
            Some((_, to, rule)) => (to, Some(rule)),
            None => (wanted, None),
        };
        let least = self.min_parallelism.max(1);
        if to > most {
            (to, rule) = (most, Some(format!("at most {most} instances are allowed")));
        }
        if to < least {
            (to, rule) = (
                least,
                Some(format!("at least {least} instances are wanted")),
            );
        }
        (to, rule)
    }
}

// === impl Blackout ===

impl Blackout {
    const MINUTES_PER_DAY: u64 = 24 * 60;

    fn contains(&self, minute: u32) -> bool {
        if self.from_minute <= self.to_minute {
            (self.from_minute..self.to_minute).contains(&minute)
        } else {
            minute >= self.from_minute || minute < self.to_minute
        }
    }
}

impl TryFrom<String> for Blackout {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let minute = |time: &str| {
            let (hours, minutes) = time.trim().split_once(':')?;
            let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
            (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
        };
        let ends = text
            .split_once('-')
            .and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
        match ends {
            Some((from_minute, to_minute)) if from_minute != to_minute => Ok(Self {
                from_minute,
                to_minute,
            }),
            _ => Err(format!(
                "`{text}` is not a time of the day; write `22:00-06:00` (UTC)"
            )),
        }
    }
}

impl From<Blackout> for String {
    fn from(blackout: Blackout) -> Self {
        blackout.to_string()
    }
}

impl fmt::Display for Blackout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
        write!(f, "{}-{}", time(self.from_minute), time(self.to_minute))
    }
}
