//! Metric families, built from plain numbers. Series with equal labels are added up.

use std::collections::BTreeMap;

use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};

/// Names and values of a series' labels.
pub(super) type Labels = Vec<(&'static str, String)>;

/// A histogram as Prometheus has it: cumulative counts by upper bound, then all, then their sum.
#[derive(Debug, Clone, Default)]
pub(super) struct Distribution {
    pub buckets: Vec<(f64, u64)>,
    pub count: u64,
    pub sum: f64,
}

/// Series of one counter or gauge.
#[derive(Debug, Default)]
pub(super) struct Series(BTreeMap<Labels, f64>);

/// Series of one histogram.
#[derive(Debug, Default)]
pub(super) struct Distributions(BTreeMap<Labels, Distribution>);

// === impl Series ===

impl Series {
    /// Adds a value to the series with these labels.
    pub(super) fn add(&mut self, labels: Labels, value: f64) {
        *self.0.entry(labels).or_default() += value;
    }

    pub(super) fn one(labels: Labels, value: f64) -> Self {
        Self(BTreeMap::from([(labels, value)]))
    }

    pub(super) fn counter(self, name: &str, help: &str) -> MetricFamily {
        let of = |(labels, value)| {
            let mut counter = Counter::default();
            counter.set_value(value);
            let mut metric = metric(labels);
            metric.set_counter(counter);
            metric
        };
        let metrics = self.0.into_iter().map(of).collect();
        family(name, help, MetricType::COUNTER, metrics)
    }

    pub(super) fn gauge(self, name: &str, help: &str) -> MetricFamily {
        let of = |(labels, value)| {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            let mut metric = metric(labels);
            metric.set_gauge(gauge);
            metric
        };
        let metrics = self.0.into_iter().map(of).collect();
        family(name, help, MetricType::GAUGE, metrics)
    }
}

// === impl Distributions ===

impl Distributions {
    /// Adds a distribution to the series with these labels. All have the same bounds.
    pub(super) fn add(&mut self, labels: Labels, distribution: Distribution) {
        let sum = self.0.entry(labels).or_insert_with(|| Distribution {
            buckets: distribution
                .buckets
                .iter()
                .map(|&(bound, _)| (bound, 0))
                .collect(),
            ..Distribution::default()
        });
        for (mine, theirs) in sum.buckets.iter_mut().zip(&distribution.buckets) {
            mine.1 += theirs.1;
        }
        sum.count += distribution.count;
        sum.sum += distribution.sum;
    }

    pub(super) fn histogram(self, name: &str, help: &str) -> MetricFamily {
        let of = |(labels, distribution): (Labels, Distribution)| {
            let bucket = |(bound, count)| {
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(bound);
                bucket.set_cumulative_count(count);
                bucket
            };
            let mut histogram = Histogram::default();
            histogram.set_sample_count(distribution.count);
            histogram.set_sample_sum(distribution.sum);
            histogram.set_bucket(distribution.buckets.into_iter().map(bucket).collect());
            let mut metric = metric(labels);
            metric.set_histogram(histogram);
            metric
        };
        let metrics = self.0.into_iter().map(of).collect();
        family(name, help, MetricType::HISTOGRAM, metrics)
    }
}

fn metric(labels: Labels) -> Metric {
    let pair = |(name, value): (&str, String)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value);
        pair
    };
    Metric::from_label(labels.into_iter().map(pair).collect())
}

fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_labels_are_added_up() {
        let labels = || vec![("tm_id", "a".to_owned())];
        let mut series = Series::default();
        series.add(labels(), 2.0);
        series.add(labels(), 3.0);
        series.add(vec![("tm_id", "b".to_owned())], 1.0);
        let family = series.gauge("weir_x_bytes", "X.");
        let values: Vec<f64> = family
            .get_metric()
            .iter()
            .map(|metric| metric.get_gauge().get_value())
            .collect();
        assert_eq!(values, [5.0, 1.0]);

        let mut distributions = Distributions::default();
        for count in [2, 5] {
            let distribution = Distribution {
                buckets: vec![(1.0, count), (2.0, 2 * count)],
                count: 3 * count,
                sum: 0.5,
            };
            distributions.add(labels(), distribution);
        }
        let family = distributions.histogram("weir_x_seconds", "X.");
        let histogram = family.get_metric()[0].get_histogram();
        assert_eq!(histogram.get_sample_count(), 21);
        let counts: Vec<u64> = histogram
            .get_bucket()
            .iter()
            .map(|bucket| bucket.cumulative_count())
            .collect();
        assert_eq!(counts, [7, 14]);
    }
}
