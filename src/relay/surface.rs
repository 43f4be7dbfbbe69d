//! A provider's error about the client's own request, on its way to that client.

use bytes::Bytes;
use memchr::memmem;

use crate::dialect;
use crate::exchange::{Class, Dialect, Fault, FaultKind};
use crate::json::Fields;
use crate::relay::live::Lane;
use crate::relay::verdict::Why;
use crate::upstream::ProviderSpec;

/// What stands in a provider's words where our credential stood.
const SCRUBBED: &[u8] = b"***";

/// A credential shorter than this is no secret worth hiding, and would match by chance.
const SHORTEST: usize = 8;

/// What of a failed attempt goes to the client, without our credential.
#[derive(Debug)]
pub(super) enum Shown {
    /// The provider's own document with its status, where the client speaks the same format.
    Document(u16, Bytes),
    /// The provider's message in the client's format.
    Fault(Fault),
}

/// What of a failed attempt goes to the client: the provider's own words, or ours where it found
/// none that an SDK could read. `None` when that is nobody's business but ours.
pub(super) fn shown(lane: &Lane, client: Dialect, why: &Why) -> Option<Shown> {
    let (status, body) = why.shown().or_else(|| missing(why))?;
    let clean = |body: Bytes| match &lane.provider {
        Some(provider) => scrub(body, provider.spec()),
        None => body,
    };
    if lane.target.dialect != client {
        let said = why.failure().and_then(|failure| failure.message.clone());
        let said = said.map(|said| clean(Bytes::from(said)));
        let said = said.and_then(|said| String::from_utf8(said.into()).ok());
        return Some(Shown::Fault(Fault {
            message: said.map_or(fault().message, Into::into),
            ..Fault::new(kind(why), "")
        }));
    }
    Some(if is_error(body) {
        Shown::Document(status, clean(body.clone()))
    } else {
        Shown::Document(status, dialect::fault(client, &fault()))
    })
}

/// The cause, as a client of another format is told it.
fn kind(why: &Why) -> FaultKind {
    match why.class() {
        Class::ContextLength => FaultKind::ContextLength,
        Class::ContentPolicy => FaultKind::ContentPolicy,
        Class::TooLarge => FaultKind::BodyTooLarge,
        Class::NotFound => FaultKind::UnknownModel,
        _ => FaultKind::BadRequest,
    }
}

/// What is said of a request that a provider refused without words that can be passed on.
pub(super) fn fault() -> Fault {
    Fault::new(FaultKind::BadRequest, "the provider refused the request")
}

/// A model that is not there. It is surfaced only where the route says so.
fn missing(why: &Why) -> Option<(u16, &Bytes)> {
    match why {
        Why::Status {
            status: status @ 404,
            body,
            ..
        } => Some((*status, body)),
        _ => None,
    }
}

/// Whether a body is a JSON object with an `error`, as every SDK of these formats reads it.
fn is_error(body: &[u8]) -> bool {
    Fields::index(body).is_ok_and(|fields| fields.span("error").is_some())
}

/// The body without our credential, should the provider have quoted it.
fn scrub(body: Bytes, spec: &ProviderSpec) -> Bytes {
    let Some(credential) = &spec.credential else {
        return body;
    };
    let value = credential.value.as_bytes();
    let secret = value.rsplit(|byte| *byte == b' ').next().unwrap_or(value);
    if secret.len() < SHORTEST || memmem::find(&body, secret).is_none() {
        return body;
    }
    let mut clean = Vec::with_capacity(body.len());
    let mut rest = &body[..];
    while let Some((before, after)) =
        memmem::find(rest, secret).and_then(|at| rest.split_at_checked(at))
    {
        clean.extend_from_slice(before);
        clean.extend_from_slice(SCRUBBED);
        rest = after.get(secret.len()..).unwrap_or_default();
    }
    clean.extend_from_slice(rest);
    clean.into()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use http::HeaderValue;
    use http::header::AUTHORIZATION;

    use super::*;
    use crate::upstream::{Balance, BaseUrl, Credential, Peers, PoolSpec, Scheme};

    fn spec(value: Option<&'static str>) -> ProviderSpec {
        let peers = Peers::Static(vec![SocketAddr::from(([127, 0, 0, 1], 1))]);
        let base = BaseUrl {
            scheme: Scheme::Http,
            host: "localhost".to_owned(),
            port: 1,
            prefix: String::new(),
        };
        let pool = PoolSpec {
            peers,
            balance: Balance::RoundRobin,
            health: None,
            tls: None,
            private_peers: true,
        };
        let credential = value.map(|value| Credential {
            header: AUTHORIZATION,
            value: HeaderValue::from_static(value),
        });
        ProviderSpec {
            name: "p".into(),
            base,
            credential,
            pool,
        }
    }

    #[test]
    fn a_quoted_credential_is_taken_out_wherever_it_stands() {
        let spec = spec(Some("Bearer sk-canary-1"));
        for (body, expected) in [
            ("sk-canary-1", "***"),
            ("a sk-canary-1 b sk-canary-1", "a *** b ***"),
            ("nothing here", "nothing here"),
            ("", ""),
        ] {
            assert_eq!(
                scrub(Bytes::from_static(body.as_bytes()), &spec),
                expected,
                "{body}"
            );
        }
    }

    #[test]
    fn without_a_credential_nothing_is_touched() {
        let body = Bytes::from_static(b"Bearer x");
        assert_eq!(scrub(body.clone(), &spec(None)), body);
        assert_eq!(scrub(body.clone(), &spec(Some("Bearer x"))), body);
    }
}
