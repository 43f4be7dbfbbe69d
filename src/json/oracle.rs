//! What the index must find, by `serde_json`: to test against. It shares no code with the room;
//! the fuzz target includes this file too, so it names nothing of the crate.
//!
//! Where the room differs from `serde_json`'s grammar on purpose, the difference is here:
//! the top must be an object, of at most 1,024 fields with different names; at most 128 levels;
//! lone surrogates in names pass and are read as U+FFFD.

use std::{fmt, ops::Range};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The fields by decoded name, and where their values lie; `None` if the document is refused.
pub(super) fn index(document: &[u8]) -> Option<Vec<(String, Range<usize>)>> {
    // Names are read as bytes below, which serde_json then does not check.
    serde_json::from_slice::<&RawValue>(document).ok()?;
    let Object(fields) = serde_json::from_slice(document).ok()?;
    let mut names: Vec<&[u8]> = fields.iter().map(|(name, _)| name.as_slice()).collect();
    names.sort_unstable();
    names.dedup();
    let distinct = names.len() == fields.len();
    if !distinct || fields.len() > 1024 || depth(document) > 128 {
        return None;
    }
    let found = fields.into_iter().map(|(name, value)| {
        let start = value.as_ptr() as usize - document.as_ptr() as usize;
        let name = String::from_utf8(name).unwrap_or_default();
        (name, start..start + value.len())
    });
    Some(found.collect())
}

struct Object<'a>(Vec<(Vec<u8>, &'a str)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((Name(name), value)) = map.next_entry::<Name, &RawValue>()? {
            fields.push((name, value.get()));
        }
        Ok(Object(fields))
    }
}

/// A name, read as bytes, as those may hold lone surrogates (three bytes, ED then A0 to BF).
struct Name(Vec<u8>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<Name, E> {
        let mut name = name.to_vec();
        for at in 0..name.len() {
            if let Some([lead @ 0xED, middle @ 0xA0..=0xBF, last]) = name.get_mut(at..at + 3) {
                (*lead, *middle, *last) = (0xEF, 0xBF, 0xBD);
            }
        }
        Ok(Name(name))
    }
}

/// How deep a valid document nests.
fn depth(document: &[u8]) -> usize {
    let (mut deepest, mut depth) = (0_usize, 0_usize);
    let mut bytes = document.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn skip_string<'a>(bytes: &mut impl Iterator<Item = &'a u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
}
