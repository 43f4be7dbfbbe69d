//! A map whose keys we know, so that all others are mistakes.

use super::cursor::{Cursor, Read};
use super::hint::hint;
use super::node::Entry;

/// What is said of things that a later version will have.
pub(super) const LATER: &str = "not supported by this version";

/// A map with known keys. What was not asked for by its end is unknown.
#[must_use = "close it, so that unknown keys are noted"]
pub(super) struct Section<'a> {
    cursor: Cursor<'a>,
    entries: &'a [Entry<'a>],
    known: Vec<&'static str>,
    later: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// Begins to read a map.
    pub(super) fn open(cursor: &Cursor<'a>) -> Read<Self> {
        Self::open_or(cursor, "a map")
    }

    /// The same, where something else could stand as well: `what` names both.
    pub(super) fn open_or(cursor: &Cursor<'a>, what: &str) -> Read<Self> {
        Ok(Self {
            entries: cursor.entries(what)?,
            cursor: cursor.clone(),
            known: Vec::new(),
            later: Vec::new(),
        })
    }

    /// A key that may be absent.
    pub(super) fn optional(&mut self, key: &'static str) -> Option<Cursor<'a>> {
        self.known.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(self.cursor.child(entry))
    }

    /// A key that must be there.
    pub(super) fn required(&mut self, key: &'static str) -> Read<Cursor<'a>> {
        match self.optional(key) {
            Some(cursor) => Ok(cursor),
            None => self
                .cursor
                .fail_at_key(format_args!("the key `{key}` is missing")),
        }
    }

    /// An optional key's value.
    pub(super) fn maybe<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Cursor<'a>) -> Read<T>,
    ) -> Read<Option<T>> {
        self.optional(key).map(|cursor| read(&cursor)).transpose()
    }

    /// An optional key's value, or its default.
    pub(super) fn or<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Cursor<'a>) -> Read<T>,
    ) -> Read<T> {
        self.optional(key)
            .map_or(Ok(default), |cursor| read(&cursor))
    }

    /// Keys that a later version will have.
    pub(super) fn later(&mut self, keys: &[&'static str]) {
        self.later.extend(keys);
    }

    /// Notes the keys that nobody asked for. They spoil the file, not this reader.
    pub(super) fn close(self) {
        for entry in self.entries {
            let key = entry.key.as_ref();
            if self.known.contains(&key) {
                continue;
            }
            let rule = if self.later.contains(&key) {
                LATER.to_owned()
            } else {
                format!("unknown key; {}", hint(key, &self.known))
            };
            self.cursor.child(entry).note(entry.at, rule);
        }
    }
}
