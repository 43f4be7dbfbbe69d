//! Carries one exchange from its first attempt to the last byte of its answer.
//!
//! The walk is here; what one attempt does is in `attempt`, and what a failure means is decided
//! in `verdict` alone. Until the answer has begun, an error goes back as a [`Fault`] and the
//! client has seen nothing; afterwards a break ends the stream with an error event.

mod allowance;
mod attempt;
mod backoff;
mod budget;
mod client;
mod clocks;
mod gate;
mod headers;
mod job;
mod pump;
mod stream;
mod surface;
mod turn;
mod verdict;
mod wait;
mod whole;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use budget::{Budget, Hold};
pub use client::{AnswerHead, Client, ClientGone, Content};
pub use headers::FORWARDED;
pub use job::{Job, Providers, Report};

use crate::exchange::{Fault, FaultKind};
use crate::route::Target;
use crate::telemetry::Outcome;
use crate::upstream::Provider;

/// Carries the exchange to its end.
///
/// # Cancel safety
/// Dropping the future closes the upstream connection; the client's side is the caller's.
pub async fn carry<C: Client>(client: &mut C, job: &Job<'_>) -> Report {
    let mut report = Report {
        outcome: Outcome::Failed,
        attempts: Vec::new(),
        usage: None,
        first_token: None,
        fault: None,
    };
    let Some((target, provider)) = first_able(job) else {
        report.fault = Some(Fault::new(
            FaultKind::ProviderFailed,
            "no target of this route can answer",
        ));
        return report;
    };
    let end = attempt::run(client, job, target, provider, &mut report).await;
    let (outcome, fault) = verdict::conclude(end, &target.name, &job.route.name);
    report.outcome = outcome;
    report.fault = fault;
    report
}

/// The first target whose provider is there.
fn first_able<'a>(job: &Job<'a>) -> Option<(&'a Target, &'a Arc<Provider>)> {
    job.route
        .targets()
        .find_map(|target| Some((target, job.providers.get(&target.provider)?)))
}
