//! Puts entries into a scratch cache and compares what [`Entry`] reads with what went in.
#![allow(unsafe_code, reason = "calls vtable slots that were just verified")]

use std::ffi::c_void;
use std::ptr;

use super::build::Build;
use super::call::{DeleterInsert, HelperInsert, ItemHelper, Release, Slice};
use super::entry::{self, Entry, keep_value};
use super::known::Interface;

/// Where the key begins in an entry of either interface.
const DELETER_KEY_OFFSET: usize = 65;
const HELPER_KEY_OFFSET: usize = 66;

/// What goes in, once with each of the two priorities and roles.
struct TrialEntry {
    key: &'static [u8; 16],
    priority: i32,
    role: i32,
}

const TRIALS: [TrialEntry; 2] = [
    TrialEntry {
        key: b"weir-trial-high!",
        priority: 0,
        role: 4,
    },
    TrialEntry {
        key: b"weir-trial-low!!",
        priority: 1,
        role: 0,
    },
];

/// Tries the layout of an entry; on failure, what differs.
pub(super) fn insert_and_read_back(build: &Build) -> Result<(), String> {
    let scratch = build.functions.create(1 << 20);
    for trial in &TRIALS {
        // The cache keeps the address until the entry is released, which is below.
        let helper = ItemHelper {
            functions: [0, 0, 0, 0],
            role: trial.role,
            without_secondary: ptr::null(),
        };
        let helper = ItemHelper {
            functions: [keep_value as *const c_void as usize, 0, 0, 0],
            without_secondary: &raw const helper,
            ..helper
        };
        let charge = 4_096 + trial.key.len();
        let handle = insert(build, scratch.object(), trial, charge, &helper);
        if handle.is_null() {
            return Err("no handle was returned".to_owned());
        }
        // SAFETY: the handle is held until it is released below.
        let found = unsafe { Entry::at(handle) };
        let verdict = match build.interface() {
            Interface::Deleter => with_deleter(found, trial, charge),
            Interface::Helper => with_helper(found, trial, charge, &helper),
        };
        // SAFETY: the slot was compared with `Release(handle, force_erase)`.
        unsafe {
            let release: Release = std::mem::transmute(build.slot(build.known.release));
            release(scratch.object(), handle, true);
        }
        verdict?;
    }
    Ok(())
}

fn with_deleter(found: Entry<'_>, trial: &TrialEntry, charge: usize) -> Result<(), String> {
    let kind = found.kind();
    if kind.deleter != keep_value as *const c_void as usize {
        return Err("deleter".to_owned());
    }
    if kind.high_priority != (trial.priority == 0) {
        return Err(format!("priority {}", trial.priority));
    }
    charge_and_key(
        found.charge_with_entry(),
        charge,
        found.key_at(DELETER_KEY_OFFSET),
        trial,
    )
}

fn with_helper(
    found: Entry<'_>,
    trial: &TrialEntry,
    charge: usize,
    helper: &ItemHelper,
) -> Result<(), String> {
    if !ptr::eq(found.helper(), helper) {
        return Err("helper".to_owned());
    }
    if entry::block_role(helper.role).is_none() {
        return Err(format!("role {}", helper.role));
    }
    charge_and_key(
        found.total_charge(),
        charge,
        found.key_at(HELPER_KEY_OFFSET),
        trial,
    )
}

fn charge_and_key(
    found_charge: usize,
    charge: usize,
    found_key: &[u8],
    trial: &TrialEntry,
) -> Result<(), String> {
    // What the entry itself takes is charged, too: some 100 bytes.
    if found_charge <= charge || found_charge > charge + 1024 {
        return Err(format!("charge {found_charge} of {charge}"));
    }
    if found_key != trial.key {
        return Err("key".to_owned());
    }
    Ok(())
}

fn insert(
    build: &Build,
    cache: *mut c_void,
    trial: &TrialEntry,
    charge: usize,
    helper: &ItemHelper,
) -> *mut c_void {
    static VALUE: u64 = 0;
    let value = (&raw const VALUE).cast_mut().cast();
    let key = Slice {
        data: trial.key.as_ptr(),
        size: trial.key.len(),
    };
    let mut status = [0_u64; 2];
    let mut handle: *mut c_void = ptr::null_mut();
    let slot = build.slot(build.known.insert);
    // SAFETY: a live cache of this build, whose slot was compared with `Insert` of exactly this type; the deleter outlives
    // the cache, the helper the entry.
    unsafe {
        match build.interface() {
            Interface::Deleter => {
                let insert: DeleterInsert = std::mem::transmute(slot);
                insert(
                    status.as_mut_ptr().cast(),
                    cache,
                    &raw const key,
                    value,
                    charge,
                    keep_value as *const c_void,
                    &raw mut handle,
                    trial.priority,
                );
            }
            Interface::Helper => {
                let insert: HelperInsert = std::mem::transmute(slot);
                let nothing = Slice {
                    data: ptr::null(),
                    size: 0,
                };
                insert(
                    status.as_mut_ptr().cast(),
                    cache,
                    &raw const key,
                    value,
                    helper,
                    charge,
                    &raw mut handle,
                    trial.priority,
                    &raw const nothing,
                    0,
                );
            }
        }
    }
    handle
}
