//! The calls of one candidate: their indexes, their ids, and the one that comes in pieces.

use std::borrow::Cow;

use super::partial::Partial;
use super::read::Call;
use crate::dialect::leaf::Leaf;

/// The most bytes of a response id that goes into a call's id as it is.
const MAX_ID: usize = 24;

/// The calls of one candidate.
#[derive(Debug, Default)]
pub(super) struct Calls {
    next: u32,
    pub(super) open: Option<Open>,
}

/// A call that comes in pieces.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) index: u32,
    name: String,
    pub(super) arguments: Partial,
}

impl Calls {
    /// The next call's index: each call part is a call of its own, for two of one function come
    /// with nothing else to tell them apart.
    pub(super) fn place(&mut self) -> u32 {
        let index = self.next;
        self.next = self.next.saturating_add(1);
        index
    }

    /// Whether there was any.
    pub(super) fn any(&self) -> bool {
        self.next > 0
    }

    /// Begins a call that comes in pieces.
    pub(super) fn open(&mut self, index: u32, name: &str) -> &mut Open {
        self.open.insert(Open {
            index,
            name: name.to_owned(),
            arguments: Partial::default(),
        })
    }

    /// Whether the part goes on with the call that is open.
    pub(super) fn goes_on(&self, call: &Call<'_>) -> bool {
        let Some(open) = &self.open else { return false };
        let name = call.name.map(Leaf::from).and_then(Leaf::words);
        call.args.is_none() && name.is_none_or(|name| name == open.name)
    }
}

/// The id of a call that came without one: from the answer's id and the call's position, so that
/// it is the same however often the answer is read, and another one in the next answer.
pub(super) fn made_up(answer: &str, choice: u32, index: u32) -> String {
    if choice == 0 {
        format!("call_{answer}_{index}")
    } else {
        format!("call_{answer}_{choice}_{index}")
    }
}

/// The part of a made-up id that stands for the answer: its own id where all formats take that,
/// else a digest.
pub(super) fn answer_key(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !id.is_empty() && id.len() <= MAX_ID && id.bytes().all(plain) {
        return id.to_owned();
    }
    // FNV-1a: the same on every machine and in every version, which `std` does not promise.
    let digest = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{digest:016x}")
}

/// The arguments' JSON text: none are no arguments. Line ends and indents of a document that is
/// pretty-printed are left out.
pub(super) fn arguments(args: Option<Leaf<'_>>) -> Cow<'_, str> {
    let Some(args) = args.filter(|args| args.is_object()) else {
        return Cow::Borrowed("{}");
    };
    let json = args.json();
    // A string has no raw line end.
    if memchr::memchr2(b'\n', b'\r', json.as_bytes()).is_none() {
        return Cow::Borrowed(json);
    }
    let (mut inside, mut escaped) = (false, false);
    let keep = |letter: &char| {
        if inside {
            inside = escaped || *letter != '"';
            escaped = !escaped && *letter == '\\';
            return true;
        }
        inside = *letter == '"';
        !matches!(letter, ' ' | '\t' | '\n' | '\r')
    };
    Cow::Owned(json.chars().filter(keep).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_id_is_short_plain_and_of_its_answer() {
        assert_eq!(made_up(&answer_key("mNnf-a_1"), 0, 2), "call_mNnf-a_1_2");
        assert_eq!(made_up(&answer_key("a"), 3, 0), "call_a_3_0");
        for odd in ["", "a b", "é", &"a".repeat(25)] {
            let key = answer_key(odd);
            assert_eq!(key.len(), 16, "{odd}");
            assert_ne!(key, answer_key("other id"));
        }
        let longest = made_up(&"a".repeat(MAX_ID), 127, 999);
        assert!(longest.len() <= 40, "{longest}");
    }

    #[test]
    fn arguments_lose_only_the_space_around_their_tokens() {
        for (json, expected) in [
            ("{}", "{}"),
            ("{ \"a\": 1 }", "{ \"a\": 1 }"),
            (
                "{\n  \"a b\": \"c \\\" d\\\\\",\r\n\t\"e\": [1, 2]\n}",
                "{\"a b\":\"c \\\" d\\\\\",\"e\":[1,2]}",
            ),
            ("null", "{}"),
            ("[1]", "{}"),
        ] {
            assert_eq!(arguments(Leaf::parse(json)), expected, "{json}");
        }
        assert_eq!(arguments(None), "{}");
    }
}
