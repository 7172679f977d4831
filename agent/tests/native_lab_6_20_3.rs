//! The native lab on the RocksDB of Flink 1.20. Each build has a process of its own, as it has in a TaskManager.

#[path = "lab/curves.rs"]
mod curves;
mod lab;
mod promtool;
#[path = "lab/scenarios.rs"]
mod scenarios;

/// Which library `scripts/get_rocksdbjni.sh` is asked for.
fn rocksdb() -> &'static str {
    "6.20.3"
}
/// `weir.memory.mode` of the lab's agent.
const MODE: &str = "per-operator";
/// Few enough for one small block in five to be sampled, while large index blocks all are.
const SAMPLES: usize = 2048;
