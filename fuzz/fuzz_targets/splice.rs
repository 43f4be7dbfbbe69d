//! What a request is routed by is what its provider reads, and nothing else of it changes.
//!
//! An input is the body of a chat request.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use segue::dialect::{self, Recipient};
use segue::exchange::{Delivery, Dialect, FaultKind, Request, Task, UsageWish};
use serde::Deserialize;

#[path = "../../src/json/oracle.rs"]
mod oracle;

/// The target's model: what must be escaped, and what may stay.
const MODEL: &str = "a\"b\\c/\u{2028}é";

fuzz_target!(|body: &[u8]| {
    let fields = oracle::index(body);
    let request = match dialect::parse(Dialect::OpenAi, Task::Chat, Bytes::copy_from_slice(body)) {
        Ok(request) => request,
        Err(fault) => return assert_eq!(fault.kind, FaultKind::BadRequest),
    };
    agrees(&request, body, &request.model);

    let built = built(&request);
    let expected: Vec<_> = rest(body, fields.expect("what is accepted is a document"));
    let found = oracle::index(&built).expect("what is built is a document");
    assert_eq!(rest(&built, found), expected);
    agrees(&request, &built, MODEL);
    let again = dialect::parse(Dialect::OpenAi, Task::Chat, built.into())
        .expect("what is built is a request");
    assert_eq!(again.model, MODEL);
    assert_eq!(again.max_output, request.max_output);
    assert_eq!(again.choices, request.choices);
    let usage_asked = match request.delivery {
        Delivery::Whole => Delivery::Whole,
        Delivery::Stream(_) => Delivery::Stream(UsageWish::Asked),
    };
    assert_eq!(again.delivery, usage_asked);
    let options = |body, fields| inner(body, fields, "stream_options");
    assert_eq!(
        options(&again.body, &again),
        options(&request.body, &request)
    );
});

/// What a provider of the same format is sent.
fn built(request: &Request) -> Vec<u8> {
    let to = Recipient::plain(Dialect::OpenAi, MODEL, request.delivery.form());
    let ask = dialect::build(request, &to).expect("the formats agree");
    ask.body.concat()
}

/// The fields of a document that building must leave as they are, in order, as bytes.
fn rest(document: &[u8], fields: Vec<(String, std::ops::Range<usize>)>) -> Vec<(String, &[u8])> {
    let spliced = |name: &str| name == "model" || name == "stream_options";
    let fields = fields.into_iter().filter(|(name, _)| !spliced(name));
    fields.map(|(name, span)| (name, &document[span])).collect()
}

/// The fields of `stream_options` but the one that is set.
fn inner<'a>(document: &'a [u8], request: &Request, name: &str) -> Vec<(String, &'a [u8])> {
    let Some(options) = request.fields.value(document, name) else {
        return Vec::new();
    };
    let fields = oracle::index(options).unwrap_or_default();
    let fields = fields
        .into_iter()
        .filter(|(name, _)| name != "include_usage");
    fields.map(|(name, span)| (name, &options[span])).collect()
}

/// A request as a provider reads it.
#[derive(Deserialize)]
struct Read {
    model: String,
    stream: Option<bool>,
    stream_options: Option<Options>,
    max_completion_tokens: Option<u64>,
    max_tokens: Option<u64>,
    n: Option<u32>,
}

#[derive(Deserialize)]
struct Options {
    include_usage: Option<bool>,
}

fn agrees(request: &Request, body: &[u8], model: &str) {
    let Ok(read) = serde_json::from_slice::<Read>(body) else {
        // Half a surrogate pair in a name is no text, and the provider's to refuse.
        let escaped = |three: &[u8]| three.eq_ignore_ascii_case(b"\\ud");
        return assert!(body.windows(3).any(escaped));
    };
    assert_eq!(read.model, model);
    let streamed = matches!(request.delivery, Delivery::Stream(_));
    assert_eq!(read.stream.unwrap_or_default(), streamed);
    let usage = read
        .stream_options
        .and_then(|it| it.include_usage)
        .unwrap_or_default();
    let asked = request.delivery == Delivery::Stream(UsageWish::Asked);
    assert!(usage == asked || usage && streamed && model == MODEL);
    let output = read.max_completion_tokens.or(read.max_tokens);
    assert_eq!(output, request.max_output.map(|tokens| tokens.0));
    assert_eq!(read.n.unwrap_or(1), request.choices);
}
