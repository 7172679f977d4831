//! The native source beside the same connector in plain Java and one that makes nothing: runs of each in turn, on one core.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use weir_testbed::{Cluster, FlinkRest, artefacts};

use crate::cli::{Mode, SourcesOptions};
use crate::cluster_metrics::{Proportions, duration_and_bytes};
use crate::job::{Ended, RunningJob};
use crate::result::table;
use crate::run::cluster_options;

const PATIENCE: Duration = Duration::from_secs(120);
/// The last makes no events at all: what Flink itself takes is what no source could be faster than.
const GENERATORS: [&str; 3] = ["native", "java", "repeat"];

/// Measures and prints medians, first as Flink is set, then where it hands rows on without copying them.
pub(crate) fn sources(options: &SourcesOptions) -> Result<bool> {
    let cluster_options = cluster_options(options.line, Mode::None)?
        .set("web.refresh-interval", 500)
        .set("restart-strategy.type", "none");
    let cluster = Cluster::start(&cluster_options)?;
    let flink = cluster.rest();
    pin(cluster.task_manager().pid())?;
    let jar = flink.upload(&artefacts::nexmark_jar()?)?;
    for object_reuse in [false, true] {
        println!("pipeline.object-reuse: {object_reuse}");
        let mut rates = [const { Vec::new() }; GENERATORS.len()];
        // The round before the first warms the cluster up and does not count.
        for round in 0..=options.rounds {
            for (generator, rates) in GENERATORS.iter().zip(&mut rates) {
                let rate = rate(flink, &jar, options, generator, round, object_reuse)?;
                println!("round {round}: {generator} {rate:.0} events/s");
                if round > 0 {
                    rates.push(rate);
                }
            }
        }
        report(rates);
    }
    Ok(true)
}

/// Events a second of one run.
fn rate(
    flink: &FlinkRest,
    jar: &str,
    options: &SourcesOptions,
    generator: &str,
    round: u32,
    object_reuse: bool,
) -> Result<f64> {
    let arguments: Vec<String> = [
        ("--queries", options.query.clone()),
        ("--tables", options.tables.name().to_owned()),
        ("--events", options.events.to_string()),
        ("--rate", "max".to_owned()),
        ("--parallelism", "1".to_owned()),
        ("--sink", "blackhole".to_owned()),
        ("--set", format!("generator={generator}")),
        ("--conf", format!("pipeline.object-reuse={object_reuse}")),
    ]
    .into_iter()
    .flat_map(|(name, value)| [name.to_owned(), value])
    .collect();
    let proportions = Proportions::of(&[]);
    let mut job = RunningJob::submit(flink, jar, None, &arguments, proportions)?;
    let title = format!("{generator} {round} of {}", options.rounds);
    match job.follow(title, options.events, false, PATIENCE)?.0 {
        Ended::Finished => {}
        other => bail!("the job with generator = {generator} did not finish: {other:?}"),
    }
    let (millis, _) = duration_and_bytes(flink, &job.id)?;
    Ok(options.events as f64 * 1000.0 / millis.max(1) as f64)
}

fn report(mut rates: [Vec<f64>; GENERATORS.len()]) {
    let mut table = table(&["source", "runs", "lowest", "median", "highest"]);
    for (generator, rates) in GENERATORS.iter().zip(&mut rates) {
        rates.sort_by(f64::total_cmp);
        let shown = |rate: f64| format!("{rate:.0}");
        table.add_row([
            (*generator).to_owned(),
            rates.len().to_string(),
            shown(rates[0]),
            shown(median(rates)),
            shown(rates[rates.len() - 1]),
        ]);
    }
    println!("{table}");
    let [native, java, repeat] = rates.map(|rates| median(&rates));
    println!("native / java: {:.2}", native / java);
    let nanos = |rate: f64| 1e9 / rate;
    println!(
        "ns per event: Flink itself {:.0}, native source {:.0} more, Java source {:.0} more",
        nanos(repeat),
        nanos(native) - nanos(repeat),
        nanos(java) - nanos(repeat)
    );
}

/// All threads of a process on the first core.
fn pin(pid: u32) -> Result<()> {
    let status = Command::new("taskset")
        .args(["--all-tasks", "--pid", "--cpu-list", "0", &pid.to_string()])
        .stdout(std::process::Stdio::null())
        .status()?;
    ensure!(status.success(), "taskset cannot pin process {pid}");
    Ok(())
}

/// Of sorted values, at least one.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&[1.0, 2.0, 9.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[1.0, 2.0, 4.0, 9.0]) - 3.0).abs() < 1e-9);
    }
}
