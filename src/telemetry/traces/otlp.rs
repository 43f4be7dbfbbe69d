//! OTLP's JSON: ids in hex, 64-bit numbers as text, enumerations as numbers (opentelemetry-proto,
//! "JSON Protobuf Encoding").

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

/// The name of the service and of what instruments it.
const NAME: &str = "segue";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Called by somebody else.
pub(super) const SERVER: u8 = 2;
/// Calling somebody else.
pub(super) const CLIENT: u8 = 3;
/// The status of what went wrong; else none is given.
pub(super) const ERROR: u8 = 2;

/// One span.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span {
    pub(super) trace_id: String,
    #[serde(rename = "spanId")]
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent_span_id: Option<String>,
    pub(super) flags: u32,
    pub(super) name: String,
    pub(super) kind: u8,
    #[serde(serialize_with = "nanos")]
    pub(super) start_time_unix_nano: SystemTime,
    #[serde(serialize_with = "nanos")]
    pub(super) end_time_unix_nano: SystemTime,
    pub(super) attributes: Attributes,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) events: Vec<Event>,
    pub(super) status: Status,
}

/// A moment of a span.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    #[serde(serialize_with = "nanos")]
    pub(super) time_unix_nano: SystemTime,
    pub(super) name: &'static str,
    pub(super) attributes: Attributes,
}

/// How a span ended.
#[derive(Debug, Default, Serialize)]
pub(super) struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<u8>,
}

/// What is said of a span; what is not known is left out.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Attributes(Vec<Attribute>);

#[derive(Debug, Serialize)]
struct Attribute {
    key: &'static str,
    value: Value,
}

#[derive(Debug, Serialize)]
enum Value {
    #[serde(rename = "stringValue")]
    Text(Cow<'static, str>),
    #[serde(rename = "intValue")]
    Whole(String),
    #[serde(rename = "doubleValue")]
    Decimal(f64),
}

impl Attributes {
    pub(super) fn text(&mut self, key: &'static str, text: Option<&str>) {
        self.put(key, text.map(|text| Value::Text(text.to_owned().into())));
    }

    pub(super) fn word(&mut self, key: &'static str, word: Option<&'static str>) {
        self.put(key, word.map(|word| Value::Text(word.into())));
    }

    pub(super) fn whole(&mut self, key: &'static str, number: Option<u64>) {
        self.put(key, number.map(|number| Value::Whole(number.to_string())));
    }

    pub(super) fn decimal(&mut self, key: &'static str, number: Option<f64>) {
        self.put(key, number.map(Value::Decimal));
    }

    fn put(&mut self, key: &'static str, value: Option<Value>) {
        self.0.extend(value.map(|value| Attribute { key, value }));
    }
}

/// The body of an export.
pub(super) fn encode(spans: &[Span]) -> Vec<u8> {
    let mut service = Attributes::default();
    service.word("service.name", Some(NAME));
    service.word("service.version", Some(VERSION));
    let export = Export {
        resource_spans: [ResourceSpans {
            resource: Resource {
                attributes: service,
            },
            scope_spans: [ScopeSpans {
                scope: Scope {
                    name: NAME,
                    version: VERSION,
                },
                spans,
            }],
        }],
    };
    // Nothing in it can fail: its keys are text, and its numbers finite.
    serde_json::to_vec(&export).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Export<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Serialize)]
struct Resource {
    attributes: Attributes,
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: &'a [Span],
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

fn nanos<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    to.collect_str(&since.as_nanos())
}
