//! Jobs for tests, built from a few numbers.
#![allow(dead_code)]

use weir_scaling::{
    Edge, JobState, Measured, Missing, Snapshot, SourceState, SubtaskState, Terms, VertexState,
};

/// A subtask that reads and writes so many records a second, and works this share of the time.
pub fn subtask(index: u32, records_in: f64, records_out: f64, busy: f64) -> SubtaskState {
    SubtaskState {
        index,
        records_in_per_second: Measured::of(records_in),
        records_out_per_second: Measured::of(records_out),
        busy: Measured::of(busy),
        ..SubtaskState::default()
    }
}

/// A vertex whose input is spread evenly; every record it reads becomes one that it writes.
pub fn vertex(name: &str, parallelism: u32, records_in: f64, busy: f64) -> VertexState {
    let share = records_in / f64::from(parallelism);
    VertexState {
        id: format!("id-{name}"),
        name: name.to_owned(),
        parallelism,
        state: "RUNNING".to_owned(),
        window_ms: 10_000,
        running_for_ms: Some(600_000),
        max_parallelism: Some(128),
        subtasks: (0..parallelism)
            .map(|i| subtask(i, share, share, busy))
            .collect(),
        ..VertexState::default()
    }
}

/// A source that reads `reads` records a second of the `target` that arrive.
pub fn source(name: &str, reads: f64, target: f64, pending: f64) -> VertexState {
    VertexState {
        source: Some(SourceState {
            target_records_per_second: Measured::of(target),
            pending_records: Measured::of(pending),
        }),
        ..vertex(name, 1, reads, 0.1)
    }
}

pub fn edge(from: &str, to: &str) -> Edge {
    Edge {
        from: format!("id-{from}"),
        to: format!("id-{to}"),
        records_per_second: Measured::Missing(Missing::NotReported),
    }
}

/// A job whose vertices feed each other in their order.
pub fn chain(vertices: Vec<VertexState>) -> JobState {
    let edges = vertices
        .windows(2)
        .map(|pair| edge(&pair[0].name, &pair[1].name));
    JobState {
        edges: edges.collect(),
        ..job(vertices)
    }
}

/// A job without edges.
pub fn job(vertices: Vec<VertexState>) -> JobState {
    JobState {
        job_id: "a".repeat(32),
        name: "job".to_owned(),
        state: "RUNNING".to_owned(),
        restarts: Some(0),
        vertices,
        edges: Vec::new(),
        restart_seconds: Measured::default(),
    }
}

/// A snapshot of one job without TaskManagers.
pub fn snapshot_of(job: JobState) -> Snapshot {
    Snapshot {
        at_ms: 1_000_000,
        jobs: Some(vec![job]),
        task_managers: Vec::new(),
        slots: None,
        terms: Terms::default(),
    }
}
