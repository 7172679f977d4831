//! Names that hundreds of thousands of caches have in common: a snapshot and the plans made of it hold each of them once.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name that is shared: a copy allocates nothing, and two copies of one are known to be equal without a look at their letters.
#[derive(Clone, Eq)]
pub struct Name(Arc<str>);

/// The names met so far: asked for one of these again, it gives out a copy.
#[derive(Debug, Default)]
pub struct Names(HashSet<Name>);

// === impl Names ===

impl Names {
    /// The name with these letters.
    pub fn shared(&mut self, letters: &str) -> Name {
        if let Some(known) = self.0.get(letters) {
            return known.clone();
        }
        let name = Name::from(letters);
        self.0.insert(name.clone());
        name
    }
}

// === impl Name ===

impl Name {
    /// Its letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl PartialEq<String> for Name {
    fn eq(&self, other: &String) -> bool {
        *self.0 == **other
    }
}

impl PartialEq<Name> for String {
    fn eq(&self, other: &Name) -> bool {
        **self == *other.0
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        match Arc::ptr_eq(&self.0, &other.0) {
            true => std::cmp::Ordering::Equal,
            false => self.0.cmp(&other.0),
        }
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl From<&str> for Name {
    fn from(letters: &str) -> Self {
        Self(letters.into())
    }
}

impl From<String> for Name {
    fn from(letters: String) -> Self {
        Self(letters.into())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_asked_for_twice_is_one_and_equals_a_stranger_with_the_same_letters() {
        let mut names = Names::default();
        let (first, again) = (names.shared("Join"), names.shared("Join"));
        assert!(Arc::ptr_eq(&first.0, &again.0));
        let stranger = Name::from("Join");
        assert!(!Arc::ptr_eq(&first.0, &stranger.0));
        assert_eq!(first, stranger);
        assert_eq!(first.cmp(&stranger), std::cmp::Ordering::Equal);
        assert!(names.shared("Agg") < first);
    }

    #[test]
    fn in_json_it_is_a_string() {
        let name = Name::from("Join \"q20\"");
        let text = serde_json::to_string(&name).unwrap();
        assert_eq!(text, r#""Join \"q20\"""#);
        assert_eq!(serde_json::from_str::<Name>(&text).unwrap(), name);
    }
}
