//! `mrc.bin`, the form in which `online_mrc` keeps curves: read to be held beside ours, written for programs that read no other.
//!
//! ```text
//! u64 bins, u64 objects in a bin        (older versions: not there)
//! u64 objects, f64 miss ratio           as often as the miss ratio changes, the first for 0 objects
//! ```
//!
//! All little-endian, nothing else in the file. Sizes are objects, so that the size of a block has to be given. Layout:
//! `src/lib/miss_rate_curve/miss_rate_curve.c` of <https://github.com/thedavidchu/online_mrc>, whose reader takes bins of one object
//! only for what they are and wants a miss ratio of 1 for 0 objects. So that is how it is written.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

const ENTRY: usize = 16;
/// Larger files are no curve.
const LARGEST: u64 = 1 << 30;

/// A curve whose sizes are blocks.
#[derive(Debug, PartialEq)]
pub struct BlockCurve {
    /// Objects, growing from 0, and the miss ratio from there on.
    entries: Vec<(u64, f64)>,
}

// === impl BlockCurve ===

impl BlockCurve {
    /// Of sizes in bytes and their miss ratios, if a block has `block_bytes`, which is not zero. Of sizes with as many whole blocks the
    /// largest counts.
    pub fn of(sizes: impl IntoIterator<Item = (u64, f64)>, block_bytes: u64) -> Self {
        let mut sizes: Vec<(u64, f64)> = sizes.into_iter().collect();
        sizes.sort_unstable_by_key(|(bytes, _)| *bytes);
        let mut entries = vec![(0, 1.0)];
        for (bytes, ratio) in sizes {
            let objects = bytes / block_bytes;
            match entries.last_mut() {
                _ if objects == 0 => {}
                Some(last) if last.0 == objects => last.1 = ratio,
                _ => entries.push((objects, ratio)),
            }
        }
        Self { entries }
    }

    /// Writes a file.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        fs::write(path, self.bytes())
            .with_context(|| format!("cannot write curve {}", path.display()))
    }

    fn bytes(&self) -> Vec<u8> {
        let bins = self.entries.last().map_or(1, |(objects, _)| objects + 1);
        let mut bytes = Vec::with_capacity(ENTRY * (self.entries.len() + 1));
        bytes.extend(bins.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        let mut last = None;
        for (objects, ratio) in &self.entries {
            // As often as it changes.
            if last != Some(*ratio) {
                bytes.extend(objects.to_le_bytes());
                bytes.extend(ratio.to_le_bytes());
            }
            last = Some(*ratio);
        }
        bytes
    }

    /// Reads a file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let length = fs::metadata(path)
            .with_context(|| format!("cannot open curve {name}"))?
            .len();
        if length > LARGEST {
            bail!("{name}: {length} bytes; an mrc.bin has {LARGEST} at most");
        }
        let bytes = fs::read(path).with_context(|| format!("cannot read curve {name}"))?;
        Self::parse(&bytes).with_context(|| format!("{name}: not an mrc.bin"))
    }

    fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        if bytes.is_empty() || !bytes.len().is_multiple_of(ENTRY) {
            bail!(
                "{} bytes; expected entries of {ENTRY}, and one at least",
                bytes.len()
            );
        }
        let entry = |at: usize| {
            let word = |from: usize| {
                let bytes = bytes[from..from + 8].iter().rev();
                bytes.fold(0_u64, |word, byte| word << 8 | u64::from(*byte))
            };
            (word(at), f64::from_bits(word(at + 8)))
        };
        // A curve has a first bin; a size of 0 objects comes first only where there is no head.
        let head = if entry(0).0 == 0 { 0 } else { ENTRY };
        let entries: Vec<(u64, f64)> = (head..bytes.len()).step_by(ENTRY).map(entry).collect();
        match entries.first() {
            Some((0, _)) => {}
            Some((objects, _)) => bail!("begins at {objects} objects; expected 0"),
            None => bail!("a head without entries"),
        }
        for (place, (objects, ratio)) in entries.iter().enumerate() {
            if !(0.0..=1.0).contains(ratio) {
                bail!("entry {}: {ratio} is no miss ratio", place + 1);
            }
            if place > 0 && *objects <= entries[place - 1].0 {
                bail!(
                    "entry {}: {objects} objects after as many or more",
                    place + 1
                );
            }
        }
        Ok(Self { entries })
    }

    /// The miss ratio of a cache of so many bytes, if a block has `block_bytes`, which is not zero.
    #[must_use]
    pub fn at(&self, bytes: u64, block_bytes: u64) -> f64 {
        let objects = bytes / block_bytes;
        let after = self.entries.partition_point(|(from, _)| *from <= objects);
        self.entries[after.saturating_sub(1)].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(head: Option<(u64, u64)>, entries: &[(u64, f64)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some((bins, size)) = head {
            bytes.extend(bins.to_le_bytes());
            bytes.extend(size.to_le_bytes());
        }
        for (objects, ratio) in entries {
            bytes.extend(objects.to_le_bytes());
            bytes.extend(ratio.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn both_layouts_are_read_as_steps() {
        let entries = [(0, 1.0), (10, 0.5), (30, 0.25)];
        let with_head = BlockCurve::parse(&file(Some((31, 10)), &entries)).unwrap();
        assert_eq!(with_head, BlockCurve::parse(&file(None, &entries)).unwrap());
        for (bytes, ratio) in [
            (0, 1.0),
            (999, 1.0),
            (1000, 0.5),
            (2999, 0.5),
            (u64::MAX, 0.25),
        ] {
            assert_eq!(with_head.at(bytes, 100), ratio, "{bytes}");
        }
    }

    #[test]
    fn what_was_written_is_read_again() {
        let sizes = [
            (250, 0.5),
            (99, 0.9),
            (100, 0.75),
            (199, 0.75),
            (1000, 0.5),
            (1099, 0.25),
        ];
        let curve = BlockCurve::of(sizes, 100);
        let expected = [(0, 1.0), (1, 0.75), (2, 0.5), (10, 0.25)];
        assert_eq!(curve.entries, expected);
        let bytes = curve.bytes();
        assert_eq!(bytes, file(Some((11, 1)), &expected));
        assert_eq!(BlockCurve::parse(&bytes).unwrap(), curve);
        let flat = BlockCurve::of([(100, 0.5), (200, 0.5), (300, 0.5)], 100);
        assert_eq!(flat.bytes(), file(Some((4, 1)), &[(0, 1.0), (1, 0.5)]));
    }

    #[test]
    fn what_is_no_curve_is_refused() {
        for (bytes, says) in [
            (vec![], "0 bytes"),
            (vec![0; 17], "17 bytes"),
            (file(Some((1, 1)), &[]), "a head without"),
            (file(Some((2, 1)), &[(3, 1.0)]), "begins at 3"),
            (file(None, &[(0, 1.5)]), "entry 1: 1.5"),
            (file(None, &[(0, f64::NAN)]), "NaN"),
            (file(None, &[(0, 1.0), (2, 0.5), (2, 0.4)]), "entry 3: 2"),
        ] {
            let error = BlockCurve::parse(&bytes).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
