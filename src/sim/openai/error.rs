//! Error bodies, with the types and codes that `OpenAI` gives with each status.

use crate::sim::script::ErrorText;

/// The error object of a status; the words of the script come first.
pub(crate) fn status_error(status: u16, text: &ErrorText) -> Vec<u8> {
    let (kind, code, message) = usual(status);
    let kind = text.kind.as_deref().unwrap_or(kind);
    let code = text.code.as_deref().or(code);
    let message = text.message.as_deref().unwrap_or(message);
    let text = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let code = code.map_or_else(|| "null".to_owned(), text);
    let (message, kind) = (text(message), text(kind));
    format!(
        "{{\"error\":{{\"message\":{message},\"type\":{kind},\"param\":null,\"code\":{code}}}}}"
    )
    .into_bytes()
}

/// Type, code and message as the API reference and recorded answers have them.
fn usual(status: u16) -> (&'static str, Option<&'static str>, &'static str) {
    let request = "invalid_request_error";
    match status {
        400 => (
            request,
            Some("invalid_value"),
            "Invalid value in the request.",
        ),
        401 => (
            request,
            Some("invalid_api_key"),
            "Incorrect API key provided.",
        ),
        402 => (
            "insufficient_quota",
            Some("credit_balance_exhausted"),
            "Your credit is used up.",
        ),
        403 => ("request_forbidden", None, "You are not allowed to do this."),
        404 => (
            request,
            Some("model_not_found"),
            "The model does not exist.",
        ),
        429 => (
            "tokens",
            Some("rate_limit_exceeded"),
            "Rate limit reached. Please try again.",
        ),
        503 => (
            "service_unavailable_error",
            Some("server_is_overloaded"),
            "The server is overloaded. Please try again later.",
        ),
        405..=499 => (request, None, "The request cannot be served."),
        _ => (
            "server_error",
            None,
            "The server had an error while processing your request.",
        ),
    }
}
