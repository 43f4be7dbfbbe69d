//! One try of one target: call, head, body, and what came of it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::dialect;
use crate::exchange::{Delivery, Failure};
use crate::relay::client::{AnswerHead, Client, ClientGone, Content};
use crate::relay::clocks::Clocks;
use crate::relay::job::{Job, Report};
use crate::relay::pump::Life;
use crate::relay::turn::{Raced, Turn, stopped};
use crate::relay::verdict::{self, End, Ruling, Why};
use crate::relay::whole::Short;
use crate::relay::{headers, stream, surface, wait, whole};
use crate::route::Target;
use crate::telemetry::{Attempt, Connection, ProviderCode};
use crate::units::ByteSize;
use crate::upstream::{Call, CallBounds, Outgoing, Provider};

/// How much of a provider's error body is read.
const ERROR_BODY_LIMIT: ByteSize = ByteSize::kib(64);

/// How long an error body is waited for.
const ERROR_BODY_WAIT: Duration = Duration::from_secs(5);

/// How much of the prompt's head decides which peer serves it, under `balance: consistent`.
const AFFINITY_BYTES: usize = 1024;

/// How long a connection may take to end its framing after the answer is complete.
const TRAILING_WAIT: Duration = Duration::from_secs(1);

/// Makes one attempt and writes it into the report.
pub(super) async fn run<C: Client>(
    client: &mut C,
    job: &Job<'_>,
    target: &Target,
    provider: &Arc<Provider>,
    report: &mut Report,
) -> End {
    let begun = Instant::now();
    let policy = &job.route.policy;
    let deadline = job.started.checked_add(policy.deadline).unwrap_or(begun);
    let clocks = Clocks::start(begun, deadline, &policy.timeouts);
    let timer = tokio::time::sleep_until(clocks.due().into());
    let stop = stopped(job.stop.clone());
    tokio::pin!(timer, stop);
    let attempt = Attempt::at(Arc::clone(&target.name));
    let mut turn = Turn {
        client,
        job,
        target,
        report,
        clocks,
        timer,
        stop,
        attempt,
        begun,
    };
    let end = turn.go(provider).await;
    turn.book(&end);
    end
}

impl<C: Client> Turn<'_, '_, C> {
    async fn go(&mut self, provider: &Arc<Provider>) -> End {
        let mut call = match self.call(provider).await {
            Ok(call) => call,
            Err(end) => return end,
        };
        self.attempt.connection = Some(if call.reused() {
            Connection::Reused
        } else {
            Connection::Fresh
        });
        let end = match self.head(&mut call).await {
            Ok(Kind::Stream(head)) => stream::run(self, &mut call, head).await,
            Ok(Kind::Whole(head)) => {
                // A whole answer is written once it is thought out: its head is its first token.
                self.saw(Life::Content, Instant::now());
                whole::run(self, &mut call, head).await
            }
            Ok(Kind::Bad(status)) => self.bad_status(&mut call, provider, status).await,
            Err(end) => end,
        };
        match end {
            End::Served | End::Surfaced => {
                release(call).await;
                end
            }
            End::Broken(why) => {
                // At once, however long the client takes to hear of it.
                drop(call);
                self.broken(why).await
            }
            End::Aborted | End::Failed(_) => end,
        }
    }

    /// Sends the request.
    async fn call(&mut self, provider: &Arc<Provider>) -> Result<Call, End> {
        let request = self.job.request;
        let body = dialect::build(self.target.dialect, request, &self.target.model);
        let headers = headers::for_attempt(request.delivery, self.job.forwarded);
        let timeouts = &self.job.route.policy.timeouts;
        let bounds = CallBounds {
            connect: timeouts.connect,
            write: timeouts.write,
        };
        let affinity = affinity(request);
        let outgoing = Outgoing {
            method: &http::Method::POST,
            path: dialect::path(self.target.dialect),
            headers: &headers,
            body: &body,
            affinity,
        };
        match self.race(provider.call(outgoing, bounds)).await {
            Raced::Done(Ok(call)) => Ok(call),
            Raced::Done(Err(error)) => Err(End::Failed(Why::Call(error))),
            Raced::Left => Err(End::Aborted),
            Raced::Short(why) => Err(End::Failed(why)),
        }
    }

    /// Waits for the answer's head and says what kind of answer it is.
    async fn head(&mut self, call: &mut Call) -> Result<Kind, End> {
        let head = match self.race(call.head()).await {
            Raced::Done(Ok(head)) => head,
            Raced::Done(Err(error)) => return Err(End::Failed(Why::Call(error))),
            Raced::Left => return Err(End::Aborted),
            Raced::Short(why) => return Err(End::Failed(why)),
        };
        self.attempt.first_byte = Some(self.begun.elapsed());
        self.attempt.status = Some(head.status);
        if head.status != 200 {
            return Ok(Kind::Bad(head.status));
        }
        let answer = |content| AnswerHead {
            status: 200,
            content,
            target: Arc::clone(&self.target.name),
            attempts: self.report.attempts.len() + 1,
        };
        let media = head.content_type().map(media_type).unwrap_or_default();
        match self.job.request.delivery {
            Delivery::Stream(_) if media.eq_ignore_ascii_case("text/event-stream") => {
                Ok(Kind::Stream(answer(Content::Events)))
            }
            Delivery::Whole if media.eq_ignore_ascii_case("application/json") => {
                Ok(Kind::Whole(answer(Content::Json)))
            }
            Delivery::Stream(_) | Delivery::Whole => Err(End::Failed(Why::ContentType)),
        }
    }

    /// Reads an error body; passes it on if it is about the client's own request.
    async fn bad_status(&mut self, call: &mut Call, provider: &Provider, status: u16) -> End {
        let reading = whole::read(self, call, ERROR_BODY_LIMIT);
        let body = match tokio::time::timeout(ERROR_BODY_WAIT, reading).await {
            Ok(Ok(body)) => body,
            Ok(Err(Short::Left)) => return End::Aborted,
            // The status alone decides; a body that breaks or never ends adds nothing.
            Ok(Err(Short::Failed(_))) | Err(_) => bytes::Bytes::new(),
        };
        let failure = dialect::failure(self.target.dialect, status, &body);
        let wait = match call.head().await {
            Ok(head) => wait::wait(|name| head.get(name), &failure, SystemTime::now()),
            Err(_) => None,
        };
        let why = Why::Status {
            status,
            failure: Box::new(failure),
            wait,
            body,
        };
        let policy = &self.job.route.policy;
        let judged = verdict::judge(&why, policy, self.attempt.kind);
        let (Ruling::Surface, Some((status, body))) = (judged.ruling, why.shown()) else {
            return End::Failed(why);
        };
        self.attempt.provider_code = why.failure().and_then(code);
        let body = if surface::is_error(body) {
            surface::scrub(body.clone(), provider.spec())
        } else {
            dialect::fault(self.job.request.dialect, &why.fault(&self.job.route.name))
        };
        let head = AnswerHead {
            status,
            content: Content::Json,
            target: Arc::clone(&self.target.name),
            attempts: self.report.attempts.len() + 1,
        };
        match self.client.answer(head, body).await {
            Ok(()) => End::Surfaced,
            Err(ClientGone) => End::Aborted,
        }
    }

    fn book(mut self, end: &End) {
        self.attempt.total = self.begun.elapsed();
        self.attempt.error = match end {
            End::Served => None,
            End::Surfaced => Some("surfaced"),
            End::Aborted => Some("aborted"),
            End::Failed(why) | End::Broken(why) => {
                self.attempt.class = Some(why.class());
                self.attempt.provider_code = why.failure().and_then(code);
                Some(why.name())
            }
        };
        self.report.attempts.push(self.attempt);
    }
}

/// What an answer's head promises.
enum Kind {
    /// A stream of events.
    Stream(AnswerHead),
    /// One document.
    Whole(AnswerHead),
    /// A status that is not 200.
    Bad(u16),
}

/// The provider's code for its error, or else its type.
fn code(failure: &Failure) -> Option<ProviderCode> {
    let code = failure.code.as_deref().or(failure.kind.as_deref())?;
    ProviderCode::of(code)
}

/// The media type without its parameters.
fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// The head of the prompt: equal ones meet the same peer, whose prompt cache is warm.
fn affinity(request: &crate::exchange::Request) -> &[u8] {
    let messages = request
        .fields
        .value(&request.body, "messages")
        .unwrap_or_default();
    messages.get(..AFFINITY_BYTES).unwrap_or(messages)
}

/// Gives the connection back. Framing that has not ended yet (the last chunk often comes in a
/// segment of its own) is waited for aside, so that the client's next request is not.
async fn release(mut call: Call) {
    let at_once = tokio::select! {
        biased;
        rest = call.chunk() => Some(rest),
        () = std::future::ready(()) => None,
    };
    match at_once {
        Some(Ok(None)) => call.release().await,
        Some(_) => {}
        None => {
            tokio::spawn(async move {
                let rest = tokio::time::timeout(TRAILING_WAIT, call.chunk()).await;
                if matches!(rest, Ok(Ok(None))) {
                    call.release().await;
                }
            });
        }
    }
}
