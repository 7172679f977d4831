//! `weir mrc`: its arguments and what they mean.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use clap::{ArgGroup, Args, ValueEnum};
use weir_mrc::trace::BlockRole;
use weir_mrc::{CacheShape, EstimatorConfig, FirstTouch};

use super::grid::Grid;
use super::input::TraceFormat;
use super::plot::PlotFile;
use crate::{Failure, duration, size};

/// More samples take gigabytes, and are no better than `--exact`.
const MOST_SAMPLES: usize = 1 << 24;

/// Arguments of `weir mrc`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("in_blocks").args(["beside", "write_mrc"]).multiple(true)))]
pub struct MrcArgs {
    /// The trace; `-` is standard input.
    pub trace: PathBuf,
    /// Format of the trace [default: found out from how the trace begins, else from its name].
    #[arg(long, value_enum)]
    pub format: Option<TraceFormat>,
    /// Blocks in the sample: memory and precision.
    #[arg(long, value_name = "N", default_value_t = EstimatorConfig::SAMPLES)]
    pub samples: usize,
    /// Chooses which blocks are sampled.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Also compute the exact curve; takes memory and time in proportion to the trace.
    #[arg(long)]
    pub exact: bool,
    /// Cache sizes: `lin:N`, evenly spaced up to the working set; `log:N`, a constant factor apart from a 128th of the working set to
    /// all of it; or sizes parted by commas, such as `16MiB,64MiB`. The working set is estimated, or exact with --exact.
    #[arg(long, value_name = "GRID", default_value = "log:15", value_parser = Grid::parse)]
    pub grid: Grid,
    /// Whose look-ups count: users' (get, multi-get, iterator) or everybody's. Those of others still move blocks; compactions never
    /// insert any.
    #[arg(long, value_enum, default_value = "user")]
    pub callers: Callers,
    /// Roles of blocks that the cache holds, parted by commas: `data`, `index`, `filter`, `other` [default: all].
    #[arg(long, value_name = "ROLES", value_parser = parse_role, value_delimiter = ',')]
    pub roles: Vec<BlockRole>,
    /// Shards of the cache; 1 is one ideal LRU list, RocksDB has 64 by default from 32 MiB on.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub shards: u32,
    /// Share of the cache that is its high-priority pool; 0 is one ideal LRU list, Flink has 0.1, RocksDB 0.5.
    #[arg(long, value_name = "RATIO", default_value_t = 0.0, value_parser = parse_ratio)]
    pub high_pri_ratio: f64,
    /// Age at which an access counts half: a time such as `10min`, if the trace has times, or a number of accesses such as `100000`
    /// [default: all count alike].
    #[arg(long, value_name = "AGE", value_parser = HalfLife::parse)]
    pub half_life: Option<HalfLife>,
    /// What the first use of a block is: a miss at every size, as offline curves have it; or censored, which says only what the
    /// trace's outcome says.
    #[arg(long, value_enum, default_value = "miss")]
    pub cold: Cold,
    /// Marks this size, such as `256MiB`. It is also the size of the cache that the outcomes in the trace come from, where it has any.
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub capacity: Option<u64>,
    /// Hold a curve of online_mrc's beside ours, an `mrc.bin`: a column, and how far the two are apart.
    #[arg(long, value_name = "FILE", requires = "block_bytes")]
    pub beside: Option<PathBuf>,
    /// Write the curve into this file as online_mrc does, an `mrc.bin`, at the sizes of --grid in whole blocks: the exact curve with
    /// --exact. `--grid lin:1000` makes it a fine one.
    #[arg(long, value_name = "FILE", requires = "block_bytes")]
    pub write_mrc: Option<PathBuf>,
    /// Size of a block in these curves, whose sizes are blocks: 3108, or 4KiB.
    #[arg(long, value_name = "SIZE", value_parser = block_size, requires = "in_blocks")]
    pub block_bytes: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Draw the curve into this file, `.svg` or `.png`.
    #[arg(long, value_name = "FILE", value_parser = PlotFile::parse)]
    pub plot: Option<PlotFile>,
}

/// Whose look-ups count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Callers {
    /// Users'.
    User,
    /// Everybody's.
    All,
}

/// What the first use of a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cold {
    /// A miss at every size.
    Miss,
    /// Not known, but for its outcome.
    Censored,
}

/// Age at which an access counts half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HalfLife {
    /// By the times in the trace.
    Time(Duration),
    /// By the accesses since.
    Accesses(u64),
}

// === impl MrcArgs ===

impl MrcArgs {
    /// Checks what only shows when arguments are taken together.
    pub fn check(&self) -> Result<(), Failure> {
        if !(1..=MOST_SAMPLES).contains(&self.samples) {
            return Err(Failure::Usage(anyhow!(
                "samples: {} of them; write 1 to {MOST_SAMPLES}, such as {}",
                self.samples,
                EstimatorConfig::SAMPLES
            )));
        }
        Ok(())
    }

    /// The cache whose curve it is.
    #[must_use]
    pub fn shape(&self) -> CacheShape {
        CacheShape {
            shards: self.shards,
            high_pri_ratio: self.high_pri_ratio,
        }
    }

    /// The estimator that is asked for.
    #[must_use]
    pub fn estimator(&self) -> EstimatorConfig {
        EstimatorConfig {
            half_life: self.half_life.map(HalfLife::as_duration),
            first_touch: self.cold.first_touch(),
            ..EstimatorConfig::offline(self.samples)
        }
    }

    /// Whether blocks of this role are in the cache.
    #[must_use]
    pub fn has_role(&self, role: BlockRole) -> bool {
        self.roles.is_empty() || self.roles.contains(&role)
    }
}

// === impl Cold ===

impl Cold {
    fn first_touch(self) -> FirstTouch {
        match self {
            Self::Miss => FirstTouch::Miss,
            Self::Censored => FirstTouch::Censored,
        }
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Miss => "miss",
            Self::Censored => "censored",
        }
    }
}

// === impl HalfLife ===

impl HalfLife {
    fn parse(text: &str) -> Result<Self, String> {
        let half_life = match text.trim().parse::<u64>() {
            Ok(accesses) => Self::Accesses(accesses),
            Err(_) => Self::Time(
                duration::parse(text).map_err(|e| format!("{e}; or a number of accesses"))?,
            ),
        };
        if half_life.as_duration().is_zero() {
            return Err("must be longer than zero".to_owned());
        }
        Ok(half_life)
    }

    /// An access counts as a microsecond.
    #[must_use]
    pub fn as_duration(self) -> Duration {
        match self {
            Self::Time(time) => time,
            Self::Accesses(accesses) => Duration::from_micros(accesses),
        }
    }
}

fn block_size(text: &str) -> Result<u64, String> {
    match size::parse(text)? {
        0 => Err("a block has one byte at least".to_owned()),
        bytes => Ok(bytes),
    }
}

fn parse_role(text: &str) -> Result<BlockRole, String> {
    BlockRole::from_name(text.trim())
        .ok_or_else(|| format!("`{text}` is not a role; write data, index, filter or other"))
}

fn parse_ratio(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err(format!(
            "`{text}` is not a share; write 0 to 1, such as 0.5"
        )),
    }
}
