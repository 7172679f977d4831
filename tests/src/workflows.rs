//! The scripts a user runs by hand, with the environment they are configured by.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::FlinkRest;
use crate::flink_home::FlinkHome;
use crate::ports::free_port;

/// The scripts of one clone or unpacked tarball, for one installation of Flink. What they start is a daemon: it is stopped when this
/// is dropped.
#[derive(Debug)]
pub struct Workflows {
    root: PathBuf,
    environment: Vec<(String, String)>,
    flink: FlinkRest,
}

impl Workflows {
    /// Scripts in `root/scripts`, for the Flink in `home`, with ports of their own on loopback.
    pub fn new(root: &Path, home: &FlinkHome, more: &[(&str, String)]) -> Result<Self> {
        let rest_port = free_port()?;
        let mut ports = Vec::new();
        for _ in 0..6 {
            ports.push(free_port()?.to_string());
        }
        let environment = [
            ("FLINK_HOME", home.path().display().to_string()),
            ("REST_PORT", rest_port.to_string()),
            ("RPC_PORT", free_port()?.to_string()),
            ("REPORTER_PORTS", ports.join(",")),
            ("TASKMANAGER_MEMORY", "1280m".to_owned()),
            // A killed JVM would leave its performance counters in /tmp.
            ("JAVA_TOOL_OPTIONS", "-XX:+PerfDisableSharedMem".to_owned()),
        ];
        Ok(Self {
            root: root.to_owned(),
            environment: environment
                .into_iter()
                .chain(more.iter().cloned())
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            flink: FlinkRest::new(&format!("http://127.0.0.1:{rest_port}")),
        })
    }

    /// The REST API of the cluster they start.
    #[must_use]
    pub fn flink(&self) -> &FlinkRest {
        &self.flink
    }

    /// A script by its name without `.sh`.
    #[must_use]
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.root.join(format!("scripts/{name}.sh")));
        command.envs(self.environment.iter().cloned());
        command
    }

    /// What a script prints; an error with all its output if it fails.
    pub fn run(&self, name: &str, arguments: &[&str]) -> Result<String> {
        printed(self.command(name).args(arguments))
    }
}

impl Drop for Workflows {
    fn drop(&mut self) {
        if let Err(error) = self.command("stop_cluster").output() {
            eprintln!("the cluster could not be stopped: {error}");
        }
    }
}

/// What a command prints; an error with all its output if it fails.
pub fn printed(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    ensure!(
        output.status.success(),
        "{command:?}: {}\n{out}{err}",
        output.status
    );
    Ok(out.into_owned())
}
