//! `weir check-config`: reads Flink's `config.yaml` and the controller's TOML before anything starts, and says what is wrong with them.

mod controller_file;
mod finding;
mod flink_file;
mod flink_units;
mod flink_yaml;
mod memory;
mod together;
mod weir_keys;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use serde::Serialize;
use weir_rocksdb_options::RocksDbVersion;

use crate::Failure;
use crate::flink_line::FlinkLine;
use crate::raw_settings::RawSettings;
use finding::Findings;
use flink_yaml::FlinkYaml;
use memory::MemoryAccount;
use together::Pair;

pub use finding::{Finding, Severity};

/// Arguments of `weir check-config`.
#[derive(Debug, Args)]
pub struct CheckConfigArgs {
    /// Flink's config.yaml, the controller's TOML file, or both, which are then held against each other.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The line of Flink that a config.yaml is for.
    #[arg(long, value_name = "LINE", value_enum, default_value_t = FlinkLine::V1)]
    pub flink: FlinkLine,
    /// Print findings and memory as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What was found in all files.
#[derive(Debug, Default, Serialize)]
struct Report {
    findings: Vec<Finding>,
    memory: Vec<Account>,
}

#[derive(Debug, Serialize)]
struct Account {
    file: String,
    #[serde(flatten)]
    memory: MemoryAccount,
}

struct Read {
    name: String,
    text: String,
    content: Content,
}

enum Content {
    Flink(FlinkYaml),
    Controller(Box<RawSettings>),
}

/// Checks the files, writes the findings, and fails with 64 if one of them is an error.
pub fn check_config(args: &CheckConfigArgs, out: &mut impl Write) -> Result<(), Failure> {
    let mut report = Report::default();
    let mut read = Vec::new();
    for path in &args.files {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        let (findings, memory, content) = check_file(path, &name, &text, args.flink);
        report.findings.extend(findings);
        let file = name.clone();
        report
            .memory
            .extend(memory.map(|memory| Account { file, memory }));
        if let Some(content) = content {
            read.push(Read {
                name,
                text,
                content,
            });
        }
    }
    for controller in &read {
        let Content::Controller(settings) = &controller.content else {
            continue;
        };
        let mut findings = Findings::new(&controller.name);
        for other in &read {
            if let Content::Flink(flink) = &other.content {
                let pair = Pair {
                    flink_name: &other.name,
                    flink,
                    controller: settings,
                    controller_text: &controller.text,
                };
                together::check(pair, &mut findings);
            }
        }
        report.findings.extend(findings.into_sorted());
    }
    write(&report, args, out)?;
    let errors = report
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Error);
    match errors.count() {
        0 => Ok(()),
        1 => Err(Failure::Usage(anyhow!("one error in the configuration"))),
        n => Err(Failure::Usage(anyhow!("{n} errors in the configuration"))),
    }
}

/// Everything that is wrong with the text of one `config.yaml`.
#[must_use]
pub fn check_flink_text(name: &str, text: &str, line: FlinkLine) -> Vec<Finding> {
    check_flink(name, text, line.rocksdb()).0
}

type Checked = (Vec<Finding>, Option<MemoryAccount>, Option<Content>);

fn check_file(path: &Path, name: &str, text: &str, line: FlinkLine) -> Checked {
    let is_toml = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("toml"));
    if is_toml {
        let mut findings = Findings::new(name);
        let settings = controller_file::check(text, &mut findings);
        let content = settings.map(|s| Content::Controller(Box::new(s)));
        return (findings.into_sorted(), None, content);
    }
    check_flink(name, text, line.rocksdb())
}

fn check_flink(name: &str, text: &str, version: RocksDbVersion) -> Checked {
    let mut findings = Findings::new(name);
    match FlinkYaml::parse(text) {
        Ok(yaml) => {
            let memory = flink_file::check(&yaml, version, &mut findings);
            (findings.into_sorted(), memory, Some(Content::Flink(yaml)))
        }
        Err(not_yaml) => {
            findings.error(
                "",
                not_yaml.line,
                not_yaml.reason,
                "write `key: value`, each key once, as in flink-conf/",
            );
            (findings.into_sorted(), None, None)
        }
    }
}

fn write(report: &Report, args: &CheckConfigArgs, out: &mut impl Write) -> Result<(), Failure> {
    let text = if args.json {
        serde_json::to_string_pretty(report).context("findings")? + "\n"
    } else {
        let findings = report.findings.iter().map(|f| format!("{f}\n"));
        let memory = report
            .memory
            .iter()
            .map(|a| format!("{}: {}\n", a.file, a.memory.in_words()));
        let fine = report.findings.is_empty().then(|| {
            let files = args.files.iter().map(|f| f.display().to_string());
            format!("{}: nothing wrong\n", files.collect::<Vec<_>>().join(", "))
        });
        findings.chain(memory).chain(fine).collect()
    };
    out.write_all(text.as_bytes()).context("cannot write")?;
    Ok(())
}
