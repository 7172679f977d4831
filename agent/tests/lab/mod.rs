//! The native lab: Flink's own RocksDB, opened without a JVM and driven through its C API.
#![allow(unsafe_code, reason = "C API of a library opened at run time")]
#![allow(dead_code, reason = "each test binary uses its part")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};
use weir_agent::agent::Agent;
use weir_agent::caches::{RefusedCache, Registration};
use weir_agent::collector;
use weir_agent::frocksdb::Library;
use weir_agent::identity;
use weir_agent::settings::Settings;
use weir_protocol::{
    Allocation, AppliedAllocation, CacheCapacity, CacheId, CacheReport, Refusal,
    WriteBufferCapacity,
};

/// What the lab's agent may spend.
pub const BUDGET: u64 = 512 << 20;
/// Half of it is for caches, where each operator has its own.
pub const CACHE_BUDGET: u64 = BUDGET / 2;

type Pointer = *mut c_void;

/// Flink's RocksDB library.
pub fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/get_rocksdbjni.sh");
        let output = Command::new(script)
            .arg(crate::rocksdb())
            .output()
            .expect(script);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let path = String::from_utf8(output.stdout).expect("a path");
        // SAFETY: the file comes from Flink's distribution.
        unsafe { Library::open(path.trim()) }.expect("Flink's RocksDB library loads")
    })
}

/// The one agent of this process, and the right to use it alone.
pub fn agent() -> (Arc<Agent>, MutexGuard<'static, ()>) {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock();
    library();
    let (agent, is_new) = Agent::global(|| {
        let pairs = [
            ("mode", crate::MODE.to_owned()),
            ("budget-bytes", BUDGET.to_string()),
            ("half-life-ms", "20000".to_owned()),
            ("samples", crate::SAMPLES.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value));
        let log = |level, message: &str| eprintln!("{level:?}: {message}");
        Agent::new(Settings::parse(&pairs).expect("settings"), Box::new(log))
    });
    if is_new {
        collector::start(agent.clone()).expect("a thread");
    }
    (agent.clone(), turn)
}

fn function(name: &str) -> usize {
    library().address(name).unwrap_or_else(|| panic!("{name}"))
}

/// A C function by name, called with pointers and integers.
macro_rules! call {
    ($name:literal ( $($argument:expr => $type:ty),* ) -> $result:ty) => {{
        // SAFETY: the signature is that of RocksDB's `c.h`.
        unsafe {
            let function: unsafe extern "C" fn($($type),*) -> $result = std::mem::transmute(function($name));
            function($($argument),*)
        }
    }};
}

/// A `std::shared_ptr<rocksdb::Cache>`, made as RocksJava makes it for `new LRUCache(capacity, shardBits, false, ratio)`.
#[derive(Debug)]
pub struct Cache {
    pub shared: Box<[usize; 2]>,
}

impl Cache {
    /// One shard, no high-priority pool: a pure LRU.
    pub fn new(capacity_bytes: usize) -> Self {
        Self::with_shape(capacity_bytes, 0, 0.0)
    }

    /// With shards and a high-priority pool.
    pub fn with_shape(capacity_bytes: usize, shard_bits: c_int, high_pri_ratio: f64) -> Self {
        type NewLruCache = unsafe extern "C" fn(
            *mut [usize; 2],
            usize,
            c_int,
            bool,
            f64,
            *const [usize; 2],
            bool,
            c_int,
            f64,
        ) -> Pointer;
        // 8.x has one more argument, in a register that 6.x does not read.
        let six = "_ZN7rocksdb11NewLRUCacheEmibdSt10shared_ptrINS_15MemoryAllocatorEEbNS_25CacheMetadataChargePolicyE";
        let eight = format!("{six}d");
        let address = library().address(&eight).or_else(|| library().address(six));
        let mut shared = Box::new([0; 2]);
        let no_allocator = [0; 2];
        // SAFETY: non-trivial arguments and results go by address.
        unsafe {
            let make: NewLruCache = std::mem::transmute(address.expect("NewLRUCache"));
            make(
                &raw mut *shared,
                capacity_bytes,
                shard_bits,
                false,
                high_pri_ratio,
                &raw const no_allocator,
                false,
                1,
                0.0,
            );
        }
        assert_ne!(shared[0], 0);
        Self { shared }
    }

    pub fn handle(&self) -> Pointer {
        (&raw const *self.shared).cast_mut().cast()
    }

    /// Gives the cache to an agent, as `WeirOptionsFactory` does, on the thread that will use it. The operator has it alone.
    pub fn register(&self, agent: &Agent, thread_name: &str) -> CacheId {
        let id = self.try_register(agent, thread_name, std::ptr::null_mut());
        CacheId(u64::from(id.expect("the known build is accepted")))
    }

    /// The same for an operator that shares the cache and is told apart by its statistics; the operator's number.
    pub fn share(&self, agent: &Agent, thread_name: &str, statistics: &Statistics) -> u32 {
        self.try_register(agent, thread_name, statistics.0)
            .expect("there is a place for the operator")
    }

    pub fn try_register(
        &self,
        agent: &Agent,
        thread_name: &str,
        statistics: Pointer,
    ) -> Result<u32, RefusedCache> {
        let registration = Registration {
            cache: self.handle(),
            statistics,
            operator: identity::operator_of_thread(thread_name, "0123"),
        };
        // SAFETY: cache and statistics are live.
        unsafe {
            agent
                .caches
                .lock()
                .register(registration, agent.estimator_config())
        }
    }
}

/// Asks for sizes of caches and of the write buffers behind them, in the next generation.
pub fn allocate(
    agent: &Agent,
    caches: &[(CacheId, u64)],
    write_buffers: &[(CacheId, u64)],
) -> Result<AppliedAllocation, Refusal> {
    let mut locked = agent.caches.lock();
    let allocation = Allocation {
        generation: locked.ledger.generation() + 1,
        caches: caches
            .iter()
            .map(|&(id, capacity_bytes)| CacheCapacity { id, capacity_bytes })
            .collect(),
        write_buffers: write_buffers
            .iter()
            .map(|&(cache, capacity_bytes)| WriteBufferCapacity {
                cache,
                capacity_bytes,
            })
            .collect(),
    };
    locked.apply(&allocation, None)
}

/// What the agent reports of a cache.
pub fn report_of(agent: &Agent, id: CacheId) -> CacheReport {
    let mut caches = agent.report().caches.into_iter();
    caches
        .find(|cache| cache.id == id)
        .expect("a live cache is in the report")
}

/// Lets a cache of one operator go.
pub fn release(agent: &Agent, id: CacheId) {
    let id = u32::try_from(id.0).expect("32 bits");
    agent.caches.lock().release(id);
}

/// A RocksDB write buffer manager, made as RocksJava makes it for `new WriteBufferManager(capacity, cache)`.
#[derive(Debug)]
pub struct WriteBuffers(pub Pointer);

impl WriteBuffers {
    pub fn new(capacity_bytes: usize, charged_to: &Cache) -> Self {
        let none = std::ptr::null_mut::<c_void>();
        // 8.x has one more argument, whether writers may be stalled, in a register that 6.x does not read. The symbol is
        // another one, too.
        let name = "Java_org_rocksdb_WriteBufferManager_newWriteBufferManager";
        let address = library().address(name).expect(name);
        // SAFETY: the signature of the JNI function, which uses neither of its first two arguments.
        unsafe {
            let make: unsafe extern "C" fn(Pointer, Pointer, usize, Pointer, u8) -> Pointer =
                std::mem::transmute(address);
            Self(make(none, none, capacity_bytes, charged_to.handle(), 0))
        }
    }

    /// Tells an agent that an operator writes through it.
    pub fn behind(&self, agent: &Agent, operator: CacheId) {
        let operator = u32::try_from(operator.0).expect("32 bits");
        // SAFETY: the manager is live.
        let is_known = unsafe { agent.caches.lock().write_through(operator, self.0) };
        assert!(is_known, "the manager of a known build can be read");
    }
}

impl Drop for WriteBuffers {
    fn drop(&mut self) {
        let none = std::ptr::null_mut::<c_void>();
        call!("Java_org_rocksdb_WriteBufferManager_disposeInternal"(none => Pointer, none => Pointer, self.0 => Pointer) -> ());
    }
}

/// RocksDB's `Statistics`, made as RocksJava makes them for `new Statistics()`.
#[derive(Debug)]
pub struct Statistics(pub Pointer);

impl Statistics {
    pub fn new() -> Self {
        let none = std::ptr::null_mut::<c_void>();
        Self(
            call!("Java_org_rocksdb_Statistics_newStatistics__"(none => Pointer, none => Pointer) -> Pointer),
        )
    }
}

impl Drop for Statistics {
    fn drop(&mut self) {
        let none = std::ptr::null_mut::<c_void>();
        call!("Java_org_rocksdb_Statistics_disposeInternal"(none => Pointer, none => Pointer, self.0 => Pointer) -> ());
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        let copy = Box::into_raw(std::mem::replace(&mut self.shared, Box::new([0; 2])));
        // `rocksdb_cache_destroy` also frees the pointer itself, with the C++ allocator: both are malloc here.
        call!("rocksdb_cache_destroy"(copy.cast() => Pointer) -> ());
    }
}

/// A database on one cache.
#[derive(Debug)]
pub struct Database {
    db: Pointer,
    options: Pointer,
    table_options: Pointer,
    read: Pointer,
    write: Pointer,
    flush: Pointer,
    _directory: tempfile::TempDir,
}

// SAFETY: RocksDB's databases are thread-safe.
unsafe impl Sync for Database {}
// SAFETY: as above.
unsafe impl Send for Database {}

impl Database {
    /// Index and filter blocks in the cache, Bloom filters on, small files.
    pub fn open(cache: &Cache) -> Self {
        Self::open_with(cache, &Statistics::new())
    }

    /// The same, with statistics of the caller's.
    pub fn open_with(cache: &Cache, statistics: &Statistics) -> Self {
        Self::open_writing_through(cache, statistics, None)
    }

    /// The same, with a write buffer manager.
    pub fn open_writing_through(
        cache: &Cache,
        statistics: &Statistics,
        write_buffers: Option<&WriteBuffers>,
    ) -> Self {
        Self::open_heard(cache, statistics, write_buffers, None)
    }

    /// The same, with a listener, as a handle of `Caches::make_listener`. It compacts as soon as there are two files, and holds
    /// writes back until that is done.
    pub fn open_heard(
        cache: &Cache,
        statistics: &Statistics,
        write_buffers: Option<&WriteBuffers>,
        listener: Option<usize>,
    ) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let options = call!("rocksdb_options_create"() -> Pointer);
        call!("rocksdb_options_set_create_if_missing"(options => Pointer, 1 => u8) -> ());
        let none = std::ptr::null_mut::<c_void>();
        // The C API's options begin with the C++ ones.
        call!("Java_org_rocksdb_Options_setStatistics"(none => Pointer, none => Pointer, options => Pointer, statistics.0 => Pointer) -> ());
        if let Some(manager) = write_buffers {
            call!("Java_org_rocksdb_Options_setWriteBufferManager"(none => Pointer, none => Pointer, options => Pointer, manager.0 => Pointer) -> ());
        }
        // Behind a manager memtables are to be flushed because it is full, not because they are.
        let memtable_bytes: usize = if write_buffers.is_some() {
            64 << 20
        } else {
            4 << 20
        };
        call!("rocksdb_options_set_write_buffer_size"(options => Pointer, memtable_bytes => usize) -> ());
        call!("rocksdb_options_set_target_file_size_base"(options => Pointer, 4 << 20 => u64) -> ());
        call!("rocksdb_options_set_compression"(options => Pointer, 0 => c_int) -> ());
        if let Some(listener) = listener {
            java_arrays::with_env(|env| {
                let handles = [listener];
                let array = (&raw const handles).cast_mut().cast::<c_void>();
                call!("Java_org_rocksdb_Options_setEventListeners"(env => Pointer, none => Pointer, options => Pointer, array => Pointer) -> ());
            });
            call!("rocksdb_options_set_level0_file_num_compaction_trigger"(options => Pointer, 2 => c_int) -> ());
            call!("rocksdb_options_set_level0_slowdown_writes_trigger"(options => Pointer, 2 => c_int) -> ());
        }
        let table_options = call!("rocksdb_block_based_options_create"() -> Pointer);
        call!("rocksdb_block_based_options_set_block_cache"(table_options => Pointer, cache.handle() => Pointer) -> ());
        call!("rocksdb_block_based_options_set_cache_index_and_filter_blocks"(table_options => Pointer, 1 => u8) -> ());
        call!("rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority"(table_options => Pointer, 1 => u8) -> ());
        let bloom = call!("rocksdb_filterpolicy_create_bloom_full"(10 => c_int) -> Pointer);
        call!("rocksdb_block_based_options_set_filter_policy"(table_options => Pointer, bloom => Pointer) -> ());
        call!("rocksdb_options_set_block_based_table_factory"(options => Pointer, table_options => Pointer) -> ());
        let path = CString::new(directory.path().to_str().expect("UTF-8")).expect("no NUL");
        let mut error: *mut c_char = std::ptr::null_mut();
        let db = call!("rocksdb_open"(options => Pointer, path.as_ptr() => *const c_char, &raw mut error => *mut *mut c_char) -> Pointer);
        check(error);
        Self {
            db,
            options,
            table_options,
            read: call!("rocksdb_readoptions_create"() -> Pointer),
            write: call!("rocksdb_writeoptions_create"() -> Pointer),
            flush: call!("rocksdb_flushoptions_create"() -> Pointer),
            _directory: directory,
        }
    }

    pub fn put(&self, key: u64, value: &[u8]) {
        let key = key.to_be_bytes();
        let mut error: *mut c_char = std::ptr::null_mut();
        call!("rocksdb_put"(
            self.db => Pointer, self.write => Pointer,
            key.as_ptr() => *const u8, key.len() => usize,
            value.as_ptr() => *const u8, value.len() => usize,
            &raw mut error => *mut *mut c_char
        ) -> ());
        check(error);
    }

    /// Length of the value, if there is one.
    pub fn get(&self, key: u64) -> Option<usize> {
        let key = key.to_be_bytes();
        let mut error: *mut c_char = std::ptr::null_mut();
        let mut length = 0_usize;
        let value = call!("rocksdb_get"(
            self.db => Pointer, self.read => Pointer,
            key.as_ptr() => *const u8, key.len() => usize,
            &raw mut length => *mut usize,
            &raw mut error => *mut *mut c_char
        ) -> Pointer);
        check(error);
        if value.is_null() {
            return None;
        }
        call!("rocksdb_free"(value => Pointer) -> ());
        Some(length)
    }

    pub fn flush(&self) {
        let mut error: *mut c_char = std::ptr::null_mut();
        call!("rocksdb_flush"(self.db => Pointer, self.flush => Pointer, &raw mut error => *mut *mut c_char) -> ());
        check(error);
    }

    /// Compacts everything, and returns when that is done.
    pub fn compact(&self) {
        let none = std::ptr::null::<u8>();
        call!("rocksdb_compact_range"(self.db => Pointer, none => *const u8, 0 => usize, none => *const u8, 0 => usize) -> ());
    }

    /// One of RocksDB's properties that are numbers.
    pub fn property(&self, name: &str) -> u64 {
        let name = CString::new(name).expect("no NUL");
        let text = call!("rocksdb_property_value"(self.db => Pointer, name.as_ptr() => *const c_char) -> *mut c_char);
        assert!(!text.is_null(), "{name:?}");
        // SAFETY: a C string, freed below.
        let value = unsafe { CStr::from_ptr(text) }.to_string_lossy().parse();
        call!("rocksdb_free"(text.cast() => Pointer) -> ());
        value.expect("a number")
    }

    /// One of RocksDB's own counters, such as `rocksdb.block.cache.hit`.
    pub fn ticker(&self, name: &str) -> u64 {
        let text =
            call!("rocksdb_options_statistics_get_string"(self.options => Pointer) -> *mut c_char);
        // SAFETY: a C string, freed below.
        let statistics = unsafe { CStr::from_ptr(text) }
            .to_string_lossy()
            .into_owned();
        call!("rocksdb_free"(text.cast() => Pointer) -> ());
        statistics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(" COUNT : "))
            .unwrap_or_else(|| panic!("{name} in {statistics}"))
            .trim()
            .parse()
            .expect("a number")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        call!("rocksdb_close"(self.db => Pointer) -> ());
        call!("rocksdb_options_destroy"(self.options => Pointer) -> ());
        call!("rocksdb_block_based_options_destroy"(self.table_options => Pointer) -> ());
        call!("rocksdb_readoptions_destroy"(self.read => Pointer) -> ());
        call!("rocksdb_writeoptions_destroy"(self.write => Pointer) -> ());
        call!("rocksdb_flushoptions_destroy"(self.flush => Pointer) -> ());
    }
}

/// As much of a JVM as RocksJava's native methods need that take an array of one `long`.
mod java_arrays {
    use super::{Pointer, c_int};

    /// Functions in JNI's table.
    const FUNCTIONS: usize = 235;
    const ARRAY_LENGTH: usize = 171;
    const LONG_ELEMENTS: usize = 188;
    const RELEASE_LONG_ELEMENTS: usize = 196;
    const EXCEPTION_CHECK: usize = 228;

    extern "C" fn one(_env: Pointer, _array: Pointer) -> c_int {
        1
    }

    extern "C" fn elements(_env: Pointer, array: Pointer, _is_copy: Pointer) -> Pointer {
        array
    }

    extern "C" fn release(_env: Pointer, _array: Pointer, _elements: Pointer, _mode: c_int) {}

    extern "C" fn no_exception(_env: Pointer) -> u8 {
        0
    }

    /// An array is the address of its one element.
    pub fn with_env(call: impl FnOnce(Pointer)) {
        let mut functions = [0_usize; FUNCTIONS];
        functions[ARRAY_LENGTH] = one as *const () as usize;
        functions[LONG_ELEMENTS] = elements as *const () as usize;
        functions[RELEASE_LONG_ELEMENTS] = release as *const () as usize;
        functions[EXCEPTION_CHECK] = no_exception as *const () as usize;
        let mut env: *const [usize; FUNCTIONS] = &raw const functions;
        call((&raw mut env).cast());
    }
}

fn check(error: *mut c_char) {
    if !error.is_null() {
        // SAFETY: a C string.
        panic!("{}", unsafe { CStr::from_ptr(error) }.to_string_lossy());
    }
}

/// Keys of a skewed distribution: a power of a uniform number, so that low ones are common.
#[derive(Debug)]
pub struct SkewedKeys {
    state: u64,
    keys: u64,
    exponent: f64,
}

impl SkewedKeys {
    pub fn new(seed: u64, keys: u64, exponent: f64) -> Self {
        Self {
            state: seed | 1,
            keys,
            exponent,
        }
    }

    pub fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let uniform = (self.state >> 11) as f64 / (1_u64 << 53) as f64;
        let rank = (uniform.powf(self.exponent) * self.keys as f64) as u64;
        // Spread over the key space, or popular keys would all lie in the same blocks.
        rank.wrapping_mul(0x9e37_79b9_7f4a_7c15) % self.keys
    }
}
