//! Plans in words: one clear sentence for a TaskManager, a cache, a rejected alternative.

use std::fmt;

use crate::{
    Alternative, AlternativeKind, Bytes, CachePlan, CacheReason, Effect, Objective, Percent,
    TaskManagerPlan, Verdict, WriteBufferPlan,
};

impl fmt::Display for TaskManagerPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskManager {}: {}", self.tm_id, self.verdict)?;
        if let (Verdict::Resize, Some(effect)) = (&self.verdict, self.effect) {
            write!(f, ": {effect}")?;
        }
        Ok(())
    }
}

impl fmt::Display for WriteBufferPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (Bytes(self.from_bytes), Bytes(self.to_bytes));
        write!(
            f,
            "the write buffers of {} go from {from} to {to}",
            self.operator
        )
    }
}

impl fmt::Display for CachePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (Bytes(self.from_bytes), Bytes(self.to_bytes));
        match &self.reason {
            CacheReason::Frozen(freeze) => {
                return write!(f, "{} keeps {from}: {freeze}", self.operator);
            }
            CacheReason::Static => {
                return write!(f, "{} keeps {from}: policy static", self.operator);
            }
            CacheReason::OtherLoop => {
                return write!(
                    f,
                    "{} keeps {from}: the policy decides on whole jobs only",
                    self.operator
                );
            }
            CacheReason::Stays => {
                write!(f, "{} keeps {from}: no other size is better", self.operator)?;
            }
            CacheReason::Withheld { wanted_bytes } => {
                let wanted = Bytes(*wanted_bytes);
                write!(
                    f,
                    "{} keeps {from} though {wanted} was wanted: see the verdict",
                    self.operator
                )?;
            }
            CacheReason::Restored => {
                write!(f, "{} gets back {to} (now {from})", self.operator)?;
            }
            CacheReason::Gains => write!(f, "{} grows from {from} to {to}", self.operator)?,
            CacheReason::Yields => write!(f, "{} shrinks from {from} to {to}", self.operator)?,
        }
        let (Some(rate), Some(before), Some(after), Some(saved)) = (
            self.lookups_per_second,
            self.before,
            self.after,
            self.misses_saved_per_second,
        ) else {
            return Ok(());
        };
        if !self.changes_size() {
            return write!(
                f,
                "; {rate:.0} lookups/s at a predicted miss ratio of {before}"
            );
        }
        write!(
            f,
            ": at {rate:.0} lookups/s the predicted miss ratio goes from {before} to {after}, "
        )?;
        // What would be written as zero is none.
        match saved {
            s if s >= 0.05 => write!(f, "{s:.1} misses/s fewer"),
            s if s <= -0.05 => write!(f, "{:.1} misses/s more", -s),
            _ => f.write_str("no more misses"),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, scale, unit) = match self.objective {
            Objective::Misses => ("predicted misses go", 1.0, "/s"),
            Objective::MissSeconds => ("predicted waiting for misses goes", 1e3, " ms/s"),
        };
        let [before, after, noise] = [self.before, self.after, self.noise].map(|n| n * scale);
        write!(
            f,
            "{what} from {before:.1} to {after:.1}{unit} (± {noise:.1})"
        )
    }
}

impl fmt::Display for Alternative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            AlternativeKind::KeepSizes => "keeping all sizes",
            AlternativeKind::EqualShares => "equal shares",
        };
        let more = self.predicted / self.chosen - 1.0;
        if more.is_finite() {
            return write!(
                f,
                "{name} rejected: {} more is lost to misses",
                Percent(more)
            );
        }
        write!(
            f,
            "{name} rejected: the chosen sizes lose nothing to misses"
        )
    }
}
