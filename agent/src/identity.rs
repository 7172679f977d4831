//! Whose thread it is: Flink names a task thread after its task, subtask and attempt.

use weir_protocol::OperatorSubtask;

/// Reads `Join[7] -> Calc[8] (3/4)#1`: task name, one-based subtask index, parallelism, attempt.
///
/// A name of another form is kept whole as the task's name, so that its cache is still told apart. The operator is taken for
/// the head of the chain, which [`OperatorSubtask::operator_name`] can be set to better.
#[must_use]
pub fn operator_of_thread(thread_name: &str, job_id: &str) -> OperatorSubtask {
    let (task_name, subtask_index, parallelism, attempt) =
        parse(thread_name).unwrap_or((thread_name, 0, 1, 0));
    OperatorSubtask {
        job_id: job_id.to_owned(),
        job_name: String::new(),
        task_name: task_name.to_owned(),
        operator_name: task_name
            .split(" -> ")
            .next()
            .unwrap_or(task_name)
            .to_owned(),
        subtask_index,
        parallelism,
        attempt,
    }
}

fn parse(name: &str) -> Option<(&str, u32, u32, u32)> {
    let (rest, attempt) = name.rsplit_once(")#")?;
    let (task_name, position) = rest.rsplit_once(" (")?;
    let (index, parallelism) = position.split_once('/')?;
    let index: u32 = index.parse().ok()?;
    Some((
        task_name,
        index.checked_sub(1)?,
        parallelism.parse().ok()?,
        attempt.parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_flink_writes_them() {
        let operator = operator_of_thread("GroupAggregate[6] -> snk[7]: Writer (2/4)#3", "ab");
        assert_eq!(operator.task_name, "GroupAggregate[6] -> snk[7]: Writer");
        assert_eq!(operator.operator_name, "GroupAggregate[6]");
        assert_eq!(
            (
                operator.subtask_index,
                operator.parallelism,
                operator.attempt
            ),
            (1, 4, 3)
        );
        assert_eq!(operator.job_id, "ab");
    }

    #[test]
    fn parentheses_in_the_name_do_not_confuse() {
        let operator = operator_of_thread("Window(TUMBLE (1/2)) (1/1)#0", "");
        assert_eq!(operator.task_name, "Window(TUMBLE (1/2))");
        assert_eq!(operator.subtask_index, 0);
    }

    #[test]
    fn other_names_are_kept_whole() {
        for name in ["main", "", "x (0/1)#0", "x (a/b)#c", "x (1/2)#"] {
            assert_eq!(operator_of_thread(name, "").task_name, name);
        }
    }
}
