//! What allocations gave to operators that have left, so that they get it again when they come back after a restart.

use std::collections::HashMap;

use weir_protocol::OperatorSubtask;

/// Subtasks remembered at most. Beyond that all are forgotten: they belong to jobs of long ago.
const MOST: usize = 4096;

/// Sizes that were not what the operator came with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Of its block cache.
    pub cache_bytes: Option<u64>,
    /// Of the write buffer manager it wrote through.
    pub write_buffer_bytes: Option<u64>,
}

/// Sizes by subtask.
#[derive(Debug, Default)]
pub struct RememberedSizes {
    sizes: HashMap<OperatorSubtask, Sizes>,
}

// === impl RememberedSizes ===

impl RememberedSizes {
    /// Notes what a subtask had when it left.
    pub fn keep(&mut self, operator: &OperatorSubtask, sizes: Sizes) {
        let operator = any_attempt(operator);
        if sizes == Sizes::default() {
            self.sizes.remove(&operator);
            return;
        }
        if self.sizes.len() >= MOST {
            self.sizes.clear();
        }
        self.sizes.insert(operator, sizes);
    }

    /// What a subtask had when it left last; nothing if it was not there, or with another parallelism.
    #[must_use]
    pub fn of(&self, operator: &OperatorSubtask) -> Sizes {
        let sizes = self.sizes.get(&any_attempt(operator));
        sizes.copied().unwrap_or_default()
    }
}

fn any_attempt(operator: &OperatorSubtask) -> OperatorSubtask {
    OperatorSubtask {
        attempt: 0,
        ..operator.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subtask(job: usize, attempt: u32, parallelism: u32) -> OperatorSubtask {
        OperatorSubtask {
            job_id: job.to_string(),
            job_name: String::new(),
            task_name: "Join[1]".to_owned(),
            operator_name: "Join[1]".to_owned(),
            subtask_index: 0,
            parallelism,
            attempt,
        }
    }

    #[test]
    fn the_next_attempt_gets_what_the_last_one_had_and_nobody_else_does() {
        let mut remembered = RememberedSizes::default();
        let sizes = Sizes {
            cache_bytes: Some(7),
            write_buffer_bytes: None,
        };
        remembered.keep(&subtask(1, 3, 2), sizes);
        assert_eq!(remembered.of(&subtask(1, 4, 2)), sizes);
        assert_eq!(
            remembered.of(&subtask(1, 4, 3)),
            Sizes::default(),
            "rescaled"
        );
        assert_eq!(
            remembered.of(&subtask(2, 4, 2)),
            Sizes::default(),
            "another job"
        );
        remembered.keep(&subtask(1, 4, 2), Sizes::default());
        assert_eq!(remembered.of(&subtask(1, 5, 2)), Sizes::default());
    }

    #[test]
    fn it_does_not_grow_without_bound() {
        let mut remembered = RememberedSizes::default();
        let sizes = Sizes {
            cache_bytes: Some(7),
            write_buffer_bytes: None,
        };
        for job in 0..3 * MOST {
            remembered.keep(&subtask(job, 0, 1), sizes);
            assert!(remembered.sizes.len() <= MOST);
        }
    }
}
