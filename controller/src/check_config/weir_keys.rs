//! Weir's own keys in Flink's configuration, and what their values must be. The factory in the JAR has the last word; a test holds this list
//! against its table in docs/configure.md.

use std::path::Path;

use weir_rocksdb_options::BUILT_IN_PROFILES;

use super::flink_units;

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct WeirKey {
    /// Its name.
    pub name: &'static str,
    /// What a value must be, in words.
    pub expected: &'static str,
    accepts: fn(&str) -> bool,
}

/// `weir.memory.mode`.
pub const MODE: &str = "weir.memory.mode";
/// `weir.memory.budget`.
pub const BUDGET: &str = "weir.memory.budget";
/// `weir.memory.write-buffer-ratio`.
pub const WRITE_BUFFER_RATIO: &str = "weir.memory.write-buffer-ratio";
/// `weir.options.profile`.
pub const PROFILE: &str = "weir.options.profile";

/// All of them.
pub const ALL: [WeirKey; 11] = [
    key("weir.enabled", "true or false", is_bool),
    key(MODE, "one of observe, shared, per-operator", |t| {
        ["observe", "shared", "per-operator"].contains(&t)
    }),
    key(BUDGET, "a size greater than 0, such as 512m", |t| {
        flink_units::size(t).is_some_and(|b| b > 0)
    }),
    key(
        WRITE_BUFFER_RATIO,
        "a number between 0 and 1, both excluded",
        |t| t.parse::<f64>().is_ok_and(|r| r > 0.0 && r < 1.0),
    ),
    key(
        PROFILE,
        "a built-in profile (`weir options list`) or the absolute path of a file",
        |t| BUILT_IN_PROFILES.contains(&t) || Path::new(t).is_absolute(),
    ),
    key(
        "weir.mrc.samples",
        "a whole number from 64 to 1048576",
        |t| t.parse::<u32>().is_ok_and(|n| (64..=1 << 20).contains(&n)),
    ),
    key(
        "weir.mrc.half-life",
        "a duration of at least 1 s, such as 10 min",
        // Flink 2 reads ISO 8601 too; whether it is long enough is for it to say.
        |t| t.starts_with('P') || flink_units::duration(t).is_some_and(|d| d.as_secs() >= 1),
    ),
    key(
        "weir.http.port",
        "a port or a range of ports, such as 9260-9299",
        is_port_range,
    ),
    key("weir.http.bind-host", "a host name or an address", |t| {
        !t.trim().is_empty()
    }),
    key("weir.http.token-file", "an absolute path", |t| {
        Path::new(t).is_absolute()
    }),
    key(
        "weir.controller.url",
        "a URL such as http://controller:9240",
        |t| crate::settings::base_url(t).is_ok(),
    ),
];

const fn key(name: &'static str, expected: &'static str, accepts: fn(&str) -> bool) -> WeirKey {
    WeirKey {
        name,
        expected,
        accepts,
    }
}

// === impl WeirKey ===

impl WeirKey {
    /// The key of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|key| key.name == name)
    }

    /// The name nearest to one that is none.
    #[must_use]
    pub fn nearest(name: &str) -> &'static str {
        let nearest = ALL
            .iter()
            .min_by_key(|key| strsim::damerau_levenshtein(key.name, name));
        nearest.map_or("", |key| key.name)
    }

    /// Whether the value is usable.
    #[must_use]
    pub fn accepts(&self, text: &str) -> bool {
        (self.accepts)(text)
    }
}

fn is_bool(text: &str) -> bool {
    ["true", "false"].contains(&text.to_ascii_lowercase().as_str())
}

fn is_port_range(text: &str) -> bool {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) => first >= 1 && first <= last,
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
mod tests {
    use super::*;

    /// The table there is made from the factory's own keys, with their defaults.
    #[test]
    fn the_list_is_the_factorys() {
        let page = include_str!("../../../docs/configure.md");
        let rows = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `weir.")?.split_once("` | "))
            .map(|(name, rest)| (format!("weir.{name}"), rest.split(" | ").next().unwrap()));
        let mut count = 0;
        for (name, default) in rows {
            count += 1;
            let key = WeirKey::named(&name).unwrap_or_else(|| panic!("{name} is not in the list"));
            if let Some(value) = default.strip_prefix('`').and_then(|d| d.strip_suffix('`'))
                && !value.contains("bind-host")
            {
                assert!(key.accepts(value), "{name}: the default {value}");
            }
        }
        assert_eq!(count, ALL.len());
    }

    #[test]
    fn wrong_values_are_not_accepted() {
        for (name, text) in [
            ("weir.enabled", "perhaps"),
            ("weir.memory.mode", "per-slot"),
            ("weir.memory.budget", "512 MiB"),
            ("weir.memory.budget", "0"),
            ("weir.memory.write-buffer-ratio", "1.0"),
            ("weir.options.profile", "profiles/own.options"),
            ("weir.mrc.samples", "10"),
            ("weir.mrc.half-life", "10"),
            ("weir.http.port", "9299-9260"),
            ("weir.http.port", "0"),
            ("weir.http.token-file", "token"),
            ("weir.controller.url", "controller:9240"),
        ] {
            assert!(
                !WeirKey::named(name).unwrap().accepts(text),
                "{name}: {text}"
            );
        }
        assert_eq!(WeirKey::nearest("weir.memory.buget"), BUDGET);
    }
}
