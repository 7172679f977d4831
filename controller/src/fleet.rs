//! The agents that are known: from configuration or by announcement.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::ensure;
use weir_protocol::{Announcement, PROTOCOL_VERSION, Report};

use crate::agent_client::AgentError;
use crate::observe::{ReportLog, Windows};
use crate::settings::base_url;

/// All agents, by URL.
#[derive(Debug)]
pub struct Fleet {
    agents: BTreeMap<String, Agent>,
    keep: Duration,
    drop_after: Duration,
}

/// One agent.
#[derive(Debug)]
pub struct Agent {
    /// Base URL.
    pub url: String,
    /// What it reported lately.
    pub log: ReportLog,
    /// What went wrong at the last poll; absent if nothing did.
    pub error: Option<String>,
    /// Configured agents are never forgotten.
    configured: bool,
    /// Last report or announcement.
    heard: Instant,
}

// === impl Fleet ===

impl Fleet {
    /// More announced agents than this are an accident or an attack.
    pub const MAX_AGENTS: usize = 10_000;

    /// A fleet of the configured agents.
    #[must_use]
    pub fn new(configured: &[String], windows: Windows, drop_after: Duration) -> Self {
        let agent = |url: &String| (url.clone(), Agent::new(url.clone(), true));
        Self {
            agents: configured.iter().map(agent).collect(),
            keep: windows.load.max(windows.miss_ratio) * 2,
            drop_after,
        }
    }

    /// Takes an announcement in; the answer says whether the agent is new.
    pub fn announce(&mut self, announcement: &Announcement) -> anyhow::Result<bool> {
        ensure!(
            announcement.protocol_version == PROTOCOL_VERSION,
            "the agent speaks protocol {}, this controller {PROTOCOL_VERSION}: use agent and controller of one release",
            announcement.protocol_version
        );
        let url = base_url(&announcement.url)?;
        if let Some(agent) = self.agents.get_mut(&url) {
            agent.heard = Instant::now();
            return Ok(false);
        }
        ensure!(
            self.agents.len() < Self::MAX_AGENTS,
            "{} agents are known already",
            Self::MAX_AGENTS
        );
        // A TaskManager that came back on another port replaces what it left behind.
        let tm_id = &announcement.tm_id;
        self.agents
            .retain(|_, a| a.configured || a.error.is_none() || a.tm_id() != Some(tm_id));
        self.agents.insert(url.clone(), Agent::new(url, false));
        Ok(true)
    }

    /// The agents, by URL.
    pub fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.values()
    }

    /// The newest report of the agent that [`Self::url_of`] names.
    #[must_use]
    pub fn report_of(&self, tm_id: &str) -> Option<&Report> {
        let url = self.url_of(tm_id)?;
        let agent = self.agents().find(|a| a.url == url)?;
        agent.log.newest()
    }

    /// URL under which a TaskManager was heard last.
    #[must_use]
    pub fn url_of(&self, tm_id: &str) -> Option<String> {
        let of_tm = self.agents.values().filter(|a| a.tm_id() == Some(tm_id));
        let now = Instant::now();
        of_tm.min_by_key(|a| a.log.age(now)).map(|a| a.url.clone())
    }

    /// Takes the outcome of a poll in.
    pub fn record(&mut self, url: &str, polled: Result<Report, AgentError>) {
        let Some(agent) = self.agents.get_mut(url) else {
            return;
        };
        match polled {
            Ok(report) => {
                let now = Instant::now();
                if agent.error.take().is_some() {
                    tracing::info!(url, "agent is back");
                }
                agent.heard = now;
                agent.log.push(now, report, self.keep);
            }
            Err(error) => {
                let error = error.to_string();
                // Once per fault, not once per poll.
                if agent.error.as_ref() != Some(&error) {
                    tracing::warn!("{error}");
                }
                agent.error = Some(error);
            }
        }
    }

    /// Forgets announced agents that were not heard for too long.
    pub fn drop_lost(&mut self) {
        let now = Instant::now();
        let drop_after = self.drop_after;
        self.agents.retain(|url, agent| {
            let keep = agent.configured || now.duration_since(agent.heard) <= drop_after;
            if !keep {
                tracing::warn!(
                    url,
                    "agent was not heard for {drop_after:?} and is forgotten"
                );
            }
            keep
        });
    }
}

// === impl Agent ===

impl Agent {
    /// Its TaskManager, once it reported.
    #[must_use]
    pub fn tm_id(&self) -> Option<&str> {
        self.log.newest().map(|r| r.agent.tm_id.as_str())
    }

    fn new(url: String, configured: bool) -> Self {
        Self {
            url,
            log: ReportLog::default(),
            error: None,
            configured,
            heard: Instant::now(),
        }
    }
}
