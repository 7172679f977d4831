//! Whose series it is: the labels of Flink's own reporter, and a bound on how many there can be.
//!
//! A TaskManager with few operator subtasks has series for each of them. With more than [`MOST_GROUPS`], subtasks of one
//! operator are added up; with more operators than that, those last in order are added up as `other`. So a scrape has at most
//! that many groups of series, whatever jobs the TaskManager runs.

use std::collections::BTreeSet;

use weir_protocol::OperatorSubtask;

use super::family::Labels;

/// Groups of series at most; a group has some 100 of them.
pub(super) const MOST_GROUPS: usize = 256;

/// How operators are named in one scrape.
#[derive(Debug)]
pub(super) struct Naming {
    tm_id: String,
    by_subtask: bool,
    /// `None`: every operator.
    named: Option<BTreeSet<OperatorSubtask>>,
}

impl Naming {
    pub(super) fn new<'a>(
        tm_id: &str,
        subtasks: impl Iterator<Item = &'a OperatorSubtask>,
    ) -> Self {
        let subtasks: BTreeSet<OperatorSubtask> = subtasks.cloned().collect();
        let by_subtask = subtasks.len() <= MOST_GROUPS;
        let operators: BTreeSet<OperatorSubtask> = subtasks.iter().map(whole_operator).collect();
        let too_many = !by_subtask && operators.len() > MOST_GROUPS;
        Self {
            tm_id: tm_id.to_owned(),
            by_subtask,
            named: too_many.then(|| operators.into_iter().take(MOST_GROUPS - 1).collect()),
        }
    }

    /// Labels of the TaskManager itself.
    pub(super) fn of_task_manager(&self) -> Labels {
        vec![("tm_id", self.tm_id.clone())]
    }

    /// Labels of an operator subtask. A name that is not known is left out.
    pub(super) fn of_operator(&self, operator: &OperatorSubtask) -> Labels {
        let is_named = |named: &BTreeSet<_>| named.contains(&whole_operator(operator));
        if !self.named.as_ref().is_none_or(is_named) {
            let mut labels = self.of_task_manager();
            labels.push(("operator_name", "other".to_owned()));
            return labels;
        }
        let mut labels = self.of_task_manager();
        labels.push(("job_id", operator.job_id.clone()));
        labels.push(("job_name", operator.job_name.clone()));
        labels.push(("task_name", operator.task_name.clone()));
        labels.push(("operator_name", operator.operator_name.clone()));
        if self.by_subtask {
            labels.push(("subtask_index", operator.subtask_index.to_string()));
        }
        labels.retain(|(_, value)| !value.is_empty());
        labels
    }
}

/// The operator without what its subtasks differ in.
fn whole_operator(subtask: &OperatorSubtask) -> OperatorSubtask {
    OperatorSubtask {
        subtask_index: 0,
        parallelism: 0,
        attempt: 0,
        ..subtask.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subtasks(operators: u32, each: u32) -> Vec<OperatorSubtask> {
        (0..operators)
            .flat_map(|operator| {
                (0..each).map(move |subtask_index| OperatorSubtask {
                    job_id: "0123".to_owned(),
                    job_name: String::new(),
                    task_name: format!("Join[{operator}] -> Sink"),
                    operator_name: format!("Join[{operator}]"),
                    subtask_index,
                    parallelism: each,
                    attempt: 0,
                })
            })
            .collect()
    }

    fn groups(subtasks: &[OperatorSubtask]) -> BTreeSet<Labels> {
        let naming = Naming::new("tm", subtasks.iter());
        subtasks.iter().map(|s| naming.of_operator(s)).collect()
    }

    #[test]
    fn few_subtasks_are_told_apart() {
        let all = groups(&subtasks(8, 32));
        assert_eq!(all.len(), 256);
        assert!(all.iter().all(|labels| labels.len() == 5), "{all:?}");
    }

    #[test]
    fn a_hundred_operators_with_32_subtasks_each_are_a_hundred_groups() {
        assert_eq!(groups(&subtasks(100, 32)).len(), 100);
    }

    #[test]
    fn whatever_comes_the_number_of_groups_is_bounded() {
        assert_eq!(groups(&subtasks(1000, 2)).len(), MOST_GROUPS);
    }
}
