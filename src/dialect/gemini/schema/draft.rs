//! What a schema says that the subset has a word for.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::value::RawValue;

use super::list::{MAX_SCHEMAS, fields, items, strings, text};

/// Words whose value goes on as it is where it has the right type.
const COUNTS: [&str; 6] = [
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
];
const NUMBERS: [&str; 2] = ["minimum", "maximum"];
const TEXTS: [&str; 3] = ["title", "description", "pattern"];
const ANY: [&str; 2] = ["default", "example"];
/// Formats that the API knows; others, hints in JSON Schema, it refuses.
const FORMATS: [&str; 6] = ["date-time", "enum", "float", "double", "int32", "int64"];
const TYPES: [&str; 6] = ["string", "number", "integer", "boolean", "array", "object"];

/// The parts of a schema.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft<'a> {
    /// The references that it was gathered from.
    pub(super) followed: Vec<Cow<'a, str>>,
    pub(super) nullable: bool,
    /// Known types but null; several mean any of them.
    pub(super) types: Vec<&'static str>,
    plain: Vec<(&'static str, &'a RawValue)>,
    /// Values that are allowed, without null, as strings.
    values: Option<Vec<Cow<'a, str>>>,
    ordering: Vec<Cow<'a, str>>,
    any_of: Vec<&'a RawValue>,
    pub(super) items: Option<&'a RawValue>,
    pub(super) properties: Vec<(Cow<'a, str>, &'a RawValue)>,
    required: Vec<Cow<'a, str>>,
}

impl<'a> Draft<'a> {
    /// Takes one field of a schema. A field that comes again counts for more.
    pub(super) fn take(&mut self, name: &str, value: &'a RawValue) {
        match name {
            "type" => self.typed(value),
            "nullable" => self.nullable |= value.get() == "true",
            "const" => self.allow(std::iter::once(value)),
            "enum" => self.allow(items(value)),
            "anyOf" | "oneOf" => self.any_of.extend(items(value)),
            "items" => self.items = items(value).first().copied().or(Some(value)),
            "properties" => {
                // One more than a schema may have is enough to refuse it.
                for (name, schema) in fields(value).into_iter().take(MAX_SCHEMAS) {
                    self.properties.retain(|(known, _)| *known != name);
                    self.properties.push((name, schema));
                }
            }
            "required" => self
                .required
                .extend(items(value).into_iter().filter_map(text)),
            "propertyOrdering" => {
                self.ordering = items(value).into_iter().filter_map(text).collect();
            }
            "examples" => {
                if let Some(first) = items(value).first() {
                    self.keep("example", first);
                }
            }
            name => self.word(name, value),
        }
    }

    /// Takes a field that goes on as it is.
    fn word(&mut self, name: &str, value: &'a RawValue) {
        let json = value.get();
        let is_count = json.parse::<u64>().is_ok();
        let is_number = json.parse::<f64>().is_ok_and(f64::is_finite);
        let is_text = json.starts_with('"');
        let is_format = text(value).is_some_and(|text| FORMATS.contains(&&*text));
        for (words, fits) in [
            (&COUNTS[..], is_count),
            (&NUMBERS, is_number),
            (&TEXTS, is_text),
            (&ANY, true),
            (&["format"], is_format),
        ] {
            if let Some(word) = words.iter().find(|word| **word == name && fits) {
                self.keep(word, value);
            }
        }
    }

    fn keep(&mut self, name: &'static str, value: &'a RawValue) {
        self.plain.retain(|(known, _)| *known != name);
        self.plain.push((name, value));
    }

    fn typed(&mut self, value: &'a RawValue) {
        let mut types = Vec::new();
        for one in text(value)
            .into_iter()
            .chain(items(value).into_iter().filter_map(text))
        {
            let one = one.to_ascii_lowercase();
            self.nullable |= one == "null";
            let known = TYPES.iter().find(|known| **known == one);
            types.extend(known.filter(|known| !types.contains(*known)));
        }
        // Null alone: the subset has no such type.
        if types.is_empty() && self.nullable {
            types.push("string");
        }
        self.types = types;
    }

    fn allow(&mut self, values: impl IntoIterator<Item = &'a RawValue>) {
        let mut allowed: Vec<Cow<'a, str>> = Vec::new();
        let mut seen = HashSet::new();
        for value in values {
            if value.get() == "null" {
                self.nullable = true;
                continue;
            }
            let value = text(value).unwrap_or(Cow::Borrowed(value.get()));
            // Empty ones are refused.
            if !value.is_empty() && seen.insert(value.clone()) {
                allowed.push(value);
            }
        }
        self.values = Some(allowed);
    }

    /// The choices that are not null.
    pub(super) fn choices(&self) -> Vec<&'a RawValue> {
        let choices = self.any_of.iter().copied();
        choices.filter(|choice| !is_null(choice)).collect()
    }

    /// The only choice, where there is one: it is no choice then.
    pub(super) fn only_choice(&self) -> Option<&'a RawValue> {
        match *self.choices() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// What stands beside the choices.
    pub(super) fn beside_choices(&self) -> Self {
        Self {
            followed: Vec::new(),
            any_of: Vec::new(),
            nullable: self.is_nullable(),
            ..self.clone()
        }
    }

    /// The schema for one of its types.
    pub(super) fn of_type(&self, one: &'static str) -> Self {
        Self {
            types: vec![one],
            nullable: false,
            plain: Vec::new(),
            any_of: Vec::new(),
            values: self.values.clone().filter(|_| one == "string"),
            ..self.clone()
        }
    }

    fn is_nullable(&self) -> bool {
        self.nullable || self.any_of.iter().any(|choice| is_null(choice))
    }

    /// Whether it is of this type, said or plain from its other fields.
    pub(super) fn is(&self, wanted: &str) -> bool {
        self.kind() == Some(wanted)
    }

    fn kind(&self) -> Option<&'static str> {
        // The subset has only texts to choose from.
        if self
            .values
            .as_ref()
            .is_some_and(|values| !values.is_empty())
        {
            return Some("string");
        }
        if let [only] = *self.types {
            return Some(only);
        }
        if self.types.is_empty() && !self.properties.is_empty() {
            return Some("object");
        }
        if self.types.is_empty() && self.items.is_some() {
            return Some("array");
        }
        None
    }

    /// The fields that hold no schema, as JSON.
    pub(super) fn plain(&self) -> Vec<(&'static str, Cow<'a, str>)> {
        let mut all = Vec::new();
        if let Some(kind) = self.kind() {
            all.push(("type", Cow::Owned(format!("\"{kind}\""))));
        }
        if self.is_nullable() {
            all.push(("nullable", Cow::Borrowed("true")));
        }
        for (name, value) in &self.plain {
            all.push((name, Cow::Borrowed(value.get())));
        }
        if let Some(values) = self.values.as_ref().filter(|values| !values.is_empty()) {
            let mut list = String::new();
            strings(values, &mut list);
            all.push(("enum", Cow::Owned(list)));
        }
        let known = |name: &&Cow<'a, str>| self.has(name);
        let ordering: Vec<_> = self.ordering.iter().filter(known).cloned().collect();
        if self.is("object") && !ordering.is_empty() {
            let mut list = String::new();
            strings(&ordering, &mut list);
            all.push(("propertyOrdering", Cow::Owned(list)));
        }
        all
    }

    /// The fields that must be there; those that are nowhere described are refused.
    pub(super) fn required(&self) -> Vec<Cow<'a, str>> {
        let mut names: Vec<Cow<'a, str>> = Vec::new();
        for name in &self.required {
            if self.has(name) && !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    fn has(&self, property: &str) -> bool {
        self.properties.iter().any(|(name, _)| name == property)
    }
}

/// Whether a schema allows null and nothing else.
fn is_null(schema: &RawValue) -> bool {
    let all = fields(schema);
    all.iter().any(|(name, value)| match &**name {
        "type" => value.get() == "\"null\"",
        "const" => value.get() == "null",
        _ => false,
    })
}
