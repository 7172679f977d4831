//! The part of Flink's REST API that tests and demo use.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::blocking::{Client, Response, multipart};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::wait;

/// Planning a SQL job inside the JobManager takes seconds, on a loaded machine tens of them.
const TIMEOUT: Duration = Duration::from_secs(180);

/// A client of one JobManager.
#[derive(Debug, Clone)]
pub struct FlinkRest {
    url: String,
    http: Client,
}

/// `GET /overview`.
#[derive(Debug, Deserialize)]
pub struct Overview {
    /// Registered TaskManagers.
    #[serde(rename = "taskmanagers")]
    pub task_managers: usize,
    /// Slots nobody uses.
    #[serde(rename = "slots-available")]
    pub slots_available: usize,
    /// Of Flink.
    #[serde(rename = "flink-version")]
    pub version: String,
}

/// `GET /jobs/:id`, the part of interest.
#[derive(Debug, Deserialize)]
pub struct Job {
    /// `RUNNING`, `FINISHED`, `FAILED`, `CANCELED` ...
    pub state: String,
    /// Milliseconds since the job was submitted, or that it took.
    #[serde(default, rename = "duration")]
    pub duration_ms: i64,
    /// One per task of the job graph.
    pub vertices: Vec<Vertex>,
}

impl Job {
    /// From the start of its first task until it ended, or now: without the planning and the wait for slots.
    #[must_use]
    pub fn running_time(&self) -> Duration {
        let longest = self.vertices.iter().map(|vertex| vertex.duration_ms).max();
        let millis = longest.filter(|&ms| ms > 0).unwrap_or(self.duration_ms);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}

/// One task of the job graph.
#[derive(Debug, Clone, Deserialize)]
pub struct Vertex {
    /// Flink's id, hexadecimal.
    pub id: String,
    /// The chain's name.
    pub name: String,
    /// Number of subtasks.
    pub parallelism: u32,
    /// `RUNNING`, ...
    pub status: String,
    /// Milliseconds since it started, or that it took; -1 before that.
    #[serde(default, rename = "duration")]
    pub duration_ms: i64,
}

/// Which attempt each subtask is in, and how often the job has restarted: what must not change when memory moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incarnation {
    /// The `numRestarts` metric.
    pub restarts: u64,
    /// `(vertex, subtask, attempt)`.
    pub attempts: Vec<(String, u64, u64)>,
}

impl FlinkRest {
    /// A client of the JobManager at `url`.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            http: client(TIMEOUT),
        }
    }

    /// Base URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Numbers of TaskManagers and slots.
    pub fn overview(&self) -> Result<Overview> {
        self.get("/overview")
    }

    /// Uploads a JAR and returns the id Flink gives it.
    pub fn upload(&self, jar: &Path) -> Result<String> {
        let form = multipart::Form::new()
            .file("jarfile", jar)
            .with_context(|| format!("cannot read {}", jar.display()))?;
        let answer: Value = read(
            self.http
                .post(format!("{}/jars/upload", self.url))
                .multipart(form)
                .send()?,
        )?;
        let name = answer["filename"]
            .as_str()
            .context("no filename in the answer")?;
        Ok(name.rsplit('/').next().unwrap_or(name).to_owned())
    }

    /// Runs the main class of an uploaded JAR and returns the job's id.
    pub fn run(&self, jar_id: &str, main_class: &str, arguments: &[String]) -> Result<String> {
        self.run_from(None, jar_id, main_class, arguments)
    }

    /// The same, restored from a savepoint.
    pub fn run_from(
        &self,
        savepoint: Option<&str>,
        jar_id: &str,
        main_class: &str,
        arguments: &[String],
    ) -> Result<String> {
        let mut body = json!({ "entryClass": main_class, "programArgsList": arguments });
        if let Some(savepoint) = savepoint {
            body["savepointPath"] = savepoint.into();
        }
        let url = format!("{}/jars/{jar_id}/run", self.url);
        let answer: Value = read(self.http.post(url).json(&body).send()?)?;
        Ok(answer["jobid"]
            .as_str()
            .context("no jobid in the answer")?
            .to_owned())
    }

    /// State and tasks of a job.
    pub fn job(&self, id: &str) -> Result<Job> {
        self.get(&format!("/jobs/{id}"))
    }

    /// Ids of the jobs that are not in a final state.
    pub fn running_jobs(&self) -> Result<Vec<String>> {
        let answer: Value = self.get("/jobs")?;
        let jobs = answer["jobs"].as_array().context("no jobs in the answer")?;
        Ok(jobs
            .iter()
            .filter(|job| job["status"].as_str().is_some_and(|s| !is_final(s)))
            .filter_map(|job| job["id"].as_str().map(str::to_owned))
            .collect())
    }

    /// Restart counter and attempt numbers.
    pub fn incarnation(&self, id: &str) -> Result<Incarnation> {
        let metrics: Value = self.get(&format!("/jobs/{id}/metrics?get=numRestarts"))?;
        let restarts = metrics[0]["value"].as_str().and_then(|v| v.parse().ok());
        let mut attempts = Vec::new();
        for vertex in self.job(id)?.vertices {
            let detail: Value = self.get(&format!("/jobs/{id}/vertices/{}", vertex.id))?;
            for subtask in detail["subtasks"]
                .as_array()
                .context("no subtasks in the answer")?
            {
                let number = |name: &str| {
                    subtask[name]
                        .as_u64()
                        .with_context(|| format!("no {name} in {subtask}"))
                };
                attempts.push((vertex.id.clone(), number("subtask")?, number("attempt")?));
            }
        }
        Ok(Incarnation {
            restarts: restarts.context("no numRestarts metric yet")?,
            attempts,
        })
    }

    /// Records that all tasks of a job have read so far: data flows when it grows.
    pub fn records_read(&self, id: &str) -> Result<u64> {
        let answer: Value = self.get(&format!("/jobs/{id}"))?;
        let vertices = answer["vertices"]
            .as_array()
            .context("no vertices in the answer")?;
        Ok(vertices
            .iter()
            .filter_map(|v| v["metrics"]["read-records"].as_u64())
            .sum())
    }

    /// Number of the checkpoint that the job last started from; `None` if it started with nothing.
    pub fn restored_checkpoint(&self, id: &str) -> Result<Option<u64>> {
        let answer: Value = self.get(&format!("/jobs/{id}/checkpoints"))?;
        Ok(answer["latest"]["restored"]["id"].as_u64())
    }

    /// Why the job failed, as the web page shows it; empty if it did not.
    pub fn root_exception(&self, id: &str) -> Result<String> {
        let answer: Value = self.get(&format!("/jobs/{id}/exceptions"))?;
        let newest = &answer["exceptionHistory"]["entries"][0]["stacktrace"];
        let text = newest.as_str().or(answer["root-exception"].as_str());
        Ok(text.unwrap_or_default().to_owned())
    }

    /// Waits until every subtask runs.
    pub fn wait_until_running(&self, id: &str) -> Result<()> {
        let outcome = wait::until("the job to run", TIMEOUT, || {
            let job = self.job(id)?;
            if job.state == "FAILED" {
                return Ok(Some(Err(self.root_exception(id)?)));
            }
            let all =
                !job.vertices.is_empty() && job.vertices.iter().all(|v| v.status == "RUNNING");
            Ok((job.state == "RUNNING" && all).then_some(Ok(())))
        })?;
        outcome.map_err(|why| anyhow::anyhow!("job {id} failed:\n{why}"))
    }

    /// Waits until the job has ended, and returns its final state.
    pub fn wait_until_ended(&self, id: &str, deadline: Duration) -> Result<String> {
        wait::until("the job to end", deadline, || {
            let state = self.job(id)?.state;
            Ok(is_final(&state).then_some(state))
        })
    }

    /// Stops the job with a savepoint below a folder, waits until it has ended, and returns the savepoint's location.
    pub fn stop_with_savepoint(&self, id: &str, folder: &Path) -> Result<String> {
        let body = json!({ "targetDirectory": folder, "drain": false });
        let url = format!("{}/jobs/{id}/stop", self.url);
        let answer: Value = read(self.http.post(url).json(&body).send()?)?;
        let request = answer["request-id"]
            .as_str()
            .context("no request-id in the answer")?;
        let path = format!("/jobs/{id}/savepoints/{request}");
        let operation = wait::until("the savepoint", TIMEOUT, || {
            let answer: Value = self.get(&path)?;
            let completed = answer["status"]["id"] == "COMPLETED";
            Ok(completed.then(|| answer["operation"].clone()))
        })?;
        let location = operation["location"].as_str().with_context(|| {
            format!("job {id} made no savepoint: {}", operation["failure-cause"])
        })?;
        self.wait_until_ended(id, TIMEOUT)?;
        Ok(location.to_owned())
    }

    /// The JSON at a path, for what has no method of its own.
    pub fn json(&self, path: &str) -> Result<Value> {
        self.get(path)
    }

    /// Cancels the job and waits until it is gone and its slots are free again.
    pub fn cancel(&self, id: &str) -> Result<()> {
        let url = format!("{}/jobs/{id}?mode=cancel", self.url);
        let response = self.http.patch(url).send()?;
        if !response.status().is_success() {
            bail!("cancelling job {id}: {}", response.text()?);
        }
        let state = self.wait_until_ended(id, TIMEOUT)?;
        if state != "CANCELED" {
            bail!("job {id} was to be cancelled and ended as {state}");
        }
        Ok(())
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        read(self.http.get(format!("{}{path}", self.url)).send()?)
    }
}

/// Whether a job in this state has ended.
#[must_use]
pub fn is_final(state: &str) -> bool {
    ["FINISHED", "FAILED", "CANCELED"].contains(&state)
}

/// An HTTP client for loopback: no proxy, and a timeout.
#[must_use]
pub fn client(timeout: Duration) -> Client {
    Client::builder()
        .timeout(timeout)
        .no_proxy()
        .build()
        .unwrap_or_default()
}

/// The JSON of a good answer, or an error that quotes the body of a bad one.
pub fn read<T: DeserializeOwned>(response: Response) -> Result<T> {
    let (status, url) = (response.status(), response.url().clone());
    let body = response.text()?;
    if !status.is_success() {
        bail!("{url} answered {status}: {body}");
    }
    serde_json::from_str(&body).with_context(|| format!("{url} answered unexpected JSON: {body}"))
}
