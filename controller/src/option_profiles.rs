//! `weir options`: lists, checks and explains RocksDB option profiles.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use weir_rocksdb_options::{
    BUILT_IN_PROFILES, Profile, Provision, RocksDbVersion, Section, TaskManager, bytes,
};

use crate::Failure;

/// What to do with profiles.
#[derive(Debug, Subcommand)]
pub enum OptionsCommand {
    /// Name the built-in profiles, with what they are for.
    List,
    /// Show a profile's options, and where a TaskManager's memory goes with it.
    Show(ShowArgs),
    /// Check a profile before a job uses it.
    Check(CheckArgs),
}

/// Arguments of `weir options show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// A built-in profile, or a file.
    pub profile: String,
    /// `taskmanager.memory.process.size`.
    #[arg(long, value_name = "SIZE", default_value = "4g")]
    pub task_manager_memory: String,
    /// `taskmanager.numberOfTaskSlots`.
    #[arg(long, default_value_t = 1)]
    pub slots: u32,
    /// `taskmanager.memory.managed.fraction`.
    #[arg(long, value_name = "SHARE", default_value_t = 0.4)]
    pub managed_fraction: f64,
    /// `weir.memory.write-buffer-ratio`, or Flink's.
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub write_buffer_ratio: f64,
    /// 6.20.3 (Flink 1.20) or 8.10.0 (Flink 2).
    #[arg(long, value_name = "VERSION", default_value = "6.20.3")]
    pub rocksdb: String,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `weir options check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A built-in profile, or a file.
    pub profile: String,
    /// Where RocksDB will keep its files: checked for direct I/O if the profile uses it.
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// Carries a command out.
pub fn execute(command: OptionsCommand, out: &mut impl Write) -> Result<(), Failure> {
    match command {
        OptionsCommand::List => list(out),
        OptionsCommand::Show(args) => show(&args, out),
        OptionsCommand::Check(args) => check(&args, out),
    }
}

fn list(out: &mut impl Write) -> Result<(), Failure> {
    for name in BUILT_IN_PROFILES {
        let profile = read(name)?;
        print(out, format_args!("{name:<30} {}\n", profile.summary))?;
    }
    Ok(())
}

fn show(args: &ShowArgs, out: &mut impl Write) -> Result<(), Failure> {
    let profile = read(&args.profile)?;
    let version: RocksDbVersion = args.rocksdb.parse().map_err(|()| {
        let known = RocksDbVersion::ALL.map(RocksDbVersion::name).join(" and ");
        Failure::Usage(anyhow!(
            "rocksdb: no RocksDB {}; there are {known}",
            args.rocksdb
        ))
    })?;
    let memory = &args.task_manager_memory;
    let process_bytes = bytes(memory).ok().and_then(|b| u64::try_from(b).ok());
    let process_bytes = process_bytes.ok_or_else(|| {
        Failure::Usage(anyhow!(
            "task-manager-memory: `{memory}` is not a size; write one such as 3g"
        ))
    })?;
    let task_manager = TaskManager {
        process_bytes,
        slots: args.slots,
        managed_fraction: args.managed_fraction,
        write_buffer_ratio: args.write_buffer_ratio,
    };
    let provision = task_manager
        .provision(&profile, version)
        .map_err(|e| Failure::Usage(e.into()))?;
    if args.json {
        let json = as_json(&profile, version, &provision);
        return print(out, format_args!("{json:#}\n"));
    }
    print(out, format_args!("{}: {}\n", profile.name, profile.summary))?;
    for section in Section::ALL {
        let mut options = profile
            .options(version)
            .filter(|e| e.section == section)
            .peekable();
        if options.peek().is_some() {
            print(out, format_args!("\n[{section}]\n"))?;
        }
        for entry in options {
            let default = version.default_of(section, &entry.name).unwrap_or("-");
            print(
                out,
                format_args!("  {} = {}  (RocksDB: {default})\n", entry.name, entry.value),
            )?;
        }
    }
    print(out, format_args!("\n{}", in_words(&provision, args)))
}

fn check(args: &CheckArgs, out: &mut impl Write) -> Result<(), Failure> {
    let profile = read(&args.profile)?;
    if let Some(dir) = &args.state_dir
        && let Some(entry) = profile.entries.iter().find(|e| {
            e.value == "true"
                && ["use_direct_reads", "use_direct_io_for_flush_and_compaction"]
                    .contains(&e.name.as_str())
        })
        && let Err(error) = can_do_direct_io(dir)
    {
        return Err(Failure::Usage(anyhow!(
            "{}:{}: {} needs direct I/O, which {} cannot do ({error:#}); use a local file system such as ext4 or xfs, or a profile without direct I/O",
            profile.name,
            entry.line,
            entry.name,
            dir.display()
        )));
    }
    print(
        out,
        format_args!(
            "{}: {} options, nothing wrong\n",
            profile.name,
            profile.entries.len()
        ),
    )
}

/// A built-in profile, or the file of this name.
fn read(name: &str) -> Result<Profile, Failure> {
    if BUILT_IN_PROFILES.contains(&name) {
        return Profile::by_name(name).map_err(|e| Failure::Usage(e.into()));
    }
    if !Path::new(name).is_file() {
        let error = Profile::by_name(name).err();
        let message = error.map_or_else(String::new, |e| e.to_string());
        return Err(Failure::Usage(anyhow!(
            "{message}; and there is no file {name}"
        )));
    }
    let text = fs::read_to_string(name).with_context(|| format!("cannot read {name}"))?;
    Profile::parse(name, &text).map_err(|e| Failure::Usage(e.into()))
}

/// Opens a file in `dir` as RocksDB would.
fn can_do_direct_io(dir: &Path) -> anyhow::Result<()> {
    let probe = dir.join(format!(".weir-direct-io-{}", std::process::id()));
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .custom_flags(libc::O_DIRECT)
        .open(&probe);
    // It may not have come into being.
    let _ = fs::remove_file(&probe);
    opened
        .map(drop)
        .with_context(|| format!("opening {}", probe.display()))
}

fn as_json(profile: &Profile, version: RocksDbVersion, p: &Provision) -> Value {
    let options: Vec<_> = profile
        .options(version)
        .map(|e| json!({"section": e.section.name(), "name": e.name, "value": e.value}))
        .collect();
    json!({
        "profile": profile.name, "rocksdb": version.name(), "options": options,
        "managed_bytes": p.managed_bytes, "slot_bytes": p.slot.total_bytes,
        "slot_cache_bytes": p.slot.cache_bytes, "slot_write_buffer_bytes": p.slot.write_buffer_bytes,
        "write_buffer_manager_bytes": p.slot.write_buffer_manager_bytes,
        "memtables_of_a_state_bytes": p.memtables_of_a_state_bytes, "memtable_piece_bytes": p.memtable_piece_bytes,
        "states_that_fit": p.states_that_fit, "index_and_filter_in_cache": p.index_and_filter_in_cache,
        "filter_bits_per_key": p.filter_bits_per_key,
    })
}

fn in_words(p: &Provision, args: &ShowArgs) -> String {
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let mut text = format!(
        "A TaskManager of {} with {} slots has {} of managed memory, {} for each slot:\n  blocks          {}\n  write buffers   {} at worst; their manager is told {}\n",
        args.task_manager_memory,
        args.slots,
        mib(p.managed_bytes),
        mib(p.slot.total_bytes),
        mib(p.slot.cache_bytes),
        mib(p.slot.write_buffer_bytes),
        mib(p.slot.write_buffer_manager_bytes),
    );
    text.push_str(if p.index_and_filter_in_cache {
        "  index, filter   in the block cache, so within that\n"
    } else {
        "  index, filter   outside the budget: with the open files, as large as the state makes them\n"
    });
    if p.filter_bits_per_key > 0.0 {
        text.push_str(&format!(
            "  filters         {:.1} MiB for a million keys\n",
            p.filter_bits_per_key * 1e6 / 8.0 / f64::from(1 << 20)
        ));
    }
    text.push_str(&format!(
        "A state's memtables may reach {}, in pieces of {}; a piece each of {} states fills a slot's write buffers.\n",
        mib(p.memtables_of_a_state_bytes), mib(p.memtable_piece_bytes), p.states_that_fit
    ));
    if p.memtables_of_a_state_bytes > p.slot.write_buffer_manager_bytes {
        text.push_str("The write buffer manager flushes before a state's memtables are full: flushes are smaller than write_buffer_size says.\n");
    }
    text
}

fn print(out: &mut impl Write, text: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    out.write_fmt(text)
        .context("cannot print")
        .map_err(Failure::Failed)
}
