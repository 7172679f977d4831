//! `weir advise`: two reports, the plan of one policy or of all side by side, nothing changed.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use serde::Serialize;
use weir_scaling::{Guard, History, Plan, Snapshot};

use crate::Failure;
use crate::agent_client::AgentClient;
use crate::clock::now_ms;
use crate::counters::CounterLog;
use crate::fleet::Fleet;
use crate::flink::{FlinkClient, Reading};
use crate::observe::snapshot;
use crate::policies::PolicyName;
use crate::settings::Settings;
use crate::table;

#[derive(Serialize)]
struct Advice<'a> {
    snapshot: &'a Snapshot,
    plans: Vec<Advised<'a>>,
}

#[derive(Serialize)]
struct Advised<'a> {
    plan: &'a Plan,
    sentences: Vec<String>,
}

/// Polls the configured agents twice and writes the plan to `out`.
pub async fn advise(
    settings: &Settings,
    only: Option<PolicyName>,
    json: bool,
    out: &mut (impl Write + Send),
) -> Result<(), Failure> {
    if settings.agents.is_empty() && settings.flink.is_none() {
        let hint = anyhow!(
            "nobody to ask; name an agent with --agent http://HOST:9260 (the TaskManager's log has the URL) or Flink with --flink http://HOST:8081"
        );
        return Err(Failure::Usage(hint));
    }
    let client = AgentClient::new(settings.timeout, None)?;
    let mut fleet = Fleet::new(&settings.agents, settings.windows, Duration::MAX);
    let flink = settings.flink.clone();
    let flink = flink
        .map(|url| FlinkClient::new(url, settings.timeout))
        .transpose()?;
    let mut counters = CounterLog::default();
    poll(&client, &settings.agents, &mut fleet).await?;
    poll_flink(flink.as_ref(), &mut counters).await?;
    if !json {
        let seconds = settings.windows.miss_ratio.as_secs_f64();
        eprintln!("counting lookups for {seconds:.1} s ...");
    }
    tokio::time::sleep(settings.windows.miss_ratio).await;
    poll(&client, &settings.agents, &mut fleet).await?;
    let reading = poll_flink(flink.as_ref(), &mut counters).await?;
    let jobs = reading.as_ref().map(|r| r.jobs.as_slice());
    let mut snapshot = snapshot(&fleet, jobs, settings.windows, Instant::now(), now_ms());
    snapshot.terms = settings.terms;
    if let Some(reading) = &reading {
        snapshot.slots = reading.slots;
        for tm in &mut snapshot.task_managers {
            tm.slots = reading.slots_by_tm.get(&tm.tm_id).copied();
        }
    }
    // Models know nothing but this one look.
    let mut history = History::default();
    history.observe(&snapshot);
    let guard = Guard::new(settings.limits).with_job_limits(settings.job_limits.clone());
    let decide = |policy: PolicyName| {
        let plan = policy.build(settings.limits).decide(&snapshot, &history);
        guard.review(plan, &snapshot, &history)
    };
    let plans: Vec<Plan> = match only {
        Some(policy) => vec![decide(policy)],
        None => PolicyName::all().map(decide).collect(),
    };
    let written = if json {
        let advised = |plan| Advised {
            plan,
            sentences: table::sentences(plan),
        };
        let advice = Advice {
            snapshot: &snapshot,
            plans: plans.iter().map(advised).collect(),
        };
        serde_json::to_string_pretty(&advice).map_err(|e| Failure::Failed(e.into()))?
    } else {
        // The first policy's plan in full, all of them side by side.
        let full = plans.first().map(table::advice).unwrap_or_default();
        let all = if plans.len() > 1 {
            table::side_by_side(&plans)
        } else {
            String::new()
        };
        format!("{full}\n{all}")
    };
    writeln!(out, "{}", written.trim_end()).map_err(|e| Failure::Failed(e.into()))
}

async fn poll_flink(
    flink: Option<&FlinkClient>,
    counters: &mut CounterLog,
) -> anyhow::Result<Option<Reading>> {
    let Some(flink) = flink else {
        return Ok(None);
    };
    let mut reading = flink.read().await?;
    for (job, vertex, read) in reading.counters.drain(..) {
        counters.push(&job, &vertex, read, Duration::MAX);
    }
    for job in &mut reading.jobs {
        counters.fill(job);
    }
    Ok(Some(reading))
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
