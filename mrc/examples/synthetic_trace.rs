//! Writes a synthetic trace of block look-ups as libCacheSim's `oracleGeneral`, the same for the same arguments.
//!
//! ```text
//! cargo run --release -p weir-mrc --example synthetic_trace -- zipf0.99 12345 10000000 out.bin
//! ```
//!
//! Shapes, in blocks of 3 to 5.2 KB: `zipf0.99`, `zipf0.6` and `uniform` over 1,000,000 blocks; `loopmix`, 70 % Zipf 0.8 over 500,000
//! and 30 % a scan round other 500,000; `lsm`, Zipf 0.9 over 500 files of 2,000 blocks, of which one is rewritten under new names every
//! 20,000 accesses; `rdb`, 64 files, where a get probes three filters (600 to 900 KB), an index (300 to 500 KB) and a data block;
//! `doubles`, `halves` and `moves`: uniform over a working set that does so when four fifths have passed.
//!
//! With a capacity in bytes, the trace is written as CSV with the outcomes of an LRU cache of that size.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};

use weir_mrc::simulator::BlockCache;
use weir_mrc::trace::TraceAccess;
use weir_mrc::trace::csv::CsvWriter;
use weir_mrc::trace::oracle_general::OracleGeneralWriter;
use weir_mrc::{Access, CacheShape, Outcome, hash_key_seeded};

const BLOCKS: u64 = 1_000_000;
const USAGE: &str = "usage: synthetic_trace SHAPE SEED ACCESSES FILE [CAPACITY]; shapes: zipf0.99, zipf0.6, uniform, loopmix, lsm, rdb, doubles, halves, moves";

/// A stream of numbers that look random: hashes of a counter.
struct Random {
    seed: u64,
    drawn: u64,
}

/// Zipf's law over `0..n`: the inverse of its cumulative distribution.
struct Zipf(Vec<f64>);

/// What makes a trace.
enum Shape {
    Zipf(Zipf),
    Uniform,
    LoopMix {
        law: Zipf,
        scanned: u64,
    },
    Lsm {
        law: Zipf,
        names: Vec<u64>,
        accesses: u64,
    },
    Rdb {
        law: Zipf,
        pending: Vec<(u64, u64)>,
    },
    Change {
        before: std::ops::Range<u64>,
        after: std::ops::Range<u64>,
        left: u64,
    },
}

// === impl Random ===

impl Random {
    fn unit(&mut self) -> f64 {
        self.drawn += 1;
        let bits = hash_key_seeded(&self.drawn.to_le_bytes(), self.seed);
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn within(&mut self, range: &std::ops::Range<u64>) -> u64 {
        range.start + (self.unit() * (range.end - range.start) as f64) as u64
    }
}

// === impl Zipf ===

impl Zipf {
    fn new(n: u64, exponent: f64) -> Self {
        let mut sum = 0.0;
        let cumulative = (1..=n).map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        });
        Self(cumulative.collect())
    }

    fn rank(&self, random: &mut Random) -> u64 {
        let drawn = random.unit() * self.0.last().copied().unwrap_or(0.0);
        self.0.partition_point(|c| *c <= drawn) as u64
    }
}

// === impl Shape ===

impl Shape {
    fn from_name(name: &str, accesses: u64) -> Option<Self> {
        let change = |before, after| Self::Change {
            before,
            after,
            left: accesses / 5 * 4,
        };
        Some(match name {
            "zipf0.99" => Self::Zipf(Zipf::new(BLOCKS, 0.99)),
            "zipf0.6" => Self::Zipf(Zipf::new(BLOCKS, 0.6)),
            "uniform" => Self::Uniform,
            "loopmix" => Self::LoopMix {
                law: Zipf::new(BLOCKS / 2, 0.8),
                scanned: 0,
            },
            "lsm" => Self::Lsm {
                law: Zipf::new(BLOCKS, 0.9),
                names: (0..500).collect(),
                accesses: 0,
            },
            "rdb" => Self::Rdb {
                law: Zipf::new(BLOCKS, 0.8),
                pending: Vec::new(),
            },
            "doubles" => change(0..BLOCKS / 20, 0..BLOCKS / 10),
            "halves" => change(0..BLOCKS / 10, 0..BLOCKS / 20),
            "moves" => change(0..BLOCKS / 20, BLOCKS / 2..BLOCKS / 20 * 11),
            _ => return None,
        })
    }

    /// Key and size of the next block.
    fn next(&mut self, random: &mut Random) -> (u64, u64) {
        match self {
            Self::Zipf(law) => sized(law.rank(random)),
            Self::Uniform => sized(random.within(&(0..BLOCKS))),
            Self::LoopMix { law, scanned } => {
                if random.unit() < 0.7 {
                    return sized(law.rank(random));
                }
                *scanned = (*scanned + 1) % (BLOCKS / 2);
                sized(BLOCKS / 2 + *scanned)
            }
            Self::Lsm {
                law,
                names,
                accesses,
            } => {
                *accesses += 1;
                if *accesses % 20_000 == 0 {
                    let file = random.within(&(0..names.len() as u64));
                    names[file as usize] = names.len() as u64 + *accesses / 20_000;
                }
                let place = scattered(law.rank(random), BLOCKS);
                let (file, block) = (place / 2_000, place % 2_000);
                sized(names[file as usize] * 2_000 + block)
            }
            Self::Rdb { law, pending } => {
                if pending.is_empty() {
                    // Popular keys lie anywhere: rank and place have nothing to do with each other.
                    let place = scattered(law.rank(random), BLOCKS);
                    let file = place / (BLOCKS / 64 + 1);
                    pending.push(sized(place));
                    pending.push(large(1_000 + file, 300_000..500_000));
                    // The key may lie in two levels above: their filters say that it does not.
                    for level in [file, (file + 21) % 64, (file + 42) % 64] {
                        pending.push(large(2_000 + level, 600_000..900_000));
                    }
                }
                pending.pop().unwrap_or((0, 4096))
            }
            Self::Change {
                before,
                after,
                left,
            } => {
                let now = if *left > 0 { &*before } else { &*after };
                let block = random.within(now);
                *left = left.saturating_sub(1);
                sized(block)
            }
        }
    }
}

/// A block of 3 to 5.2 KB, which is a data block's.
fn sized(block: u64) -> (u64, u64) {
    (block, 3_000 + fixed(block, 2_200))
}

/// An index or filter block, whose key no data block has.
fn large(block: u64, sizes: std::ops::Range<u64>) -> (u64, u64) {
    let key = u64::MAX - block;
    (key, sizes.start + fixed(key, sizes.end - sizes.start))
}

/// A number below the limit that belongs to the key for ever.
fn fixed(key: u64, limit: u64) -> u64 {
    hash_key_seeded(&key.to_le_bytes(), 77) % limit
}

/// Another place below `n`, a different one for each; `n` is a million, with which the factor has no divisor in common.
fn scattered(rank: u64, n: u64) -> u64 {
    rank * 618_033_989 % n
}

/// Writes the accesses, with what a cache of this size answers: CSV.
fn write_with_outcomes(
    file: &str,
    capacity_bytes: u64,
    accesses: impl Iterator<Item = TraceAccess>,
) -> Result<(), Box<dyn Error>> {
    let mut cache = BlockCache::new(capacity_bytes, CacheShape::IDEAL);
    let mut writer = CsvWriter::new(BufWriter::new(File::create(file)?));
    for access in accesses {
        let outcome = cache.access(&Access {
            hash: hash_key_seeded(&access.key.to_le_bytes(), 0),
            charge_bytes: access.size_bytes,
            outcome: Outcome::Unknown,
            inserts: true,
            counted: true,
            high_priority: false,
        });
        writer.write(&TraceAccess {
            outcome: Some(outcome),
            ..access
        })?;
    }
    Ok(writer.into_inner().flush()?)
}

fn write(file: &str, accesses: impl Iterator<Item = TraceAccess>) -> Result<(), Box<dyn Error>> {
    let output = BufWriter::with_capacity(1 << 20, File::create(file)?);
    let mut writer = OracleGeneralWriter::new(output);
    for access in accesses {
        writer.write(&access)?;
    }
    Ok(writer.into_inner().flush()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [shape, seed, count, file, capacity @ ..] = &arguments[..] else {
        return Err(USAGE.into());
    };
    let count: u64 = count.parse()?;
    let mut shape = Shape::from_name(shape, count).ok_or(USAGE)?;
    let mut random = Random {
        seed: seed.parse()?,
        drawn: 0,
    };
    let accesses = (0..count).map(|_| {
        let (key, size_bytes) = shape.next(&mut random);
        TraceAccess::new(key, size_bytes)
    });
    match capacity {
        [] => write(file, accesses),
        [capacity_bytes] => write_with_outcomes(file, capacity_bytes.parse()?, accesses),
        _ => Err(USAGE.into()),
    }
}
