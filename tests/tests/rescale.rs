//! DS2 on a real Flink: when the source of a CPU-bound SQL job steps up, the job gets the instances that the policy computes, by a
//! restart from a fresh checkpoint, and its lag drains.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use weir_testbed::controller::ControllerOptions;
use weir_testbed::stepping_job::{capacity_of_one_instance, stepping_job};
use weir_testbed::{Cluster, ClusterOptions, Controller, artefacts, predictions, wait};

/// Of what one instance can process: well below, and clearly above; little enough for a machine with two cores.
const BEFORE: f64 = 0.3;
const AFTER: f64 = 1.25;
const RESCALE: Duration = Duration::from_secs(240);
const DRAIN: Duration = Duration::from_secs(480);

/// Instances of the aggregation that are asked of Flink follow from this file alone: DS2, with windows short enough for a test.
const DS2: &str = r#"
policy = "ds2"
act = ["rescale"]
load-window = "15s"
[parallelism]
cooldown-ms = 15000
"#;

#[test]
fn a_job_whose_source_steps_up_gets_the_instances_ds2_computes_and_its_lag_drains() {
    let options = ClusterOptions::with_weir()
        .unwrap()
        // State stays in memory, and nothing but the processor is short.
        .set("weir.options.profile", "flink")
        .set("taskmanager.memory.managed.size", "256m")
        // What REST tells is renewed this often; a window has to hold several of these.
        .set("metrics.fetcher.update-interval", "2 s");
    let cluster = Cluster::start(&options).unwrap();
    let capacity = capacity_of_one_instance(&cluster).unwrap();
    let [before, after] = [BEFORE, AFTER].map(|share| (capacity * share) as u64);
    println!("one instance processes {capacity:.0} events/s; {before}/s steps up to {after}/s");

    let job = stepping_job(before, after);
    let id = job.submit(cluster.rest()).unwrap();
    let dir = cluster.state().subdir("controller").unwrap();
    let controller_options = ControllerOptions {
        act: false, // The file says what it may do.
        configuration: DS2.to_owned(),
        history: dir.join("history.jsonl"),
        port: None,
        interval_seconds: 2,
    };
    let controller = Controller::start(&dir, &controller_options, &[], cluster.rest()).unwrap();

    let waited = wait::until_true("DS2's restart to be verified", RESCALE, || {
        let status = controller.status()?;
        Ok(status["shapes"][0]["last_rescale"]["result"] == "applied")
    });
    if let Err(error) = waited {
        panic!("{error:#}\n{:#}", controller.status().unwrap());
    }
    let restored = cluster.rest().restored_checkpoint(&id).unwrap();
    assert!(restored.is_some(), "the restart began from a checkpoint");
    every_policy_has_advice(cluster.rest().url());

    // On a busy machine an instance may process less than before: DS2 then computes anew.
    let waited = wait::until_true("the lag to drain", DRAIN, || {
        let pending = pending_records(&controller.status()?);
        Ok(pending.is_some_and(|records| records < after as f64))
    });
    let decided = decisions(&controller_options.history);
    for vertex in &decided {
        println!("{vertex}");
    }
    if let Err(error) = waited {
        panic!("{error:#}\n{:#}", controller.status().unwrap());
    }
    let first = &decided[0];
    let lag = first.pending_records;
    assert!(
        lag > after as f64,
        "{lag} records waited at the first decision"
    );
    assert_eq!(first.from, 1);
    for vertex in &decided {
        match vertex.why {
            Why::Ds2(by) => {
                let computed = (by.target / by.per_instance).ceil();
                assert_eq!(f64::from(by.wanted), computed, "{vertex}");
                let cut = (vertex.from + 1..by.wanted).contains(&vertex.to);
                assert!(vertex.to == by.wanted || cut, "{vertex}");
                assert!(vertex.to > vertex.from, "{vertex}");
            }
            Why::RolledBack => assert!(vertex.to < vertex.from, "{vertex}"),
        }
    }
    let whole = |v: &Decided| matches!(v.why, Why::Ds2(by) if by.wanted == v.to);
    assert!(
        decided.iter().any(whole),
        "what DS2 computed was never carried out whole: {decided:#?}"
    );
    let last = decided.last().unwrap();
    let vertices = cluster.rest().job(&id).unwrap().vertices;
    let running: Vec<_> = vertices.iter().map(|v| v.parallelism).collect();
    assert_eq!(running, [1, last.to], "the source is left alone");
    // What the agent sees are the instances that run now, and nobody else.
    let agent = cluster.agent(RESCALE).unwrap();
    let expected: Vec<_> = (0..last.to).map(|index| (index, last.to)).collect();
    wait::until_true("a cache for each instance", RESCALE, || {
        let caches = agent.report()?.caches;
        let mut seen: Vec<_> = caches
            .iter()
            .filter(|c| c.operator.job_id == id)
            .map(|c| (c.operator.subtask_index, c.operator.parallelism))
            .collect();
        seen.sort_unstable();
        Ok(seen == expected && caches.len() == seen.len())
    })
    .unwrap();
}

/// `weir advise` on a live job: a plan by each policy, and a sentence for each vertex.
fn every_policy_has_advice(flink: &str) {
    let output = Command::new(artefacts::weir_binary().unwrap())
        .args(["advise", "--json", "--window", "5s", "--flink", flink])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let advice: Value = serde_json::from_slice(&output.stdout).unwrap();
    let plans = advice["plans"].as_array().unwrap();
    let policies: Vec<_> = plans.iter().map(|p| p["plan"]["policy"].as_str()).collect();
    for policy in ["weir", "ds2", "justin", "a4s", "static"] {
        assert!(policies.contains(&Some(policy)), "{policies:?}");
    }
    for plan in plans.iter().filter(|p| p["plan"]["policy"] == "ds2") {
        let sentences = plan["sentences"].as_array().unwrap();
        let about = |name: &str| {
            let mut all = sentences.iter().filter_map(Value::as_str);
            all.any(|s| s.contains(name))
        };
        assert!(
            about("Source: events") && about("GroupAggregate"),
            "{plan:#}"
        );
    }
}

/// Records that are due and that the source has not read.
fn pending_records(status: &Value) -> Option<f64> {
    let vertices = status["jobs"][0]["vertices"].as_array()?;
    let mut pending = vertices.iter().map(|v| &v["source"]["pending_records"]);
    pending.find_map(Value::as_f64)
}

/// A change of the aggregation that was carried out.
#[derive(Debug)]
struct Decided {
    from: u32,
    to: u32,
    why: Why,
    pending_records: f64,
}

/// Who chose that number of instances.
#[derive(Debug, Clone, Copy)]
enum Why {
    /// DS2; the guard may have cut it to what one step or the slots allow.
    Ds2(Wish),
    /// The guard: the change before did less than was predicted.
    RolledBack,
}

/// What DS2 wanted.
#[derive(Debug, Clone, Copy)]
struct Wish {
    wanted: u32,
    /// Records per second to process.
    target: f64,
    /// Records per second that one instance could, reckoned anew from the snapshot.
    per_instance: f64,
}

impl std::fmt::Display for Decided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (from, to, waited) = (self.from, self.to, self.pending_records);
        write!(f, "from {from} to {to} instances, {waited:.0} waited: ")?;
        match self.why {
            Why::Ds2(by) => write!(
                f,
                "{} wanted, for {:.0} records/s to process, {:.0} by each",
                by.wanted, by.target, by.per_instance
            ),
            Why::RolledBack => f.write_str("rolled back"),
        }
    }
}

fn decisions(history: &Path) -> Vec<Decided> {
    let lines = predictions::history(history).unwrap();
    let of_kind = |kind: &'static str| lines.iter().filter(move |l| l["kind"] == kind);
    let carried_out = of_kind("shape").filter(|l| l["outcome"]["result"] == "applied");
    let decided = carried_out.map(|shape| {
        let mut decisions = of_kind("decision");
        let decision = decisions
            .find(|d| d["decision"] == shape["decision"])
            .unwrap();
        let vertices = decision["plan"]["jobs"][0]["vertices"].as_array().unwrap();
        let changed = |v: &&Value| v["from_parallelism"] != v["to_parallelism"];
        let vertex = vertices.iter().find(changed);
        let vertex = vertex.unwrap_or_else(|| panic!("no vertex changes: {decision:#}"));
        let instances = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
        let [from, to] =
            ["from_parallelism", "to_parallelism"].map(|name| instances(&vertex[name]));
        let snapshot = serde_json::json!({"jobs": decision["snapshot"]["jobs"]});
        let wish = |wanted| Wish {
            wanted,
            target: vertex["target_records_per_second"].as_f64().unwrap(),
            per_instance: per_instance(&snapshot, &vertex["vertex_id"]),
        };
        let why = match vertex["reason"]["why"].as_str() {
            Some("rate") => Why::Ds2(wish(to)),
            Some("limited") => Why::Ds2(wish(instances(&vertex["reason"]["wanted"]))),
            Some("rolled-back") => Why::RolledBack,
            _ => panic!("nobody's reason to change anything: {vertex:#}"),
        };
        Decided {
            from,
            to,
            why,
            pending_records: pending_records(&snapshot).unwrap(),
        }
    });
    decided.collect()
}

/// Records per second that one instance of a vertex can process: what each reads for a second of work, the mean over those with input.
fn per_instance(snapshot: &Value, id: &Value) -> f64 {
    let vertices = snapshot["jobs"][0]["vertices"].as_array().unwrap();
    let vertex = vertices.iter().find(|v| v["id"] == *id).unwrap();
    let subtasks = vertex["subtasks"].as_array().unwrap();
    let number = |value: &Value| value.as_f64().unwrap();
    let rates: Vec<f64> = subtasks
        .iter()
        .map(|s| (number(&s["records_in_per_second"]), number(&s["busy"])))
        .filter(|(input, _)| *input > 0.0)
        // Flink tells no load more finely.
        .map(|(input, busy)| input / busy.max(0.001))
        .collect();
    rates.iter().sum::<f64>() / rates.len() as f64
}
