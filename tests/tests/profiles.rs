//! Every option profile in a running job, on both lines of Flink: what RocksDB wrote into the state directory is what the profile says.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use weir_rocksdb_options::{BUILT_IN_PROFILES, OptionsFile, Profile, Section};
use weir_testbed::artefacts::FlinkLine;
use weir_testbed::nexmark::STEADY_RATE;
use weir_testbed::{Agent, Cluster, ClusterOptions, NexmarkJob, artefacts, wait};

/// A busy machine starts a job slowly.
const OPEN: Duration = Duration::from_secs(120);

/// Options that neither Flink's API nor RocksJava's has a setter for, of the database, of its states and of their tables.
const OWN_PROFILE: &str = "# For a test.\n[DBOptions]\nlog_readahead_size = 1 MiB\n\n[CFOptions]\nsample_for_compression = 3\n\n\
    [BlockBasedTable]\nblock_restart_interval = 5\nindex_block_restart_interval = 2\n";

#[test]
fn profiles_are_in_force_on_flink_1() {
    profiles_are_in_force(FlinkLine::V1);
}

#[test]
fn profiles_are_in_force_on_flink_2() {
    profiles_are_in_force(FlinkLine::V2);
}

/// One cluster, one short job for each profile.
fn profiles_are_in_force(line: FlinkLine) {
    let options = ClusterOptions::with_weir_on(line).unwrap();
    let cluster = Cluster::start(&options).unwrap();
    let jar = cluster
        .rest()
        .upload(&artefacts::nexmark_jar().unwrap())
        .unwrap();
    let own = cluster.state().path().join("own.options");
    fs::write(&own, OWN_PROFILE).unwrap();
    let own = own.to_str().unwrap();
    let mut profiles: Vec<Profile> = BUILT_IN_PROFILES
        .map(|name| Profile::by_name(name).unwrap())
        .into();
    profiles.push(Profile::parse(own, OWN_PROFILE).unwrap());
    let job = NexmarkJob {
        queries: vec!["q18"],
        parallelism: 1,
        ..NexmarkJob::q20_and_q18(STEADY_RATE)
    };
    invalid_profile_is_refused(&cluster, &jar, &job);
    for profile in profiles {
        let id = job
            .clone()
            .configure("weir.options.profile", &profile.name)
            .run(cluster.rest(), &jar)
            .unwrap();
        let agent = cluster.agent(OPEN).unwrap();
        let (directory, exported) = wait::until("the state of q18", OPEN, || {
            Ok(database_of(&agent.options()?, &id))
        })
        .unwrap_or_else(|e| panic!("{e:#}\n{}", cluster.task_manager().log_tail()));
        let file = newest_options(&directory);
        assert!(
            file.states.len() > 1,
            "{}: only {:?}",
            profile.name,
            file.states
        );
        assert_eq!(
            file.differences(&profile),
            Vec::<String>::new(),
            "{} on Flink {}",
            profile.name,
            line.name()
        );
        agrees(&exported, &file);
        println!(
            "{}: {} options in force, {} states",
            profile.name,
            profile.options(file.version).count(),
            file.states.len()
        );
        cluster.rest().cancel(&id).unwrap();
        closed(&agent, &id);
    }
    let log = cluster.task_manager().log().unwrap();
    let warnings: Vec<_> = log
        .lines()
        .filter(|l| l.contains(" WARN ") && l.contains("io.weir"))
        .collect();
    assert_eq!(warnings, Vec::<&str>::new());
}

/// A job whose profile has a mistake ends before it begins, and its exceptions say where the mistake is and what would be right.
fn invalid_profile_is_refused(cluster: &Cluster, jar: &str, job: &NexmarkJob) {
    let path = cluster.state().path().join("invalid.options");
    fs::write(
        &path,
        "# For a test.\n[DBOptions]\nuse_direct_read = true\n",
    )
    .unwrap();
    let refused = job
        .clone()
        .configure("weir.options.profile", path.display())
        .configure("restart-strategy.type", "none")
        .run(cluster.rest(), jar);
    let why = format!("{:#}", refused.unwrap_err());
    let expected = "invalid.options:3: RocksDB has no option use_direct_read in [DBOptions]; did you mean use_direct_reads?";
    assert!(why.contains(expected), "{why}");
}

/// Directory and exported options of the job's database, once it has a state beside RocksDB's own default one.
fn database_of(exported: &Value, job: &str) -> Option<(PathBuf, Value)> {
    exported
        .as_array()?
        .iter()
        .find(|open| {
            let directory = open["directory"].as_str().unwrap_or_default();
            directory.contains(job) && open["states"].as_object().is_some_and(|s| s.len() > 1)
        })
        .map(|open| {
            (
                PathBuf::from(open["directory"].as_str().unwrap()),
                open.clone(),
            )
        })
}

fn closed(agent: &Agent, job: &str) {
    wait::until_true("the state to be closed", OPEN, || {
        Ok(database_of(&agent.options()?, job).is_none())
    })
    .unwrap();
}

fn newest_options(directory: &Path) -> OptionsFile {
    let files = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path());
    let newest = files
        .filter(|f| {
            f.extension().is_none()
                && f.file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .starts_with("OPTIONS-")
        })
        .max()
        .unwrap();
    OptionsFile::parse(&fs::read_to_string(newest).unwrap()).unwrap()
}

/// What the agent exports is what stands in the file.
fn agrees(exported: &Value, file: &OptionsFile) {
    let of_file: BTreeMap<_, _> = file.database.iter().cloned().collect();
    assert_eq!(exported["database"], serde_json::to_value(of_file).unwrap());
    assert_eq!(exported["rocksdb"], file.version.name());
    for state in &file.states {
        let exported = &exported["states"][&state.name]["tables"]["block_size"];
        let in_file = state.tables.iter().find(|(name, _)| name == "block_size");
        assert_eq!(exported.as_str(), in_file.map(|(_, value)| value.as_str()));
    }
    assert!(!file.values(Section::Table, "block_size").is_empty());
}
