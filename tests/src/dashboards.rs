//! The queries of Grafana's dashboards, ready to be asked of a Prometheus without Grafana.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::artefacts;

/// One query of one panel, or of an annotation.
#[derive(Debug, Clone)]
pub struct PanelQuery {
    /// `dashboard: panel`.
    pub place: String,
    /// Its variables filled in, as Grafana would with everything selected.
    pub promql: String,
    /// Whether it may have no answer: an annotation marks events that may not have happened.
    pub may_be_empty: bool,
}

/// Every query of `monitoring/grafana/dashboards`.
pub fn queries() -> Result<Vec<PanelQuery>> {
    let dir = artefacts::root().join("monitoring/grafana/dashboards");
    let mut queries = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        let dashboard: Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is not JSON", path.display()))?;
        let title = &dashboard["title"];
        for panel in array(&dashboard["panels"]) {
            for target in array(&panel["targets"]) {
                let place = format!("{title}: {}", panel["title"]);
                queries.push(query(&dashboard, place, target, false)?);
            }
        }
        for annotation in array(&dashboard["annotations"]["list"]) {
            let place = format!("{title}: annotation {}", annotation["name"]);
            queries.push(query(&dashboard, place, annotation, true)?);
        }
    }
    ensure!(!queries.is_empty(), "{} has no queries", dir.display());
    Ok(queries)
}

fn query(dashboard: &Value, place: String, of: &Value, may_be_empty: bool) -> Result<PanelQuery> {
    let expr = of["expr"]
        .as_str()
        .with_context(|| format!("{place} has no expr"))?;
    let mut promql = expr.replace("$__rate_interval", "1m");
    for variable in array(&dashboard["templating"]["list"]) {
        let name = variable["name"].as_str().unwrap_or_default();
        let all = variable["allValue"].as_str().or(variable["query"].as_str());
        promql = promql.replace(&format!("${name}"), all.unwrap_or_default());
    }
    ensure!(
        !promql.contains('$'),
        "{place} uses a variable that the dashboard has not: {promql}"
    );
    Ok(PanelQuery {
        place,
        promql,
        may_be_empty,
    })
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
