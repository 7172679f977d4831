//! A standalone Flink cluster of our own on loopback: one JobManager, some TaskManagers.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::artefacts::FlinkLine;
use crate::flink_home::{FlinkHome, render};
use crate::ports::free_port;
use crate::process::Process;
use crate::state_dir::StateDir;
use crate::{Agent, FlinkRest, artefacts, wait};

/// A JVM on a loaded two-core machine may take its time.
const START: Duration = Duration::from_secs(180);

/// What kind of cluster to start.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Which Flink.
    pub line: FlinkLine,
    /// Number of TaskManagers; each has the slots of the template.
    pub task_managers: usize,
    /// JARs added to `lib/`.
    pub jars: Vec<PathBuf>,
    /// Keys of the template to set, or to remove.
    pub overrides: Vec<(String, Option<String>)>,
}

/// A running cluster; everything ends when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    // Dropped in this order: processes before the folder they write to.
    task_managers: Vec<Process>,
    job_manager: Process,
    rest: FlinkRest,
    home: FlinkHome,
    state: StateDir,
}

// === impl ClusterOptions ===

impl ClusterOptions {
    /// One TaskManager with Weir's JAR, as `flink-conf/1.20/demo.yaml` has it.
    pub fn with_weir() -> Result<Self> {
        Self::with_weir_on(FlinkLine::V1)
    }

    /// The same on another line of Flink.
    pub fn with_weir_on(line: FlinkLine) -> Result<Self> {
        Ok(Self {
            line,
            task_managers: 1,
            jars: vec![artefacts::weir_jar(line)?],
            overrides: Vec::new(),
        })
    }

    /// The same cluster as if Weir had never been heard of.
    pub fn without_weir() -> Result<Self> {
        Self::without_weir_on(FlinkLine::V1)
    }

    /// The same on another line of Flink.
    pub fn without_weir_on(line: FlinkLine) -> Result<Self> {
        let template = fs::read_to_string(template(line))?;
        let keys = template
            .lines()
            .filter_map(|line| line.split_once(':').map(|(key, _)| key))
            .filter(|key| {
                key.starts_with("weir.") || *key == "state.backend.rocksdb.options-factory"
            });
        Ok(Self {
            line,
            task_managers: 1,
            jars: Vec::new(),
            overrides: keys.map(|key| (key.to_owned(), None)).collect(),
        })
    }

    /// Sets a configuration key.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.overrides.retain(|(k, _)| k != key);
        self.overrides
            .push((key.to_owned(), Some(value.to_string())));
        self
    }
}

// === impl Cluster ===

impl Cluster {
    /// Starts a cluster and waits until its slots are there.
    pub fn start(options: &ClusterOptions) -> Result<Self> {
        let state = StateDir::create()?;
        let distribution = artefacts::flink_distribution(options.line)?;
        let home = FlinkHome::create(&state.subdir("flink")?, &distribution, &options.jars)?;
        let rest_port = free_port()?;
        let path = home.path().display();
        let loopback = || "127.0.0.1".to_owned();
        let values = [
            ("JOBMANAGER_HOST", loopback()),
            ("BIND_HOST", loopback()),
            ("REST_PORT", rest_port.to_string()),
            ("RPC_PORT", free_port()?.to_string()),
            ("REPORTER_PORTS", reporter_ports(options.task_managers)?),
            ("CHECKPOINT_URI", format!("file://{path}/checkpoints")),
            ("TMP_DIR", format!("{path}/tmp")),
        ];
        let template = fs::read_to_string(template(options.line))
            .context("cannot read the configuration template")?;
        home.configure(&render(&template, &values, &options.overrides)?)?;

        let job_manager = start(&home, "jobmanager", 0)?;
        let task_managers = (0..options.task_managers)
            .map(|i| start(&home, "taskmanager", i))
            .collect::<Result<_>>()?;
        let mut cluster = Self {
            task_managers,
            job_manager,
            rest: FlinkRest::new(&format!("http://127.0.0.1:{rest_port}")),
            home,
            state,
        };
        cluster.wait_for_task_managers()?;
        Ok(cluster)
    }

    fn wait_for_task_managers(&mut self) -> Result<()> {
        let expected = self.task_managers.len();
        wait::until("the JobManager to have its TaskManagers", START, || {
            // A dead process is an answer, not something to wait for: it must leave the loop as a value.
            if let Err(dead) = self.check_alive() {
                return Ok(Some(Err(dead)));
            }
            // A TaskManager registers first and reports its slots a moment later.
            let overview = self.rest.overview()?;
            let ready = overview.task_managers == expected && overview.slots_available > 0;
            Ok(ready.then_some(Ok(())))
        })?
    }

    /// Fails, quoting the log, if a process of the cluster has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        self.job_manager.check_alive()?;
        self.task_managers
            .iter_mut()
            .try_for_each(Process::check_alive)
    }

    /// How many processes it has.
    #[must_use]
    pub fn processes(&self) -> usize {
        1 + self.task_managers.len()
    }

    /// Flink's REST API.
    #[must_use]
    pub fn rest(&self) -> &FlinkRest {
        &self.rest
    }

    /// The JobManager's process.
    #[must_use]
    pub fn job_manager(&self) -> &Process {
        &self.job_manager
    }

    /// The first TaskManager's process.
    #[must_use]
    pub fn task_manager(&self) -> &Process {
        &self.task_managers[0]
    }

    /// A TaskManager's process, counted from 0, to be ended.
    pub fn task_manager_mut(&mut self, number: usize) -> &mut Process {
        &mut self.task_managers[number]
    }

    /// The folder that is removed with the cluster.
    #[must_use]
    pub fn state(&self) -> &StateDir {
        &self.state
    }

    /// Where Flink is installed.
    #[must_use]
    pub fn home(&self) -> &FlinkHome {
        &self.home
    }

    /// The agent in the first TaskManager, at the address its log line names. It starts with the first keyed operator.
    pub fn agent(&self, deadline: Duration) -> Result<Agent> {
        let url = wait::until(
            "the agent's INFO line in the TaskManager log",
            deadline,
            || Ok(agent_url(&self.task_manager().log()?)),
        );
        let url = url.with_context(|| {
            format!("TaskManager log ends:\n{}", self.task_manager().log_tail())
        })?;
        let agent = Agent::new(&url);
        wait::until("the agent's /healthz", deadline, || {
            agent.healthz().map(Some)
        })?;
        Ok(agent)
    }
}

/// The one line in which the agent introduces itself.
#[must_use]
pub fn agent_lines(log: &str) -> Vec<&str> {
    log.lines()
        .filter(|line| {
            line.contains(" INFO ") && line.contains("io.weir") && line.contains("hooked")
        })
        .collect()
}

/// The agent's address, where the log has its line.
#[must_use]
pub fn agent_url(log: &str) -> Option<String> {
    let line = *agent_lines(log).first()?;
    let url = &line[line.find("http://")?..];
    let end = url
        .find(|c: char| c.is_whitespace() || c == ',')
        .unwrap_or(url.len());
    Some(url[..end].trim_end_matches('/').to_owned())
}

/// A port for each process, as Flink writes a choice of ports.
fn reporter_ports(task_managers: usize) -> Result<String> {
    let ports: Vec<_> = (0..=task_managers)
        .map(|_| Ok(free_port()?.to_string()))
        .collect::<Result<_>>()?;
    Ok(ports.join(","))
}

fn template(line: FlinkLine) -> PathBuf {
    artefacts::root()
        .join("flink-conf")
        .join(line.name())
        .join("demo.yaml")
}

fn start(home: &FlinkHome, role: &str, number: usize) -> Result<Process> {
    let script = home.script(&format!("{role}.sh"));
    ensure!(
        script.is_file(),
        "{} is missing from the distribution",
        script.display()
    );
    // The scripts `exec` each other and Java at last, so the child we start is the JVM itself.
    let mut command = Command::new(script);
    command.arg("start-foreground").current_dir(home.path());
    for inherited in [
        "FLINK_HOME",
        "FLINK_LIB_DIR",
        "FLINK_PLUGINS_DIR",
        "FLINK_ENV_JAVA_OPTS",
        "JVM_ARGS",
    ] {
        command.env_remove(inherited);
    }
    command
        .env("FLINK_CONF_DIR", home.path().join("conf"))
        .env("FLINK_LOG_DIR", home.path().join("log"))
        .env("FLINK_PID_DIR", home.path().join("tmp"))
        // For the scripts' little JVMs too: a killed JVM would leave its performance counters in /tmp.
        .env("JAVA_TOOL_OPTIONS", "-XX:+PerfDisableSharedMem");
    let log = home.path().join(format!("log/{role}-{number}.log"));
    Process::start(role, &command, &log)
}

#[cfg(test)]
mod tests {
    use super::agent_url;

    #[test]
    fn the_address_is_read_off_the_log_line() {
        let log = "2026-01-01 00:00:00 INFO  io.weir.agent - Weir 0.1.0: RocksDB 6.20.3, hooked Insert (slot 3) and Lookup (slot 4), \
                   cache budget 170 MiB, HTTP http://127.0.0.1:9260\n";
        assert_eq!(agent_url(log).as_deref(), Some("http://127.0.0.1:9260"));
        assert_eq!(agent_url("INFO  io.weir.agent - nothing"), None);
    }
}
