//! A simulator: policies against plants in virtual time, with seeded noise. Pure like the rest; files come in through a closure.
//!
//! ```text
//! Scenario --plants--> Truth --noise--> Snapshot --Policy::decide--> Plan --> shapes, restarts, backlog --> Outcome
//! ```
//!
//! The policy sees a [`crate::Snapshot`] as agents and Flink would report it, never the plant. `docs/simulator.md` documents
//! scenario, plants and outcome.
//!
//! # Limitations
//! - A resized cache is full of the right blocks at once; a restarted job has warm caches.
//! - The job is in one TaskManager: bytes are counted, not placed.

mod account;
mod analytic;
mod engine;
mod flow;
mod measured;
mod measured_file;
mod noise;
mod observe;
mod oracle;
mod outcome;
mod plant;
mod scenario;
mod scenario_file;

pub use analytic::{AnalyticPlant, Bursts, WritePath};
pub use engine::simulate;
pub use measured::{MeasuredPlant, MeasuredPoint};
pub use oracle::{OracleError, oracle};
pub use outcome::{DecisionRow, Outcome};
pub use plant::{Plant, Shape};
pub use scenario::{Budget, Feed, Input, Operator, Price, Scenario, TargetStep};
pub use scenario_file::ScenarioError;
