//! What the chunks of a stream and a whole answer have in common.

use crate::sim::script::{Finish, Length};
use crate::sim::speech::{Counts, Reason, Speech};
use crate::sim::steps::{Form, Parts};

/// The seal on calls and on the last text.
pub(super) const SIGNATURE: &str = "c2ltdWxhdGVkIHNpZ25hdHVyZQ==";

/// The pieces of a stream: it has neither an envelope nor an end mark, and its usage is everywhere.
pub(crate) fn parts(speech: &Speech<'_>) -> Parts {
    Parts {
        form: Form::Stream,
        preamble: false,
        finish: speech.script.finish != Finish::Missing,
        usage: false,
        marks: 0,
        marks_after_error: 0,
        ..Parts::whole(speech.thoughts, speech.tokens)
    }
}

/// Whether the prompt was blocked: then there are no candidates.
pub(super) fn is_blocked(speech: &Speech<'_>) -> bool {
    speech.refuses() && speech.tokens == Length::Tokens(0)
}

/// The finish reason as JSON; `None` where it is not told. Calls have no reason of their own.
pub(super) fn finish(speech: &Speech<'_>) -> Option<String> {
    let reason = match speech.reason()? {
        Reason::Stop | Reason::StopSequence | Reason::Calls => "STOP",
        Reason::Length => "MAX_TOKENS",
        Reason::Filtered => "SAFETY",
        Reason::Literal(word) => word,
    };
    Some(serde_json::to_string(reason).unwrap_or_default())
}

/// `"usageMetadata":{…},` or nothing.
pub(super) fn usage(counts: Option<Counts>) -> String {
    let Some(counts) = counts else {
        return String::new();
    };
    let Counts {
        prompt,
        cached,
        said,
        thought,
        ..
    } = counts;
    let total = prompt.saturating_add(counts.completion());
    let cached = match cached {
        0 => String::new(),
        count => format!("\"cachedContentTokenCount\":{count},"),
    };
    let thought = match thought {
        0 => String::new(),
        count => format!("\"thoughtsTokenCount\":{count},"),
    };
    format!(
        "\"usageMetadata\":{{\"promptTokenCount\":{prompt},{cached}\"candidatesTokenCount\":{said},\
         {thought}\"totalTokenCount\":{total},\"promptTokensDetails\":[{{\"modality\":\"TEXT\",\
         \"tokenCount\":{prompt}}}]}},"
    )
}

/// `"modelVersion":…,"responseId":…`
pub(super) fn origin(speech: &Speech<'_>) -> String {
    let (model, id) = (&speech.model, speech.request);
    format!("\"modelVersion\":{model},\"responseId\":\"sim-{id}\"")
}
