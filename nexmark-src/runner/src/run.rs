//! Runs queries one after the other, each as a job of its own, and measures them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use weir_testbed::state_dir::StateDir;
use weir_testbed::{Cluster, ClusterOptions, FlinkRest, artefacts};

use crate::cli::{Line, Mode, RunOptions};
use crate::cluster_metrics::{
    Proportions, checkpoint_bytes, cpu_nanos, duration_and_bytes, rows_written,
};
use crate::job::{Ended, RunningJob};
use crate::queries;
use crate::result::{Measured, QueryResult, Results, Status};

/// How often a cluster of ours gathers metrics and looks at its jobs, in milliseconds.
const METRICS_MILLIS: u64 = 500;
/// Slots of a cluster of ours.
const SLOTS: u32 = 4;

/// Where queries are run.
struct Runner<'a> {
    flink: &'a FlinkRest,
    jar: String,
    options: &'a RunOptions,
    savepoints: StateDir,
}

/// Which of the jobs of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Waits after the warm-up, for a savepoint.
    WarmUp,
    Measured,
}

/// A cluster with one TaskManager, with Weir or without.
pub(crate) fn cluster_options(line: Line, mode: Mode) -> Result<ClusterOptions> {
    Ok(match mode {
        Mode::None => ClusterOptions::without_weir_on(line.flink())?,
        mode => ClusterOptions::with_weir_on(line.flink())?.set("weir.memory.mode", mode.name()),
    })
}

/// A cluster that runs already.
fn somebodys(url: &str, parallelism: u32) -> Result<FlinkRest> {
    let flink = FlinkRest::new(url);
    let overview = flink.overview().with_context(|| {
        format!("no Flink answers at {url}; --flink wants the JobManager's REST address, such as http://127.0.0.1:8081")
    })?;
    // One that starts TaskManagers when they are wanted may have none yet.
    let short = overview.slots_available < parallelism as usize;
    if overview.task_managers > 0 && short {
        eprintln!(
            "nexmark: the cluster has {} free slots and jobs want {parallelism}: they wait until there are more",
            overview.slots_available
        );
    }
    Ok(flink)
}

/// Runs and reports; whether every query did what was asked.
pub(crate) fn run(options: &RunOptions) -> Result<bool> {
    let names = options.queries.concat();
    ensure!(
        options.from_savepoint.is_none() || names.len() == 1,
        "--from-savepoint is the state of one query; {} are asked for",
        names.len()
    );
    if options.dry_run {
        for name in names {
            match queries::unsupported(&name) {
                Some(why) => println!("{name}: unsupported: {why}"),
                None => println!(
                    "{name}: {}",
                    arguments(&name, options, Part::Measured).join(" ")
                ),
            }
        }
        return Ok(true);
    }
    let own = match &options.flink {
        Some(_) => None,
        None => Some(Cluster::start(
            &cluster_options(options.line, options.mode)?
                .set("metrics.fetcher.update-interval", METRICS_MILLIS)
                .set("web.refresh-interval", METRICS_MILLIS)
                // A job that fails shall say so.
                .set("restart-strategy.type", "none")
                .set(
                    "taskmanager.numberOfTaskSlots",
                    options.parallelism.max(SLOTS),
                ),
        )?),
    };
    let flink = match (&own, &options.flink) {
        (Some(cluster), _) => cluster.rest().clone(),
        (None, url) => somebodys(url.as_deref().unwrap_or_default(), options.parallelism)?,
    };
    let version = flink.overview()?.version;
    let cluster = match &options.flink {
        Some(url) => format!("Flink {version}, {url}"),
        None => format!("Flink {version}, --mode {}", options.mode.name()),
    };
    let runner = Runner {
        jar: flink.upload(&artefacts::nexmark_jar()?)?,
        flink: &flink,
        options,
        savepoints: StateDir::create()?,
    };
    let mut results = Results {
        cluster,
        arguments: arguments("", options, Part::Measured).split_off(2),
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
fn arguments(query: &str, options: &RunOptions, part: Part) -> Vec<String> {
    let events = options.warmup_events + options.events;
    let mut arguments: Vec<String> = [
        ("--queries", query.to_owned()),
        ("--events", events.to_string()),
        ("--rate", options.rate.argument()),
        ("--parallelism", options.parallelism.to_string()),
        ("--tables", options.tables.name().to_owned()),
        ("--seed", options.seed.to_string()),
        ("--sink", options.sink.name().to_owned()),
        // Time between warm-up and measurement is nothing to catch up with.
        ("--set", "rate.after-restore=resume".to_owned()),
    ]
    .into_iter()
    .flat_map(|(name, value)| [name.to_owned(), value])
    .collect();
    if part == Part::WarmUp {
        let pause = format!("events.pause-at={}", options.warmup_events);
        arguments.extend(["--set".to_owned(), pause]);
    }
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
        let options = self.options;
        let patience = Duration::from_secs(options.stall_seconds);
        let warmup = options.warmup_events;
        let total = warmup + options.events;
        let first = if warmup > 0 && options.savepoint {
            Part::WarmUp
        } else {
            Part::Measured
        };
        let restored = options.from_savepoint.as_deref();
        let mut job = self.submit(query, restored, first)?;
        let mut before = 0;
        let mut since = None;
        if restored.is_some() {
            // Another run has read them.
            before = warmup;
        } else if warmup > 0 {
            let (ended, seen) = job.follow(format!("{query} warm-up"), warmup, true, patience)?;
            if ended != Ended::Far {
                return self.unfinished(query, ended);
            }
            if first == Part::WarmUp {
                // It has read exactly these and waits.
                before = warmup;
                let savepoint = job.stop_with_savepoint(&self.savepoint_folder()?)?;
                if options.keep_savepoint.is_some() {
                    println!("{query}: savepoint after {warmup} events: {savepoint}");
                }
                job = self.submit(query, Some(&savepoint), Part::Measured)?;
            } else {
                before = seen;
                since = Some(Instant::now());
            }
        }
        let cpu = cpu_nanos(self.flink)?;
        let start = Instant::now();
        // After a restore the sources count from 0 again.
        let counted_before = if since.is_some() { 0 } else { before };
        let (ended, _) = job.follow(query.to_owned(), total - counted_before, false, patience)?;
        if ended != Ended::Finished {
            return self.unfinished(query, ended);
        }
        let subtasks = job.parallelism()?;
        if subtasks < options.parallelism {
            let reason = format!(
                "only {subtasks} of {} subtasks ran: the cluster has no more slots",
                options.parallelism
            );
            return Ok(QueryResult::without_figures(query, Status::Failed, &reason));
        }
        let rows = rows_written(self.flink, &job.id)?;
        if rows == Some(0) {
            let reason = "the job read all events and wrote no row; ask for more --events";
            return Ok(QueryResult::without_figures(query, Status::Empty, reason));
        }
        let wall = start.elapsed().as_secs_f64();
        let cores_used = (cpu_nanos(self.flink)? - cpu) as f64 / 1e9 / wall;
        let (millis, bytes_read) = duration_and_bytes(self.flink, &job.id)?;
        let seconds = since.map_or(millis as f64 / 1000.0, |since| {
            since.elapsed().as_secs_f64()
        });
        let checkpoint = checkpoint_bytes(self.flink, &job.id)?;
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
                rows,
            }),
            ..QueryResult::without_figures(query, Status::Finished, "")
        })
    }

    /// Where savepoints are made.
    fn savepoint_folder(&self) -> Result<PathBuf> {
        let Some(folder) = &self.options.keep_savepoint else {
            return Ok(self.savepoints.path().to_owned());
        };
        std::fs::create_dir_all(folder)
            .and_then(|()| folder.canonicalize())
            .with_context(|| format!("cannot make folder {}", folder.display()))
    }

    fn submit(&self, query: &str, savepoint: Option<&str>, part: Part) -> Result<RunningJob<'_>> {
        let arguments = arguments(query, self.options, part);
        let proportions = Proportions::of(&self.options.settings);
        RunningJob::submit(self.flink, &self.jar, savepoint, &arguments, proportions)
            .with_context(|| format!("cannot submit {query}"))
    }

    fn unfinished(&self, query: &str, ended: Ended) -> Result<QueryResult> {
        let (status, reason) = match ended {
            Ended::Failed(why) => (Status::Failed, why),
            Ended::Stalled(patience) => {
                let reason = format!("no event was read for {} s; cancelled", patience.as_secs());
                (Status::Stalled, reason)
            }
            Ended::Finished | Ended::Far => {
                let reason = "all events were read before the warm-up was seen to end; ask for more --events, or for --savepoint";
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

#[cfg(test)]
mod tests {
    use clap::Parser;
    use weir_testbed::state_dir::StateDir;

    use super::{Runner, somebodys};
    use crate::cli::{Command, Nexmark};
    use crate::result::{QueryResult, Status};
    use crate::stand_in::StandIn;

    fn measured(cluster: StandIn, more: &str) -> QueryResult {
        let line = format!("nexmark run q0 --events 1k --stall-seconds 1 {more}");
        let Command::Run(options) = Nexmark::parse_from(line.split_whitespace()).command else {
            panic!("not a run");
        };
        let runner = Runner {
            flink: &cluster.serve(),
            jar: "x.jar".to_owned(),
            options: &options,
            savepoints: StateDir::create().unwrap(),
        };
        runner.measure("q0").unwrap()
    }

    #[test]
    fn a_job_that_ends_before_anything_was_counted_is_finished() {
        let cluster = StandIn {
            events: None,
            ..StandIn::of("FINISHED")
        };
        let result = measured(cluster, "");
        assert_eq!(result.status, Status::Finished, "{}", result.reason);
        let figures = result.measured.unwrap();
        assert_eq!((figures.events, figures.rows), (1_000, Some(1_000)));
        assert!((figures.events_per_second - 500.0).abs() < 1e-9);
        assert_eq!(figures.checkpoint_bytes, Some(4));
    }

    #[test]
    fn an_address_where_no_flink_is_is_named() {
        let error = somebodys("http://127.0.0.1:1", 1).unwrap_err().to_string();
        assert!(
            error.contains("no Flink answers at http://127.0.0.1:1"),
            "{error}"
        );
    }

    #[test]
    fn one_that_writes_nothing_is_empty() {
        let cluster = StandIn {
            rows: Some(0),
            ..StandIn::of("FINISHED")
        };
        assert_eq!(measured(cluster, "").status, Status::Empty);
    }

    #[test]
    fn one_that_fails_is_failed_with_its_exception() {
        let cluster = StandIn {
            exception: "java.lang.ArithmeticException: / by zero",
            ..StandIn::of("FAILED")
        };
        let result = measured(cluster, "");
        assert_eq!(result.status, Status::Failed);
        assert!(result.reason.contains("/ by zero"), "{}", result.reason);
        assert_eq!(measured(StandIn::of("CANCELED"), "").status, Status::Failed);
    }

    #[test]
    fn one_that_has_fewer_subtasks_than_asked_is_failed() {
        let result = measured(StandIn::of("FINISHED"), "--parallelism 3");
        assert_eq!(result.status, Status::Failed);
        assert!(
            result.reason.contains("only 1 of 3 subtasks"),
            "{}",
            result.reason
        );
    }

    #[test]
    fn one_that_reads_nothing_more_is_stalled_and_cancelled() {
        let cluster = StandIn {
            events: Some(500),
            ..StandIn::of("RUNNING")
        };
        let asked = cluster.asked.clone();
        let result = measured(cluster, "");
        assert_eq!(result.status, Status::Stalled);
        let asked = asked.lock().unwrap();
        assert!(
            asked
                .iter()
                .any(|request| request == "PATCH /jobs/j?mode=cancel"),
            "{asked:?}"
        );
    }

    #[test]
    fn one_from_a_savepoint_counts_only_what_comes_after_it() {
        let cluster = StandIn::of("FINISHED");
        let bodies = cluster.bodies.clone();
        let result = measured(
            cluster,
            "--from-savepoint file:/s/savepoint-1 --warmup-events 3k",
        );
        assert_eq!(result.status, Status::Finished, "{}", result.reason);
        assert_eq!(result.measured.unwrap().events, 1_000);
        let bodies = bodies.lock().unwrap();
        let run = bodies.iter().find(|b| b.contains("entryClass")).unwrap();
        assert!(
            run.contains("\"savepointPath\":\"file:/s/savepoint-1\""),
            "{run}"
        );
        // The restored job ends at the events of both.
        assert!(run.contains("\"--events\",\"4000\""), "{run}");
        assert!(!run.contains("events.pause-at"), "{run}");
    }

    #[test]
    fn a_warm_up_that_swallows_all_is_no_measurement() {
        let result = measured(StandIn::of("FINISHED"), "--warmup-events 1k");
        assert_eq!(result.status, Status::Failed);
        assert!(result.reason.contains("--savepoint"), "{}", result.reason);
    }
}
