//! What an agent knows: one snapshot of every cache in its TaskManager.

use serde::{Deserialize, Serialize};
use weir_mrc::MissRatioCurve;

use crate::{CacheId, OperatorSubtask};

/// Answer to `GET /v1/report`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`crate::PROTOCOL_VERSION`] of the agent.
    pub protocol_version: u32,
    /// Milliseconds since the agent started, monotonic; rates are differences of counts over differences of this.
    pub uptime_ms: u64,
    /// Generation of the last allocation applied; 0 if none was.
    pub generation: u64,
    /// Who reports.
    pub agent: AgentInfo,
    /// What it may spend.
    pub budget: MemoryBudget,
    /// What the container or machine allows, and how much of that is in use; absent where it cannot be read.
    #[serde(default)]
    pub container: Option<ContainerMemory>,
    /// One entry per live cache, ordered by [`CacheReport::id`].
    pub caches: Vec<CacheReport>,
    /// How the agent itself is doing.
    pub health: AgentHealth,
}

/// Who reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentInfo {
    /// Version of the agent.
    pub version: String,
    /// `taskmanager.resource-id` where configured, else `host:pid`.
    pub tm_id: String,
    /// Process id of the TaskManager; changes when it restarts.
    pub pid: u32,
    /// Version of the RocksDB found in the process, `6.20.3`; empty while none was seen.
    pub rocksdb_version: String,
    /// What the agent does with the caches.
    pub mode: MemoryMode,
    /// Whether accesses are seen.
    pub hook: HookState,
}

/// `weir.memory.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryMode {
    /// Flink's caches stay as they are and are only watched.
    Observe,
    /// Flink's shared cache is resized live.
    Shared,
    /// Each operator subtask has a cache of its own out of one budget.
    PerOperator,
}

/// Whether block accesses are seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum HookState {
    /// No cache has been offered yet.
    Waiting,
    /// `Lookup` and `Insert` are hooked.
    Hooked,
    /// The agent declined; the job runs without it.
    Refused {
        /// What did not match.
        reason: String,
    },
}

/// What the agent may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryBudget {
    /// `weir.memory.budget`: caches plus write buffers.
    pub total_bytes: u64,
    /// Part of it set aside for write buffers beside the caches: total minus `cache_bytes`.
    pub write_buffer_bytes: u64,
    /// What the capacities of all caches may reach together now. It grows when write buffers are made smaller than they came,
    /// and shrinks when they are made larger.
    pub cache_bytes: u64,
    /// The capacities of all live caches together, now.
    pub allocated_bytes: u64,
    /// Smallest capacity a cache may be given.
    pub min_cache_bytes: u64,
    /// Smallest capacity a write buffer manager may be given.
    #[serde(default)]
    pub min_write_buffer_bytes: u64,
    /// What a write buffer manager takes of the budget beside the caches, in percent of its capacity: memtables may hold half as
    /// much again as it is told, and where it is charged to the shared cache only that half is beside it. 0: it cannot be resized.
    #[serde(default)]
    pub write_buffer_cost_percent: u32,
}

/// Memory of the container or, where none is limited, of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerMemory {
    /// What it may use.
    pub limit_bytes: u64,
    /// What it uses and cannot give back at once: without files that are only cached.
    pub working_set_bytes: u64,
}

/// One block cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CacheReport {
    /// Number of the cache.
    pub id: CacheId,
    /// Whose it is; of a shared cache, [`OperatorSubtask::sharing`] of those behind it.
    pub operator: OperatorSubtask,
    /// The operators behind a shared cache, each with its own part of what follows; empty where the cache has one owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operators: Vec<OperatorReport>,
    /// Capacity in force, read from RocksDB.
    pub capacity_bytes: u64,
    /// Bytes held.
    pub usage_bytes: u64,
    /// Bytes that cannot be evicted.
    pub pinned_bytes: u64,
    /// Milliseconds since the cache was attached.
    pub age_ms: u64,
    /// Exact counts since the cache was attached. Absent combinations are zero.
    pub lookups: Vec<LookupCount>,
    /// Curve of the lookups made by task threads, aged by the half-life; absent until enough was sampled.
    pub curve: Option<MissRatioCurve>,
    /// Sampled accesses behind the curve, aged like the curve.
    pub curve_samples: f64,
    /// Mean seconds from a failed lookup to the insert of its block, over all misses measured so far; absent while none was.
    pub miss_seconds: Option<f64>,
    /// Mean seconds of a lookup of the task thread that hits, of a sample; absent while none was taken.
    #[serde(default)]
    pub hit_seconds: Option<f64>,
    /// Write buffers of the same operator subtask, where known.
    pub write_buffers: Option<WriteBufferReport>,
    /// What the operator's database wrote; of a shared cache, those of all operators behind it together. Absent where it is not
    /// known. An operator with several caches has it at one of them.
    #[serde(default)]
    pub write_counts: Option<WriteCounts>,
}

/// One operator behind a shared cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorReport {
    /// Number of the operator, unique for the life of one agent.
    pub id: u64,
    /// Who it is.
    pub operator: OperatorSubtask,
    /// Milliseconds since it came.
    pub age_ms: u64,
    /// Exact counts since then. Absent combinations are zero.
    pub lookups: Vec<LookupCount>,
    /// What its task thread would miss with a cache of its own, aged by the half-life; absent until enough was sampled.
    pub curve: Option<MissRatioCurve>,
    /// As in [`CacheReport`].
    pub curve_samples: f64,
    /// As in [`CacheReport`].
    pub miss_seconds: Option<f64>,
    /// As in [`CacheReport`].
    pub hit_seconds: Option<f64>,
    /// Its write buffers, where known.
    pub write_buffers: Option<WriteBufferReport>,
    /// What its database wrote. Absent where it is not known, and at all but one of the caches of an operator that has several.
    #[serde(default)]
    pub write_counts: Option<WriteCounts>,
}

/// An exact count of lookups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupCount {
    /// What kind of block was asked for.
    pub role: BlockRole,
    /// Who asked.
    pub caller: Caller,
    /// What came of it.
    pub result: LookupResult,
    /// How often.
    pub count: u64,
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockRole {
    /// Keys and values.
    Data,
    /// Index or a partition of one.
    Index,
    /// Bloom filter or a partition of one.
    Filter,
    /// Anything else, and blocks whose kind could not be told.
    Other,
}

/// Which kind of thread looked a block up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caller {
    /// A Flink task thread: what the job waits for.
    Task,
    /// RocksDB's compaction pool.
    Compaction,
    /// RocksDB's flush pool.
    Flush,
    /// Any other thread, such as Flink's asynchronous snapshots.
    Other,
}

/// What came of a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookupResult {
    /// The block was there.
    Hit,
    /// It was not.
    Miss,
}

/// State of the write buffer manager behind a cache's operator. Several operators of a slot may share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteBufferReport {
    /// Which manager it is: equal wherever it is the same, unique for the life of one agent.
    #[serde(default)]
    pub manager: u64,
    /// Size at which RocksDB starts to flush.
    pub capacity_bytes: u64,
    /// Bytes in memtables, active and immutable.
    pub used_bytes: u64,
    /// Bytes in active memtables.
    pub active_bytes: u64,
    /// Bytes it has reserved in the block cache it is charged to, if any; absent where that cannot be read.
    #[serde(default)]
    pub reserved_bytes: Option<u64>,
}

/// What one database wrote since its operator was attached: exact, counted by RocksDB at the end of each flush and compaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WriteCounts {
    /// Bytes of files that flushes wrote.
    pub flushed_bytes: u64,
    /// Bytes that compactions read.
    pub compaction_read_bytes: u64,
    /// Bytes that compactions wrote.
    pub compacted_bytes: u64,
    /// Time in which RocksDB delayed or stopped writes; longer than any one writer waited.
    pub stalled_micros: u64,
    /// Bytes in the files of the newest version, all states together; not a count but a level. Absent until the first flush.
    pub live_bytes: Option<u64>,
}

/// How the agent itself is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AgentHealth {
    /// Samples that found their ring full.
    pub samples_dropped: u64,
    /// Samples that reached an estimator.
    pub samples_taken: u64,
    /// Threads that own a ring.
    pub threads: u32,
    /// Panics caught and survived.
    pub panics_caught: u64,
    /// Lookups in shared caches that could be given to no operator.
    #[serde(default)]
    pub unattributed_lookups: u64,
}

// === impl MemoryBudget ===

impl MemoryBudget {
    /// What `cache_bytes` becomes if the capacities of all write buffer managers together go from `from_bytes` to `to_bytes`.
    #[must_use]
    pub fn cache_bytes_with(&self, from_bytes: u64, to_bytes: u64) -> u64 {
        let cost =
            |bytes: u64| u128::from(bytes) * u128::from(self.write_buffer_cost_percent) / 100;
        let with = (u128::from(self.cache_bytes) + cost(from_bytes)).saturating_sub(cost(to_bytes));
        u64::try_from(with).unwrap_or(u64::MAX)
    }
}

// === impl CacheReport ===

impl CacheReport {
    /// Sum of the counts that `select` accepts.
    pub fn count(&self, mut select: impl FnMut(&LookupCount) -> bool) -> u64 {
        self.lookups
            .iter()
            .filter(|c| select(c))
            .map(|c| c.count)
            .sum()
    }

    /// Hits and misses of task threads, all roles: what the curve describes.
    #[must_use]
    pub fn task_hits_and_misses(&self) -> (u64, u64) {
        let of = |result| self.count(|c| c.caller == Caller::Task && c.result == result);
        (of(LookupResult::Hit), of(LookupResult::Miss))
    }

    /// Miss ratio of task threads that the curve gives for a capacity, after the pinned bytes are taken off it:
    /// pinned blocks take room but are not looked up.
    #[must_use]
    pub fn predicted_miss_ratio(&self, capacity_bytes: u64) -> Option<f64> {
        let room = capacity_bytes.saturating_sub(self.pinned_bytes);
        self.curve.as_ref().map(|c| c.miss_ratio_at(room).value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_without_write_counts_is_read() {
        let text = r#"{"id":1,"operator":{"job_id":"","job_name":"","task_name":"","operator_name":"","subtask_index":0,"parallelism":1,
            "attempt":0},"age_ms":0,"lookups":[],"curve":null,"curve_samples":0,"miss_seconds":null,"write_buffers":null}"#;
        let operator: OperatorReport = serde_json::from_str(text).unwrap();
        assert_eq!(operator.write_counts, None);
    }

    #[test]
    fn what_write_buffers_give_up_caches_may_have() {
        let budget = MemoryBudget {
            total_bytes: 1000,
            write_buffer_bytes: 450,
            cache_bytes: 550,
            allocated_bytes: 0,
            min_cache_bytes: 1,
            min_write_buffer_bytes: 1,
            write_buffer_cost_percent: 150,
        };
        assert_eq!(budget.cache_bytes_with(300, 100), 550 + 300);
        assert_eq!(budget.cache_bytes_with(300, 400), 550 - 150);
        assert_eq!(budget.cache_bytes_with(300, 300), 550);
        assert_eq!(budget.cache_bytes_with(0, 10_000), 0, "never below nothing");
    }
}
