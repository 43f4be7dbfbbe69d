//! What a byte of a head may be part of: one look at a table, where comparing took a third of a scan.

/// A class of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    /// What may stand inside a line.
    Text = 1,
    /// A token (RFC 9110 section 5.6.2).
    Token = 1 << 1,
    /// A field's name: a token, but servers behind us may take its `_` for `-`.
    Name = 1 << 2,
    /// RFC 3986's path and query characters, and the brackets that `OpenAI`'s own query names have.
    Target = 1 << 3,
}

static CLASSES: [u8; 256] = classes();

#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "below 256, and judged by the compiler"
)]
const fn classes() -> [u8; 256] {
    let mut all = [0; 256];
    let mut byte = 0;
    while byte < all.len() {
        all[byte] = of(byte as u8);
        byte += 1;
    }
    all
}

const fn of(byte: u8) -> u8 {
    let text = matches!(byte, b'\t' | b' '..=b'~');
    let plain = byte.is_ascii_alphanumeric();
    let token = plain
        || matches!(
            byte,
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        );
    let target = plain
        || matches!(
            byte,
            b'!' | b'$'..=b'/' | b':' | b';' | b'=' | b'?' | b'@' | b'[' | b']' | b'_' | b'~'
        );
    let mut classes = 0;
    if text {
        classes |= Class::Text as u8;
    }
    if token {
        classes |= Class::Token as u8;
    }
    if token && byte != b'_' {
        classes |= Class::Name as u8;
    }
    if target {
        classes |= Class::Target as u8;
    }
    classes
}

impl Class {
    /// Whether the byte is one of them.
    pub(super) fn has(self, byte: u8) -> bool {
        let classes = CLASSES.get(usize::from(byte));
        classes.is_some_and(|classes| classes & self as u8 != 0)
    }

    /// Whether there are bytes, and all of them are such.
    pub(super) fn is_all_of(self, bytes: &[u8]) -> bool {
        !bytes.is_empty() && bytes.iter().all(|byte| self.has(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_the_grammars_say() {
        for byte in 0..=u8::MAX {
            let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            let target = byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/?[]".contains(&byte);
            let text = byte == b'\t' || (b' '..=b'~').contains(&byte);
            let said = [Class::Text, Class::Token, Class::Name, Class::Target];
            assert_eq!(
                said.map(|class| class.has(byte)),
                [text, token, token && byte != b'_', target],
                "{byte:#x}"
            );
        }
    }
}
