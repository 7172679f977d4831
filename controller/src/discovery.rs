//! `GET /v1/sd`: everything there is to scrape, in the form of Prometheus' HTTP service discovery.
//!
//! One group per target: the controller at the address it was asked under, every known agent, every Flink process with a Prometheus
//! reporter. The label `__meta_weir_kind` (`controller`, `agent`, `flink`) is for `relabel_configs`; `__meta_weir_tm_id` is the TaskManager where there is one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fleet::Fleet;
use crate::reporters::Owner;

/// Targets with common labels, as Prometheus reads them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// `host:port`.
    pub targets: Vec<String>,
    /// Labels of all of them.
    pub labels: BTreeMap<String, String>,
}

/// What to scrape. `controller` is the `host:port` under which the controller was asked; absent if the request did not say.
#[must_use]
pub fn target_groups(
    controller: Option<&str>,
    fleet: &Fleet,
    reporters: &BTreeMap<Owner, String>,
) -> Vec<TargetGroup> {
    let controller = controller.map(|host| TargetGroup::new("controller", host, None));
    let agents = fleet.agents().filter_map(|agent| {
        let authority = agent.url.strip_prefix("http://")?;
        Some(TargetGroup::new("agent", authority, agent.tm_id()))
    });
    let flink = reporters.iter().map(|(owner, target)| {
        let tm_id = match owner {
            Owner::JobManager => None,
            Owner::TaskManager(id) => Some(id.as_str()),
        };
        TargetGroup::new("flink", target, tm_id)
    });
    controller.into_iter().chain(agents).chain(flink).collect()
}

// === impl TargetGroup ===

impl TargetGroup {
    fn new(kind: &str, target: &str, tm_id: Option<&str>) -> Self {
        let mut labels = BTreeMap::from([("__meta_weir_kind".to_owned(), kind.to_owned())]);
        if let Some(id) = tm_id {
            labels.insert("__meta_weir_tm_id".to_owned(), id.to_owned());
        }
        Self {
            targets: vec![target.to_owned()],
            labels,
        }
    }
}
