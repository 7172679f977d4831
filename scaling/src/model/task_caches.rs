//! The caches of every vertex, found once for all of them.

use std::collections::HashMap;

use super::SubtaskShape;
use crate::{CacheState, JobState, Name, Snapshot, VertexState};

/// The caches of every vertex.
pub(crate) struct VertexCaches<'a> {
    tasks: Vec<TaskCaches<'a>>,
    by_name: HashMap<(&'a str, &'a str), usize>,
    none: TaskCaches<'a>,
    /// Caches of the whole snapshot.
    pub capacity_bytes: u64,
    /// Write buffers of the whole snapshot.
    pub write_buffer_bytes: u64,
}

/// The caches of one task, and what they are together: looked at once, as there may be hundreds of thousands.
#[derive(Default)]
pub(crate) struct TaskCaches<'a> {
    /// Job id and name of the task; absent for a vertex without state.
    name: Option<(Name, Name)>,
    all: Vec<&'a CacheState>,
    /// Its operators, by name.
    pub operators: Vec<OperatorBytes<'a>>,
    /// Of all subtasks together.
    pub capacity_bytes: u64,
    /// Of all subtasks together.
    pub write_buffer_bytes: u64,
    /// Whether there are caches and every one has a write path.
    pub have_write_paths: bool,
    /// Age of the oldest report that tells of one of them.
    pub data_age_ms: u64,
    /// Of all caches, where it is the same and each has counts of a window at its present size.
    windowed_parallelism: Option<u32>,
}

/// Bytes of one operator, all its subtasks together.
pub(crate) struct OperatorBytes<'a> {
    pub name: &'a Name,
    pub capacity_bytes: u64,
    pub write_buffer_bytes: u64,
}

// === impl VertexCaches ===

impl<'a> VertexCaches<'a> {
    pub fn of(snapshot: &'a Snapshot) -> Self {
        let mut caches = Self {
            tasks: Vec::new(),
            by_name: HashMap::new(),
            none: TaskCaches::default(),
            capacity_bytes: 0,
            write_buffer_bytes: 0,
        };
        // TaskManagers that run the same tasks tell of them in the same order: names are looked up where one does not.
        let (mut before, mut here) = (Vec::<usize>::new(), Vec::new());
        for tm in &snapshot.task_managers {
            std::mem::swap(&mut before, &mut here);
            here.clear();
            for (at, cache) in tm.caches.iter().enumerate() {
                let guesses = [before.get(at).copied(), here.last().copied()];
                let mut guesses = guesses.into_iter().flatten();
                let found = guesses.find(|task| caches.tasks[*task].is_of(cache));
                let task = found.unwrap_or_else(|| caches.task_of(cache));
                caches.tasks[task].add(cache, tm.data_age_ms);
                here.push(task);
            }
        }
        for task in &mut caches.tasks {
            task.operators.sort_by(|a, b| a.name.cmp(b.name));
            caches.capacity_bytes += task.capacity_bytes;
            caches.write_buffer_bytes += task.write_buffer_bytes;
        }
        caches
    }

    /// Those of a vertex; none for one without state.
    pub fn vertex(&self, job: &JobState, vertex: &VertexState) -> &TaskCaches<'a> {
        let task = (job.job_id.as_str(), vertex.name.as_str());
        let found = self.by_name.get(&task);
        found.map_or(&self.none, |task| &self.tasks[*task])
    }

    fn task_of(&mut self, cache: &'a CacheState) -> usize {
        let name = (cache.operator.job_id.as_str(), cache.task_name.as_str());
        let number = *self.by_name.entry(name).or_insert(self.tasks.len());
        if number == self.tasks.len() {
            let name = (cache.operator.job_id.clone(), cache.task_name.clone());
            self.tasks.push(TaskCaches {
                name: Some(name),
                ..TaskCaches::default()
            });
        }
        number
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

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether the vertex has no state.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The caches in the order of operators and subtasks, so that sums do not depend on the snapshot's.
    pub fn in_order(&self) -> Vec<&'a CacheState> {
        let mut caches = self.all.clone();
        let order =
            |c: &&'a CacheState| (&c.operator.operator_name, c.operator.subtask_index, c.id);
        caches.sort_by(|a, b| order(a).cmp(&order(b)));
        caches
    }

    fn is_of(&self, cache: &CacheState) -> bool {
        let name = self.name.as_ref();
        name.is_some_and(|(job, task)| *task == cache.task_name && *job == cache.operator.job_id)
    }

    fn add(&mut self, cache: &'a CacheState, data_age_ms: u64) {
        let windowed = cache.window.is_some().then_some(cache.parallelism);
        let first = self.all.is_empty();
        self.windowed_parallelism =
            windowed.filter(|p| first || Some(*p) == self.windowed_parallelism);
        self.have_write_paths = cache.write_path.is_some() && (first || self.have_write_paths);
        self.data_age_ms = self.data_age_ms.max(data_age_ms);
        let write_buffer_bytes = cache.write_path.as_ref().map_or(0, |w| w.buffer_bytes);
        self.capacity_bytes += cache.capacity_bytes;
        self.write_buffer_bytes += write_buffer_bytes;
        let name = &cache.operator.operator_name;
        match self.operators.iter_mut().find(|o| o.name == name) {
            Some(operator) => {
                operator.capacity_bytes += cache.capacity_bytes;
                operator.write_buffer_bytes += write_buffer_bytes;
            }
            None => self.operators.push(OperatorBytes {
                name,
                capacity_bytes: cache.capacity_bytes,
                write_buffer_bytes,
            }),
        }
        self.all.push(cache);
    }
}
