//! Walks over JSON values and says where they end: the whole grammar, no tree, no recursion.

use std::ops::Range;

use memchr::memchr2;

use super::{
    Invalid, Rule,
    census::{Census, Controls, find_control},
    open::{Kind, Open},
};

/// As deep as values may nest within the object at the top.
const DEPTH_BELOW_TOP: u32 = 127;

/// A place in a document that is known to be UTF-8.
pub(super) struct Scanner<'a> {
    document: &'a [u8],
    at: usize,
    controls: Controls,
}

impl<'a> Scanner<'a> {
    /// At the start of a document, whose bytes are checked to be UTF-8.
    pub(super) fn new(document: &'a [u8]) -> Result<Self, Invalid> {
        let census = Census::of(document);
        census.check_utf8(document)?;
        Ok(Self {
            document,
            at: 0,
            controls: census.controls,
        })
    }

    /// The offset of the next byte.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.document.get(self.at).copied()
    }

    /// Passes the next byte if it is this one.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// Passes this byte, or fails.
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Invalid> {
        if self.eat(byte) {
            return Ok(());
        }
        Err(self.unexpected())
    }

    pub(super) fn whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Passes a string; returns where its content lies, between the quotes.
    pub(super) fn string(&mut self) -> Result<Range<usize>, Invalid> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let rest = self.rest();
            let plain = find_special(rest).unwrap_or(rest.len());
            if self.controls == Controls::Somewhere {
                self.check_controls(plain)?;
            }
            self.at += plain;
            let end = self.at;
            if self.eat(b'"') {
                return Ok(start..end);
            }
            self.escape()?;
        }
    }

    /// Passes a name within an object and its colon.
    fn name(&mut self) -> Result<(), Invalid> {
        self.string()?;
        self.colon()
    }

    /// Passes the colon after a name, and whitespace on both its sides.
    pub(super) fn colon(&mut self) -> Result<(), Invalid> {
        self.whitespace();
        self.expect(b':')?;
        self.whitespace();
        Ok(())
    }

    /// Passes a value of any kind.
    pub(super) fn value(&mut self) -> Result<(), Invalid> {
        let mut open = Open::default();
        loop {
            match self.peek() {
                Some(b'"') => _ = self.string()?,
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.word(b"true")?,
                Some(b'f') => self.word(b"false")?,
                Some(b'n') => self.word(b"null")?,
                Some(b'{') => {
                    self.enter(&mut open, Kind::Object)?;
                    if !self.eat(b'}') {
                        self.name()?;
                        continue;
                    }
                    open.leave();
                }
                Some(b'[') => {
                    self.enter(&mut open, Kind::Array)?;
                    if !self.eat(b']') {
                        continue;
                    }
                    open.leave();
                }
                _ => return Err(self.unexpected()),
            }
            self.close(&mut open)?;
            if open.depth == 0 {
                return Ok(());
            }
        }
    }

    /// Passes an opening bracket and the whitespace after it.
    fn enter(&mut self, open: &mut Open, kind: Kind) -> Result<(), Invalid> {
        if open.depth == DEPTH_BELOW_TOP {
            return Err(self.broken(Rule::Depth));
        }
        open.enter(kind);
        self.at += 1;
        self.whitespace();
        Ok(())
    }

    /// After a value: passes the brackets that close here, and the comma (in an object also the
    /// name) before the next value if something is still open.
    fn close(&mut self, open: &mut Open) -> Result<(), Invalid> {
        while let Some(kind) = open.innermost() {
            self.whitespace();
            if self.eat(b',') {
                self.whitespace();
                return match kind {
                    Kind::Object => self.name(),
                    Kind::Array => Ok(()),
                };
            }
            self.expect(match kind {
                Kind::Object => b'}',
                Kind::Array => b']',
            })?;
            open.leave();
        }
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Invalid> {
        word.iter().try_for_each(|&byte| self.expect(byte))
    }

    fn number(&mut self) -> Result<(), Invalid> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _signed = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(())
    }

    /// Passes digits, at least one.
    fn digits(&mut self) -> Result<(), Invalid> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at > start {
            return Ok(());
        }
        Err(self.ended_or(Rule::Number))
    }

    /// Passes an escape; past the document's end it is the string that lacks its quote.
    fn escape(&mut self) -> Result<(), Invalid> {
        let length = match self.rest() {
            [b'\\', b'u', digits @ ..] => match digits
                .iter()
                .take(4)
                .position(|digit| !digit.is_ascii_hexdigit())
            {
                Some(_) => return Err(self.broken(Rule::Escape)),
                None => 6,
            },
            [
                b'\\',
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                ..,
            ] => 2,
            [b'\\', _, ..] => return Err(self.broken(Rule::Escape)),
            _ => usize::MAX,
        };
        self.at = self.at.saturating_add(length).min(self.document.len());
        if self.at < self.document.len() {
            return Ok(());
        }
        Err(self.broken(Rule::End))
    }

    /// Fails at the first control byte of the next `length`.
    fn check_controls(&self, length: usize) -> Result<(), Invalid> {
        let next = self.rest().get(..length).unwrap_or_default();
        match find_control(next) {
            Some(at) => Err(Invalid {
                offset: self.at + at,
                rule: Rule::Control,
            }),
            None => Ok(()),
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.document.get(self.at..).unwrap_or_default()
    }

    /// What to say of a next byte that the grammar does not allow.
    pub(super) fn unexpected(&self) -> Invalid {
        self.ended_or(Rule::Unexpected)
    }

    fn ended_or(&self, rule: Rule) -> Invalid {
        self.broken(if self.peek().is_some() {
            rule
        } else {
            Rule::End
        })
    }

    /// The next byte breaks this rule.
    pub(super) fn broken(&self, rule: Rule) -> Invalid {
        Invalid {
            offset: self.at,
            rule,
        }
    }
}

/// How far a quote or backslash is looked for a word at a time before a search is called that is
/// made for long strings. Prose has an escape every line, and the call costs more than a line.
const NEAR: usize = 128;

/// The first quote or backslash.
fn find_special(bytes: &[u8]) -> Option<usize> {
    let near = bytes.get(..NEAR).unwrap_or(bytes);
    let (words, _) = near.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        if let Some(at) = find_in_word(u64::from_le_bytes(*word)) {
            return Some(index * 8 + at);
        }
    }
    let passed = words.len() * 8;
    let rest = bytes.get(passed..)?;
    Some(passed + memchr2(b'"', b'\\', rest)?)
}

/// The first quote or backslash among eight bytes, the first of them the lowest.
fn find_in_word(word: u64) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    // A byte of `x` is zero where its high bit is set in this; bits above the first may be false.
    let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGH;
    let quote = zero(word ^ (ONES * u64::from(b'"')));
    let backslash = zero(word ^ (ONES * u64::from(b'\\')));
    let found = quote | backslash;
    (found != 0).then(|| usize::try_from(found.trailing_zeros() / 8).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_quote_or_backslash_is_found_at_every_place() {
        for length in 0..300 {
            let mut bytes = vec![b'a'; length];
            assert_eq!(find_special(&bytes), None);
            for at in 0..length {
                for special in [b'"', b'\\'] {
                    bytes[at] = special;
                    assert_eq!(find_special(&bytes), Some(at), "{at} of {length}");
                    bytes[at] = b'a';
                }
            }
        }
    }
}
