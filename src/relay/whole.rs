//! Whole bodies: read to their end, checked, never sent before.

use std::convert::Infallible;
use std::future::pending;
use std::time::Instant;

use bytes::Bytes;

use crate::dialect::{self, Voices};
use crate::exchange::{Answer, Event, Failure, Finish, Piece};
use crate::relay::bill::{Heard, Word};
use crate::relay::gathered::Gathered;
use crate::relay::inspect::Inspector;
use crate::relay::turn::Turn;
use crate::relay::verdict::Why;
use crate::relay::watch::Raced;
use crate::route::Contract;
use crate::units::{ByteSize, Tokens};
use crate::upstream::Call;

/// Reads a body to its end; more than `limit` bytes are an error.
pub(super) async fn read(
    turn: &mut Turn<'_>,
    call: &mut Call,
    limit: ByteSize,
) -> Result<Bytes, Why> {
    let mut hold = turn.job.budget.hold();
    turn.body = Gathered::default();
    let mut now = Instant::now();
    loop {
        let outside = pending::<Infallible>();
        let bytes = match turn.watch.race(now, None, call.chunk(), outside).await {
            Raced::Outside(never) => match never {},
            Raced::Gate => continue,
            Raced::Expired(expired) => return Err(Why::Expired(expired)),
            Raced::Done(Err(error)) => return Err(Why::Call(error)),
            Raced::Done(Ok(None)) => return Ok(std::mem::take(&mut turn.body).whole()),
            Raced::Done(Ok(Some(bytes))) => bytes,
        };
        now = Instant::now();
        turn.record.reply.came(&bytes);
        turn.watch.clocks.progressed(now, Tokens(0));
        if turn.body.len().saturating_add(bytes.len()) > limit.as_len() {
            return Err(Why::TooLarge);
        }
        if !hold.grow(bytes.len()) {
            return Err(Why::Budget);
        }
        turn.body.push(bytes);
    }
}

/// Looks for what makes a good status a bad answer; returns what the client is to have. What was
/// heard counts however that ends.
pub(super) fn check(
    voices: &Voices<'_>,
    body: &Bytes,
    mut inspector: Option<Inspector>,
    contract: Option<&Contract>,
    heard: &mut Heard,
) -> Result<Bytes, Why> {
    let mut terms = contract.map(Held::new);
    let mut failure: Option<Box<Failure>> = None;
    let mut flaw = None;
    let told = dialect::whole(voices, body, &mut |event| {
        if let (Some(inspector), None) = (&mut inspector, &flaw) {
            flaw = inspector.event(&event).err();
        }
        if let Some(terms) = &mut terms {
            terms.answer.event(&event);
        }
        heard.said.event(&event);
        match event {
            Event::Usage(seen) => heard.word = Some((seen, Word::Final)),
            Event::Failed(seen) => failure = Some(Box::new(seen)),
            _ => {}
        }
    })
    .map_err(|_| Why::Malformed)?;
    if let Some(failure) = failure {
        let document = body.clone();
        return Err(Why::InStream { failure, document });
    }
    if let Some(terms) = terms {
        terms.kept()?;
    }
    match (flaw, inspector) {
        (Some(why), _) => Err(why),
        (None, Some(inspector)) => inspector.end().map(|()| told),
        (None, None) => Ok(told),
    }
}

/// An answer that is held against its request's contract.
struct Held<'c> {
    contract: &'c Contract,
    answer: Answer,
}

impl<'c> Held<'c> {
    fn new(contract: &'c Contract) -> Self {
        Self {
            contract,
            answer: Answer::default(),
        }
    }

    /// Whether every text is what was promised. One that was cut at its bound, or refused, says so
    /// itself by its finish; a call stands in the place of a text.
    fn kept(&self) -> Result<(), Why> {
        for choice in &self.answer.choices {
            if matches!(choice.finish, Some(Finish::Length | Finish::ContentFilter)) {
                continue;
            }
            let mut text = String::new();
            let mut else_said = false;
            for piece in &choice.pieces {
                match piece {
                    Piece::Text(more) => text.push_str(more),
                    Piece::Call { .. } | Piece::Refusal(_) => else_said = true,
                    Piece::Reasoning { .. } => {}
                }
            }
            if text.is_empty() && else_said {
                continue;
            }
            self.contract.check(&text).map_err(|_| Why::NotJson)?;
        }
        Ok(())
    }
}
