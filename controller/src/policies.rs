//! Policies by name.

use std::str::FromStr;

use anyhow::bail;
use weir_scaling::{Limits, Policy, StaticPolicy, WeirPolicy};

/// A policy that can be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyName {
    /// Marginal gain.
    Weir,
    /// Nothing moves.
    Static,
}

impl PolicyName {
    /// The policy itself.
    #[must_use]
    pub fn build(self, limits: Limits) -> Box<dyn Policy + Send + Sync> {
        match self {
            Self::Weir => Box::new(WeirPolicy::new(limits)),
            Self::Static => Box::new(StaticPolicy),
        }
    }
}

impl FromStr for PolicyName {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "weir" => Ok(Self::Weir),
            "static" => Ok(Self::Static),
            _ => bail!("policy: `{name}` is unknown; there are weir, static"),
        }
    }
}
