//! One line of a dataflow file: rates by operator instance, as DS2's instrumentation writes them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::dataflow::{Dataflow, DataflowEdge, DataflowOperator};

/// A dataflow with the rates of every operator instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataflowRecord {
    /// Instances of each operator.
    pub parallelism: BTreeMap<String, u32>,
    /// Who feeds whom, by name.
    pub edges: Vec<(String, String)>,
    /// The sources, which keep their parallelism; they are to write at their true output rate.
    pub sources: Vec<String>,
    /// One entry per instance.
    pub rates: Vec<InstanceRates>,
    /// What the original program decided, in files that hold a record of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<BTreeMap<String, u32>>,
}

/// Records per second of one instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceRates {
    /// Its operator.
    pub operator: String,
    /// Its number.
    pub instance: u32,
    /// Records read per second of useful time; 0 for sources.
    pub true_processing: f64,
    /// Records written per second of useful time.
    pub true_output: f64,
    /// Records read per second of wall time.
    #[serde(default)]
    pub observed_processing: f64,
    /// Records written per second of wall time.
    #[serde(default)]
    pub observed_output: f64,
}

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordError {
    /// `edges`, `sources` or `rates` name an operator that `parallelism` does not.
    UnknownOperator {
        /// The field.
        field: &'static str,
        /// The name.
        operator: String,
    },
    /// An operator has another number of rates than instances.
    WrongInstances {
        /// The operator.
        operator: String,
        /// Rates given.
        given: usize,
        /// Its parallelism.
        parallelism: u32,
    },
}

// === impl DataflowRecord ===

impl DataflowRecord {
    /// The dataflow, its rates summed over instances.
    pub fn dataflow(&self) -> Result<Dataflow, RecordError> {
        let position: BTreeMap<&str, usize> = self
            .parallelism
            .keys()
            .map(String::as_str)
            .zip(0..)
            .collect();
        let find = |field, name: &str| {
            position
                .get(name)
                .copied()
                .ok_or_else(|| RecordError::UnknownOperator {
                    field,
                    operator: name.to_owned(),
                })
        };
        let mut sources = BTreeSet::new();
        for source in &self.sources {
            sources.insert(find("sources", source)?);
        }
        let mut operators: Vec<DataflowOperator> = self
            .parallelism
            .iter()
            .zip(0..)
            .map(|((name, parallelism), at)| DataflowOperator {
                name: name.clone(),
                parallelism: *parallelism,
                true_processing: 0.0,
                true_output: 0.0,
                is_source: sources.contains(&at),
            })
            .collect();
        let mut given = vec![BTreeSet::new(); operators.len()];
        for rates in &self.rates {
            let at = find("rates", &rates.operator)?;
            operators[at].true_processing += rates.true_processing;
            operators[at].true_output += rates.true_output;
            given[at].insert(rates.instance);
        }
        // Whoever decides on a part of the instances takes a slow operator for a fast one.
        for (operator, given) in operators.iter().zip(&given) {
            if given.len() != operator.parallelism as usize {
                return Err(RecordError::WrongInstances {
                    operator: operator.name.clone(),
                    given: given.len(),
                    parallelism: operator.parallelism,
                });
            }
        }
        let edges = self.edges.iter().map(|(from, to)| {
            Ok(DataflowEdge {
                from: find("edges", from)?,
                to: find("edges", to)?,
                share: 1.0,
            })
        });
        Ok(Dataflow {
            edges: edges.collect::<Result<_, _>>()?,
            operators,
        })
    }
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownOperator { field, operator } => write!(
                f,
                "{field}: operator `{operator}` is not in `parallelism`; add it there with its number of instances"
            ),
            Self::WrongInstances {
                operator,
                given,
                parallelism,
            } => write!(
                f,
                "rates: operator `{operator}` has {given} instances, its parallelism is {parallelism}; give one entry for each"
            ),
        }
    }
}

impl std::error::Error for RecordError {}
