//! Carries a whole answer: read to its end, checked, then sent in one piece.

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::dialect;
use crate::exchange::{Dialect, Event, Failure, Usage};
use crate::relay::client::{AnswerHead, Client, ClientGone};
use crate::relay::pump::Life;
use crate::relay::turn::{Raced, Turn};
use crate::relay::verdict::{End, Why};
use crate::units::ByteSize;
use crate::upstream::Call;

/// How reading a body ended short of its end.
pub(super) enum Short {
    /// The client left.
    Left,
    /// It failed.
    Failed(Why),
}

/// Carries the body of a good whole answer to its end.
pub(super) async fn run<C: Client>(
    turn: &mut Turn<'_, '_, C>,
    call: &mut Call,
    head: AnswerHead,
) -> End {
    let body = match read(turn, call, turn.job.answer_limit).await {
        Ok(body) => body,
        Err(Short::Left) => return End::Aborted,
        Err(Short::Failed(why)) => return End::Failed(why),
    };
    match check(turn.target.dialect, &body) {
        Ok(usage) => turn.report.usage = usage,
        Err(why) => return End::Failed(why),
    }
    match turn.client.answer(head, body).await {
        Ok(()) => End::Served,
        Err(ClientGone) => End::Aborted,
    }
}

/// Reads a body to its end; more than `limit` bytes are an error.
pub(super) async fn read<C: Client>(
    turn: &mut Turn<'_, '_, C>,
    call: &mut Call,
    limit: ByteSize,
) -> Result<Bytes, Short> {
    let mut hold = turn.job.budget.hold();
    let mut body = Gathered::default();
    loop {
        let bytes = match turn.race(call.chunk()).await {
            Raced::Left => return Err(Short::Left),
            Raced::Short(why) => return Err(Short::Failed(why)),
            Raced::Done(Err(error)) => return Err(Short::Failed(Why::Call(error))),
            Raced::Done(Ok(None)) => return Ok(body.whole()),
            Raced::Done(Ok(Some(bytes))) => bytes,
        };
        turn.saw(Life::Progress, Instant::now());
        if body.len().saturating_add(bytes.len()) > limit.as_len() {
            return Err(Short::Failed(Why::TooLarge));
        }
        if !hold.grow(bytes.len()) {
            return Err(Short::Failed(Why::Budget));
        }
        body.push(bytes);
    }
}

/// Looks for what makes a good status a bad answer; returns the usage.
fn check(dialect: Dialect, body: &Bytes) -> Result<Option<Usage>, Why> {
    let mut usage = None;
    let mut failure: Option<Box<Failure>> = None;
    dialect::whole(dialect, body, &mut |event| match event {
        Event::Usage(seen) => usage = Some(seen),
        Event::Failed(seen) => failure = Some(Box::new(seen)),
        _ => {}
    })
    .map_err(|_| Why::Malformed)?;
    match failure {
        Some(failure) => Err(Why::InStream {
            failure,
            document: body.clone(),
        }),
        None => Ok(usage),
    }
}

/// A body in the making. One that comes in one piece is never copied.
#[derive(Default)]
struct Gathered {
    first: Bytes,
    rest: BytesMut,
}

impl Gathered {
    fn len(&self) -> usize {
        if self.rest.is_empty() {
            self.first.len()
        } else {
            self.rest.len()
        }
    }

    fn push(&mut self, bytes: Bytes) {
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = bytes;
            return;
        }
        if self.rest.is_empty() {
            self.rest.extend_from_slice(&self.first);
        }
        self.rest.extend_from_slice(&bytes);
    }

    fn whole(self) -> Bytes {
        if self.rest.is_empty() {
            self.first
        } else {
            self.rest.freeze()
        }
    }
}
