//! The LRU stack of the sampled blocks: which of them were used since a given one, and how many bytes they take.
//!
//! Every block owns one *time slot*; a used block moves to the next free slot, so that slots are in order of recency. A Fenwick
//! tree over the slots sums the bytes of all later ones. When the slots run out, the blocks are packed to the front: linear work
//! once per as many uses as there are blocks.

use crate::fenwick::Fenwick;
use crate::heap::{HashHeap, HeapEntries};
use crate::index::Index;

/// Marks a slot without a block.
const EMPTY: u32 = u32::MAX;

/// Number of a block in the stack, valid until it is removed.
pub(crate) type BlockId = u32;

/// A sampled block.
#[derive(Debug, Clone, Copy)]
struct Block {
    hash: u64,
    charge_bytes: u32,
    /// Time slot it was last used in.
    slot: u32,
    /// Tick it was last used at.
    tick: u32,
    /// Where it lies in the heap.
    position: u32,
}

/// The sampled blocks, found by hash, ordered by recency and by hash.
#[derive(Debug, Clone)]
pub(crate) struct BlockStack {
    blocks: Vec<Block>,
    free: Vec<BlockId>,
    index: Index,
    heap: HashHeap,
    /// Which block owns a time slot.
    slots: Box<[BlockId]>,
    /// Bytes of the block in each slot; only blocks below `weighs_below` have weight.
    bytes: Fenwick,
    total_bytes: u64,
    next_slot: usize,
    /// No slot before this one has a block.
    oldest_slot: usize,
    weighs_below: u64,
}

impl HeapEntries for Vec<Block> {
    fn hash(&self, entry: u32) -> u64 {
        self[entry as usize].hash
    }
    fn position(&self, entry: u32) -> usize {
        self[entry as usize].position as usize
    }
    fn set_position(&mut self, entry: u32, position: usize) {
        self[entry as usize].position = position as u32;
    }
}

// === impl BlockStack ===

impl BlockStack {
    /// A stack for at most `capacity` blocks; all memory is taken here.
    pub(crate) fn new(capacity: usize) -> Self {
        let slots = 2 * capacity;
        Self {
            blocks: Vec::with_capacity(capacity),
            free: Vec::with_capacity(capacity),
            index: Index::new(capacity),
            heap: HashHeap::new(capacity),
            slots: vec![EMPTY; slots].into_boxed_slice(),
            bytes: Fenwick::new(slots),
            total_bytes: 0,
            next_slot: 0,
            oldest_slot: 0,
            weighs_below: u64::MAX,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.blocks.len() - self.free.len()
    }

    /// Bytes of all blocks that have weight.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64) -> Option<BlockId> {
        let blocks = &self.blocks;
        self.index.find(hash, |id| blocks[id as usize].hash)
    }

    #[inline]
    pub(crate) fn charge_bytes(&self, id: BlockId) -> u64 {
        u64::from(self.blocks[id as usize].charge_bytes)
    }

    pub(crate) fn hash(&self, id: BlockId) -> u64 {
        self.blocks[id as usize].hash
    }

    pub(crate) fn tick(&self, id: BlockId) -> u32 {
        self.blocks[id as usize].tick
    }

    /// Bytes of the blocks used more recently than this one.
    #[inline]
    pub(crate) fn bytes_above(&self, id: BlockId) -> u64 {
        self.total_bytes - self.bytes.prefix(self.blocks[id as usize].slot as usize)
    }

    /// Makes a known block the most recently used one.
    #[inline]
    pub(crate) fn touch(&mut self, id: BlockId, charge_bytes: u64, tick: u32) {
        if self.next_slot == self.slots.len() {
            self.pack();
        }
        self.vacate(id);
        let block = &mut self.blocks[id as usize];
        block.charge_bytes = saturate(charge_bytes);
        block.tick = tick;
        self.occupy(id);
    }

    /// Puts a block that is not in the stack on its top. There must be room.
    pub(crate) fn insert(&mut self, hash: u64, charge_bytes: u64, tick: u32) {
        if self.next_slot == self.slots.len() {
            self.pack();
        }
        let block = Block {
            hash,
            charge_bytes: saturate(charge_bytes),
            slot: 0,
            tick,
            position: 0,
        };
        let id = if let Some(id) = self.free.pop() {
            self.blocks[id as usize] = block;
            id
        } else {
            debug_assert!(self.blocks.len() < self.blocks.capacity());
            self.blocks.push(block);
            (self.blocks.len() - 1) as BlockId
        };
        self.index.insert(hash, id);
        self.heap.push(id, &mut self.blocks);
        self.occupy(id);
    }

    pub(crate) fn remove(&mut self, id: BlockId) {
        self.vacate(id);
        self.heap.remove(id, &mut self.blocks);
        let blocks = &self.blocks;
        let hash = blocks[id as usize].hash;
        self.index
            .remove(hash, id, |other| blocks[other as usize].hash);
        self.free.push(id);
    }

    /// The least recently used block.
    pub(crate) fn oldest(&mut self) -> Option<BlockId> {
        while self.oldest_slot < self.next_slot {
            let id = self.slots[self.oldest_slot];
            if id != EMPTY {
                return Some(id);
            }
            self.oldest_slot += 1;
        }
        None
    }

    /// The block with the largest hash.
    pub(crate) fn largest_hash(&self) -> Option<BlockId> {
        self.heap.largest()
    }

    /// Gives weight to blocks with a hash below `limit`, and to no others.
    pub(crate) fn weigh_below(&mut self, limit: u64) {
        self.weighs_below = limit;
        self.pack();
    }

    /// Sum of the squared charges over the sum of charges, of all blocks: the mean size of the block that a byte lies in.
    pub(crate) fn size_of_a_bytes_block(&self) -> f64 {
        let (mut sum, mut squares) = (0.0, 0.0);
        for id in &self.slots[..self.next_slot] {
            if *id != EMPTY {
                let charge = f64::from(self.blocks[*id as usize].charge_bytes);
                sum += charge;
                squares += charge * charge;
            }
        }
        if sum > 0.0 { squares / sum } else { 0.0 }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.blocks.capacity() * size_of::<Block>()
            + self.free.capacity() * size_of::<BlockId>()
            + size_of_val(&*self.slots)
            + self.index.memory_bytes()
            + self.heap.memory_bytes()
            + self.bytes.memory_bytes()
    }

    #[inline]
    fn weight(&self, id: BlockId) -> u64 {
        let block = &self.blocks[id as usize];
        if block.hash < self.weighs_below {
            u64::from(block.charge_bytes)
        } else {
            0
        }
    }

    #[inline]
    fn vacate(&mut self, id: BlockId) {
        let slot = self.blocks[id as usize].slot as usize;
        let weight = self.weight(id);
        self.slots[slot] = EMPTY;
        self.bytes.subtract(slot, weight);
        self.total_bytes -= weight;
    }

    #[inline]
    fn occupy(&mut self, id: BlockId) {
        let slot = self.next_slot;
        self.next_slot += 1;
        let weight = self.weight(id);
        self.blocks[id as usize].slot = slot as u32;
        self.slots[slot] = id;
        self.bytes.add(slot, weight);
        self.total_bytes += weight;
    }

    /// Moves all blocks to the first slots, in order, and weighs them anew.
    fn pack(&mut self) {
        let mut taken = 0;
        for slot in self.oldest_slot..self.next_slot {
            let id = self.slots[slot];
            if id != EMPTY {
                self.slots[taken] = id;
                self.blocks[id as usize].slot = taken as u32;
                taken += 1;
            }
        }
        self.slots[taken..].fill(EMPTY);
        self.next_slot = taken;
        self.oldest_slot = 0;
        let (blocks, limit) = (&self.blocks, self.weighs_below);
        let weights = self.slots[..taken].iter().map(|id| {
            let block = &blocks[*id as usize];
            if block.hash < limit {
                u64::from(block.charge_bytes)
            } else {
                0
            }
        });
        self.bytes.refill(weights);
        self.total_bytes = self.bytes.prefix(self.slots.len() - 1);
    }
}

/// A block of more than 4 GiB does not exist; if one is claimed, it counts as 4 GiB.
fn saturate(charge_bytes: u64) -> u32 {
    u32::try_from(charge_bytes).unwrap_or(u32::MAX)
}
