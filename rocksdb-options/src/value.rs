//! Values as people write them, turned into what RocksDB reads: `64 MiB` into `67108864`.

use crate::catalog::{Kind, Unit};

/// Turns `text` into RocksDB's notation; an error says what would be right.
pub fn normalised(kind: Kind, text: &str) -> Result<String, String> {
    match kind {
        Kind::Bool if text == "true" || text == "false" => Ok(text.to_owned()),
        Kind::Bool => Err("write true or false".to_owned()),
        Kind::Integer(unit) => integer(unit, text).map(|n| n.to_string()),
        Kind::Float => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(text.to_owned()),
            _ => Err("write a number such as 0.1".to_owned()),
        },
        Kind::Name if text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
            Ok(text.to_owned())
        }
        Kind::Name => Err("write one of RocksDB's names, such as kNoCompression".to_owned()),
        Kind::Text if text.is_empty() => Err("write a value".to_owned()),
        Kind::Text => Ok(text.to_owned()),
    }
}

/// Bytes of a size such as `3g`, `64 MiB` or `1048576`; units are powers of 1024, as Flink's.
pub fn bytes(text: &str) -> Result<i64, String> {
    integer(Unit::Bytes, text)
}

fn integer(unit: Unit, text: &str) -> Result<i64, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '-')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let example = match unit {
        Unit::Bytes => "write bytes, or a size such as 64 MiB",
        Unit::Seconds => "write seconds, or a time such as 10 min",
        Unit::Micros => "write microseconds, or a time such as 200 ms",
        Unit::Count => "write a whole number without unit",
    };
    let number: i64 = number.parse().map_err(|_| example.to_owned())?;
    let factor = factor(unit, suffix.trim()).ok_or_else(|| example.to_owned())?;
    number
        .checked_mul(factor)
        .ok_or_else(|| format!("that is more than RocksDB can hold; {example}"))
}

fn factor(unit: Unit, suffix: &str) -> Option<i64> {
    if suffix.is_empty() {
        return Some(1);
    }
    let suffix = suffix.to_ascii_lowercase();
    let table: &[(&str, i64)] = match unit {
        Unit::Bytes => match suffix.trim_end_matches('b').trim_end_matches('i') {
            "" => return (suffix == "b").then_some(1),
            "k" => return Some(1 << 10),
            "m" => return Some(1 << 20),
            "g" => return Some(1 << 30),
            "t" => return Some(1 << 40),
            _ => return None,
        },
        Unit::Seconds => &[("s", 1), ("min", 60), ("h", 3600), ("d", 86_400)],
        Unit::Micros => &[
            ("us", 1),
            ("ms", 1000),
            ("s", 1_000_000),
            ("min", 60_000_000),
        ],
        Unit::Count => &[],
    };
    table
        .iter()
        .find(|(name, _)| *name == suffix)
        .map(|(_, f)| *f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_become_numbers() {
        let bytes = Kind::Integer(Unit::Bytes);
        for (text, expected) in [
            ("64 MiB", "67108864"),
            ("2g", "2147483648"),
            ("7", "7"),
            ("1kb", "1024"),
            ("5 B", "5"),
        ] {
            assert_eq!(normalised(bytes, text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(
            normalised(Kind::Integer(Unit::Seconds), "5 min").as_deref(),
            Ok("300")
        );
        assert_eq!(
            normalised(Kind::Integer(Unit::Micros), "2ms").as_deref(),
            Ok("2000")
        );
        assert_eq!(
            normalised(Kind::Integer(Unit::Count), "-1").as_deref(),
            Ok("-1")
        );
    }

    #[test]
    fn a_wrong_unit_or_kind_is_told_what_would_be_right() {
        for (kind, text, remedy) in [
            (Kind::Integer(Unit::Bytes), "5 min", "64 MiB"),
            (Kind::Integer(Unit::Seconds), "64 MiB", "10 min"),
            (Kind::Integer(Unit::Count), "2 MiB", "without unit"),
            (Kind::Integer(Unit::Bytes), "9999999999g", "more than"),
            (Kind::Bool, "yes", "true or false"),
            (Kind::Float, "NaN", "number"),
            (Kind::Name, "no compression", "RocksDB's names"),
        ] {
            let said = normalised(kind, text).unwrap_err();
            assert!(said.contains(remedy), "{text}: {said}");
        }
    }
}
