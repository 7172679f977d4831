//! The RocksDB builds that Flink ships, as far as the agent relies on them: data only, compared with the library by [`super::Build`].

mod v6_20_3;
mod v8_10_0;

/// One build: what its library must look like to be accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownBuild {
    /// `6.20.3`.
    pub version: &'static str,
    /// Which Flink ships it.
    pub flink: &'static str,
    /// Symbol of the block cache's vtable.
    pub vtable: &'static str,
    /// Symbol that every slot must hold, in order.
    pub slots: &'static [&'static str],
    /// Number of the slot of `Insert`.
    pub insert: usize,
    /// Number of the slot of `Lookup`.
    pub lookup: usize,
    /// Number of the slot of `Release(handle, force)`.
    pub release: usize,
    /// Number of the slot of `GetPrintableOptions`.
    pub printable: usize,
    /// Symbol of the vtable of the control block behind a `std::shared_ptr` to the cache.
    pub control_vtable: &'static str,
    /// Offset of the level in `rocksdb::StatisticsImpl`.
    pub statistics_level: usize,
    /// How `Insert` and `Lookup` are called, and what an entry looks like.
    pub interface: Interface,
    /// What an event listener looks like.
    pub events: EventTable,
}

/// The virtual functions of `rocksdb::EventListener`, and values that events carry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventTable {
    /// Where they begin in the vtable of the class that RocksJava derives, in slots.
    pub first_slot: usize,
    /// Symbol of each, in order; of those that the derived class overrides, as the base class names them.
    pub slots: &'static [&'static str],
    /// `WriteStallCondition::kNormal`.
    pub stall_normal: std::ffi::c_int,
}

/// The two forms that RocksDB's `Cache` has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// 6.x: an entry is described by its deleter and priority.
    Deleter,
    /// 8.x: an entry is described by a `CacheItemHelper`, which names its role.
    Helper,
}

/// Symbols of the vtables of the control blocks behind a `std::shared_ptr` to a write buffer manager, in every build: as RocksJava
/// makes it, and as the C API does.
pub(crate) const WRITE_BUFFER_CONTROL_VTABLES: [&str; 2] = [
    "_ZTVSt19_Sp_counted_deleterIPN7rocksdb18WriteBufferManagerENSt12__shared_ptrIS1_LN9__gnu_cxx12_Lock_policyE2EE8_DeleterISaIS1_EEES8_LS5_2EE",
    "_ZTVSt15_Sp_counted_ptrIPN7rocksdb18WriteBufferManagerELN9__gnu_cxx12_Lock_policyE2EE",
];

/// Every build the agent accepts.
pub(crate) const KNOWN: [&KnownBuild; 2] = [&v6_20_3::BUILD, &v8_10_0::BUILD];

/// Most slots that any of them has.
pub(crate) const MAX_SLOTS: usize = 34;

/// What to tell whoever comes with another build: `FRocksDB 6.20.3 (Flink 1.14 to 1.20) and ...`.
pub(crate) fn describe_known() -> String {
    KNOWN
        .map(|known| format!("FRocksDB {} ({})", known.version, known.flink))
        .join(" and ")
}
