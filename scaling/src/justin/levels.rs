//! Justin's memory levels: from a level to bytes.

use crate::state_access::OperatorState;
use crate::{OperatorMemory, VertexChange};

/// How much memory a level is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLevels {
    /// Cache bytes of a subtask at level 0; absent: what the operator had before its first step.
    pub base_cache_bytes: Option<u64>,
    /// The highest level.
    pub highest: i32,
}

impl Default for MemoryLevels {
    /// Twice and four times the start, as in the artifact's description of its benchmarks (158, 316, 632 MB).
    fn default() -> Self {
        Self {
            base_cache_bytes: None,
            highest: 2,
        }
    }
}

// === impl MemoryLevels ===

impl MemoryLevels {
    /// The level of an operator without state.
    pub(crate) const NONE: i32 = -1;

    /// Memory of a vertex's operators at a level. A cache that exists cannot have less than the agent's minimum.
    pub(crate) fn memory(
        &self,
        operators: &[OperatorState<'_>],
        level: i32,
        past: &[&VertexChange],
    ) -> Vec<OperatorMemory> {
        let memory = |operator: &OperatorState<'_>| {
            let base = self.base_bytes(operator, past);
            let bytes = match u32::try_from(level) {
                Ok(level) => base.saturating_mul(1_u64.checked_shl(level).unwrap_or(u64::MAX)),
                Err(_) => 0,
            };
            OperatorMemory {
                operator_name: operator.name.to_owned(),
                from_cache_bytes: Some(operator.capacity_bytes()),
                to_cache_bytes: bytes.max(operator.min_cache_bytes()),
                to_write_buffer_bytes: None,
            }
        };
        operators.iter().map(memory).collect()
    }

    /// Bytes at level 0: as configured, else by the latest change that gave this operator a level, else what it has.
    fn base_bytes(&self, operator: &OperatorState<'_>, past: &[&VertexChange]) -> u64 {
        let by_change = |change: &&VertexChange| {
            let level = u32::try_from(change.level?).ok()?;
            let memory = change
                .memory
                .iter()
                .find(|m| m.operator_name == operator.name)?;
            Some(memory.to_cache_bytes >> level)
        };
        self.base_cache_bytes
            .or_else(|| past.iter().rev().find_map(by_change))
            .unwrap_or_else(|| operator.capacity_bytes())
    }
}
