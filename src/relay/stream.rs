//! Carries a stream: the loop around the pump that waits. There is no channel between the two
//! sides: while the client takes no bytes, nothing is read from the provider.

use std::time::Instant;

use bytes::Bytes;

use crate::relay::client::{AnswerHead, Client, ClientGone};
use crate::relay::pump::{Pump, Terms};
use crate::relay::turn::{Raced, Turn};
use crate::relay::verdict::{End, Why};
use crate::route::{Hold, Malformed};
use crate::upstream::Call;

/// Carries the body of a good stream to its end; a break after its beginning is still to be told.
pub(super) async fn run<C: Client>(
    turn: &mut Turn<'_, '_, C>,
    call: &mut Call,
    head: AnswerHead,
) -> End {
    let job = turn.job;
    let mut pump = Pump::new(Terms {
        dialect: turn.target.dialect,
        delivery: job.request.delivery,
        event_limit: job.event_limit,
        hold: Hold::None,
        inspector: None,
        malformed: Malformed::Break,
    });
    let mut head = Some(head);
    let end = loop {
        let raced = turn.race(call.chunk()).await;
        let now = Instant::now();
        let step = match raced {
            Raced::Left => break Err(Cut::Left(ClientGone)),
            Raced::Short(why) => pump.broken_off(why, now),
            Raced::Done(Ok(Some(bytes))) => pump.chunk(bytes, now),
            Raced::Done(Ok(None)) => pump.finish(now),
            Raced::Done(Err(error)) => pump.broken_off(Why::Call(error), now),
        };
        turn.saw(step.life, now);
        let sent = match (step.send, step.end) {
            (None, None) => continue,
            (Some(frames), None) => turn.deliver(&mut head, frames).await,
            (last, Some(Ok(()))) => {
                let last = last.unwrap_or_default();
                break finish(turn.client, &mut head, last)
                    .await
                    .map_err(Cut::Left);
            }
            (None, Some(Err(why))) => break Err(Cut::Why(why)),
            (Some(frames), Some(Err(why))) => match turn.deliver(&mut head, frames).await {
                Ok(()) => break Err(Cut::Why(why)),
                gone => gone,
            },
        };
        if let Err(gone) = sent {
            break Err(Cut::Left(gone));
        }
    };
    turn.report.usage = pump.usage();
    match end {
        Ok(()) => End::Served,
        Err(Cut::Left(ClientGone)) => End::Aborted,
        Err(Cut::Why(why)) if pump.commit().is_some() => End::Broken(why),
        Err(Cut::Why(why)) => End::Failed(why),
    }
}

/// How a stream ended short of its good end.
enum Cut {
    /// The client left.
    Left(ClientGone),
    /// The attempt failed.
    Why(Why),
}

/// Sends the last frames and ends the stream.
async fn finish<C: Client>(
    client: &mut C,
    head: &mut Option<AnswerHead>,
    last: Bytes,
) -> Result<(), ClientGone> {
    match head.take() {
        Some(head) => {
            client.begin(head, last).await?;
            client.end(Bytes::new()).await
        }
        None => client.end(last).await,
    }
}
