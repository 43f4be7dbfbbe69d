//! The fields of an object and the items of a list, one level deep and in their order.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::dialect::gemini::quote;
use crate::dialect::leaf::Leaf;

/// The most schemas in one, counted after inlining.
pub(super) const MAX_SCHEMAS: usize = 1024;

/// The fields of an object; none of anything else.
pub(super) fn fields(value: &RawValue) -> Vec<(Cow<'_, str>, &RawValue)> {
    let read: Result<Fields<'_>, _> = serde_json::from_str(value.get());
    read.map(|fields| fields.0).unwrap_or_default()
}

/// The items of a list; none of anything else.
pub(super) fn items(value: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(value.get()).unwrap_or_default()
}

/// The text of a string.
pub(super) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    Leaf::from(value).text()
}

struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(Object)
    }
}

struct Object;

/// A name that borrows where it can; `Cow` by itself never does.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for Object {
    type Value = Fields<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut all = Vec::new();
        while let Some((Key(name), value)) = map.next_entry()? {
            all.push((name, value));
        }
        Ok(Fields(all))
    }
}

/// Writes a list of texts.
pub(super) fn strings(texts: &[Cow<'_, str>], out: &mut String) {
    out.push('[');
    for (at, text) in texts.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "," });
        quote(text, out);
    }
    out.push(']');
}
