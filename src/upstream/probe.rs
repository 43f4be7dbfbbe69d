//! One active check of one peer.

use std::sync::Arc;

use http::{HeaderValue, Method};
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::protocols::http::v1::client::HttpSession as Http1Session;
use pingora_core::upstreams::peer::HttpPeer;
use tokio::time::timeout;

use super::error::{CallError, Phase, connecting, reading};
use super::message::{Message, Outgoing, Recipient, Speaks};
use super::peer::Peer;
use super::spec::{HealthCheck, HealthProbe};
use super::template::Template;
use super::write::{self, Sent};

/// One check of one peer, within its timeout.
///
/// It goes through the connector of the calls, so that name, trust and verification are the same;
/// Pingora's own checks would each load the platform's trust store again.
pub(super) async fn check(
    connector: Arc<Connector>,
    template: Arc<Template>,
    authority: HeaderValue,
    peer: Arc<Peer>,
    spec: HealthCheck,
) -> Result<(), CallError> {
    let probe = async {
        match &spec.probe {
            HealthProbe::Tcp => open(&connector, &template.plain_probe(peer.address))
                .await
                .map(drop),
            HealthProbe::Tls => open(&connector, &template.probe(peer.address))
                .await
                .map(drop),
            HealthProbe::Http(path) => {
                let to = template.probe(peer.address);
                get(open(&connector, &to).await?, &to, &authority, path).await
            }
        }
    };
    timeout(spec.timeout, probe)
        .await
        .unwrap_or(Err(CallError::ConnectTimeout))
}

async fn open(connector: &Connector, peer: &HttpPeer) -> Result<Http1Session, CallError> {
    match connector.get_http_session(peer).await {
        Ok((HttpSession::H1(session), _)) => Ok(session),
        Ok(_) => Err(CallError::Tls),
        Err(error) => Err(connecting(&error)),
    }
}

async fn get(
    session: Http1Session,
    peer: &HttpPeer,
    authority: &HeaderValue,
    path: &str,
) -> Result<(), CallError> {
    let to = Recipient {
        authority,
        prefix: "",
        credential: None,
    };
    let request = Outgoing {
        method: &Method::GET,
        path,
        headers: &[],
        body: &[],
        affinity: b"",
    };
    let message = Message::build(&to, &request, Speaks::H1)?;
    let wait = peer.options.write_timeout.unwrap_or_default();
    let mut session = match write::h1(session.into_inner(), &message, wait).await? {
        Sent::Whole(stream) | Sent::Answered(stream) => {
            Http1Session::new_with_options(stream, peer)
        }
    };
    session
        .read_response()
        .await
        .map_err(|error| reading(&error, Phase::BeforeHead))?;
    match session.get_status().map(|status| status.as_u16()) {
        Some(200..=299) => Ok(()),
        status => Err(CallError::Unhealthy(status.unwrap_or_default())),
    }
}
