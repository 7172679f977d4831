//! A client of the agent's HTTP interface.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::blocking::Client;
use weir_protocol::{Allocation, AppliedAllocation, CacheCapacity, CacheId, Refusal, Report};

use crate::flink_rest::{client, read};
use crate::{CacheWindow, ReportWindow, wait};

/// The agent in one TaskManager.
#[derive(Debug, Clone)]
pub struct Agent {
    url: String,
    http: Client,
}

impl Agent {
    /// The agent that listens at `url`.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            http: client(Duration::from_secs(10)),
        }
    }

    /// Base URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `GET /healthz`.
    pub fn healthz(&self) -> Result<()> {
        self.http
            .get(format!("{}/healthz", self.url))
            .send()?
            .error_for_status()?;
        Ok(())
    }

    /// `GET /v1/report`.
    pub fn report(&self) -> Result<Report> {
        read(self.http.get(format!("{}/v1/report", self.url)).send()?)
    }

    /// `GET /v1/options`: the options in force in every open database.
    pub fn options(&self) -> Result<serde_json::Value> {
        read(self.http.get(format!("{}/v1/options", self.url)).send()?)
    }

    /// `GET /metrics`.
    pub fn metrics(&self) -> Result<String> {
        let response = self.http.get(format!("{}/metrics", self.url)).send()?;
        Ok(response.error_for_status()?.text()?)
    }

    /// `PUT /v1/allocation`: what was applied, or the HTTP status and why it was refused.
    pub fn allocate(
        &self,
        allocation: &Allocation,
    ) -> Result<Result<AppliedAllocation, (u16, Refusal)>> {
        let url = format!("{}/v1/allocation", self.url);
        let response = self.http.put(url).json(allocation).send()?;
        let status = response.status().as_u16();
        let body = response.text()?;
        let unexpected = || format!("PUT /v1/allocation answered {status}: {body}");
        Ok(if status == 200 {
            Ok(serde_json::from_str(&body).with_context(unexpected)?)
        } else {
            Err((
                status,
                serde_json::from_str(&body).with_context(unexpected)?,
            ))
        })
    }

    /// Sets capacities with the next generation; an error if that is refused.
    pub fn resize(&self, capacities: &[(CacheId, u64)]) -> Result<AppliedAllocation> {
        let caches = capacities
            .iter()
            .map(|&(id, capacity_bytes)| CacheCapacity { id, capacity_bytes })
            .collect();
        let generation = self.report()?.generation + 1;
        self.allocate(&Allocation {
            generation,
            caches,
            write_buffers: Vec::new(),
        })?
        .map_err(|(status, refusal)| anyhow::anyhow!("refused with {status}: {}", refusal.message))
    }

    /// Waits until there are `count` caches that all have a curve.
    pub fn wait_for_curves(&self, count: usize, deadline: Duration) -> Result<Report> {
        wait::until(&format!("curves of {count} caches"), deadline, || {
            let report = self.report()?;
            let with_curve = report.caches.iter().filter(|c| c.curve.is_some()).count();
            ensure!(
                report.caches.len() == count && with_curve == count,
                "{} caches, {with_curve} of them with a curve",
                report.caches.len()
            );
            Ok(Some(report))
        })
    }

    /// What happens from now on for `length`: two reports that far apart.
    pub fn observe(&self, length: Duration) -> Result<ReportWindow> {
        let before = self.report()?;
        std::thread::sleep(length);
        Ok(ReportWindow::new(before, self.report()?))
    }

    /// Observes until every cache has at least `lookups` lookups in the window, so that its miss ratio means something.
    pub fn observe_lookups(&self, lookups: u64, deadline: Duration) -> Result<ReportWindow> {
        let before = self.report()?;
        wait::until(
            &format!("{lookups} lookups in every cache"),
            deadline,
            || {
                let window = ReportWindow::new(before.clone(), self.report()?);
                let enough = |c: &CacheWindow<'_>| c.lookups() >= lookups;
                let ready = window.caches().all(|c| enough(&c));
                Ok(ready.then_some(window))
            },
        )
    }
}
