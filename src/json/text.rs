//! JSON strings: text to literal, and a literal's content to text.

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memchr;

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

/// What stands for a surrogate that has no partner, as in WHATWG's "UTF-8 decode".
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// The text as a JSON string literal, with its quotes. Only what must be escaped is.
pub fn string(text: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(text.len() + 2);
    put_string(&mut out, text);
    out.freeze()
}

/// Writes the text as a JSON string literal.
pub fn put_string(out: &mut BytesMut, text: &str) {
    out.put_u8(b'"');
    put_text(out, text);
    out.put_u8(b'"');
}

/// Writes the text as what stands between the quotes of a JSON string literal.
pub fn put_text(out: &mut BytesMut, text: &str) {
    let mut rest = text.as_bytes();
    while let Some((plain, escape, after)) = split(rest) {
        out.extend_from_slice(plain);
        put_escape(out, escape);
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// The bytes before the first that must be escaped, that one, and the rest.
fn split(text: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let at = text
        .iter()
        .position(|&byte| byte < b' ' || byte == b'"' || byte == b'\\')?;
    let (plain, rest) = text.split_at_checked(at)?;
    let (&escape, after) = rest.split_first()?;
    Some((plain, escape, after))
}

fn put_escape(out: &mut BytesMut, byte: u8) {
    let letter = match byte {
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        b'"' | b'\\' => byte,
        _ => {
            out.extend_from_slice(b"\\u00");
            for digit in [byte >> 4, byte & 0xF] {
                out.extend(HEX_DIGITS.get(usize::from(digit)));
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}

/// Adds what a valid string's content means to `out`. A lone surrogate becomes U+FFFD.
pub(super) fn decode(content: &[u8], out: &mut String) {
    let mut rest = content;
    while let Some((plain, escape)) = memchr(b'\\', rest).and_then(|at| rest.split_at_checked(at)) {
        out.push_str(&String::from_utf8_lossy(plain));
        let (letter, after) = decode_escape(escape);
        out.push(letter);
        rest = after;
    }
    out.push_str(&String::from_utf8_lossy(rest));
}

/// The character of the escape, or of the two, that the content begins with; and what follows.
fn decode_escape(content: &[u8]) -> (char, &[u8]) {
    let [_, letter, rest @ ..] = content else {
        return (REPLACEMENT, b"");
    };
    let letter = match letter {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return decode_units(content),
        other => char::from(*other),
    };
    (letter, rest)
}

/// The character of a `\u` escape, or of a pair of them that are surrogates.
fn decode_units(content: &[u8]) -> (char, &[u8]) {
    let Some((first, rest)) = unit(content) else {
        return (REPLACEMENT, b"");
    };
    let second = unit(rest);
    let units = [Some(first), second.map(|(unit, _)| unit)]
        .into_iter()
        .flatten();
    match (char::decode_utf16(units).next(), second) {
        (Some(Ok(letter)), Some((_, after))) if letter.len_utf16() == 2 => (letter, after),
        (Some(Ok(letter)), _) => (letter, rest),
        _ => (REPLACEMENT, rest),
    }
}

/// The UTF-16 unit of a `\u` escape, and what follows it.
fn unit(content: &[u8]) -> Option<(u16, &[u8])> {
    let [b'\\', b'u', rest @ ..] = content else {
        return None;
    };
    let (digits, rest) = rest.split_at_checked(4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}
