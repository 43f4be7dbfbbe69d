//! What the events of a stream and a whole message have in common.

use crate::sim::script::{Done, Finish, Role};
use crate::sim::speech::{Counts, Reason, Speech};
use crate::sim::steps::{Form, Parts};

/// The seal on every thinking block.
pub(super) const SIGNATURE: &str = "c2ltdWxhdGVkIHRob3VnaHRz";

/// The pieces of a stream. The usage is in its first and last event, and an error is the end.
pub(crate) fn parts(speech: &Speech<'_>) -> Parts {
    let script = speech.script;
    Parts {
        form: Form::Stream,
        preamble: script.role != Role::Missing,
        finish: script.finish != Finish::Missing,
        usage: false,
        marks: match script.done {
            Done::Once => 1,
            Done::Missing => 0,
            Done::Twice => 2,
        },
        marks_after_error: 0,
        ..Parts::whole(speech.thoughts, speech.tokens)
    }
}

/// `"id":…,"type":"message","role":"assistant","model":…,"content":[`
pub(super) fn envelope(speech: &Speech<'_>) -> String {
    let (id, model) = (speech.request, &speech.model);
    format!(
        "\"id\":\"msg_sim_{id}\",\"type\":\"message\",\"role\":\"assistant\",\"model\":{model},\
         \"content\":["
    )
}

/// `"stop_reason":…,"stop_sequence":…` and the details of a refusal.
pub(super) fn ending(speech: &Speech<'_>) -> String {
    let sequence = match speech.reason() {
        Some(Reason::StopSequence) => speech.stop.as_str(),
        _ => "null",
    };
    let (reason, details) = match speech.reason() {
        None => return "\"stop_reason\":null,\"stop_sequence\":null".to_owned(),
        Some(Reason::Stop) => ("end_turn", ""),
        Some(Reason::StopSequence) => ("stop_sequence", ""),
        Some(Reason::Length) => ("max_tokens", ""),
        Some(Reason::Calls) => ("tool_use", ""),
        Some(Reason::Filtered) => (
            "refusal",
            ",\"stop_details\":{\"type\":\"refusal\",\"category\":null,\
             \"explanation\":\"The request was declined.\"}",
        ),
        Some(Reason::Literal(word)) => (word, ""),
    };
    let reason = serde_json::to_string(reason).unwrap_or_default();
    format!("\"stop_reason\":{reason},\"stop_sequence\":{sequence}{details}")
}

/// The usage object of a message, with so many output tokens.
pub(super) fn usage(counts: &Counts, output: u64) -> String {
    let side = input_side(counts);
    let written = counts.written;
    format!(
        "{{{side},\"cache_creation\":{{\"ephemeral_5m_input_tokens\":{written},\
         \"ephemeral_1h_input_tokens\":0}},\"output_tokens\":{output},\
         \"service_tier\":\"standard\"}}"
    )
}

/// The usage object at a stream's end: totals.
pub(super) fn last_usage(counts: &Counts) -> String {
    let (side, output, thought) = (input_side(counts), counts.completion(), counts.thought);
    format!(
        "{{{side},\"output_tokens\":{output},\
         \"output_tokens_details\":{{\"thinking_tokens\":{thought}}}}}"
    )
}

/// What comes in; cached tokens are not counted twice.
fn input_side(counts: &Counts) -> String {
    let (cached, written) = (counts.cached, counts.written);
    let input = counts.prompt.saturating_sub(cached).saturating_sub(written);
    format!(
        "\"input_tokens\":{input},\"cache_creation_input_tokens\":{written},\
         \"cache_read_input_tokens\":{cached}"
    )
}

/// The id of a tool call: unlike any other of its conversation.
pub(super) fn call_id(speech: &Speech<'_>, index: u64) -> String {
    format!("toolu_sim_{}_{index}", speech.series)
}
