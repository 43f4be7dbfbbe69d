//! What segue itself says to a client of this format: faults, lists of models, counts, and answers
//! that came in other formats.

mod frames;
mod nesting;
mod piece;
mod teller;
mod whole;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde::Serialize;

pub use self::teller::Teller;
pub use self::whole::whole;
use crate::exchange::{Fault, FaultKind};
use crate::sse;
use crate::units::Tokens;

/// The end mark of a stream that ended well; never after [`fault_event`].
pub const STOP: &[u8] = b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// How the vendor's message of this error begins: clients have nothing else to know it by.
const TOO_LONG: &str = "prompt is too long";
/// What `created_at` says of a model: a route has no date, and the official SDKs want one.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// The body of an error status.
pub fn fault(fault: &Fault) -> Bytes {
    let kind = words(fault.kind);
    let told = fault.message.starts_with(TOO_LONG);
    if fault.kind == FaultKind::ContextLength && !told {
        return error(kind, &format!("{TOO_LONG}: {}", fault.message));
    }
    error(kind, &fault.message)
}

/// The event that ends a broken stream. The connection's end must follow it: the official SDKs
/// raise for it, and take a stream that only ends for a good one (anthropic-python 2.12).
pub fn fault_event(fault: &Fault) -> Bytes {
    sse::encode(Some("error"), &self::fault(fault))
}

/// The answer to `GET /v1/models`: the routes, in the order given, on one page.
pub fn models<'a>(routes: impl IntoIterator<Item = &'a str>) -> Bytes {
    let data: Vec<_> = routes.into_iter().map(Model::new).collect();
    json(&Models {
        first_id: data.first().map(|model| model.id),
        last_id: data.last().map(|model| model.id),
        data,
        has_more: false,
    })
}

/// The answer to `GET /v1/models/{id}`.
pub fn model(route: &str) -> Bytes {
    json(&Model::new(route))
}

/// The answer to `POST /v1/messages/count_tokens`.
pub fn count(input: Tokens) -> Bytes {
    json(&Count {
        input_tokens: input.0,
    })
}

#[derive(Serialize)]
struct Wrapped<'a> {
    r#type: &'static str,
    error: Words<'a>,
}

#[derive(Serialize)]
struct Words<'a> {
    r#type: &'static str,
    message: &'a str,
}

#[derive(Serialize)]
struct Count {
    input_tokens: u64,
}

fn error(kind: &'static str, message: &str) -> Bytes {
    json(&Wrapped {
        r#type: "error",
        error: Words {
            r#type: kind,
            message,
        },
    })
}

/// The type as Anthropic words it where it knows the cause (documentation, "Errors").
fn words(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::BadRequest
        | FaultKind::MethodNotAllowed
        | FaultKind::UnsupportedMediaType
        | FaultKind::ContextLength
        | FaultKind::ContentPolicy => "invalid_request_error",
        FaultKind::Unauthorized => "authentication_error",
        FaultKind::NotFound | FaultKind::UnknownModel => "not_found_error",
        FaultKind::BodyTooLarge | FaultKind::HeadTooLarge => "request_too_large",
        FaultKind::RateLimited | FaultKind::OverLimit => "rate_limit_error",
        FaultKind::OverBudget => "billing_error",
        FaultKind::Overloaded => "overloaded_error",
        FaultKind::RequestTimeout | FaultKind::ProviderTimeout => "timeout_error",
        FaultKind::ProviderFailed | FaultKind::Internal => "api_error",
    }
}

#[derive(Serialize)]
struct Models<'a> {
    data: Vec<Model<'a>>,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
    has_more: bool,
}

#[derive(Serialize)]
struct Model<'a> {
    r#type: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: &'static str,
}

impl<'a> Model<'a> {
    fn new(id: &'a str) -> Self {
        Self {
            r#type: "model",
            id,
            display_name: id,
            created_at: CREATED,
        }
    }
}

/// Plain structs of strings and numbers always serialise.
fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}
