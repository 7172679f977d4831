//! Child processes that cannot outlive the harness, whichever way it ends.
//!
//! Each child runs in its own process group and has the kernel send it SIGKILL when the harness dies (`setpriv --pdeathsig`,
//! which keeps this crate free of `unsafe`). The kernel means the *thread* that forked, so one thread that lives as long
//! as the process does all the forking.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How long a child may take to end after SIGTERM before SIGKILL follows.
const GRACE: Duration = Duration::from_secs(10);

/// A running child whose output goes to a file.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// What a signal has to undo.
#[derive(Default)]
struct Leftovers {
    pids: BTreeSet<i32>,
    paths: BTreeSet<PathBuf>,
    actions: BTreeMap<u64, Box<dyn FnMut() + Send>>,
    next_action: u64,
}

/// Something to do when the harness is told to end; forgotten when this is dropped.
#[derive(Debug)]
pub struct OnSignal(u64);

static LEFTOVERS: LazyLock<Mutex<Leftovers>> = LazyLock::new(Mutex::default);

type Request = (Command, Sender<std::io::Result<Child>>);

/// The thread that forks.
static SPAWNER: LazyLock<Mutex<Sender<Request>>> = LazyLock::new(|| {
    let (sender, receiver) = channel::<Request>();
    thread::spawn(move || {
        for (mut command, reply) in receiver {
            // Held while forking: once the signal thread has begun to clean up, nothing new starts.
            let mut leftovers = leftovers();
            let child = command.spawn();
            if let Ok(child) = &child {
                leftovers.pids.insert(child.id().cast_signed());
            }
            let _ = reply.send(child);
        }
    });
    Mutex::new(sender)
});

impl Process {
    /// Starts `command`, which runs until stopped or dropped. `name` is for messages.
    pub fn start(name: &str, command: &Command, log: &Path) -> Result<Self> {
        clean_up_on_signals()?;
        let out = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
        let mut bound = bound_to_harness(command);
        bound
            .process_group(0)
            .stdin(Stdio::null())
            .stderr(out.try_clone()?)
            .stdout(out);
        let child = spawn(bound)
            .with_context(|| format!("cannot start {name}: {:?}", command.get_program()))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Processor time it has used so far, user's and system's.
    pub fn cpu_time(&self) -> Result<Duration> {
        cpu_time_in(Path::new(&format!("/proc/{}/stat", self.pid())))
    }

    /// The part of it that threads used which live still and whose names begin like this.
    pub fn cpu_time_of_threads(&self, name: &str) -> Result<Duration> {
        let mut sum = Duration::ZERO;
        for thread in fs::read_dir(format!("/proc/{}/task", self.pid()))? {
            let thread = thread?.path();
            // One that has ended meanwhile is none of them.
            if fs::read_to_string(thread.join("comm")).is_ok_and(|comm| comm.starts_with(name)) {
                sum += cpu_time_in(&thread.join("stat"))?;
            }
        }
        Ok(sum)
    }

    /// How it ended, if it has.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Fails, quoting the log's end, if the process has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.exit_status()? {
            bail!(
                "{} ended with {status}; its log ends:\n{}",
                self.name,
                self.log_tail()
            );
        }
        Ok(())
    }

    /// Everything it has printed so far.
    pub fn log(&self) -> Result<String> {
        let bytes =
            fs::read(&self.log).with_context(|| format!("cannot read {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The last lines of the log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = self.log().unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// SIGKILL: what an out-of-memory killer would do.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.reap()
    }

    /// SIGTERM, and nothing else: how it ended; `None` if it still runs after `patience`.
    pub fn terminate(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        if let Some(pid) = pid_of(self.child.id()) {
            kill_process(pid, Signal::TERM)?;
        }
        let start = Instant::now();
        while start.elapsed() < patience {
            if let Some(status) = self.exit_status()? {
                return Ok(Some(status));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(None)
    }

    /// SIGTERM, then SIGKILL for one that does not listen. Returns how it ended.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        if let (None, Some(pid)) = (self.exit_status()?, pid_of(self.child.id())) {
            let _ = kill_process(pid, Signal::TERM);
            let start = Instant::now();
            while self.exit_status()?.is_none() && start.elapsed() < GRACE {
                thread::sleep(Duration::from_millis(50));
            }
        }
        self.kill()?;
        Ok(self.child.wait()?)
    }

    /// Waits for the child and ends whatever it left in its group.
    fn reap(&mut self) -> Result<()> {
        let pid = self.child.id();
        self.child.wait()?;
        if let Some(group) = pid_of(pid) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        leftovers().pids.remove(&pid.cast_signed());
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let result = self.stop();
        if let Err(error) = result {
            eprintln!("cannot stop {}: {error:#}", self.name);
        }
    }
}

/// Runs a program on this terminal, in our own process group so that it may write there and hears Ctrl-C itself, and ends it after `length`.
/// Returns how it ended if it ended before that.
pub fn run_in_terminal(command: &Command, length: Duration) -> Result<Option<ExitStatus>> {
    let mut child = spawn(bound_to_harness(command))
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    let start = Instant::now();
    while start.elapsed() < length {
        if let Some(status) = child.try_wait()? {
            leftovers().pids.remove(&child.id().cast_signed());
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(100));
    }
    if let Some(pid) = pid_of(child.id()) {
        let _ = kill_process(pid, Signal::TERM);
    }
    child.wait()?;
    leftovers().pids.remove(&child.id().cast_signed());
    Ok(None)
}

/// Whether a process with this id exists.
#[must_use]
pub fn exists(pid: u32) -> bool {
    pid_of(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

/// Number of threads of a process, from `/proc`.
pub fn thread_count(pid: u32) -> Result<u32> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("Threads:"))
        .and_then(|n| n.trim().parse().ok())
        .with_context(|| format!("{path} has no line \"Threads: N\""))
}

/// Has the signal thread remove a folder when the harness is told to end.
pub fn remove_on_signal(path: &Path) {
    leftovers().paths.insert(path.to_owned());
}

/// Has the signal thread do something, first of all, when the harness is told to end: for what runs elsewhere, such as a job on somebody's
/// cluster.
pub fn on_signal(action: impl FnMut() + Send + 'static) -> Result<OnSignal> {
    clean_up_on_signals()?;
    let mut leftovers = leftovers();
    let number = leftovers.next_action;
    leftovers.next_action += 1;
    leftovers.actions.insert(number, Box::new(action));
    Ok(OnSignal(number))
}

impl Drop for OnSignal {
    fn drop(&mut self) {
        leftovers().actions.remove(&self.0);
    }
}

/// Ends every child and removes every folder on SIGINT, SIGTERM and SIGHUP, then exits with 128 + signal as shells do.
pub fn clean_up_on_signals() -> Result<()> {
    static ONCE: Once = Once::new();
    let mut result = Ok(());
    ONCE.call_once(|| {
        result =
            signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]).map(|mut signals| {
                thread::spawn(move || {
                    if let Some(signal) = signals.forever().next() {
                        // Never unlocked again: the spawner must not start anything behind our back.
                        let mut leftovers = leftovers();
                        eprintln!(
                            "\nstopping ({} processes, {} jobs elsewhere)",
                            leftovers.pids.len(),
                            leftovers.actions.len()
                        );
                        leftovers.actions.values_mut().for_each(|action| action());
                        clean_up(&leftovers);
                        std::process::exit(128 + signal);
                    }
                });
            });
    });
    result.context("cannot handle signals")
}

fn clean_up(leftovers: &Leftovers) {
    let groups = || leftovers.pids.iter().filter_map(|pid| Pid::from_raw(*pid));
    for group in groups() {
        if kill_process_group(group, Signal::KILL).is_err() {
            // A child on our terminal has no group of its own; SIGTERM lets it give the terminal back.
            let _ = kill_process(group, Signal::TERM);
        }
    }
    // Nobody reaps here, so an ended child stays a zombie; gone or zombie both mean that it writes no more files.
    let start = Instant::now();
    while groups().any(is_running) && start.elapsed() < GRACE {
        thread::sleep(Duration::from_millis(20));
    }
    for path in &leftovers.paths {
        let _ = fs::remove_dir_all(path);
    }
}

fn is_running(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    // The state letter follows the name in parentheses.
    stat.is_ok_and(|s| !s.rsplit(") ").next().unwrap_or("Z").starts_with('Z'))
}

fn pid_of(pid: u32) -> Option<Pid> {
    Pid::from_raw(pid.cast_signed())
}

fn leftovers() -> MutexGuard<'static, Leftovers> {
    LEFTOVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the forking thread start a process.
fn spawn(command: Command) -> Result<Child> {
    let (reply, answer) = channel();
    SPAWNER
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, reply))
        .map_err(|_| anyhow!("the thread that starts processes has ended"))?;
    Ok(answer.recv()??)
}

/// The same command, run through `setpriv`, which asks the kernel for SIGKILL at the parent's death and then becomes the command.
fn bound_to_harness(command: &Command) -> Command {
    let mut bound = Command::new("setpriv");
    bound.args(["--pdeathsig", "KILL", "--"]);
    bound.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(key, value),
            None => bound.env_remove(key),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        bound.current_dir(dir);
    }
    bound
}

/// User's and system's time in a `stat` file of the kernel.
fn cpu_time_in(path: &Path) -> Result<Duration> {
    // Linux counts in hundredths of a second on every platform that Weir knows, whatever the kernel's own tick.
    const HUNDREDTH: Duration = Duration::from_millis(10);
    let stat =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    // The name, in brackets, may hold anything; user's and system's time are the 12th and 13th field behind it.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<u32>);
    match (ticks.next(), ticks.next()) {
        (Some(Ok(user)), Some(Ok(system))) => Ok(HUNDREDTH * (user + system)),
        _ => bail!("{} has no times: {stat}", path.display()),
    }
}
