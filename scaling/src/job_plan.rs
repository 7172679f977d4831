//! A plan for a job: parallelism of every vertex, bytes of every operator, with reasons, predictions and what was rejected.

use serde::{Deserialize, Serialize};

use crate::{JobState, JobVerdict, Measured, VertexReason, VertexState};

/// A decision about one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobPlan {
    /// Flink's job id.
    pub job_id: String,
    /// What becomes of it.
    pub verdict: JobVerdict,
    /// Every vertex of the job, in the job's order: a rescale request must name them all.
    pub vertices: Vec<VertexPlan>,
    /// What it costs a second now and then, by [`crate::Terms`]; absent where the policy does not reckon costs.
    pub effect: Option<CostEffect>,
    /// What else was considered.
    pub rejected: Vec<RejectedShape>,
}

/// A decision about one vertex.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VertexPlan {
    /// [`VertexState::id`].
    pub vertex_id: String,
    /// The chain's name.
    pub name: String,
    /// Instances now.
    pub from_parallelism: u32,
    /// Instances to be; equal if it stays.
    pub to_parallelism: u32,
    /// Memory of its stateful operators; an operator that is not named keeps what it has.
    pub memory: Vec<OperatorMemory>,
    /// Justin's memory level, where the policy has levels: -1 none, 0 the start, each further one doubles.
    pub level: Option<i32>,
    /// Why.
    pub reason: VertexReason,
    /// Records per second it has to process.
    pub target_records_per_second: Measured,
    /// Records per second it can process as planned.
    pub predicted: Option<PredictedRate>,
}

/// Bytes per subtask of one operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorMemory {
    /// The operator that owns the state.
    pub operator_name: String,
    /// Cache capacity now: the mean over its subtasks; absent if nobody reports it.
    pub from_cache_bytes: Option<u64>,
    /// Cache capacity to be, each subtask.
    pub to_cache_bytes: u64,
    /// Write-buffer bytes to be, each subtask; absent: as they are.
    pub to_write_buffer_bytes: Option<u64>,
}

/// A capacity in records per second, with its 90 % band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PredictedRate {
    /// The estimate.
    pub value: f64,
    /// Lower end of the band.
    pub low: f64,
    /// Upper end of the band.
    pub high: f64,
}

/// Cost per second before and after.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CostEffect {
    /// As things are.
    pub before: f64,
    /// As planned.
    pub after: f64,
}

/// A shape of a vertex that was not chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejectedShape {
    /// [`VertexState::id`].
    pub vertex_id: String,
    /// Instances.
    pub parallelism: u32,
    /// Cache bytes of each subtask, all operators of the vertex together; absent where the policy does not choose them.
    pub cache_bytes: Option<u64>,
    /// Why not.
    pub why: Rejection,
}

/// Why a shape was not chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum Rejection {
    /// It would process too little.
    TooSlow {
        /// Records per second it would process.
        predicted: f64,
        /// Records per second it has to.
        target: f64,
    },
    /// It would cost more.
    Dearer {
        /// Its cost per second.
        cost: f64,
        /// Cost per second of what was chosen.
        chosen: f64,
    },
    /// It exceeds a budget.
    OverBudget {
        /// Which, and by how much.
        rule: String,
    },
    /// It needs a restart that does not pay.
    RestartDoesNotPay {
        /// What it would save a second.
        saved: f64,
        /// What the restart costs.
        restart_cost: f64,
    },
}

// === impl JobPlan ===

impl JobPlan {
    /// A plan for this job, its vertices in the job's order.
    #[must_use]
    pub fn new(job: &JobState, verdict: JobVerdict, vertices: Vec<VertexPlan>) -> Self {
        Self {
            job_id: job.job_id.clone(),
            verdict,
            vertices,
            effect: None,
            rejected: Vec::new(),
        }
    }

    /// A plan that leaves the job as it is; every vertex for the reason that `why` gives.
    #[must_use]
    pub fn keep(
        job: &JobState,
        verdict: JobVerdict,
        why: impl Fn(&VertexState) -> VertexReason,
    ) -> Self {
        let keep = |v: &VertexState| VertexPlan::keep(v, why(v));
        Self::new(job, verdict, job.vertices.iter().map(keep).collect())
    }

    /// Whether any parallelism changes: the job would restart.
    #[must_use]
    pub fn rescales(&self) -> bool {
        self.vertices.iter().any(VertexPlan::changes_parallelism)
    }

    /// Whether any operator's memory changes.
    #[must_use]
    pub fn resizes(&self) -> bool {
        self.vertices.iter().any(VertexPlan::changes_memory)
    }

    /// What its changes amount to.
    #[must_use]
    pub fn verdict_by_changes(&self) -> JobVerdict {
        match (self.rescales(), self.resizes()) {
            (true, _) => JobVerdict::Rescale,
            (false, true) => JobVerdict::Resize,
            (false, false) => JobVerdict::Steady,
        }
    }

    /// The vertices that change.
    pub fn changes(&self) -> impl Iterator<Item = &VertexPlan> {
        self.vertices
            .iter()
            .filter(|v| v.changes_parallelism() || v.changes_memory())
    }

    /// The vertex with this id.
    #[must_use]
    pub fn vertex(&self, id: &str) -> Option<&VertexPlan> {
        self.vertices.iter().find(|v| v.vertex_id == id)
    }

    /// This plan with nothing changed: what was wanted stays visible as [`VertexReason::Withheld`].
    #[must_use]
    pub fn withheld(mut self, verdict: JobVerdict) -> Self {
        self.verdict = verdict;
        for vertex in &mut self.vertices {
            if vertex.changes_parallelism() || vertex.changes_memory() {
                vertex.withhold();
            }
        }
        self
    }
}

// === impl VertexPlan ===

impl VertexPlan {
    /// A plan that leaves a vertex as it is.
    #[must_use]
    pub fn keep(vertex: &VertexState, reason: VertexReason) -> Self {
        Self {
            vertex_id: vertex.id.clone(),
            name: vertex.name.clone(),
            from_parallelism: vertex.parallelism,
            to_parallelism: vertex.parallelism,
            memory: Vec::new(),
            level: None,
            reason,
            target_records_per_second: Measured::default(),
            predicted: None,
        }
    }

    /// Whether its parallelism changes.
    #[must_use]
    pub fn changes_parallelism(&self) -> bool {
        self.from_parallelism != self.to_parallelism
    }

    /// Whether the memory of any of its operators changes.
    #[must_use]
    pub fn changes_memory(&self) -> bool {
        self.memory.iter().any(OperatorMemory::changes)
    }

    /// Cache bytes of one subtask as planned, all named operators together.
    #[must_use]
    pub fn cache_bytes_per_subtask(&self) -> u64 {
        self.memory.iter().map(|m| m.to_cache_bytes).sum()
    }

    /// Cuts its instances to a limit. What was predicted for more of them no longer holds.
    pub(crate) fn limit(&mut self, to: u32, rule: String) {
        let wanted = match self.reason {
            VertexReason::Limited { wanted, .. } => wanted,
            _ => self.to_parallelism,
        };
        self.reason = VertexReason::Limited { wanted, rule };
        self.to_parallelism = to;
        self.predicted = None;
    }

    /// Leaves the vertex as it is, and says what was wanted.
    pub fn withhold(&mut self) {
        let cache_bytes = self
            .changes_memory()
            .then(|| self.cache_bytes_per_subtask());
        self.reason = VertexReason::Withheld {
            parallelism: self.to_parallelism,
            cache_bytes,
        };
        self.to_parallelism = self.from_parallelism;
        self.memory.clear();
        self.predicted = None;
    }
}

// === impl OperatorMemory ===

impl OperatorMemory {
    /// Whether anything changes.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.from_cache_bytes != Some(self.to_cache_bytes) || self.to_write_buffer_bytes.is_some()
    }
}
