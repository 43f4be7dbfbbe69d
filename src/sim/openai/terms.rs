//! What the chunks of a stream and a whole document have in common.

use crate::sim::script::{Done, Finish, Role, Usage};
use crate::sim::speech::{Reason, Speech};
use crate::sim::steps::{Form, Parts};
use crate::sim::text::{Call, push_number};
use crate::sim::voice::Voice;

/// The creation time in every answer: fixed, so that equal requests give equal bytes.
pub(super) const CREATED: &[u8] = b"1795248000";

/// The pieces of a stream.
pub(crate) fn parts(speech: &Speech<'_>, voice: Voice) -> Parts {
    let script = speech.script;
    let marks = match script.done {
        Done::Once => 1,
        Done::Missing => 0,
        Done::Twice => 2,
    };
    Parts {
        form: Form::Stream,
        thoughts: speech.thoughts,
        tokens: speech.tokens,
        preamble: script.role == Role::Own && voice != Voice::Completions,
        finish: script.finish != Finish::Missing,
        usage: match script.usage {
            Usage::Missing => false,
            Usage::Asked | Usage::Zero => speech.asks_usage,
            Usage::Every => true,
        },
        marks,
        marks_after_error: marks,
    }
}

/// The terms of one answer.
#[derive(Debug)]
pub(super) struct Terms<'a> {
    pub(super) speech: Speech<'a>,
    /// `{"id":…,"object":…,"created":…,"model":…,"service_tier":…,"system_fingerprint":null,`
    pub(super) envelope: Vec<u8>,
    /// What the host adds to every choice.
    pub(super) beside: &'static [u8],
}

impl<'a> Terms<'a> {
    pub(super) fn new(speech: Speech<'a>, object: &str, beside: &'static [u8]) -> Self {
        let created = String::from_utf8_lossy(CREATED);
        let (id, model) = (speech.request, &speech.model);
        let prefix = match object {
            "text_completion" => "cmpl",
            _ => "chatcmpl",
        };
        let tier = match object {
            "text_completion" => "",
            _ => "\"service_tier\":\"default\",",
        };
        let envelope = format!(
            "{{\"id\":\"{prefix}-sim-{id}\",\"object\":\"{object}\",\"created\":{created},\
             \"model\":{model},{tier}\"system_fingerprint\":null,"
        );
        Self {
            speech,
            envelope: envelope.into_bytes(),
            beside,
        }
    }

    /// The finish reason as JSON.
    pub(super) fn finish(&self) -> String {
        let natural = self.speech.script.finish == Finish::Natural;
        let reason = match self.speech.reason() {
            None => return "null".to_owned(),
            // A refusal has a field of its own.
            Some(Reason::Filtered) if natural => "stop",
            Some(Reason::Stop | Reason::StopSequence) => "stop",
            Some(Reason::Length) => "length",
            Some(Reason::Calls) => "tool_calls",
            Some(Reason::Filtered) => "content_filter",
            Some(Reason::Literal(word)) => word,
        };
        serde_json::to_string(reason).unwrap_or_default()
    }

    /// Adds the usage object when so many tokens of each choice are out; `null` where none is told.
    pub(super) fn push_usage(&self, thoughts: u64, tokens: u64, out: &mut Vec<u8>) {
        let Some(counts) = self.speech.counts(thoughts, tokens) else {
            return out.extend_from_slice(b"null");
        };
        let completion = counts.completion();
        let total = counts.prompt.saturating_add(completion);
        let parts: [(&[u8], u64); 6] = [
            (b"{\"prompt_tokens\":", counts.prompt),
            (b",\"completion_tokens\":", completion),
            (b",\"total_tokens\":", total),
            (
                b",\"prompt_tokens_details\":{\"cached_tokens\":",
                counts.cached,
            ),
            (b",\"cache_write_tokens\":", counts.written),
            (
                b",\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":",
                counts.thought,
            ),
        ];
        for (text, number) in parts {
            out.extend_from_slice(text);
            push_number(number, out);
        }
        out.extend_from_slice(
            b",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\
              \"rejected_prediction_tokens\":0}}",
        );
    }

    /// Adds `"id":…,"type":"function","function":{"name":…,"arguments":"`
    pub(super) fn push_call_opening(&self, choice: u32, index: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"id\":\"call_sim_");
        push_number(self.speech.series, out);
        out.push(b'_');
        push_number(u64::from(choice), out);
        out.push(b'_');
        push_number(index, out);
        out.extend_from_slice(b"\",\"type\":\"function\",\"function\":{\"name\":\"");
        out.extend_from_slice(self.speech.tool.as_bytes());
        out.extend_from_slice(b"\",\"arguments\":\"");
    }

    /// Adds a token as a piece of a call's arguments, which are `{"text":" w0 w1"}` together.
    pub(super) fn push_argument(&self, choice: u32, token: u64, call: Call, out: &mut Vec<u8>) {
        if call.first {
            out.extend_from_slice(b"{\\\"text\\\":\\\"");
        }
        self.speech.token(choice, token, out);
        if call.last {
            out.extend_from_slice(b"\\\"}");
        }
    }
}
