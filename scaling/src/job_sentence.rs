//! Plans for jobs in words: one clear sentence for a job, a vertex, a rejected shape.

use std::fmt;

use crate::{Bytes, JobPlan, OperatorMemory, RejectedShape, Rejection, VertexPlan};

impl fmt::Display for JobPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {}: {}", self.job_id, self.verdict)?;
        if let Some(effect) = self.effect.filter(|_| self.verdict.changes()) {
            let (before, after) = (effect.before, effect.after);
            write!(f, "; its cost goes from {before:.3} to {after:.3} a second")?;
        }
        Ok(())
    }
}

impl fmt::Display for VertexPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from_parallelism, self.to_parallelism);
        if self.changes_parallelism() {
            write!(f, "{} goes from {from} to {to} instances", self.name)?;
        } else {
            write!(f, "{} keeps {from} instances", self.name)?;
        }
        for memory in self.memory.iter().filter(|m| m.changes()) {
            write!(f, ", {memory}")?;
        }
        write!(f, ": {}", self.reason)?;
        if let (Some(predicted), true) = (
            self.predicted,
            self.changes_parallelism() || self.changes_memory(),
        ) {
            write!(
                f,
                "; it will process up to {:.0} records/s ({:.0} to {:.0})",
                predicted.value, predicted.low, predicted.high
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for OperatorMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of cache for {} each",
            Bytes(self.to_cache_bytes),
            self.operator_name
        )?;
        if let Some(from) = self.from_cache_bytes {
            write!(f, " (now {})", Bytes(from))?;
        }
        match self.to_write_buffer_bytes {
            Some(bytes) => write!(f, " and {} of write buffers", Bytes(bytes)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for RejectedShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} instances", self.vertex_id, self.parallelism)?;
        if let Some(bytes) = self.cache_bytes {
            write!(f, " with {} each", Bytes(bytes))?;
        }
        f.write_str(" rejected: ")?;
        match &self.why {
            Rejection::TooSlow { predicted, target } => {
                write!(
                    f,
                    "{predicted:.0} records/s, not the {target:.0} it has to process"
                )
            }
            Rejection::Dearer { cost, chosen } => {
                write!(f, "{cost:.3} a second, the chosen shape {chosen:.3}")
            }
            Rejection::OverBudget { rule } => f.write_str(rule),
            Rejection::RestartDoesNotPay {
                saved,
                restart_cost,
            } => write!(
                f,
                "it saves {saved:.3} a second, the restart costs {restart_cost:.1}"
            ),
        }
    }
}
