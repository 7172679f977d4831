//! Findings about Flink, the controller, and whether every TaskManager has its agent.

use super::{ClusterFacts, Finding};
use crate::status::{Status, permission};

/// The class that Flink has to be told of.
const FACTORY: &str = "io.weir.WeirOptionsFactory";
const FLINK: &str = "flink";
const CONTROLLER: &str = "controller";

/// What a controller's status shows.
pub fn of_controller(url: &str, status: &anyhow::Result<Status>) -> Vec<Finding> {
    let status = match status {
        Ok(status) => status,
        Err(error) => {
            return vec![Finding::fault(
                CONTROLLER,
                format!("{url} does not answer: {error:#}"),
                "start it with `weir run`, or correct --controller",
            )];
        }
    };
    let act = permission(&status.act);
    let mut findings = vec![Finding::fine(
        CONTROLLER,
        format!(
            "version {}, policy {}, {act}",
            status.version, status.policy
        ),
    )];
    let own = env!("CARGO_PKG_VERSION");
    if status.version != own {
        findings.push(Finding::limit(
            CONTROLLER,
            format!("it is {}, this program {own}", status.version),
            "use one release everywhere",
        ));
    }
    if let Some(error) = &status.flink_error {
        findings.push(Finding::fault(
            CONTROLLER,
            format!("it cannot ask Flink: {error}"),
            "correct `flink` in its configuration; until then it goes on by what the agents report",
        ));
    }
    if status.agents.is_empty() {
        findings.push(Finding::fault(
            CONTROLLER,
            "it knows no agent",
            "set weir.controller.url in Flink's configuration, or name agents with --agent",
        ));
    }
    let errors = status.counters.history_errors;
    if errors > 0 {
        findings.push(Finding::fault(
            CONTROLLER,
            format!(
                "{errors} lines of its history could not be written; it changes nothing without"
            ),
            "make room on the disk of its history file, or correct its rights",
        ));
    }
    findings
}

/// What Flink's version and configuration allow.
pub fn of_flink(url: &str, facts: &anyhow::Result<ClusterFacts>) -> Vec<Finding> {
    let facts = match facts {
        Ok(facts) => facts,
        Err(error) => {
            return vec![Finding::fault(
                FLINK,
                format!("{url} does not answer: {error:#}"),
                "correct --flink; it is the address of Flink's web page, http://JOBMANAGER:8081",
            )];
        }
    };
    let version = &facts.version;
    let line = match version.split('.').collect::<Vec<_>>().as_slice() {
        ["1", "20", ..] => Finding::fine(FLINK, format!("version {version}")),
        ["2", ..] => Finding::fine(FLINK, format!("version {version}")),
        _ => Finding::fault(
            FLINK,
            format!("version {version}"),
            "Weir is built for Flink 1.20 and 2",
        ),
    };
    let value = |key: &str| facts.configuration.get(key).map(String::as_str);
    let mut findings = vec![line];
    let key = "state.backend.rocksdb.options-factory";
    findings.push(match value(key) {
        Some(FACTORY) => Finding::fine(FLINK, format!("{key} is {FACTORY}")),
        Some(other) => Finding::fault(
            FLINK,
            format!("{key} is {other}"),
            format!("set it to {FACTORY}"),
        ),
        None => Finding::fault(
            FLINK,
            format!("{key} is not set"),
            format!("set it to {FACTORY}, here or in the job's own configuration"),
        ),
    });
    let backend = value("state.backend.type").or_else(|| value("state.backend"));
    if backend != Some("rocksdb") {
        let found = format!("state.backend.type is {}", backend.unwrap_or("not set"));
        let remedy = "set it to rocksdb; jobs that say so themselves are served as well";
        findings.push(Finding::limit(FLINK, found, remedy));
    }
    if value("jobmanager.scheduler").is_none_or(|s| !s.eq_ignore_ascii_case("adaptive")) {
        findings.push(Finding::limit(
            FLINK,
            "jobmanager.scheduler is not adaptive: parallelism cannot be changed while a job runs",
            "set it to adaptive if the controller shall rescale; memory moves without it",
        ));
    }
    if value("execution.checkpointing.interval").is_none() {
        findings.push(Finding::limit(
            FLINK,
            "execution.checkpointing.interval is not set: a restart would begin with empty state",
            "set it, here or in the job, before the controller may rescale",
        ));
    }
    let reporter = |(key, value): (&String, &String)| {
        key.starts_with("metrics.reporter.") && value.contains("Prometheus")
    };
    if !facts.configuration.iter().any(reporter) {
        findings.push(Finding::limit(
            FLINK,
            "no Prometheus reporter is configured: the dashboards lack Flink's own metrics",
            "flink-conf/ has configurations with one",
        ));
    }
    findings
}

/// Whether every TaskManager has an agent.
pub fn of_fleet(facts: &ClusterFacts, agents: usize) -> Option<Finding> {
    let wanted = facts.task_managers;
    let found = format!("{wanted} TaskManagers, {agents} agents known");
    if agents >= wanted {
        return Some(Finding::fine(FLINK, found));
    }
    let remedy = "an agent starts with the first RocksDB of its TaskManager and announces itself where weir.controller.url says; if jobs with RocksDB state run on all, look for the WARN of io.weir in the TaskManagers' logs";
    Some(if facts.running_jobs == 0 {
        Finding::limit(FLINK, found, remedy)
    } else {
        Finding::fault(FLINK, found, remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    fn facts(version: &str, configuration: &[(&str, &str)]) -> ClusterFacts {
        let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        ClusterFacts {
            version: version.to_owned(),
            configuration: configuration.iter().map(own).collect(),
            task_managers: 2,
            running_jobs: 1,
        }
    }

    fn faults(findings: &[Finding]) -> Vec<&str> {
        let faults = findings.iter().filter(|f| f.verdict == Verdict::Fault);
        faults.map(|f| f.found.as_str()).collect()
    }

    const GOOD: &[(&str, &str)] = &[
        ("state.backend.rocksdb.options-factory", FACTORY),
        ("state.backend.type", "rocksdb"),
        ("jobmanager.scheduler", "Adaptive"),
        ("execution.checkpointing.interval", "1min"),
        (
            "metrics.reporter.prom.factory.class",
            "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
        ),
    ];

    #[test]
    fn a_good_cluster_has_nothing_to_mend() {
        for version in ["1.20.5", "2.3.0", "2.1-SNAPSHOT"] {
            let findings = of_flink("http://f", &Ok(facts(version, GOOD)));
            assert!(
                findings.iter().all(|f| f.verdict == Verdict::Fine),
                "{findings:?}"
            );
        }
    }

    #[test]
    fn each_missing_key_is_named_with_its_remedy() {
        for (left_out, _) in GOOD {
            let rest: Vec<_> = GOOD
                .iter()
                .copied()
                .filter(|(k, _)| k != left_out)
                .collect();
            let findings = of_flink("http://f", &Ok(facts("1.20.5", &rest)));
            let told: Vec<_> = findings.iter().filter(|f| f.remedy.is_some()).collect();
            assert_eq!(told.len(), 1, "{left_out}: {told:?}");
        }
    }

    #[test]
    fn another_line_of_flink_and_another_factory_are_faults() {
        let mut other = GOOD.to_vec();
        other[0].1 = "com.example.Other";
        let findings = of_flink("http://f", &Ok(facts("1.19.1", &other)));
        assert_eq!(
            faults(&findings),
            [
                "version 1.19.1",
                "state.backend.rocksdb.options-factory is com.example.Other"
            ]
        );
    }

    #[test]
    fn a_missing_agent_is_a_fault_only_while_jobs_run() {
        let mut cluster = facts("1.20.5", GOOD);
        assert_eq!(
            of_fleet(&cluster, 1).map(|f| f.verdict),
            Some(Verdict::Fault)
        );
        assert_eq!(
            of_fleet(&cluster, 2).map(|f| f.verdict),
            Some(Verdict::Fine)
        );
        cluster.running_jobs = 0;
        assert_eq!(
            of_fleet(&cluster, 0).map(|f| f.verdict),
            Some(Verdict::Limit)
        );
    }
}
