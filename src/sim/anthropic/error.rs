//! Error bodies and events, with the types that Anthropic gives with each status.

use serde_json::{Value, json};

use crate::sim::asked::Refused;
use crate::sim::script::ErrorText;
use crate::sim::trouble::{Trouble, message};

/// The headers of every answer; limits that are far away.
pub(crate) fn headers(number: u64) -> Vec<String> {
    let mut lines = vec![
        format!("request-id: req_sim_{number}"),
        "anthropic-organization-id: org-sim".to_owned(),
    ];
    for (what, limit) in [
        ("requests", 1000_u64),
        ("input-tokens", 450_000),
        ("output-tokens", 90_000),
    ] {
        let left = limit.saturating_sub(1);
        lines.push(format!("anthropic-ratelimit-{what}-limit: {limit}"));
        lines.push(format!("anthropic-ratelimit-{what}-remaining: {left}"));
        lines.push(format!(
            "anthropic-ratelimit-{what}-reset: 2026-11-21T12:00:30Z"
        ));
    }
    lines
}

/// A field that nobody knows.
pub(super) fn extra(place: &str) -> Refused {
    Refused::request(format!("{place}: Extra inputs are not permitted"))
}

/// The body of an error status.
pub(crate) fn status_error(status: u16, text: &ErrorText, number: u64) -> Vec<u8> {
    json!({
        "type": "error",
        "error": error(Some(status), text),
        "request_id": format!("req_sim_{number}"),
    })
    .to_string()
    .into_bytes()
}

/// The data of an error event.
pub(super) fn event_error(text: &ErrorText) -> Vec<u8> {
    json!({ "type": "error", "error": error(None, text) })
        .to_string()
        .into_bytes()
}

fn error(status: Option<u16>, text: &ErrorText) -> Value {
    let trouble = Trouble::of(status, text);
    let (kind, usual) = usual(trouble, status);
    let known = |word: &&String| Trouble::named(word).is_none();
    let kind = text
        .kind
        .as_ref()
        .filter(known)
        .map_or(kind, String::as_str);
    let mut error = json!({ "type": kind, "message": message(trouble, usual, text) });
    let spent = (trouble == Trouble::Quota && status == Some(429))
        .then_some("enforced_spend_limit_reached");
    let code = text.code.as_ref().filter(known).map(String::as_str);
    if let (Some(code), Some(object)) = (code.or(spent), error.as_object_mut()) {
        object.insert("details".to_owned(), json!({ "error_code": code }));
    }
    error
}

/// Type and message as the API reference and recorded answers have them.
fn usual(trouble: Trouble, status: Option<u16>) -> (&'static str, &'static str) {
    let request = "invalid_request_error";
    match trouble {
        Trouble::BadRequest => (request, "The request is invalid."),
        Trouble::ContextLength => (
            request,
            "prompt is too long: 205351 tokens > 200000 maximum",
        ),
        Trouble::ContentPolicy => (request, "Output blocked by content filtering policy"),
        Trouble::TooLarge => (
            "request_too_large",
            "Request exceeds the maximum allowed number of bytes.",
        ),
        Trouble::BadKey => ("authentication_error", "invalid x-api-key"),
        Trouble::Forbidden => (
            "permission_error",
            "Your API key does not have permission to use the specified resource.",
        ),
        Trouble::UnknownModel => ("not_found_error", "model: unknown"),
        // A spend cap has the type of a rate.
        Trouble::Quota if status == Some(429) => ("rate_limit_error", "Spend limit reached."),
        Trouble::Quota => ("billing_error", "There is an issue with your billing."),
        Trouble::RateLimited => (
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 450,000 input tokens per minute.",
        ),
        Trouble::Overloaded if status == Some(503) => ("api_error", "Service unavailable"),
        Trouble::Overloaded => ("overloaded_error", "Overloaded"),
        Trouble::Timeout => ("timeout_error", "The request timed out."),
        Trouble::Conflict => ("conflict_error", "The request conflicts with another."),
        Trouble::Internal => ("api_error", "Internal server error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_has_the_words_of_this_provider() {
        let cases = [
            (Some(429), "", "rate_limit_error", None),
            (
                Some(429),
                "error_code=insufficient_quota",
                "rate_limit_error",
                Some("enforced_spend_limit_reached"),
            ),
            (Some(402), "", "billing_error", None),
            (Some(529), "", "overloaded_error", None),
            (Some(503), "", "api_error", None),
            (Some(413), "", "request_too_large", None),
            (
                Some(429),
                "error_code=ramp_limit_exceeded",
                "rate_limit_error",
                Some("ramp_limit_exceeded"),
            ),
            (Some(400), "error_type=odd_error", "odd_error", None),
            (None, "", "api_error", None),
            (None, "error_code=insufficient_quota", "billing_error", None),
            (
                None,
                "error_type=overloaded_error",
                "overloaded_error",
                None,
            ),
        ];
        for (status, script, kind, code) in cases {
            let script: crate::sim::Script = script.parse().unwrap();
            let error = error(status, &script.error);
            assert_eq!(error["type"], kind, "{status:?} {error}");
            assert_eq!(
                error.pointer("/details/error_code").and_then(Value::as_str),
                code
            );
        }
        let long: crate::sim::Script = "error_code=context_length_exceeded,error_message=zebra"
            .parse()
            .unwrap();
        let told = error(Some(400), &long.error)["message"].clone();
        let told = told.as_str().unwrap();
        assert!(told.starts_with("prompt is too long") && told.ends_with("zebra"));
    }
}
