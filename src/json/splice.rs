//! Edits of the fields at the top, without copying what stays.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use super::{fields::Fields, text};

/// A change to one field at the top.
#[derive(Clone, Debug)]
pub enum Edit<'a> {
    /// The field has this value, raw JSON, in its place or as the last field. The value is the
    /// caller's to make valid.
    Set(&'a str, Bytes),
    /// The field is not there.
    Remove(&'a str),
}

impl Edit<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Set(name, _) | Self::Remove(name) => name,
        }
    }
}

impl Fields {
    /// The document with the edits applied, in pieces to be sent one after the other. What an
    /// edit does not touch, whitespace and order included, is a slice of `document`, which must
    /// be the one that was indexed. Of edits with the same name the first counts.
    pub fn splice(&self, document: &Bytes, edits: &[Edit<'_>]) -> SmallVec<[Bytes; 8]> {
        let mut pieces = Pieces {
            document,
            copied: 0,
            done: SmallVec::new(),
        };
        let comma = self.edit(edits, &mut pieces);
        self.append(edits, comma, &mut pieces);
        pieces.finish()
    }

    /// Edits the fields that are there; returns what must stand before one that is added.
    fn edit(&self, edits: &[Edit<'_>], pieces: &mut Pieces<'_>) -> &'static [u8] {
        // Where the field before this one ends, once there is one that stays.
        let mut before: Option<usize> = None;
        let mut entries = self.entries.iter().peekable();
        while let Some(entry) = entries.next() {
            let name = self.name(entry);
            match edits.iter().find(|edit| edit.name() == name) {
                Some(Edit::Set(_, value)) => pieces.put(entry.value.clone(), value.clone()),
                Some(Edit::Remove(_)) => {
                    let Some(before) = &mut before else {
                        // It is the first: the comma after it goes too.
                        let next = entries.peek().map_or(entry.value.end, |next| next.key);
                        pieces.put(entry.key..next, Bytes::new());
                        continue;
                    };
                    pieces.put(*before..entry.value.end, Bytes::new());
                }
                None => {}
            }
            before = Some(entry.value.end);
        }
        if before.is_some() { b"," } else { b"" }
    }

    /// Adds the fields that are not there.
    fn append(&self, edits: &[Edit<'_>], mut comma: &[u8], pieces: &mut Pieces<'_>) {
        for (at, edit) in edits.iter().enumerate() {
            let Edit::Set(name, value) = edit else {
                continue;
            };
            let earlier = edits.iter().take(at).any(|edit| edit.name() == *name);
            if earlier || self.span(name).is_some() {
                continue;
            }
            let mut key = BytesMut::with_capacity(name.len() + ",\"\":".len());
            key.extend_from_slice(comma);
            text::put_string(&mut key, name);
            key.put_u8(b':');
            pieces.put(self.end..self.end, key.freeze());
            pieces.put(self.end..self.end, value.clone());
            comma = b",";
        }
    }
}

/// The new document so far.
struct Pieces<'a> {
    document: &'a Bytes,
    /// Up to where the old document is copied or left out.
    copied: usize,
    done: SmallVec<[Bytes; 8]>,
}

impl Pieces<'_> {
    /// Copies up to the range and puts these bytes in its place.
    fn put(&mut self, place: Range<usize>, bytes: Bytes) {
        // The ends are those of the indexed document: with any other the result is as wrong as
        // the call, but it must not panic.
        let end = place.start.min(self.document.len());
        let kept = self.document.slice(self.copied.min(end)..end);
        self.copied = place.end;
        self.done
            .extend([kept, bytes].into_iter().filter(|piece| !piece.is_empty()));
    }

    fn finish(mut self) -> SmallVec<[Bytes; 8]> {
        let end = self.document.len();
        self.put(end..end, Bytes::new());
        self.done
    }
}
