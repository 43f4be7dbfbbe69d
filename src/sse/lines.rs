//! A text's lines, by the stream's line ends: LF, CR and CRLF.

use memchr::memchr2;

use super::{CR, LF};

/// The lines of a text without their ends, as an editor counts them: at least one, and one
/// more (empty) after a last line end.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = memchr2(CR, LF, text).unwrap_or(text.len());
        let (line, after) = text.split_at_checked(end)?;
        rest = match after {
            [CR, LF, after @ ..] | [_, after @ ..] => Some(after),
            [] => None,
        };
        Some(line)
    })
}
