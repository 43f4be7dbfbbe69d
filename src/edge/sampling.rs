//! What a sample needs of a request, where there are samples.

use std::sync::Arc;

use bytes::Bytes;
use pingora_http::RequestHeader;

use crate::edge::exchange::Exchange;
use crate::edge::inbound;
use crate::secret::Secret;
use crate::telemetry::{Asked, Samples};

/// The request as a sample tells it; `None` if its exchange will not be sampled, however it ends.
pub(super) fn asked(
    head: &RequestHeader,
    body: &Bytes,
    exchange: &Exchange,
    samples: &Samples,
) -> Option<Asked> {
    let settings = exchange.generation.settings.samples.as_ref()?;
    if !settings.rules.may_want(&exchange.record.request_id) {
        return None;
    }
    let key = inbound::presented_key(&head.headers);
    let key = key.and_then(|key| std::str::from_utf8(key).ok());
    let forwarded = inbound::forwarded(&head.headers);
    Some(Asked {
        file: samples.file()?,
        rules: Arc::clone(&settings.rules),
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        headers: forwarded.into_iter().map(|(name, _)| name).collect(),
        body: body.clone(),
        key: key.map(|key| Secret::new(key.to_owned())),
    })
}
