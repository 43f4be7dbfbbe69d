//! Active checks: what a peer's results add up to, and one check itself.

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

/// What is known of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PeerHealth {
    /// Nothing yet: it is used, but nobody says that it is up.
    #[default]
    Unknown,
    /// Its last checks succeeded.
    Up,
    /// Its last checks failed.
    Down,
}

/// Results in a row until a peer changes sides; at least one each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thresholds {
    pub(super) failures: u32,
    pub(super) successes: u32,
}

/// How one check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed,
}

/// What a peer's checks add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    health: PeerHealth,
    /// Results in a row that speak against `health`.
    against: u32,
}

impl Tally {
    pub(super) fn health(self) -> PeerHealth {
        self.health
    }

    /// The first success makes an unknown peer up: it has nothing to recover from.
    #[must_use]
    pub(super) fn observe(self, result: Outcome, thresholds: Thresholds) -> Self {
        let (side, needed) = match (result, self.health) {
            (Outcome::Passed, PeerHealth::Unknown) => (PeerHealth::Up, 1),
            (Outcome::Passed, _) => (PeerHealth::Up, thresholds.successes),
            (Outcome::Failed, _) => (PeerHealth::Down, thresholds.failures),
        };
        if side == self.health {
            return Self { against: 0, ..self };
        }
        let against = self.against.saturating_add(1);
        if against < needed.max(1) {
            return Self { against, ..self };
        }
        Self {
            health: side,
            against: 0,
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_changes_sides_only_after_enough_results_in_a_row() {
        use PeerHealth::{Down, Unknown, Up};
        let thresholds = Thresholds {
            failures: 3,
            successes: 2,
        };
        let cases: [(&str, PeerHealth); 10] = [
            ("", Unknown),
            ("f", Unknown),
            ("ff", Unknown),
            ("fff", Down),
            ("s", Up),
            ("sffsff", Up),
            ("sfff", Down),
            ("ffs", Up),
            ("fffsfs", Down),
            ("fffss", Up),
        ];
        for (results, expected) in cases {
            let tally = results.bytes().fold(Tally::default(), |tally, result| {
                let result = if result == b's' {
                    Outcome::Passed
                } else {
                    Outcome::Failed
                };
                tally.observe(result, thresholds)
            });
            assert_eq!(tally.health(), expected, "{results}");
        }
    }

    #[test]
    fn a_threshold_of_zero_means_one() {
        let thresholds = Thresholds {
            failures: 0,
            successes: 0,
        };
        let down = Tally::default().observe(Outcome::Failed, thresholds);
        assert_eq!(down.health(), PeerHealth::Down);
        assert_eq!(
            down.observe(Outcome::Passed, thresholds).health(),
            PeerHealth::Up
        );
    }
}
