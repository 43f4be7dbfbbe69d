//! Why a candidate ended, in Gemini's words.

use crate::dialect::failure::{flat, of_reason};
use crate::dialect::leaf::Leaf;
use crate::dialect::name::Name;
use crate::exchange::{Failure, Finish};

use super::read::Candidate;

/// What a finish reason says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing yet: none, or `CONTINUATION`, which asks for another request.
    Open,
    /// A known end.
    Known(Finish),
    /// An end that means nothing by itself: good if there was an answer.
    Unknown,
    /// The model failed.
    Broken,
}

/// The end that a finish reason is. There is none for calls: a stop after a call is one.
pub(super) fn end(reason: &str) -> End {
    match reason {
        "" | "CONTINUATION" => End::Open,
        "STOP" => End::Known(Finish::Stop),
        "MAX_TOKENS" => End::Known(Finish::Length),
        "SAFETY"
        | "PROHIBITED_CONTENT"
        | "BLOCKLIST"
        | "SPII"
        | "RECITATION"
        | "LANGUAGE"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR" => End::Known(Finish::ContentFilter),
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE"
        | "MALFORMED_RESPONSE" => End::Broken,
        _ => End::Unknown,
    }
}

/// The end of this piece of a candidate.
pub(super) fn of(candidate: &Candidate<'_>) -> End {
    let reason = candidate.finish_reason.map(Leaf::from);
    let words = reason.and_then(Leaf::words);
    words.map_or(End::Open, |reason| end(&reason))
}

/// Whether the answer goes on in another request.
pub(super) fn goes_on(candidate: &Candidate<'_>) -> bool {
    let reason = candidate.finish_reason.map(Leaf::from);
    reason.and_then(Leaf::words).is_some() && of(candidate) == End::Open
}

/// The failure that a candidate's end is: the reason in lower case, and what explains it.
pub(super) fn failure(candidate: &Candidate<'_>) -> Failure {
    let mut failure = candidate
        .finish_reason
        .map(|reason| of_reason(reason.into()))
        .unwrap_or_default();
    if let Some(code) = &mut failure.code {
        code.make_ascii_lowercase();
    }
    if let Some(message) = candidate.finish_message {
        flat(&mut failure, Name::Message, message.into());
    }
    failure
}
