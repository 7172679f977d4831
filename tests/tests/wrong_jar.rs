//! Each JAR on the line of Flink that it is not for: the job is refused, with the name of the right one.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use weir_testbed::artefacts::{self, FlinkLine};
use weir_testbed::nexmark::STEADY_RATE;
use weir_testbed::{Cluster, ClusterOptions, NexmarkJob};

#[test]
fn the_1_20_jar_in_flink_2_is_refused() {
    refused(FlinkLine::V1, FlinkLine::V2);
}

#[test]
fn the_2_jar_in_flink_1_20_is_refused() {
    refused(FlinkLine::V2, FlinkLine::V1);
}

fn refused(jar: FlinkLine, flink: FlinkLine) {
    let options = ClusterOptions {
        jars: vec![artefacts::weir_jar(jar).unwrap()],
        ..ClusterOptions::with_weir_on(flink).unwrap()
    };
    let mut cluster = Cluster::start(&options).unwrap();
    if let Ok(id) = NexmarkJob::q20_and_q18(STEADY_RATE).submit(cluster.rest()) {
        panic!("job {id} was accepted");
    }
    // Flink 2 keeps no exception of a job that never got as far as running; the log has it on both lines.
    let log = cluster.job_manager().log().unwrap();
    let right = artefacts::weir_jar(flink).unwrap();
    let expected = format!(
        "is for Flink {}. Put {} there",
        jar.name(),
        right.file_name().unwrap().display()
    );
    assert!(
        log.contains(&expected),
        "{expected:?} is not in the JobManager's log"
    );
    // Refusing is not dying: the cluster goes on serving those who do without.
    cluster.check_alive().unwrap();
    assert_eq!(cluster.rest().running_jobs().unwrap(), Vec::<String>::new());
}
