//! JSON that stands in a stream of events without being an event.
//!
//! An error in the middle of a stream comes as a pretty-printed object over several lines, without
//! `data:` (googleapis/python-genai #1162). A strict reader takes each line for an unknown field.
//! The lines are collected by the depth of their brackets, as the official SDK does it, over
//! several frames where a blank line cuts them.

use crate::dialect::carry::Malformed;

/// The most that is collected: an error has a few hundred bytes.
const MOST: usize = 64 << 10;

/// Collects bare JSON.
#[derive(Debug, Default)]
pub(super) struct Bare {
    /// The document so far; empty between documents.
    text: Vec<u8>,
    depth: u32,
    place: Place,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    String,
    /// After a backslash in a string.
    Escape,
}

impl Bare {
    /// Takes a frame's lines; returns the documents that are complete now.
    ///
    /// # Errors
    /// [`Malformed::TooMany`] past the bound, and then what was collected is forgotten.
    pub(super) fn take(&mut self, raw: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
        let mut complete = Vec::new();
        for line in raw.split(|byte| matches!(byte, b'\r' | b'\n')) {
            let starts = matches!(line.trim_ascii_start().first(), Some(b'{' | b'['));
            let inside = !self.text.is_empty();
            if !is_field(line) && (starts || inside) {
                complete.extend(self.line(line)?);
            }
        }
        Ok(complete)
    }

    /// Takes a line; what follows a document in it is dropped.
    fn line(&mut self, line: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
        if self.text.len() + line.len() >= MOST {
            *self = Self::default();
            return Err(Malformed::TooMany);
        }
        for &byte in line {
            self.text.push(byte);
            match (self.place, byte) {
                (Place::Outside, b'{' | b'[') => self.depth += 1,
                (Place::Outside, b'}' | b']') => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Ok(Some(std::mem::take(self).text));
                    }
                }
                (Place::String, b'"') => self.place = Place::Outside,
                (Place::String, b'\\') => self.place = Place::Escape,
                (Place::Outside, b'"') | (Place::Escape, _) => self.place = Place::String,
                (Place::Outside | Place::String, _) => {}
            }
        }
        self.text.push(b'\n');
        Ok(None)
    }
}

/// Whether the line is a field of an event, or a comment.
fn is_field(line: &[u8]) -> bool {
    let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
    let known = matches!(name, b"data" | b"event" | b"id" | b"retry");
    known || line.first() == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(frames: &[&str]) -> Vec<String> {
        let mut bare = Bare::default();
        let mut all = Vec::new();
        for frame in frames {
            all.extend(bare.take(frame.as_bytes()).unwrap());
        }
        all.into_iter()
            .map(|text| String::from_utf8(text).unwrap())
            .collect()
    }

    #[test]
    fn a_document_is_complete_with_its_last_bracket() {
        for (case, frames, expected) in [
            ("one line", &["{\"a\":1}\n"][..], &["{\"a\":1}"][..]),
            ("lines", &["{\n\"a\": [\n1]\n}"], &["{\n\"a\": [\n1]\n}"]),
            (
                "cut by a blank line",
                &["{\n\n", "\"a\":1}\n"],
                &["{\n\n\n\"a\":1}"],
            ),
            (
                "brackets in strings",
                &[r#"{"a":"}\"]{"}"#],
                &[r#"{"a":"}\"]{"}"#],
            ),
            ("after data", &["data: {}\n[{}]\n"], &["[{}]"]),
            ("two", &["{}\n[]\n"], &["{}", "[]"]),
            ("comment", &[": {}\n"], &[]),
            ("prose", &["upstream {}\n"], &[]),
            ("fields", &["data: {\nevent: {\nid: {\nretry: {\n}"], &[]),
            ("unfinished", &["{\"a\":"], &[]),
        ] {
            assert_eq!(taken(frames), expected, "{case}");
        }
    }

    #[test]
    fn what_is_collected_has_a_bound_and_is_forgotten_past_it() {
        let mut bare = Bare::default();
        let line = format!("{{\"a\":\"{}", "x".repeat(MOST / 2));
        assert_eq!(bare.take(line.as_bytes()), Ok(Vec::new()));
        assert_eq!(bare.take(line.as_bytes()), Err(Malformed::TooMany));
        assert_eq!(bare.take(b"{}").map(|all| all.len()), Ok(1));
    }
}
