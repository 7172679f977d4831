//! Sizes and times as Flink reads them, which is not quite as anybody else does: `64 MiB` is none of its sizes.

use std::time::Duration;

/// Bytes of a size such as `512m`, `1 gb` or `1048576` (Flink's `MemorySize`).
#[must_use]
pub fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text);
    let factor: u64 = match unit.as_str() {
        "" | "b" | "bytes" => 1,
        "k" | "kb" | "kibibytes" => 1 << 10,
        "m" | "mb" | "mebibytes" => 1 << 20,
        "g" | "gb" | "gibibytes" => 1 << 30,
        "t" | "tb" | "tebibytes" => 1 << 40,
        _ => return None,
    };
    number?.checked_mul(factor)
}

/// A time such as `10 min` or `20 s`; a bare number is milliseconds (Flink's `TimeUtils`).
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text);
    let number = number?;
    let seconds = |factor: u64| number.checked_mul(factor).map(Duration::from_secs);
    match unit.as_str() {
        "d" | "day" | "days" => seconds(86_400),
        "h" | "hour" | "hours" => seconds(3600),
        "m" | "min" | "minute" | "minutes" => seconds(60),
        "s" | "sec" | "secs" | "second" | "seconds" => seconds(1),
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => {
            Some(Duration::from_millis(number))
        }
        "\u{b5}s" | "micro" | "micros" | "microsecond" | "microseconds" => {
            Some(Duration::from_micros(number))
        }
        "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => {
            Some(Duration::from_nanos(number))
        }
        _ => None,
    }
}

fn split(text: &str) -> (Option<u64>, String) {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    (number.parse().ok(), unit.trim().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_flinks() {
        for (text, bytes) in [
            ("512m", 512 << 20),
            ("1 gb", 1 << 30),
            ("7", 7),
            ("5 kb", 5120),
        ] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["64 MiB", "-1m", "", "1.5g", "5 min"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_flinks() {
        assert_eq!(duration("10 min"), Some(Duration::from_secs(600)));
        assert_eq!(duration("20 s"), Some(Duration::from_secs(20)));
        assert_eq!(duration("1500"), Some(Duration::from_millis(1500)));
        for text in ["soon", "64m b", "1.5 h", ""] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
