//! What the readers of the input share: its variables, and the notes so far.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::cli::import::notes::Notes;
use crate::cli::import::tree::Node;

/// How LiteLLM writes a reference, for any value.
const REFERENCE: &str = "os.environ/";

/// What the names of secrets speak of.
const SECRET: [&str; 6] = ["KEY", "TOKEN", "SECRET", "PASS", "CREDENTIAL", "AUTH"];

/// The world around the input.
pub(super) struct Reading<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    own: BTreeMap<String, String>,
    notes: RefCell<Notes>,
}

impl<'a> Reading<'a> {
    /// Takes the variables that the input sets itself, and looks up the others.
    pub(super) fn new(root: &Node, environment: &'a dyn Fn(&str) -> Option<String>) -> Self {
        let own = match root.get("environment_variables") {
            Some(Node::Map(entries)) => entries.iter().filter_map(set_here).collect(),
            _ => BTreeMap::new(),
        };
        Self {
            environment,
            own,
            notes: RefCell::default(),
        }
    }

    /// The value of a variable that holds no secret, such as an address. One whose name speaks of
    /// secrets is not looked at: what is found here is written out.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let upper = name.to_ascii_uppercase();
        if SECRET.iter().any(|word| upper.contains(word)) {
            return None;
        }
        let own = self.own.get(name).cloned();
        own.or_else(|| (self.environment)(name))
            .filter(|value| !value.is_empty())
    }

    /// Notes something at a key.
    pub(super) fn note(&self, path: &str, why: &str) {
        self.notes.borrow_mut().add(path, why);
    }

    /// All notes.
    pub(super) fn into_notes(self) -> Notes {
        self.notes.into_inner()
    }
}

fn set_here((name, node): &(String, Node)) -> Option<(String, String)> {
    match node {
        Node::Text(text) | Node::Number(_, text) if reference(text).is_none() => {
            Some((name.clone(), text.clone()))
        }
        _ => None,
    }
}

/// The variable that a value refers to.
pub(super) fn reference(text: &str) -> Option<&str> {
    text.strip_prefix(REFERENCE)
}
