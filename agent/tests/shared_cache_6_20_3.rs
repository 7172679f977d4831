//! Operators behind one cache, on the RocksDB of Flink 1.20.

#[path = "lab/curves.rs"]
mod curves;
mod lab;
mod promtool;
#[path = "lab/shared.rs"]
mod shared;

/// Which library `scripts/get_rocksdbjni.sh` is asked for.
fn rocksdb() -> &'static str {
    "6.20.3"
}
/// `weir.memory.mode` of the lab's agent.
const MODE: &str = "shared";
/// Few enough for one small block in five to be sampled, while large index blocks all are.
const SAMPLES: usize = 4096;
