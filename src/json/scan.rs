//! Walks over JSON values and says where they end: the whole grammar, no tree, no recursion.

use std::ops::Range;

use wide::u8x16;

use super::{
    Invalid, Rule,
    open::{Kind, Open},
};

/// As deep as values may nest within the object at the top.
const DEPTH_BELOW_TOP: u32 = 127;

/// The last of the bytes that must not stand in a string unescaped (RFC 8259, section 7).
const LAST_CONTROL: u8 = 0x1F;

/// A place in a document that is known to be UTF-8.
pub(super) struct Scanner<'a> {
    document: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// At the start of a document, whose bytes are checked to be UTF-8.
    pub(super) fn new(document: &'a [u8]) -> Result<Self, Invalid> {
        check_utf8(document)?;
        Ok(Self { document, at: 0 })
    }

    /// At the start of a value that is known to be UTF-8.
    pub(super) fn trusting(document: &'a [u8]) -> Self {
        Self { document, at: 0 }
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
            let mut marks = marks(rest);
            // What of the block is behind us.
            let mut passed = BLOCK;
            while marks != 0 {
                let place = count(marks.trailing_zeros());
                let behind = match rest.get(place..) {
                    Some([b'"', ..]) => {
                        let end = self.at + place;
                        self.at = end + 1;
                        return Ok(start..end);
                    }
                    // Those of two bytes, all but always: within the block they cost no call.
                    Some(
                        [
                            b'\\',
                            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                            ..,
                        ],
                    ) => place + 2,
                    Some([b'\\', ..]) => place + self.escape(place)?,
                    _ => return Err(self.skip(place).broken(Rule::Control)),
                };
                if behind >= BLOCK {
                    passed = behind;
                    break;
                }
                marks &= u32::MAX << behind;
            }
            if passed >= rest.len() {
                return Err(self.skip(rest.len()).broken(Rule::End));
            }
            self.at += passed;
        }
    }

    /// Further on by so many bytes, for an error.
    fn skip(&mut self, length: usize) -> &Self {
        self.at += length;
        self
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

    /// The length of an escape of six bytes that begins `place` bytes from here.
    fn escape(&mut self, place: usize) -> Result<usize, Invalid> {
        let (_, escape) = self.rest().split_at_checked(place).unwrap_or_default();
        let is_valid = match escape {
            [b'\\', b'u', digits @ ..] => digits.iter().take(4).all(u8::is_ascii_hexdigit),
            // Cut off by the document's end.
            [_] => true,
            _ => false,
        };
        if is_valid {
            return Ok(6);
        }
        Err(self.skip(place).broken(Rule::Escape))
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

/// How many bytes are looked at in one step, a bit for each.
const BLOCK: usize = u32::BITS as usize;

/// Where among the next bytes, the first `BLOCK` of them, a run of plain ones ends: at a quote, a
/// backslash or a control byte.
fn marks(bytes: &[u8]) -> u32 {
    match bytes.first_chunk() {
        Some(block) => marks_of(block),
        None => marks_of_last(bytes),
    }
}

fn marks_of(block: &[u8; BLOCK]) -> u32 {
    let (halves, _) = block.as_chunks::<16>();
    halves.iter().rev().fold(0, |marks, half| {
        let half = u8x16::from(*half);
        let quote = half.simd_eq(u8x16::splat(b'"'));
        let backslash = half.simd_eq(u8x16::splat(b'\\'));
        let control = half.min(u8x16::splat(LAST_CONTROL)).simd_eq(half);
        marks << 16 | (quote | backslash | control).to_bitmask()
    })
}

/// Those of fewer bytes than a block.
#[cold]
fn marks_of_last(bytes: &[u8]) -> u32 {
    let mut block = [b' '; BLOCK];
    for (place, byte) in block.iter_mut().zip(bytes) {
        *place = *byte;
    }
    marks_of(&block)
}

/// Fails at the first byte that is not UTF-8. Most documents are ASCII, which is seen faster.
fn check_utf8(document: &[u8]) -> Result<(), Invalid> {
    if document.is_ascii() {
        return Ok(());
    }
    match std::str::from_utf8(document) {
        Ok(_) => Ok(()),
        Err(error) => Err(Invalid {
            offset: error.valid_up_to(),
            rule: Rule::Utf8,
        }),
    }
}

/// A number of bits as one of bytes.
fn count(bits: u32) -> usize {
    bits as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_that_ends_a_plain_run_is_found_at_every_place() {
        for length in 0..=BLOCK + 1 {
            for at in 0..length.min(BLOCK) {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = byte;
                    let ends = byte < b' ' || b"\"\\".contains(&byte);
                    assert_eq!(marks(&bytes), u32::from(ends) << at, "{at} {byte}");
                }
            }
        }
    }
}
