//! Sizes as people write them: `4096`, `64MiB`, `1.5 GB`.

/// Reads a size in bytes; `KiB`, `MiB`, `GiB`, `TiB` (or `K`, `M`, `G`, `T`) are powers of 1024, `KB`, `MB`, `GB`, `TB` of 1000.
pub fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let bytes_per_unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1_u64,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(wrong(text)),
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(bytes_per_unit).ok_or_else(|| wrong(text));
    }
    let bytes = number.parse::<f64>().map_err(|_| wrong(text))? * bytes_per_unit as f64;
    if bytes < u64::MAX as f64 {
        Ok(bytes.round() as u64)
    } else {
        Err(wrong(text))
    }
}

fn wrong(text: &str) -> String {
    format!(
        "`{text}` is not a size; write bytes, or a number and KiB, MiB, GiB or TiB, such as `64MiB`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_told_apart() {
        for (text, bytes) in [
            ("4096", 4096),
            ("0", 0),
            ("64MiB", 64 << 20),
            ("64m", 64 << 20),
            ("1.5 GiB", 3 << 29),
            ("2GB", 2_000_000_000),
            ("7 kb", 7_000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            "MiB",
            "-1",
            "1e9",
            "64 MiBs",
            "..1",
            "99999999999 TiB",
            "99999999999.5 TiB",
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains("such as `64MiB`"), "{error}");
        }
    }
}
