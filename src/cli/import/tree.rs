//! YAML as LiteLLM reads it -> a tree: anchors and merge keys are fine, of two equal keys the last one
//! holds. `yes`, `no`, `y` and `n` stay text: people name models and parameters so.
//!
//! Bounded in size, depth and what aliases unfold to. The tree may hold secrets: it has no `Debug`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};

/// The largest file.
pub(super) const MAX_FILE: u64 = 1 << 20;
/// LiteLLM's own keys need about eight.
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 100_000;

/// Why the input is no such config. The message never repeats the input.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// Not YAML, or beyond the bounds.
    #[error("it is not YAML, or nested too deeply{0}")]
    Yaml(String),
    /// Larger than anybody writes.
    #[error("it is larger than {} KiB", MAX_FILE >> 10)]
    TooLarge,
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    Encoding,
    /// YAML, but something else.
    #[error("it is no LiteLLM config: it has no `model_list`")]
    Other,
    /// Nothing that segue could serve.
    #[error("no model in it can be carried over")]
    Nothing,
    /// More than a `segue.yaml` may hold.
    #[error("what it comes to is larger than a segue.yaml may be")]
    Outgrown,
}

/// A value.
#[derive(Clone)]
pub(super) enum Node {
    Null,
    Bool(bool),
    /// A number, and its text.
    Number(f64, String),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file, without duplicates.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The value at a key of a map.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else {
            return None;
        };
        let found = entries.iter().find(|(name, _)| name == key);
        found.map(|(_, node)| node)
    }

    /// Whether it says nothing: not there, off, or empty.
    pub(super) fn is_idle(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(on) => !on,
            Self::Number(..) => false,
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Map(entries) => entries.is_empty(),
        }
    }
}

/// Reads one document.
pub(super) fn read(text: &str) -> Result<Node, Unreadable> {
    if text.len() as u64 > MAX_FILE {
        return Err(Unreadable::TooLarge);
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        leading_zero_numbers_as_strings: true,
        strict_booleans: true,
        underscored_numbers_as_strings: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        // Its text may quote the input, and with it a secret.
        let place = error.location().map(|at| format!(": line {}", at.line()));
        Unreadable::Yaml(place.unwrap_or_default())
    })
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Node, D::Error> {
        Node::deserialize(from)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(number(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(number(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Number(value, value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Node, A::Error> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        while let Some((Key(key), value)) = from.next_entry()? {
            if let Some((_, old)) = places.get(&key).and_then(|place| entries.get_mut(*place)) {
                *old = value;
                continue;
            }
            places.insert(key.clone(), entries.len());
            entries.push((key, value));
        }
        Ok(Node::Map(entries))
    }
}

fn number(text: String) -> Node {
    Node::Number(text.parse().unwrap_or(f64::NAN), text)
}

/// A key: LiteLLM's are text, but `1: x` is good YAML too.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(match Node::deserialize(from)? {
            Node::Null => "null".to_owned(),
            Node::Bool(value) => value.to_string(),
            Node::Number(_, text) | Node::Text(text) => text,
            Node::List(_) | Node::Map(_) => {
                return Err(serde::de::Error::custom("a key must be text"));
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn shown(node: &Node) -> String {
        match node {
            Node::Null => "null".to_owned(),
            Node::Bool(value) => value.to_string(),
            Node::Number(_, text) => text.clone(),
            Node::Text(text) => format!("{text:?}"),
            Node::List(items) => format!(
                "[{}]",
                items.iter().map(shown).collect::<Vec<_>>().join(",")
            ),
            Node::Map(entries) => {
                let entry = |(key, node): &(String, Node)| format!("{key}={}", shown(node));
                format!(
                    "{{{}}}",
                    entries.iter().map(entry).collect::<Vec<_>>().join(",")
                )
            }
        }
    }

    #[test]
    fn what_people_write_in_yaml_is_read() {
        let cases = [
            ("", "null"),
            (
                "a: 1\nb: 2.5\nc: x\nd: ~\ne: [yes, true]",
                r#"{a=1,b=2.5,c="x",d=null,e=["yes",true]}"#,
            ),
            (
                "a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}",
                "{a={k=1,l=2},b={l=3,k=1}}",
            ),
            ("a: &x [1]\nb: *x", "{a=[1],b=[1]}"),
            ("a: 1\na: 2", "{a=2}"),
            (
                "v: 2024-10-21\nz: 007\nu: 1_000\ni: .inf",
                r#"{v="2024-10-21",z="007",u="1_000",i=inf}"#,
            ),
            ("1: x\ntrue: y", r#"{1="x",true="y"}"#),
            ("# only a comment\n---\na: |\n  b\n", r#"{a="b\n"}"#),
        ];
        for (text, expected) in cases {
            let node = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(shown(&node), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_yaml_is_refused_without_a_word_of_it() {
        let cases = [
            "a: [sk-canary",
            "sk-canary: {b: c: d}",
            "\"sk-canary",
            "a: *sk-canary",
            "? {sk-canary: 1}\n: 2",
            "\tsk-canary: 1\n a",
        ];
        for text in cases {
            let error = read(text).err().unwrap_or_else(|| panic!("{text}"));
            assert!(!format!("{error}{error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn size_depth_and_aliases_are_bounded() {
        assert!(matches!(
            read(&" ".repeat(2 << 20)),
            Err(Unreadable::TooLarge)
        ));
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(matches!(read(&deep), Err(Unreadable::Yaml(_))));
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let below = format!("*a{}, ", level - 1).repeat(10);
            writeln!(laughs, "a{level}: &a{level} [{below}]").unwrap();
        }
        assert!(matches!(read(&laughs), Err(Unreadable::Yaml(_))));
        let many = "- [1, 2]\n".repeat(50_000);
        assert!(matches!(read(&many), Err(Unreadable::Yaml(_))));
    }
}
