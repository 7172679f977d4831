//! `weir advise`: two reports, one plan, nothing changed.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use serde::Serialize;
use weir_scaling::{Guard, History, Plan, Snapshot};

use crate::Failure;
use crate::agent_client::AgentClient;
use crate::clock::now_ms;
use crate::fleet::Fleet;
use crate::flink::FlinkClient;
use crate::observe::snapshot;
use crate::settings::Settings;
use crate::table;

#[derive(Serialize)]
struct Advice<'a> {
    snapshot: &'a Snapshot,
    plan: &'a Plan,
    sentences: Vec<String>,
}

/// Polls the configured agents twice and writes the plan to `out`.
pub async fn advise(
    settings: &Settings,
    json: bool,
    out: &mut (impl Write + Send),
) -> Result<(), Failure> {
    if settings.agents.is_empty() {
        let hint = anyhow!(
            "no agent to ask; name one with --agent http://HOST:9260 (the TaskManager's log has the URL)"
        );
        return Err(Failure::Usage(hint));
    }
    let client = AgentClient::new(settings.timeout, None)?;
    let mut fleet = Fleet::new(&settings.agents, settings.windows, Duration::MAX);
    poll(&client, &settings.agents, &mut fleet).await?;
    if !json {
        let seconds = settings.windows.miss_ratio.as_secs_f64();
        eprintln!("counting lookups for {seconds:.1} s ...");
    }
    tokio::time::sleep(settings.windows.miss_ratio).await;
    poll(&client, &settings.agents, &mut fleet).await?;
    let jobs = match &settings.flink {
        Some(url) => Some(
            FlinkClient::new(url.clone(), settings.timeout)?
                .jobs()
                .await?,
        ),
        None => None,
    };
    let snapshot = snapshot(
        &fleet,
        jobs.as_deref(),
        settings.windows,
        Instant::now(),
        now_ms(),
    );
    let history = History::default();
    let plan = settings
        .policy
        .build(settings.limits)
        .decide(&snapshot, &history);
    let plan = Guard::new(settings.limits).review(plan, &snapshot, &history);
    let written = if json {
        let advice = Advice {
            snapshot: &snapshot,
            plan: &plan,
            sentences: table::sentences(&plan),
        };
        serde_json::to_string_pretty(&advice).map_err(|e| Failure::Failed(e.into()))?
    } else {
        table::advice(&plan)
    };
    writeln!(out, "{written}").map_err(|e| Failure::Failed(e.into()))
}

async fn poll(client: &AgentClient, urls: &[String], fleet: &mut Fleet) -> anyhow::Result<()> {
    for url in urls {
        let report = client.report(url).await?;
        ensure!(
            report.uptime_ms > 0,
            "agent {url} has only just started; try again in a moment"
        );
        fleet.record(url, Ok(report));
    }
    Ok(())
}
