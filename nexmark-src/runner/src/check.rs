//! Runs every query on the same bounded events and holds each answer against DuckDB's: a job for each query, several at a time, in a
//! session cluster for each combination of Flink's line and Weir's mode.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use weir_testbed::state_dir::StateDir;
use weir_testbed::{Cluster, FlinkRest, NexmarkJob, artefacts};

use crate::check_report::{Case, Checked, Outcome, Report};
use crate::cli::{CheckOptions, Line, Mode};
use crate::run::cluster_options;
use crate::{expected::Expected, export, queries};

/// For one job on a loaded machine; cep3 takes the longest.
const DEADLINE: Duration = Duration::from_secs(900);
/// The windows of q12 are cut by the machine's clock, ten seconds long, and what is open when the input ends is never written. So all
/// events but the last come in so many seconds, ...
const Q12_EARLY_SECONDS: u64 = 5;
/// ... and the last ones after a pause in which every window closes that has others.
const Q12_PAUSE_SECONDS: u64 = 15;
/// At least so many are the last ones; `check.py` works them out in the same way.
const Q12_LATE: u64 = 100;

/// What all jobs share.
struct Checker<'a> {
    options: &'a CheckOptions,
    scratch: StateDir,
    expected: Mutex<Expected>,
    report: Mutex<Report>,
    /// How many are to be run now, and how many of these are done.
    cases: usize,
    done: AtomicUsize,
}

/// Whether every answer is as expected, on every combination of what the options name.
pub(crate) fn check(options: &CheckOptions) -> Result<bool> {
    let cases = cases(options);
    if options.dry_run {
        for case in &cases {
            println!("{case}");
        }
        return Ok(true);
    }
    let report = Report::open(options)?;
    let scratch = StateDir::create()?;
    let events = scratch.subdir("events")?;
    export::export(options.events, options.seed as i64, options.rate, &events)?;
    let checker = Checker {
        options,
        expected: Mutex::new(Expected::of(&events)?),
        scratch,
        cases: cases.iter().filter(|case| !report.has(case)).count(),
        done: AtomicUsize::new(0),
        report: Mutex::new(report),
    };
    for &line in &options.lines {
        for &mode in &options.modes {
            let mut todo: VecDeque<Case> = cases.iter().cloned().collect();
            todo.retain(|case| case.line == line && case.mode == mode);
            todo.retain(|case| !checker.report().has(case));
            if !todo.is_empty() {
                checker.on_a_cluster(line, mode, todo)?;
            }
        }
    }
    let report = checker.report();
    println!("{}", report.table());
    Ok(report.all_well())
}

/// Shapes of tables after each other, so that one that is told to stop early has a whole shape behind it.
fn cases(options: &CheckOptions) -> Vec<Case> {
    let mut names = options.queries.concat();
    if names.is_empty() {
        names = queries::names();
    }
    let mut cases = Vec::new();
    for &line in &options.lines {
        for &mode in &options.modes {
            for &tables in &options.tables {
                cases.extend(names.iter().map(|query| Case {
                    line,
                    mode,
                    tables,
                    query: query.clone(),
                }));
            }
        }
    }
    cases
}

// === impl Checker ===

impl Checker<'_> {
    fn on_a_cluster(&self, line: Line, mode: Mode, todo: VecDeque<Case>) -> Result<()> {
        let cluster_options = cluster_options(line, mode)?
            .set("taskmanager.memory.managed.size", "512m")
            // A job that fails shall say so, not write its answer a second time.
            .set("restart-strategy.type", "none");
        let cluster = Cluster::start(&cluster_options)?;
        let flink = cluster.rest();
        let jar = flink.upload(&artefacts::nexmark_jar()?)?;
        let todo = Mutex::new(todo);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.options.jobs)
                .map(|_| {
                    scope.spawn(|| -> Result<()> {
                        // The lock is let go before the query runs.
                        let next = || locked(&todo).pop_front();
                        while let Some(case) = next() {
                            self.one(flink, &jar, case)?;
                        }
                        Ok(())
                    })
                })
                .collect();
            workers.into_iter().try_for_each(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| bail!("a thread that ran queries has panicked"))
            })
        })
    }

    /// Runs and checks one; what is wrong with it becomes part of the report, not an error.
    fn one(&self, flink: &FlinkRest, jar: &str, case: Case) -> Result<()> {
        let start = Instant::now();
        let outcome = match queries::unsupported(&case.query) {
            Some(why) => Outcome::Unsupported(why.to_owned()),
            None => self.answer(flink, jar, &case).unwrap_or_else(|error| {
                // Of a Java exception the causes at the end of lines matter; the report has them all.
                Outcome::Failed(format!("{error:#}"))
            }),
        };
        let seconds = start.elapsed().as_secs_f64();
        let mut report = self.report();
        report.add(Checked {
            case,
            outcome,
            seconds,
        });
        if let Some(last) = report.last() {
            println!(
                "[{}/{}] {last}",
                self.done.fetch_add(1, Ordering::Relaxed) + 1,
                self.cases
            );
        }
        report.save(self.options.json.as_deref())
    }

    fn answer(&self, flink: &FlinkRest, jar: &str, case: &Case) -> Result<Outcome> {
        let out = self.scratch.subdir("answers")?.join(case.folder());
        let arguments = self.arguments(case, &out)?;
        let job = flink.run(jar, NexmarkJob::MAIN_CLASS, &arguments)?;
        let state = flink
            .wait_until_ended(&job, DEADLINE)
            .inspect_err(|_| drop(flink.cancel(&job)))?;
        ensure!(
            state == "FINISHED",
            "the job ended as {state}: {}",
            flink.root_exception(&job)?
        );
        let outcome = locked(&self.expected).compare(&case.query, &out.join(&case.query))?;
        if out.exists() {
            fs::remove_dir_all(&out)?;
        }
        Ok(outcome)
    }

    fn arguments(&self, case: &Case, out: &Path) -> Result<Vec<String>> {
        let options = self.options;
        let mut arguments: Vec<String> = [
            ("--queries", case.query.clone()),
            ("--events", options.events.to_string()),
            ("--seed", options.seed.to_string()),
            ("--parallelism", "1".to_owned()),
            ("--tables", case.tables.name().to_owned()),
            ("--sink", "changelog".to_owned()),
            ("--output", out.display().to_string()),
            ("--set", "generator=native".to_owned()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect();
        let settings = if case.query == "q12" {
            let file = self.q12_rates()?.display().to_string();
            ["rate.shape=file".to_owned(), format!("rate.file={file}")]
        } else {
            [
                format!("next-event.rate={}", options.rate),
                "max-emit-speed=true".to_owned(),
            ]
        };
        for setting in settings {
            arguments.extend(["--set".to_owned(), setting]);
        }
        Ok(arguments)
    }

    fn q12_rates(&self) -> Result<PathBuf> {
        let file = self.scratch.path().join("q12-rates.csv");
        let rate = (self.options.events - Q12_LATE) / Q12_EARLY_SECONDS;
        let again = Q12_EARLY_SECONDS + Q12_PAUSE_SECONDS;
        let text = format!("second,rate\n0,{rate}\n{Q12_EARLY_SECONDS},0\n{again},{rate}\n");
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        locked(&self.report)
    }
}

/// A thread that panicked ends the check anyway.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
