//! The arguments of a call that come in pieces: `partialArgs` of Vertex's
//! `streamFunctionCallArguments`, each a JSON path and what is added there.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::carry::Malformed;
use crate::dialect::gemini::quote;
use crate::dialect::leaf::Leaf;

/// The most bytes of pieces that a call is put together from.
const MAX_BYTES: usize = 256 << 10;
/// The most steps of a path.
const MAX_STEPS: usize = 32;

/// The arguments so far.
#[derive(Debug, Default)]
pub(super) struct Partial {
    root: Node,
    bytes: usize,
}

#[derive(Debug, Default)]
enum Node {
    #[default]
    Nothing,
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Text(String),
    /// A number, a truth value or null.
    Plain(String),
}

/// One piece: a path, and a value of one type. The pieces of a text follow one another.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Piece<'a> {
    #[serde(borrow)]
    json_path: Cow<'a, str>,
    #[serde(borrow, default)]
    string_value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    number_value: Option<&'a RawValue>,
    #[serde(default)]
    bool_value: Option<bool>,
}

/// A step of a path.
enum Step<'p> {
    Key(&'p str),
    Index(usize),
}

impl Partial {
    /// Whether the pieces may be added: to be asked before anything of their frame is told.
    pub(super) fn admits(so_far: Option<&Self>, pieces: &RawValue) -> Result<(), Malformed> {
        let bytes = so_far.map_or(0, |partial| partial.bytes);
        if bytes.saturating_add(pieces.get().len()) > MAX_BYTES {
            return Err(Malformed::TooMany);
        }
        let pieces = read(pieces)?;
        let deep = |piece: &Piece<'_>| steps(&piece.json_path).count() > MAX_STEPS;
        if pieces.iter().any(deep) {
            return Err(Malformed::TooMany);
        }
        Ok(())
    }

    /// Adds the pieces, which were admitted.
    pub(super) fn add(&mut self, pieces: &RawValue) {
        self.bytes = self.bytes.saturating_add(pieces.get().len());
        for piece in read(pieces).unwrap_or_default() {
            let node = self.root.at(&piece.json_path);
            if let Some(text) = piece.string_value.map(Leaf::from).and_then(Leaf::text) {
                node.text(&text);
            } else if let Some(number) = piece.number_value {
                *node = Node::Plain(number.get().to_owned());
            } else {
                let truth = piece.bool_value.map(|truth| truth.to_string());
                *node = Node::Plain(truth.unwrap_or_else(|| "null".to_owned()));
            }
        }
    }

    /// The arguments as JSON text, an object.
    pub(super) fn json(&self) -> String {
        let mut out = String::new();
        match &self.root {
            Node::Object(_) => self.root.write(&mut out),
            _ => out.push_str("{}"),
        }
        out
    }
}

fn read(pieces: &RawValue) -> Result<Vec<Piece<'_>>, Malformed> {
    serde_json::from_str(pieces.get()).map_err(|_| Malformed::Shape)
}

impl Node {
    /// The node at a path; what is not there yet is made.
    fn at(&mut self, path: &str) -> &mut Self {
        let mut node = self;
        for step in steps(path).take(MAX_STEPS) {
            node = match step {
                Step::Key(key) => node.field(key),
                Step::Index(index) => node.item(index),
            };
        }
        node
    }

    #[expect(clippy::indexing_slicing, reason = "the place was just found or made")]
    fn field(&mut self, key: &str) -> &mut Self {
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(Vec::new());
        }
        let Self::Object(fields) = self else {
            return self;
        };
        let known = fields.iter().position(|(name, _)| name == key);
        let place = known.unwrap_or_else(|| {
            fields.push((key.to_owned(), Self::Nothing));
            fields.len() - 1
        });
        &mut fields[place].1
    }

    /// An item; one past the end is the next one, for items come in order.
    #[expect(clippy::indexing_slicing, reason = "the place is below the length")]
    fn item(&mut self, index: usize) -> &mut Self {
        if !matches!(self, Self::Array(_)) {
            *self = Self::Array(Vec::new());
        }
        let Self::Array(items) = self else {
            return self;
        };
        if index >= items.len() {
            items.push(Self::Nothing);
        }
        let place = index.min(items.len() - 1);
        &mut items[place]
    }

    fn text(&mut self, more: &str) {
        match self {
            Self::Text(text) => text.push_str(more),
            _ => *self = Self::Text(more.to_owned()),
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Nothing => out.push_str("null"),
            Self::Plain(json) => out.push_str(json),
            Self::Text(text) => quote(text, out),
            Self::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(fields) => {
                out.push('{');
                for (at, (name, value)) in fields.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    quote(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// The steps of a path: `$.a.b[0]['c d']`.
fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    std::iter::from_fn(move || {
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, after) = inner.split_once(']').unwrap_or((inner, ""));
            rest = after;
            let key = step.trim_matches(|letter| matches!(letter, '\'' | '"'));
            return Some(step.parse().map_or(Step::Key(key), Step::Index));
        }
        let inner = rest.strip_prefix('.').unwrap_or(rest);
        if inner.is_empty() {
            return None;
        }
        let end = inner.find(['.', '[']).unwrap_or(inner.len());
        let (key, after) = inner.split_at_checked(end)?;
        rest = after;
        Some(Step::Key(key))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn pieces_are_put_together_by_their_paths() {
        let mut partial = Partial::default();
        for pieces in [
            r#"[{"jsonPath":"$.city","stringValue":"Os","willContinue":true}]"#,
            r#"[{"jsonPath":"$.city","stringValue":"lo\"\n"},{"jsonPath":"$.days","numberValue":2}]"#,
            r#"[{"jsonPath":"$.list[0].a","boolValue":true},{"jsonPath":"$.list[1].a","nullValue":null}]"#,
            r#"[{"jsonPath":"$['a b']","stringValue":""}]"#,
        ] {
            assert_eq!(Partial::admits(Some(&partial), raw(pieces)), Ok(()));
            partial.add(raw(pieces));
        }
        let expected = r#"{"city":"Oslo\"\n","days":2,"list":[{"a":true},{"a":null}],"a b":""}"#;
        assert_eq!(partial.json(), expected);
        assert_eq!(Partial::default().json(), "{}");
    }

    #[test]
    fn pieces_have_a_bound_in_bytes_and_depth() {
        let deep = format!(r#"[{{"jsonPath":"${}"}}]"#, ".a".repeat(MAX_STEPS + 1));
        assert_eq!(Partial::admits(None, raw(&deep)), Err(Malformed::TooMany));
        let long = format!(
            r#"[{{"jsonPath":"$.a","stringValue":"{}"}}]"#,
            "x".repeat(MAX_BYTES / 2)
        );
        let mut partial = Partial::default();
        assert_eq!(Partial::admits(None, raw(&long)), Ok(()));
        partial.add(raw(&long));
        let refused = Partial::admits(Some(&partial), raw(&long));
        assert_eq!(refused, Err(Malformed::TooMany));
        assert_eq!(Partial::admits(None, raw("{}")), Err(Malformed::Shape));
    }

    #[test]
    fn odd_paths_do_no_harm() {
        for path in [
            "",
            "$",
            "$.",
            "$[",
            "$[]",
            "$..a",
            "a",
            "$[99999999]",
            "$.a[",
            "$é",
        ] {
            let mut partial = Partial::default();
            let pieces = serde_json::json!([{"jsonPath": path, "stringValue": "x"}]).to_string();
            partial.add(raw(&pieces));
            assert!(partial.json().starts_with('{'), "{path}");
        }
    }
}
