//! Carries one exchange: attempts along the walk, and what the client is told. The waits before the
//! commit are in `suspense`.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::account::Short;
use crate::dialect::Unfit;
use crate::exchange::{Delivery, Fault, Need};
use crate::relay::attempt::{Flow, Held};
use crate::relay::chance::Chance;
use crate::relay::client::{AnswerHead, Client, ClientGone, Content};
use crate::relay::job::{Job, Report};
use crate::relay::pour::{Opening, Stop};
use crate::relay::release;
use crate::relay::surface::{self, Shown};
use crate::relay::thrift;
use crate::relay::turn::{Barred, Turn, provider_code};
use crate::relay::verdict::{self, Alarm, End, Judgement, Ruling, Tried, Why};
use crate::relay::walk::{Next, Terms, Walk};
use crate::route::{self, Place, Target};
use crate::telemetry::{Attempt, AttemptKind, Outcome, ProviderCode, cost, fallback_reason};
use crate::units::Tokens;

/// One exchange on its way.
pub(super) struct Carrier<'c, 'j, C: Client> {
    pub(super) client: &'c mut C,
    pub(super) job: &'j Job<'j>,
    pub(super) stop: Stop<'c>,
    pub(super) walk: Walk,
    pub(super) tried: SmallVec<[Tried; 4]>,
    /// What the first target was left out for that was asked for what it cannot do.
    pub(super) unfit: Option<Unfit>,
    /// What the caller had too little left of, for the first target that it was too little for.
    pub(super) short: Option<Short>,
    /// What the client is told if there was nobody to ask.
    pub(super) unserved: Option<Fault>,
    /// The window that the prompt was too long for, and what its target said.
    pub(super) outgrown: Option<Outgrown>,
    chance: Chance,
    pub(super) report: Report,
    /// When the client must hear something, if it must.
    pub(super) speak: Option<Instant>,
    pub(super) begun: Begun,
}

/// Whether the head of the answer is out although no gate has opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    No,
    Yes,
}

/// An answer that has passed its gate, on its way out.
pub(super) enum Opened {
    /// A stream, with its first frames.
    Stream {
        opening: Opening,
        frames: Bytes,
        flow: Flow,
    },
    /// A whole one.
    Whole { head: AnswerHead, body: Bytes },
    /// It has ended already.
    Over(End),
}

/// A prompt that was too long for a target, while others have more room.
pub(super) struct Outgrown {
    window: Tokens,
    pub(super) target: Arc<str>,
    /// What the client is shown if no other target answers: a client's own error is the first
    /// target's word.
    pub(super) shown: Option<Shown>,
}

/// A failed attempt: what was ruled, and what the client may be shown of it.
struct Lost {
    target: Arc<str>,
    ruling: Ruling,
    shown: Option<Shown>,
}

/// What becomes of an exchange after an attempt.
enum After<'j> {
    /// Another step of the walk.
    Step(Next),
    /// It passed its gate.
    Answer(Box<Turn<'j>>, Held),
    /// It is over.
    Over,
}

impl<'c, 'j, C: Client> Carrier<'c, 'j, C> {
    pub(super) fn new(client: &'c mut C, job: &'j Job<'j>, stop: Stop<'c>) -> Self {
        let now = Instant::now();
        let policy = job.policy();
        let wants = job.live.wants(job.request);
        let mut plan = job.live.plan(job.fallback, &wants, now);
        thrift::thrifty(&mut plan, job);
        let left_out = plan.left_out.iter().filter_map(|omission| {
            let lane = job.live.lane(omission.target)?;
            Some((Arc::clone(&lane.target.name), omission.reason.name()))
        });
        let report = Report {
            left_out: left_out.collect(),
            ..Report::default()
        };
        job.retries.deposit();
        if let Some(hedges) = job.live.hedges() {
            hedges.deposit();
        }
        let speak = match job.request.delivery {
            Delivery::Stream(_) => policy.keepalive.and_then(|wait| now.checked_add(wait)),
            Delivery::Whole => None,
        };
        Self {
            client,
            job,
            stop,
            walk: Walk::new(&plan, &policy.retries),
            tried: SmallVec::new(),
            unfit: None,
            short: None,
            unserved: route::unserved(job.live.route(), &plan),
            outgrown: None,
            chance: Chance::new(now),
            report,
            speak,
            begun: Begun::No,
        }
    }

    /// Walks until an attempt has passed its gate; `None` when the exchange has ended without.
    pub(super) async fn seek(&mut self) -> Option<(Box<Turn<'j>>, Held)> {
        let mut next = self.step(Walk::first);
        loop {
            let Next::Attempt { place, kind, wait } = next else {
                self.give_up().await;
                return None;
            };
            if let Err(outside) = self.pause(wait).await {
                self.ended_outside(&outside).await;
                return None;
            }
            let mut turn = match Turn::enter(self.job, place, kind, self.walk.way_out()) {
                Ok(turn) => turn,
                Err(Barred::Shut) => {
                    next = self.step(Walk::pass_over);
                    continue;
                }
                Err(Barred::Full) => {
                    self.full(place);
                    next = self.step(Walk::leave_out);
                    continue;
                }
            };
            let window = turn.target().window();
            if self
                .outgrown
                .as_ref()
                .is_some_and(|own| window <= Some(own.window))
            {
                self.unfit(turn.target(), Unfit::Lacks(Need::Context));
                next = self.step(Walk::leave_out);
                continue;
            }
            if let Err(unfit) = turn.prepare() {
                self.unfit(turn.target(), unfit);
                next = self.step(Walk::leave_out);
                continue;
            }
            if let Err(short) = turn.cover().await {
                self.short(turn.target(), short);
                next = self.step(Walk::leave_out);
                continue;
            }
            match self.attempt(turn).await {
                After::Step(step) => next = step,
                After::Answer(turn, held) => return Some((turn, held)),
                After::Over => return None,
            }
        }
    }

    /// A target that this request cannot be put to: nothing is sent, and nothing counted.
    fn unfit(&mut self, target: &Target, unfit: Unfit) {
        let name = Arc::clone(&target.name);
        self.report.left_out.push((name, unfit.name()));
        self.unfit.get_or_insert(unfit);
    }

    /// A target whose provider has as many calls under way as it may: nothing is sent.
    fn full(&mut self, place: Place) {
        let lane = self.job.live.lane(place.target);
        let name = lane.map(|lane| Arc::clone(&lane.target.name));
        let left_out = name.map(|name| (name, verdict::PROVIDER_FULL));
        self.report.left_out.extend(left_out);
    }

    /// A target that the caller has too little left for: nothing is sent.
    fn short(&mut self, target: &Target, short: Short) {
        let name = Arc::clone(&target.name);
        self.report.left_out.push((name, short.of.name()));
        self.short.get_or_insert(short);
    }

    /// Takes a step of the walk.
    fn step(&mut self, step: impl FnOnce(&mut Walk, &mut Terms<'_>) -> Next) -> Next {
        let now = Instant::now();
        let mut terms = Terms {
            room: self.job.deadline().saturating_duration_since(now),
            spend: &mut || self.job.retries.withdraw(now),
            chance: self.chance.draw(),
        };
        step(&mut self.walk, &mut terms)
    }

    /// Runs an attempt, and another beside it if it is hedged, to the end of what they come to.
    async fn attempt(&mut self, mut turn: Box<Turn<'j>>) -> After<'j> {
        let mut beside = None;
        let held = match self.hold(&mut turn, &mut beside).await {
            Ok(held) => held,
            Err(outside) => {
                let reason = outside.reason();
                turn.cancelled(reason);
                if let Some(beside) = beside {
                    beside.cancelled(reason);
                }
                self.ended_outside(&outside).await;
                return After::Over;
            }
        };
        // The one that failed first is told first.
        let mut winner = None;
        let mut lost: Option<Lost> = None;
        for (turn, held) in [(Some(turn), held.0), (beside, held.1)] {
            match (turn, held) {
                (Some(turn), Some(Held::Failed(why))) => {
                    let one = self.failed(turn, &why);
                    // Of two, the one that ends the exchange counts.
                    lost = lost
                        .filter(|lost| lost.ruling == Ruling::Surface)
                        .or(Some(one));
                }
                (Some(turn), Some(held)) => winner = Some((turn, held)),
                (Some(turn), None) => turn.cancelled("hedge_lost"),
                (None, _) => {}
            }
        }
        match (winner, lost) {
            (Some((turn, held)), _) => After::Answer(turn, held),
            (None, Some(lost)) => self.after_failure(lost).await,
            (None, None) => After::Step(Next::Exhausted),
        }
    }

    /// Books a failed attempt of which the client has seen nothing.
    fn failed(&mut self, turn: Box<Turn<'j>>, why: &Why) -> Lost {
        let plain = verdict::judge(why, self.job.policy(), self.judged_as(&turn));
        let shown = match plain.ruling {
            Ruling::Surface => surface::shown(turn.lane, self.job.request.dialect, why),
            _ => None,
        };
        let (judged, shown) = self.outgrown(&turn, plain, shown);
        let target = Arc::clone(&turn.target().name);
        self.tried.push(Tried::new(Arc::clone(&target), why));
        loud(&turn.target().name, why, &judged);
        turn.failed(why, &judged, judged.ruling.name());
        Lost {
            target,
            ruling: judged.ruling,
            shown,
        }
    }

    /// Takes a prompt that was too long for its target on to one that has more room, if one is
    /// left; what the first said is kept.
    fn outgrown(
        &mut self,
        turn: &Turn<'j>,
        plain: Judgement,
        shown: Option<Shown>,
    ) -> (Judgement, Option<Shown>) {
        let Some(window) = turn.target().window() else {
            return (plain, shown);
        };
        let lanes = self
            .walk
            .ahead()
            .iter()
            .filter_map(|place| self.job.live.lane(place.target));
        let mut targets = lanes.map(|lane| &lane.target);
        if !targets.any(|other| other.is_roomier_than(turn.target())) {
            return (plain, shown);
        }
        let judged = plain.with_room_elsewhere(self.job.policy());
        if judged == plain {
            return (plain, shown);
        }
        self.outgrown.get_or_insert(Outgrown {
            window,
            target: Arc::clone(&turn.target().name),
            shown,
        });
        (judged, None)
    }

    /// How an attempt's target came to be asked: a retry at a later one is no less a fallback.
    pub(super) fn judged_as(&self, turn: &Turn<'j>) -> AttemptKind {
        let later = |one: &Attempt| one.kind == AttemptKind::Fallback;
        match turn.record.kind {
            AttemptKind::Retry if self.booked(|attempts| attempts.iter().any(later)) => {
                AttemptKind::Fallback
            }
            kind => kind,
        }
    }

    async fn after_failure(&mut self, lost: Lost) -> After<'j> {
        if lost.ruling != Ruling::Surface {
            let next = self.step(|walk, terms| walk.next(lost.ruling, terms));
            if next == Next::Exhausted {
                self.booked(|attempts| {
                    if let Some(last) = attempts.last_mut() {
                        last.verdict = Some("give_up");
                    }
                });
            }
            return After::Step(next);
        }
        let Some(shown) = lost.shown else {
            return After::Step(Next::Exhausted);
        };
        self.show(lost.target, shown).await;
        After::Over
    }

    /// Begins an answer that has passed its gate.
    pub(super) fn open(&mut self, turn: &mut Turn<'j>, held: Held) -> Opened {
        self.job.retries.reward();
        self.report.first_token = turn.first_token;
        let dropped = turn.record.dropped.join(",");
        if let Some((held, commit)) = turn.gate {
            self.report.held = Some(held);
            self.report.commit = Some(commit);
        }
        let target = Some(turn.target());
        match held {
            Held::Failed(why) => Opened::Over(End::Broken(why)),
            Held::Whole(body) => {
                self.report.commit = Some("whole");
                let own = turn.bill().and_then(|bill| bill.cost);
                let others = self.booked(|attempts| cost(attempts));
                let cost = own.map_or(others, |own| Some(own + others.unwrap_or_default()));
                Opened::Whole {
                    head: AnswerHead {
                        cost,
                        dropped,
                        ..self.head(Content::Json, 1, target)
                    },
                    body,
                }
            }
            Held::Stream { frames, flow } => {
                let opening = match self.begun {
                    Begun::Yes => Opening::Begun,
                    Begun::No => Opening::Head(AnswerHead {
                        held: self.report.held,
                        dropped,
                        ..self.head(Content::Events, 1, target)
                    }),
                };
                Opened::Stream {
                    opening,
                    frames,
                    flow,
                }
            }
        }
    }

    /// What a stream is poured into, and what may end it.
    pub(super) fn outside(&mut self) -> (&mut C, Stop<'_>) {
        (self.client, self.stop.as_mut())
    }

    /// Sends a whole answer.
    pub(super) async fn whole(&mut self, head: AnswerHead, body: Bytes) -> End {
        match self.client.answer(head, body).await {
            Ok(()) => End::Served,
            Err(ClientGone) => End::Aborted,
        }
    }

    /// Books the end of an answer that had passed its gate.
    pub(super) async fn conclude(&mut self, mut turn: Box<Turn<'j>>, end: End) {
        match end {
            End::Served => {
                self.report.outcome = Outcome::Served;
                let call = turn.call.take();
                turn.served();
                if let Some(call) = call {
                    release::release(call).await;
                }
            }
            End::Aborted => {
                self.report.outcome = Outcome::Aborted;
                turn.cancelled("aborted");
            }
            End::Broken(why) => {
                let judged = verdict::judge(&why, self.job.policy(), self.judged_as(&turn));
                loud(turn.target().name.as_ref(), &why, &judged);
                // Its connection is closed first, however long the client takes to hear of it.
                turn.failed(&why, &judged, "surface");
                self.report.outcome = Outcome::Broken;
                self.tell(why.fault(self.job.route_name())).await;
            }
        }
    }

    /// Looks at what has been booked.
    fn booked<T>(&self, look: impl FnOnce(&mut Vec<Attempt>) -> T) -> T {
        self.job.booked.with(look)
    }

    /// The head of an answer; `more` attempts than those that are booked were made.
    pub(super) fn head(
        &self,
        content: Content,
        more: usize,
        target: Option<&Target>,
    ) -> AnswerHead {
        let (made, fallback_reason) = self.booked(|attempts| {
            let reason = target.and_then(|target| fallback_reason(attempts, &target.name));
            (attempts.len(), reason)
        });
        AnswerHead {
            status: 200,
            content,
            target: target.map(|target| Arc::clone(&target.name)),
            attempts: made + more,
            fallback_reason,
            held: None,
            cost: None,
            dropped: String::new(),
            left_out: verdict::left_out(&self.report.left_out),
        }
    }
}

/// What an operator should hear of at once.
fn loud(target: &str, why: &Why, judged: &Judgement) {
    if judged.alarm == Alarm::Loud {
        let code = provider_code(why);
        let code = code.as_ref().map_or("", ProviderCode::as_str);
        log::warn!("{target}: {} ({}) {code}", why.name(), judged.class.name());
    }
}
