//! JSON Schemas as structured outputs take them (the vendor's page "Structured outputs"): every
//! object closed, no recursion, no bounds on numbers and lengths.
//!
//! A schema is only ever narrowed, so that whatever keeps to the new one keeps to the client's; one
//! that would have to be widened is not taken. The order of its fields stays: answers follow it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::dialect::anthropic::text::Text;

/// The largest schema that is looked at: each level of it is read again by the level above.
const MOST: usize = 256 << 10;
const DEEPEST: u8 = 32;
const CLOSED: &str = r#""additionalProperties":false"#;
/// What is refused wherever it stands.
const REFUSED: [&str; 13] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "not",
];

/// The schema with every object closed; `None` if it is outside the limits.
pub(super) fn narrowed(schema: &RawValue) -> Option<Cow<'_, RawValue>> {
    if schema.get().len() > MOST {
        return None;
    }
    let mut out = String::with_capacity(schema.get().len() + CLOSED.len());
    write(schema.get(), &mut out, DEEPEST)?;
    if out == schema.get() {
        return Some(Cow::Borrowed(schema));
    }
    RawValue::from_string(out).ok().map(Cow::Owned)
}

/// An object's fields in their order.
struct Entries<'a>(Vec<(Text<'a>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Vec<(Text<'de>, &'de RawValue)>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }
        json.deserialize_map(Fields).map(Entries)
    }
}

impl Entries<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let entry = self.0.iter().find(|(own, _)| own.is(name));
        entry.map(|(_, value)| value.get())
    }
}

/// Writes a schema; `true` and `false` are ones too.
fn write(schema: &str, out: &mut String, depth: u8) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    if !schema.starts_with('{') {
        return None;
    }
    let entries: Entries<'_> = serde_json::from_str(schema).ok()?;
    let properties = entries.get("properties");
    let open = entries.get("additionalProperties");
    let is_object = properties.is_some() || entries.get("type") == Some(r#""object""#);
    // Without properties it is a map, and closed it would be always empty.
    if is_object && (properties.is_none() || open.is_some_and(|open| open != "false")) {
        return None;
    }
    out.push('{');
    for (at, (name, value)) in entries.0.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&serde_json::to_string(&*name.0).ok()?);
        out.push(':');
        field(&name.0, value.get(), out, depth)?;
    }
    if is_object && open.is_none() {
        out.push(',');
        out.push_str(CLOSED);
    }
    out.push('}');
    Some(())
}

fn field(name: &str, value: &str, out: &mut String, depth: u8) -> Option<()> {
    match name {
        name if REFUSED.contains(&name) => None,
        "minItems" if !matches!(value, "0" | "1") => None,
        // Recursion, or a document elsewhere.
        "$ref" if value == "\"#\"" || !value.starts_with("\"#/") => None,
        "properties" | "$defs" | "definitions" => each_field(value, out, depth),
        "items" => write(value, out, depth),
        "anyOf" | "allOf" | "oneOf" | "prefixItems" => each_item(value, out, depth),
        _ => {
            out.push_str(value);
            Some(())
        }
    }
}

/// Writes an object whose values are schemas.
fn each_field(schemas: &str, out: &mut String, depth: u8) -> Option<()> {
    let entries: Entries<'_> = serde_json::from_str(schemas).ok()?;
    out.push('{');
    for (at, (name, schema)) in entries.0.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&serde_json::to_string(&*name.0).ok()?);
        out.push(':');
        write(schema.get(), out, depth)?;
    }
    out.push('}');
    Some(())
}

/// Writes a list of schemas.
fn each_item(schemas: &str, out: &mut String, depth: u8) -> Option<()> {
    let items: Vec<&RawValue> = serde_json::from_str(schemas).ok()?;
    out.push('[');
    for (at, schema) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(schema.get(), out, depth)?;
    }
    out.push(']');
    Some(())
}
