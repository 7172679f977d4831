//! Policies by name.

use crate::{A4sPolicy, Ds2Policy, JustinPolicy, Limits, Policy, StaticPolicy, WeirPolicy};

/// Names that [`policy_by_name`] knows.
pub const POLICY_NAMES: [&str; 7] = [
    "weir",
    "ds2",
    "justin",
    "justin-as-published",
    "a4s",
    "a4s-as-published",
    "static",
];

/// The policy with this name and its default parameters; absent if there is none.
#[must_use]
pub fn policy_by_name(name: &str, limits: Limits) -> Option<Box<dyn Policy + Send + Sync>> {
    Some(match name {
        "weir" => Box::new(WeirPolicy::new(limits)),
        "ds2" => Box::new(Ds2Policy::default()),
        "justin" => Box::new(JustinPolicy::paper()),
        "justin-as-published" => Box::new(JustinPolicy::as_published()),
        "a4s" => Box::new(A4sPolicy::corrected()),
        "a4s-as-published" => Box::new(A4sPolicy::as_published()),
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
