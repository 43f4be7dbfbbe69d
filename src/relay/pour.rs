//! A stream whose gate has opened: the rest of it goes to the client as it comes. There is no
//! channel between the two sides: while the client takes no bytes, nothing is read from the
//! provider.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use tokio::time::timeout_at;

use crate::relay::attempt::{self, Flow};
use crate::relay::client::{AnswerHead, Client, ClientGone};
use crate::relay::turn::Turn;
use crate::relay::verdict::{End, Why};
use crate::relay::watch::Raced;

/// What may end an exchange from outside.
#[derive(Debug)]
pub(super) enum Outside {
    /// The client left.
    Left,
    /// The process stops, and its time for running exchanges is over.
    Stopping,
}

impl Outside {
    /// The reason's name in log and metrics.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Left => "aborted",
            Self::Stopping => "stopping",
        }
    }
}

/// Resolves when running exchanges have to end.
pub(super) type Stop<'a> = Pin<&'a mut (dyn Future<Output = ()> + Send)>;

/// How a stream begins towards its client.
pub(super) enum Opening {
    /// With this head.
    Head(AnswerHead),
    /// Its head has gone out already, with a sign of life.
    Begun,
}

/// Resolves when the client leaves or the process stops.
pub(super) async fn outside<C: Client>(client: &mut C, stop: &mut Stop<'_>) -> Outside {
    let mut left = pin!(client.left());
    std::future::poll_fn(|context| {
        if left.as_mut().poll(context).is_ready() {
            return Poll::Ready(Outside::Left);
        }
        stop.as_mut().poll(context).map(|()| Outside::Stopping)
    })
    .await
}

impl Turn<'_> {
    /// Sends the frames that the gate opened on, and all that follows them.
    pub(super) async fn pour<C: Client>(
        &mut self,
        client: &mut C,
        mut stop: Stop<'_>,
        opening: Opening,
        frames: Bytes,
        flow: Flow,
    ) -> End {
        let Some(mut call) = self.call.take() else {
            return End::Broken(Why::Malformed);
        };
        let mut opening = Some(opening);
        let (mut frames, mut flow, mut now) = (frames, flow, Instant::now());
        let end = loop {
            let sent = self.deliver(client, &mut opening, frames, &flow).await;
            if sent.is_err() {
                break End::Aborted;
            }
            match flow {
                Flow::Ended => break End::Served,
                Flow::Broken(why) => break End::Broken(why),
                Flow::Open => {}
            }
            (frames, flow) = loop {
                let watched = outside(client, &mut stop);
                let chunk = attempt::chunk(&mut call, self.trouble, self.pump.as_deref());
                let raced = self.watch.race(now, None, chunk, watched).await;
                now = Instant::now();
                // Only what is pumped goes on.
                let Some(pump) = &mut self.pump else {
                    return End::Broken(Why::Malformed);
                };
                let came = match raced {
                    Raced::Done(Ok(Some(bytes))) => {
                        self.record.reply.came(&bytes);
                        pump.chunk(bytes, now)
                    }
                    Raced::Done(Ok(None)) => pump.finish(now),
                    Raced::Done(Err(error)) => pump.broken_off(Why::Call(error), now),
                    Raced::Expired(expired) => pump.broken_off(Why::Expired(expired), now),
                    Raced::Outside(Outside::Stopping) => pump.broken_off(Why::Stopping, now),
                    Raced::Outside(Outside::Left) => return End::Aborted,
                    Raced::Gate => continue,
                };
                self.saw(&came, now);
                match (came.send, came.end) {
                    (None, None) => {}
                    (Some(frames), None) => break (frames, Flow::Open),
                    (frames, Some(Ok(()))) => break (frames.unwrap_or_default(), Flow::Ended),
                    (frames, Some(Err(why))) => {
                        break (frames.unwrap_or_default(), Flow::Broken(why));
                    }
                }
            };
        };
        if let End::Served = end {
            // Only what ended well gives its connection back.
            self.call = Some(call);
        }
        end
    }

    /// Sends frames, with the head before the first of them. The attempt's end is the client's
    /// too; the wait for it is not the provider's silence.
    async fn deliver<C: Client>(
        &mut self,
        client: &mut C,
        opening: &mut Option<Opening>,
        frames: Bytes,
        flow: &Flow,
    ) -> Result<(), ClientGone> {
        let ends = matches!(flow, Flow::Ended);
        if frames.is_empty() && !ends && opening.is_none() {
            return Ok(());
        }
        let end = self.watch.clocks.end().into();
        let sending = async {
            match opening.take() {
                Some(Opening::Head(head)) => {
                    client.begin(head, frames).await?;
                    if ends {
                        client.end(Bytes::new()).await?;
                    }
                    Ok(())
                }
                _ if ends => client.end(frames).await,
                _ => client.send(frames).await,
            }
        };
        let mut sending = pin!(sending);
        let at_once = std::future::poll_fn(|context| Poll::Ready(sending.as_mut().poll(context)));
        if let Poll::Ready(sent) = at_once.await {
            return sent;
        }
        let begun = Instant::now();
        let sent = timeout_at(end, sending).await;
        self.watch.clocks.paused(begun.elapsed());
        sent.unwrap_or(Err(ClientGone))
    }
}
