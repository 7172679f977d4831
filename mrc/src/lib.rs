//! Online miss ratio curves of block caches, in bytes.
//!
//! An [`Estimator`] watches the look-ups of one LRU block cache and answers, at any moment, what share of them would miss at
//! any other size. It keeps a sample of fixed size, chosen by the hash of the block's key (Waldspurger et al., FAST '15, SHARDS),
//! and for every sampled look-up the *reuse distance*: the bytes of all other blocks used since the same block was last used,
//! plus its own. A cache of `C` bytes hits exactly the look-ups with a distance of at most `C`.
//!
//! Time and outcome come from the caller; there is no clock, no thread, no randomness, no I/O in here, and no allocation after
//! [`Estimator::new`] except for the curve that [`Estimator::curve`] returns.
//!
//! ```
//! use std::time::Duration;
//! use weir_mrc::{Access, Estimator, EstimatorConfig, Outcome, hash_key};
//!
//! let mut estimator = Estimator::new(EstimatorConfig::default());
//! let mut lookups = 0;
//! for round in 0..2 {
//!     for block in 0..500_u64 {
//!         lookups += 1;
//!         let hash = hash_key(&block.to_le_bytes());
//!         if hash < estimator.threshold() {
//!             let outcome = if round == 0 { Outcome::Miss } else { Outcome::Hit };
//!             let access = Access { hash, charge_bytes: 4096, outcome, inserts: true, counted: true, high_priority: false };
//!             estimator.observe(&access, 64 << 20, Duration::ZERO);
//!         }
//!     }
//! }
//! estimator.set_lookups(lookups, Duration::ZERO);
//! let curve = estimator.curve(Duration::ZERO).expect("1000 look-ups are enough");
//! assert_eq!(curve.miss_ratio_at(1 << 20).value, 1.0); // a loop over 2 MB defeats every smaller LRU
//! assert_eq!(curve.miss_ratio_at(4 << 20).value, 0.5); // the first round had to miss
//! ```
//!
//! # Limitations
//!
//! - The curve is that of one ideal LRU list: neither shards nor a high-priority pool are modelled. With small blocks both cost
//!   less than two points at Flink's settings, and nothing at the present capacity, where real outcomes hold the curve.
//! - Blocks are sampled alike whatever their size. A few hot blocks of hundreds of kilobytes (unpartitioned index or filter
//!   blocks) spoil the byte axis far from the present capacity while the sampling rate is low. The band says so only if one of
//!   them is in the sample.
//! - After the working set has changed, the curve is a mixture of both until the half-life has done its work.
//! - A look-up that does not insert moves a block in the stack if it hit in the real cache, as if it had hit in every other, too.
#![forbid(unsafe_code)]

mod access;
mod aged;
mod bins;
mod calibration;
mod config;
mod curve;
mod distinct;
mod estimator;
pub mod exact;
mod fenwick;
mod hash;
mod histogram;
mod hull;
mod index;
mod job_curve;
mod lists;
mod pool;
mod profile;
mod readout;
mod shape;
mod sharding;
pub mod simulator;
mod stack;
mod strata;
mod survival;
pub mod trace;

pub use access::{Access, Outcome};
pub use config::{EstimatorConfig, FirstTouch};
pub use curve::{CurveError, CurvePoint, MissRatio, MissRatioCurve};
pub use estimator::Estimator;
pub use hash::{hash_key, hash_key_seeded};
pub use histogram::ReuseDistanceHistogram;
pub use shape::CacheShape;
pub use strata::SamplingThresholds;
