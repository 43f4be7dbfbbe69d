//! A request of this format for a provider of this format: spliced, never rebuilt.

use bytes::Bytes;

use crate::dialect::carry::Segments;
use crate::exchange::{Delivery, Request, UsageWish};
use crate::json::{self, Edit, Fields};

/// The body for a provider, in pieces to be sent one after the other: with the target's model,
/// and for a stream with the usage asked for, which the ledger needs. All else, fields that we
/// have never heard of included, is the client's own bytes, and no copy of them.
pub fn chat(request: &Request, model: &str) -> Segments {
    let model = Edit::Set("model", json::string(model));
    match request.delivery {
        Delivery::Stream(UsageWish::NotAsked) => {
            let options = Edit::Set("stream_options", with_usage(request));
            request.fields.splice(&request.body, &[model, options])
        }
        Delivery::Stream(UsageWish::Asked) | Delivery::Whole => {
            request.fields.splice(&request.body, &[model])
        }
    }
}

/// The client's `stream_options`, or new ones, with `include_usage`.
fn with_usage(request: &Request) -> Bytes {
    let wished = Edit::Set("include_usage", Bytes::from_static(b"true"));
    request
        .fields
        .span("stream_options")
        .and_then(|span| request.body.get(span))
        .and_then(|options| {
            let pieces = Fields::index(options)
                .ok()?
                .splice(&request.body.slice_ref(options), &[wished]);
            Some(pieces.concat().into())
        })
        // None, or null.
        .unwrap_or(Bytes::from_static(br#"{"include_usage":true}"#))
}
