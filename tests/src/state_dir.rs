//! One temporary folder for everything a run writes, removed on every way out.
//!
//! Dropped: removed. Ended by a signal: removed by [`crate::process`]'s signal thread. Killed outright: removed by the next run,
//! which knows from the process id in the name that nobody uses it any more.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};

use crate::process;

const PREFIX: &str = "weir-testbed-";

/// A temporary folder.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    keep: bool,
}

impl StateDir {
    /// Makes an empty folder on a file system that can do direct I/O. `WEIR_KEEP_STATE=1` keeps it for inspection.
    pub fn create() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let base = base_dir()?;
        remove_abandoned(&base);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = base.join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let keep = std::env::var_os("WEIR_KEEP_STATE").is_some_and(|v| v == "1");
        if !keep {
            process::remove_on_signal(&path);
        }
        Ok(Self { path, keep })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a folder inside.
    pub fn subdir(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        if self.keep {
            eprintln!("kept {}", self.path.display());
        } else if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}

/// The first of the usual places whose file system takes direct I/O; `/tmp` in memory does not, and RocksDB would fail to open there.
fn base_dir() -> Result<PathBuf> {
    let places = [
        std::env::temp_dir(),
        PathBuf::from("/var/tmp"),
        crate::artefacts::target_dir(),
    ];
    for place in &places {
        if takes_direct_io(place) {
            return Ok(place.clone());
        }
    }
    bail!(
        "none of {places:?} takes files opened with O_DIRECT; set TMPDIR to a folder on a disk (ext4, xfs, btrfs)"
    )
}

fn takes_direct_io(dir: &Path) -> bool {
    let probe = dir.join(format!("{PREFIX}probe-{}", std::process::id()));
    let opened = fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .custom_flags(rustix::fs::OFlags::DIRECT.bits().cast_signed())
        .open(&probe);
    let _ = fs::remove_file(&probe);
    opened.is_ok()
}

/// Removes folders whose harness is gone.
fn remove_abandoned(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|n| n.strip_prefix(PREFIX))
            .and_then(|n| n.split('-').next())
            .and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !process::exists(pid)) {
            match fs::remove_dir_all(entry.path()) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    eprintln!(
                        "cannot remove abandoned {}: {error}",
                        entry.path().display()
                    );
                }
                _ => {}
            }
        }
    }
}
