//! Writes JSON straight into the body: objects and lists whose commas count themselves.

use serde::Serialize;

/// An object or a list that is being written.
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    close: u8,
    empty: bool,
}

impl<'o> Writer<'o> {
    /// Opens an object.
    pub(super) fn object(out: &'o mut Vec<u8>) -> Self {
        Self::open(out, b'{', b'}')
    }

    /// Opens a list.
    pub(super) fn list(out: &'o mut Vec<u8>) -> Self {
        Self::open(out, b'[', b']')
    }

    fn open(out: &'o mut Vec<u8>, open: u8, close: u8) -> Self {
        out.push(open);
        Self {
            out,
            close,
            empty: true,
        }
    }

    fn comma(&mut self) {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
    }

    /// The place of a field's value. The key is a plain word of ours.
    pub(super) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// The place of a list's next item.
    pub(super) fn item(&mut self) -> &mut Vec<u8> {
        self.comma();
        self.out
    }

    /// A field with a text.
    pub(super) fn text(&mut self, key: &str, text: &str) -> &mut Self {
        string(self.key(key), text);
        self
    }

    /// A field with a value that is JSON already.
    pub(super) fn raw(&mut self, key: &str, json: &str) -> &mut Self {
        self.key(key).extend_from_slice(json.as_bytes());
        self
    }

    /// Whether nothing has been written.
    pub(super) fn is_empty(&self) -> bool {
        self.empty
    }

    /// Closes it.
    pub(super) fn end(self) {
        self.out.push(self.close);
    }
}

/// Writes a text as a JSON string.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    // Writing a string into memory does not fail.
    let _ = text.serialize(&mut serde_json::Serializer::new(out));
}
