//! Serves a request that has come: from its head to its record.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use pingora_core::apps::{HttpPersistentSettings, ReusedHttpStream};
use pingora_core::protocols::http::ServerSession;

use crate::dialect;
use crate::edge::admit::{self, Admitted, Next};
use crate::edge::chat;
use crate::edge::exchange::{Exchange, Shared};
use crate::edge::guard::Guard;
use crate::edge::outbound::{self, Beside, Outbound, Trail};
use crate::edge::refusal::Refusal;
use crate::exchange::{Delivery, Fault, FaultKind};
use crate::relay::{self, ClientGone};
use crate::telemetry::Outcome;

/// Serves the requests of all listeners.
#[derive(Clone)]
pub(super) struct Edge(pub(super) Arc<Shared>);

impl Edge {
    /// Serves a request past Pingora's phases. What is left is its connection, if that takes another.
    pub(super) async fn exchange(&self, mut session: ServerSession) -> Option<ReusedHttpStream> {
        match session.read_request().await {
            Ok(true) => {}
            Ok(false) => return None,
            // The guard lets no such head pass.
            Err(_) => {
                session.shutdown().await;
                return None;
            }
        }
        if outbound::guard(&session).is_some_and(Guard::is_closing) {
            session.set_keepalive(None);
        }
        let mut exchange = Exchange::new(&self.0);
        // A path that could be handed on does not come here.
        self.answer(&mut session, &mut exchange).await;
        exchange.settle(&mut session).await;
        let kept = HttpPersistentSettings::for_session(&session);
        let stream = session.finish().await.ok().flatten()?;
        Some(ReusedHttpStream::from_reusable_stream(stream, kept))
    }

    /// Answers a request, unless Pingora's phases are to go on with it.
    pub(super) async fn answer(
        &self,
        session: &mut ServerSession,
        exchange: &mut Exchange,
    ) -> Next {
        exchange.open(session);
        let served = AssertUnwindSafe(self.serve(session, exchange))
            .catch_unwind()
            .await;
        if let Ok(next) = served {
            return next;
        }
        exchange.record.outcome = Outcome::Panicked;
        exchange.record.attempts = exchange.booked.take();
        after_panic(session, exchange).await;
        Next::Answered
    }

    /// Serves a request; what is wrong with it is told. A stream waits in here for most of its
    /// time, so that few futures lie between it and its connection.
    async fn serve(&self, session: &mut ServerSession, exchange: &mut Exchange) -> Next {
        let told = match admit::admit(&self.0, session, exchange).await {
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
