//! Policies that decide on instances and bytes together, on a real Flink: the source of a SQL job steps up beyond what one instance can
//! process, the plan is carried out by one restart from a checkpoint and by resizes, and what then runs is what was planned.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::time::Duration;

use serde_json::Value;
use weir_testbed::controller::ControllerOptions;
use weir_testbed::stepping_job::{capacity_of_one_instance, stepping_job};
use weir_testbed::{Cluster, ClusterOptions, Controller, predictions, wait};

/// Of what one instance can process: well below, and clearly above.
const BEFORE: f64 = 0.3;
const AFTER: f64 = 1.3;
const RESCALE: Duration = Duration::from_secs(300);
const IN_FORCE: Duration = Duration::from_secs(60);

const A4S: &str = r#"
policy = "a4s"
act = ["resize", "rescale"]
load-window = "15s"
[parallelism]
cooldown-ms = 15000
"#;

const WEIR: &str = r#"
policy = "weir"
act = ["resize", "rescale"]
load-window = "15s"
[parallelism]
cooldown-ms = 15000
[terms]
slot-budget = 4
catch-up-seconds = 120.0
"#;

#[test]
fn a4s_gives_a_job_whose_source_steps_up_the_shape_it_planned() {
    plans_and_acts("a4s", A4S);
}

#[test]
fn weir_gives_a_job_whose_source_steps_up_the_shape_it_planned() {
    plans_and_acts("weir", WEIR);
}

fn plans_and_acts(policy: &str, configuration: &str) {
    let options = ClusterOptions::with_weir()
        .unwrap()
        .set("weir.memory.mode", "per-operator")
        // What REST tells is renewed this often; a window has to hold several of these.
        .set("metrics.fetcher.update-interval", "2 s");
    let cluster = Cluster::start(&options).unwrap();
    let rest = cluster.rest();
    let capacity = capacity_of_one_instance(&cluster).unwrap();
    let [before, after] = [BEFORE, AFTER].map(|share| (capacity * share) as u64);
    println!("one instance processes {capacity:.0} events/s; {before}/s steps up to {after}/s");
    let job = stepping_job(before, after);
    let id = job.submit(rest).unwrap();
    let dir = cluster.state().subdir("controller").unwrap();
    let options = ControllerOptions {
        act: false, // The file says what it may do.
        configuration: configuration.to_owned(),
        history: dir.join("history.jsonl"),
        port: None,
        interval_seconds: 2,
    };
    let controller = Controller::start(&dir, &options, &[], rest).unwrap();
    let waited = wait::until_true("the restart to be verified", RESCALE, || {
        let status = controller.status()?;
        Ok(status["shapes"][0]["last_rescale"]["result"] == "applied")
    });
    if let Err(error) = waited {
        panic!("{error:#}\n{:#}", controller.status().unwrap());
    }
    assert!(
        rest.restored_checkpoint(&id).unwrap().is_some(),
        "the restart began from a checkpoint"
    );

    // What runs is the last plan that was carried out; on a busy machine there may be a second one.
    let agent = cluster.agent(RESCALE).unwrap();
    let mut seen = String::new();
    let waited = wait::until_true("the plan to be in force", IN_FORCE, || {
        let plan = last_applied(&predictions::history(&options.history)?);
        assert_eq!(plan["policy"], policy);
        let vertices = plan["jobs"][0]["vertices"].as_array().unwrap();
        let planned = |v: &Value| v["to_parallelism"].as_u64().unwrap();
        let runs = rest.job(&id)?.vertices;
        let instances = runs.iter().map(|v| u64::from(v.parallelism));
        let report = agent.report()?;
        assert!(report.budget.allocated_bytes <= report.budget.cache_bytes);
        let memory = vertices.iter().flat_map(|v| {
            let operators = v["memory"].as_array().unwrap().iter();
            operators.map(move |operator| (planned(v), operator))
        });
        let mut sizes = Vec::new();
        let mut are_sized = true;
        for (instances, operator) in memory {
            let name = operator["operator_name"].as_str().unwrap();
            let bytes = operator["to_cache_bytes"].as_u64().unwrap();
            let caches = report.caches.iter();
            let capacities: Vec<_> = caches
                .filter(|c| c.operator.job_id == id && c.operator.operator_name == name)
                .map(|c| c.capacity_bytes)
                .collect();
            are_sized &= capacities.len() as u64 == instances;
            are_sized &= capacities.iter().all(|capacity| *capacity == bytes);
            sizes.push(format!("{name}: {bytes} planned, {capacities:?}"));
        }
        seen = format!("{plan}\n{}", sizes.join("; "));
        Ok(instances.eq(vertices.iter().map(planned)) && are_sized)
    });
    println!("{seen}");
    if let Err(error) = waited {
        panic!("{error:#}\n{seen}\n{:#}", controller.status().unwrap());
    }
}

/// The plan behind the last restart that was carried out.
fn last_applied(history: &[Value]) -> Value {
    let mut lines = history.iter();
    let is_applied =
        |line: &&Value| line["kind"] == "shape" && line["outcome"]["result"] == "applied";
    let shape = lines.rfind(is_applied).unwrap();
    let mut lines = history.iter();
    let is_its =
        |line: &&Value| line["kind"] == "decision" && line["decision"] == shape["decision"];
    lines.find(is_its).unwrap()["plan"].clone()
}
