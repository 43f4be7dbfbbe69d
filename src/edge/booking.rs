//! A record as the store takes it, and what holds while the store takes nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::account::store::{AttemptEntry, Entry, OnFailure, Store};
use crate::account::{Fate, Spent};
use crate::edge::settings::Settings;
use crate::exchange::{Delivery, Dialect, Fault, FaultKind};
use crate::telemetry::{Attempt, Endpoint, Record};

/// Books an exchange that has ended, if it asked for a route or was handed through: whoever is
/// turned away at the door fills no disk.
pub(super) fn book(
    store: &Store,
    request_id: String,
    record: &Record,
    client: Dialect,
    spent: Vec<Spent>,
) {
    if record.route.is_none() && record.endpoint != Endpoint::Passthrough {
        return;
    }
    store.write(Entry {
        request_id,
        key: record.key.clone(),
        route: record.route.clone(),
        session: record.session,
        user: record.user,
        format: client.name(),
        endpoint: record.endpoint.name(),
        delivery: record.delivery.map(delivery),
        status: record.status,
        outcome: record.outcome.name(),
        reason: record.reason,
        fallback_reason: record.fallback_reason(),
        target: record
            .answered_by()
            .map(|attempt| Arc::clone(&attempt.target)),
        held: record.held,
        first_token: record.first_token,
        total: record.total,
        attempts: record.attempts.iter().map(entry).collect(),
        variant: record.variant.clone(),
        spent,
        ..Entry::at(record.began)
    });
}

/// Refuses what could not be booked, where the config wants it so.
pub(super) fn check(store: Option<&Store>, settings: &Settings) -> Result<(), Fault> {
    let on_failure = settings.store.as_ref().map(|store| store.on_failure);
    if on_failure != Some(OnFailure::Stop) || !store.is_some_and(Store::is_failing) {
        return Ok(());
    }
    let fault = Fault::new(FaultKind::Overloaded, "requests cannot be booked just now");
    Err(fault.retry_after(Duration::from_secs(1)))
}

fn entry(attempt: &Attempt) -> AttemptEntry {
    let fate = if attempt.delivered {
        Fate::Delivered
    } else {
        Fate::Wasted
    };
    AttemptEntry {
        target: Arc::clone(&attempt.target),
        kind: attempt.kind.name(),
        status: attempt.status,
        error: attempt.error,
        verdict: attempt.verdict,
        bill: attempt.bill,
        fate,
        first_byte: attempt.first_byte,
        first_token: attempt.first_token,
        total: attempt.total,
    }
}

fn delivery(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Stream(_) => "stream",
        Delivery::Whole => "whole",
    }
}
