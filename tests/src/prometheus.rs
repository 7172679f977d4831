//! A Prometheus server that scrapes what a controller tells it to.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::blocking::Client;
use serde_json::Value;

use crate::flink_rest::{client, read};
use crate::ports::free_port;
use crate::process::Process;
use crate::{artefacts, wait};

/// A running server; ends when dropped.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    url: String,
    http: Client,
}

impl Prometheus {
    /// Starts Debian's Prometheus as `monitoring/` configures it, but for the controller's address, `host:port`.
    pub fn start(dir: &Path, controller: &str) -> Result<Self> {
        let program = artefacts::system_program("prometheus", "prometheus")?;
        let monitoring = artefacts::root().join("monitoring");
        let template = fs::read_to_string(monitoring.join("prometheus.yml"))
            .context("cannot read monitoring/prometheus.yml")?;
        ensure!(
            template.contains("127.0.0.1:9240"),
            "monitoring/prometheus.yml names no controller"
        );
        let configuration = dir.join("prometheus.yml");
        // Nobody waits a quarter of a minute in a test for a target to be found.
        let text = template
            .replace("127.0.0.1:9240", controller)
            .replace("refresh_interval: 15s", "refresh_interval: 2s");
        fs::write(&configuration, text)?;
        symlink(monitoring.join("rules"), dir.join("rules")).context("cannot link rules")?;

        let port = free_port()?;
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.join("tsdb").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .current_dir(dir);
        let mut process = Process::start("prometheus", &command, &dir.join("prometheus.log"))?;
        let http = client(Duration::from_secs(10));
        let url = format!("http://127.0.0.1:{port}");
        wait::until("Prometheus to be ready", Duration::from_secs(60), || {
            if let Err(dead) = process.check_alive() {
                return Ok(Some(Err(dead)));
            }
            let ready = http
                .get(format!("{url}/-/ready"))
                .send()?
                .status()
                .is_success();
            Ok(ready.then_some(Ok(())))
        })??;
        Ok(Self { process, url, http })
    }

    /// Base URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it printed.
    pub fn log(&self) -> Result<String> {
        self.process.log()
    }

    /// An instant query that yields one number; `None` while there is no (finite) answer yet.
    pub fn query(&self, promql: &str) -> Result<Option<f64>> {
        let values = self.query_vector(promql)?;
        ensure!(
            values.len() <= 1,
            "{promql} yields {} series, expected one",
            values.len()
        );
        Ok(values.first().map(|(_, v)| *v).filter(|v| v.is_finite()))
    }

    /// An instant query: every series' labels and value.
    pub fn query_vector(&self, promql: &str) -> Result<Vec<(Value, f64)>> {
        let request = self.http.get(format!("{}/api/v1/query", self.url));
        let answer: Value = read(request.query(&[("query", promql)]).send()?)?;
        let series = answer["data"]["result"]
            .as_array()
            .context("no result in the answer")?;
        series
            .iter()
            .map(|s| {
                let value = s["value"][1].as_str().context("no value in the answer")?;
                Ok((s["metric"].clone(), value.parse()?))
            })
            .collect()
    }
}
