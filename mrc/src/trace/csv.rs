//! CSV: a header, then a line per access.
//!
//! The header names the columns, in any order and any case:
//!
//! | column | what it says | if absent |
//! |---|---|---|
//! | `key` | the block: a decimal number or any other text | required |
//! | `size` | bytes of the block, 1 to 2^30 | required |
//! | `role` | `data`, `index`, `filter`, `other` | `data` |
//! | `caller` | `user`, `compaction`, `other` | `user` |
//! | `time` | seconds since any moment, decimals allowed | unknown |
//! | `hit` | 1 if the real cache had it, 0 if not | unknown |
//!
//! Other columns are passed over; [`CsvReader::ignored_columns`] names them. Compactions do not insert what they read. A field with
//! a comma in it stands in double quotes (RFC 4180); one with a line feed cannot be written.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use super::lines::{Lines, fields, number};
use super::{BlockRole, Caller, TraceAccess, TraceError, TraceFault, checked_size};
use crate::{Outcome, hash_key};

/// What a column says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Key,
    Size,
    Role,
    Caller,
    Time,
    Hit,
    Ignored,
}

/// Reads a CSV trace.
#[derive(Debug)]
pub struct CsvReader<R> {
    lines: Lines<R>,
    columns: Vec<Column>,
    ignored: Vec<String>,
}

/// Writes a CSV trace with the columns `key,size,role,caller`, and with `time` and `hit` where the first access knows them.
#[derive(Debug)]
pub struct CsvWriter<W> {
    output: W,
    /// Whether there are columns for time and outcome; `None` before the first access.
    optional: Option<(bool, bool)>,
}

// === impl Column ===

impl Column {
    fn from_name(name: &[u8]) -> Self {
        match name.to_ascii_lowercase().as_slice() {
            b"key" => Self::Key,
            b"size" => Self::Size,
            b"role" => Self::Role,
            b"caller" => Self::Caller,
            b"time" => Self::Time,
            b"hit" => Self::Hit,
            _ => Self::Ignored,
        }
    }

    /// Puts what a field says into the access.
    fn read(self, field: &[u8], access: &mut TraceAccess) -> Result<(), TraceFault> {
        match self {
            Self::Key => access.key = key(field)?,
            Self::Size => {
                let size = number(field)
                    .ok_or_else(|| TraceFault::field("size", field, "a number of bytes"))?;
                access.size_bytes = checked_size(size)?;
            }
            Self::Role => {
                access.role = named(field, BlockRole::from_name).ok_or_else(|| {
                    TraceFault::field("role", field, "data, index, filter or other")
                })?;
            }
            Self::Caller => {
                access.caller = named(field, Caller::from_name).ok_or_else(|| {
                    TraceFault::field("caller", field, "user, compaction or other")
                })?;
                access.inserts = access.caller != Caller::Compaction;
            }
            Self::Time => access.time = Some(time(field)?),
            Self::Hit => {
                access.outcome = Some(match field {
                    b"1" => Outcome::Hit,
                    b"0" => Outcome::Miss,
                    _ => return Err(TraceFault::field("hit", field, "1 or 0")),
                });
            }
            Self::Ignored => {}
        }
        Ok(())
    }
}

// === impl CsvReader ===

impl<R: BufRead> CsvReader<R> {
    /// Reads the header. `trace` names the trace in errors.
    ///
    /// # Errors
    ///
    /// If there is no line, or the first one does not name a `key` and a `size`, or names a column twice.
    pub fn new(trace: impl Into<String>, input: R) -> Result<Self, TraceError> {
        let mut lines = Lines::new(trace.into(), input);
        if !lines.advance()? {
            return Err(lines.empty());
        }
        // Spreadsheets begin a file with a byte order mark.
        let line = lines.line();
        let header = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let Some((columns, ignored)) = columns(header) else {
            return Err(lines.error(TraceFault::header(header)));
        };
        Ok(Self {
            lines,
            columns,
            ignored,
        })
    }

    /// Names of the columns that nothing is known about.
    #[must_use]
    pub fn ignored_columns(&self) -> &[String] {
        &self.ignored
    }
}

impl<R: BufRead> Iterator for CsvReader<R> {
    type Item = Result<TraceAccess, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let columns = &self.columns;
        self.lines.next_access(|line| parse(columns, line))
    }
}

// === impl CsvWriter ===

impl<W: Write> CsvWriter<W> {
    /// Writes to `output`, nothing yet.
    pub fn new(output: W) -> Self {
        Self {
            output,
            optional: None,
        }
    }

    /// Writes an access.
    ///
    /// # Errors
    ///
    /// Those of the output; and [`io::ErrorKind::InvalidInput`] if the access does not know a time or an outcome that the first one
    /// knew, or inserts otherwise than its caller does in this format.
    pub fn write(&mut self, access: &TraceAccess) -> io::Result<()> {
        let knows = (access.time.is_some(), access.outcome.is_some());
        let (time, hit) = match self.optional {
            Some(columns) => columns,
            None => {
                let more = [(knows.0, ",time"), (knows.1, ",hit")];
                self.output.write_all(b"key,size,role,caller")?;
                for (_, name) in more.iter().filter(|(known, _)| *known) {
                    self.output.write_all(name.as_bytes())?;
                }
                self.output.write_all(b"\n")?;
                *self.optional.insert(knows)
            }
        };
        if (time && !knows.0) || (hit && !knows.1) {
            return Err(invalid(
                "time and outcome are known for all accesses or for none",
            ));
        }
        if access.inserts != (access.caller != Caller::Compaction) {
            return Err(invalid("in CSV, compactions and they alone do not insert"));
        }
        let TraceAccess {
            key, size_bytes, ..
        } = access;
        let (role, caller) = (access.role.name(), access.caller.name());
        write!(self.output, "{key},{size_bytes},{role},{caller}")?;
        if let Some(at) = access.time.filter(|_| time) {
            write!(self.output, ",{}.{:09}", at.as_secs(), at.subsec_nanos())?;
        }
        if let Some(outcome) = access.outcome.filter(|_| hit) {
            write!(self.output, ",{}", u8::from(outcome == Outcome::Hit))?;
        }
        self.output.write_all(b"\n")
    }

    /// The output, for flushing.
    pub fn into_inner(self) -> W {
        self.output
    }
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// Columns of a header and the names of the unknown ones; `None` if it is no header.
fn columns(header: &[u8]) -> Option<(Vec<Column>, Vec<String>)> {
    let mut columns = Vec::new();
    let mut ignored = Vec::new();
    for name in unquoted_fields(header).ok()? {
        let column = Column::from_name(&name);
        if column == Column::Ignored {
            ignored.push(String::from_utf8_lossy(&name).into_owned());
        } else if columns.contains(&column) {
            return None;
        }
        columns.push(column);
    }
    (columns.contains(&Column::Key) && columns.contains(&Column::Size))
        .then_some((columns, ignored))
}

fn parse(columns: &[Column], line: &[u8]) -> Result<TraceAccess, TraceFault> {
    if !line.contains(&b'"') {
        return assembled(columns, fields(line));
    }
    let unquoted = unquoted_fields(line)?;
    assembled(columns, unquoted.iter().map(Vec::as_slice))
}

fn assembled<'f>(
    columns: &[Column],
    mut fields: impl Iterator<Item = &'f [u8]>,
) -> Result<TraceAccess, TraceFault> {
    let mut access = TraceAccess::new(0, 0);
    for (found, column) in columns.iter().enumerate() {
        let field = fields.next().ok_or(TraceFault::Fields {
            found,
            expected: columns.len(),
        })?;
        column.read(field, &mut access)?;
    }
    match fields.count() {
        0 => Ok(access),
        more => Err(TraceFault::Fields {
            found: columns.len() + more,
            expected: columns.len(),
        }),
    }
}

/// Fields of a line with quotes in it.
fn unquoted_fields(line: &[u8]) -> Result<Vec<Vec<u8>>, TraceFault> {
    let mut fields = Vec::new();
    let mut rest = Some(line);
    while let Some(text) = rest {
        let text = text.trim_ascii_start();
        let (field, after) = match text.strip_prefix(b"\"") {
            Some(quoted) => unquote(quoted)?,
            None => match text.iter().position(|byte| *byte == b',') {
                Some(comma) => (
                    text[..comma].trim_ascii().to_vec(),
                    Some(&text[comma + 1..]),
                ),
                None => (text.trim_ascii().to_vec(), None),
            },
        };
        fields.push(field);
        rest = after;
    }
    Ok(fields)
}

/// What stands before the closing quote, and what after the comma behind it.
fn unquote(quoted: &[u8]) -> Result<(Vec<u8>, Option<&[u8]>), TraceFault> {
    let mut field = Vec::new();
    let mut rest = quoted;
    loop {
        let quote = rest.iter().position(|byte| *byte == b'"');
        let quote = quote.ok_or(TraceFault::Quote)?;
        field.extend_from_slice(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix(b"\"") {
            Some(after) => {
                field.push(b'"');
                rest = after;
            }
            None => break,
        }
    }
    match rest.trim_ascii_start() {
        [] => Ok((field, None)),
        [b',', after @ ..] => Ok((field, Some(after))),
        _ => Err(TraceFault::Quote),
    }
}

/// The number, or the hash of a text that is none. `07` is a text: it is not how the number 7 is written.
fn key(field: &[u8]) -> Result<u64, TraceFault> {
    if field.is_empty() {
        return Err(TraceFault::field("key", field, "a number or a name"));
    }
    let canonical = field.len() == 1 || field[0] != b'0';
    let as_number = number(field).filter(|_| canonical);
    Ok(as_number.unwrap_or_else(|| hash_key(field)))
}

/// Seconds with at most nine decimals exactly, others (`1e9`, more decimals) as precisely as a float is.
fn time(field: &[u8]) -> Result<Duration, TraceFault> {
    let exact = || {
        let point = field.iter().position(|byte| *byte == b'.');
        let (seconds, decimals) = field.split_at(point.unwrap_or(field.len()));
        let decimals = decimals.strip_prefix(b".").unwrap_or(b"0");
        let places = u32::try_from(decimals.len()).ok()?;
        let nanos = number(decimals)? * 10_u64.checked_pow(9_u32.checked_sub(places)?)?;
        Some(Duration::new(number(seconds)?, u32::try_from(nanos).ok()?))
    };
    let float = || {
        let seconds = std::str::from_utf8(field).ok()?.parse::<f64>().ok()?;
        Duration::try_from_secs_f64(seconds).ok()
    };
    exact()
        .or_else(float)
        .ok_or_else(|| TraceFault::field("time", field, "seconds, such as 12.5"))
}

fn named<T>(field: &[u8], from_name: impl Fn(&str) -> Option<T>) -> Option<T> {
    let name = std::str::from_utf8(field).ok()?;
    from_name(name).or_else(|| from_name(&name.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<TraceAccess>, TraceError> {
        CsvReader::new("t.csv", text.as_bytes())?.collect()
    }

    fn error(text: &str) -> String {
        read(text).expect_err(text).to_string()
    }

    #[test]
    fn columns_may_stand_in_any_order() {
        let text = "Caller,size,note,KEY,role,hit,time\r\ncompaction,4096,x,17,Index,1,2.5\r\nuser,10,,a b,data,0,3\n";
        let accesses = read(text).unwrap();
        assert_eq!(
            accesses[0],
            TraceAccess {
                role: BlockRole::Index,
                caller: Caller::Compaction,
                inserts: false,
                outcome: Some(Outcome::Hit),
                time: Some(Duration::from_millis(2_500)),
                ..TraceAccess::new(17, 4096)
            }
        );
        assert_eq!(accesses[1].key, hash_key(b"a b"));
        let reader = CsvReader::new("t.csv", text.as_bytes()).unwrap();
        assert_eq!(reader.ignored_columns(), ["note"]);
    }

    #[test]
    fn names_of_blocks_are_told_apart() {
        let text = "key,size\n7,1\n07,1\n\"a,b\",1\n\"a\"\"b\" , 1\n18446744073709551616,1";
        let keys: std::collections::HashSet<u64> =
            read(text).unwrap().iter().map(|a| a.key).collect();
        assert_eq!(keys.len(), 5);
        assert!(keys.contains(&7) && keys.contains(&hash_key(b"a\"b")));
    }

    #[test]
    fn errors_say_where_and_what_would_be_right() {
        assert_eq!(
            error(""),
            "t.csv: no access in it; a trace has one at least"
        );
        assert_eq!(error("key,size\n\n"), error(""));
        assert!(error("17,4096\n").starts_with("t.csv, line 1: `17,4096` is no header; expected"));
        assert!(error("key,size,key\n1,2,3\n").contains("is no header"));
        for (line, message) in [
            ("1,0", "size 0; a block has 1 to 1073741824 bytes"),
            ("1,1073741825", "size 1073741825; a block has"),
            ("1,-5", "size is `-5`; expected a number of bytes"),
            ("1,99999999999999999999", "size is `99999999999999999999`"),
            (",5", "key is ``; expected a number or a name"),
            ("1", "1 fields; expected 2"),
            ("1,2,3,4", "4 fields; expected 2"),
            ("\"1,2", "a quoted field does not end"),
            ("\"1\"x,2", "a quoted field does not end"),
        ] {
            let text = format!("key,size\n5,6\n{line}\n7,8\n");
            let error = error(&text);
            assert!(
                error.starts_with(&format!("t.csv, line 3: {message}")),
                "{error}"
            );
        }
        for (column, value, message) in [
            (
                "role",
                "leaf",
                "role is `leaf`; expected data, index, filter or other",
            ),
            (
                "caller",
                "",
                "caller is ``; expected user, compaction or other",
            ),
            ("hit", "yes", "hit is `yes`; expected 1 or 0"),
            ("time", "-1", "time is `-1`; expected seconds"),
            ("time", ".", "time is `.`; expected seconds"),
            ("time", "NaN", "time is `NaN`; expected seconds"),
        ] {
            let error = error(&format!("key,size,{column}\n1,2,{value}\n"));
            assert!(
                error.starts_with(&format!("t.csv, line 2: {message}")),
                "{error}"
            );
        }
    }

    #[test]
    fn an_error_ends_the_trace() {
        let mut reader = CsvReader::new("t.csv", &b"key,size\n1,2\n1,x\n1,2\n"[..]).unwrap();
        assert!(reader.next().unwrap().is_ok());
        assert!(reader.next().unwrap().is_err());
        assert!(reader.next().is_none());
    }

    #[test]
    fn only_what_can_be_read_again_is_written() {
        let mut writer = CsvWriter::new(Vec::new());
        let timed = TraceAccess {
            time: Some(Duration::new(3, 7)),
            ..TraceAccess::new(1, 2)
        };
        writer.write(&timed).unwrap();
        assert!(writer.write(&TraceAccess::new(1, 2)).is_err());
        let odd = TraceAccess {
            inserts: false,
            ..timed
        };
        assert!(writer.write(&odd).is_err());
        let text = String::from_utf8(writer.into_inner()).unwrap();
        assert_eq!(
            text,
            "key,size,role,caller,time\n1,2,data,user,3.000000007\n"
        );
    }
}
