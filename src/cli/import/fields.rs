//! A map of the input, read key by key. What nobody asked for is listed when it is closed.

use crate::cli::import::reading::{Reading, reference};
use crate::cli::import::tree::Node;

/// What is left of a map, and the way to it.
pub(super) struct Fields<'a> {
    /// What readers share.
    pub(super) reading: &'a Reading<'a>,
    path: String,
    left: Vec<(&'a str, &'a Node)>,
}

impl<'a> Fields<'a> {
    /// Opens a map. What is absent is empty, what is no map is noted and empty.
    pub(super) fn open(reading: &'a Reading<'a>, path: String, node: Option<&'a Node>) -> Self {
        let left = match node {
            None | Some(Node::Null) => Vec::new(),
            Some(Node::Map(entries)) => entries
                .iter()
                .map(|(key, node)| (key.as_str(), node))
                .collect(),
            Some(_) => {
                reading.note(&path, "is no map: not read");
                Vec::new()
            }
        };
        Self {
            reading,
            path,
            left,
        }
    }

    /// The way to a key.
    pub(super) fn path(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Notes something at a key.
    pub(super) fn note(&self, key: &str, why: &str) {
        self.reading.note(&self.path(key), why);
    }

    /// The value of a key, unless it is null.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a Node> {
        let at = self.left.iter().position(|(name, _)| *name == key)?;
        let (_, node) = self.left.remove(at);
        Some(node).filter(|node| !matches!(node, Node::Null))
    }

    /// Whether a key is there and says something.
    pub(super) fn peek(&self, key: &str) -> bool {
        let mut left = self.left.iter();
        left.any(|(name, node)| *name == key && !node.is_idle())
    }

    /// Adds what another map says, where this one is silent.
    pub(super) fn inherit(&mut self, other: &'a Node) {
        if let Node::Map(entries) = other {
            for (key, node) in entries {
                if !self.left.iter().any(|(name, _)| name == key) {
                    self.left.push((key, node));
                }
            }
        }
    }

    /// A map below this one.
    pub(super) fn below(&mut self, key: &str) -> Self {
        Self::open(self.reading, self.path(key), self.take(key))
    }

    /// Text as written, references and all; a number is text here.
    pub(super) fn written(&mut self, key: &str) -> Option<&'a str> {
        match self.take(key)? {
            Node::Text(text) if text.trim().is_empty() => None,
            Node::Text(text) | Node::Number(_, text) => Some(text.trim()),
            _ => {
                self.note(key, "is no text: not read");
                None
            }
        }
    }

    /// Text that is no secret, with a reference replaced by what it stands for, if that is known.
    pub(super) fn text(&mut self, key: &str) -> Option<Known<'a>> {
        let written = self.written(key)?;
        let Some(name) = reference(written) else {
            return Some(Known::Is(written.to_owned()));
        };
        let value = self.reading.variable(name);
        Some(value.map_or(Known::Unset(name), Known::Is))
    }

    /// A number; text that reads as one is fine.
    pub(super) fn number(&mut self, key: &str) -> Option<f64> {
        let number = match self.take(key)? {
            Node::Number(value, _) => Some(*value),
            Node::Text(text) => match reference(text.trim()) {
                None => text.trim().parse().ok(),
                Some(name) => self
                    .reading
                    .variable(name)
                    .and_then(|value| value.trim().parse().ok()),
            },
            _ => None,
        };
        let number = number.filter(|number: &f64| number.is_finite());
        if number.is_none() {
            self.note(key, "is no number that is known here: not carried over");
        }
        number
    }

    /// A truth value.
    pub(super) fn flag(&mut self, key: &str) -> Option<Switch> {
        match self.take(key)? {
            Node::Bool(true) => Some(Switch::On),
            Node::Bool(false) => Some(Switch::Off),
            Node::Text(text) if is_one_of(text, &["true", "yes", "on"]) => Some(Switch::On),
            Node::Text(text) if is_one_of(text, &["false", "no", "off"]) => Some(Switch::Off),
            _ => {
                self.note(key, "is neither true nor false: not carried over");
                None
            }
        }
    }

    /// The items of a list, and the way to each; one text alone is a list of one.
    pub(super) fn list(&mut self, key: &str) -> Vec<(String, &'a Node)> {
        let path = self.path(key);
        match self.take(key) {
            None => Vec::new(),
            Some(Node::List(items)) => items
                .iter()
                .enumerate()
                .map(|(index, item)| (format!("{path}[{index}]"), item))
                .collect(),
            Some(node @ Node::Text(_)) => vec![(path, node)],
            Some(_) => {
                self.note(key, "is no list: not read");
                Vec::new()
            }
        }
    }

    /// The keys that are left.
    pub(super) fn names(&self) -> Vec<&'a str> {
        self.left.iter().map(|(name, _)| *name).collect()
    }

    /// Takes all that is left, for maps whose keys are names.
    pub(super) fn drain(&mut self) -> Vec<(&'a str, &'a Node)> {
        std::mem::take(&mut self.left)
    }

    /// Lists what nobody asked for, but for what is off or empty.
    pub(super) fn close(mut self, why: fn(&str) -> &'static str) {
        for (key, node) in self.drain() {
            if !node.is_idle() {
                self.note(key, why(key));
            }
        }
    }
}

fn is_one_of(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Text that may hang on a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known<'a> {
    /// It is this.
    Is(String),
    /// It is what this variable holds, and nobody here knows it.
    Unset(&'a str),
}

/// On or off, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    On,
    Off,
}

/// The way to a key below another.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        return key.to_owned();
    }
    format!("{path}.{key}")
}
