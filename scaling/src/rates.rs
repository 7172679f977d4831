//! What the vertices of a job can process, what they have to, and what crosses the edges between them.
//!
//! The true processing rate of an instance is what it would read if it never waited: records read over the time it worked
//! (Kalavri et al., OSDI '18, section 3.1). An operator's is either the sum over its instances (DS2), or its total input over the
//! load of its busiest instance (Flink's operator autoscaler), which skew makes the smaller one. Whatever is not known stays
//! [`Missing`], and so does what follows from it.

use std::borrow::Cow;

use crate::ds2::topological_order;
use crate::{JobState, Measured, Missing, SubtaskState, Terms, VertexState};

/// How instances add up to an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RateDefinition {
    /// The sum of the instances' true rates: what they could do if keys were spread evenly.
    #[default]
    SumOfInstances,
    /// Total input over the busiest instance's load: what they can do as keys are spread.
    TotalOverBusiest,
}

/// The rates of one job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRates {
    /// By position in [`JobState::vertices`].
    pub vertices: Vec<VertexRates>,
    /// By position in [`JobState::edges`].
    pub edges: Vec<EdgeRates>,
    /// Positions of vertices, producers before consumers.
    pub order: Vec<usize>,
}

/// The rates of one vertex, all instances together, in records per second.
#[derive(Debug, Clone, PartialEq)]
pub struct VertexRates {
    /// Records read.
    pub records_in: Measured,
    /// Records written.
    pub records_out: Measured,
    /// True processing rate by [`RateDefinition::SumOfInstances`].
    pub sum_of_instances: Measured,
    /// True processing rate by [`RateDefinition::TotalOverBusiest`].
    pub total_over_busiest: Measured,
    /// Share of time the busiest instance works.
    pub busiest: Measured,
    /// Seconds of work per record, the mean over all.
    pub busy_seconds_per_record: Measured,
    /// What it has to read so that every source keeps up with the world outside.
    pub target: Measured,
    /// What it has to read on top of it, so that backlogs are gone in time.
    pub catch_up: Measured,
}

/// The rates of one edge.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeRates {
    /// Position of the producer.
    pub from: usize,
    /// Position of the consumer.
    pub to: usize,
    /// Records that cross it, per second.
    pub records: Measured,
    /// Records that cross it per record that the producer reads.
    pub selectivity: Measured,
}

/// Why a job's rates cannot be told at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopologyError {
    /// An edge names a vertex that is not there.
    UnknownVertex(String),
    /// There is no order of producers and consumers.
    Cycle(Vec<String>),
}

// === impl JobRates ===

impl JobRates {
    /// The rates of a job whose backlogs have to be gone within [`Terms::catch_up_seconds`].
    pub fn of(job: &JobState, terms: &Terms) -> Result<Self, TopologyError> {
        let mut vertices: Vec<VertexRates> = job.vertices.iter().map(VertexRates::of).collect();
        let positions: std::collections::BTreeMap<&str, usize> = job
            .vertices
            .iter()
            .map(|v| v.id.as_str())
            .zip(0..)
            .collect();
        let find = |id: &str| {
            let found = positions.get(id).copied();
            found.ok_or_else(|| TopologyError::UnknownVertex(id.to_owned()))
        };
        let mut ends = Vec::with_capacity(job.edges.len());
        for edge in &job.edges {
            ends.push((find(&edge.from)?, find(&edge.to)?));
        }
        let names: Vec<&str> = job.vertices.iter().map(|v| v.name.as_str()).collect();
        let order = topological_order(&names, ends.iter().copied());
        let order = order.map_err(|cycle| TopologyError::Cycle(cycle.operators))?;
        let edges = edges_of(job, &ends, &vertices);
        walk(job, terms, &order, &edges, &mut vertices);
        Ok(Self {
            vertices,
            edges,
            order,
        })
    }
}

// === impl VertexRates ===

impl VertexRates {
    /// Flink tells busy time in milliseconds per second: no load is known more finely.
    const LOAD_RESOLUTION: f64 = 0.001;

    /// The true processing rate by this definition.
    #[must_use]
    pub fn true_rate(&self, definition: RateDefinition) -> &Measured {
        match definition {
            RateDefinition::SumOfInstances => &self.sum_of_instances,
            RateDefinition::TotalOverBusiest => &self.total_over_busiest,
        }
    }

    fn of(vertex: &VertexState) -> Self {
        let subtasks = complete(vertex);
        let all = |value: fn(&SubtaskState) -> &Measured| -> Result<Vec<f64>, Missing> {
            let subtasks = subtasks.as_ref().map_err(Missing::clone)?;
            let mut values = Vec::with_capacity(subtasks.len());
            for subtask in subtasks.iter() {
                match value(subtask) {
                    Measured::Known(value) => values.push(*value),
                    Measured::Missing(missing) => return Err(missing.clone()),
                }
            }
            Ok(values)
        };
        let inputs = all(|s| &s.records_in_per_second);
        let loads = all(|s| &s.busy);
        let sum = |values: &Result<Vec<f64>, Missing>| match values {
            Ok(values) => Measured::of(values.iter().sum()),
            Err(missing) => Measured::Missing(missing.clone()),
        };
        let both = inputs.as_ref().map_err(Missing::clone).and_then(|inputs| {
            let loads = loads.as_ref().map_err(Missing::clone)?;
            Ok((inputs, loads))
        });
        let from_both = |value: fn(&[f64], &[f64]) -> Option<f64>| {
            let value = both
                .clone()
                .and_then(|(inputs, loads)| value(inputs, loads).ok_or(Missing::Idle));
            Measured::from(value)
        };
        let busiest = loads.as_ref().map_err(Missing::clone);
        Self {
            records_in: sum(&inputs),
            records_out: sum(&all(|s| &s.records_out_per_second)),
            sum_of_instances: from_both(sum_of_instances),
            total_over_busiest: from_both(total_over_busiest),
            busiest: busiest
                .map(|loads| loads.iter().copied().fold(0.0, f64::max))
                .into(),
            busy_seconds_per_record: from_both(|inputs, loads| {
                let total: f64 = inputs.iter().sum();
                (total > 0.0).then(|| loads.iter().sum::<f64>() / total)
            }),
            target: Measured::default(),
            catch_up: Measured::default(),
        }
    }
}

/// All subtasks in the order of their index, or why they are not complete.
fn complete(vertex: &VertexState) -> Result<Cow<'_, [SubtaskState]>, Missing> {
    let expected = vertex.parallelism;
    let reported = u32::try_from(vertex.subtasks.len()).unwrap_or(u32::MAX);
    if reported == 0 {
        return Err(Missing::NotReported);
    }
    if reported != expected {
        return Err(Missing::LostReports { reported, expected });
    }
    let mut subtasks = Cow::from(&vertex.subtasks);
    if !subtasks.is_sorted_by_key(|s| s.index) {
        subtasks.to_mut().sort_by_key(|s| s.index);
    }
    Ok(subtasks)
}

/// An instance without input says nothing of its rate: it counts like the mean of the others.
fn sum_of_instances(inputs: &[f64], loads: &[f64]) -> Option<f64> {
    let busy = inputs.iter().zip(loads).filter(|(input, _)| **input > 0.0);
    let rates: Vec<f64> = busy
        .map(|(input, load)| input / load.max(VertexRates::LOAD_RESOLUTION))
        .collect();
    let mean = rates.iter().sum::<f64>() / rates.len() as f64;
    (!rates.is_empty()).then_some(mean * inputs.len() as f64)
}

fn total_over_busiest(inputs: &[f64], loads: &[f64]) -> Option<f64> {
    let total: f64 = inputs.iter().sum();
    let busiest = loads
        .iter()
        .copied()
        .fold(VertexRates::LOAD_RESOLUTION, f64::max);
    (total > 0.0).then(|| total / busiest)
}

/// What crosses every edge, by whatever tells it: the edge's own count; the input of a consumer that has no other; the output of
/// a producer that has no other; a consumer's input less what comes from producers that have no other output.
fn edges_of(job: &JobState, ends: &[(usize, usize)], vertices: &[VertexRates]) -> Vec<EdgeRates> {
    let mut outputs = vec![0_usize; vertices.len()];
    let mut inputs: Vec<Vec<usize>> = vec![Vec::new(); vertices.len()];
    for (at, &(from, to)) in ends.iter().enumerate() {
        outputs[from] += 1;
        inputs[to].push(at);
    }
    let single_output = |at: usize| {
        let from = ends[at].0;
        (outputs[from] == 1).then(|| vertices[from].records_out.clone())
    };
    let told = |at: usize| {
        let (_, to) = ends[at];
        if let known @ Measured::Known(_) = &job.edges[at].records_per_second {
            return known.clone();
        }
        if inputs[to].len() == 1 && vertices[to].records_in.known().is_some() {
            return vertices[to].records_in.clone();
        }
        if let Some(output) = single_output(at) {
            return output;
        }
        let others = inputs[to].iter().filter(|other| **other != at);
        let others: Option<f64> = others
            .map(|other| single_output(*other).and_then(|o| o.known()))
            .sum();
        match (vertices[to].records_in.get(), others) {
            // Two counters are never read at the same moment.
            (Ok(total), Some(others)) => Measured::of((total - others).max(0.0)),
            (Ok(_), None) => Measured::default(),
            (Err(missing), _) => Measured::Missing(missing),
        }
    };
    let edge = |(at, &(from, to)): (usize, &(usize, usize))| {
        let records = told(at);
        let selectivity = match (&vertices[from].records_in, &records) {
            (Measured::Missing(missing), _) | (_, Measured::Missing(missing)) => {
                Measured::Missing(missing.clone())
            }
            (Measured::Known(input), Measured::Known(_)) if *input == 0.0 => {
                Measured::Missing(Missing::Idle)
            }
            (Measured::Known(input), Measured::Known(records)) => Measured::of(records / input),
        };
        EdgeRates {
            from,
            to,
            records,
            selectivity,
        }
    };
    ends.iter().enumerate().map(edge).collect()
}

/// Carries the sources' targets and backlogs downstream.
fn walk(
    job: &JobState,
    terms: &Terms,
    order: &[usize],
    edges: &[EdgeRates],
    vertices: &mut [VertexRates],
) {
    let mut inputs: Vec<Vec<&EdgeRates>> = vec![Vec::new(); vertices.len()];
    for edge in edges {
        inputs[edge.to].push(edge);
    }
    for &at in order {
        let (target, catch_up) = match &job.vertices[at].source {
            Some(source) => {
                let catch_up = source.pending_records.map(|r| r / terms.catch_up_seconds);
                (source.target_records_per_second.clone(), catch_up)
            }
            None if inputs[at].is_empty() => Default::default(),
            None => {
                let arriving = |value: fn(&VertexRates) -> &Measured| {
                    let shares = inputs[at].iter().map(|edge| {
                        let upstream = value(&vertices[edge.from]);
                        through(upstream, edge, || job.vertices[edge.from].name.clone())
                    });
                    Measured::from(shares.sum::<Result<f64, Missing>>())
                };
                (arriving(|v| &v.target), arriving(|v| &v.catch_up))
            }
        };
        vertices[at].target = target;
        vertices[at].catch_up = catch_up;
    }
}

/// What of an upstream demand arrives through an edge. Of no demand nothing arrives, whatever the selectivity.
fn through(
    upstream: &Measured,
    edge: &EdgeRates,
    name: impl Fn() -> String,
) -> Result<f64, Missing> {
    let unknown = |_| Missing::Upstream { vertex: name() };
    match upstream.get().map_err(unknown)? {
        0.0 => Ok(0.0),
        demand => Ok(demand * edge.selectivity.get().map_err(unknown)?),
    }
}

impl std::fmt::Display for TopologyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownVertex(id) => {
                write!(f, "an edge names vertex {id}, which the job does not have")
            }
            Self::Cycle(names) => {
                write!(f, "there is a cycle through or before {}", names.join(", "))
            }
        }
    }
}

impl std::error::Error for TopologyError {}
