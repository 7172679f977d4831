//! The write buffer managers behind the operators of a TaskManager; those of a slot share one.
#![allow(unsafe_code, reason = "binds to handles that the JVM vouches for")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_void;

use weir_protocol::{AppliedWriteBuffers, WriteBufferReport};

use crate::frocksdb::{Build, WriteBufferManager};
use crate::ledger::ManagerId;

/// Managers in use.
#[derive(Debug, Default)]
pub struct WriteBufferManagers {
    managers: BTreeMap<ManagerId, Manager>,
    last_id: ManagerId,
}

#[derive(Debug)]
struct Manager {
    bound: WriteBufferManager,
    came_with_bytes: u64,
    /// Numbers of the operators that write through it.
    operators: BTreeSet<u32>,
}

// === impl WriteBufferManagers ===

impl WriteBufferManagers {
    /// An operator writes through the manager behind a handle: its number, and its size if nobody did before. `None` if it cannot
    /// be read.
    ///
    /// # Safety
    ///
    /// The handle must be null or RocksJava's of a live manager of `build`.
    pub unsafe fn join(
        &mut self,
        operator: u32,
        handle: *const c_void,
        build: &Build,
    ) -> Option<(ManagerId, Option<u64>)> {
        // SAFETY: the caller vouches for the handle.
        let bound = unsafe { WriteBufferManager::bind(handle, build)? };
        let is_it =
            |known: &&mut Manager| known.bound.object() == bound.object() && !known.bound.is_gone();
        let mut known = self.managers.iter_mut();
        if let Some((&id, manager)) = known.find_map(|(id, manager)| {
            let manager = Some(manager).filter(is_it)?;
            Some((id, manager))
        }) {
            manager.operators.insert(operator);
            return Some((id, None));
        }
        let came_with_bytes = bound.capacity_bytes()?;
        self.last_id += 1;
        let manager = Manager {
            bound,
            came_with_bytes,
            operators: BTreeSet::from([operator]),
        };
        self.managers.insert(self.last_id, manager);
        Some((self.last_id, Some(came_with_bytes)))
    }

    /// An operator leaves; true if it was the last one, and the manager is left as it came: it may serve others that the agent does
    /// not know.
    pub fn leave(&mut self, operator: u32, id: ManagerId) -> bool {
        let Some(manager) = self.managers.get_mut(&id) else {
            return false;
        };
        manager.operators.remove(&operator);
        if !manager.operators.is_empty() {
            return false;
        }
        // What is only observed was not changed, and is not written to.
        if manager.bound.capacity_bytes() != Some(manager.came_with_bytes) {
            manager.bound.set_capacity(manager.came_with_bytes);
        }
        self.managers.remove(&id);
        true
    }

    /// Those that RocksDB has destroyed.
    #[must_use]
    pub fn gone(&self) -> Vec<ManagerId> {
        let gone = self
            .managers
            .iter()
            .filter(|(_, manager)| manager.bound.is_gone());
        gone.map(|(&id, _)| id).collect()
    }

    /// Drops one that is gone.
    pub fn forget(&mut self, id: ManagerId) {
        self.managers.remove(&id);
    }

    /// Changes a size.
    pub fn set_capacity(&self, id: ManagerId, capacity_bytes: u64) {
        if let Some(manager) = self.managers.get(&id) {
            manager.bound.set_capacity(capacity_bytes);
        }
    }

    /// State of one now.
    #[must_use]
    pub fn report(&self, id: ManagerId) -> Option<WriteBufferReport> {
        self.managers.get(&id)?.bound.report(id)
    }

    /// What is in force.
    #[must_use]
    pub fn applied(&self) -> Vec<AppliedWriteBuffers> {
        self.managers
            .keys()
            .filter_map(|&id| self.report(id))
            .map(|report| AppliedWriteBuffers {
                manager: report.manager,
                capacity_bytes: report.capacity_bytes,
                used_bytes: report.used_bytes,
            })
            .collect()
    }
}
