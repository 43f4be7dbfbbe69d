//! A record as the store takes it, and what holds while the store takes nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::account::Fate;
use crate::account::store::{AttemptEntry, Entry, OnFailure, Store};
use crate::edge::exchange::Exchange;
use crate::edge::settings::Settings;
use crate::exchange::{Delivery, Fault, FaultKind};
use crate::telemetry::{Attempt, Endpoint, Outcome, Record};

/// Books an exchange that has ended, if it asked for a route or was handed through: whoever is
/// turned away at the door fills no disk. The record's id goes with it.
pub(super) fn book(store: &Store, exchange: &mut Exchange) {
    let record = &mut exchange.record;
    if record.route.is_none() && record.endpoint != Endpoint::Passthrough {
        return;
    }
    let request_id = std::mem::take(&mut record.request_id);
    let record = &exchange.record;
    store.write(Entry {
        request_id,
        key: record.key.clone(),
        route: record.route.clone(),
        session: exchange.session,
        user: exchange.user,
        format: exchange.dialect.name(),
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
        attempts: attempts(record),
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

fn attempts<A: FromIterator<AttemptEntry>>(record: &Record) -> A {
    let wasted = record
        .attempts
        .len()
        .saturating_sub(usize::from(has_words(record)));
    let attempts = record.attempts.iter().enumerate();
    let fate = |number| {
        if number < wasted {
            Fate::Wasted
        } else {
            Fate::Delivered
        }
    };
    attempts
        .map(|(number, attempt)| entry(attempt, fate(number)))
        .collect()
}

/// Whether the client got anything of the last attempt. One that left before the commit did not,
/// and a provider's error is no answer.
fn has_words(record: &Record) -> bool {
    match record.outcome {
        Outcome::Served | Outcome::Broken => true,
        Outcome::Aborted => record.commit.is_some(),
        Outcome::ClientError
        | Outcome::Refused
        | Outcome::ProviderError
        | Outcome::Failed
        | Outcome::Panicked => false,
    }
}

fn entry(attempt: &Attempt, fate: Fate) -> AttemptEntry {
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
