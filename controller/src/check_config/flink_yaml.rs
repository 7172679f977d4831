//! Flink's `config.yaml` as Flink reads it: nested or flat keys, each with the line of its value.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A value as written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Its text; a list's members are joined as Flink does, by semicolons.
    pub text: String,
    /// The line, from 1.
    pub line: u64,
}

/// All keys in their flat form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlinkYaml {
    values: BTreeMap<String, Value>,
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotYaml {
    /// The line, where one can be named.
    pub line: Option<u64>,
    /// What is wrong.
    pub reason: String,
}

enum Node {
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(String, Spanned<Node>)>),
}

// === impl FlinkYaml ===

impl FlinkYaml {
    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, NotYaml> {
        let mut yaml = Self::default();
        // A file of comments alone is an empty configuration.
        if text
            .lines()
            .all(|l| l.trim().is_empty() || l.trim_start().starts_with('#'))
        {
            return Ok(yaml);
        }
        let root: Node = serde_saphyr::from_str(text).map_err(|error| NotYaml {
            line: error.location().map(|l| l.line()),
            // The first line says it; what follows shows the place again.
            reason: error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned(),
        })?;
        match root {
            Node::Map(entries) => yaml.add("", entries)?,
            Node::Scalar(_) | Node::List(_) => {
                return Err(NotYaml {
                    line: Some(1),
                    reason: "there are no keys in it".to_owned(),
                });
            }
        }
        Ok(yaml)
    }

    fn add(&mut self, prefix: &str, entries: Vec<(String, Spanned<Node>)>) -> Result<(), NotYaml> {
        for (name, node) in entries {
            let key = if prefix.is_empty() {
                name
            } else {
                format!("{prefix}.{name}")
            };
            let line = node.referenced.line();
            let text = match node.value {
                Node::Map(entries) => {
                    self.add(&key, entries)?;
                    continue;
                }
                Node::Scalar(text) => text,
                Node::List(nodes) => joined(nodes),
            };
            let former = self.values.insert(key.clone(), Value { text, line });
            if let Some(former) = former {
                return Err(NotYaml {
                    line: Some(line),
                    reason: format!("{key} stands in line {} already", former.line),
                });
            }
        }
        Ok(())
    }

    /// A key's value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// A key's text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).map(|v| v.text.as_str())
    }

    /// A key's line.
    #[must_use]
    pub fn line(&self, key: &str) -> Option<u64> {
        self.get(key).map(|v| v.line)
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(k, v)| (k.as_str(), v))
    }
}

fn joined(nodes: Vec<Node>) -> String {
    let texts = nodes.into_iter().map(|node| match node {
        Node::Scalar(text) => text,
        Node::List(nodes) => joined(nodes),
        Node::Map(_) => "{...}".to_owned(),
    });
    texts.collect::<Vec<_>>().join(";")
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keys, a list or a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(String::new()))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = access.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_and_flat_keys_come_out_the_same() {
        let yaml = FlinkYaml::parse(
            "# a comment\nweir:\n  memory:\n    mode: shared\nweir.memory.budget: 64m\nrest.port: 8081\nratio: 0.5\non: true\nlist: [a, b]\nnothing:\n",
        )
        .unwrap();
        assert_eq!(yaml.text("weir.memory.mode"), Some("shared"));
        assert_eq!(yaml.line("weir.memory.mode"), Some(4));
        assert_eq!(yaml.text("weir.memory.budget"), Some("64m"));
        assert_eq!(yaml.line("weir.memory.budget"), Some(5));
        assert_eq!(yaml.text("rest.port"), Some("8081"));
        assert_eq!(yaml.text("ratio"), Some("0.5"));
        assert_eq!(yaml.text("list"), Some("a;b"));
        assert_eq!(yaml.text("nothing"), Some(""));
        assert_eq!(
            FlinkYaml::parse("# nothing\n").unwrap(),
            FlinkYaml::default()
        );
    }

    #[test]
    fn what_is_not_yaml_or_stands_twice_is_told_with_its_line() {
        let twice = FlinkYaml::parse("a.b: 1\na:\n  b: 2\n").unwrap_err();
        assert!(
            twice.reason.contains("a.b stands in line"),
            "{}",
            twice.reason
        );
        let same = FlinkYaml::parse("rest.port: 1\nrest.port: 2\n").unwrap_err();
        assert_eq!(same.line, Some(2), "{}", same.reason);
        assert!(
            FlinkYaml::parse("a: [1\nb: 2\n")
                .unwrap_err()
                .line
                .is_some(),
            "an open bracket"
        );
        assert!(FlinkYaml::parse("only text").is_err());
    }
}
