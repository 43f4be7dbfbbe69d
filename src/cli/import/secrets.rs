//! Where the secrets of the output come from: always a variable of the environment.
//!
//! A secret that stands in the input itself gets a variable's name; its value is compared and
//! forgotten, and never leaves this room.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::import::reading::{Reading, reference};
use crate::cli::import::tree::Node;
use crate::cli::import::vendor;

/// The variables that the output needs.
pub(super) struct Secrets {
    taken: BTreeSet<String>,
    literals: BTreeMap<String, String>,
    needed: Vec<String>,
}

impl Secrets {
    /// Looks through the input for names that are taken.
    pub(super) fn new(root: &Node) -> Self {
        let mut taken = BTreeSet::new();
        referred(root, &mut taken);
        usual(root, &mut taken);
        Self {
            taken,
            literals: BTreeMap::new(),
            needed: Vec::new(),
        }
    }

    /// The variable of a secret as written; `name` is for one that stands in the input itself.
    pub(super) fn written(
        &mut self,
        text: &str,
        name: &str,
        path: &str,
        reading: &Reading<'_>,
    ) -> String {
        if let Some(name) = reference(text) {
            let letters = |one: char| {
                if one.is_ascii_alphanumeric() {
                    one
                } else {
                    '_'
                }
            };
            let spelled: String = name.chars().map(letters).collect();
            if spelled != name || spelled.is_empty() {
                reading.note(
                    path,
                    "the variable has a name that segue does not take: rename it",
                );
            }
            let spelled = if spelled.is_empty() {
                "UNNAMED".to_owned()
            } else {
                spelled
            };
            return self.variable(&spelled);
        }
        let known = self.literals.get(text).cloned();
        let variable = known.unwrap_or_else(|| {
            let free = self.free(name);
            self.taken.insert(free.clone());
            self.literals.insert(text.to_owned(), free.clone());
            free
        });
        let why = format!("the secret is not written out: put it into the variable {variable}");
        reading.note(path, &why);
        self.variable(&variable)
    }

    /// A variable that LiteLLM reads without being told.
    pub(super) fn variable(&mut self, name: &str) -> String {
        if !self.needed.iter().any(|needed| needed == name) {
            self.needed.push(name.to_owned());
        }
        name.to_owned()
    }

    /// All variables that the output names, in the order of their use.
    pub(super) fn into_needed(self) -> Vec<String> {
        self.needed
    }

    fn free(&self, name: &str) -> String {
        let mut free = name.to_owned();
        let mut number = 1_u32;
        while self.taken.contains(&free) {
            number = number.saturating_add(1);
            free = format!("{name}_{number}");
        }
        free
    }
}

fn referred(node: &Node, taken: &mut BTreeSet<String>) {
    match node {
        Node::Text(text) => taken.extend(reference(text).map(str::to_owned)),
        Node::List(items) => items.iter().for_each(|item| referred(item, taken)),
        Node::Map(entries) => entries.iter().for_each(|(_, node)| referred(node, taken)),
        Node::Null | Node::Bool(_) | Node::Number(..) => {}
    }
}

/// The variables of deployments without a key of their own.
fn usual(root: &Node, taken: &mut BTreeSet<String>) {
    let Some(Node::List(entries)) = root.get("model_list") else {
        return;
    };
    for params in entries
        .iter()
        .filter_map(|entry| entry.get("litellm_params"))
    {
        let keyless = params.get("api_key").is_none_or(Node::is_idle);
        if let (true, Some(Node::Text(model))) = (keyless, params.get("model")) {
            let (vendor, _) = vendor::split(model, None);
            taken.extend(vendor.map(|vendor| vendor.variable.to_owned()));
        }
    }
}
