//! One attempt up to its gate: call, head, body. No byte of it reaches the client from here.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::pin;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use crate::account::Short;
use crate::dialect::{self, Ask, Label, Recipient, Unfit, Voices};
use crate::exchange::{Delivery, Form, Request, Task};
use crate::relay::bill::Heard;
use crate::relay::drill::{Drill, Trouble};
use crate::relay::inspect::Inspector;
use crate::relay::pump::{Pump, Terms};
use crate::relay::turn::Turn;
use crate::relay::verdict::Why;
use crate::relay::walk::WayOut;
use crate::relay::watch::Raced;
use crate::relay::{cut, headers, wait, whole};
use crate::route::{self, Drops, Hold, OutputFit};
use crate::telemetry::Connection;
use crate::units::ByteSize;
use crate::upstream::{Call, CallBounds, CallError, ConnectFailure, Outgoing, Phase, Settled};

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
        self.prepare().map_err(Why::Unfit)?;
        self.cover().await.map_err(Why::Short)?;
        let Some(ask) = self.ask.take() else {
            return Err(Why::Malformed);
        };
        // Until the attempt ends: its call keeps the bytes in case they have to be sent again.
        let written = self.written(&ask);
        if !self.written.reach(written) {
            return Err(Why::Budget);
        }
        let asked = ask.task;
        self.trouble = self.job.drill.and_then(Drill::next);
        self.record.drilled = self.trouble.is_some();
        self.spoil().await?;
        let mut call = self.call(ask).await?;
        self.record.connection = Some(if call.reused() {
            Connection::Reused
        } else {
            Connection::Fresh
        });
        let held = match self.head(&mut call).await? {
            Kind::Stream => self.stream(&mut call, asked).await,
            Kind::Whole => self.whole(&mut call, asked).await,
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

    /// Does what goes wrong before anything is sent.
    async fn spoil(&mut self) -> Result<(), Why> {
        match self.trouble {
            Some(Trouble::Refuse) => {
                let refused = CallError::Connect(ConnectFailure::Refused);
                Err(Why::Call(refused))
            }
            Some(Trouble::Hang) => self.waited(pending()).await,
            Some(Trouble::Status(status)) => {
                self.record.status = Some(status);
                let failure = dialect::failure(self.target().dialect, status, &[]);
                Err(Why::Status {
                    status,
                    failure: Box::new(failure),
                    wait: None,
                    body: Bytes::new(),
                })
            }
            Some(Trouble::Cut(_) | Trouble::Stall(_)) | None => Ok(()),
        }
    }

    /// The bytes of a body that was written anew, and so stand in memory beside the client's.
    fn written(&self, ask: &Ask) -> usize {
        if self.target().dialect == self.job.request.dialect {
            return 0;
        }
        ask.body.iter().map(Bytes::len).sum()
    }

    /// Waits for `work` as long as no clock runs out. Not for work that comes again and again.
    async fn waited<T>(&mut self, work: impl Future<Output = T> + Send) -> Result<T, Why> {
        let outside = pending::<Infallible>();
        match self.watch.race(self.begun, None, work, outside).await {
            Raced::Done(done) => Ok(done),
            Raced::Outside(never) => match never {},
            Raced::Expired(expired) => Err(Why::Expired(expired)),
            Raced::Gate => Err(Why::Malformed),
        }
    }

    /// The form in which the target answers.
    fn form(&self) -> Form {
        self.target().stream.form(self.job.request.delivery)
    }

    /// Writes what the target is to be sent.
    pub(super) fn prepare(&mut self) -> Result<(), Unfit> {
        if self.ask.is_some() {
            return Ok(());
        }
        let target = self.target();
        let to = Recipient {
            dialect: target.dialect,
            model: &target.model,
            profile: &target.profile,
            abilities: &target.abilities,
            form: self.form(),
        };
        let request = self.job.request;
        let fitted = self.fitted();
        let ask = dialect::build(fitted.as_ref().unwrap_or(request), &to)?;
        if let (Drops::Refused, Some(name)) = (self.job.policy().drops, ask.dropped.first()) {
            return Err(Unfit::Drops(name.clone()));
        }
        self.record.dropped = ask.dropped.to_vec();
        self.ask = Some(ask);
        Ok(())
    }

    /// Sets aside the most that it can take, where anything is bounded.
    pub(super) async fn cover(&mut self) -> Result<(), Short> {
        let purse = self.job.purse;
        if self.stake.is_none() && purse.is_bounded() {
            self.stake = Some(purse.cover(self.job.claim(self.target())).await?);
        }
        Ok(())
    }

    /// The request with its bound lowered to what the target can give, where the route has it so.
    fn fitted(&self) -> Option<Request> {
        let (policy, live) = (self.job.policy(), self.job.live);
        if policy.output == OutputFit::AsAsked {
            return None;
        }
        let wants = live.wants(self.job.request);
        let most = route::fitted(policy, self.target(), &wants)?;
        dialect::lowered(self.job.request, most)
    }

    /// Who speaks what, of a target that was asked for this.
    fn voices(&self, asked: Task) -> Voices<'_> {
        let (request, target) = (self.job.request, self.target());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Voices {
            provider: target.dialect,
            form: self.form(),
            asked,
            client: request.dialect,
            delivery: request.delivery,
            task: request.task,
            label: Label {
                id: self.job.id,
                model: &target.model,
                created: now.map_or(0, |since| since.as_secs()),
            },
        }
    }

    /// Sends the request.
    async fn call(&mut self, ask: Ask) -> Result<Call, Why> {
        let (job, target) = (self.job, self.target());
        let Some(provider) = &self.lane.provider else {
            return Err(Why::Call(crate::upstream::CallError::NoPeer));
        };
        let mut headers =
            headers::for_attempt(target.dialect, self.form(), &ask.headers, job.forwarded);
        if let (Some(trace), Some(span)) = (job.trace, self.record.span) {
            headers::link(&mut headers, trace, span);
        }
        let bounds = CallBounds {
            connect: target.timeouts.connect,
            write: target.timeouts.write,
        };
        let outgoing = Outgoing {
            method: &http::Method::POST,
            path: &ask.path,
            headers: &headers,
            body: &ask.body,
            affinity: affinity(job.request),
        };
        // Pinned here: it is a kilobyte, and would be copied into each future on its way.
        let sending = pin!(provider.call(outgoing, bounds));
        let called = self.waited(sending).await?;
        let call = called.map_err(Why::Call)?;
        self.asked = Some(ask.task);
        Ok(call)
    }

    /// Waits for the answer's head and says what kind of answer it is.
    async fn head(&mut self, call: &mut Call) -> Result<Kind, Why> {
        let head = self.waited(call.head()).await?.map_err(Why::Call)?;
        self.record.first_byte = Some(self.begun.elapsed());
        self.record.status = Some(head.status);
        let media = head.content_type().map(media_type).unwrap_or_default();
        self.record.reply.is_of(media);
        if head.status != 200 {
            return Ok(Kind::Bad);
        }
        match self.form() {
            Form::Stream if media.eq_ignore_ascii_case("text/event-stream") => Ok(Kind::Stream),
            Form::Whole if media.eq_ignore_ascii_case("application/json") => Ok(Kind::Whole),
            Form::Stream | Form::Whole => Err(Why::ContentType),
        }
    }

    /// Reads a stream until its gate opens.
    async fn stream(&mut self, call: &mut Call, asked: Task) -> Result<Held, Why> {
        // The attempt has it from the beginning: it may be dropped at any wait.
        self.pump = Some(Box::new(self.new_pump(asked)));
        let mut claimed = self.job.budget.hold();
        let mut now = Instant::now();
        loop {
            let due = self.pump.as_deref().and_then(Pump::due);
            let outside = pending::<Infallible>();
            let chunk = chunk(call, self.trouble, self.pump.as_deref());
            let raced = self.watch.race(now, due, chunk, outside).await;
            now = Instant::now();
            let Some(pump) = &mut self.pump else {
                return Err(Why::Malformed);
            };
            let step = match raced {
                Raced::Outside(never) => match never {},
                Raced::Gate => pump.tick(now),
                Raced::Expired(expired) => pump.broken_off(Why::Expired(expired), now),
                Raced::Done(Ok(Some(bytes))) => {
                    self.record.reply.came(&bytes);
                    pump.chunk(bytes, now)
                }
                Raced::Done(Ok(None)) => pump.finish(now),
                Raced::Done(Err(error)) => pump.broken_off(Why::Call(error), now),
            };
            let (held, since, commit) = (pump.held(), pump.held_since(), pump.commit());
            self.saw(&step, now);
            let (frames, flow) = match (step.send, step.end) {
                (None, None) if claimed.reach(held) => continue,
                (None, None) => return Err(Why::Budget),
                (None, Some(Err(why))) => return Err(why),
                (Some(frames), Some(Err(why))) => (frames, Flow::Broken(why)),
                (frames, Some(Ok(()))) => (frames.unwrap_or_default(), Flow::Ended),
                (Some(frames), None) => (frames, Flow::Open),
            };
            self.gate = commit.map(|commit| {
                let since = since.unwrap_or(now);
                (now.saturating_duration_since(since), commit.name())
            });
            // Held to its end, it has become one document.
            return match (self.job.request.delivery, flow) {
                (Delivery::Whole, Flow::Ended) => self.kept(frames),
                (Delivery::Whole, Flow::Broken(why)) => Err(why),
                (_, flow) => Ok(Held::Stream { frames, flow }),
            };
        }
    }

    /// A document that was gathered from a stream, if it is what was promised.
    fn kept(&self, document: Bytes) -> Result<Held, Why> {
        let Some(contract) = self.job.contract() else {
            return Ok(Held::Whole(document));
        };
        let request = self.job.request;
        let own = Voices::alike(request.dialect, request.task, Delivery::Whole);
        let mut heard = Heard::default();
        whole::check(&own, &document, None, Some(contract), &mut heard)?;
        Ok(Held::Whole(document))
    }

    fn new_pump(&self, asked: Task) -> Pump {
        let (job, policy) = (self.job, self.job.policy());
        Pump::new(Terms {
            voices: self.voices(asked),
            event_limit: job.event_limit,
            hold: match (self.way_out, job.request.delivery) {
                // It is one document, which has no head.
                (_, Delivery::Whole) => Hold::All,
                (WayOut::Open, _) => policy.hold,
                (WayOut::Shut, _) => Hold::None,
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
    async fn whole(&mut self, call: &mut Call, asked: Task) -> Result<Held, Why> {
        // A whole answer is written once it is thought out: its head is its first token.
        self.began(Instant::now());
        match self.trouble {
            Some(Trouble::Cut(_)) => return Err(Why::Call(CallError::Closed(Phase::AfterHead))),
            Some(Trouble::Stall(_)) => self.waited(pending::<()>()).await?,
            Some(Trouble::Refuse | Trouble::Hang | Trouble::Status(_)) | None => {}
        }
        let body = whole::read(self, call, self.job.answer_limit).await?;
        let contract = self.job.contract();
        let voices = self.voices(asked);
        let mut heard = Heard::default();
        let told = whole::check(&voices, &body, self.inspector(), contract, &mut heard);
        if let Err(Why::Malformed) = told {
            cut::read(&body, &mut heard.said);
        }
        self.heard = heard;
        let told = told?;
        Ok(match self.job.request.delivery {
            Delivery::Whole => Held::Whole(told),
            Delivery::Stream(_) => Held::Stream {
                frames: told,
                flow: Flow::Ended,
            },
        })
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

/// The next piece of a body, unless something is to go wrong in its place.
pub(super) async fn chunk(
    call: &mut Call,
    trouble: Option<Trouble>,
    pump: Option<&Pump>,
) -> Result<Option<Bytes>, CallError> {
    let come = pump.map(Pump::tokens).unwrap_or_default();
    match trouble {
        Some(Trouble::Cut(at)) if come >= at => Err(CallError::Closed(Phase::AfterHead)),
        Some(Trouble::Stall(at)) if come >= at => pending().await,
        _ => call.chunk().await,
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
