//! Hosts to log into: loopback addresses, each with an SSH server and a home folder of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::artefacts::system_program;
use crate::ports::free_port;
use crate::process::Process;
use crate::wait;

const START: Duration = Duration::from_secs(30);

/// SSH servers on 127.0.0.2 and following; they end when this is dropped.
#[derive(Debug)]
pub struct SshHosts {
    servers: Vec<Process>,
    folder: PathBuf,
    names: Vec<String>,
}

impl SshHosts {
    /// Starts servers with these names in the empty folder `folder`.
    pub fn start(folder: &Path, names: &[&str]) -> Result<Self> {
        let sshd = system_program("sshd", "openssh-server").or_else(|missing| {
            match Path::new("/usr/sbin/sshd") {
                usual if usual.is_file() => Ok(usual.to_owned()),
                _ => Err(missing),
            }
        })?;
        // sshd insists on this folder of its own, which a started service would have made.
        fs::create_dir_all("/run/sshd").context("cannot create /run/sshd, which sshd needs")?;
        let key = folder.join("key");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .status()?;
        ensure!(made.success(), "ssh-keygen made no key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        let mut hosts = Self {
            servers: Vec::new(),
            folder: folder.to_owned(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
        };
        let mut client = String::new();
        for (number, name) in names.iter().enumerate() {
            let home = hosts.home(name);
            fs::create_dir_all(&home)?;
            let (address, port) = (format!("127.0.0.{}", number + 2), free_port()?);
            // Every command starts in the host's own home, whoever logs in.
            let server = format!(
                "ListenAddress {address}\nPort {port}\nHostKey {key}\nPidFile none\nAuthorizedKeysFile {key}.pub\nStrictModes no\nUsePAM no\n\
                 PasswordAuthentication no\nForceCommand cd {home} && exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n",
                key = key.display(),
                home = home.display(),
            );
            let file = folder.join(format!("{name}.sshd"));
            fs::write(&file, server)?;
            client.push_str(&format!(
                "Host {name}\n  HostName {address}\n  Port {port}\n"
            ));
            let mut command = Command::new(&sshd);
            command.arg("-D").arg("-e").arg("-f").arg(&file);
            hosts.servers.push(Process::start(
                "sshd",
                &command,
                &folder.join(format!("{name}.log")),
            )?);
        }
        client.push_str(&format!(
            "Host *\n  IdentityFile {}\n  IdentitiesOnly yes\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n",
            key.display()
        ));
        fs::write(folder.join("ssh_config"), client)?;
        for name in names {
            wait::until_true("an SSH login", START, || {
                let status = Command::new("ssh")
                    .arg("-F")
                    .arg(folder.join("ssh_config"))
                    .args(["-o", "BatchMode=yes", name, "true"])
                    .status()?;
                Ok(status.success())
            })
            .with_context(|| format!("{name}: {}", hosts.logs()))?;
        }
        Ok(hosts)
    }

    /// What `WEIR_SSH` has to be.
    #[must_use]
    pub fn ssh(&self) -> String {
        let config = self.folder.join("ssh_config");
        format!("ssh -o BatchMode=yes -F {}", config.display())
    }

    /// What `WORKER_HOSTS` has to be.
    #[must_use]
    pub fn names(&self) -> String {
        self.names.join(" ")
    }

    /// Where commands on a host start.
    #[must_use]
    pub fn home(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn logs(&self) -> String {
        self.servers.iter().map(Process::log_tail).collect()
    }
}
