//! A running `weir run`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use reqwest::blocking::Client;
use serde_json::Value;

use crate::flink_rest::{client, read};
use crate::ports::free_port;
use crate::process::Process;
use crate::{Agent, FlinkRest, artefacts, wait};

/// A controller daemon; ends when dropped.
#[derive(Debug)]
pub struct Controller {
    process: Process,
    url: String,
    http: Client,
}

/// How to start it.
#[derive(Debug, Clone)]
pub struct ControllerOptions {
    /// Whether it may resize caches; without, it only advises.
    pub act: bool,
    /// The text of a configuration file: a policy, limits, or whatever there is no field for here. Fields come first.
    pub configuration: String,
    /// Append-only history; give the same file to resume.
    pub history: PathBuf,
    /// Where it listens; `None` for any free port.
    pub port: Option<u16>,
    /// Seconds between two decisions.
    pub interval_seconds: u32,
}

impl Controller {
    /// Starts `weir run` on these agents and waits until it answers.
    pub fn start(
        dir: &Path,
        options: &ControllerOptions,
        agents: &[&Agent],
        flink: &FlinkRest,
    ) -> Result<Self> {
        let port = options.port.map_or_else(free_port, Ok)?;
        let url = format!("http://127.0.0.1:{port}");
        let configuration = dir.join("weir.toml");
        fs::write(&configuration, &options.configuration)?;
        let mut command = Command::new(artefacts::weir_binary()?);
        command
            .arg("run")
            .arg("--config")
            .arg(&configuration)
            .args(["--flink", flink.url()])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--interval", &format!("{}s", options.interval_seconds)])
            .arg("--history")
            .arg(&options.history)
            .current_dir(dir);
        for agent in agents {
            command.args(["--agent", agent.url()]);
        }
        if options.act {
            command.args(["--act", "resize"]);
        }
        let mut process = Process::start(
            "weir run",
            &command,
            &dir.join(format!("controller-{port}.log")),
        )?;
        let http = client(Duration::from_secs(10));
        wait::until("the controller's /healthz", Duration::from_secs(60), || {
            if let Err(dead) = process.check_alive() {
                return Ok(Some(Err(dead)));
            }
            let well = http
                .get(format!("{url}/healthz"))
                .send()?
                .status()
                .is_success();
            Ok(well.then_some(Ok(())))
        })??;
        Ok(Self { process, url, http })
    }

    /// Base URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `host:port`, as Prometheus wants it.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// `GET /v1/status`.
    pub fn status(&self) -> Result<Value> {
        read(self.http.get(format!("{}/v1/status", self.url)).send()?)
    }

    /// `GET /metrics`.
    pub fn metrics(&self) -> Result<String> {
        let response = self.http.get(format!("{}/metrics", self.url)).send()?;
        Ok(response.error_for_status()?.text()?)
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}
