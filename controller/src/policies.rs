//! Policies by name.

use std::str::FromStr;

use anyhow::bail;
use weir_scaling::{Limits, POLICY_NAMES, Policy, policy_by_name};

/// The name of a policy that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyName(&'static str);

impl PolicyName {
    /// The policy itself.
    #[must_use]
    pub fn build(self, limits: Limits) -> Box<dyn Policy + Send + Sync> {
        policy_by_name(self.0, limits).unwrap_or_else(|| Box::new(weir_scaling::StaticPolicy))
    }

    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        POLICY_NAMES.into_iter().map(Self)
    }
}

impl FromStr for PolicyName {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match POLICY_NAMES.iter().find(|known| **known == name) {
            Some(known) => Ok(Self(known)),
            None => bail!(
                "policy: `{name}` is unknown; there are {}",
                POLICY_NAMES.join(", ")
            ),
        }
    }
}
