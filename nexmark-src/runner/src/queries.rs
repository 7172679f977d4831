//! Which queries there are, and which Flink SQL cannot express: the SQL files say so themselves.

const UNSUPPORTED: &str = "-- unsupported: ";

macro_rules! scripts {
    ($($number:literal)*) => {
        &[$(include_str!(concat!("../../src/main/resources/sql/q", $number, ".sql"))),*]
    };
}

static SCRIPTS: &[&str] = scripts!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23);

/// q0 to q23.
pub(crate) fn names() -> Vec<String> {
    (0..SCRIPTS.len())
        .map(|number| format!("q{number}"))
        .collect()
}

/// Why Flink SQL cannot express a query; `None` if it can.
pub(crate) fn unsupported(name: &str) -> Option<&'static str> {
    let number: usize = name.strip_prefix('q')?.parse().ok()?;
    let script = SCRIPTS.get(number)?;
    script
        .lines()
        .find_map(|line| line.strip_prefix(UNSUPPORTED))
}

#[cfg(test)]
mod tests {
    use super::{names, unsupported};

    #[test]
    fn all_but_the_sixth_can_be_run() {
        let mut supported = names();
        assert_eq!(supported.len(), 24);
        supported.retain(|name| unsupported(name).is_none());
        assert_eq!(supported.len(), 23);
        assert!(unsupported("q6").is_some_and(|why| why.starts_with("the mean runs over rows")));
        assert_eq!(unsupported("q20"), None);
    }
}
