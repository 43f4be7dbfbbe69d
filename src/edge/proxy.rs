//! What Pingora drives: one request from its head to its record.
//!
//! LLM endpoints are served inside `request_filter`, between Pingora's two doors, because its
//! native path sends the response head on as soon as it has it. Paths that are not interpreted
//! take the native phases (see `passthrough`).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures_util::FutureExt;
use pingora_core::protocols::http::ServerSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};

use crate::account::{Caller, Key, Now, Purse, Quotas};
use crate::edge::body::{self, Unread};
use crate::edge::booking;
use crate::edge::chat::{self, Chat};
use crate::edge::desk;
use crate::edge::drill;
use crate::edge::exchange::{Exchange, Shared, as_u64};
use crate::edge::guard::Guard;
use crate::edge::inbound::{self, Call};
use crate::edge::linger;
use crate::edge::outbound::{self, Beside, Outbound, Trail};
use crate::edge::passthrough;
use crate::edge::refusal::Refusal;
use crate::edge::remainder;
use crate::edge::sampling;
use crate::exchange::{Delivery, Dialect, Fault, FaultKind, Pseudonym, Task};
use crate::relay::{self, ClientGone};
use crate::telemetry::{Endpoint, Outcome};
use crate::{account, dialect};

/// The proxy over all listeners.
pub(super) struct Edge(pub(super) Arc<Shared>);

/// Who goes on with a request.
enum Next {
    /// Nobody: it is answered.
    Answered,
    /// Pingora's native phases.
    Native,
}

#[async_trait]
impl ProxyHttp for Edge {
    // Boxed: Pingora moves it from future to future.
    type CTX = Box<Exchange>;

    fn new_ctx(&self) -> Box<Exchange> {
        Box::new(Exchange::new(&self.0))
    }

    async fn request_filter(
        &self,
        session: &mut Session,
        exchange: &mut Box<Exchange>,
    ) -> Result<bool> {
        let session = session.as_downstream_mut();
        exchange.open(session);
        let served = AssertUnwindSafe(self.serve(session, exchange))
            .catch_unwind()
            .await;
        match served {
            Ok(Next::Native) => Ok(false),
            Ok(Next::Answered) => Ok(true),
            Err(_) => {
                exchange.record.outcome = Outcome::Panicked;
                exchange.record.attempts = exchange.booked.take();
                after_panic(session, exchange).await;
                Ok(true)
            }
        }
    }

    async fn upstream_peer(
        &self,
        _: &mut Session,
        exchange: &mut Box<Exchange>,
    ) -> Result<Box<HttpPeer>> {
        passthrough::peer(exchange)
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        exchange: &mut Box<Exchange>,
    ) -> Result<()> {
        passthrough::request(session.req_header(), request, exchange)
    }

    async fn response_filter(
        &self,
        _: &mut Session,
        response: &mut ResponseHeader,
        exchange: &mut Box<Exchange>,
    ) -> Result<()> {
        passthrough::response(response, exchange)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        exchange: &mut Box<Exchange>,
    ) -> FailToProxy {
        let error_code = passthrough::failed(session, error, exchange).await;
        FailToProxy {
            error_code,
            can_reuse_downstream: false,
        }
    }

    fn suppress_error_log(&self, _: &Session, _: &Box<Exchange>, _: &Error) -> bool {
        // The access log has it; a provider's bad day is no error of ours.
        true
    }

    async fn logging(
        &self,
        session: &mut Session,
        error: Option<&Error>,
        exchange: &mut Box<Exchange>,
    ) {
        let downstream = session.as_downstream_mut();
        if exchange.passage.is_some() {
            passthrough::close(downstream, error, exchange);
        }
        exchange.record.total = exchange.begun.elapsed();
        exchange.record.sent_bytes = as_u64(downstream.body_bytes_sent());
        exchange.close();
        if exchange.passage.is_none() {
            linger::linger(downstream).await;
        }
        if outbound::is_read(downstream)
            && let Some(guard) = outbound::guard(downstream)
        {
            guard.next_request();
        }
    }
}

impl Edge {
    /// Serves a request; what is wrong with it is told. A stream waits in here for most of its
    /// time, so that few futures lie between it and its connection.
    async fn serve(&self, session: &mut ServerSession, exchange: &mut Exchange) -> Next {
        let told = match self.admit(session, exchange).await {
            Ok(Admitted::Chat(chat)) => {
                let id = exchange.record.request_id.clone();
                let booked = Arc::clone(&exchange.booked);
                let job = chat.job(&id, &self.0, &booked, exchange.asked.as_ref());
                let timeout = chat.generation.settings.limits.client_write;
                let mut client = Outbound::new(
                    session,
                    &id,
                    exchange.dialect,
                    &job.live.route().name,
                    timeout,
                    &chat.purse,
                );
                let report = relay::carry(&mut client, &job).await;
                let sent = client.sent;
                let left = chat.purse.left();
                chat::book(session, exchange, report, sent)
                    .map_or(Ok(()), |fault| Err(Refusal::from(fault).left(left)))
            }
            Ok(Admitted::Done(next)) => return next,
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = told {
            refuse(session, exchange, &refusal).await;
        }
        Next::Answered
    }

    /// From the head to the end of the request; an error has been told to nobody yet.
    async fn admit(
        &self,
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
                let next = self.other(session, exchange).await?;
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
        let key = self.who(session, exchange)?;
        match call {
            Call::Model(id) => desk::models(session, exchange, key.as_deref(), Some(&id)).await,
            Call::Models => desk::models(session, exchange, key.as_deref(), None).await,
            Call::Ask(dialect, task) => {
                let key = key.as_deref();
                return self.chat(session, exchange, key, dialect, task).await;
            }
            // Answered above.
            Call::Other | Call::WrongMethod(_) => Ok(()),
        }
        .map(|()| Admitted::Done(Next::Answered))
    }

    /// What an exchange may take under the quotas that hold for its caller.
    fn purse(&self, quotas: &Arc<Quotas>, caller: &Caller<'_>) -> Result<Purse, Refusal> {
        let purse = self.0.ledger.admit(quotas, caller, Now::read);
        purse
            .map_err(|short| Refusal::from(&short).left(remainder::refused(&short, quotas, caller)))
    }

    async fn chat(
        &self,
        session: &mut ServerSession,
        exchange: &mut Exchange,
        key: Option<&Key>,
        dialect: Dialect,
        task: Task,
    ) -> Result<Admitted, Refusal> {
        let generation = Arc::clone(&exchange.generation);
        let limits = &generation.settings.limits;
        booking::check(self.0.store.as_ref(), &generation.settings)?;
        body::check_headers(session, limits)?;
        let (body, hold) = match body::receive(session, limits, &self.0.budget).await {
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
            &self.0.samples,
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
        let purse = self.purse(&generation.settings.quotas, &caller)?;
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
}

impl Edge {
    /// Who calls; the log learns why nobody does.
    fn who(
        &self,
        session: &ServerSession,
        exchange: &mut Exchange,
    ) -> Result<Option<Arc<Key>>, Refusal> {
        let settings = &exchange.generation.settings;
        let from = exchange.record.client;
        let key = inbound::authenticate(&settings.keys, &session.req_header().headers, from)
            .map_err(|rejected| {
                let note = |from| self.0.strikes.lock().note(from, Instant::now());
                Refusal::rejected(rejected, from.and_then(note))
            })?;
        if let Some(key) = &key {
            exchange.record.key = Some(Arc::clone(&key.name));
            let most = settings.limits.exchanges_per_key;
            let place = self.0.places.take(&key.name, most);
            exchange.place = Some(place.ok_or_else(Refusal::too_many_of_key)?);
            if let Some(short) = account::penniless(&settings.quotas, key) {
                return Err(Refusal::from(&short));
            }
        }
        Ok(key)
    }

    /// A path that segue does not interpret: handed on where the config says so.
    async fn other(
        &self,
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
        self.who(session, exchange)?;
        let passage = passthrough::enter(provider, &exchange.generation)?;
        if body::invite(session).await.is_err() {
            return Ok(left_early(session, exchange));
        }
        exchange.passage = Some(passage);
        Ok(Next::Native)
    }
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

/// A request that was read to its end.
enum Admitted {
    /// It is for a route.
    Chat(Box<Chat>),
    /// It needs no route, or is answered.
    Done(Next),
}

/// A panic in our own code: this client is told, nobody else notices.
async fn after_panic(session: &mut ServerSession, exchange: &mut Exchange) {
    session.set_keepalive(None);
    let fault = Fault::new(FaultKind::Internal, "segue failed on this request");
    if session.response_written().is_none() {
        refuse(session, exchange, &fault.into()).await;
        exchange.record.outcome = Outcome::Panicked;
        return;
    }
    if matches!(exchange.record.delivery, Some(Delivery::Stream(_))) {
        let event = dialect::fault_event(exchange.dialect, &fault);
        // The client may be gone as well; there is nothing left to do about it.
        let _ = session.write_response_body(event, true).await;
    }
}

async fn refuse(session: &mut ServerSession, exchange: &mut Exchange, refusal: &Refusal) {
    let Refusal { fault, reason, .. } = refusal;
    let record = &mut exchange.record;
    // A fault that came out of attempts keeps the outcome that they gave it.
    if record.attempts.is_empty() {
        record.outcome = match fault.kind {
            FaultKind::Unauthorized
            | FaultKind::Overloaded
            | FaultKind::OverLimit
            | FaultKind::OverBudget => Outcome::Refused,
            FaultKind::Internal => Outcome::Failed,
            _ => Outcome::ClientError,
        };
        record.reason = Some(reason);
    }
    let beside = Beside {
        allow: refusal.allow,
        trail: record.route.as_deref().map(|route| Trail {
            route,
            attempts: record.attempts.len(),
        }),
        left: refusal.left.as_deref().copied().unwrap_or_default(),
    };
    let id = &record.request_id;
    match outbound::refuse(session, exchange.dialect, fault, id, beside).await {
        Ok(status) => record.status = status,
        Err(ClientGone) => outbound::abandon(session),
    }
}

/// Notes that the client left before its body was complete: there is nobody to be told anything.
fn left_early(session: &mut ServerSession, exchange: &mut Exchange) -> Next {
    exchange.record.outcome = Outcome::Aborted;
    exchange.record.reason = Some("request_body");
    outbound::abandon(session);
    Next::Answered
}
