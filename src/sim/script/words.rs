//! The values of single keys: words and small notations. `None` where the text is none of them.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::sim::script::model::{Chunks, Content, Drip, Encoding, Length, Point, Role, Usage};
use crate::sim::script::value;

pub(super) fn point(text: &str) -> Option<Point> {
    match text {
        "head" => Some(Point::Head),
        "done" => Some(Point::Done),
        "end" => Some(Point::End),
        _ => match (text.strip_suffix('b'), text.strip_prefix('t')) {
            (Some(bytes), _) => bytes.parse().ok().map(Point::Byte),
            (None, Some(thoughts)) => thoughts.parse().ok().map(Point::Thought),
            (None, None) => text.parse().ok().map(Point::Token),
        },
    }
}

pub(super) fn code(text: &str, range: RangeInclusive<u16>) -> Option<u16> {
    text.parse().ok().filter(|code| range.contains(code))
}

pub(super) fn length(text: &str) -> Option<Length> {
    match text {
        "inf" => Some(Length::Endless),
        // Beyond this a count cannot be sent in a lifetime, and sums of it could overflow.
        _ => text
            .parse()
            .ok()
            .filter(|count| *count <= 1 << 40)
            .map(Length::Tokens),
    }
}

/// A name that needs no escape anywhere.
pub(super) fn canary(text: &str) -> Option<String> {
    is_canary(text).then(|| text.to_owned())
}

pub(super) fn role(text: &str) -> Option<Role> {
    match text {
        "own" => Some(Role::Own),
        "joined" => Some(Role::Joined),
        "none" => Some(Role::Missing),
        _ => None,
    }
}

pub(super) fn usage(text: &str) -> Option<Usage> {
    match text {
        "asked" => Some(Usage::Asked),
        "none" => Some(Usage::Missing),
        "zero" => Some(Usage::Zero),
        "every" => Some(Usage::Every),
        _ => None,
    }
}

pub(super) fn encoding(text: &str) -> Option<Encoding> {
    [
        Encoding::Gzip,
        Encoding::Deflate,
        Encoding::Brotli,
        Encoding::Zstd,
    ]
    .into_iter()
    .find(|encoding| encoding.name() == text)
}

pub(super) fn chunks(text: &str) -> Option<Chunks> {
    match text {
        "event" => Some(Chunks::Event),
        "random" => Some(Chunks::Random(None)),
        _ => match text.strip_prefix("random:") {
            Some(seed) => seed.parse().ok().map(|seed| Chunks::Random(Some(seed))),
            None => value::size(text).filter(|size| *size > 0).map(Chunks::Size),
        },
    }
}

pub(super) fn drip(text: &str) -> Option<Drip> {
    let (bytes, every) = text.split_once('/')?;
    let bytes = value::size(bytes).filter(|bytes| *bytes > 0)?;
    let every = value::duration(every).filter(|every| *every >= Duration::from_millis(1))?;
    Some(Drip { bytes, every })
}

pub(super) fn header(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once(':')?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (!name.is_empty() && name.bytes().all(token))
        .then(|| (name.to_owned(), value.trim_ascii().to_owned()))
}

pub(super) fn tools(text: &str) -> Option<Content> {
    let (calls, name) = match text.split_once(':') {
        Some((calls, name)) => (calls, Some(canary(name)?)),
        None => (text, None),
    };
    let calls = calls
        .parse()
        .ok()
        .filter(|calls| (1..=128).contains(calls))?;
    Some(Content::Tools { calls, name })
}

/// Whether a text may be a canary: 1 to 64 letters, digits, `.`, `_`, `-`. Such a text is the same
/// in JSON, in JSON within JSON, and in a header.
pub(crate) fn is_canary(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(letter)
}
