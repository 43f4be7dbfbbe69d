//! Reading the tree: typed getters that note every mistake and go on.
//!
//! A getter that fails has already noted why; its caller only carries [`Reported`] on.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::errors::{Mistake, Position};
use super::hint::hint;
use super::node::{Entry, Node, Value};
use super::path::{self, quoted};
use super::seen::Seen;

/// The value is unusable and its mistake has been noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reported;

/// What a reader gives back.
pub(super) type Read<T> = Result<T, Reported>;

/// Whether secrets may stand in the file itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Literals {
    Refused,
    Allowed,
}

/// What readers share: the world outside the file, and the mistakes so far.
pub(super) struct Reading<'a> {
    /// Looks up an environment variable.
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    /// Relative paths start here.
    pub(super) folder: &'a Path,
    /// Seconds since 1970, for certificates.
    pub(super) now: i64,
    /// Set from `allow_literal_secrets` before any secret is read.
    pub(super) literals: Cell<Literals>,
    /// The files that were read so far.
    pub(super) seen: RefCell<Seen>,
    /// What was found so far.
    pub(super) mistakes: RefCell<Vec<Mistake>>,
}

/// A value, and the way to it.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    /// What readers share.
    pub(super) reading: &'a Reading<'a>,
    node: &'a Node<'a>,
    path: Rc<str>,
    /// Where the key of this value is; for an item of a list, the item.
    key_at: Position,
}

impl<'a> Cursor<'a> {
    /// The whole file.
    pub(super) fn root(reading: &'a Reading<'a>, node: &'a Node<'a>) -> Self {
        Self {
            reading,
            node,
            path: "".into(),
            key_at: node.at,
        }
    }

    /// The way to this value.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Notes a mistake at this value.
    pub(super) fn fail<T>(&self, rule: impl Display) -> Read<T> {
        self.note(self.node.at, rule);
        Err(Reported)
    }

    /// Notes a mistake at this value's key: something is missing inside it.
    pub(super) fn fail_at_key<T>(&self, rule: impl Display) -> Read<T> {
        self.note(self.key_at, rule);
        Err(Reported)
    }

    /// Notes a mistake at a place of its own.
    pub(super) fn note(&self, at: Position, rule: impl Display) {
        let key = self.path.to_string();
        let mistake = Mistake {
            at: Some(at),
            key,
            rule: rule.to_string(),
        };
        self.reading.mistakes.borrow_mut().push(mistake);
    }

    fn expected<T>(&self, what: &str) -> Read<T> {
        self.fail(format_args!(
            "expected {what}, found {}",
            kind(&self.node.value)
        ))
    }

    /// Whether it is written as text, so that short forms can be told apart.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.node.value, Value::Text(_))
    }

    /// Whether it is a list.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    /// Whether it is a map.
    pub(super) fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// Text. What YAML takes for a number or a truth value must be quoted.
    pub(super) fn text(&self) -> Read<&'a str> {
        match &self.node.value {
            Value::Text(text) if text.is_empty() => self.fail("must not be empty"),
            Value::Text(text) => Ok(text),
            Value::Number(_) | Value::Bool(_) => self.fail(format_args!(
                "expected text, found {}; put it in quotes if it is meant",
                kind(&self.node.value)
            )),
            _ => self.expected("text"),
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Read<bool> {
        match self.node.value {
            Value::Bool(value) => Ok(value),
            _ => self.expected("true or false"),
        }
    }

    /// A number as written, unquoted; `what` names all that could stand here.
    pub(super) fn numeric(&self, what: &str) -> Read<&'a str> {
        match &self.node.value {
            Value::Number(text) => Ok(text),
            _ => self.expected(what),
        }
    }

    /// Text or a number, as written; `what` names all that could stand here.
    pub(super) fn scalar(&self, what: &str) -> Read<&'a str> {
        match &self.node.value {
            Value::Text(text) | Value::Number(text) => Ok(text),
            _ => self.expected(what),
        }
    }

    /// The value as JSON text, whatever it is.
    pub(super) fn json(&self) -> Read<String> {
        json(self.node)
            .or_else(|what| self.fail(format_args!("{} cannot be written as JSON", quoted(&what))))
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, words: &[(&'static str, T)]) -> Read<T> {
        let text = self.text()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.fail(format_args!(
            "{} is unknown; {}",
            quoted(text),
            hint(text, &known)
        ))
    }

    /// A name that stands in logs, metrics and headers: visible ASCII, not too long.
    pub(super) fn name(&self, longest: usize) -> Read<&'a str> {
        let text = self.text()?;
        match name_rule(text, longest) {
            None => Ok(text),
            Some(rule) => self.fail(rule),
        }
    }

    /// The same check on the key of this value.
    pub(super) fn check_key(&self, key: &str, longest: usize) -> Read<()> {
        match name_rule(key, longest) {
            None => Ok(()),
            Some(rule) => self.fail_at_key(rule),
        }
    }

    /// A file's path; a relative one starts at the config file's folder.
    pub(super) fn file(&self) -> Read<PathBuf> {
        let text = self.text()?;
        if text.contains('\0') {
            return self.fail("a path cannot hold a NUL");
        }
        Ok(self.reading.folder.join(text))
    }

    /// The items of a list that may be empty.
    pub(super) fn items(&self) -> Read<Vec<Self>> {
        let Value::List(nodes) = &self.node.value else {
            return self.expected("a list");
        };
        let item = |(index, node): (usize, &'a Node<'a>)| Self {
            reading: self.reading,
            node,
            path: path::index(&self.path, index).into(),
            key_at: node.at,
        };
        Ok(nodes.iter().enumerate().map(item).collect())
    }

    /// The items of a list that must have some.
    pub(super) fn some_items(&self) -> Read<Vec<Self>> {
        let items = self.items()?;
        if items.is_empty() {
            return self.fail("the list must not be empty");
        }
        Ok(items)
    }

    /// A map whose keys are names that the operator chose; at least one.
    pub(super) fn named(&self) -> Read<Vec<(&'a str, Self)>> {
        let entries = self.entries("a map")?;
        if entries.is_empty() {
            return self.fail("the map must not be empty");
        }
        Ok(entries
            .iter()
            .map(|entry| (entry.key.as_ref(), self.child(entry)))
            .collect())
    }

    /// The keys of a map, without a check; none if it is no map.
    pub(super) fn key_names(&self) -> Vec<&'a str> {
        match &self.node.value {
            Value::Map(entries) => entries.iter().map(|entry| entry.key.as_ref()).collect(),
            _ => Vec::new(),
        }
    }

    /// The entries of a map; `what` names all that could stand here.
    pub(super) fn entries(&self, what: &str) -> Read<&'a [Entry<'a>]> {
        match &self.node.value {
            Value::Map(entries) => Ok(entries),
            _ => self.expected(what),
        }
    }

    /// The value of an entry.
    pub(super) fn child(&self, entry: &'a Entry<'a>) -> Self {
        Self {
            reading: self.reading,
            node: &entry.node,
            path: path::join(&self.path, &entry.key).into(),
            key_at: entry.at,
        }
    }
}

/// The JSON of a tree, or the number that JSON does not know.
fn json(node: &Node<'_>) -> Result<String, String> {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    Ok(match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => match serde_json::from_str::<serde_json::Number>(number) {
            Ok(_) => number.to_string(),
            Err(_) => return Err(number.to_string()),
        },
        Value::Text(value) => text(value),
        Value::List(nodes) => {
            let items = nodes.iter().map(json).collect::<Result<Vec<_>, _>>()?;
            format!("[{}]", items.join(","))
        }
        Value::Map(entries) => {
            let field = |entry: &Entry<'_>| {
                Ok::<_, String>(format!("{}:{}", text(&entry.key), json(&entry.node)?))
            };
            let fields = entries.iter().map(field).collect::<Result<Vec<_>, _>>()?;
            format!("{{{}}}", fields.join(","))
        }
    })
}

/// All values, once every one of them has been read.
pub(super) fn all<T>(read: impl Iterator<Item = Read<T>>) -> Read<Vec<T>> {
    let read: Vec<Read<T>> = read.collect();
    read.into_iter().collect()
}

fn name_rule(name: &str, longest: usize) -> Option<String> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(format!(
            "{} is not a name: visible ASCII without spaces",
            quoted(name)
        ));
    }
    (name.len() > longest).then(|| format!("a name has at most {longest} characters"))
}

fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::Text(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
    }
}
