//! A binary heap of entry numbers with the largest hash on top, from which any entry can be taken.

/// Entry numbers in heap order. The owner of the entries keeps hash and heap position of each and lends them out.
#[derive(Debug, Clone)]
pub(crate) struct HashHeap {
    heap: Vec<u32>,
}

/// What the heap needs to know of the entries.
pub(crate) trait HeapEntries {
    /// Hash of an entry.
    fn hash(&self, entry: u32) -> u64;
    /// Where the entry lies in the heap.
    fn position(&self, entry: u32) -> usize;
    /// Notes where the entry lies now.
    fn set_position(&mut self, entry: u32, position: usize);
}

// === impl HashHeap ===

impl HashHeap {
    pub(crate) fn new(entries: usize) -> Self {
        Self {
            heap: Vec::with_capacity(entries),
        }
    }

    /// The entry with the largest hash.
    pub(crate) fn largest(&self) -> Option<u32> {
        self.heap.first().copied()
    }

    pub(crate) fn push(&mut self, entry: u32, entries: &mut impl HeapEntries) {
        self.heap.push(entry);
        self.rise(self.heap.len() - 1, entries);
    }

    pub(crate) fn remove(&mut self, entry: u32, entries: &mut impl HeapEntries) {
        let position = entries.position(entry);
        debug_assert_eq!(self.heap[position], entry);
        self.heap.swap_remove(position);
        if position < self.heap.len() {
            // The former last entry may belong above or below the place it came to.
            let settled = self.rise(position, entries);
            self.sink(settled, entries);
        }
    }

    fn rise(&mut self, mut position: usize, entries: &mut impl HeapEntries) -> usize {
        let entry = self.heap[position];
        let hash = entries.hash(entry);
        while position > 0 {
            let parent = (position - 1) / 2;
            if entries.hash(self.heap[parent]) >= hash {
                break;
            }
            self.place(self.heap[parent], position, entries);
            position = parent;
        }
        self.place(entry, position, entries);
        position
    }

    fn sink(&mut self, mut position: usize, entries: &mut impl HeapEntries) {
        let entry = self.heap[position];
        let hash = entries.hash(entry);
        loop {
            let mut child = 2 * position + 1;
            if child >= self.heap.len() {
                break;
            }
            let right = child + 1;
            if right < self.heap.len()
                && entries.hash(self.heap[right]) > entries.hash(self.heap[child])
            {
                child = right;
            }
            if entries.hash(self.heap[child]) <= hash {
                break;
            }
            self.place(self.heap[child], position, entries);
            position = child;
        }
        self.place(entry, position, entries);
    }

    fn place(&mut self, entry: u32, position: usize, entries: &mut impl HeapEntries) {
        self.heap[position] = entry;
        entries.set_position(entry, position);
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.heap.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    struct Plain {
        hashes: Vec<u64>,
        positions: Vec<usize>,
    }

    impl HeapEntries for Plain {
        fn hash(&self, entry: u32) -> u64 {
            self.hashes[entry as usize]
        }
        fn position(&self, entry: u32) -> usize {
            self.positions[entry as usize]
        }
        fn set_position(&mut self, entry: u32, position: usize) {
            self.positions[entry as usize] = position;
        }
    }

    proptest! {
        #[test]
        fn the_largest_is_on_top(hashes in prop::collection::vec(0_u64..500, 40), steps in prop::collection::vec(0_u32..40, 0..200)) {
            let mut entries = Plain { positions: vec![0; hashes.len()], hashes };
            let mut heap = HashHeap::new(40);
            let mut present = BTreeSet::new();
            for entry in steps {
                let key = (entries.hash(entry), entry);
                if present.remove(&key) {
                    heap.remove(entry, &mut entries);
                } else {
                    present.insert(key);
                    heap.push(entry, &mut entries);
                }
                prop_assert_eq!(heap.largest().map(|e| entries.hash(e)), present.last().map(|(h, _)| *h));
            }
        }
    }
}
