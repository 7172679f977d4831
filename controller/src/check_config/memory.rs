//! Whether the budget is there: Weir's keys beside `taskmanager.memory.*` and the slots.

use serde::Serialize;
use weir_rocksdb_options::{Entry, FlinkMemory, Profile, Provision, RocksDbVersion, Section};
use weir_scaling::Bytes;

use super::finding::Findings;
use super::flink_file::mode;
use super::flink_units;
use super::flink_yaml::FlinkYaml;
use super::weir_keys::{self, WeirKey};

const MANAGED: &str = "state.backend.rocksdb.memory.managed";
const FIXED: [&str; 2] = [
    "state.backend.rocksdb.memory.fixed-per-slot",
    "state.backend.rocksdb.memory.fixed-per-tm",
];
const FLINKS_RATIO: &str = "state.backend.rocksdb.memory.write-buffer-ratio";
const MEMTABLE: &str = "state.backend.rocksdb.writebuffer.size";
const SLOTS: &str = "taskmanager.numberOfTaskSlots";
const MANAGED_SIZE: &str = "taskmanager.memory.managed.size";
const PROCESS_SIZE: &str = "taskmanager.memory.process.size";

/// Where a TaskManager's RocksDB memory goes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemoryAccount {
    /// `weir.memory.mode`.
    pub mode: String,
    /// What Flink sets aside for RocksDB.
    pub managed_bytes: u64,
    /// What caches and write buffers may reach together.
    pub budget_bytes: u64,
    /// Slots.
    pub slots: u32,
    /// Part of the budget for blocks, in each slot.
    pub slot_cache_bytes: u64,
    /// Part of the budget for write buffers at worst, in each slot.
    pub slot_write_buffer_bytes: u64,
    /// The size at which a slot's write buffers are flushed.
    pub slot_write_buffer_manager_bytes: u64,
    /// The piece in which a memtable grows.
    pub memtable_piece_bytes: u64,
    /// States whose memtables fit, with one piece each.
    pub states_that_fit: u64,
}

// === impl MemoryAccount ===

impl MemoryAccount {
    /// Reckons it up; `None` where the keys do not say how much there is, or say it wrongly.
    pub fn of(
        yaml: &FlinkYaml,
        profile: Option<&Profile>,
        version: RocksDbVersion,
        findings: &mut Findings,
    ) -> Option<Self> {
        let memory = flink_memory(yaml, findings)?;
        let slots = slots(yaml, findings)?;
        let ratio = ratio(yaml, findings)?;
        let managed = match memory.managed() {
            Ok(managed) => managed,
            Err(error) => {
                let key = if yaml.get(PROCESS_SIZE).is_some() {
                    PROCESS_SIZE
                } else {
                    "taskmanager.memory.managed.fraction"
                };
                findings.error(
                    key,
                    yaml.line(key),
                    error.to_string(),
                    "Flink would not start with it",
                );
                return None;
            }
        };
        let budget = yaml.text(weir_keys::BUDGET).and_then(flink_units::size);
        bounds(yaml, managed, budget, findings);
        let managed_bytes = managed?;
        let budget_bytes = budget.unwrap_or(managed_bytes);
        if budget.is_some() {
            fits(yaml, &memory, managed_bytes, budget_bytes, findings);
        }
        if budget_bytes == 0 {
            return None;
        }
        let flink = Profile::by_name("flink").ok()?;
        let profile = with_memtables(profile.unwrap_or(&flink), yaml, version);
        let provision = Provision::of(budget_bytes, slots, ratio, &profile, version).ok()?;
        let account = Self {
            mode: mode(yaml).to_owned(),
            managed_bytes,
            budget_bytes,
            slots,
            slot_cache_bytes: provision.slot.cache_bytes,
            slot_write_buffer_bytes: provision.slot.write_buffer_bytes,
            slot_write_buffer_manager_bytes: provision.slot.write_buffer_manager_bytes,
            memtable_piece_bytes: provision.memtable_piece_bytes,
            states_that_fit: provision.states_that_fit,
        };
        account.enough(yaml, findings);
        Some(account)
    }

    /// The account in a sentence.
    #[must_use]
    pub fn in_words(&self) -> String {
        format!(
            "mode {}, budget {} of {} managed memory; of it each of {} slots has {} for blocks and up to {} for write buffers, which are flushed at {}; memtables grow in pieces of {}, so {} states fit into a slot",
            self.mode,
            Bytes(self.budget_bytes),
            Bytes(self.managed_bytes),
            self.slots,
            Bytes(self.slot_cache_bytes),
            Bytes(self.slot_write_buffer_bytes),
            Bytes(self.slot_write_buffer_manager_bytes),
            Bytes(self.memtable_piece_bytes),
            self.states_that_fit
        )
    }

    fn enough(&self, yaml: &FlinkYaml, findings: &mut Findings) {
        const LEAST_CACHE: u64 = 1 << 20;
        if self.slot_cache_bytes < LEAST_CACHE {
            findings.error(
                weir_keys::BUDGET,
                yaml.line(weir_keys::BUDGET),
                format!(
                    "{} for the blocks of a slot is less than the smallest cache, {}",
                    Bytes(self.slot_cache_bytes),
                    Bytes(LEAST_CACHE)
                ),
                format!(
                    "give RocksDB more memory, lower {}, or have fewer slots than {}",
                    weir_keys::WRITE_BUFFER_RATIO,
                    self.slots
                ),
            );
        }
        if self.states_that_fit < 2 {
            findings.warning(
                MEMTABLE,
                yaml.line(MEMTABLE),
                format!(
                    "a slot's write buffers are flushed at {}, and every state's memtable begins with {}: RocksDB would flush nearly empty memtables all the time",
                    Bytes(self.slot_write_buffer_manager_bytes),
                    Bytes(self.memtable_piece_bytes)
                ),
                format!("set {MEMTABLE} to about {}m, or give RocksDB more memory", (self.slot_write_buffer_manager_bytes >> 20).max(2)),
            );
        }
    }
}

/// What bounds RocksDB at all.
fn bounds(yaml: &FlinkYaml, managed: Option<u64>, budget: Option<u64>, findings: &mut Findings) {
    let regulates = mode(yaml) != "observe";
    let fixed = FIXED.iter().find_map(|key| Some((*key, yaml.get(key)?)));
    let managed_off = yaml.text(MANAGED) == Some("false");
    if regulates
        && managed_off
        && fixed.is_none()
        && budget.is_none()
        && managed.is_none_or(|m| m == 0)
    {
        findings.error(
            MANAGED,
            yaml.line(MANAGED),
            format!(
                "Flink bounds nothing, and {} has nothing to regulate within",
                mode(yaml)
            ),
            format!(
                "set {} such as 512m, or leave managed memory on",
                weir_keys::BUDGET
            ),
        );
    } else if regulates && !managed_off && fixed.is_none() && managed == Some(0) {
        findings.error(
            MANAGED_SIZE,
            yaml.line(MANAGED_SIZE),
            "RocksDB is bound to managed memory, and there is none",
            format!("set {MANAGED_SIZE} such as 512m"),
        );
    }
    if let (Some((key, value)), true, None) = (fixed, regulates, budget) {
        findings.warning(
            key,
            Some(value.line),
            format!(
                "RocksDB has {}, but the budget is the managed memory, which nothing uses then",
                value.text
            ),
            format!(
                "set {} to what RocksDB has in all slots together",
                weir_keys::BUDGET
            ),
        );
    }
    if let (false, Some(value)) = (regulates, yaml.get(weir_keys::BUDGET)) {
        findings.warning(
            weir_keys::BUDGET,
            Some(value.line),
            "nothing is resized in mode observe, so a budget bounds nothing",
            format!(
                "set {} to shared or per-operator, or remove it",
                weir_keys::MODE
            ),
        );
    }
}

/// Whether the TaskManager has room for the budget.
fn fits(
    yaml: &FlinkYaml,
    memory: &FlinkMemory,
    managed: u64,
    budget: u64,
    findings: &mut Findings,
) {
    let size = |key: &str| yaml.text(key).and_then(flink_units::size);
    let off_heap = size("taskmanager.memory.task.off-heap.size").unwrap_or(0);
    let aside = managed.saturating_add(off_heap);
    let line = yaml.line(weir_keys::BUDGET);
    let remedy = format!(
        "set {MANAGED_SIZE} to {}m or more, or the budget to {}m at most",
        budget.div_ceil(1 << 20),
        managed >> 20
    );
    if memory
        .process_bytes
        .is_some_and(|process| budget >= process)
    {
        findings.error(
            weir_keys::BUDGET,
            line,
            format!("{} is as much as the whole TaskManager has", Bytes(budget)),
            remedy,
        );
        return;
    }
    let overhead = memory
        .process_bytes
        .map_or(memory.overhead_max_bytes, |p| memory.overhead(p));
    if budget > aside.saturating_add(overhead) {
        findings.error(
            weir_keys::BUDGET,
            line,
            format!(
                "{} is more than the {} that Flink sets aside for it and the {} of overhead together: the container would be killed",
                Bytes(budget),
                Bytes(aside),
                Bytes(overhead)
            ),
            remedy,
        );
    } else if budget > aside {
        findings.warning(
            weir_keys::BUDGET,
            line,
            format!("{} is more than the {} that Flink sets aside for it; the rest comes out of the JVM's overhead", Bytes(budget), Bytes(aside)),
            remedy,
        );
    }
}

fn flink_memory(yaml: &FlinkYaml, findings: &mut Findings) -> Option<FlinkMemory> {
    let default = FlinkMemory::default();
    let mut usable = true;
    let mut size = |name: &str| {
        let key = format!("taskmanager.memory.{name}");
        let value = yaml.get(&key).filter(|v| !v.text.contains("${"))?;
        let bytes = flink_units::size(&value.text);
        if bytes.is_none() {
            usable = false;
            findings.error(
                &key,
                Some(value.line),
                format!("'{}' is not a size of Flink's", value.text),
                "write one such as 3g or 512m",
            );
        }
        bytes
    };
    let sizes = [
        "process.size",
        "flink.size",
        "managed.size",
        "jvm-metaspace.size",
        "jvm-overhead.min",
        "jvm-overhead.max",
    ]
    .map(&mut size);
    let [
        process_bytes,
        flink_bytes,
        managed_bytes,
        metaspace,
        overhead_min,
        overhead_max,
    ] = sizes;
    let mut share = |name: &str, default: f64| {
        let key = format!("taskmanager.memory.{name}");
        let Some(value) = yaml.get(&key) else {
            return default;
        };
        value.text.parse().unwrap_or_else(|_| {
            usable = false;
            findings.error(
                &key,
                Some(value.line),
                format!("'{}' is not a share", value.text),
                "write a number such as 0.4",
            );
            default
        })
    };
    let memory = FlinkMemory {
        process_bytes,
        flink_bytes,
        managed_bytes,
        managed_fraction: share("managed.fraction", default.managed_fraction),
        metaspace_bytes: metaspace.unwrap_or(default.metaspace_bytes),
        overhead_fraction: share("jvm-overhead.fraction", default.overhead_fraction),
        overhead_min_bytes: overhead_min.unwrap_or(default.overhead_min_bytes),
        overhead_max_bytes: overhead_max.unwrap_or(default.overhead_max_bytes),
    };
    usable.then_some(memory)
}

fn slots(yaml: &FlinkYaml, findings: &mut Findings) -> Option<u32> {
    let Some(value) = yaml.get(SLOTS) else {
        return Some(1);
    };
    let slots = value.text.parse().ok().filter(|n| *n > 0);
    if slots.is_none() {
        findings.error(
            SLOTS,
            Some(value.line),
            format!("'{}' is not a number of slots", value.text),
            "write a whole number from 1",
        );
    }
    slots
}

fn ratio(yaml: &FlinkYaml, findings: &mut Findings) -> Option<f64> {
    let own = WeirKey::named(weir_keys::WRITE_BUFFER_RATIO)?;
    if let Some(text) = yaml.text(own.name) {
        // A wrong one was told already.
        return own.accepts(text).then(|| text.parse().ok())?;
    }
    let Some(value) = yaml.get(FLINKS_RATIO) else {
        return Some(0.5);
    };
    if !own.accepts(&value.text) {
        findings.error(
            FLINKS_RATIO,
            Some(value.line),
            format!("'{}' is not usable", value.text),
            format!("write {}", own.expected),
        );
        return None;
    }
    value.text.parse().ok()
}

/// The profile with Flink's own size of memtables, which a profile comes before.
fn with_memtables(profile: &Profile, yaml: &FlinkYaml, version: RocksDbVersion) -> Profile {
    const OPTION: &str = "write_buffer_size";
    let mut profile = profile.clone();
    let size = yaml.text(MEMTABLE).and_then(flink_units::size);
    if let (None, Some(bytes)) = (
        profile.value_of(version, Section::ColumnFamily, OPTION),
        size,
    ) {
        profile.entries.push(Entry {
            line: 0,
            section: Section::ColumnFamily,
            version: None,
            name: OPTION.to_owned(),
            value: bytes.to_string(),
        });
    }
    profile
}
