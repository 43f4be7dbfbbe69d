//! Small pieces of JSON that a stream and a whole answer share.

use bytes::{BufMut as _, BytesMut};

use crate::dialect::voices::Label;
use crate::exchange::{Finish, Task, Usage};
use crate::json::{put_string, put_text};

/// Writes what an answer says of itself, up to its choices: `{"id":…,"choices":[`.
pub(super) fn put_head(task: Task, object: &str, label: &Label<'_>, out: &mut BytesMut) {
    let prefix: &[u8] = match task {
        Task::Completion => b"cmpl-",
        Task::Chat | Task::Embedding | Task::Count => b"chatcmpl-",
    };
    out.put_slice(b"{\"id\":\"");
    out.put_slice(prefix);
    put_text(out, label.id);
    out.put_slice(b"\",\"object\":\"");
    out.put_slice(object.as_bytes());
    out.put_slice(b"\",\"created\":");
    put_number(out, label.created);
    out.put_slice(b",\"model\":");
    put_string(out, label.model);
    out.put_slice(b",\"choices\":[");
}

/// Writes a number.
pub(super) fn put_number(out: &mut BytesMut, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        length += 1;
        if number == 0 {
            break;
        }
    }
    out.put_slice(digits.get(20 - length..).unwrap_or_default());
}

/// Whether an answer has calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calls {
    None,
    Some,
    /// A plain completion has no place for them.
    Untold,
}

impl Calls {
    /// By how many there are.
    pub(super) fn of(count: usize) -> Self {
        if count == 0 { Self::None } else { Self::Some }
    }
}

/// The word for a finish. Of good ends without a word of their own, calls make the difference;
/// an answer that was cut is cut whatever it holds.
pub(super) fn finish(reason: Finish, calls: Calls) -> &'static str {
    match (reason, calls) {
        (Finish::ToolCalls | Finish::Stop | Finish::Other, Calls::Untold)
        | (Finish::Stop | Finish::Other, Calls::None) => "stop",
        (Finish::ToolCalls, _) | (Finish::Stop | Finish::Other, Calls::Some) => "tool_calls",
        (Finish::Length, _) => "length",
        (Finish::ContentFilter, _) => "content_filter",
    }
}

/// Writes a `usage`.
pub(super) fn put_usage(out: &mut BytesMut, usage: &Usage) {
    let total = usage.input.0.saturating_add(usage.output.0);
    for (name, number) in [
        ("{\"prompt_tokens\":", usage.input.0),
        (",\"completion_tokens\":", usage.output.0),
        (",\"total_tokens\":", total),
        (
            ",\"prompt_tokens_details\":{\"cached_tokens\":",
            usage.cached.0,
        ),
        (",\"cache_write_tokens\":", usage.cache_write.0),
        (
            "},\"completion_tokens_details\":{\"reasoning_tokens\":",
            usage.reasoning.0,
        ),
    ] {
        out.put_slice(name.as_bytes());
        put_number(out, number);
    }
    out.put_slice(b"}}");
}

/// Writes a call's id, or one made of the answer's own and the call's place.
pub(super) fn put_call_id(out: &mut BytesMut, id: &str, answer: &str, choice: u32, index: u32) {
    if !id.is_empty() {
        put_string(out, id);
        return;
    }
    out.put_slice(b"\"call_");
    put_text(out, answer);
    for number in [choice, index] {
        out.put_u8(b'_');
        put_number(out, number.into());
    }
    out.put_u8(b'"');
}

/// Writes where the seal of a call stands (`OpenAI` compatibility of the Gemini API).
pub(super) fn put_signature(out: &mut BytesMut, seal: &str) {
    out.put_slice(b"\"extra_content\":{\"google\":{\"thought_signature\":");
    put_string(out, seal);
    out.put_slice(b"}}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are() {
        for number in [0, 1, 9, 10, 1_795_248_000, u64::MAX] {
            let mut out = BytesMut::new();
            put_number(&mut out, number);
            assert_eq!(out, number.to_string());
        }
    }

    #[test]
    fn calls_turn_a_stop_into_tool_calls_and_nothing_else() {
        for (reason, without, with) in [
            (Finish::Stop, "stop", "tool_calls"),
            (Finish::Other, "stop", "tool_calls"),
            (Finish::ToolCalls, "tool_calls", "tool_calls"),
            (Finish::Length, "length", "length"),
            (Finish::ContentFilter, "content_filter", "content_filter"),
        ] {
            assert_eq!(
                (finish(reason, Calls::None), finish(reason, Calls::Some)),
                (without, with)
            );
        }
    }
}
