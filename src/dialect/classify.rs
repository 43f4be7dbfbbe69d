//! What kind of failure a provider's error is: one table over status, type, code and words.
//!
//! Pure, and the same for every wire format: providers copy one another's errors, and gateways
//! pass them on. The order of the table is the order of the tests: money before rate, the prompt's
//! length and its subject before a bad request, and the status last.
//!
//! Words of a message are trusted as far as a client cannot put them there: a 400 may quote the
//! request, so there only how it begins or ends can speak against the target.

use smallvec::SmallVec;

use self::Sign::{Begins, Ends, Holds, Says, Word};
use self::When::{Any, BadRequest, Limits, Only, Request, Subject, Unnumbered};
use crate::exchange::{Class, Failure};

/// The most bytes of a message that are looked at.
const MOST: usize = 2048;

/// The statuses that a rule is for.
#[derive(Clone, Copy, Debug)]
enum When {
    /// Whatever the status.
    Any,
    /// 400 and 422.
    BadRequest,
    /// Those that speak of an account and its limits, never of a request's values: 403 and 429.
    Limits,
    /// Those that a request can cause: 400, 413, 422, the 500 of small servers, or none.
    Request,
    /// Those of a refused subject: 400, 403, 422, or none.
    Subject,
    /// This one.
    Only(u16),
    /// An error inside a stream that gives no number.
    Unnumbered,
}

/// What is looked for, lower case.
#[derive(Clone, Copy, Debug)]
enum Sign {
    /// The type, the code or one of the finer reasons is this.
    Word,
    /// One of them holds this.
    Holds,
    /// The message holds this; `*` stands for anything.
    Says,
    /// The message begins so.
    Begins,
    /// The message ends so, but for a full stop.
    Ends,
}

/// The table. The first rule of which one text is met decides; then the status does.
///
/// Sources: SDK types, specifications and documentation of the vendors; texts from their issue
/// trackers and from the overflow lists that clients keep.
#[rustfmt::skip]
const RULES: &[(When, Sign, Class, &[&str])] = &[
    // Money, and amounts a day or a month. 402 says so whatever its words.
    (Only(402), Says, Class::Quota, &[""]),
    (Any, Word, Class::Quota, &[
        "insufficient_quota", "credit_balance_exhausted", "organization_usage_limit_exceeded",
        "billing_not_active", "billing_hard_limit_reached", "billing_error", "payment_required",
        "insufficient_balance", "insufficient_credits", "servicequotaexceededexception",
    ]),
    (Any, Holds, Class::Quota, &["spend_limit", "perday", "permonth", "quotavalue:0"]),
    (Only(429), Says, Class::RateLimited, &["trial key*/ minute", "trial key*per minute"]),
    (Limits, Says, Class::Quota, &[
        "per day (", "tokens per day", "requests per day", "free-models-per-day", "per month",
        "trial key", "insufficient balance", "insufficient credits", "credit balance",
        "available credits", "spend limit", "spending limit", "out of call volume quota",
        "limit: 0,", "retry after 86400 seconds",
    ]),
    (Any, Begins, Class::Quota, &[
        "you have reached your specified", "your credit balance is too low",
        "insufficient balance", "insufficient credits", "too many tokens per day",
    ]),
    // What type or code say for certain.
    (Any, Word, Class::ContextLength, &[
        "context_length_exceeded", "exceed_context_size_error", "model_context_window_exceeded",
    ]),
    (Any, Word, Class::ContentPolicy, &[
        "content_policy_violation", "content_filter", "content_filtered", "guardrail_intervened",
        "responsibleaipolicyviolation", "invalid_prompt", "bio_policy", "moderation_blocked",
        "misalignment_policy_violation", "prohibited_content", "refusal",
    ]),
    (Any, Holds, Class::ContentPolicy, &["safety_check"]),
    (Any, Word, Class::BadModelOutput, &[
        "tool_use_failed", "json_validate_failed", "malformed_function_call",
        "unexpected_tool_call", "too_many_tool_calls", "malformed_response",
    ]),
    (Any, Word, Class::NotFound, &[
        "model_not_found", "deploymentnotfound", "invalid_model", "not_found", "not_found_error",
        "notfounderror", "resourcenotfoundexception",
    ]),
    (Any, Word, Class::Auth, &[
        "invalid_api_key", "api_key_invalid", "authentication_error", "unauthenticated",
        "permission_error", "permission_denied", "request_forbidden", "organization_on_hold",
        "unsupported_country_region_territory", "accessdeniedexception",
        "unrecognizedclientexception", "expiredtokenexception", "invalidsignatureexception",
    ]),
    // Gemini: the API is off, or not for this region.
    (Only(400), Word, Class::Auth, &["failed_precondition"]),
    // A firewall's page, which says nothing of a credential.
    (Only(403), Word, Class::Transient, &["html"]),
    // A model that is still being loaded (Bedrock; llama.cpp).
    (Any, Word, Class::Transient, &["modelnotreadyexception", "unavailable_error"]),
    (Any, Word, Class::Overloaded, &[
        "server_is_overloaded", "slow_down", "overloaded_error", "capacity_exceeded",
        "service_tier_capacity_exceeded", "provider_overloaded", "engine_overloaded_error",
        "insufficient_system_resource",
    ]),
    (Only(429), Word, Class::Overloaded, &["3505"]),
    (Any, Word, Class::RateLimited, &[
        "rate_limit_exceeded", "rate_limit_error", "rate_limited", "too_many_requests",
        "ramp_limit_exceeded", "throttlingexception", "resource_exhausted",
    ]),
    (Any, Word, Class::TooLarge, &["request_too_large"]),
    // Groq: more tokens at once than the rate of a minute.
    (Only(413), Says, Class::RateLimited, &["tokens per minute"]),
    // The answer's bound, not the prompt's length: to be lowered, not to be taken elsewhere.
    (Request, Says, Class::BadRequest, &[
        "max_tokens*is too large", "max_completion_tokens*is too large", "max_tokens too large",
        "max_output_tokens*is too large", "maximum allowed number of output tokens",
    ]),
    (Request, Says, Class::ContextLength, &[
        "prompt is too long", "input is too long for requested model",
        "exceeds the context window", "input token count*exceeds the maximum",
        "maximum prompt length is", "reduce the length of the", "maximum context length is",
        "too large for model with*maximum context length", "token*exceeds the limit of",
        "exceeds the available context size", "greater than the context length",
        "context window exceeds limit", "exceed context limit", "exceeded model token limit",
        "context length exceeded", "context_length_exceeded", "context length is only",
        "input length*exceeds*context length", "too many tokens",
    ]),
    // `OpenRouter` and xAI say it with a 403.
    (Subject, Says, Class::ContentPolicy, &[
        "content management policy", "content exists risk", "input was flagged", "safety_check",
    ]),
    // Bad keys and unknown models that come as 400 (Gemini, xAI; Bedrock, Mistral, `DeepSeek`).
    (BadRequest, Begins, Class::Auth, &[
        "api key not valid", "incorrect api key", "invalid api key",
    ]),
    (BadRequest, Begins, Class::NotFound, &[
        "invalid model:", "model not exist", "the provided model identifier is invalid",
    ]),
    (BadRequest, Begins, Class::NotFound, &["invocation of model id*with on-demand throughput isn"]),
    (BadRequest, Ends, Class::NotFound, &["is not a valid model id"]),
    // Azure's capacity comes as 429, Ollama's queue as 503; 498 means two things.
    (Only(429), Says, Class::Overloaded, &["experiencing high demand"]),
    (Only(503), Begins, Class::RateLimited, &["server busy"]),
    (Only(498), Says, Class::Auth, &["token"]),
    // Without a number, what would be too vague beside one.
    (Unnumbered, Word, Class::Overloaded, &[
        "unavailable", "service_unavailable_error", "serviceunavailableexception",
    ]),
    (Unnumbered, Word, Class::BadRequest, &[
        "invalid_request_error", "badrequesterror", "validationexception", "invalid_argument",
        "missing_thought_signature",
    ]),
    (Unnumbered, Says, Class::RateLimited, &["rate limit", "too many requests"]),
    (Unnumbered, Says, Class::Overloaded, &["overloaded"]),
];

/// The class of a provider's error, be it a status or an event inside a stream.
///
/// A delay that headers ask for is not looked at here: one of hours makes a quota of a rate
/// (`relay::verdict`).
pub fn classify(failure: &Failure) -> Class {
    let heard = Heard::new(failure);
    let rule = RULES.iter().find(|(when, sign, _, texts)| {
        applies(*when, failure.status) && texts.iter().any(|text| heard.meets(*sign, text))
    });
    match (rule, failure.status) {
        (Some((_, _, class, _)), _) => *class,
        (None, Some(status)) => by_status(status),
        (None, None) => Class::Transient,
    }
}

/// What a status says where nothing else does.
fn by_status(status: u16) -> Class {
    match status {
        // Redirects are not followed: what is asked for lies elsewhere.
        300..=399 | 404 | 405 | 410 => Class::NotFound,
        401 | 403 | 407 | 451 => Class::Auth,
        402 => Class::Quota,
        408 | 409 | 424 | 425 | 499 => Class::Transient,
        413 => Class::TooLarge,
        429 => Class::RateLimited,
        498 | 503 | 529 => Class::Overloaded,
        400..=497 | 501 => Class::BadRequest,
        _ => Class::Transient,
    }
}

fn applies(when: When, status: Option<u16>) -> bool {
    match when {
        Any => true,
        BadRequest => matches!(status, Some(400 | 422)),
        Limits => matches!(status, Some(403 | 429)),
        Request => matches!(status, None | Some(400 | 413 | 422 | 500)),
        Subject => matches!(status, None | Some(400 | 403 | 422)),
        Only(number) => status == Some(number),
        Unnumbered => status.is_none(),
    }
}

/// What a provider said, in lower case.
struct Heard {
    /// The type, the code and the finer reasons.
    words: SmallVec<[String; 4]>,
    /// The beginning of the message.
    message: String,
}

impl Heard {
    fn new(failure: &Failure) -> Self {
        let reasons = failure.reasons.as_deref().unwrap_or_default();
        let single = [failure.kind.as_deref(), failure.code.as_deref()];
        let words = single.into_iter().flatten().chain(reasons.split(' '));
        let message = failure.message.as_deref().unwrap_or_default();
        let head = message.get(..message.floor_char_boundary(MOST));
        Self {
            words: words.map(str::to_ascii_lowercase).collect(),
            message: head.unwrap_or_default().to_ascii_lowercase(),
        }
    }

    fn meets(&self, sign: Sign, text: &str) -> bool {
        match sign {
            Word => self.words.iter().any(|word| word == text),
            Holds => self.words.iter().any(|word| word.contains(text)),
            Says => says(&self.message, text).is_some(),
            Begins => says(&self.message, text) == Some(0),
            Ends => self.message.trim_end_matches('.').ends_with(text),
        }
    }
}

/// Where the text's first part begins if its parts follow one another in the message.
fn says(message: &str, text: &str) -> Option<usize> {
    let mut first = None;
    let mut rest = message;
    for part in text.split('*') {
        let (before, after) = rest.split_once(part)?;
        first = first.or(Some(before.len()));
        rest = after;
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A status that the rule is for.
    fn status(when: When) -> Option<u16> {
        match when {
            Any => Some(500),
            BadRequest | Request => Some(400),
            Limits | Subject => Some(403),
            Only(status) => Some(status),
            Unnumbered => None,
        }
    }

    #[test]
    fn every_text_of_the_table_decides_what_it_stands_for() {
        for (when, sign, class, texts) in RULES {
            for text in *texts {
                assert_eq!(*text, text.to_ascii_lowercase());
                let spelt = text.replace('*', " 7 ");
                let (code, message) = match sign {
                    Word => (spelt, String::new()),
                    Holds => (format!("a{spelt}b"), String::new()),
                    Says => (String::new(), format!("A {spelt} b")),
                    Begins => (String::new(), format!("{spelt} b")),
                    Ends => (String::new(), format!("A {spelt}.")),
                };
                let failure = Failure {
                    status: status(*when),
                    code: Some(code.to_ascii_uppercase()),
                    message: Some(message.to_ascii_uppercase()),
                    ..Failure::default()
                };
                assert_eq!(classify(&failure), *class, "{when:?} {sign:?} {text}");
            }
        }
    }

    #[test]
    fn a_rule_is_for_its_statuses_alone() {
        for (when, expected) in [
            (BadRequest, &[Some(400), Some(422)][..]),
            (Limits, &[Some(403), Some(429)]),
            (Request, &[None, Some(400), Some(413), Some(422), Some(500)]),
            (Subject, &[None, Some(400), Some(403), Some(422)]),
            (Only(498), &[Some(498)]),
            (Unnumbered, &[None]),
        ] {
            let statuses = (100..=999).map(Some).chain([None]);
            for status in statuses {
                assert!(applies(Any, status));
                assert_eq!(
                    applies(when, status),
                    expected.contains(&status),
                    "{when:?} {status:?}"
                );
            }
        }
    }

    #[test]
    fn the_parts_of_a_text_come_in_order() {
        for (message, text, expected) in [
            ("a b", "a*b", Some(0)),
            ("xa b", "a*b", Some(1)),
            ("b a", "a*b", None),
            ("ab", "ab", Some(0)),
            ("aba", "ab*ba", None),
            ("anything", "", Some(0)),
            ("", "a", None),
        ] {
            assert_eq!(says(message, text), expected, "{message} {text}");
        }
    }
}
