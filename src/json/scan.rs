//! Walks over JSON values and says where they end: the whole grammar, no tree, no recursion.

use std::ops::Range;

use wide::u8x16;

use super::{
    Invalid, Rule,
    census::{Census, Controls},
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
            let begin = self.at;
            let block = Block::of(self.rest());
            // Bits of the bytes that are still to be looked at.
            let mut ahead = u32::MAX;
            loop {
                let special = (block.specials & ahead).trailing_zeros();
                let plain = ahead & low_bits(special);
                if self.controls == Controls::Somewhere && block.controls & plain != 0 {
                    self.at = begin + count((block.controls & plain).trailing_zeros());
                    return Err(self.broken(Rule::Control));
                }
                if special == u32::BITS {
                    self.at = (begin + Block::LENGTH).min(self.document.len());
                    break;
                }
                self.at = begin + count(special);
                let end = self.at;
                if self.eat(b'"') {
                    return Ok(start..end);
                }
                self.escape()?;
                let passed = self.at - begin;
                if passed >= Block::LENGTH {
                    break;
                }
                ahead = u32::MAX << passed;
            }
            if self.at == self.document.len() {
                return Err(self.broken(Rule::End));
            }
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

/// Where in the next bytes there are any that mean something in a string, a bit for each.
struct Block {
    /// Quotes and backslashes.
    specials: u32,
    /// Control bytes.
    controls: u32,
}

impl Block {
    const LENGTH: usize = u32::BITS as usize;

    /// Looks at the first `LENGTH` bytes, sixteen at once; those that are not there mean nothing.
    fn of(bytes: &[u8]) -> Self {
        match bytes.first_chunk() {
            Some(whole) => Self::whole(whole),
            None => Self::last(bytes),
        }
    }

    fn whole(bytes: &[u8; Self::LENGTH]) -> Self {
        let (halves, _) = bytes.as_chunks::<16>();
        let mut block = Self {
            specials: 0,
            controls: 0,
        };
        for half in halves.iter().rev() {
            let half = u8x16::from(*half);
            let quote = half.simd_eq(u8x16::splat(b'"'));
            let backslash = half.simd_eq(u8x16::splat(b'\\'));
            let control = half.min(u8x16::splat(0x1F)).simd_eq(half);
            block.specials = block.specials << 16 | (quote | backslash).to_bitmask();
            block.controls = block.controls << 16 | control.to_bitmask();
        }
        block
    }

    /// Fewer bytes than a block has.
    #[cold]
    fn last(bytes: &[u8]) -> Self {
        let mut padded = [b' '; Self::LENGTH];
        for (place, byte) in padded.iter_mut().zip(bytes) {
            *place = *byte;
        }
        Self::whole(&padded)
    }
}

/// So many ones, from the lowest bit on.
fn low_bits(length: u32) -> u32 {
    1_u32.checked_shl(length).map_or(u32::MAX, |bit| bit - 1)
}

/// A number of bits as one of bytes.
fn count(bits: u32) -> usize {
    bits as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_that_means_something_is_found_at_every_place() {
        for length in 0..=Block::LENGTH + 1 {
            for at in 0..length.min(Block::LENGTH) {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = byte;
                    let block = Block::of(&bytes);
                    let bit = |there: bool| u32::from(there) << at;
                    assert_eq!(block.specials, bit(b"\"\\".contains(&byte)), "{at} {byte}");
                    assert_eq!(block.controls, bit(byte < b' '), "{at} {byte}");
                }
            }
        }
    }
}
