//! The LRU stack of the sampled blocks: which of them were used since a given one, and how many bytes they stand for.
//!
//! Every block owns one *time slot*; a used block moves to the next free slot, so that slots are in order of recency. A Fenwick
//! tree over the slots sums the bytes of all later ones. When the slots run out, the blocks are packed to the front: linear work
//! once per as many uses as there are blocks.
//!
//! A block stands for as many blocks as the sampling rate *at its last use* says: where the rate has risen since, blocks of the
//! same time that are not in the sample are represented still.

use crate::fenwick::Fenwick;
use crate::index::Index;
use crate::strata::{CLASSES, SamplingThresholds, Strata, class_of, weight_of};

/// Marks a slot without a block.
const EMPTY: u32 = u32::MAX;

/// Number of a block in the stack, valid until it is removed.
pub(crate) type BlockId = u32;

/// A sampled block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    pub(crate) hash: u64,
    pub(crate) charge_bytes: u32,
    /// Time slot it was last used in.
    slot: u32,
    /// Tick it was last used at.
    pub(crate) tick: u32,
    /// What its look-ups have stood for so far beyond themselves, aged to `tick`.
    pub(crate) represented: f32,
    /// Sampling level it was last used at, or the present one if that samples less.
    level: u16,
    /// Bin that its first look-up was booked in.
    pub(crate) first_bin: u16,
    /// Sampling level of its first look-up.
    pub(crate) first_level: u16,
    /// Whether that bin is but a lower bound.
    pub(crate) first_censored: bool,
    /// Coarse bin of the last reuse distance; what it says of the high-priority pool is in [`crate::pool`].
    pub(crate) last_bin: u8,
    /// Inserted with high priority.
    pub(crate) high_priority: bool,
}

/// The sampled blocks, found by hash, ordered by recency.
#[derive(Debug, Clone)]
pub(crate) struct BlockStack {
    blocks: Vec<Block>,
    free: Vec<BlockId>,
    index: Index,
    /// Which block owns a time slot.
    slots: Box<[BlockId]>,
    /// Real bytes that the block in each slot stands for.
    bytes: Fenwick,
    total_bytes: u64,
    next_slot: usize,
    /// No slot before this one has a block.
    oldest_slot: usize,
    /// Slots from here on were used after the mark; see [`Self::mark`].
    marked_slot: usize,
    /// Blocks by stratum.
    class_blocks: [u32; CLASSES],
    /// Real bytes by stratum.
    class_bytes: [u64; CLASSES],
    /// Correction of every stratum's weight, as of the last packing.
    scales: [f64; CLASSES],
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
            slots: vec![EMPTY; slots].into_boxed_slice(),
            bytes: Fenwick::new(slots),
            total_bytes: 0,
            next_slot: 0,
            oldest_slot: 0,
            marked_slot: 0,
            class_blocks: [0; CLASSES],
            class_bytes: [0; CLASSES],
            scales: [1.0; CLASSES],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.blocks.len() - self.free.len()
    }

    /// Real bytes that all blocks stand for.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    pub(crate) fn class_blocks(&self) -> &[u32; CLASSES] {
        &self.class_blocks
    }

    pub(crate) fn class_bytes(&self) -> &[u64; CLASSES] {
        &self.class_bytes
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64) -> Option<BlockId> {
        let blocks = &self.blocks;
        self.index.find(hash, |id| blocks[id as usize].hash)
    }

    #[inline]
    pub(crate) fn get(&self, id: BlockId) -> &Block {
        &self.blocks[id as usize]
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: BlockId) -> &mut Block {
        &mut self.blocks[id as usize]
    }

    /// Real bytes of the blocks used more recently than this one.
    #[inline]
    pub(crate) fn bytes_above(&self, id: BlockId) -> u64 {
        self.total_bytes - self.bytes.prefix(self.blocks[id as usize].slot as usize)
    }

    /// Makes a known block the most recently used one.
    #[inline]
    pub(crate) fn touch(&mut self, id: BlockId, charge_bytes: u64, strata: &Strata, tick: u32) {
        self.vacate(id);
        let block = &mut self.blocks[id as usize];
        block.charge_bytes = saturate(charge_bytes);
        block.level = strata.level(class_of(charge_bytes));
        block.tick = tick;
        self.occupy(id);
    }

    /// Puts a block that is not in the stack on its top. There must be room.
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        charge_bytes: u64,
        strata: &Strata,
        tick: u32,
    ) -> BlockId {
        let block = Block {
            hash,
            charge_bytes: saturate(charge_bytes),
            slot: 0,
            tick,
            represented: 0.0,
            level: strata.level(class_of(charge_bytes)),
            first_bin: 0,
            first_level: 0,
            first_censored: false,
            last_bin: u8::MAX,
            high_priority: false,
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
        self.occupy(id);
        id
    }

    pub(crate) fn remove(&mut self, id: BlockId) {
        self.vacate(id);
        self.forget(id);
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

    /// The most recently used block.
    pub(crate) fn newest(&self) -> Option<BlockId> {
        let ids = self.slots[..self.next_slot].iter().rev();
        ids.copied().find(|id| *id != EMPTY)
    }

    /// Blocks by stratum that thresholds sample.
    pub(crate) fn blocks_below(&self, thresholds: &SamplingThresholds) -> [u32; CLASSES] {
        let mut blocks = [0; CLASSES];
        for id in &self.slots[self.oldest_slot..self.next_slot] {
            if *id != EMPTY {
                let block = &self.blocks[*id as usize];
                let class = class_of(u64::from(block.charge_bytes));
                blocks[class] += u32::from(block.hash < thresholds.limit(class));
            }
        }
        blocks
    }

    /// Whether the slots are used up and [`Self::pack`] is due before the next use.
    #[inline]
    pub(crate) fn is_due_to_pack(&self) -> bool {
        self.next_slot == self.slots.len()
    }

    /// All blocks, the most recently used one first, each with the number of blocks that it stands for.
    pub(crate) fn by_recency(&self) -> impl Iterator<Item = (&Block, f64)> {
        let ids = self.slots[self.oldest_slot..self.next_slot].iter().rev();
        ids.filter(|id| **id != EMPTY).map(|id| {
            let block = &self.blocks[*id as usize];
            (block, self.stands_for(block))
        })
    }

    /// Remembers the present moment.
    pub(crate) fn mark(&mut self) {
        self.marked_slot = self.next_slot;
    }

    /// Whether every block was used since the mark.
    pub(crate) fn is_newer_than_mark(&mut self) -> bool {
        self.oldest().is_none() || self.oldest_slot >= self.marked_slot
    }

    /// Real bytes of the blocks used since the mark.
    pub(crate) fn bytes_since_mark(&self) -> u64 {
        match self.marked_slot {
            0 => self.total_bytes,
            slot => self.total_bytes - self.bytes.prefix(slot - 1),
        }
    }

    /// Drops what the strata do not sample any more, and moves all other blocks to the first slots, in order, weighed anew.
    pub(crate) fn pack(&mut self, strata: &Strata, scales: [f64; CLASSES]) {
        self.scales = scales;
        self.class_blocks = [0; CLASSES];
        self.class_bytes = [0; CLASSES];
        let mut taken = 0;
        let mut marked = 0;
        for slot in self.oldest_slot..self.next_slot {
            if slot == self.marked_slot {
                marked = taken;
            }
            let id = self.slots[slot];
            if id == EMPTY {
                continue;
            }
            let block = &mut self.blocks[id as usize];
            let class = class_of(u64::from(block.charge_bytes));
            if block.hash >= strata.thresholds().limit(class) {
                self.forget(id);
                continue;
            }
            block.level = block.level.max(strata.level(class));
            block.slot = taken as u32;
            self.slots[taken] = id;
            self.class_blocks[class] += 1;
            taken += 1;
        }
        self.marked_slot = match self.marked_slot {
            slot if slot >= self.next_slot => taken,
            _ => marked,
        };
        self.slots[taken..].fill(EMPTY);
        self.next_slot = taken;
        self.oldest_slot = 0;
        let mut class_bytes = [0; CLASSES];
        let blocks = &self.blocks;
        let weigh = |id: &u32| {
            let block = &blocks[*id as usize];
            let bytes = weigh(block, &scales);
            class_bytes[class_of(u64::from(block.charge_bytes))] += bytes;
            bytes
        };
        self.bytes.refill(self.slots[..taken].iter().map(weigh));
        self.class_bytes = class_bytes;
        self.total_bytes = class_bytes.iter().sum();
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.blocks.capacity() * size_of::<Block>()
            + self.free.capacity() * size_of::<BlockId>()
            + size_of_val(&*self.slots)
            + self.index.memory_bytes()
            + self.bytes.memory_bytes()
    }

    fn stands_for(&self, block: &Block) -> f64 {
        let class = class_of(u64::from(block.charge_bytes));
        weight_of(block.level) * self.scales[class]
    }

    fn forget(&mut self, id: BlockId) {
        let blocks = &self.blocks;
        let hash = blocks[id as usize].hash;
        self.index
            .remove(hash, id, |other| blocks[other as usize].hash);
        self.free.push(id);
    }

    #[inline]
    fn vacate(&mut self, id: BlockId) {
        let block = &self.blocks[id as usize];
        let (slot, bytes) = (block.slot as usize, weigh(block, &self.scales));
        let class = class_of(u64::from(block.charge_bytes));
        self.slots[slot] = EMPTY;
        self.bytes.subtract(slot, bytes);
        self.total_bytes -= bytes;
        self.class_bytes[class] -= bytes;
        self.class_blocks[class] -= 1;
    }

    #[inline]
    fn occupy(&mut self, id: BlockId) {
        let slot = self.next_slot;
        self.next_slot += 1;
        let block = &mut self.blocks[id as usize];
        block.slot = slot as u32;
        let bytes = weigh(block, &self.scales);
        let class = class_of(u64::from(block.charge_bytes));
        self.slots[slot] = id;
        self.bytes.add(slot, bytes);
        self.total_bytes += bytes;
        self.class_bytes[class] += bytes;
        self.class_blocks[class] += 1;
    }
}

/// Real bytes that a block stands for.
#[inline]
fn weigh(block: &Block, scales: &[f64; CLASSES]) -> u64 {
    let charge = f64::from(block.charge_bytes);
    let scale = scales[class_of(u64::from(block.charge_bytes))];
    (charge * weight_of(block.level) * scale + 0.5) as u64
}

/// A block of more than 4 GiB does not exist; if one is claimed, it counts as 4 GiB.
fn saturate(charge_bytes: u64) -> u32 {
    u32::try_from(charge_bytes).unwrap_or(u32::MAX)
}
