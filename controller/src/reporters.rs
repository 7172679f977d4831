//! Flink's Prometheus reporters: at which port of its range each JobManager and TaskManager serves its metrics.
//!
//! Flink takes the first free port of `metrics.reporter.NAME.port` and tells nobody which. So every port of the range is asked once per process,
//! and the answer's `tm_id` label says whose metrics they are: two clusters on one host are not mixed up.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::flink::FlinkClient;

/// Finds reporters, and remembers those it has found as long as their process lives.
#[derive(Debug)]
pub struct Reporters {
    flink: FlinkClient,
    http: reqwest::Client,
    known: Mutex<BTreeMap<Owner, String>>,
}

/// Whose metrics a reporter serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The JobManager.
    JobManager,
    /// The TaskManager of this id.
    TaskManager(String),
}

#[derive(Deserialize)]
struct TaskManagers {
    taskmanagers: Vec<TaskManager>,
}

#[derive(Deserialize)]
struct TaskManager {
    id: String,
    /// `pekko.tcp://flink@HOST:PORT/user/rpc/taskmanager_0`, or no more than an address where everything runs in one process.
    path: String,
}

// === impl Reporters ===

impl Reporters {
    /// Flink's default where a Prometheus reporter is configured without a port.
    const DEFAULT_PORT: u16 = 9249;
    /// A range names a port for each process of a host; more than these on one host is a mistake, not a cluster.
    const MAX_PORTS: usize = 64;
    /// The label that tells stands in one of the first lines; more than this is never read.
    const MAX_LOOKED_AT_BYTES: usize = 1 << 20;

    /// Looks for the reporters of one cluster. A port that is silent for `timeout` serves nothing.
    pub fn new(flink: FlinkClient, timeout: Duration) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(timeout).no_proxy();
        Ok(Self {
            flink,
            http: http.build()?,
            known: Mutex::default(),
        })
    }

    /// `host:port` by owner. While Flink cannot be asked: what was known before.
    pub async fn find(&self) -> BTreeMap<Owner, String> {
        let mut known = self.known.lock().await;
        match self.processes().await {
            Ok((ports, hosts)) => {
                known.retain(|owner, _| hosts.contains_key(owner));
                let missing = hosts.iter().filter(|(owner, _)| !known.contains_key(owner));
                let mut missing: Vec<_> = missing.map(|(_, host)| host.clone()).collect();
                missing.sort();
                missing.dedup();
                for (answered, target) in self.ask(&missing, &ports).await {
                    let owner = hosts.keys().find(|owner| owner.is(&answered));
                    if let Some(owner) = owner {
                        known.insert(owner.clone(), target);
                    }
                }
            }
            Err(error) => tracing::debug!("Flink's reporters are as last seen: {error:#}"),
        }
        known.clone()
    }

    /// The configured ports, and each process's host.
    async fn processes(&self) -> anyhow::Result<(Vec<u16>, BTreeMap<Owner, String>)> {
        let configuration = self.flink.configuration().await?;
        let ports = ports(configuration.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        let mut hosts = BTreeMap::new();
        if ports.is_empty() {
            return Ok((ports, hosts));
        }
        hosts.insert(Owner::JobManager, self.flink.host());
        let list: TaskManagers = self.flink.get("/taskmanagers").await?;
        for tm in list.taskmanagers {
            if let Some(host) = host_of(&tm.path) {
                hosts.insert(Owner::TaskManager(tm.id), host.to_owned());
            }
        }
        Ok((ports, hosts))
    }

    async fn ask(&self, hosts: &[String], ports: &[u16]) -> Vec<(Owner, String)> {
        let mut asked = JoinSet::new();
        for host in hosts {
            for port in ports {
                let target = format!("{host}:{port}");
                let http = self.http.clone();
                asked.spawn(async move {
                    let owner = owner_of(&http, &target).await?;
                    Some((owner, target))
                });
            }
        }
        let mut found: Vec<_> = asked.join_all().await.into_iter().flatten().collect();
        found.sort();
        found
    }
}

// === impl Owner ===

impl Owner {
    /// Whether a reporter means this process. By default Flink writes `_` for most characters of a label's value.
    fn is(&self, answered: &Self) -> bool {
        match (self, answered) {
            (Self::TaskManager(id), Self::TaskManager(label)) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == ':' || c == '_';
                id == label || id.replace(|c| !plain(c), "_") == *label
            }
            _ => self == answered,
        }
    }
}

/// Asks for metrics and reads until a line tells whose they are.
async fn owner_of(http: &reqwest::Client, target: &str) -> Option<Owner> {
    let mut answer = http
        .get(format!("http://{target}/metrics"))
        .send()
        .await
        .ok()?
        .error_for_status()
        .ok()?;
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await.ok()? {
        text.extend_from_slice(&chunk);
        let owner = owner_in(&String::from_utf8_lossy(&text));
        if owner.is_some() || text.len() > Reporters::MAX_LOOKED_AT_BYTES {
            return owner;
        }
    }
    None
}

fn owner_in(metrics: &str) -> Option<Owner> {
    metrics.lines().find_map(|line| {
        if line.starts_with("flink_jobmanager_") {
            return line.contains('{').then_some(Owner::JobManager);
        }
        if !line.starts_with("flink_taskmanager_") {
            return None;
        }
        let (_, rest) = line.split_once("tm_id=\"")?;
        let (id, _) = rest.split_once('"')?;
        Some(Owner::TaskManager(id.to_owned()))
    })
}

/// Every port of every Prometheus reporter in Flink's configuration.
fn ports<'a>(config: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Vec<u16> {
    let mut ports = Vec::new();
    for (key, class) in config.clone() {
        let name = key.strip_prefix("metrics.reporter.");
        let name = name.and_then(|rest| rest.strip_suffix(".factory.class"));
        if let Some(name) = name.filter(|_| class.ends_with(".PrometheusReporterFactory")) {
            let port_key = format!("metrics.reporter.{name}.port");
            let set = config.clone().find(|(key, _)| *key == port_key);
            match set {
                Some((_, text)) => text
                    .split(',')
                    .filter_map(range)
                    .for_each(|r| ports.extend(r)),
                None => ports.push(Reporters::DEFAULT_PORT),
            }
        }
    }
    ports.truncate(Reporters::MAX_PORTS);
    ports
}

/// `9250` or `9250-9260`.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
}

fn host_of(path: &str) -> Option<&str> {
    let (_, after_user) = path.split_once('@')?;
    let (address, _) = after_user.split_once('/')?;
    let (host, _) = address.rsplit_once(':')?;
    Some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_those_of_prometheus_reporters_only() {
        let class = "org.apache.flink.metrics.prometheus.PrometheusReporterFactory";
        let config = [
            ("metrics.reporter.prom.factory.class", class),
            ("metrics.reporter.prom.port", "9250-9252, 9260"),
            ("metrics.reporter.plain.factory.class", class),
            (
                "metrics.reporter.jmx.factory.class",
                "org.apache.flink.metrics.jmx.JMXReporterFactory",
            ),
            ("metrics.reporter.jmx.port", "8789"),
        ];
        assert_eq!(ports(config.into_iter()), [9250, 9251, 9252, 9260, 9249]);
        assert_eq!(ports([].into_iter()), [0_u16; 0]);
    }

    #[test]
    fn the_host_of_a_task_manager() {
        let path = "pekko.tcp://flink@10.1.2.3:41357/user/rpc/taskmanager_0";
        assert_eq!(host_of(path), Some("10.1.2.3"));
        assert_eq!(
            host_of("pekko.tcp://flink@[fd00::7]:1/x"),
            Some("[fd00::7]")
        );
        assert_eq!(host_of("pekko://flink/user"), None);
    }

    #[test]
    fn a_filtered_label_is_recognised() {
        let tm = Owner::TaskManager("127.0.0.1:35407-df787a".to_owned());
        assert!(tm.is(&tm));
        assert!(tm.is(&Owner::TaskManager("127_0_0_1:35407_df787a".to_owned())));
        assert!(!tm.is(&Owner::TaskManager("127_0_0_2:35407_df787a".to_owned())));
        assert!(!tm.is(&Owner::JobManager));
    }

    #[test]
    fn metrics_tell_their_owner() {
        let tm = "# HELP flink_taskmanager_Status_Load x\nflink_taskmanager_Status_Load{host=\"a\",tm_id=\"a:1-x\",} 1\n";
        assert_eq!(owner_in(tm), Some(Owner::TaskManager("a:1-x".to_owned())));
        let jm = "flink_jobmanager_numRunningJobs{host=\"a\",} 1\n";
        assert_eq!(owner_in(jm), Some(Owner::JobManager));
        assert_eq!(owner_in("process_cpu_seconds_total 1\n"), None);
    }
}
