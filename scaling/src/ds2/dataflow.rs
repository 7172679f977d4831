//! The decision of DS2 on a dataflow whose true rates are known.
//!
//! Source: Kalavri et al., "Three steps is all you need: fast, accurate, automatic scaling decisions for distributed streaming
//! dataflows", OSDI '18, section 3.2 (equations 7 and 8). With `in*` the records an operator has to read when every source runs at
//! its target rate, and `Lp`, `Lo` the true processing and output rates summed over its `p` instances:
//!
//! ```text
//! in*  = sum over producers of out*            optimum = in* / (Lp / p)
//! out* = Lo * optimum / p                       instances = ceil(optimum * (1 + scaling factor))
//! ```

use std::collections::BTreeMap;
use std::fmt;

/// A dataflow and its rates.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dataflow {
    /// Its operators; edges name them by position.
    pub operators: Vec<DataflowOperator>,
    /// Who feeds whom.
    pub edges: Vec<DataflowEdge>,
}

/// An operator with its true rates, summed over its instances.
#[derive(Debug, Clone, PartialEq)]
pub struct DataflowOperator {
    /// Its name, for messages.
    pub name: String,
    /// Instances it runs with.
    pub parallelism: u32,
    /// Records it could read a second if it never waited (`Lp`). Not looked at for a source.
    pub true_processing: f64,
    /// Records it would write a second then (`Lo`). For a source: what it has to write.
    pub true_output: f64,
    /// Sources are not decided on.
    pub is_source: bool,
}

/// An edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DataflowEdge {
    /// Position of the producer.
    pub from: usize,
    /// Position of the consumer.
    pub to: usize,
    /// Share of the producer's output that takes this edge; DS2 itself sends all output along every edge, 1.
    pub share: f64,
}

/// What the dataflow needs, by position of the operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirement {
    /// Records a second to read; for a source, to write.
    pub records_per_second: f64,
    /// Instances needed, as a fraction; absent for sources. NaN where the operator was idle and its true rate is zero.
    pub optimum: Option<f64>,
}

/// The dataflow has a cycle: there is no order in which to walk it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// Operators on a cycle or behind one.
    pub operators: Vec<String>,
}

// === impl Dataflow ===

impl Dataflow {
    /// What every operator needs so that the sources can run at their target; by position.
    pub fn requirements(&self) -> Result<Vec<Requirement>, Cycle> {
        let mut inputs: Vec<Vec<DataflowEdge>> = vec![Vec::new(); self.operators.len()];
        for edge in &self.edges {
            inputs[edge.to].push(*edge);
        }
        let names: Vec<&str> = self.operators.iter().map(|o| o.name.as_str()).collect();
        let ends = self.edges.iter().map(|e| (e.from, e.to));
        let order = topological_order(&names, ends)?;
        let mut output = vec![0.0; self.operators.len()];
        let mut found = vec![None; self.operators.len()];
        for position in order {
            let operator = &self.operators[position];
            let requirement = if operator.is_source {
                output[position] = operator.true_output;
                Requirement {
                    records_per_second: operator.true_output,
                    optimum: None,
                }
            } else {
                let arriving = inputs[position].iter().map(|e| output[e.from] * e.share);
                let to_read: f64 = arriving.sum();
                let instances = f64::from(operator.parallelism);
                let optimum = to_read / (operator.true_processing / instances);
                output[position] = operator.true_output * (optimum / instances);
                Requirement {
                    records_per_second: to_read,
                    optimum: Some(optimum),
                }
            };
            found[position] = Some(requirement);
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// Instances by name as the original program decides them, sources left out.
    ///
    /// Its defect is kept: an idle operator is 0 / 0, which it rounds to 0 instances.
    pub fn decide(&self, scaling_factor: f64) -> Result<BTreeMap<String, u32>, Cycle> {
        let requirements = self.requirements()?;
        let decided = self.operators.iter().zip(requirements);
        let decided = decided.filter_map(|(operator, required)| {
            let instances = instances(required.optimum?, scaling_factor);
            Some((operator.name.clone(), instances))
        });
        Ok(decided.collect())
    }
}

/// Whole instances for a fractional optimum; NaN gives 0 and what does not fit the largest number there is, as the original's cast.
pub(crate) fn instances(optimum: f64, scaling_factor: f64) -> u32 {
    (optimum * (1.0 + scaling_factor)).ceil() as u32
}

/// Positions in an order in which producers come before their consumers; among equals the one that was given first.
pub(crate) fn topological_order(
    names: &[&str],
    edges: impl Iterator<Item = (usize, usize)>,
) -> Result<Vec<usize>, Cycle> {
    let mut missing_inputs = vec![0_usize; names.len()];
    let mut consumers: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
    for (from, to) in edges {
        missing_inputs[to] += 1;
        consumers[from].push(to);
    }
    let mut order: Vec<usize> = (0..names.len())
        .filter(|i| missing_inputs[*i] == 0)
        .collect();
    let mut next = 0;
    while let Some(&position) = order.get(next) {
        next += 1;
        for &consumer in &consumers[position] {
            missing_inputs[consumer] -= 1;
            if missing_inputs[consumer] == 0 {
                order.push(consumer);
            }
        }
    }
    if order.len() == names.len() {
        return Ok(order);
    }
    let stuck = (0..names.len()).filter(|i| missing_inputs[*i] > 0);
    Err(Cycle {
        operators: stuck.map(|i| names[i].to_owned()).collect(),
    })
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operators = self.operators.join(", ");
        write!(
            f,
            "the dataflow has a cycle through or before {operators}; a streaming job has none"
        )
    }
}

impl std::error::Error for Cycle {}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator(
        name: &str,
        parallelism: u32,
        true_processing: f64,
        true_output: f64,
    ) -> DataflowOperator {
        DataflowOperator {
            name: name.to_owned(),
            parallelism,
            true_processing,
            true_output,
            is_source: name.starts_with("source"),
        }
    }

    fn edge(from: usize, to: usize) -> DataflowEdge {
        DataflowEdge {
            from,
            to,
            share: 1.0,
        }
    }

    #[test]
    fn the_bottleneck_downstream_is_found_in_one_step() {
        // The first map is slow too, so what the second one sees now is half of what it will see.
        let flow = Dataflow {
            operators: vec![
                operator("source", 1, 0.0, 1000.0),
                operator("map", 1, 500.0, 1000.0),
                operator("sink", 2, 1000.0, 0.0),
            ],
            edges: vec![edge(0, 1), edge(1, 2)],
        };
        let decided = flow.decide(0.0).unwrap();
        assert_eq!(decided["map"], 2);
        assert_eq!(decided["sink"], 4, "it must read 2000/s at 500/s each");
        assert_eq!(flow.decide(0.2).unwrap()["sink"], 5, "4 x 1.2 = 4.8");
    }

    #[test]
    fn an_idle_operator_is_zero_instances_as_in_the_original() {
        let flow = Dataflow {
            operators: vec![
                operator("source", 1, 0.0, 0.0),
                operator("map", 1, 0.0, 0.0),
            ],
            edges: vec![edge(0, 1)],
        };
        assert_eq!(flow.decide(0.0).unwrap()["map"], 0);
    }

    #[test]
    fn a_cycle_is_named() {
        let flow = Dataflow {
            operators: vec![operator("a", 1, 1.0, 1.0), operator("b", 1, 1.0, 1.0)],
            edges: vec![edge(0, 1), edge(1, 0)],
        };
        assert!(flow.decide(0.0).unwrap_err().to_string().contains("a, b"));
    }
}
