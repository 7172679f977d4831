//! Reads measured points from CSV text: a header, commas, no quotes.

use std::collections::BTreeMap;

use super::measured::MeasuredPoint;

/// The rows whose columns have the values of `filter`.
///
/// Columns read: `cache_mib` (of one instance), `parallelism`, and `rate_kps` or `rate_per_s`; others may be filtered by.
pub(crate) fn points(
    text: &str,
    filter: &BTreeMap<String, String>,
) -> Result<Vec<MeasuredPoint>, String> {
    let mut lines = text.lines().enumerate();
    let header = lines.next().map_or("", |(_, line)| line);
    let columns: Vec<&str> = header.split(',').map(str::trim).collect();
    let column = |name: &str| {
        let found = columns.iter().position(|c| *c == name);
        found.ok_or_else(|| {
            format!(
                "has no column `{name}`; its columns are {}",
                columns.join(", ")
            )
        })
    };
    let cache = column("cache_mib")?;
    let parallelism = column("parallelism")?;
    let (rate, unit) = match column("rate_kps") {
        Ok(rate) => (rate, 1000.0),
        Err(missing) => (column("rate_per_s").map_err(|_| missing)?, 1.0),
    };
    let filter = filter
        .iter()
        .map(|(name, value)| Ok((column(name)?, value)));
    let filter: Vec<(usize, &String)> = filter.collect::<Result<_, String>>()?;
    let mut points = Vec::new();
    for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        if cells.len() != columns.len() {
            return Err(format!(
                "line {} has {} cells, the header has {}",
                index + 1,
                cells.len(),
                columns.len()
            ));
        }
        if filter.iter().any(|(at, value)| !same(cells[*at], value)) {
            continue;
        }
        let number = |at: usize| {
            let parsed = cells[at].parse::<f64>();
            parsed.map_err(|_| {
                format!(
                    "line {}: `{}` in column {} is no number",
                    index + 1,
                    cells[at],
                    columns[at]
                )
            })
        };
        let instances = number(parallelism)?;
        if instances.fract() != 0.0 || !(1.0..=1e6).contains(&instances) {
            return Err(format!(
                "line {}: parallelism {instances}; expected 1, 2, ...",
                index + 1
            ));
        }
        points.push(MeasuredPoint {
            parallelism: instances as u32,
            cache_mib: number(cache)?,
            rate_per_s: number(rate)? * unit,
        });
    }
    Ok(points)
}

/// Equal as text, or as numbers: `4` and `4.0`.
fn same(cell: &str, value: &str) -> bool {
    cell == value || matches!((cell.parse::<f64>(), value.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "query,cache_mib,parallelism,rate_kps\nQ9,65,1,5.75\nQ9,32.5,2,12.32\nQ3,65,1,151.19\n";

    fn by(column: &str, value: &str) -> BTreeMap<String, String> {
        [(column.to_owned(), value.to_owned())].into()
    }

    #[test]
    fn rows_are_filtered_and_rates_are_in_records() {
        let rows = points(FILE, &by("query", "Q9")).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].rate_per_s, 5750.0);
        assert_eq!(points(FILE, &by("parallelism", "1.0")).unwrap().len(), 2);
    }

    #[test]
    fn an_unknown_column_and_a_broken_cell_are_named() {
        let unknown = points(FILE, &by("job", "Q9")).unwrap_err();
        assert!(
            unknown.contains("`job`") && unknown.contains("query"),
            "{unknown}"
        );
        let broken = points(
            "cache_mib,parallelism,rate_kps\n65,1,fast\n",
            &BTreeMap::new(),
        );
        let broken = broken.unwrap_err();
        assert!(
            broken.contains("line 2") && broken.contains("rate_kps"),
            "{broken}"
        );
    }
}
