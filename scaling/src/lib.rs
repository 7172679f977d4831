//! From a snapshot of the job to an explained plan for its memory and its parallelism: pure, so that every decision can be replayed from a file.
//!
//! ```text
//! Snapshot + History --Policy::decide--> Plan --Guard::review--> Plan
//! ```
//!
//! A [`Policy`] says what it would like and why; the [`Guard`], the same for every policy, has the last word: budget, minimum, step,
//! hysteresis, cool-down, missing data. Neither has a clock: time is what the snapshot says.
//!
//! # Limitations
//! - A cliff in a curve that lies farther away than the bytes one step can free is not climbed: a step must pay for itself.
#![forbid(unsafe_code)]

mod a4s;
mod bounds;
mod ds2;
mod effect;
mod fit;
mod greedy;
mod guard;
mod history;
mod hull;
mod job_bounds;
mod job_guard;
mod job_history;
mod job_plan;
mod job_reason;
mod job_sentence;
mod joint;
mod justin;
mod measured;
mod model;
mod name;
mod plan;
mod policies;
mod policy;
mod quantity;
mod rates;
mod reason;
mod restore;
mod sentence;
pub mod sim;
mod snapshot;
mod state_access;
mod terms;
mod topology;
mod weir;

pub use a4s::{A4sPolicy, A4sVariant, AccessModel};
pub use bounds::Limits;
pub use ds2::{
    Cycle, Dataflow, DataflowEdge, DataflowOperator, DataflowRecord, Ds2Policy, InstanceRates,
    RecordError, Requirement, Sizing,
};
pub use guard::Guard;
pub use history::{Change, History};
pub use job_bounds::{Blackout, JobLimits};
pub use job_history::{JobHistory, Observed, ShapeChange, VertexChange};
pub use job_plan::{
    CostEffect, JobPlan, OperatorMemory, PredictedRate, RejectedShape, Rejection, VertexPlan,
};
pub use job_reason::{JobVerdict, VertexReason};
pub use justin::{JustinPolicy, JustinVariant, MemoryLevels};
pub use measured::{Measured, Missing};
pub use model::Models;
pub use name::{Name, Names};
pub use plan::{
    Alternative, AlternativeKind, CachePlan, Effect, Plan, TaskManagerPlan, WriteBufferPlan,
};
pub use policies::{POLICY_NAMES, policy_by_name};
pub use policy::{Policy, StaticPolicy};
pub use quantity::{Bytes, Percent, Seconds};
pub use rates::{EdgeRates, JobRates, RateDefinition, TopologyError, VertexRates};
pub use reason::{CacheReason, Freeze, Objective, PredictedRatio, Verdict};
pub use restore::restore;
pub use snapshot::{
    BudgetState, CacheState, Load, OperatorKey, Snapshot, TaskManagerState, Window, WritePath,
};
pub use state_access::observe_job;
pub use terms::{SlotState, Terms};
pub use topology::{Edge, JobState, SourceState, SubtaskState, VertexState};
pub use weir::WeirPolicy;
