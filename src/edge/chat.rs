//! A chat request on its way to the relay, and what comes back of it into the record.

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderName, HeaderValue};
use pingora_core::protocols::http::ServerSession;

use crate::account::Purse;
use crate::edge::exchange::{Exchange, Shared};
use crate::edge::generation::Generation;
use crate::edge::outbound;
use crate::exchange::{Fault, Request};
use crate::relay::{Booked, Drill, Fallback, Found, Hold, Job, LiveRoute, Report};
use crate::telemetry::{Asked, Outcome, Trace};

/// A chat request and where it goes.
pub(super) struct Chat {
    pub(super) generation: Arc<Generation>,
    pub(super) request: Request,
    pub(super) live: Arc<LiveRoute>,
    pub(super) fallback: Fallback,
    pub(super) forwarded: Vec<(HeaderName, HeaderValue)>,
    pub(super) started: Instant,
    /// What it may still take.
    pub(super) purse: Purse,
    /// What is to go wrong in it, if the client asks for that.
    pub(super) drill: Option<Drill>,
    /// Where it stands in its trace.
    pub(super) trace: Option<Trace>,
    /// The memory that its body takes.
    pub(super) _hold: Hold,
}

impl Chat {
    /// What the relay needs to know.
    pub(super) fn job<'a>(
        &'a self,
        id: &'a str,
        shared: &'a Shared,
        booked: &'a Booked,
        asked: Option<&Asked>,
    ) -> Job<'a> {
        let limits = &self.generation.settings.limits;
        Job {
            id,
            request: &self.request,
            live: &self.live,
            fallback: self.fallback,
            forwarded: &self.forwarded,
            started: self.started,
            answer_limit: limits.answer,
            event_limit: limits.event,
            attempts_per_provider: limits.attempts_per_provider,
            budget: &shared.budget,
            retries: &shared.retries,
            stop: shared.stop.clone(),
            purse: &self.purse,
            booked,
            room: shared.samples.room(asked),
            trace: self.trace.as_ref(),
            drill: self.drill.as_ref(),
            found: Found::default(),
        }
    }
}

/// Notes what became of an exchange; what is still to be told comes back.
pub(super) fn book(
    session: &mut ServerSession,
    exchange: &mut Exchange,
    report: Report,
    sent: Option<(u16, Instant)>,
) -> Option<Fault> {
    let before = exchange.begun;
    let since = |at: Instant| at.saturating_duration_since(before);
    let record = &mut exchange.record;
    record.status = sent.map_or(0, |(status, _)| status);
    record.outcome = report.outcome;
    record.reason = report.attempts.last().and_then(|attempt| attempt.error);
    record.held = report.held;
    record.commit = report.commit;
    record.first_byte = sent.map(|(_, at)| since(at));
    record.first_token = report.first_token.map(since);
    record.attempts = report.attempts;
    record.left_out = report.left_out;
    if report.outcome == Outcome::Aborted && report.fault.is_none() {
        outbound::abandon(session);
    }
    report.fault
}
