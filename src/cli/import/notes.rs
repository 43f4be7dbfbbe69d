//! What could not be carried over, or not quite: a line each, with the way to the key.
//!
//! A line never holds a value of the input, for it may be a secret; names are cut and cleaned.

use std::fmt;

/// The most notes that are kept; beyond them they are counted.
const MOST: usize = 1_000;
/// In characters.
const LONGEST: usize = 300;

/// One thing to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    path: String,
    why: String,
}

impl fmt::Display for Note {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.path, self.why)
    }
}

/// All of them, in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Notes {
    list: Vec<Note>,
    left_out: usize,
}

impl Notes {
    /// Adds one; what was said already is not said again.
    pub(super) fn add(&mut self, path: &str, why: &str) {
        let (path, why) = (clean(path), clean(why));
        let note = Note { path, why };
        if self.list.len() >= MOST {
            self.left_out = self.left_out.saturating_add(1);
        } else if !self.list.contains(&note) {
            self.list.push(note);
        }
    }

    /// A line each.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.list.iter().map(ToString::to_string).collect();
        if self.left_out > 0 {
            lines.push(format!("and {} more", self.left_out));
        }
        lines
    }
}

/// The text in a form that can stand in a comment and on a terminal.
pub(super) fn clean(text: &str) -> String {
    let visible = |one: char| {
        if one.is_ascii_graphic() || one == ' ' {
            one
        } else {
            '?'
        }
    };
    text.chars().take(LONGEST).map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_one_line_whatever_it_is_about() {
        let mut notes = Notes::default();
        notes.add("a\n\u{1b}[31mé", "b\r\nlisten: []");
        notes.add("a\n\u{1b}[31mé", "b\r\nlisten: []");
        assert_eq!(notes.lines(), ["a??[31m?: b??listen: []"]);
    }

    #[test]
    fn notes_are_bounded_and_what_is_left_out_is_counted() {
        let mut notes = Notes::default();
        for number in 0..MOST + 7 {
            notes.add(&number.to_string(), &"x".repeat(1_000));
        }
        let lines = notes.lines();
        assert_eq!(
            (lines.len(), lines[MOST].as_str()),
            (MOST + 1, "and 7 more")
        );
        assert_eq!(lines[MOST - 1].len(), 3 + 2 + LONGEST);
    }
}
