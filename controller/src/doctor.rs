//! `weir doctor`: looks at agents, Flink and controller, and says what keeps them from working together and what to do about it.

mod agents;
mod cluster;
mod finding;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use serde::Deserialize;

use crate::agent_client::{AgentClient, innermost};
use crate::flink::FlinkClient;
use crate::settings::base_url;
use crate::status::Status;
use crate::{Failure, duration};

pub use finding::{Finding, Verdict};

/// Arguments of `weir doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Agent to look at (may be repeated); those the controller knows are looked at too.
    #[arg(long, value_name = "URL")]
    pub agent: Vec<String>,
    /// Flink's REST API.
    #[arg(long, value_name = "URL")]
    pub flink: Option<String>,
    /// The controller.
    #[arg(long, value_name = "URL")]
    pub controller: Option<String>,
    /// Longest wait for an answer.
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub timeout: String,
    /// Print the findings as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What Flink's REST API tells about the cluster.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClusterFacts {
    /// `1.20.5`.
    pub version: String,
    /// Its configuration as the JobManager has it.
    pub configuration: BTreeMap<String, String>,
    /// How many TaskManagers it has.
    pub task_managers: usize,
    /// How many jobs run.
    pub running_jobs: usize,
}

#[derive(Deserialize)]
struct Overview {
    #[serde(rename = "flink-version")]
    version: String,
    taskmanagers: usize,
    #[serde(rename = "jobs-running")]
    running: usize,
}

/// Looks, writes the findings, and fails if one of them is a fault.
pub async fn doctor(args: &DoctorArgs, out: &mut (impl Write + Send)) -> Result<(), Failure> {
    let usage = |message: String| Failure::Usage(anyhow!(message));
    let timeout = duration::parse(&args.timeout).map_err(|e| usage(format!("--timeout: {e}")))?;
    let url = |flag: &str, text: &str| {
        base_url(text).map_err(|e| usage(format!("--{flag} {text}: {e:#}")))
    };
    let mut urls = args
        .agent
        .iter()
        .map(|text| url("agent", text))
        .collect::<Result<Vec<_>, _>>()?;
    let flink = args.flink.as_deref().map(|t| url("flink", t)).transpose()?;
    let controller = args.controller.as_deref();
    let controller = controller.map(|t| url("controller", t)).transpose()?;
    if urls.is_empty() && flink.is_none() && controller.is_none() {
        return Err(usage(
            "nothing to look at; name a controller with --controller http://HOST:9240, Flink with --flink http://HOST:8081 or an agent with --agent http://HOST:9260".to_owned(),
        ));
    }

    let mut findings = Vec::new();
    if let Some(controller) = &controller {
        let status = ask_controller(controller, timeout).await;
        findings.extend(cluster::of_controller(controller, &status));
        let known = status.ok().into_iter().flat_map(|s| s.agents);
        urls.extend(known.map(|agent| agent.url));
        urls.sort();
        urls.dedup();
    }
    let mut facts = None;
    if let Some(flink) = &flink {
        let asked = ask_flink(flink, timeout).await;
        findings.extend(cluster::of_flink(flink, &asked));
        facts = asked.ok();
    }
    if let Some(facts) = &facts {
        findings.extend(cluster::of_fleet(facts, urls.len()));
    }
    let client = AgentClient::new(timeout, None)?;
    for url in &urls {
        let report = client.report(url).await;
        findings.extend(agents::of_agent(url, &report, facts.as_ref()));
    }
    write(&findings, args.json, out)?;
    let faults = findings.iter().filter(|f| f.verdict == Verdict::Fault);
    match faults.count() {
        0 => Ok(()),
        1 => Err(Failure::Failed(anyhow!("one fault was found"))),
        n => Err(Failure::Failed(anyhow!("{n} faults were found"))),
    }
}

async fn ask_controller(url: &str, timeout: Duration) -> anyhow::Result<Status> {
    let http = reqwest::Client::builder().timeout(timeout).no_proxy();
    let answer = http.build()?.get(format!("{url}/v1/status")).send().await;
    let answer = answer.map_err(|e| anyhow!("{}", innermost(&e)))?;
    let answer = answer.error_for_status()?;
    answer
        .json()
        .await
        .context("what answers there is no controller of this release")
}

async fn ask_flink(url: &str, timeout: Duration) -> anyhow::Result<ClusterFacts> {
    let client = FlinkClient::new(url.to_owned(), timeout)?;
    let overview: Overview = client.get("/overview").await?;
    Ok(ClusterFacts {
        version: overview.version,
        configuration: client.configuration().await?,
        task_managers: overview.taskmanagers,
        running_jobs: overview.running,
    })
}

fn write(findings: &[Finding], json: bool, out: &mut impl Write) -> Result<(), Failure> {
    let text = if json {
        serde_json::to_string_pretty(findings).context("findings")? + "\n"
    } else {
        findings.iter().map(ToString::to_string).collect()
    };
    out.write_all(text.as_bytes()).context("cannot write")?;
    Ok(())
}
