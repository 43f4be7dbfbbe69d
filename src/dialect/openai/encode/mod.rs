//! What segue itself says to a client of this format: answers in its words, faults, the end mark,
//! lists of models.

mod piece;
mod teller;
#[cfg(test)]
mod tests_of_answers;
mod whole;

use bytes::Bytes;
use serde::Serialize;

pub use self::teller::Teller;
pub use self::whole::whole;
use crate::exchange::{Fault, FaultKind};
use crate::sse;

/// The end mark of a stream that ended well; never after [`fault_event`].
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// What `created` says of a model: a route has no date, and the official SDKs want a number.
const CREATED: u64 = 0;

/// The body of an error status.
pub fn fault(fault: &Fault) -> Bytes {
    json(&Wrapped {
        error: Words::new(fault),
    })
}

/// The event that ends a broken stream. The official SDKs raise for data with an `error` that is
/// true in their language, whatever came before; without one they take a closed connection for a
/// good end (openai-python 3.54, `_streaming.py`).
pub fn fault_event(fault: &Fault) -> Bytes {
    sse::encode(None, &self::fault(fault))
}

/// The answer to `GET /v1/models`: the routes, in the order given.
pub fn models<'a>(routes: impl IntoIterator<Item = &'a str>) -> Bytes {
    let data = routes.into_iter().map(Model::new).collect();
    json(&Models {
        object: "list",
        data,
    })
}

/// The answer to `GET /v1/models/{id}`.
pub fn model(route: &str) -> Bytes {
    json(&Model::new(route))
}

#[derive(Serialize)]
struct Wrapped<'a> {
    error: Words<'a>,
}

/// All four fields are always there: typed clients want them.
#[derive(Serialize)]
struct Words<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: Option<&'static str>,
}

impl<'a> Words<'a> {
    fn new(fault: &'a Fault) -> Self {
        let (kind, code) = words(fault.kind);
        Self {
            message: &fault.message,
            r#type: kind,
            param: fault.param.as_deref(),
            code,
        }
    }
}

/// Type and code as `OpenAI` words them where it knows the cause (documentation, "Error codes").
fn words(kind: FaultKind) -> (&'static str, Option<&'static str>) {
    const CLIENT: &str = "invalid_request_error";
    const SERVER: &str = "server_error";
    match kind {
        FaultKind::BadRequest => (CLIENT, None),
        FaultKind::Unauthorized => (CLIENT, Some("invalid_api_key")),
        FaultKind::NotFound => (CLIENT, Some("unknown_url")),
        FaultKind::UnknownModel => (CLIENT, Some("model_not_found")),
        FaultKind::MethodNotAllowed => (CLIENT, Some("method_not_supported")),
        FaultKind::RequestTimeout => (CLIENT, Some("request_timeout")),
        FaultKind::BodyTooLarge => (CLIENT, Some("request_too_large")),
        FaultKind::HeadTooLarge => (CLIENT, Some("request_head_too_large")),
        FaultKind::UnsupportedMediaType => (CLIENT, Some("unsupported_media_type")),
        FaultKind::ContextLength => (CLIENT, Some("context_length_exceeded")),
        FaultKind::ContentPolicy => (CLIENT, Some("content_policy_violation")),
        FaultKind::RateLimited | FaultKind::OverLimit => {
            ("rate_limit_error", Some("rate_limit_exceeded"))
        }
        FaultKind::OverBudget => ("insufficient_quota", Some("insufficient_quota")),
        FaultKind::Overloaded => ("service_unavailable_error", Some("server_is_overloaded")),
        FaultKind::ProviderFailed => (SERVER, Some("provider_failed")),
        FaultKind::ProviderTimeout => (SERVER, Some("provider_timeout")),
        FaultKind::Internal => (SERVER, None),
    }
}

#[derive(Serialize)]
struct Models<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

impl<'a> Model<'a> {
    fn new(id: &'a str) -> Self {
        Self {
            id,
            object: "model",
            created: CREATED,
            owned_by: "segue",
        }
    }
}

/// Plain structs of strings and numbers always serialise.
fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const KINDS: [FaultKind; 18] = [
        FaultKind::BadRequest,
        FaultKind::Unauthorized,
        FaultKind::NotFound,
        FaultKind::UnknownModel,
        FaultKind::MethodNotAllowed,
        FaultKind::RequestTimeout,
        FaultKind::BodyTooLarge,
        FaultKind::HeadTooLarge,
        FaultKind::UnsupportedMediaType,
        FaultKind::ContextLength,
        FaultKind::ContentPolicy,
        FaultKind::RateLimited,
        FaultKind::OverLimit,
        FaultKind::OverBudget,
        FaultKind::Overloaded,
        FaultKind::ProviderFailed,
        FaultKind::ProviderTimeout,
        FaultKind::Internal,
    ];

    #[test]
    fn a_fault_has_the_four_fields_of_the_format() {
        let plain = Fault::new(FaultKind::UnknownModel, "no model \"x\"\nhere");
        let expected = r#"{"error":{"message":"no model \"x\"\nhere","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#;
        assert_eq!(fault(&plain), expected);
        let param = Fault::new(FaultKind::BadRequest, "no").param("messages");
        let expected = json!({"error": {
            "message": "no", "type": "invalid_request_error", "param": "messages", "code": null,
        }});
        assert_eq!(
            serde_json::from_slice::<Value>(&fault(&param)).unwrap(),
            expected
        );
    }

    #[test]
    fn the_words_for_every_kind_of_fault() {
        let words = KINDS.map(|kind| {
            let (kind_of_error, code) = words(kind);
            format!("{kind:?}: {kind_of_error}, {}", code.unwrap_or("null"))
        });
        insta::assert_snapshot!(words.join("\n"));
    }

    #[test]
    fn a_fault_event_is_one_frame_with_a_true_error_and_no_end_mark() {
        let broken = Fault::new(
            FaultKind::ProviderFailed,
            "it broke\r\n\r\ndata: [DONE]\u{2028}",
        );
        let event = fault_event(&broken);
        assert!(event.starts_with(b"data: {\"error\":{"));
        assert!(event.ends_with(b"}}\n\n"));
        assert_eq!(
            event
                .iter()
                .filter(|&&byte| byte == b'\n' || byte == b'\r')
                .count(),
            2
        );
    }

    #[test]
    fn our_own_fault_event_is_read_back_as_a_failure() {
        use crate::dialect::Carry;
        use crate::dialect::openai::decode::Stream;
        use crate::exchange::{Event, Failure};
        use crate::units::ByteSize;

        for kind in KINDS {
            let mut frames = sse::Decoder::new(ByteSize::kib(4));
            frames.push(fault_event(&Fault::new(kind, "no")));
            let frame = frames.next_frame().unwrap().unwrap();
            let (kind, code) = words(kind);
            let failure = Failure {
                kind: Some(kind.to_owned()),
                code: code.map(str::to_owned),
                message: Some("no".to_owned()),
                ..Failure::default()
            };
            let mut told = Vec::new();
            let carry = Stream::new(crate::exchange::Task::Chat)
                .frame(&frame, &mut |event| told.push(format!("{event:?}")))
                .unwrap();
            assert_eq!(carry, Carry::Failure);
            assert_eq!(told, [format!("{:?}", Event::Failed(failure))]);
        }
    }

    #[test]
    fn models_are_listed_by_the_names_of_the_routes() {
        let expected = r#"{"object":"list","data":[{"id":"support","object":"model","created":0,"owned_by":"segue"},{"id":"a\"b","object":"model","created":0,"owned_by":"segue"}]}"#;
        assert_eq!(models(["support", "a\"b"]), expected);
        assert_eq!(models([]), r#"{"object":"list","data":[]}"#);
        assert_eq!(
            model("draft"),
            r#"{"id":"draft","object":"model","created":0,"owned_by":"segue"}"#
        );
    }

    #[test]
    fn the_end_mark_is_one_frame() {
        assert_eq!(DONE, b"data: [DONE]\n\n");
        assert_eq!(sse::encode(None, b"[DONE]"), DONE);
    }
}
