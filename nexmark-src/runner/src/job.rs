//! One job on a cluster: submitted, watched until it ends, and cancelled on every other way out.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use weir_testbed::process::{OnSignal, on_signal};
use weir_testbed::{FlinkRest, NexmarkJob, flink_rest};

use crate::cluster_metrics::{Proportions, events_read, state};
use crate::progress::Progress;

/// Between two looks at a job.
const LOOK: Duration = Duration::from_millis(250);

/// A job of ours. Dropped before it was seen to end, it is cancelled; so it is when the program is interrupted, since the cluster may be
/// somebody's who wants it back.
pub(crate) struct RunningJob<'a> {
    flink: &'a FlinkRest,
    pub(crate) id: String,
    proportions: Proportions,
    ended: bool,
    _on_signal: OnSignal,
}

/// How a job ended, or why it is not watched any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Finished,
    Failed(String),
    Stalled(Duration),
    /// It has read as many events as were asked for, and goes on.
    Far,
}

// === impl RunningJob ===

impl<'a> RunningJob<'a> {
    /// Submits a job, from a savepoint where there is one.
    pub(crate) fn submit(
        flink: &'a FlinkRest,
        jar: &str,
        savepoint: Option<&str>,
        arguments: &[String],
        proportions: Proportions,
    ) -> Result<Self> {
        let id = flink.run_from(savepoint, jar, NexmarkJob::MAIN_CLASS, arguments)?;
        let (other, job) = (flink.clone(), id.clone());
        Ok(Self {
            flink,
            id,
            proportions,
            ended: false,
            _on_signal: on_signal(move || drop(other.cancel(&job)))?,
        })
    }

    /// Watches the job until it ends, stalls, or, where that is wanted, has read all events; and how many it was seen to read.
    pub(crate) fn follow(
        &mut self,
        title: String,
        events: u64,
        until_far: bool,
        patience: Duration,
    ) -> Result<(Ended, u64)> {
        let mut progress = Progress::new(title, events);
        loop {
            let ended = match state(self.flink, &self.id)?.as_str() {
                "FINISHED" => Some(Ended::Finished),
                "FAILED" => Some(Ended::Failed(self.flink.root_exception(&self.id)?)),
                "CANCELED" => Some(Ended::Failed(
                    "the job was cancelled by somebody".to_owned(),
                )),
                _ => None,
            };
            if let Some(ended) = ended {
                self.ended = true;
                return Ok((ended, progress.done()));
            }
            if let Some(read) = events_read(self.flink, &self.id, self.proportions)? {
                progress.at(read);
            }
            // Of a table of one kind rows are seen, not events: it may be less than a round short.
            if until_far && progress.done() + self.proportions.round() > events {
                return Ok((Ended::Far, progress.done()));
            }
            if progress.still_for() > patience
                && progress.done() + self.proportions.round() < events
            {
                return Ok((Ended::Stalled(patience), progress.done()));
            }
            sleep(LOOK);
        }
    }

    /// Stops it with a savepoint below a folder and returns that one's location.
    pub(crate) fn stop_with_savepoint(&mut self, folder: &std::path::Path) -> Result<String> {
        let savepoint = self.flink.stop_with_savepoint(&self.id, folder)?;
        self.ended = true;
        Ok(savepoint)
    }

    /// Fewest subtasks that one of its tasks has: a scheduler that adapts runs what it has slots for.
    pub(crate) fn parallelism(&self) -> Result<u32> {
        let vertices = self.flink.job(&self.id)?.vertices;
        let least = vertices.iter().map(|vertex| vertex.parallelism).min();
        least.context("the job has no tasks")
    }
}

impl Drop for RunningJob<'_> {
    fn drop(&mut self) {
        if !self.ended
            && let Err(error) = self.flink.cancel(&self.id)
            // It may have failed of itself meanwhile.
            && !self.flink.job(&self.id).is_ok_and(|job| flink_rest::is_final(&job.state))
        {
            eprintln!("job {} may still run: {error:#}", self.id);
        }
    }
}
