//! Online miss ratio curves of block caches, in bytes.
//!
//! An [`Estimator`] watches the look-ups of one LRU block cache and answers, at any moment, what share of them would miss at
//! any other size. It keeps a sample of fixed size, chosen by the hash of the block's key (Waldspurger et al., FAST '15, SHARDS),
//! and for every sampled look-up the *reuse distance*: the bytes of all other blocks used since the same block was last used,
//! plus its own. A cache of `C` bytes hits exactly the look-ups with a distance of at most `C`.
//!
//! - **Strata by size** (optional): a few large index blocks are kept as a whole while many small data blocks are thinned out.
//! - **Exact counts**: the sample is corrected by the exact number of look-ups (regression), on its own for those that hit and those
//!   that missed in the real cache. Where every look-up is told, a small table of recent blocks stands in for a cache whose answers are
//!   not known, and the number of distinct blocks corrects the byte axis and the share of first look-ups, too (HyperLogLog with the
//!   historic inverse probability estimate).
//! - **First look-ups** are misses in every cache ([`FirstTouch::Miss`]) or censored observations (Kaplan and Meier), bounded by the
//!   real outcome and by the live bytes ([`Estimator::set_live_bytes`]).
//! - **Ageing** by half-life; the sampling rate falls with the working set and rises again.
//! - **The cache as it is**: [`Estimator::curve_for`] a [`CacheShape`] with shards and a high-priority pool.
//! - **Bands** of 90 % on every point; [`exact`] and [`simulator`] are what they are tested against, [`trace`] reads and writes traces.
//!
//! Time and outcome come from the caller; there is no clock, no thread, no randomness, no I/O in here, and no allocation after
//! [`Estimator::new`] except by what reads the estimator, such as [`Estimator::curve`].
//!
//! Offline, every look-up goes through [`Estimator::look_up`]. On a live cache, [`Estimator::threshold`], or with
//! [`EstimatorConfig::by_size`] [`Estimator::thresholds`], rejects most of them at the price of a hash and a comparison, and the rest
//! goes through [`Estimator::observe`]:
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
//! - Shards and pool are modelled, not simulated. Shards: within about a point of the mean over choices of shards where blocks are
//!   large against a shard, but which blocks share one is luck (up to three points) that the model cannot know. Pool: a first-order
//!   chain of distances; it removes most of the difference to an ideal list, up to a few points remain at small capacities.
//! - A capacity that holds but a few sampled blocks is uncertain, and biased upwards where sizes of small popular blocks differ by
//!   orders of magnitude. The band says how uncertain. Where large blocks fill a cache within some hundred look-ups, its curve rests
//!   on the few hottest small blocks, of which a sample draws one or none: up to four points too high were seen there.
//! - Without [`EstimatorConfig::by_size`], a few hot blocks of hundreds of kilobytes (unpartitioned index or filter blocks) spoil the
//!   byte axis far from the present capacity. The band says so only if one of them is in the sample.
//! - Sizes beyond all that was watched are inferred from the tail of the distances so far (a generalised Pareto law; with live bytes,
//!   one that ends there). What no look-up has told of is unknown to it: a loop that has not come round once looks like new blocks.
//! - After the working set has changed, the curve is a mixture of both until the half-life has done its work.
//! - A look-up that does not insert moves a block in the stack if it hit in the real cache, as if it had hit in every other, too.
//!
//! # Sources
//!
//! Mattson et al. 1970 (stack distances); Olken 1981 (the tree); Waldspurger et al., FAST '15 (SHARDS); Cohen 2014 and Ting 2014
//! (distinct counts); Kaplan and Meier 1958 (censoring); Pickands 1975 (tails); Cormode et al., ICDE '09 (forward decay); FRocksDB 6.20.3
//! `cache/lru_cache.cc` (shards, pool).
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
mod extrapolation;
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
mod recent;
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
