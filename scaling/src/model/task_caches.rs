//! The caches of every vertex, found once for all of them.

use std::collections::HashMap;

use super::SubtaskShape;
use crate::{CacheState, JobState, Snapshot, VertexState};

/// The caches of every vertex.
pub(crate) struct VertexCaches<'a> {
    by_task: HashMap<(&'a str, &'a str), TaskCaches<'a>>,
    none: TaskCaches<'a>,
    /// Caches of the whole snapshot.
    pub capacity_bytes: u64,
    /// Write buffers of the whole snapshot.
    pub write_buffer_bytes: u64,
}

/// The caches of one task, and what they are together: looked at once, as there may be hundreds of thousands.
#[derive(Default)]
pub(crate) struct TaskCaches<'a> {
    /// In the order of operators and subtasks; empty for a vertex without state.
    pub all: Vec<&'a CacheState>,
    /// Of all subtasks together.
    pub capacity_bytes: u64,
    /// Of all subtasks together.
    pub write_buffer_bytes: u64,
    /// Whether there are caches and every one has a write path.
    pub have_write_paths: bool,
    /// Of all caches, where it is the same and each has counts of a window at its present size.
    windowed_parallelism: Option<u32>,
}

// === impl VertexCaches ===

impl<'a> VertexCaches<'a> {
    pub fn of(snapshot: &'a Snapshot) -> Self {
        let mut by_task: HashMap<(&str, &str), TaskCaches<'_>> = HashMap::new();
        let (mut capacity_bytes, mut write_buffer_bytes) = (0, 0);
        let mut caches = snapshot.caches().map(|(_, c)| c).peekable();
        while let Some(cache) = caches.next() {
            let task = (cache.operator.job_id.as_str(), cache.task_name.as_str());
            let entry = by_task.entry(task).or_default();
            entry.add(cache);
            let same = |c: &&CacheState| c.task_name == task.1 && c.operator.job_id == task.0;
            while let Some(cache) = caches.next_if(same) {
                entry.add(cache);
            }
        }
        for caches in by_task.values_mut() {
            capacity_bytes += caches.capacity_bytes;
            write_buffer_bytes += caches.write_buffer_bytes;
            // An order of their own, so that sums do not depend on the snapshot's.
            let order =
                |c: &&'a CacheState| (&*c.operator.operator_name, c.operator.subtask_index, c.id);
            caches.all.sort_by(|a, b| order(a).cmp(&order(b)));
        }
        Self {
            by_task,
            none: TaskCaches::default(),
            capacity_bytes,
            write_buffer_bytes,
        }
    }

    /// Those of a vertex; none for one without state.
    pub fn vertex(&self, job: &'a JobState, vertex: &'a VertexState) -> &TaskCaches<'a> {
        let task = (job.job_id.as_str(), vertex.name.as_str());
        self.by_task.get(&task).unwrap_or(&self.none)
    }
}

// === impl TaskCaches ===

impl<'a> TaskCaches<'a> {
    /// The shape they give the vertex; absent while not every subtask has reported its caches.
    pub fn shape(&self, vertex: &VertexState) -> Option<SubtaskShape> {
        let parallelism = vertex.parallelism;
        if parallelism == 0 || !self.all.len().is_multiple_of(parallelism as usize) {
            return None;
        }
        // Sizes just changed: counters of the window belong to the old ones.
        if !self.all.is_empty() && self.windowed_parallelism != Some(parallelism) {
            return None;
        }
        Some(SubtaskShape {
            parallelism,
            cache_bytes: self.capacity_bytes as f64 / f64::from(parallelism),
            write_buffer_bytes: self.write_buffer_bytes as f64 / f64::from(parallelism),
        })
    }

    fn add(&mut self, cache: &'a CacheState) {
        let windowed = cache.window.is_some().then_some(cache.parallelism);
        let first = self.all.is_empty();
        self.windowed_parallelism =
            windowed.filter(|p| first || Some(*p) == self.windowed_parallelism);
        self.have_write_paths = cache.write_path.is_some() && (first || self.have_write_paths);
        self.capacity_bytes += cache.capacity_bytes;
        self.write_buffer_bytes += cache.write_path.as_ref().map_or(0, |w| w.buffer_bytes);
        self.all.push(cache);
    }
}
