//! The open generators, by number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use nexmark_generator::{
    Column, GeneratorConfig, InvalidConfig, Kind, RowGenerator, RowPlan, UnknownColumn,
};
use serde::Deserialize;
use thiserror::Error;

/// More splits than a reader's mask has bits do not exist.
pub(crate) const MOST_SPLITS: usize = 128;

static OPEN: Mutex<Generators> = Mutex::new(Generators {
    next: 1,
    by_number: None,
});

struct Generators {
    next: i64,
    by_number: Option<HashMap<i64, Arc<RowGenerator>>>,
}

/// What Java asks for, in JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    config: GeneratorConfig,
    /// Paths into the event stream's schema.
    columns: Vec<Vec<usize>>,
    /// 0, 1 or 2: events of this kind only.
    kind: Option<usize>,
}

/// What is wrong with a request; its text becomes the exception's message.
#[derive(Debug, Error)]
pub(crate) enum GeneratorError {
    #[error("the request for a generator is not readable: {0}")]
    Request(#[from] serde_json::Error),
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    #[error(transparent)]
    Column(#[from] UnknownColumn),
    #[error("there is no kind of event {0}; expected 0, 1 or 2")]
    Kind(usize),
    #[error("generator {0} is not open")]
    NotOpen(i64),
}

/// Opens a generator; returns its number.
pub(crate) fn open(request: &str) -> Result<i64, GeneratorError> {
    let request: Request = serde_json::from_str(request)?;
    let columns: Result<_, _> = request
        .columns
        .iter()
        .map(|path| Column::of_path(path))
        .collect();
    let only = match request.kind {
        Some(kind) => Some(*Kind::ALL.get(kind).ok_or(GeneratorError::Kind(kind))?),
        None => None,
    };
    let generator = RowGenerator::new(request.config, RowPlan::new(columns?), only)?;
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let number = open.next;
    open.next += 1;
    open.by_number
        .get_or_insert_default()
        .insert(number, Arc::new(generator));
    Ok(number)
}

/// The generator with this number.
pub(crate) fn get(number: i64) -> Result<Arc<RowGenerator>, GeneratorError> {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let generator = open.by_number.as_ref().and_then(|all| all.get(&number));
    generator.cloned().ok_or(GeneratorError::NotOpen(number))
}

/// Forgets a generator; one that is not open is forgotten already.
pub(crate) fn close(number: i64) {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(all) = &mut open.by_number {
        all.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::{close, get, open};

    #[test]
    fn a_number_is_good_until_it_is_closed() {
        let number = open(r#"{"config":{"seed":1},"columns":[[0],[3,2]],"kind":2}"#).unwrap();
        assert!(get(number).unwrap().least_buffer_bytes() > 24);
        close(number);
        close(number);
        assert_eq!(
            get(number).unwrap_err().to_string(),
            format!("generator {number} is not open")
        );
    }

    #[test]
    fn what_is_wrong_with_a_request_is_said() {
        let refused = |request: &str| open(request).unwrap_err().to_string();
        assert!(refused(r#"{"config":{"sed":1},"columns":[]}"#).contains("unknown field `sed`"));
        assert!(refused(r#"{"config":{},"columns":[[3,7]]}"#).contains("no column at [3, 7]"));
        assert!(refused(r#"{"config":{},"columns":[],"kind":3}"#).contains("no kind of event 3"));
        assert!(
            refused(r#"{"config":{"bid_bytes":99999999},"columns":[]}"#)
                .contains("bid size is 99999999")
        );
    }
}
