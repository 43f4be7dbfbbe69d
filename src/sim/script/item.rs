//! One item of a script's text: its key, and its value read as what the key wants.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::sim::script::error::ParseError;
use crate::sim::script::value;

/// One `key=value` or bare `key`.
pub(super) struct Item {
    pub(super) key: String,
    pub(super) value: Option<Vec<u8>>,
}

impl Item {
    /// Takes the first item off; the rest starts behind its comma.
    pub(super) fn take(text: &str) -> Result<(Self, &str), ParseError> {
        let end = text.find([',', '=']).unwrap_or(text.len());
        let (key, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        let key = key.trim_ascii().to_owned();
        let Some(value) = rest.strip_prefix('=') else {
            return Ok((Self { key, value: None }, next(rest)));
        };
        if let Some(quoted) = value.trim_ascii_start().strip_prefix('"') {
            let (bytes, after) = match value::unquote(quoted) {
                Some((bytes, after)) => (bytes, after.trim_ascii_start()),
                None => return Err(ParseError::Quote { key }),
            };
            if !after.is_empty() && !after.starts_with(',') {
                return Err(ParseError::Quote { key });
            }
            return Ok((
                Self {
                    key,
                    value: Some(bytes),
                },
                next(after),
            ));
        }
        let (value, rest) = value.split_once(',').unwrap_or((value, ""));
        let value = Some(value.trim_ascii().as_bytes().to_vec());
        Ok((Self { key, value }, rest.trim_ascii_start()))
    }

    pub(super) fn unknown(&self) -> ParseError {
        ParseError::Unknown {
            key: self.key.clone(),
        }
    }

    pub(super) fn flag<T>(&self, set: T) -> Result<T, ParseError> {
        match self.value {
            None => Ok(set),
            Some(_) => Err(ParseError::Flag {
                key: self.key.clone(),
            }),
        }
    }

    pub(super) fn bytes(self) -> Result<Vec<u8>, ParseError> {
        self.value.ok_or(ParseError::Missing {
            key: self.key,
            expected: "TEXT",
        })
    }

    pub(super) fn text(&self) -> Result<String, ParseError> {
        self.one_of("TEXT", |text| Some(text.to_owned()))
    }

    pub(super) fn size(&self, range: RangeInclusive<u64>) -> Result<u64, ParseError> {
        self.one_of("a size such as 300, 64KiB or 4MiB, not too large", |text| {
            value::size(text).filter(|size| range.contains(size))
        })
    }

    pub(super) fn duration(&self) -> Result<Duration, ParseError> {
        self.one_of(
            "a duration such as 300us, 20ms, 2s or 1m, at most a day",
            value::duration,
        )
    }

    pub(super) fn interval(&self) -> Result<Duration, ParseError> {
        self.one_of("an interval of at least 1ms", |text| {
            value::duration(text).filter(|interval| *interval >= Duration::from_millis(1))
        })
    }

    pub(super) fn one_of<T>(
        &self,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ParseError> {
        let Some(value) = &self.value else {
            return Err(ParseError::Missing {
                key: self.key.clone(),
                expected,
            });
        };
        std::str::from_utf8(value)
            .ok()
            .and_then(read)
            .ok_or_else(|| ParseError::Value {
                key: self.key.clone(),
                value: value::Quoted(value).to_string(),
                expected,
            })
    }
}

/// What stands behind the comma that `rest` begins with.
fn next(rest: &str) -> &str {
    rest.strip_prefix(',').unwrap_or(rest).trim_ascii_start()
}
