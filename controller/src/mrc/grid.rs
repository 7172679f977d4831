//! The cache sizes at which a curve is read off.

use crate::size;

/// As many sizes as anybody can use.
const MOST_SIZES: usize = 100_000;
/// Where a logarithmic grid begins: at this part of the working set.
const LOG_SPAN: f64 = 128.0;

/// Which sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grid {
    /// So many, evenly spaced up to the working set.
    Linear(usize),
    /// So many, a constant factor apart, from a 128th of the working set up to all of it.
    Logarithmic(usize),
    /// These, in bytes.
    Sizes(Vec<u64>),
}

// === impl Grid ===

impl Grid {
    /// Reads `lin:N`, `log:N` or sizes parted by commas.
    pub fn parse(text: &str) -> Result<Self, String> {
        let count = |text: &str| match text.parse::<usize>() {
            Ok(count) if (1..=MOST_SIZES).contains(&count) => Ok(count),
            _ => Err(format!(
                "`{text}` is not a number of sizes; write 1 to {MOST_SIZES}, such as `lin:100`"
            )),
        };
        if let Some(text) = text.strip_prefix("lin:") {
            return count(text).map(Self::Linear);
        }
        if let Some(text) = text.strip_prefix("log:") {
            return count(text).map(Self::Logarithmic);
        }
        let sizes: Result<Vec<u64>, String> = text.split(',').map(size::parse).collect();
        sizes
            .map(Self::Sizes)
            .map_err(|e| format!("{e}; or write `lin:N` or `log:N`"))
    }

    /// The sizes in bytes, for a working set of this size. Those of a tiny one may repeat.
    #[must_use]
    pub fn sizes(&self, working_set_bytes: u64) -> Vec<u64> {
        let all = working_set_bytes as f64;
        let rounded = |bytes: f64| (bytes.round() as u64).max(1);
        match self {
            Self::Linear(count) => (1..=*count)
                .map(|i| rounded(all * i as f64 / *count as f64))
                .collect(),
            Self::Logarithmic(count) => (0..*count)
                .map(|i| (count - 1 - i) as f64 / (count - 1).max(1) as f64)
                .map(|below| rounded(all * LOG_SPAN.powf(-below)))
                .collect(),
            Self::Sizes(sizes) => sizes.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_end_at_the_working_set() {
        assert_eq!(
            Grid::parse("lin:4").unwrap().sizes(1_000),
            [250, 500, 750, 1_000]
        );
        assert_eq!(
            Grid::parse("log:8").unwrap().sizes(1_280),
            [10, 20, 40, 80, 160, 320, 640, 1_280]
        );
        assert_eq!(Grid::parse("log:1").unwrap().sizes(1_280), [1_280]);
        assert_eq!(
            Grid::parse("64MiB,1,4k").unwrap().sizes(5),
            [64 << 20, 1, 4096]
        );
    }

    #[test]
    fn what_is_no_grid_is_refused() {
        for text in [
            "",
            "lin:0",
            "lin:",
            "log:-1",
            "log:1000000",
            "lin",
            "1,,2",
            "1;2",
        ] {
            assert!(Grid::parse(text).is_err(), "{text}");
        }
    }
}
