//! What lies where in the sampled stack: bytes, how uncertain they are, and in blocks of which size.

use crate::pool;
use crate::stack::BlockStack;
use crate::strata::{SIZES, size_class_of};

/// Blocks of one class of sizes above some depth.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SizeAbove {
    pub(crate) blocks: f64,
    pub(crate) bytes: f64,
    pub(crate) square_bytes: f64,
}

/// The stack at one moment, from its top downwards.
#[derive(Debug, Clone)]
pub(crate) struct StackProfile {
    /// Bytes down to and including each sampled block, ascending.
    depths: Vec<f64>,
    /// Variance of those bytes.
    variances: Vec<f64>,
    /// Charge of each, and how many it stands for.
    blocks: Vec<(f64, f64)>,
    /// What the last look-up left each as; see [`crate::pool`].
    origins: Vec<usize>,
}

// === impl StackProfile ===

impl StackProfile {
    pub(crate) fn of(stack: &BlockStack) -> Self {
        let mut profile = Self {
            depths: Vec::with_capacity(stack.len()),
            variances: Vec::with_capacity(stack.len()),
            blocks: Vec::with_capacity(stack.len()),
            origins: Vec::with_capacity(stack.len()),
        };
        let (mut depth, mut variance) = (0.0, 0.0);
        for (block, stands_for) in stack.by_recency() {
            let charge = f64::from(block.charge_bytes);
            depth += charge * stands_for;
            variance += charge * charge * (stands_for * (stands_for - 1.0)).max(0.0);
            profile.depths.push(depth);
            profile.variances.push(variance);
            profile.blocks.push((charge, stands_for));
            profile
                .origins
                .push(pool::origin_of(block.last_bin, block.high_priority));
        }
        profile
    }

    /// Variance of the bytes down to a depth.
    pub(crate) fn variance(&self, depth_bytes: f64) -> f64 {
        let i = self.depths.partition_point(|d| *d <= depth_bytes);
        let (from, start) = match i.checked_sub(1) {
            Some(before) => (self.variances[before], self.depths[before]),
            None => (0.0, 0.0),
        };
        let Some(&to) = self.variances.get(i) else {
            return from;
        };
        from + (to - from) * (depth_bytes - start) / (self.depths[i] - start)
    }

    /// Standard error of a depth. Of the variance of all bytes the share `told` is explained by what was counted, which reduces that of
    /// the bytes within.
    pub(crate) fn axis_error(&self, depth_bytes: f64, told: f64) -> f64 {
        let variance = self.variance(depth_bytes);
        let all = self.variances.last().copied().unwrap_or(0.0);
        let reduced = if all > 0.0 {
            variance - told * variance * variance / all
        } else {
            variance
        };
        reduced.max(0.0).sqrt()
    }

    /// Sizes of the sampled blocks of a class.
    pub(crate) fn sizes(&self, class: usize) -> Vec<f64> {
        let charges = self.blocks.iter().map(|(charge, _)| *charge);
        charges
            .filter(|c| size_class_of(*c as u64) == class)
            .collect()
    }

    /// Depth, bytes and origin of each sampled block, from the top.
    pub(crate) fn for_each(&self, mut take: impl FnMut(f64, f64, usize)) {
        for ((depth, (charge, stands_for)), origin) in
            self.depths.iter().zip(&self.blocks).zip(&self.origins)
        {
            take(*depth, charge * stands_for, *origin);
        }
    }

    /// What lies above each of some ascending depths, by class of sizes.
    pub(crate) fn above(&self, depths_bytes: &[f64]) -> Vec<[SizeAbove; SIZES]> {
        let mut sums = [SizeAbove::default(); SIZES];
        let mut next = 0;
        let mut above = Vec::with_capacity(depths_bytes.len());
        for depth in depths_bytes {
            while next < self.blocks.len() && self.depths[next] <= *depth {
                let (charge, stands_for) = self.blocks[next];
                let sum = &mut sums[size_class_of(charge as u64)];
                sum.blocks += stands_for;
                sum.bytes += charge * stands_for;
                sum.square_bytes += charge * charge * stands_for;
                next += 1;
            }
            above.push(sums);
        }
        above
    }
}
