//! Where in a request something stands, for the words of a refusal, and reading what stands there.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::dialect::ask::Unfit;
use crate::exchange::Request;

/// The way to a value, `messages[3].content` as a rule. It is put into words when something is
/// wrong, and only then.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// A field at the top.
    Field(&'static str),
    /// An item of a list at the top.
    Item(&'static str, usize),
    /// A field of such an item.
    Inside(&'static str, usize, &'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => out.write_str(name),
            Self::Item(name, index) => write!(out, "{name}[{index}]"),
            Self::Inside(name, index, field) => write!(out, "{name}[{index}].{field}"),
        }
    }
}

impl Place {
    /// The refusal of what stands here.
    pub(super) fn refuse(self, rule: impl Into<Cow<'static, str>>) -> Unfit {
        Unfit::unreadable(self.to_string(), rule)
    }

    /// Reads what stands here.
    pub(super) fn read<'a, T: Deserialize<'a>>(self, json: &'a str) -> Result<T, Unfit> {
        serde_json::from_str(json).map_err(|error| {
            self.refuse(match error.classify() {
                // It has been checked as a whole: what is left is how deep the reader goes.
                Category::Io | Category::Syntax | Category::Eof => "cannot be read",
                Category::Data => "has a field that is missing, twice or of the wrong type",
            })
        })
    }

    /// Reads a list one item at a time, so that the blame falls on the right one.
    pub(super) fn list<'a, T: Deserialize<'a>>(
        name: &'static str,
        json: &'a str,
    ) -> Result<Vec<T>, Unfit> {
        if let Ok(all) = serde_json::from_str(json) {
            return Ok(all);
        }
        let items: Vec<&RawValue> = Self::Field(name).read(json)?;
        let items = items.into_iter().enumerate();
        items
            .map(|(index, item)| Self::Item(name, index).read(item.get()))
            .collect()
    }
}

/// The JSON of a field at the top; null counts as absent.
pub(super) fn field<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let value = request.fields.value(&request.body, name)?;
    let text = std::str::from_utf8(value).ok()?;
    Some(text).filter(|text| *text != "null")
}
