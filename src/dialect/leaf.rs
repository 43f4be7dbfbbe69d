//! A JSON value as it stands in the document, read only when and as far as it is needed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, Visitor};
use serde_json::value::RawValue;

use super::name::Name;
use crate::json::{Invalid, Walk};

/// A valid JSON value as text. Nothing read from it fails: a value of another type than the one
/// asked for is none, for providers bend the types of fields that we only look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf<'a>(&'a str);

impl<'a> Leaf<'a> {
    /// The document, if it is one JSON value and nothing else.
    pub(super) fn parse(document: &'a str) -> Option<Self> {
        serde_json::from_str::<&RawValue>(document)
            .ok()
            .map(Self::from)
    }

    /// Passes the next value of a walk over the document.
    pub(super) fn next(document: &'a str, walk: &mut Walk<'a>) -> Result<Self, Invalid> {
        let begin = walk.at();
        walk.pass()?;
        Ok(Self(document.get(begin..walk.at()).unwrap_or_default()))
    }

    /// The value's own JSON.
    pub(super) fn json(self) -> &'a str {
        self.0
    }

    /// The string's text; borrowed if it has no escapes.
    ///
    /// Half a surrogate pair, which some servers send when they cut between the two, becomes
    /// U+FFFD here. The frame itself keeps it.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
            return Some(Cow::Borrowed(inner));
        }
        serde_json::Deserializer::from_str(self.0)
            .deserialize_bytes(Unescaped)
            .ok()
            .map(Cow::Owned)
    }

    /// The string's text, if there is any.
    pub(super) fn words(self) -> Option<Cow<'a, str>> {
        self.text().filter(|text| !text.is_empty())
    }

    /// The number, clamped to 0..=`u32::MAX` and cut to an integer: no answer takes more tokens,
    /// and sums of such counts stay far from the range's end.
    pub(super) fn count(self) -> Option<u64> {
        const MOST: u64 = u32::MAX as u64;
        if let Ok(count) = self.0.parse::<u64>() {
            return Some(count.min(MOST));
        }
        let number = self.number()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float cast saturates, and cutting to an integer is what is wanted"
        )]
        let count = number as u64;
        Some(count.min(MOST))
    }

    /// The number as it is said, as near as a float comes to it.
    pub(super) fn number(self) -> Option<f64> {
        // JSON has no other value that Rust reads as a float.
        self.0.parse::<f64>().ok()
    }

    /// Whether JavaScript takes the value for true, as the official SDKs ask of an `error`.
    pub(super) fn is_truthy(self) -> bool {
        match self.0 {
            "null" | "false" | "\"\"" => false,
            number => number.parse::<f64>() != Ok(0.0),
        }
    }

    /// Whether it is an object.
    pub(super) fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    /// Shows each known field of an object in turn; of another value, none.
    pub(super) fn fields(self, mut show: impl FnMut(Name, Leaf<'a>)) {
        if !self.is_object() {
            return;
        }
        // The value has been checked.
        let _ = self.walk().fields(|walk, name| {
            let name = Name::of(name);
            if name != Name::Other {
                show(name, Self::next(self.0, walk)?);
            }
            Ok(())
        });
    }

    /// Shows each element of an array in turn; of another value, none.
    pub(super) fn items(self, mut show: impl FnMut(Leaf<'a>)) {
        if !self.0.starts_with('[') {
            return;
        }
        let _ = self.walk().items(|walk| {
            show(Self::next(self.0, walk)?);
            Ok(())
        });
    }

    fn walk(self) -> Walk<'a> {
        Walk::new(self.0.as_bytes())
    }
}

impl<'a> From<&'a RawValue> for Leaf<'a> {
    fn from(value: &'a RawValue) -> Self {
        Self(value.get())
    }
}

/// Strings are asked for as bytes, for as text half a surrogate pair would be an error.
struct Unescaped;

impl Visitor<'_> for Unescaped {
    type Value = String;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<String, E> {
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}
