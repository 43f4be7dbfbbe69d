//! One attempt up to its gate: call, head, body. No byte of it reaches the client from here.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use crate::dialect;
use crate::exchange::{Delivery, Request};
use crate::relay::inspect::Inspector;
use crate::relay::pump::{Pump, Terms};
use crate::relay::turn::Turn;
use crate::relay::verdict::Why;
use crate::relay::walk::WayOut;
use crate::relay::watch::Raced;
use crate::relay::{headers, wait, whole};
use crate::route::Hold;
use crate::telemetry::Connection;
use crate::units::ByteSize;
use crate::upstream::{Call, CallBounds, Outgoing, Settled};

/// How much of a provider's error body is read.
const ERROR_BODY_LIMIT: ByteSize = ByteSize::kib(64);

/// How long an error body is waited for.
const ERROR_BODY_WAIT: Duration = Duration::from_secs(5);

/// How much of the prompt's head decides which peer serves it, under `balance: consistent`.
const AFFINITY_BYTES: usize = 1024;

/// How an attempt came to its gate.
#[derive(Debug)]
pub(super) enum Held {
    /// The gate of a stream has opened on these frames.
    Stream { frames: Bytes, flow: Flow },
    /// A whole answer that passed its checks.
    Whole(Bytes),
    /// It failed, and nobody has seen a byte of it.
    Failed(Why),
}

/// What comes after the frames of a stream.
#[derive(Debug)]
pub(super) enum Flow {
    /// More of them.
    Open,
    /// Nothing: they end it well.
    Ended,
    /// Nothing: it broke right behind them.
    Broken(Why),
}

/// What an answer's head promises.
enum Kind {
    Stream,
    Whole,
    Bad,
}

impl Turn<'_> {
    /// Runs the attempt until its gate opens or it fails.
    ///
    /// # Cancel safety
    /// Dropped, the attempt cannot be gone on with.
    pub(super) async fn run_held(&mut self) -> Held {
        match self.try_held().await {
            Ok(held) => held,
            Err(why) => Held::Failed(why),
        }
    }

    async fn try_held(&mut self) -> Result<Held, Why> {
        let mut call = self.call().await?;
        self.record.connection = Some(if call.reused() {
            Connection::Reused
        } else {
            Connection::Fresh
        });
        let held = match self.head(&mut call).await? {
            Kind::Stream => self.stream(&mut call).await,
            Kind::Whole => self.whole(&mut call).await,
            Kind::Bad => Err(self.bad_status(&mut call).await),
        };
        match &held {
            Err(why) => call.note(peer_health(why)),
            Ok(_) => call.note(Settled::Success),
        }
        // A failed attempt's connection is closed here and now.
        let held = held?;
        self.call = Some(call);
        Ok(held)
    }

    /// Waits for `work` as long as no clock runs out.
    async fn waited<T>(&mut self, work: impl Future<Output = T> + Send) -> Result<T, Why> {
        let outside = pending::<Infallible>();
        match self.watch.race(Instant::now(), None, work, outside).await {
            Raced::Done(done) => Ok(done),
            Raced::Outside(never) => match never {},
            Raced::Expired(expired) => Err(Why::Expired(expired)),
            Raced::Gate => Err(Why::Malformed),
        }
    }

    /// Sends the request.
    async fn call(&mut self) -> Result<Call, Why> {
        let (job, target) = (self.job, self.target());
        let Some(provider) = &self.lane.provider else {
            return Err(Why::Call(crate::upstream::CallError::NoPeer));
        };
        let body = dialect::build(target.dialect, job.request, &target.model);
        let headers = headers::for_attempt(job.request.delivery, job.forwarded);
        let bounds = CallBounds {
            connect: target.timeouts.connect,
            write: target.timeouts.write,
        };
        let outgoing = Outgoing {
            method: &http::Method::POST,
            path: dialect::path(target.dialect),
            headers: &headers,
            body: &body,
            affinity: affinity(job.request),
        };
        let called = self.waited(provider.call(outgoing, bounds)).await?;
        called.map_err(Why::Call)
    }

    /// Waits for the answer's head and says what kind of answer it is.
    async fn head(&mut self, call: &mut Call) -> Result<Kind, Why> {
        let head = self.waited(call.head()).await?.map_err(Why::Call)?;
        self.record.first_byte = Some(self.begun.elapsed());
        self.record.status = Some(head.status);
        if head.status != 200 {
            return Ok(Kind::Bad);
        }
        let media = head.content_type().map(media_type).unwrap_or_default();
        match self.job.request.delivery {
            Delivery::Stream(_) if media.eq_ignore_ascii_case("text/event-stream") => {
                Ok(Kind::Stream)
            }
            Delivery::Whole if media.eq_ignore_ascii_case("application/json") => Ok(Kind::Whole),
            Delivery::Stream(_) | Delivery::Whole => Err(Why::ContentType),
        }
    }

    /// Reads a stream until its gate opens.
    async fn stream(&mut self, call: &mut Call) -> Result<Held, Why> {
        let mut pump = self.pump();
        let mut claimed = self.job.budget.hold();
        let mut now = Instant::now();
        loop {
            let due = pump.due();
            let outside = pending::<Infallible>();
            let raced = self.watch.race(now, due, call.chunk(), outside).await;
            now = Instant::now();
            let step = match raced {
                Raced::Outside(never) => match never {},
                Raced::Gate => pump.tick(now),
                Raced::Expired(expired) => pump.broken_off(Why::Expired(expired), now),
                Raced::Done(Ok(Some(bytes))) => pump.chunk(bytes, now),
                Raced::Done(Ok(None)) => pump.finish(now),
                Raced::Done(Err(error)) => pump.broken_off(Why::Call(error), now),
            };
            self.saw(&step, now);
            self.tally(&pump);
            let (frames, flow) = match (step.send, step.end) {
                (None, None) if claimed.reach(pump.held()) => continue,
                (None, None) => return Err(Why::Budget),
                (None, Some(Err(why))) => return Err(why),
                (Some(frames), Some(Err(why))) => (frames, Flow::Broken(why)),
                (frames, Some(Ok(()))) => (frames.unwrap_or_default(), Flow::Ended),
                (Some(frames), None) => (frames, Flow::Open),
            };
            self.gate = pump.commit().map(|commit| {
                let since = pump.held_since().unwrap_or(now);
                (now.saturating_duration_since(since), commit.name())
            });
            self.pump = Some(pump);
            return Ok(Held::Stream { frames, flow });
        }
    }

    fn pump(&self) -> Pump {
        let (job, policy) = (self.job, self.job.policy());
        Pump::new(Terms {
            dialect: self.target().dialect,
            delivery: job.request.delivery,
            event_limit: job.event_limit,
            hold: match self.way_out {
                WayOut::Open => policy.hold,
                WayOut::Shut => Hold::None,
            },
            inspector: self.inspector(),
            malformed: policy.malformed,
        })
    }

    /// What looks at the answer: nothing, when nothing can be done about it.
    fn inspector(&self) -> Option<Inspector> {
        let job = self.job;
        (self.way_out == WayOut::Open).then(|| Inspector::new(job.policy(), job.request))
    }

    /// Reads a whole answer and checks it.
    async fn whole(&mut self, call: &mut Call) -> Result<Held, Why> {
        // A whole answer is written once it is thought out: its head is its first token.
        self.began(Instant::now());
        let body = whole::read(self, call, self.job.answer_limit).await?;
        self.usage = whole::check(self.target().dialect, &body, self.inspector())?;
        Ok(Held::Whole(body))
    }

    /// Reads an error body and says what is wrong.
    async fn bad_status(&mut self, call: &mut Call) -> Why {
        let status = self.record.status.unwrap_or_default();
        let reading = whole::read(self, call, ERROR_BODY_LIMIT);
        let body = match tokio::time::timeout(ERROR_BODY_WAIT, reading).await {
            Ok(Ok(body)) => body,
            // The status alone decides; a body that breaks or never ends adds nothing.
            Ok(Err(_)) | Err(_) => Bytes::new(),
        };
        let failure = dialect::failure(self.target().dialect, status, &body);
        // Read before: nothing is waited for.
        let head = call.head().await.ok();
        let header = |name: &str| head.and_then(|head| head.get(name));
        Why::Status {
            status,
            wait: wait::wait(header, &failure, SystemTime::now()),
            failure: Box::new(failure),
            body,
        }
    }
}

/// What a failure above the connection says about the peer; `upstream` knows those below.
fn peer_health(why: &Why) -> Settled {
    match why {
        Why::Status { status: 500.., .. } | Why::Expired(_) | Why::Truncated => Settled::Failure,
        _ => Settled::Neutral,
    }
}

/// The media type without its parameters.
fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// The head of the prompt: equal ones meet the same peer, whose prompt cache is warm.
fn affinity(request: &Request) -> &[u8] {
    let messages = request
        .fields
        .value(&request.body, "messages")
        .unwrap_or_default();
    messages.get(..AFFINITY_BYTES).unwrap_or(messages)
}
