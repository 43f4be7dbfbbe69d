//! From a request's head to its end: who asks for what, and whether it may be served.

use std::sync::Arc;
use std::time::Instant;

use pingora_core::protocols::http::ServerSession;

use crate::account::{self, Caller, Key, Now, Purse, Quotas};
use crate::dialect;
use crate::edge::body::{self, Unread};
use crate::edge::booking;
use crate::edge::chat::Chat;
use crate::edge::desk;
use crate::edge::drill;
use crate::edge::exchange::{Exchange, Shared, as_u64};
use crate::edge::guard::Guard;
use crate::edge::inbound::{self, Call};
use crate::edge::outbound;
use crate::edge::passthrough;
use crate::edge::refusal::Refusal;
use crate::edge::remainder;
use crate::edge::sampling;
use crate::exchange::{Dialect, Fault, FaultKind, Pseudonym, Task};
use crate::telemetry::{Endpoint, Outcome};

/// A request that was read to its end.
pub(super) enum Admitted {
    /// It is for a route.
    Chat(Box<Chat>),
    /// It needs no route, or is answered.
    Done(Next),
}

/// Who goes on with a request.
pub(super) enum Next {
    /// Nobody: it is answered.
    Answered,
    /// Pingora's native phases.
    Native,
}

/// From the head to the end of the request; an error has been told to nobody yet.
pub(super) async fn admit(
    shared: &Shared,
    session: &mut ServerSession,
    exchange: &mut Exchange,
) -> Result<Admitted, Refusal> {
    inbound::check_head(session.req_header())?;
    if exchange.is_over_limit() {
        let message = "too many exchanges under way";
        return Err(Refusal::at_limit("exchanges", message));
    }
    let head = session.req_header();
    let call = inbound::call(&head.method, head.uri.path());
    let is_plain = inbound::asks_no_more(head.uri.query(), exchange.dialect);
    match call {
        Call::Other => {
            let next = other(shared, session, exchange).await?;
            return Ok(Admitted::Done(next));
        }
        Call::WrongMethod(allow) => {
            let fault = Fault::new(FaultKind::MethodNotAllowed, "no such method here");
            return Err(Refusal {
                allow: Some(allow),
                ..fault.into()
            });
        }
        Call::Ask(dialect, task) => exchange.record.endpoint = endpoint(dialect, task),
        Call::Models | Call::Model(_) => exchange.record.endpoint = Endpoint::Models,
    }
    if !is_plain {
        return Err(Fault::new(FaultKind::NotFound, "no such path").into());
    }
    let key = who(shared, session, exchange)?;
    match call {
        Call::Model(id) => desk::models(session, exchange, key.as_deref(), Some(&id)).await,
        Call::Models => desk::models(session, exchange, key.as_deref(), None).await,
        Call::Ask(dialect, task) => {
            let key = key.as_deref();
            return chat(shared, session, exchange, key, dialect, task).await;
        }
        // Answered above.
        Call::Other | Call::WrongMethod(_) => Ok(()),
    }
    .map(|()| Admitted::Done(Next::Answered))
}

/// What an exchange may take under the quotas that hold for its caller.
fn purse(shared: &Shared, quotas: &Arc<Quotas>, caller: &Caller<'_>) -> Result<Purse, Refusal> {
    let purse = shared.ledger.admit(quotas, caller, Now::read);
    purse.map_err(|short| Refusal::from(&short).left(remainder::refused(&short, quotas, caller)))
}

async fn chat(
    shared: &Shared,
    session: &mut ServerSession,
    exchange: &mut Exchange,
    key: Option<&Key>,
    dialect: Dialect,
    task: Task,
) -> Result<Admitted, Refusal> {
    let generation = Arc::clone(&exchange.generation);
    let limits = &generation.settings.limits;
    booking::check(shared.store.as_ref(), &generation.settings)?;
    body::check_headers(session, limits)?;
    let (body, hold) = match body::receive(session, limits, &shared.budget).await {
        Ok(read) => read,
        Err(Unread::Refused(refusal)) => return Err(refusal),
        Err(Unread::Left) => return Ok(Admitted::Done(left_early(session, exchange))),
    };
    exchange.record.body_bytes = as_u64(body.len());
    let request = dialect::parse(dialect, task, body)?;
    exchange.record.delivery = Some(request.delivery);
    let live = Arc::clone(desk::route(&generation, key, &request.model)?);
    exchange.record.route = Some(Arc::clone(&live.route().name));
    if task == Task::Count && !live.route().targets().any(desk::counts) {
        desk::estimate(session, exchange, &request).await;
        return Ok(Admitted::Done(Next::Answered));
    }
    exchange.asked = sampling::asked(
        session.req_header(),
        &request.body,
        exchange,
        &shared.samples,
    );
    let headers = &session.req_header().headers;
    let ours = inbound::ours(headers);
    let about = dialect::about(&request);
    let live = Arc::clone(live.form(&desk::facts(key, ours, &about)));
    exchange.record.variant.clone_from(&live.route().variant);
    exchange.record.session = inbound::name(ours, &inbound::SESSION).map(Pseudonym::of);
    exchange.record.user = about.user.as_deref().map(Pseudonym::of);
    let caller = Caller {
        key,
        route: &request.model,
        user: about.user.as_deref(),
        session: inbound::name(ours, &inbound::SESSION),
    };
    // A bad request is not counted as one.
    let fallback = inbound::fallback(ours)?;
    let drill = drill::asked(&generation.settings.drills, key, ours)?;
    let purse = purse(shared, &generation.settings.quotas, &caller)?;
    exchange.purse = purse.clone();
    Ok(Admitted::Chat(Box::new(Chat {
        request,
        live,
        fallback,
        forwarded: inbound::forwarded(headers),
        started: Instant::now(),
        purse,
        drill,
        trace: exchange.record.trace,
        generation,
        _hold: hold,
    })))
}

/// Who calls; the log learns why nobody does.
fn who(
    shared: &Shared,
    session: &ServerSession,
    exchange: &mut Exchange,
) -> Result<Option<Arc<Key>>, Refusal> {
    let settings = &exchange.generation.settings;
    let from = exchange.record.client;
    let key = inbound::authenticate(&settings.keys, &session.req_header().headers, from).map_err(
        |rejected| {
            let note = |from| shared.strikes.lock().note(from, Instant::now());
            Refusal::rejected(rejected, from.and_then(note))
        },
    )?;
    if let Some(key) = &key {
        exchange.record.key = Some(Arc::clone(&key.name));
        let most = settings.limits.exchanges_per_key;
        let place = shared.places.take(&key.name, most);
        exchange.place = Some(place.ok_or_else(Refusal::too_many_of_key)?);
        if let Some(short) = account::penniless(&settings.quotas, key) {
            return Err(Refusal::from(&short));
        }
    }
    Ok(key)
}

/// A path that segue does not interpret: handed on where the config says so.
async fn other(
    shared: &Shared,
    session: &mut ServerSession,
    exchange: &mut Exchange,
) -> Result<Next, Refusal> {
    let passage = passthrough::open(session.req_header(), &exchange.generation);
    // Of a body that the guard keeps Pingora knows nothing. No such path comes here.
    let kept = outbound::guard(session).and_then(Guard::own_body);
    let (Some(provider), None) = (passage, kept) else {
        return Err(Fault::new(FaultKind::NotFound, "no such path").into());
    };
    exchange.record.endpoint = Endpoint::Passthrough;
    who(shared, session, exchange)?;
    let passage = passthrough::enter(provider, &exchange.generation)?;
    if body::invite(session).await.is_err() {
        return Ok(left_early(session, exchange));
    }
    exchange.passage = Some(passage);
    Ok(Next::Native)
}

fn endpoint(dialect: Dialect, task: Task) -> Endpoint {
    match (dialect, task) {
        (_, Task::Count) => Endpoint::CountTokens,
        (_, Task::Completion) => Endpoint::Completions,
        (_, Task::Embedding) => Endpoint::Embeddings,
        (Dialect::Anthropic, Task::Chat) => Endpoint::Messages,
        (Dialect::OpenAi | Dialect::Gemini, Task::Chat) => Endpoint::ChatCompletions,
    }
}

/// Notes that the client left before its body was complete: there is nobody to be told anything.
fn left_early(session: &mut ServerSession, exchange: &mut Exchange) -> Next {
    exchange.record.outcome = Outcome::Aborted;
    exchange.record.reason = Some("request_body");
    outbound::abandon(session);
    Next::Answered
}
