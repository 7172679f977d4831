//! The job under test: Nexmark queries as one Flink job.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{FlinkRest, artefacts};

/// Events a second that two cores digest with room to spare, so that the job runs at a steady rate and not at the machine's mercy.
pub const STEADY_RATE: u64 = 3_000;

/// Auctions that still get bids. With Nexmark's hundred every lookup would be of a block touched a moment ago, and a cache of any size
/// would do; with these the join's working set is larger than its cache.
const OPEN_AUCTIONS: u64 = 10_000;

/// Arguments of a Nexmark job.
#[derive(Debug, Clone)]
pub struct NexmarkJob {
    /// Query names.
    pub queries: Vec<&'static str>,
    /// Shape of the tables: `stream` or `keyed`.
    pub tables: &'static str,
    /// Events a second, over all subtasks.
    pub rate: u64,
    /// Number of events; 0 for no end.
    pub events: u64,
    /// Subtasks of every operator.
    pub parallelism: u32,
    /// Where results go; `None` throws them away.
    pub output: Option<PathBuf>,
    /// Seed of the generator.
    pub seed: u64,
    /// Further options of the generator.
    pub settings: Vec<(String, String)>,
    /// Flink configuration of this job alone.
    pub flink: Vec<(String, String)>,
}

impl NexmarkJob {
    /// The class in the JAR whose arguments these are.
    pub const MAIN_CLASS: &str = "io.weir.nexmark.NexmarkJob";

    /// q20 (every bid with its auction, unbounded join) and q18 (last bid per bidder and auction), without end.
    #[must_use]
    pub fn q20_and_q18(rate: u64) -> Self {
        Self {
            queries: vec!["q20", "q18"],
            tables: "stream",
            rate,
            events: 0,
            parallelism: 2,
            output: None,
            seed: 1,
            settings: vec![(
                "auction.num-in-flight".to_owned(),
                OPEN_AUCTIONS.to_string(),
            )],
            flink: Vec::new(),
        }
    }

    /// Sets an option of the generator.
    #[must_use]
    pub fn set(mut self, option: &str, value: impl ToString) -> Self {
        self.settings.retain(|(name, _)| name != option);
        self.settings.push((option.to_owned(), value.to_string()));
        self
    }

    /// Sets a key of Flink's, or of Weir's, for this job alone.
    #[must_use]
    pub fn configure(mut self, key: &str, value: impl ToString) -> Self {
        self.flink.push((key.to_owned(), value.to_string()));
        self
    }

    /// The same with a state that stops growing: what was not touched for a minute expires, and the next compaction drops it. Then the
    /// next minute of the job is like its last, and a prediction can be held against it.
    #[must_use]
    pub fn with_steady_state(self) -> Self {
        self.configure("table.exec.state.ttl", "60 s")
    }

    /// Uploads the JAR, runs the job, waits until all of it runs (or has ended, where it has an end), and returns its id.
    pub fn submit(&self, flink: &FlinkRest) -> Result<String> {
        let jar = flink.upload(&artefacts::nexmark_jar()?)?;
        self.run(flink, &jar)
    }

    /// Runs the job from a JAR uploaded before.
    pub fn run(&self, flink: &FlinkRest, jar_id: &str) -> Result<String> {
        let job = flink.run(jar_id, Self::MAIN_CLASS, &self.arguments())?;
        if self.events == 0 {
            flink.wait_until_running(&job)?;
        }
        Ok(job)
    }

    /// The command line.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            "--queries".to_owned(),
            self.queries.join(","),
            "--tables".to_owned(),
            self.tables.to_owned(),
            "--rate".to_owned(),
            self.rate.to_string(),
            "--events".to_owned(),
            self.events.to_string(),
            "--parallelism".to_owned(),
            self.parallelism.to_string(),
            "--seed".to_owned(),
            self.seed.to_string(),
            "--job-name".to_owned(),
            format!("nexmark {}", self.queries.join(" and ")),
            "--sink".to_owned(),
        ];
        match &self.output {
            None => arguments.push("blackhole".to_owned()),
            Some(dir) => {
                arguments.extend(["filesystem".to_owned(), "--output".to_owned()]);
                arguments.push(dir.display().to_string());
            }
        }
        for (key, value) in &self.settings {
            arguments.extend(["--set".to_owned(), format!("{key}={value}")]);
        }
        for (key, value) in &self.flink {
            arguments.extend(["--conf".to_owned(), format!("{key}={value}")]);
        }
        arguments
    }
}

/// Everything a job has written into its output folder, sorted.
pub fn output_rows(dir: &Path) -> Result<Vec<String>> {
    let mut rows = Vec::new();
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    for entry in entries {
        let path = entry?.path();
        let is_hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(['.', '_']));
        if path.is_dir() {
            rows.extend(output_rows(&path)?);
        } else if !is_hidden {
            rows.extend(fs::read_to_string(&path)?.lines().map(str::to_owned));
        }
    }
    rows.sort_unstable();
    Ok(rows)
}
