//! A Flink installation of our own beside the distribution: its scripts and JARs, our configuration, logs and temporary files.
//!
//! The distribution is only read. JARs are linked, not copied, since a home is made for every cluster.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// A private `FLINK_HOME`.
#[derive(Debug, Clone)]
pub struct FlinkHome {
    path: PathBuf,
}

impl FlinkHome {
    /// Makes a home in the empty folder `path` out of `distribution`, with `jars` added to `lib/`.
    pub fn create(path: &Path, distribution: &Path, jars: &[PathBuf]) -> Result<Self> {
        for dir in ["bin", "conf", "lib", "log", "plugins", "tmp", "checkpoints"] {
            let dir = path.join(dir);
            fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        for script in entries(&distribution.join("bin"))? {
            // `fs::copy` keeps the executable bit.
            fs::copy(&script, path.join("bin").join(file_name(&script)))
                .with_context(|| format!("cannot copy {}", script.display()))?;
        }
        for jar in entries(&distribution.join("lib"))?.iter().chain(jars) {
            let link = path.join("lib").join(file_name(jar));
            symlink(jar, &link).with_context(|| format!("cannot link {}", link.display()))?;
        }
        for plugin in folders(&distribution.join("plugins"))? {
            let link = path.join("plugins").join(file_name(&plugin));
            symlink(&plugin, &link).with_context(|| format!("cannot link {}", link.display()))?;
        }
        let log4j = crate::artefacts::root().join("flink-conf/log4j-console.properties");
        // Processes in the foreground read the one, daemons the other.
        for name in ["log4j-console.properties", "log4j.properties"] {
            fs::copy(&log4j, path.join("conf").join(name))
                .with_context(|| format!("cannot copy {}", log4j.display()))?;
        }
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A script in `bin/`.
    #[must_use]
    pub fn script(&self, name: &str) -> PathBuf {
        self.path.join("bin").join(name)
    }

    /// Writes `conf/config.yaml`.
    pub fn configure(&self, yaml: &str) -> Result<()> {
        let path = self.path.join("conf/config.yaml");
        fs::write(&path, yaml).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Fills a configuration template: replaces each `${name}`, then sets (`Some`) or removes (`None`) whole keys.
///
/// Flink refuses a file in which a key stands twice, so that an override has to take the template's line away.
pub fn render(
    template: &str,
    values: &[(&str, String)],
    overrides: &[(String, Option<String>)],
) -> Result<String> {
    let mut yaml = String::new();
    for line in template.lines() {
        let overridden = overrides.iter().any(|(key, _)| {
            line.strip_prefix(key.as_str())
                .is_some_and(|rest| rest.starts_with(':'))
        });
        if !overridden && !line.starts_with('#') {
            yaml.push_str(line);
            yaml.push('\n');
        }
    }
    for (name, value) in values {
        yaml = yaml.replace(&format!("${{{name}}}"), value);
    }
    for (key, value) in overrides {
        if let Some(value) = value {
            yaml.push_str(&format!("{key}: {value}\n"));
        }
    }
    let unknown = yaml.lines().find(|line| line.contains("${"));
    ensure!(
        unknown.is_none(),
        "the template has a placeholder nobody fills: {unknown:?}"
    );
    Ok(yaml)
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    children(dir, Path::is_file)
}

fn folders(dir: &Path) -> Result<Vec<PathBuf>> {
    children(dir, Path::is_dir)
}

fn children(dir: &Path, wanted: fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let list = fs::read_dir(dir)
        .with_context(|| format!("{} is not a Flink distribution", dir.display()))?;
    let mut found = Vec::new();
    for entry in list {
        let path = entry?.path();
        if wanted(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

fn file_name(path: &Path) -> &Path {
    path.file_name().map_or(path, Path::new)
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn an_override_replaces_the_line_and_only_that_line() {
        let template = "# comment\na.b: 1\na.b.c: ${X}\n";
        let set = |k: &str, v: Option<&str>| (k.to_owned(), v.map(str::to_owned));
        let yaml = render(template, &[("X", "2".into())], &[set("a.b", Some("3"))]).unwrap();
        assert_eq!(yaml, "a.b.c: 2\na.b: 3\n");
        let yaml = render(template, &[("X", "2".into())], &[set("a.b.c", None)]).unwrap();
        assert_eq!(yaml, "a.b: 1\n");
    }

    #[test]
    fn an_unfilled_placeholder_is_an_error() {
        assert!(render("a: ${Y}\n", &[("X", String::new())], &[]).is_err());
    }
}
