//! Policies by name.

use crate::{Ds2Policy, Limits, Policy, StaticPolicy, WeirPolicy};

/// Names that [`policy_by_name`] knows.
pub const POLICY_NAMES: [&str; 3] = ["weir", "ds2", "static"];

/// The policy with this name and its default parameters; absent if there is none.
#[must_use]
pub fn policy_by_name(name: &str, limits: Limits) -> Option<Box<dyn Policy + Send + Sync>> {
    Some(match name {
        "weir" => Box::new(WeirPolicy::new(limits)),
        "ds2" => Box::new(Ds2Policy::default()),
        "static" => Box::new(StaticPolicy),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_has_the_name_it_is_found_by() {
        for name in POLICY_NAMES {
            let policy = policy_by_name(name, Limits::default());
            assert_eq!(policy.map(|p| p.name()), Some(name));
        }
        assert!(policy_by_name("ds3", Limits::default()).is_none());
    }
}
