//! Whether the source keeps the rate that it is asked for: on a real cluster, by its own counters, over subtasks and after a rescale.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use reqwest::blocking::Client;
use serde_json::json;
use weir_testbed::{Cluster, FlinkRest, artefacts, flink_rest, wait};

use crate::cli::{LimiterOptions, Mode};
use crate::cluster_metrics::Proportions;
use crate::job::RunningJob;
use crate::result::table;
use crate::run::cluster_options;

/// After its start, or a rescale, until the JVM has compiled a job and the source has caught up with its schedule.
const SETTLE: Duration = Duration::from_secs(20);
const DEADLINE: Duration = Duration::from_secs(120);
/// More than so far from the rate asked for is missed.
const TOLERANCE: f64 = 0.01;

/// A cluster whose counters are read straight from its processes: through the JobManager they would be up to seconds old.
struct Counters {
    http: Client,
    urls: Vec<String>,
}

/// A job's rate in one shape.
struct Measurement {
    asked: u64,
    shape: String,
    measured: f64,
}

/// Measures and prints; whether every rate was kept.
pub(crate) fn limiter(options: &LimiterOptions) -> Result<bool> {
    let cluster = Cluster::start(
        &cluster_options(options.line, Mode::None)?
            .set("jobmanager.scheduler", "adaptive")
            .set("web.refresh-interval", 500),
    )?;
    let flink = cluster.rest();
    let jar = flink.upload(&artefacts::nexmark_jar()?)?;
    let counters = Counters::of(&cluster)?;
    let mut all = Vec::new();
    println!(
        "{} shapes of a job, {} s each",
        3 * options.rates.len(),
        SETTLE.as_secs() + options.seconds
    );
    for &asked in &options.rates {
        let mut measure = |job: &RunningJob<'_>, subtasks: u32, shape: &str| -> Result<()> {
            wait_for_subtasks(flink, &job.id, subtasks)?;
            sleep(SETTLE);
            let measured = counters.rate(Duration::from_secs(options.seconds))?;
            let shape = shape.to_owned();
            let measurement = Measurement {
                asked,
                shape,
                measured,
            };
            println!("{}", measurement.line());
            all.push(measurement);
            Ok(())
        };
        let job = submit(flink, &jar, asked, 1)?;
        measure(&job, 1, "1 subtask")?;
        rescale(flink, &job.id, 2)?;
        measure(&job, 2, "1 rescaled to 2")?;
        drop(job);
        let job = submit(flink, &jar, asked, 2)?;
        measure(&job, 2, "2 subtasks")?;
    }
    let mut table = table(&["asked/s", "subtasks", "measured/s", "off"]);
    for measurement in &all {
        table.add_row(measurement.cells());
    }
    println!("{table}");
    Ok(all.iter().all(|one| one.off().abs() <= TOLERANCE))
}

/// The cheapest query that looks at bids, so that the source is what is measured.
fn submit<'a>(flink: &'a FlinkRest, jar: &str, rate: u64, subtasks: u32) -> Result<RunningJob<'a>> {
    let arguments: Vec<String> = [
        ("--queries", "q2".to_owned()),
        ("--tables", "keyed".to_owned()),
        ("--rate", rate.to_string()),
        ("--parallelism", subtasks.to_string()),
        ("--set", "rate.after-restore=resume".to_owned()),
    ]
    .into_iter()
    .flat_map(|(name, value)| [name.to_owned(), value])
    .collect();
    RunningJob::submit(flink, jar, None, &arguments, Proportions::of(&[]))
}

fn wait_for_subtasks(flink: &FlinkRest, job: &str, subtasks: u32) -> Result<()> {
    wait::until_true("all subtasks to run", DEADLINE, || {
        let job = flink.job(job)?;
        Ok(job.state == "RUNNING"
            && !job.vertices.is_empty()
            && job
                .vertices
                .iter()
                .all(|vertex| vertex.parallelism == subtasks && vertex.status == "RUNNING"))
    })
}

fn rescale(flink: &FlinkRest, job: &str, subtasks: u32) -> Result<()> {
    let bounds = json!({ "parallelism": { "lowerBound": subtasks, "upperBound": subtasks } });
    let vertices = flink.job(job)?.vertices;
    let requirements: serde_json::Map<_, _> = vertices
        .into_iter()
        .map(|vertex| (vertex.id, bounds.clone()))
        .collect();
    let url = format!("{}/jobs/{job}/resource-requirements", flink.url());
    let answer = flink_rest::client(DEADLINE)
        .put(url)
        .json(&requirements)
        .send()?;
    if !answer.status().is_success() {
        bail!("Flink does not rescale job {job}: {}", answer.text()?);
    }
    Ok(())
}

// === impl Counters ===

impl Counters {
    fn of(cluster: &Cluster) -> Result<Self> {
        let file = cluster.home().path().join("conf/config.yaml");
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let ports = text
            .lines()
            .find_map(|line| line.strip_prefix("metrics.reporter.prom.port:"))
            .context("the cluster has no Prometheus reporter")?;
        Ok(Self {
            http: flink_rest::client(DEADLINE),
            urls: ports
                .split(',')
                .map(|port| format!("http://127.0.0.1:{}/metrics", port.trim()))
                .collect(),
        })
    }

    /// Events a second between two times.
    fn rate(&self, length: Duration) -> Result<f64> {
        // The first answer of a process takes long, and nobody knows at which moment of it a counter was read.
        self.events()?;
        let (before, start) = self.events()?;
        sleep(length);
        let (after, end) = self.events()?;
        Ok((after - before) / end.duration_since(start).as_secs_f64())
    }

    /// Events that the sources have emitted, and when that was asked.
    fn events(&self) -> Result<(f64, Instant)> {
        let mut sum = None;
        let mut at = Instant::now();
        for url in &self.urls {
            let asked = Instant::now();
            let Ok(answer) = self.http.get(url).send() else {
                continue;
            };
            let text = answer.text()?;
            let rows: Vec<f64> = text.lines().filter_map(source_rows).collect();
            if !rows.is_empty() {
                *sum.get_or_insert(0.0) += rows.iter().sum::<f64>();
                // In the middle of asking and answer, the counter being read somewhere between.
                at = asked + asked.elapsed() / 2;
            }
        }
        let rows: f64 = sum.context("no process tells how much the source has emitted")?;
        // The table of bids has 46 rows for every 50 events.
        Ok((rows * 50.0 / 46.0, at))
    }
}

/// What a line of Prometheus' text says that a source has emitted.
fn source_rows(line: &str) -> Option<f64> {
    let (series, value) = line.rsplit_once(' ')?;
    let is_source = series.starts_with("flink_taskmanager_job_task_operator_numRecordsIn{")
        && series.contains("operator_name=\"Source:_bid");
    is_source.then(|| value.parse().ok())?
}

// === impl Measurement ===

impl Measurement {
    fn off(&self) -> f64 {
        self.measured / self.asked as f64 - 1.0
    }

    fn cells(&self) -> [String; 4] {
        [
            self.asked.to_string(),
            self.shape.clone(),
            format!("{:.0}", self.measured),
            format!("{:+.3} %", self.off() * 100.0),
        ]
    }

    fn line(&self) -> String {
        let [asked, shape, measured, off] = self.cells();
        format!("{asked}/s asked, {shape}: {measured}/s, {off}")
    }
}

#[cfg(test)]
mod tests {
    use super::source_rows;

    #[test]
    fn the_source_counts_and_nothing_else() {
        let line = |name: &str, operator: &str| {
            format!(
                "{name}{{job_id=\"a\",operator_name=\"{operator}\",subtask_index=\"1\",}} 46000.0"
            )
        };
        let rows = "flink_taskmanager_job_task_operator_numRecordsIn";
        assert_eq!(source_rows(&line(rows, "Source:_bid_1_")), Some(46_000.0));
        assert_eq!(source_rows(&line(rows, "Calc_2_")), None);
        let rate = "flink_taskmanager_job_task_operator_numRecordsInPerSecond";
        assert_eq!(source_rows(&line(rate, "Source:_bid_1_")), None);
        assert_eq!(source_rows("# HELP something"), None);
    }
}
