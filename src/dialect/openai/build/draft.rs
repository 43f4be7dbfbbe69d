//! A request that is being fitted to its provider: changes are gathered by field and spliced once.

use std::borrow::Cow;

use bytes::Bytes;
use smallvec::SmallVec;

use super::deep::{self, Doing};
use super::ids;
use crate::dialect::carry::Segments;
use crate::dialect::profile::{Change, Profile, ToolIds};
use crate::json::{Edit, Fields};

/// What our own words in a request are called; no client misses them.
const OURS: [&str; 2] = ["stream", "stream_options"];

/// A document and the changes to its top so far.
pub(super) struct Draft<'d> {
    fields: &'d Fields,
    document: &'d Bytes,
    /// The new values; `None` for a field that is left out.
    changed: SmallVec<[(Cow<'d, str>, Option<Bytes>); 4]>,
    dropped: SmallVec<[Cow<'static, str>; 2]>,
}

impl<'d> Draft<'d> {
    pub(super) fn new(fields: &'d Fields, document: &'d Bytes) -> Self {
        Self {
            fields,
            document,
            changed: SmallVec::new(),
            dropped: SmallVec::new(),
        }
    }

    /// The field's value as it is now.
    pub(super) fn value(&self, name: &str) -> Option<Bytes> {
        if let Some((_, value)) = self.changed.iter().find(|(own, _)| own == name) {
            return value.clone();
        }
        let value = self.fields.value(self.document, name)?;
        Some(self.document.slice_ref(value))
    }

    /// Whether the field is there, and not null.
    pub(super) fn said(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| &*value != b"null")
    }

    pub(super) fn set(&mut self, name: &str, value: Bytes) {
        self.put(name, Some(value));
    }

    pub(super) fn remove(&mut self, name: &str) {
        if self.value(name).is_some() {
            self.put(name, None);
        }
    }

    fn put(&mut self, name: &str, value: Option<Bytes>) {
        match self.changed.iter_mut().find(|(own, _)| own == name) {
            Some((_, own)) => *own = value,
            None => self.changed.push((Cow::Owned(name.to_owned()), value)),
        }
    }

    /// Leaves the field out, and says so where it said something.
    pub(super) fn drop_field(&mut self, name: &str) {
        if self.said(name) && !OURS.contains(&name) {
            self.dropped.push(Cow::Owned(name.to_owned()));
        }
        self.remove(name);
    }

    /// Makes the changes of the table, then those that config asks for.
    pub(super) fn profile(&mut self, table: &[Change<'_>], profile: &Profile) {
        for change in table {
            self.apply(*change);
        }
        for change in &profile.own {
            self.apply(change.as_change());
        }
    }

    fn apply(&mut self, change: Change<'_>) {
        let (pointer, doing) = match change {
            Change::Drop(pointer) => (pointer, Doing::Remove),
            Change::Rename(pointer, name) => (pointer, Doing::Rename(name)),
            Change::Set(pointer, json) => (pointer, Doing::Set(json)),
            Change::List(pointer) => (pointer, Doing::List),
        };
        let Some(steps) = deep::steps(pointer) else {
            return;
        };
        let Some((top, below)) = steps.split_first() else {
            return;
        };
        if below.is_empty() {
            self.at_top(top, doing);
            return;
        }
        let value = match (self.value(top), doing) {
            (Some(value), _) => value,
            (None, Doing::Set(_)) => Bytes::from_static(b"{}"),
            (None, Doing::Remove | Doing::Rename(_) | Doing::List) => return,
        };
        if let Some(new) = deep::change(&value, below, doing) {
            if matches!(doing, Doing::Remove) {
                self.dropped.push(Cow::Owned(steps.join(".")));
            }
            self.set(top, new);
        }
    }

    fn at_top(&mut self, name: &str, doing: Doing<'_>) {
        match doing {
            Doing::Remove => self.drop_field(name),
            Doing::Set(json) => self.set(name, Bytes::copy_from_slice(json.as_bytes())),
            Doing::Rename(to) => {
                if let Some(value) = self.value(name) {
                    self.remove(name);
                    if self.value(to).is_none() {
                        self.set(to, value);
                    }
                }
            }
            Doing::List => {
                let edits = deep::at_field(self.fields, name, self.value(name), doing);
                if let Some([Edit::Set(_, list)]) = edits.as_deref() {
                    self.set(name, list.clone());
                }
            }
        }
    }

    /// Makes the ids of calls such as the provider takes.
    pub(super) fn tool_ids(&mut self, wanted: ToolIds) {
        let messages = match wanted {
            ToolIds::Any => None,
            ToolIds::Nine => self.value("messages"),
        };
        if let Some(new) = messages.and_then(|messages| ids::in_messages(&messages)) {
            self.set("messages", new);
        }
    }

    /// The document with all changes, and the names of what it no longer says.
    pub(super) fn finish(self) -> (Segments, SmallVec<[Cow<'static, str>; 2]>) {
        let edits: SmallVec<[Edit<'_>; 8]> = self
            .changed
            .iter()
            .map(|(name, value)| match value {
                Some(value) => Edit::Set(name, value.clone()),
                None => Edit::Remove(name),
            })
            .collect();
        (self.fields.splice(self.document, &edits), self.dropped)
    }
}
