//! The words of an answer: deterministic, so that a test can compare every byte.

use crate::sim::script::{Content, Length, Script};

/// Bytes that are no event, no JSON and no UTF-8.
pub const GARBAGE: &[u8] = b"\x00\xff\xfe<<garbage>>\x80";

/// The text of a plain answer of so many tokens: ` w0 w1 w2`…
pub fn answer_text(tokens: u64) -> String {
    let mut text = Vec::new();
    let words = Words::new(&Script::default(), None);
    (0..tokens).for_each(|token| words.write(0, token, &mut text));
    String::from_utf8(text).unwrap_or_default()
}

/// The text of the good answer that a script gives as that choice (`n`), with the canary of the
/// request: what goes wrong on the way is left out. Empty where it calls tools. `None` where the
/// answer is endless, or hangs on the request (`echo`).
pub fn scripted_text(script: &Script, choice: u32, canary: Option<&str>) -> Option<String> {
    let Length::Tokens(tokens) = script.tokens else {
        return None;
    };
    match &script.content {
        Content::Tools { .. } => return Some(String::new()),
        Content::Said(text) => return Some(text.clone()),
        Content::Echo => return None,
        Content::Text | Content::Refusal => {}
    }
    let mut text = Vec::new();
    let words = Words::new(script, canary);
    (0..tokens).for_each(|token| words.write(choice, token, &mut text));
    String::from_utf8(text).ok()
}

/// The arguments of each tool call that a script's good answer holds in that choice (`n`). None
/// where it is text; `None` where it is endless.
pub fn scripted_calls(script: &Script, choice: u32, canary: Option<&str>) -> Option<Vec<String>> {
    let Length::Tokens(tokens) = script.tokens else {
        return None;
    };
    let words = Words::new(script, canary);
    let (mut calls, mut text) = (Vec::new(), Vec::new());
    for token in 0..tokens {
        let Some(call) = call(script, token) else {
            break;
        };
        if call.first {
            text.extend_from_slice(b"{\"text\":\"");
        }
        words.write(choice, token, &mut text);
        if call.last {
            text.extend_from_slice(b"\"}");
            calls.push(String::from_utf8(std::mem::take(&mut text)).ok()?);
        }
    }
    Some(calls)
}

/// Where a token stands among the tool calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Which call.
    pub(crate) index: u64,
    /// It is the call's first piece.
    pub(crate) first: bool,
    /// It is the call's last piece.
    pub(crate) last: bool,
}

/// Which call a token belongs to, and whether it opens or closes it. `None` in a text answer.
pub(crate) fn call(script: &Script, token: u64) -> Option<Call> {
    let Content::Tools { calls, .. } = &script.content else {
        return None;
    };
    let tokens = u128::from(script.tokens.count().max(1));
    let of = |token: u64| u128::from(token).saturating_mul(u128::from(*calls)) / tokens;
    let last = token
        .checked_add(1)
        .is_none_or(|next| next >= script.tokens.count() || of(next) != of(token));
    let first = token
        .checked_sub(1)
        .is_none_or(|before| of(before) != of(token));
    Some(Call {
        index: u64::try_from(of(token)).unwrap_or(u64::MAX),
        first,
        last,
    })
}

/// Writes single tokens. None of their bytes needs an escape in JSON.
#[derive(Debug)]
pub(crate) struct Words {
    /// ` w`, or a blank, the canary and a dot.
    stem: Vec<u8>,
    size: usize,
    first_size: usize,
    /// The tokens of a text that is given, as they stand in a JSON string.
    given: Vec<String>,
}

/// Characters in a token of a text that is given.
const TOKEN: usize = 5;

impl Words {
    /// The request's canary comes before the script's.
    pub(crate) fn new(script: &Script, canary: Option<&str>) -> Self {
        let stem = match canary.or(script.canary.as_deref()) {
            Some(canary) => format!(" {canary}."),
            None => " w".to_owned(),
        };
        let size = usize::try_from(script.token_bytes).unwrap_or(usize::MAX);
        let first_size = usize::try_from(script.event_bytes)
            .unwrap_or(usize::MAX)
            .max(size);
        Self {
            stem: stem.into_bytes(),
            size,
            first_size,
            given: Vec::new(),
        }
    }

    /// Takes a text to be said in place of numbered words; how many tokens it has.
    pub(crate) fn say(&mut self, text: &str) -> u64 {
        let letters: Vec<char> = text.chars().collect();
        let tokens = letters.chunks(TOKEN).map(|token| {
            let token: String = token.iter().collect();
            let quoted = serde_json::to_string(&token).unwrap_or_default();
            let inner = quoted
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'));
            inner.unwrap_or_default().to_owned()
        });
        self.given = tokens.collect();
        self.given.len() as u64
    }

    /// Adds a token of the reasoning: ` r7`.
    pub(crate) fn write_thought(&self, choice: u32, thought: u64, out: &mut Vec<u8>) {
        match self.stem.strip_suffix(b".") {
            Some(_) => out.extend_from_slice(&self.stem),
            None => out.push(b' '),
        }
        out.push(b'r');
        push_number(thought, out);
        if choice > 0 {
            out.push(b'c');
            push_number(u64::from(choice), out);
        }
    }

    /// Adds a token of a choice: ` w7`, and ` w7c1` in the second choice.
    pub(crate) fn write(&self, choice: u32, token: u64, out: &mut Vec<u8>) {
        let given = usize::try_from(token)
            .ok()
            .and_then(|at| self.given.get(at));
        if let Some(given) = given {
            return out.extend_from_slice(given.as_bytes());
        }
        let start = out.len();
        out.extend_from_slice(&self.stem);
        push_number(token, out);
        if choice > 0 {
            out.push(b'c');
            push_number(u64::from(choice), out);
        }
        let size = if token == 0 {
            self.first_size
        } else {
            self.size
        };
        let end = start.saturating_add(size);
        if out.len() < end {
            out.resize(end, b'x');
        }
    }
}

/// Adds a number in decimal, without the formatting machinery: it is called for every token.
pub(crate) fn push_number(number: u64, out: &mut Vec<u8>) {
    let start = out.len();
    let mut left = number;
    loop {
        out.push(b'0' + (left % 10) as u8);
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_numbered_padded_and_marked() {
        assert_eq!(answer_text(3), " w0 w1 w2");
        let script: Script = "tokens=2,token_bytes=5,event_bytes=7".parse().unwrap();
        assert_eq!(scripted_text(&script, 0, None).unwrap(), " w0xxxx w1xx");
        assert_eq!(
            scripted_text(&script, 0, Some("k-1")).unwrap(),
            " k-1.0x k-1.1"
        );
        assert_eq!(scripted_text(&script, 2, None).unwrap(), " w0c2xx w1c2");
        assert_eq!(scripted_text(&"tokens=inf".parse().unwrap(), 0, None), None);
    }

    #[test]
    fn a_given_text_is_cut_between_letters_and_escaped() {
        let script: Script = "canary=x".parse().unwrap();
        let mut words = Words::new(&script, None);
        assert_eq!(words.say("a \"b\" \u{1f324}\u{1f324}"), 2);
        let mut out = Vec::new();
        (0..2).for_each(|token| words.write(0, token, &mut out));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "a \\\"b\\\" \u{1f324}\u{1f324}"
        );
        let mut out = Vec::new();
        words.write_thought(0, 3, &mut out);
        Words::new(&Script::default(), None).write_thought(1, 4, &mut out);
        assert_eq!(out, b" x.r3 r4c1");
    }

    #[test]
    fn numbers_are_decimal() {
        let mut out = Vec::new();
        for number in [0, 7, 10, 4096, u64::MAX] {
            push_number(number, &mut out);
            out.push(b' ');
        }
        assert_eq!(out, b"0 7 10 4096 18446744073709551615 ");
    }
}
