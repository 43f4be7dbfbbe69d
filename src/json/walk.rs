//! A walk into a valid value, one pass and no tree: what is not asked for is passed over.

use std::borrow::Cow;

use memchr::{memchr_iter, memmem};

use super::{Invalid, Rule, scan::Scanner, text};

/// A place in a value, such as one that [`Fields`](super::Fields) found. Whether it is valid is seen on the way: what is not
/// ends the walk with an error. That it is UTF-8 is taken as known.
pub struct Walk<'a> {
    document: &'a [u8],
    scanner: Scanner<'a>,
}

/// The content of a string, between its quotes, as it stands in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written<'a>(&'a [u8]);

impl<'a> Walk<'a> {
    /// Before the value.
    pub fn new(value: &'a [u8]) -> Self {
        let mut scanner = Scanner::trusting(value);
        scanner.whitespace();
        Self {
            document: value,
            scanner,
        }
    }

    /// The offset of the next byte in the value.
    pub fn at(&self) -> usize {
        self.scanner.at()
    }

    /// Fails if anything but whitespace follows.
    pub fn end(&mut self) -> Result<(), Invalid> {
        self.scanner.whitespace();
        match self.scanner.peek() {
            None => Ok(()),
            Some(_) => Err(self.scanner.broken(Rule::Trailing)),
        }
    }

    /// The first byte of the next value: its kind.
    pub fn peek(&self) -> Option<u8> {
        self.scanner.peek()
    }

    /// Passes a value of any kind.
    pub fn pass(&mut self) -> Result<&'a [u8], Invalid> {
        let start = self.scanner.at();
        self.scanner.value()?;
        let value = self.document.get(start..self.scanner.at());
        Ok(value.unwrap_or_default())
    }

    /// Passes a value; its content if it is a string.
    pub fn string(&mut self) -> Result<Option<Written<'a>>, Invalid> {
        if self.peek() != Some(b'"') {
            self.scanner.value()?;
            return Ok(None);
        }
        let content = self.scanner.string()?;
        Ok(self.document.get(content).map(Written))
    }

    /// Passes a value, and shows each field if it is an object: its name, with the walk before its
    /// value. What is not passed there is passed over.
    pub fn fields(
        &mut self,
        mut show: impl FnMut(&mut Self, Written<'a>) -> Result<(), Invalid>,
    ) -> Result<(), Invalid> {
        if self.peek() != Some(b'{') {
            return self.scanner.value();
        }
        self.scanner.expect(b'{')?;
        self.scanner.whitespace();
        if self.scanner.eat(b'}') {
            return Ok(());
        }
        loop {
            let name = self.scanner.string()?;
            let name = Written(self.document.get(name).unwrap_or_default());
            self.scanner.colon()?;
            self.shown(|walk| show(walk, name))?;
            if !self.another() {
                return self.scanner.expect(b'}');
            }
        }
    }

    /// Passes a value, and shows each item if it is an array, with the walk before it. What is not
    /// passed there is passed over.
    pub fn items(
        &mut self,
        mut show: impl FnMut(&mut Self) -> Result<(), Invalid>,
    ) -> Result<(), Invalid> {
        if self.peek() != Some(b'[') {
            return self.scanner.value();
        }
        self.scanner.expect(b'[')?;
        self.scanner.whitespace();
        if self.scanner.eat(b']') {
            return Ok(());
        }
        loop {
            self.shown(&mut show)?;
            if !self.another() {
                return self.scanner.expect(b']');
            }
        }
    }

    fn shown(
        &mut self,
        show: impl FnOnce(&mut Self) -> Result<(), Invalid>,
    ) -> Result<(), Invalid> {
        let before = self.scanner.at();
        show(self)?;
        if self.scanner.at() == before {
            self.scanner.value()?;
        }
        Ok(())
    }

    fn another(&mut self) -> bool {
        self.scanner.whitespace();
        let more = self.scanner.eat(b',');
        if more {
            self.scanner.whitespace();
        }
        more
    }
}

impl<'a> Written<'a> {
    /// As it stands in the document.
    pub fn raw(self) -> &'a [u8] {
        self.0
    }

    /// Whether it means something else than it says.
    pub fn has_escapes(self) -> bool {
        memchr::memchr(b'\\', self.0).is_some()
    }

    /// What it means. A lone surrogate becomes U+FFFD.
    pub fn text(self) -> Cow<'a, str> {
        if !self.has_escapes() {
            return String::from_utf8_lossy(self.0);
        }
        let mut out = String::with_capacity(self.0.len());
        text::decode(self.0, &mut out);
        Cow::Owned(out)
    }

    /// The length of its text in bytes, without making it.
    pub fn length(self) -> usize {
        // Counted at once, as long as each backslash stands for one byte less.
        let escapes = memchr_iter(b'\\', self.0).count();
        let is_simple = |kind: &[u8]| memmem::find(self.0, kind).is_none();
        if escapes == 0 || (is_simple(br"\u") && is_simple(br"\\")) {
            return self.0.len() - escapes;
        }
        let mut rest = self.0;
        let mut length = 0;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            let (of_text, of_escape) = match rest.get(at..) {
                Some([_, b'u', digits @ ..]) => (unit(digits), 6),
                _ => (1, 2),
            };
            length += at + of_text;
            rest = rest.get(at + of_escape..).unwrap_or_default();
        }
        length + rest.len()
    }
}

/// The length in UTF-8 of the unit that these digits begin with: half a pair counts half of it.
fn unit(digits: &[u8]) -> usize {
    match digits {
        [b'0', b'0', b'0'..=b'7', _, ..] => 1,
        [b'0', b'0'..=b'7', ..] | [b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..] => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_is_passed_over() {
        let mut found = Vec::new();
        let mut walk = Walk::new(br#" { "a" : [1, {"x": "y"}] , "b":{"c":["d",2,[],"e"]},"z":0} "#);
        walk.fields(|walk, name| {
            if name.text() != "b" {
                return Ok(());
            }
            walk.fields(|walk, _| {
                walk.items(|walk| {
                    found.extend(walk.string()?.map(|it| it.text().into_owned()));
                    Ok(())
                })
            })
        })
        .unwrap();
        assert_eq!(found, ["d", "e"]);
    }

    #[test]
    fn what_is_no_json_is_seen_on_the_way_and_what_follows_at_the_end() {
        let walked = |value: &[u8]| {
            let mut walk = Walk::new(value);
            walk.fields(|_, _| Ok(())).and_then(|()| walk.end())
        };
        assert_eq!(walked(b" {\"a\":[1]} \n"), Ok(()));
        for (value, rule, offset) in [
            (&b"{\"a\":[1]"[..], Rule::End, 8),
            (b"{\"a\":[1}}", Rule::Unexpected, 7),
            (b"{\"a\" 1}", Rule::Unexpected, 5),
            (b"{} {", Rule::Trailing, 3),
        ] {
            assert_eq!(walked(value), Err(Invalid { offset, rule }));
        }
    }

    #[test]
    fn a_value_of_another_kind_shows_nothing() {
        for value in ["1", "\"x\"", "null", "[1]", "{\"a\":1}"] {
            let mut seen = 0;
            let mut walk = Walk::new(value.as_bytes());
            let asked = if value.starts_with('{') {
                walk.items(|_| {
                    seen += 1;
                    Ok(())
                })
            } else {
                walk.fields(|_, _| {
                    seen += 1;
                    Ok(())
                })
            };
            assert_eq!((asked, seen), (Ok(()), 0), "{value}");
        }
    }

    #[test]
    fn the_length_is_that_of_the_text() {
        for content in [
            "",
            "plain",
            "ä€😀",
            r#"say \"hi\"\n\tthere"#,
            r"\\n\\",
            r"\n\t\\\u00e4",
            r"\u20ac\uD83D\ude00x",
            r"\u007f\u0080\u07ff\u0800",
        ] {
            let written = Written(content.as_bytes());
            assert_eq!(written.length(), written.text().len(), "{content}");
        }
    }
}
