//! Any JSON as a schema for Gemini: no panic, a bounded result that is JSON, and only words of the
//! subset in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use segue::dialect::gemini::schema::{subset, without_marks};
use serde_json::Value;
use serde_json::value::RawValue;

const WORDS: [&str; 22] = [
    "type",
    "nullable",
    "title",
    "description",
    "format",
    "pattern",
    "default",
    "example",
    "enum",
    "required",
    "propertyOrdering",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "anyOf",
    "items",
    "properties",
];

fuzz_target!(|text: &str| {
    let Ok(schema) = serde_json::from_str::<&RawValue>(text) else {
        return;
    };
    let _ = without_marks(schema);
    if let Ok(json) = subset(schema) {
        assert!(json.len() <= 16 << 20);
        if let Ok(value) = serde_json::from_str(&json) {
            check(&value);
        }
    }
});

fn check(schema: &Value) {
    let Some(fields) = schema.as_object() else {
        panic!("no object");
    };
    for (name, value) in fields {
        assert!(WORDS.contains(&name.as_str()), "{name}");
        match (name.as_str(), value) {
            ("anyOf", Value::Array(all)) => all.iter().for_each(check),
            ("properties", Value::Object(all)) => all.values().for_each(check),
            ("items", value) => check(value),
            _ => {}
        }
    }
}
