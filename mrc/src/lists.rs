//! Doubly linked lists of blocks over one slab, for the simulated cache.

/// Marks the end of a list.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Node {
    hash: u64,
    charge_bytes: u64,
    previous: u32,
    next: u32,
    high: bool,
}

/// The blocks of all lists of a shard.
#[derive(Debug, Clone, Default)]
pub(crate) struct LinkedBlocks {
    nodes: Vec<Node>,
    free: Vec<u32>,
}

/// One list: its ends and its bytes.
#[derive(Debug, Clone)]
pub(crate) struct List {
    first: u32,
    last: u32,
    bytes: u64,
}

// === impl LinkedBlocks ===

impl LinkedBlocks {
    /// A block in no list yet.
    pub(crate) fn take(&mut self, hash: u64, charge_bytes: u64) -> u32 {
        let node = Node {
            hash,
            charge_bytes,
            previous: NONE,
            next: NONE,
            high: false,
        };
        if let Some(id) = self.free.pop() {
            self.nodes[id as usize] = node;
            id
        } else {
            self.nodes.push(node);
            (self.nodes.len() - 1) as u32
        }
    }

    /// Frees a block that is in no list any more.
    pub(crate) fn give_back(&mut self, id: u32) {
        self.free.push(id);
    }

    pub(crate) fn hash(&self, id: u32) -> u64 {
        self.nodes[id as usize].hash
    }

    pub(crate) fn is_high(&self, id: u32) -> bool {
        self.nodes[id as usize].high
    }

    /// Changes the charge of a block that is in no list.
    pub(crate) fn set_charge(&mut self, id: u32, charge_bytes: u64) {
        self.nodes[id as usize].charge_bytes = charge_bytes;
    }
}

// === impl List ===

impl List {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn last(&self) -> Option<u32> {
        (self.last != NONE).then_some(self.last)
    }

    pub(crate) fn push_front(&mut self, id: u32, high: bool, blocks: &mut LinkedBlocks) {
        let node = &mut blocks.nodes[id as usize];
        (node.previous, node.next, node.high) = (NONE, self.first, high);
        self.bytes += node.charge_bytes;
        match self.first {
            NONE => self.last = id,
            first => blocks.nodes[first as usize].previous = id,
        }
        self.first = id;
    }

    pub(crate) fn unlink(&mut self, id: u32, blocks: &mut LinkedBlocks) {
        let Node {
            previous,
            next,
            charge_bytes,
            ..
        } = blocks.nodes[id as usize];
        self.bytes -= charge_bytes;
        match previous {
            NONE => self.first = next,
            previous => blocks.nodes[previous as usize].next = next,
        }
        match next {
            NONE => self.last = previous,
            next => blocks.nodes[next as usize].previous = previous,
        }
    }
}

impl Default for List {
    fn default() -> Self {
        Self {
            first: NONE,
            last: NONE,
            bytes: 0,
        }
    }
}
