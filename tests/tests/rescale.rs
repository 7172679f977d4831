//! Draft.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
use std::time::Duration;
use weir_testbed::controller::ControllerOptions;
use weir_testbed::{Cluster, ClusterOptions, Controller, NexmarkJob};

#[test]
fn draft() {
    let options = ClusterOptions::with_weir()
        .unwrap()
        .set("weir.options.profile", "flink")
        .set("taskmanager.memory.managed.size", "256m");
    let query: &'static str = Box::leak(std::env::var("Q").unwrap().into_boxed_str());
    let env = |n: &str| std::env::var(n).unwrap();
    let cluster = Cluster::start(&options).unwrap();
    let job = NexmarkJob {
        queries: query.split(",").collect(),
        rate: env("HIGH").parse().unwrap(),
        events: 0,
        parallelism: 1,
        output: None,
        seed: 1,
        settings: vec![],
        flink: vec![],
    }
    .set("rate.shape", "step")
    .set("first-event.rate", env("LOW"))
    .set("rate.period", "60 s");
    let id = job.submit(cluster.rest()).unwrap();
    let dir = cluster.state().subdir("controller").unwrap();
    let o = ControllerOptions {
        act: false,
        configuration: env("CONF"),
        history: dir.join("history.jsonl"),
        port: None,
        interval_seconds: 2,
    };
    let c = Controller::start(&dir, &o, &[], cluster.rest()).unwrap();
    let start = std::time::Instant::now();
    let mut last = String::new();
    while start.elapsed() < Duration::from_secs(env("SECS").parse().unwrap()) {
        std::thread::sleep(Duration::from_secs(5));
        let Ok(s) = c.status() else { continue };
        println!("--- {:?}", start.elapsed());
        for v in s["jobs"][0]["vertices"].as_array().into_iter().flatten() {
            println!(
                "  {} p{} {} src {} sub {}",
                v["name"]
                    .as_str()
                    .unwrap()
                    .chars()
                    .take(50)
                    .collect::<String>(),
                v["parallelism"],
                v["window_ms"],
                v["source"],
                v["subtasks"]
            );
        }
        let now = format!("{:#}", s["shapes"]);
        if now != last {
            println!("{now}");
            last = now;
        }
    }
    println!(
        "{}",
        std::fs::read_to_string(dir.join(format!(
            "controller-{}.log",
            c.url().rsplit(':').next().unwrap()
        )))
        .unwrap()
    );
    std::fs::copy(dir.join("history.jsonl"), "/tmp/scale-live-history.jsonl").ok();
    let jm = cluster.job_manager().log().unwrap();
    for l in jm.lines().filter(|l| {
        l.contains("daptive") || l.contains("esource") || l.contains("ERROR") || l.contains("WARN")
    }) {
        println!("JM {l}");
    }
    let _ = id;
}
