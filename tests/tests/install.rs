//! What `make dist` packs is all that an installation needs: into a fresh Flink, with the tarball's own programs, scripts and configurations.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::fs;
use std::process::Command;
use std::time::Duration;

use weir_testbed::artefacts::{self, FlinkLine};
use weir_testbed::cluster::agent_url;
use weir_testbed::flink_home::FlinkHome;
use weir_testbed::state_dir::StateDir;
use weir_testbed::workflows::{Workflows, printed};
use weir_testbed::{Agent, wait};

const FIRST_LOOKUPS: Duration = Duration::from_secs(180);

#[test]
fn the_tarball_alone_makes_a_fresh_flink_observable() {
    let state = StateDir::create().unwrap();
    let mut unpack = Command::new("tar");
    unpack
        .arg("-xzf")
        .arg(artefacts::tarball().unwrap())
        .arg("--strip-components=1")
        .arg("-C")
        .arg(state.subdir("weir").unwrap());
    printed(&mut unpack).unwrap();
    let weir = state.path().join("weir");
    let mut sums = Command::new("sha256sum");
    sums.args(["--quiet", "-c", "SHA256SUMS"])
        .current_dir(&weir);
    printed(&mut sums).unwrap();
    for file in [
        "LICENSE",
        "NOTICE",
        "README.md",
        "docs/operate.md",
        "deploy/systemd/weir.service",
    ] {
        assert!(weir.join(file).is_file(), "{file}");
    }

    let distribution = artefacts::flink_distribution(FlinkLine::V1).unwrap();
    let home = FlinkHome::create(&state.subdir("flink").unwrap(), &distribution, &[]).unwrap();
    let scripts = Workflows::new(&weir, &home, &[]).unwrap();
    scripts.run("build_rocksdb_options", &[]).unwrap();
    let options = [
        "--mode",
        "per-operator",
        "--set",
        "jobmanager.memory.process.size=1280m",
        "--set",
        "taskmanager.memory.network.max=64m",
        "--set",
        "execution.checkpointing.interval=2s",
    ];
    scripts.run("apply_flink_config", &options).unwrap();
    scripts.run("start_cluster", &[]).unwrap();

    let jar = weir
        .join("nexmark")
        .join(artefacts::nexmark_jar().unwrap().file_name().unwrap());
    let id = scripts.flink().upload(&jar).unwrap();
    let arguments = "--queries q18 --rate 3000 --events 0 --parallelism 1".split(' ');
    let arguments: Vec<String> = arguments.map(str::to_owned).collect();
    let job = scripts
        .flink()
        .run(&id, "io.weir.nexmark.NexmarkJob", &arguments)
        .unwrap();
    scripts.flink().wait_until_running(&job).unwrap();
    let url = wait::until("the agent's address in the log", FIRST_LOOKUPS, || {
        let logs = fs::read_dir(home.path().join("log"))?
            .filter_map(|e| fs::read_to_string(e.ok()?.path()).ok());
        Ok(logs.flat_map(|log| agent_url(&log)).next())
    })
    .unwrap();
    let agent = Agent::new(&url);
    let seen = wait::until("lookups in the job's cache", FIRST_LOOKUPS, || {
        let report = agent.report()?;
        let busy = report.caches.iter().find(|cache| cache.count(|_| true) > 0);
        Ok(busy.map(|cache| cache.operator.job_name.clone()))
    })
    .unwrap();
    assert_eq!(seen, "Nexmark q18");
    let mut advise = Command::new(weir.join("bin/weir"));
    advise.args(["advise", "--agent", &url]);
    let plan = printed(&mut advise).unwrap();
    assert!(
        plan.contains("Deduplicate") || plan.contains("Rank"),
        "{plan}"
    );
}
