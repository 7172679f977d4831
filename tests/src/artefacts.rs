//! Finds what the build made, and the Flink to run it on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};

/// The repository's root.
#[must_use]
pub fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// Cargo's target folder.
#[must_use]
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The `weir` binary.
pub fn weir_binary() -> Result<PathBuf> {
    built(target_dir().join("release/weir"), "make build")
}

/// A line of Flink that Weir has a JAR for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlinkLine {
    /// Flink 1.20, with FRocksDB 6.20.3.
    V1,
    /// Flink 2, with FRocksDB 8.10.0.
    V2,
}

impl FlinkLine {
    /// As in the names of JARs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V1 => "1.20",
            Self::V2 => "2",
        }
    }
}

/// The JAR that goes into Flink's `lib/`, native library inside.
pub fn weir_jar(line: FlinkLine) -> Result<PathBuf> {
    let name = format!(
        "weir-flink-{}-{}.jar",
        line.name(),
        env!("CARGO_PKG_VERSION")
    );
    built(root().join("java-bridge/target").join(name), "make jar")
}

/// The Nexmark job.
pub fn nexmark_jar() -> Result<PathBuf> {
    let name = concat!(
        "nexmark-src/target/nexmark-flink-",
        env!("CARGO_PKG_VERSION"),
        ".jar"
    );
    built(root().join(name), "make jar")
}

/// What `make dist` packed.
pub fn tarball() -> Result<PathBuf> {
    let name = concat!("target/weir-", env!("CARGO_PKG_VERSION"), ".tar.gz");
    built(root().join(name), "make dist")
}

/// A Flink distribution of a line: `FLINK_HOME` where it is of that line, or one fetched once into the cache.
pub fn flink_distribution(line: FlinkLine) -> Result<PathBuf> {
    static FOUND: [OnceLock<PathBuf>; 2] = [OnceLock::new(), OnceLock::new()];
    let cell = &FOUND[line as usize];
    if let Some(found) = cell.get() {
        return Ok(found.clone());
    }
    let script = root().join("scripts/get_flink.sh");
    let output = Command::new(&script)
        .arg(line.name())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", script.display()))?;
    ensure!(
        output.status.success(),
        "{} found no Flink {} to run on",
        script.display(),
        line.name()
    );
    let home = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    Ok(cell.get_or_init(|| home).clone())
}

/// A program of the system, or a message that names the Debian package to install.
pub fn system_program(name: &str, package: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|program| program.is_file())
        .with_context(|| format!("{name} is not installed; on Debian: apt-get install {package}"))
}

fn built(path: PathBuf, how: &str) -> Result<PathBuf> {
    if !path.is_file() {
        bail!("{} is missing; build it with `{how}`", path.display());
    }
    Ok(path)
}
