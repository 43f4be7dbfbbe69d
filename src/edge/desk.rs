//! What is answered without a provider: the models on offer, and the length of a prompt.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use pingora_core::protocols::http::ServerSession;

use crate::account::Key;
use crate::dialect::{self, About, Watched};
use crate::edge::exchange::Exchange;
use crate::edge::generation::Generation;
use crate::edge::inbound;
use crate::edge::outbound;
use crate::edge::refusal::Refusal;
use crate::exchange::{Dialect, Fault, FaultKind, Request};
use crate::relay::LiveRoute;
use crate::route::{Facts, Target};
use crate::telemetry::Outcome;

/// The route of that name, if the key may use it: an unknown and a forbidden one look the same.
pub(super) fn route<'a>(
    generation: &'a Generation,
    key: Option<&Key>,
    name: &str,
) -> Result<&'a Arc<LiveRoute>, Fault> {
    generation
        .routes
        .get(name)
        .filter(|live| may_use(key, &live.route().name))
        .ok_or_else(|| {
            Fault::new(
                FaultKind::UnknownModel,
                "the model does not exist or you have no access to it",
            )
            .param("model")
        })
}

fn may_use(key: Option<&Key>, route: &str) -> bool {
    key.is_none_or(|key| key.routes.allows(route))
}

/// Whether a target counts tokens itself.
pub(super) fn counts(target: &Target) -> bool {
    target.dialect == Dialect::Anthropic
}

/// Answers `POST /v1/messages/count_tokens` where no target can: by our own estimate.
pub(super) async fn estimate(
    session: &mut ServerSession,
    exchange: &mut Exchange,
    request: &Request,
) {
    let wants = dialect::wants(request, Watched::all());
    whole(session, exchange, dialect::count(wants.input())).await;
}

/// Answers with a document of our own.
async fn whole(session: &mut ServerSession, exchange: &mut Exchange, body: Bytes) {
    let record = &mut exchange.record;
    record.outcome = Outcome::Served;
    record.status = 200;
    if !outbound::is_read(session) {
        session.set_keepalive(None);
    }
    let sent = match outbound::head(200, &record.request_id, exchange.dialect) {
        Ok(head) => outbound::json(session, head, body).await,
        Err(gone) => Err(gone),
    };
    if sent.is_err() {
        record.outcome = Outcome::Aborted;
        outbound::abandon(session);
    }
}

/// What variants of routes go by.
pub(super) fn facts<'a>(
    key: Option<&'a Key>,
    headers: &'a HeaderMap,
    about: &'a About,
) -> Facts<'a> {
    Facts {
        key: key.map(|key| &*key.name),
        tags: key.map(|key| &key.tags),
        task: inbound::name(headers, &inbound::TASK).or(about.task.as_deref()),
        user: about.user.as_deref(),
        region: inbound::name(headers, &inbound::REGION),
    }
}

/// Answers `GET /v1/models` and `GET /v1/models/{id}`.
pub(super) async fn models(
    session: &mut ServerSession,
    exchange: &mut Exchange,
    key: Option<&Key>,
    id: Option<&str>,
) -> Result<(), Refusal> {
    let generation = Arc::clone(&exchange.generation);
    let body = if let Some(id) = id {
        dialect::model(exchange.dialect, &route(&generation, key, id)?.route().name)
    } else {
        let routes = generation.settings.routes.iter();
        let names = routes
            .map(|route| &*route.name)
            .filter(|name| may_use(key, name));
        dialect::models(exchange.dialect, names)
    };
    whole(session, exchange, body).await;
    Ok(())
}
