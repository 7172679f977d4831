//! Online miss ratio curves of block caches, in bytes.
#![forbid(unsafe_code)]

mod curve;

pub use curve::{CurvePoint, MissRatio, MissRatioCurve};
