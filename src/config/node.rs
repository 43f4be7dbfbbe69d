//! YAML text -> a tree that knows where each key and value was written.
//!
//! A strict subset of YAML 1.2: one document, text keys, no anchors, aliases, tags or merge
//! keys, so that what a person reads is what the proxy reads. Bounded in depth.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::errors::{Mistake, Position};
use super::path;

/// The deepest nesting; the config itself needs six.
const MAX_DEPTH: usize = 16;

/// A value and where it was written.
pub(super) struct Node<'a> {
    /// Where it begins; for an absent value where its key begins.
    pub(super) at: Position,
    /// The value.
    pub(super) value: Value<'a>,
}

/// A value by its YAML 1.2 kind.
pub(super) enum Value<'a> {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`, unquoted.
    Bool(bool),
    /// Anything unquoted that reads as a number, as written.
    Number(Cow<'a, str>),
    /// All other scalars.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Node<'a>>),
    /// A map, in the order of the file, without duplicates.
    Map(Vec<Entry<'a>>),
}

/// A key and its value.
pub(super) struct Entry<'a> {
    /// The key.
    pub(super) key: Cow<'a, str>,
    /// Where the key begins.
    pub(super) at: Position,
    /// The value.
    pub(super) node: Node<'a>,
}

/// Reads one document. Duplicate keys are added to `mistakes` and left out.
pub(super) fn read<'a>(text: &'a str, mistakes: &mut Vec<Mistake>) -> Result<Node<'a>, Mistake> {
    let mut builder = Builder {
        open: Vec::new(),
        root: None,
        mistakes,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| syntax(&error))?;
        builder.take(event, &span)?;
    }
    let start = Position { line: 1, column: 1 };
    Ok(builder.root.unwrap_or(Node {
        at: start,
        value: Value::Null,
    }))
}

/// A list or map whose end has not come yet.
enum Open<'a> {
    List(Position, Vec<Node<'a>>),
    Map(Position, Vec<Entry<'a>>, Option<(Cow<'a, str>, Position)>),
}

struct Builder<'a, 'm> {
    open: Vec<Open<'a>>,
    root: Option<Node<'a>>,
    mistakes: &'m mut Vec<Mistake>,
}

impl<'a> Builder<'a, '_> {
    fn take(&mut self, event: Event<'a>, span: &Span) -> Result<(), Mistake> {
        let at = position(span);
        match event {
            Event::Scalar(.., Some(_))
            | Event::SequenceStart(.., Some(_))
            | Event::MappingStart(.., Some(_)) => Err(refuse(at, "tags are not supported")),
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                Err(refuse(at, "aliases are not supported"))
            }
            Event::Scalar(_, _, 1.., None)
            | Event::SequenceStart(_, 1.., None)
            | Event::MappingStart(_, 1.., None) => Err(refuse(at, "anchors are not supported")),
            Event::Scalar(text, style, 0, None) => {
                self.scalar(text, style, at);
                Ok(())
            }
            Event::SequenceStart(_, 0, None) => self.begin(Open::List(at, Vec::new()), at),
            Event::MappingStart(_, 0, None) => self.begin(Open::Map(at, Vec::new(), None), at),
            Event::SequenceEnd | Event::MappingEnd => {
                self.end();
                Ok(())
            }
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(refuse(at, "a second document is not supported"))
            }
            // Stream and document marks; the enum may grow, but a node of an unknown kind would
            // come with events that this parser version does not have.
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, text: Cow<'a, str>, style: ScalarStyle, at: Position) {
        if let Some(Open::Map(_, _, key @ None)) = self.open.last_mut() {
            *key = Some((text, at));
            return;
        }
        let value = match style {
            ScalarStyle::Plain => plain(text),
            _ => Value::Text(text),
        };
        self.add(Node { at, value });
    }

    fn begin(&mut self, open: Open<'a>, at: Position) -> Result<(), Mistake> {
        if let Some(Open::Map(_, _, None)) = self.open.last() {
            return Err(refuse(at, "a key must be text"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(refuse(at, "nested too deeply"));
        }
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self) {
        match self.open.pop() {
            Some(Open::List(at, items)) => self.add(Node {
                at,
                value: Value::List(items),
            }),
            Some(Open::Map(at, entries, _)) => {
                let entries = self.without_duplicates(entries);
                self.add(Node {
                    at,
                    value: Value::Map(entries),
                });
            }
            None => {}
        }
    }

    fn add(&mut self, mut node: Node<'a>) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, entries, key)) => {
                // `begin` and `scalar` see to it that a value never comes before its key.
                let Some((key, at)) = key.take() else { return };
                if matches!(node.value, Value::Null) {
                    node.at = at;
                }
                entries.push(Entry { key, at, node });
            }
        }
    }

    fn without_duplicates(&mut self, entries: Vec<Entry<'a>>) -> Vec<Entry<'a>> {
        let mut lines = BTreeMap::new();
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            if let Some(line) = lines.get(&entry.key) {
                let rule = format!("duplicate key; it is first on line {line}");
                let key = path::join(&self.path(), &entry.key);
                self.mistakes.push(Mistake {
                    at: Some(entry.at),
                    key,
                    rule,
                });
            } else {
                lines.insert(entry.key.clone(), entry.at.line);
                kept.push(entry);
            }
        }
        kept
    }

    /// The way to the value that is being read.
    fn path(&self) -> String {
        self.open
            .iter()
            .fold(String::new(), |way, open| match open {
                Open::List(_, items) => path::index(&way, items.len()),
                Open::Map(_, _, Some((key, _))) => path::join(&way, key),
                Open::Map(_, _, None) => way,
            })
    }
}

/// The kind of an unquoted scalar by the YAML 1.2 core schema.
fn plain(text: Cow<'_, str>) -> Value<'_> {
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if is_number(&text) => Value::Number(text),
        _ => Value::Text(text),
    }
}

fn is_number(text: &str) -> bool {
    if let Some(digits) = text.strip_prefix("0x") {
        return !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return !digits.is_empty() && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if [".inf", ".Inf", ".INF"].contains(&unsigned) || [".nan", ".NaN", ".NAN"].contains(&text) {
        return true;
    }
    // Rust also reads `inf`, `nan` and `infinity`, which are text in YAML.
    unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && unsigned.parse::<f64>().is_ok()
}

fn position(span: &Span) -> Position {
    Position {
        line: span.start.line(),
        column: span.start.col().saturating_add(1),
    }
}

fn refuse(at: Position, rule: &str) -> Mistake {
    Mistake {
        at: Some(at),
        key: String::new(),
        rule: format!("yaml: {rule}"),
    }
}

fn syntax(error: &ScanError) -> Mistake {
    let mark = error.marker();
    let at = Position {
        line: mark.line(),
        column: mark.col().saturating_add(1),
    };
    refuse(at, &error.info())
}
