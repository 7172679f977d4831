//! Durations as people write them: `500ms`, `5s`, `2m`, `1h`.

use std::time::Duration;

/// Reads a duration; the error says what would be right.
pub fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds_per_unit = match unit.trim() {
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong(text)),
    };
    let number: f64 = number.parse().map_err(|_| wrong(text))?;
    Duration::try_from_secs_f64(number * seconds_per_unit).map_err(|_| wrong(text))
}

fn wrong(text: &str) -> String {
    format!("`{text}` is not a duration; write a number and ms, s, m or h, such as `5s`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_told_apart() {
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("1.5 s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse("10 min"), Ok(Duration::from_secs(600)));
        assert_eq!(parse("1h"), Ok(Duration::from_secs(3600)));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "s", "-1s", "5 days", "1e99h", "..s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
