//! Whether a JSON object that comes in pieces is whole.

/// How deep in the object the text so far ends. Only tells where it ends, not whether it is JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Nesting {
    depth: u32,
    begun: bool,
    inside: bool,
    escaped: bool,
}

impl Nesting {
    pub(super) fn push(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.inside => self.escaped = true,
                b'"' => self.inside = !self.inside,
                _ if self.inside => {}
                b'{' | b'[' => {
                    self.begun = true;
                    self.depth = self.depth.saturating_add(1);
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Whether all that was opened is closed.
    pub(super) fn is_whole(self) -> bool {
        self.begun && self.depth == 0 && !self.inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_whole_when_its_last_brace_has_come() {
        let text = r#"{"a":"}\"{","b":[{},"\\"]}"#;
        for cut in 0..text.len() {
            let mut nesting = Nesting::default();
            let (head, tail) = text.split_at(cut);
            nesting.push(head);
            assert!(!nesting.is_whole(), "{cut}");
            nesting.push(tail);
            assert!(nesting.is_whole(), "{cut}");
        }
        let mut none = Nesting::default();
        none.push(" null \"{}\"");
        assert!(!none.is_whole());
    }
}
