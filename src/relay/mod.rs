//! Carries one exchange from its first attempt to the last byte of its answer.
//!
//! The `carrier` goes along the `walk`; what one attempt does up to its gate is in `attempt`, what
//! follows the commit in `pour`, and what a failure means is decided in `verdict` alone. Until the
//! commit an error goes back as a [`Fault`](crate::exchange::Fault) and the client has seen nothing;
//! afterwards a break ends the stream with an error event.

mod allowance;
mod attempt;
mod backoff;
mod bill;
mod board;
mod booked;
mod budget;
mod carrier;
mod chance;
mod client;
mod clocks;
mod cut;
mod drill;
mod gate;
mod gathered;
mod headers;
mod hedge;
mod inspect;
mod job;
mod live;
mod pour;
mod pump;
mod rates;
mod release;
mod said;
mod standing;
mod surface;
mod suspense;
mod thrift;
mod told;
mod turn;
mod verdict;
mod wait;
mod walk;
mod watch;
mod whole;

#[cfg(any(test, fuzzing))]
pub mod model;
#[cfg(test)]
mod tests;

use std::pin::pin;

use tokio::sync::watch::Receiver;

use carrier::{Carrier, Opened};

pub use allowance::Allowance;
pub use board::Board;
pub use booked::Booked;
pub use budget::{Budget, Hold};
pub use client::{AnswerHead, Client, ClientGone, Content};
pub use drill::{Drill, NoDrill};
pub use headers::FORWARDED;
pub use job::{Found, Job, Report};
pub use live::{Fallback, LiveRoute, Providers};
pub use standing::{LastFailure, Standings, TargetRecord, TargetState, TargetStatus};

/// Carries the exchange to its end.
///
/// # Cancel safety
/// Dropping the future closes the upstream connection; the client's side is the caller's. What was
/// tried until then is in `job.booked`.
pub async fn carry<C: Client>(client: &mut C, job: &Job<'_>) -> Report {
    let stop = pin!(stopped(job.stop.clone()));
    let mut carrier = Carrier::new(client, job, stop);
    if let Some((mut turn, held)) = carrier.seek().await {
        // The long part of a stream. It runs here, not further in: each wake goes through every
        // future that waits for another, and finds it cold.
        turn.committed();
        let end = match carrier.open(&mut turn, held) {
            Opened::Stream {
                opening,
                frames,
                flow,
            } => {
                let (client, stop) = carrier.outside();
                turn.pour(client, stop, opening, frames, flow).await
            }
            Opened::Whole { head, body } => carrier.whole(head, body).await,
            Opened::Over(end) => end,
        };
        carrier.conclude(turn, end).await;
    }
    carrier.report.attempts = job.booked.take();
    carrier.report
}

/// Resolves when running exchanges have to end.
async fn stopped(mut stop: Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // The sender is gone only when the process ends: nobody is left to say so.
        std::future::pending::<()>().await;
    }
}
