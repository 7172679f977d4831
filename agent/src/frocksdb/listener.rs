//! An event listener of the agent's own in a database's options: RocksDB calls it after each flush and compaction, and when
//! writes start or stop being held back.
//!
//! RocksJava has listeners, too, but calls them by attaching RocksDB's thread to the JVM. A thread that tries that while the JVM
//! ends may wait for ever, and RocksDB waits for its threads at the end of the process: the TaskManager would not die. A listener
//! without a JVM behind it cannot do that, and costs nothing to call.
//!
//! The object is the agent's, with a vtable of RocksDB's own do-nothing functions except for four. It is handed over as a
//! `std::shared_ptr` whose control block is the agent's as well, so the agent learns when the last database lets it go.
#![allow(
    unsafe_code,
    reason = "an object that C++ calls, and functions of a library found at run time"
)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use super::VTABLE_HEADER;
use super::call::Slice;
use super::known::{EventTable, KnownBuild};
use super::library::Library;
use super::weak_pointer::SharedPointer;
use crate::writes::WriteTotals;

/// Most virtual functions that `rocksdb::EventListener` has had.
const MAX_EVENTS: usize = 48;
/// Words that the base classes of `EventListener` may have for themselves; all zero is what their constructors leave.
const BASE_WORDS: usize = 8;
/// `rocksdb::TableFileCreationReason::kFlush`.
const REASON_FLUSH: c_int = 0;
/// The property that tells the bytes in files of the newest version.
const LIVE_BYTES: &[u8] = b"rocksdb.live-sst-files-size";

/// The class that RocksJava derives from `EventListener`: the second part of its vtable is that of the base within it.
const JNI_VTABLE: &str = "_ZTVN7rocksdb24EventListenerJniCallbackE";
const BASE: &str = "_ZN7rocksdb13EventListener";
const THUNK: &str = "_ZThn24_N7rocksdb24EventListenerJniCallback";

type JniLong = unsafe extern "C" fn(*mut c_void, *mut c_void, i64) -> i64;
type JniVoid = unsafe extern "C" fn(*mut c_void, *mut c_void, i64);
type AggregatedProperty = unsafe extern "C" fn(*mut c_void, *const Slice, *mut u64) -> bool;

/// What a build needs for listeners.
#[derive(Debug)]
pub(crate) struct ListenerFunctions {
    /// Offset to top, type information, functions.
    words: [usize; VTABLE_HEADER + MAX_EVENTS],
    /// `rocksdb::WriteStallCondition::kNormal`.
    stall_normal: c_int,
    /// Copies the statistics out of a `CompactionJobInfo`, reads them, drops the copy.
    job_stats: JniLong,
    input_bytes: JniLong,
    output_bytes: JniLong,
    drop_stats: JniVoid,
    /// What the vptr of a `DBImpl` holds, and its function.
    database: usize,
    aggregated_property: AggregatedProperty,
}

/// The object as C++ sees it, and behind that what the callbacks need.
#[repr(C)]
struct ListenerObject {
    vtable: *const usize,
    base: [usize; BASE_WORDS],
    functions: &'static ListenerFunctions,
    totals: Arc<WriteTotals>,
    control: ControlBlock,
}

/// libstdc++'s `_Sp_counted_base`, see [`super::weak_pointer`].
#[repr(C)]
struct ControlBlock {
    vtable: *const ControlVtable,
    use_count: AtomicI32,
    weak_count: AtomicI32,
}

/// A `std::shared_ptr<EventListener>` as `DBOptions.setListeners` takes it. The object lives on while options or databases hold it.
#[derive(Debug)]
pub struct Listener {
    pointer: Box<SharedPointer>,
}

// SAFETY: the counts are atomic, and what the object holds is made for sharing.
unsafe impl Send for Listener {}

/// `rocksdb::TableFileCreationInfo`, as far as it is read.
#[repr(C)]
struct FileCreation {
    database: *const c_char,
    column_family: *const c_char,
    path: *const c_char,
    job: c_int,
    reason: c_int,
    bytes: u64,
}

/// `rocksdb::WriteStallInfo`.
#[repr(C)]
struct StallChange {
    column_family: *const c_char,
    now: c_int,
    before: c_int,
}

// === impl ListenerFunctions ===

impl ListenerFunctions {
    /// What a library offers; `None` if that is not what its build should offer, and then nobody listens.
    pub(super) fn of(library: &Library, known: &KnownBuild) -> Option<Self> {
        let jni = |name: &str| library.address(&format!("Java_org_rocksdb_{name}"));
        // SAFETY: RocksJava's native methods of these signatures: they read the handle and touch neither of the arguments before it.
        // The last one is a virtual function called by its address on objects of its class.
        unsafe {
            Some(Self {
                words: event_vtable(library, &known.events)?,
                stall_normal: known.events.stall_normal,
                job_stats: std::mem::transmute::<usize, JniLong>(jni("CompactionJobInfo_stats")?),
                input_bytes: std::mem::transmute::<usize, JniLong>(jni(
                    "CompactionJobStats_totalInputBytes",
                )?),
                output_bytes: std::mem::transmute::<usize, JniLong>(jni(
                    "CompactionJobStats_totalOutputBytes",
                )?),
                drop_stats: std::mem::transmute::<usize, JniVoid>(jni(
                    "CompactionJobStats_disposeInternal",
                )?),
                database: library.address("_ZTVN7rocksdb6DBImplE")?
                    + VTABLE_HEADER * size_of::<usize>(),
                aggregated_property: std::mem::transmute::<usize, AggregatedProperty>(
                    library
                        .address("_ZN7rocksdb6DBImpl24GetAggregatedIntPropertyERKNS_5SliceEPm")?,
                ),
            })
        }
    }

    /// Bytes in the files of a database's newest version, all column families together.
    ///
    /// # Safety
    ///
    /// `database` must be a live database whose mutex this thread does not hold, as in the callbacks that are given one.
    unsafe fn live_bytes(&self, database: *mut c_void) -> Option<u64> {
        // SAFETY: an object with virtual functions starts with its vptr; only the class whose function this is has this one.
        unsafe {
            if database.is_null() || *database.cast::<usize>() != self.database {
                return None;
            }
            let property = Slice {
                data: LIVE_BYTES.as_ptr(),
                size: LIVE_BYTES.len(),
            };
            let mut bytes = 0;
            (self.aggregated_property)(database, &raw const property, &raw mut bytes)
                .then_some(bytes)
        }
    }
}

/// The vtable of a listener that hears four events; `None` unless every slot of the library's own is as expected.
fn event_vtable(
    library: &Library,
    table: &EventTable,
) -> Option<[usize; VTABLE_HEADER + MAX_EVENTS]> {
    let first = VTABLE_HEADER + table.first_slot;
    let symbol = library.symbol(JNI_VTABLE)?;
    let count = first + table.slots.len();
    if symbol.size != count * size_of::<usize>() || table.slots.len() > MAX_EVENTS {
        return None;
    }
    // SAFETY: the symbol table says that so many bytes lie there; the library stays loaded.
    let found = unsafe { std::slice::from_raw_parts(symbol.address as *const usize, count) };
    let mut words = [0; VTABLE_HEADER + MAX_EVENTS];
    for (slot, name) in table.slots.iter().enumerate() {
        let own = library.address(name);
        let thunk = name.strip_prefix(BASE).map(|rest| format!("{THUNK}{rest}"));
        let thunk = thunk.and_then(|thunk| library.address(&thunk));
        let there = Some(found[first + slot]);
        if there != own && there != thunk {
            return None;
        }
        words[VTABLE_HEADER + slot] = match name.strip_prefix(BASE).unwrap_or_default() {
            // Destroyed by its control block only.
            "D1Ev" | "D0Ev" => ignore as *const c_void as usize,
            FILE_CREATED => file_created as *const c_void as usize,
            FLUSHED => flushed as *const c_void as usize,
            COMPACTED => compacted as *const c_void as usize,
            STALL_CHANGED => stall_changed as *const c_void as usize,
            _ => own?,
        };
    }
    Some(words)
}

const FILE_CREATED: &str = "18OnTableFileCreatedERKNS_21TableFileCreationInfoE";
const FLUSHED: &str = "16OnFlushCompletedEPNS_2DBERKNS_12FlushJobInfoE";
const COMPACTED: &str = "21OnCompactionCompletedEPNS_2DBERKNS_17CompactionJobInfoE";
const STALL_CHANGED: &str = "24OnStallConditionsChangedERKNS_14WriteStallInfoE";

// === what RocksDB calls ===

unsafe extern "C" fn ignore(_listener: *mut ListenerObject) {}

/// `OnTableFileCreated(const TableFileCreationInfo&)`.
unsafe extern "C" fn file_created(listener: *mut ListenerObject, info: *const FileCreation) {
    // SAFETY: RocksDB calls with the object that it was given and with what it says in the signature; both live during the call.
    let (listener, info) = unsafe { (&*listener, &*info) };
    if info.reason != REASON_FLUSH {
        return;
    }
    // The structure's layout is known from the headers alone, so the first file proves it.
    let totals = &listener.totals;
    if !totals.is_proved() {
        // SAFETY: a `std::string` of the old ABI points to its text, which ends with a zero.
        let path = unsafe { CStr::from_ptr(info.path) };
        let bytes = path.to_str().ok().and_then(|path| {
            let file = std::fs::metadata(path).ok()?;
            Some(file.len())
        });
        totals.prove(bytes == Some(info.bytes));
    }
    totals.add_flushed(info.bytes);
}

/// `OnFlushCompleted(DB*, const FlushJobInfo&)`.
unsafe extern "C" fn flushed(
    listener: *mut ListenerObject,
    database: *mut c_void,
    _info: *const c_void,
) {
    // SAFETY: as in `file_created`; RocksDB does not hold the database's mutex here.
    unsafe {
        let listener = &*listener;
        if let Some(bytes) = listener.functions.live_bytes(database) {
            listener.totals.set_live(bytes);
        }
    }
}

/// `OnCompactionCompleted(DB*, const CompactionJobInfo&)`.
unsafe extern "C" fn compacted(
    listener: *mut ListenerObject,
    database: *mut c_void,
    info: *const c_void,
) {
    let nothing = std::ptr::null_mut;
    // SAFETY: as in `flushed`. The handles are what RocksJava uses: addresses of a job's description and of its statistics.
    unsafe {
        let listener = &*listener;
        let functions = listener.functions;
        let stats = (functions.job_stats)(nothing(), nothing(), info as usize as i64);
        let read = (functions.input_bytes)(nothing(), nothing(), stats);
        let written = (functions.output_bytes)(nothing(), nothing(), stats);
        (functions.drop_stats)(nothing(), nothing(), stats);
        let bytes = |bytes: i64| u64::try_from(bytes).unwrap_or_default();
        listener.totals.add_compacted(bytes(read), bytes(written));
        if let Some(bytes) = functions.live_bytes(database) {
            listener.totals.set_live(bytes);
        }
    }
}

/// `OnStallConditionsChanged(const WriteStallInfo&)`.
unsafe extern "C" fn stall_changed(listener: *mut ListenerObject, info: *const StallChange) {
    // SAFETY: as in `file_created`.
    let (listener, info) = unsafe { (&*listener, &*info) };
    let normal = listener.functions.stall_normal;
    listener
        .totals
        .change_stall(info.before != normal, info.now != normal);
}

// === impl Listener ===

impl Listener {
    /// A listener that counts into `totals`.
    pub(crate) fn new(functions: &'static ListenerFunctions, totals: Arc<WriteTotals>) -> Self {
        let object = Box::into_raw(Box::new(ListenerObject {
            vtable: functions.words[VTABLE_HEADER..].as_ptr(),
            base: [0; BASE_WORDS],
            functions,
            totals,
            control: ControlBlock {
                vtable: &raw const CONTROL_VTABLE,
                use_count: AtomicI32::new(1),
                weak_count: AtomicI32::new(1),
            },
        }));
        // SAFETY: just made.
        let control = unsafe { &raw mut (*object).control };
        Self {
            pointer: Box::new(SharedPointer {
                object: object.cast(),
                control: control.cast(),
            }),
        }
    }

    /// Address of the `shared_ptr`, valid as long as this lives.
    #[must_use]
    pub fn handle(&self) -> *const c_void {
        (&raw const *self.pointer).cast()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // SAFETY: this reference is counted, so the block is there; who takes a count to zero does what libstdc++ does.
        unsafe {
            let control = self.pointer.control.cast::<ControlBlock>();
            if (*control).use_count.fetch_sub(1, Ordering::AcqRel) == 1
                && (*control).weak_count.fetch_sub(1, Ordering::AcqRel) == 1
            {
                destroy(control);
            }
        }
    }
}

/// The virtual functions of a control block, in libstdc++'s order.
#[repr(C)]
struct ControlVtable {
    destructors: [unsafe extern "C" fn(*mut ControlBlock); 2],
    dispose: unsafe extern "C" fn(*mut ControlBlock),
    destroy: unsafe extern "C" fn(*mut ControlBlock),
    get_deleter: unsafe extern "C" fn(*mut ControlBlock, *const c_void) -> *mut c_void,
}

static CONTROL_VTABLE: ControlVtable = ControlVtable {
    destructors: [keep; 2],
    // The object goes with its control block, which is a part of it.
    dispose: keep,
    destroy,
    get_deleter: no_deleter,
};

unsafe extern "C" fn keep(_control: *mut ControlBlock) {}

unsafe extern "C" fn no_deleter(_control: *mut ControlBlock, _type: *const c_void) -> *mut c_void {
    std::ptr::null_mut()
}

unsafe extern "C" fn destroy(control: *mut ControlBlock) {
    // SAFETY: no reference is left, strong or weak, and the block is a part of an object that `Listener::new` boxed.
    unsafe {
        let object = control
            .cast::<u8>()
            .sub(std::mem::offset_of!(ListenerObject, control))
            .cast::<ListenerObject>();
        drop(Box::from_raw(object));
    }
}
