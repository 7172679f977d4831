//! A Fenwick tree of byte counts: sums of prefixes and single changes, both in logarithmic time (Fenwick, 1994).

/// Byte counts at positions `0..len`, with their prefix sums.
#[derive(Debug, Clone)]
pub(crate) struct Fenwick {
    /// One-based: node `i` holds the sum of the `i & -i` positions that end at `i`; node 0 is unused.
    nodes: Box<[u64]>,
}

// === impl Fenwick ===

impl Fenwick {
    pub(crate) fn new(len: usize) -> Self {
        Self {
            nodes: vec![0; len + 1].into_boxed_slice(),
        }
    }

    #[inline]
    pub(crate) fn add(&mut self, position: usize, bytes: u64) {
        let mut node = position + 1;
        while node < self.nodes.len() {
            self.nodes[node] += bytes;
            node += node & node.wrapping_neg();
        }
    }

    #[inline]
    pub(crate) fn subtract(&mut self, position: usize, bytes: u64) {
        let mut node = position + 1;
        while node < self.nodes.len() {
            self.nodes[node] -= bytes;
            node += node & node.wrapping_neg();
        }
    }

    /// Sum of the positions up to and including `position`.
    #[inline]
    pub(crate) fn prefix(&self, position: usize) -> u64 {
        let mut node = position + 1;
        let mut sum = 0;
        while node > 0 {
            sum += self.nodes[node];
            node &= node - 1;
        }
        sum
    }

    /// Replaces all counts by those of `bytes`, the rest by zero, in linear time.
    pub(crate) fn refill(&mut self, bytes: impl Iterator<Item = u64>) {
        self.nodes.fill(0);
        for (position, count) in bytes.enumerate() {
            self.nodes[position + 1] = count;
        }
        for node in 1..self.nodes.len() {
            let parent = node + (node & node.wrapping_neg());
            if parent < self.nodes.len() {
                self.nodes[parent] += self.nodes[node];
            }
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.nodes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn prefixes_are_sums(start in prop::collection::vec(0_u64..1_000, 1..70), changes in prop::collection::vec((0_usize..70, 0_u64..1_000), 0..50)) {
            let mut plain = start.clone();
            let mut tree = Fenwick::new(start.len());
            tree.refill(start.iter().copied());
            for (position, bytes) in changes {
                let position = position % plain.len();
                let taken = plain[position].min(bytes / 2);
                tree.add(position, bytes);
                tree.subtract(position, taken);
                plain[position] = plain[position] + bytes - taken;
            }
            for position in 0..plain.len() {
                prop_assert_eq!(tree.prefix(position), plain[..=position].iter().sum::<u64>());
            }
        }
    }
}
