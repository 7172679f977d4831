//! Which queries there are, and which Flink SQL cannot express: the SQL files say so themselves.

const UNSUPPORTED: &str = "-- unsupported: ";

macro_rules! scripts {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../src/main/resources/sql/", $name, ".sql")))),*]
    };
}

/// Nexmark's own.
static NEXMARK: &[(&str, &str)] = scripts!(
    "q0" "q1" "q2" "q3" "q4" "q5" "q6" "q7" "q8" "q9" "q10" "q11" "q12" "q13" "q14" "q15" "q16" "q17" "q18" "q19" "q20" "q21" "q22" "q23"
);

/// Patterns over the bids of a person on an auction: MATCH_RECOGNIZE.
static PATTERNS: &[(&str, &str)] = scripts!("cep0" "cep1" "cep2" "cep3");

/// What may be asked for, for messages.
pub(crate) const KNOWN: &str =
    "q0 to q23, cep0 to cep3, and all, oa or cep for all of them, the first or the second";

/// Those that a name stands for: one, or a category; nothing for an unknown name.
pub(crate) fn named(name: &str) -> Vec<String> {
    all()
        .filter(|(query, _)| match name {
            "all" => true,
            "oa" => query.starts_with('q'),
            "cep" => query.starts_with("cep"),
            _ => *query == name,
        })
        .map(|(query, _)| (*query).to_owned())
        .collect()
}

/// q0 to q23, then cep0 to cep3.
pub(crate) fn names() -> Vec<String> {
    named("all")
}

/// Why Flink SQL cannot express a query; `None` if it can.
pub(crate) fn unsupported(name: &str) -> Option<&'static str> {
    let (_, script) = all().find(|(query, _)| *query == name)?;
    script
        .lines()
        .find_map(|line| line.strip_prefix(UNSUPPORTED))
}

fn all() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    NEXMARK.iter().chain(PATTERNS)
}

#[cfg(test)]
mod tests {
    use super::{named, names, unsupported};

    #[test]
    fn all_but_the_sixth_can_be_run() {
        let mut supported = names();
        assert_eq!(supported.len(), 28);
        supported.retain(|name| unsupported(name).is_none());
        assert_eq!(supported.len(), 27);
        assert!(unsupported("q6").is_some_and(|why| why.starts_with("the mean runs over rows")));
        assert_eq!(unsupported("q20"), None);
    }

    #[test]
    fn a_category_stands_for_its_queries() {
        assert_eq!(named("oa").len(), 24);
        assert_eq!(named("cep"), ["cep0", "cep1", "cep2", "cep3"]);
        assert_eq!(named("q7"), ["q7"]);
        assert_eq!(named("q24"), [""; 0]);
    }
}
