//! Error bodies, with the words that Google's APIs give with each status.

use serde_json::{Value, json};

use crate::sim::asked::Refused;
use crate::sim::script::ErrorText;
use crate::sim::trouble::{Trouble, message};

/// The headers of every answer.
pub(crate) fn headers() -> Vec<String> {
    vec!["server: scaffolding on HTTPServer2".to_owned()]
}

/// A field that nobody knows.
pub(super) fn unknown_name(name: &str, place: &str) -> Refused {
    let place = if place.is_empty() {
        String::new()
    } else {
        format!(" at '{place}'")
    };
    Refused::request(format!(
        "Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field."
    ))
}

/// The body of an error status. A delay stands in its details: there is no header for it.
pub(crate) fn status_error(status: u16, text: &ErrorText, delay: Option<&str>) -> Vec<u8> {
    pretty(&error(Trouble::of(Some(status), text), status, text, delay))
}

/// What an error in the middle of a stream looks like: the same, raw, over several lines.
pub(super) fn stream_error(text: &ErrorText) -> Vec<u8> {
    let trouble = Trouble::of(None, text);
    pretty(&error(trouble, trouble.status(), text, None))
}

fn pretty(document: &Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(document).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn error(trouble: Trouble, code: u16, text: &ErrorText, delay: Option<&str>) -> Value {
    let (status, usual) = match usual(trouble) {
        // A bad key is an invalid argument, too.
        (_, usual) if code == 400 => ("INVALID_ARGUMENT", usual),
        other => other,
    };
    let known = |word: &&String| Trouble::named(word).is_none();
    let status = text
        .kind
        .as_ref()
        .filter(known)
        .map_or(status, String::as_str);
    let seconds = delay.and_then(|delay| delay.parse::<f64>().ok());
    let mut details = Vec::new();
    let quota = match trouble {
        Trouble::RateLimited => Some("GenerateRequestsPerMinutePerProjectPerModel"),
        Trouble::Quota => Some("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
        _ => None,
    };
    if let (Some(quota), 429) = (quota, code) {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{
                "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
                "quotaId": quota, "quotaValue": "50",
            }],
        }));
    }
    let own = text.code.as_ref().filter(known).map(String::as_str);
    let reason = (trouble == Trouble::BadKey && code == 400).then_some("API_KEY_INVALID");
    if let Some(reason) = own.or(reason) {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason, "domain": "googleapis.com",
        }));
    }
    if let Some(seconds) = seconds {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{seconds}s"),
        }));
    }
    let mut error = json!({
        "code": code, "message": message(trouble, usual, text), "status": status,
    });
    if let (false, Some(object)) = (details.is_empty(), error.as_object_mut()) {
        object.insert("details".to_owned(), Value::Array(details));
    }
    json!({ "error": error })
}

/// Status and message as the API reference and recorded answers have them.
fn usual(trouble: Trouble) -> (&'static str, &'static str) {
    let argument = "INVALID_ARGUMENT";
    match trouble {
        Trouble::BadRequest => (argument, "Request contains an invalid argument."),
        Trouble::ContextLength => (
            argument,
            "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).",
        ),
        Trouble::ContentPolicy => (argument, "The prompt was blocked: PROHIBITED_CONTENT."),
        Trouble::TooLarge => (
            argument,
            "Request payload size exceeds the limit: 20971520 bytes.",
        ),
        Trouble::BadKey => (
            "UNAUTHENTICATED",
            "API key not valid. Please pass a valid API key.",
        ),
        Trouble::Forbidden => ("PERMISSION_DENIED", "Permission denied."),
        Trouble::UnknownModel => (
            "NOT_FOUND",
            "models/unknown is not found for API version v1beta, or is not supported for generateContent.",
        ),
        Trouble::Quota | Trouble::RateLimited => (
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota, please check your plan and billing details.",
        ),
        Trouble::Overloaded => (
            "UNAVAILABLE",
            "The model is overloaded. Please try again later.",
        ),
        Trouble::Timeout => (
            "DEADLINE_EXCEEDED",
            "Deadline expired before operation could complete.",
        ),
        Trouble::Conflict => ("ABORTED", "The operation was aborted."),
        Trouble::Internal => ("INTERNAL", "An internal error has occurred. Please retry."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Script;

    fn told(status: u16, script: &str) -> Value {
        let script: Script = script.parse().unwrap();
        let body = status_error(status, &script.error, script.retry_after.as_deref());
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn every_trouble_has_the_words_of_this_provider() {
        let cases = [
            (400, "", "INVALID_ARGUMENT"),
            (403, "", "PERMISSION_DENIED"),
            (404, "", "NOT_FOUND"),
            (429, "", "RESOURCE_EXHAUSTED"),
            (500, "", "INTERNAL"),
            (503, "", "UNAVAILABLE"),
            (504, "", "DEADLINE_EXCEEDED"),
            (400, "error_type=FAILED_PRECONDITION", "FAILED_PRECONDITION"),
        ];
        for (status, script, expected) in cases {
            let told = told(status, script);
            assert_eq!(told["error"]["status"], expected, "{status} {script}");
            assert_eq!(told["error"]["code"], status);
        }
        let limited = told(429, "retry_after=45.25").to_string();
        assert!(limited.contains("\"retryDelay\":\"45.25s\"") && limited.contains("PerMinute"));
        let spent = told(429, "error_code=insufficient_quota").to_string();
        assert!(spent.contains("PerDay"), "{spent}");
        let key = told(400, "error_code=invalid_api_key").to_string();
        assert!(key.contains("API_KEY_INVALID"), "{key}");
        let script: Script = "error_type=overloaded_error".parse().unwrap();
        let event: Value = serde_json::from_slice(&stream_error(&script.error)).unwrap();
        assert_eq!(event["error"]["code"], 503);
    }
}
