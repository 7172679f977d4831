//! Runs queries one after the other, each as a job of its own, and measures them.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use weir_testbed::state_dir::StateDir;
use weir_testbed::{Cluster, ClusterOptions, FlinkRest, NexmarkJob, artefacts};

use crate::cli::{Line, Mode, RunOptions};
use crate::cluster_metrics::{checkpoint_bytes, cpu_nanos, duration_and_bytes, events_read, state};
use crate::progress::Progress;
use crate::queries;
use crate::result::{Measured, QueryResult, Results, Status};

/// Between two looks at a job.
const LOOK: Duration = Duration::from_millis(250);
/// How often a cluster of ours gathers metrics, in milliseconds.
const METRICS_MILLIS: u64 = 500;

/// Where queries are run.
struct Runner<'a> {
    flink: &'a FlinkRest,
    jar: String,
    options: &'a RunOptions,
    savepoints: StateDir,
}

/// How a job ended.
enum Ended {
    Finished,
    Failed(String),
    Stalled(Duration),
    /// It has read as many events as were asked for, and goes on.
    Far,
}

/// A cluster with one TaskManager, with Weir or without.
pub(crate) fn cluster_options(line: Line, mode: Mode) -> Result<ClusterOptions> {
    Ok(match mode {
        Mode::None => ClusterOptions::without_weir_on(line.flink())?,
        mode => ClusterOptions::with_weir_on(line.flink())?.set("weir.memory.mode", mode.name()),
    })
}

/// Runs and reports; whether every query did what was asked.
pub(crate) fn run(options: &RunOptions) -> Result<bool> {
    let names = options.queries.concat();
    if options.dry_run {
        for name in names {
            match queries::unsupported(&name) {
                Some(why) => println!("{name}: unsupported: {why}"),
                None => println!("{name}: {}", arguments(&name, options).join(" ")),
            }
        }
        return Ok(true);
    }
    let own = match &options.flink {
        Some(_) => None,
        None => Some(Cluster::start(
            &cluster_options(options.line, options.mode)?
                .set("metrics.fetcher.update-interval", METRICS_MILLIS),
        )?),
    };
    let flink = match (&own, &options.flink) {
        (Some(cluster), _) => cluster.rest().clone(),
        (None, url) => FlinkRest::new(url.as_deref().unwrap_or_default()),
    };
    let runner = Runner {
        jar: flink.upload(&artefacts::nexmark_jar()?)?,
        flink: &flink,
        options,
        savepoints: StateDir::create()?,
    };
    let mut results = Results {
        arguments: arguments("", options).split_off(2),
        queries: Vec::new(),
    };
    for name in names {
        let result = match queries::unsupported(&name) {
            Some(why) => QueryResult::without_figures(&name, Status::Unsupported, why),
            // What goes wrong with one query is said of that query; the others get their turn.
            None => runner.measure(&name).unwrap_or_else(|error| {
                QueryResult::without_figures(&name, Status::Failed, &format!("{error:#}"))
            }),
        };
        results.queries.push(result);
        if let Some(file) = &options.json {
            results.write(file)?;
        }
    }
    println!("{}", results.table());
    Ok(results.all_well())
}

/// The job's command line; the first two are the query.
fn arguments(query: &str, options: &RunOptions) -> Vec<String> {
    let events = options.warmup_events + options.events;
    let mut arguments: Vec<String> = [
        ("--queries", query.to_owned()),
        ("--events", events.to_string()),
        ("--rate", options.rate.argument()),
        ("--parallelism", options.parallelism.to_string()),
        ("--tables", options.tables.name().to_owned()),
        ("--seed", options.seed.to_string()),
        // Time between warm-up and measurement is nothing to catch up with.
        ("--set", "rate.after-restore=resume".to_owned()),
    ]
    .into_iter()
    .flat_map(|(name, value)| [name.to_owned(), value])
    .collect();
    for (option, value) in &options.settings {
        arguments.extend(["--set".to_owned(), format!("{option}={value}")]);
    }
    for (key, value) in &options.configuration {
        arguments.extend(["--conf".to_owned(), format!("{key}={value}")]);
    }
    arguments
}

// === impl Runner ===

impl Runner<'_> {
    fn measure(&self, query: &str) -> Result<QueryResult> {
        let warmup = self.options.warmup_events;
        let total = warmup + self.options.events;
        let mut job = self.submit(query, None)?;
        let mut before = 0;
        let mut since = None;
        if warmup > 0 {
            let (ended, seen) = self.follow(&job, format!("{query} warm-up"), warmup, true)?;
            if !matches!(ended, Ended::Far) {
                return self.unfinished(query, ended);
            }
            before = seen;
            if self.options.savepoint {
                let savepoint = self
                    .flink
                    .stop_with_savepoint(&job, self.savepoints.path())?;
                job = self.submit(query, Some(&savepoint))?;
            } else {
                since = Some(Instant::now());
            }
        }
        let cpu = cpu_nanos(self.flink)?;
        let start = Instant::now();
        // After a restore the sources count from 0 again.
        let counted_before = if since.is_some() { 0 } else { before };
        let (ended, seen) = self.follow(&job, query.to_owned(), total - counted_before, false)?;
        if !matches!(ended, Ended::Finished) {
            return self.unfinished(query, ended);
        }
        if seen == 0 {
            let reason = "the job ended before Flink counted a single event; ask for more --events";
            return Ok(QueryResult::without_figures(query, Status::Empty, reason));
        }
        let wall = start.elapsed().as_secs_f64();
        let cores_used = (cpu_nanos(self.flink)? - cpu) as f64 / 1e9 / wall;
        let (millis, bytes_read) = duration_and_bytes(self.flink, &job)?;
        let seconds = since.map_or(millis as f64 / 1000.0, |since| {
            since.elapsed().as_secs_f64()
        });
        let checkpoint = checkpoint_bytes(self.flink, &job)?;
        let events = total - before;
        Ok(QueryResult {
            measured: Some(Measured {
                events,
                seconds,
                events_per_second: events as f64 / seconds,
                cores_used,
                state_bytes: checkpoint.map(|(state, _)| state),
                checkpoint_bytes: checkpoint.map(|(_, written)| written),
                bytes_read,
            }),
            ..QueryResult::without_figures(query, Status::Finished, "")
        })
    }

    fn submit(&self, query: &str, savepoint: Option<&str>) -> Result<String> {
        let arguments = arguments(query, self.options);
        self.flink
            .run_from(savepoint, &self.jar, NexmarkJob::MAIN_CLASS, &arguments)
            .with_context(|| format!("cannot submit {query}"))
    }

    /// Watches a job until it ends, stalls, or, where that is wanted, has read so many events; and how many it was seen to read.
    fn follow(
        &self,
        job: &str,
        title: String,
        events: u64,
        until_far: bool,
    ) -> Result<(Ended, u64)> {
        let patience = Duration::from_secs(self.options.stall_seconds);
        let mut progress = Progress::new(title, events);
        loop {
            let ended = match state(self.flink, job)?.as_str() {
                "FINISHED" => Some(Ended::Finished),
                "FAILED" => Some(Ended::Failed(self.flink.root_exception(job)?)),
                "CANCELED" => Some(Ended::Failed(
                    "the job was cancelled by somebody".to_owned(),
                )),
                _ => None,
            };
            if let Some(ended) = ended {
                return Ok((ended, progress.done()));
            }
            if let Some(read) = events_read(self.flink, job)? {
                progress.at(read);
            }
            if until_far && progress.done() >= events {
                return Ok((Ended::Far, progress.done()));
            }
            if progress.still_for() > patience && progress.done() < events {
                self.flink.cancel(job)?;
                return Ok((Ended::Stalled(patience), progress.done()));
            }
            sleep(LOOK);
        }
    }

    fn unfinished(&self, query: &str, ended: Ended) -> Result<QueryResult> {
        let (status, reason) = match ended {
            Ended::Failed(why) => (Status::Failed, why),
            Ended::Stalled(patience) => {
                let reason = format!("no event was read for {} s; cancelled", patience.as_secs());
                (Status::Stalled, reason)
            }
            Ended::Finished | Ended::Far => {
                let reason = "all events were read before the warm-up was seen to end; ask for more --events";
                (Status::Failed, reason.to_owned())
            }
        };
        ensure!(
            !reason.is_empty(),
            "{query} failed, and Flink does not say why"
        );
        Ok(QueryResult::without_figures(query, status, &reason))
    }
}
