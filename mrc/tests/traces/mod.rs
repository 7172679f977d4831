//! Synthetic traces of block look-ups, the same for the same seed.
#![allow(dead_code, reason = "every test file uses some of them")]

use weir_mrc::hash_key;

pub const MIB: u64 = 1 << 20;

/// One look-up, before any cache has answered it.
#[derive(Debug, Clone, Copy)]
pub struct Lookup {
    pub hash: u64,
    pub charge_bytes: u64,
    /// Made by a compaction: it neither inserts nor counts.
    pub compaction: bool,
}

/// A stream of numbers that look random (Steele et al., SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        (self.unit() * limit as f64) as u64
    }
}

/// Zipf's law over ranks `0..n`, by its cumulative distribution.
#[derive(Debug, Clone)]
pub struct Zipf(Vec<f64>);

impl Zipf {
    pub fn new(n: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let mut cumulative: Vec<f64> = (1..=n)
            .map(|rank| {
                sum += (rank as f64).powf(-exponent);
                sum
            })
            .collect();
        cumulative.iter_mut().for_each(|c| *c /= sum);
        Self(cumulative)
    }

    pub fn rank(&self, random: &mut Random) -> u64 {
        let u = random.unit();
        self.0.partition_point(|c| *c <= u) as u64
    }
}

/// A block of 3 to 5 KB that the task thread looks up. The seed makes the keys, and so the sample, different.
pub fn block(seed: u64, number: u64) -> Lookup {
    let mut key = [0_u8; 16];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..].copy_from_slice(&number.to_le_bytes());
    let hash = hash_key(&key);
    Lookup {
        hash,
        charge_bytes: 3_000 + Random(number ^ 77).below(2_200),
        compaction: false,
    }
}

pub fn zipf(seed: u64, blocks: usize, exponent: f64, lookups: usize) -> Vec<Lookup> {
    let law = Zipf::new(blocks, exponent);
    let mut random = Random(seed);
    (0..lookups)
        .map(|_| block(seed, law.rank(&mut random)))
        .collect()
}

pub fn uniform(seed: u64, blocks: u64, lookups: usize) -> Vec<Lookup> {
    let mut random = Random(seed);
    (0..lookups)
        .map(|_| block(seed, random.below(blocks)))
        .collect()
}

/// Seven in ten look-ups by Zipf's law, three in a scan that goes round and round other blocks.
pub fn loop_mix(seed: u64, blocks: u64, lookups: usize) -> Vec<Lookup> {
    let law = Zipf::new(blocks as usize, 0.8);
    let mut random = Random(seed);
    let mut scanned = 0;
    (0..lookups)
        .map(|_| {
            if random.unit() < 0.7 {
                block(seed, law.rank(&mut random))
            } else {
                scanned = (scanned + 1) % blocks;
                block(seed, blocks + scanned)
            }
        })
        .collect()
}

/// The shape of an LSM tree's look-ups.
#[derive(Debug, Clone, Copy)]
pub struct Lsm {
    pub files: u64,
    pub blocks_per_file: u64,
    /// Zipf's exponent of the data blocks' popularity, over all files.
    pub exponent: f64,
    /// Look-ups between two compactions; each rewrites one file under new names.
    pub compact_every: u64,
    /// Size of a file's index block, which every look-up of a data block reads first; 0: none.
    pub index_bytes: u64,
}

/// Look-ups of an LSM tree: an index block, then a data block; now and then a compaction reads a whole file, whose blocks are
/// never asked for again.
pub fn lsm(seed: u64, shape: Lsm, lookups: usize) -> Vec<Lookup> {
    let blocks = shape.files * shape.blocks_per_file;
    let law = Zipf::new(blocks as usize, shape.exponent);
    let mut random = Random(seed);
    let mut names: Vec<u64> = (0..shape.files).collect();
    let mut next_name = shape.files;
    let named = |name: u64, offset: u64| block(seed, (name << 24) + offset);
    let mut trace = Vec::with_capacity(lookups);
    let mut since = 0;
    while trace.len() < lookups {
        // Popular keys lie anywhere: rank and place are unrelated.
        let place = law.rank(&mut random).wrapping_mul(0x9e37_79b1) % blocks;
        let (file, offset) = (place / shape.blocks_per_file, place % shape.blocks_per_file);
        let name = names[file as usize];
        if shape.index_bytes > 0 {
            trace.push(Lookup {
                charge_bytes: shape.index_bytes,
                ..named(name, shape.blocks_per_file)
            });
        }
        trace.push(named(name, offset));
        since += 1;
        if since == shape.compact_every {
            since = 0;
            let file = random.below(shape.files) as usize;
            for offset in 0..shape.blocks_per_file {
                trace.push(Lookup {
                    compaction: true,
                    ..named(names[file], offset)
                });
            }
            names[file] = next_name;
            next_name += 1;
        }
    }
    trace
}
