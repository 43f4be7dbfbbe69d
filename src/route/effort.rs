//! How much work it is to hold an answer against a schema: the same walk without the checks, with
//! every branch taken, so that it is never less than the real one.

use serde_json::Value;

/// The most steps: some tens of milliseconds of checking.
const MOST: u64 = 200_000;
/// As deep as schemas may be within one another on the way to one value.
const DEEPEST: u32 = 256;

/// Keywords with references or results that this walk does not follow.
const REFUSED: [&str; 8] = [
    "$id",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$recursiveRef",
    "$recursiveAnchor",
    "unevaluatedProperties",
    "unevaluatedItems",
];

/// Whether a check can be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    Bounded,
    TooMuch,
}

impl Effort {
    /// Of holding an answer against a schema.
    pub(super) fn of(schema: &Value, answer: &Value) -> Self {
        let mut walk = Walk {
            root: schema,
            left: MOST,
        };
        match walk.hold(schema, answer, 0) {
            Some(()) => Self::Bounded,
            None => Self::TooMuch,
        }
    }
}

/// Whether the walk follows all of a schema: each reference leads to a place in it. A property that
/// is called like a refused keyword counts as one.
pub(super) fn is_plain(schema: &Value) -> bool {
    // Values nest 128 deep at most.
    fn plain(root: &Value, value: &Value) -> bool {
        match value {
            Value::Array(items) => items.iter().all(|item| plain(root, item)),
            Value::Object(fields) => fields.iter().all(|(name, value)| {
                let leads = match (name.as_str(), value) {
                    ("$ref", Value::String(to)) => target(root, to).is_some(),
                    (name, _) => !REFUSED.contains(&name),
                };
                leads && plain(root, value)
            }),
            _ => true,
        }
    }
    (schema.is_object() || schema.is_boolean()) && plain(schema, schema)
}

/// The place in the schema that a reference names.
fn target<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    let pointer = reference.strip_prefix('#')?;
    // A pointer may have per cent escapes in a reference; such names are not followed.
    if pointer.contains('%') {
        return None;
    }
    root.pointer(pointer)
}

struct Walk<'a> {
    root: &'a Value,
    left: u64,
}

impl Walk<'_> {
    /// `None` once the steps have run out.
    fn hold(&mut self, schema: &Value, answer: &Value, depth: u32) -> Option<()> {
        let Value::Object(keywords) = schema else {
            return self.spend(1);
        };
        if depth > DEEPEST {
            return None;
        }
        self.spend(1)?;
        for (keyword, value) in keywords {
            match keyword.as_str() {
                "$ref" => {
                    let to = value.as_str().and_then(|to| target(self.root, to))?;
                    self.hold(to, answer, depth + 1)?;
                }
                "allOf" | "anyOf" | "oneOf" | "not" | "if" | "then" | "else" => {
                    self.each(value, answer, depth)?;
                }
                "dependentSchemas" | "dependencies" => {
                    for schema in value.as_object().into_iter().flat_map(|map| map.values()) {
                        self.hold(schema, answer, depth + 1)?;
                    }
                }
                "enum" | "const" => self.spend(size(value))?,
                "pattern" => self.spend(size(answer))?,
                "uniqueItems" => {
                    let items = answer.as_array().map_or(0, Vec::len) as u64;
                    self.spend(items.saturating_mul(items))?;
                }
                _ => self.parts(keyword, value, answer, depth)?,
            }
        }
        Some(())
    }

    /// One schema or several, against the same value.
    fn each(&mut self, schemas: &Value, answer: &Value, depth: u32) -> Option<()> {
        match schemas {
            Value::Array(schemas) => schemas
                .iter()
                .try_for_each(|schema| self.hold(schema, answer, depth + 1)),
            schema => self.hold(schema, answer, depth + 1),
        }
    }

    /// Keywords that speak of what is inside a value.
    fn parts(&mut self, keyword: &str, value: &Value, answer: &Value, depth: u32) -> Option<()> {
        match (keyword, answer) {
            ("properties", Value::Object(fields)) => {
                for (name, schema) in value.as_object()? {
                    self.spend(1)?;
                    if let Some(field) = fields.get(name) {
                        self.hold(schema, field, depth + 1)?;
                    }
                }
            }
            ("patternProperties", Value::Object(fields)) => {
                for schema in value.as_object()?.values() {
                    for (name, field) in fields {
                        self.spend(1 + name.len() as u64)?;
                        self.hold(schema, field, depth + 1)?;
                    }
                }
            }
            ("additionalProperties", Value::Object(fields)) => {
                for field in fields.values() {
                    self.hold(value, field, depth + 1)?;
                }
            }
            ("propertyNames", Value::Object(fields)) => {
                for name in fields.keys() {
                    self.hold(value, &Value::String(name.clone()), depth + 1)?;
                }
            }
            ("items" | "prefixItems" | "additionalItems" | "contains", Value::Array(items)) => {
                for item in items {
                    self.each(value, item, depth)?;
                }
            }
            _ => {}
        }
        Some(())
    }

    fn spend(&mut self, steps: u64) -> Option<()> {
        self.left = self.left.checked_sub(steps)?;
        Some(())
    }
}

/// What it takes to compare a value, about.
fn size(value: &Value) -> u64 {
    match value {
        Value::String(text) => 1 + text.len() as u64 / 16,
        Value::Array(items) => items.iter().map(size).fold(1, u64::saturating_add),
        Value::Object(fields) => fields.values().map(size).fold(1, u64::saturating_add),
        _ => 1,
    }
}
