//! The state of one attempt, from its leave to its entry in the record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::account::{Fate, Stake};
use crate::dialect::Ask;
use crate::exchange::{Bill, Task};
use crate::relay::bill::Heard;
use crate::relay::budget::Hold;
use crate::relay::clocks::Clocks;
use crate::relay::cut;
use crate::relay::drill::Trouble;
use crate::relay::gathered::Gathered;
use crate::relay::job::Job;
use crate::relay::live::Lane;
use crate::relay::pump::{Life, Pump, Step};
use crate::relay::rates::Toll;
use crate::relay::standing::Pass;
use crate::relay::verdict::{Judgement, Why};
use crate::relay::walk::WayOut;
use crate::relay::watch::Watch;
use crate::route::{Place, Target};
use crate::telemetry::{Attempt, AttemptKind, ProviderCode, Reply, SpanId};
use crate::upstream::{Berth, Call, Settled};

/// One attempt at one target. Dropped, it closes its connection and gives its leave back; if its
/// request was sent, it is booked.
pub(super) struct Turn<'j> {
    pub(super) job: &'j Job<'j>,
    pub(super) lane: &'j Lane,
    pub(super) way_out: WayOut,
    pub(super) watch: Watch,
    pub(super) record: Attempt,
    pub(super) begun: Instant,
    /// What its target is to be sent, until it is.
    pub(super) ask: Option<Ask>,
    pub(super) call: Option<Call>,
    /// Of a stream. Boxed: what answers whole has none.
    pub(super) pump: Option<Box<Pump>>,
    /// When its first token came.
    pub(super) first_token: Option<Instant>,
    /// What its target was asked for, once it has been sent.
    pub(super) asked: Option<Task>,
    /// What a whole answer came to; of a stream the pump knows.
    pub(super) heard: Heard,
    /// A whole answer on its way.
    pub(super) body: Gathered,
    /// How long the head was held, and what opened the gate.
    pub(super) gate: Option<(Duration, &'static str)>,
    /// Whether the client gets what it says.
    fate: Fate,
    state: State,
    /// What is to go wrong in it.
    pub(super) trouble: Option<Trouble>,
    /// What is set aside for it, from before anything is sent.
    pub(super) stake: Option<Stake<'j>>,
    pass: Pass,
    /// The memory of a body that was written for it.
    pub(super) written: Hold,
    /// Its place among the calls of its provider.
    _berth: Option<Berth>,
    /// Set once its first token has come, for who watches it from outside.
    spoke: Option<Arc<AtomicBool>>,
}

/// Why an attempt cannot be begun just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Barred {
    /// Its target's breaker or limits let nobody in.
    Shut,
    /// Its provider has as many calls under way as it may.
    Full,
}

/// Whether an attempt has been booked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Booked,
}

impl<'j> Turn<'j> {
    fn new(
        job: &'j Job<'j>,
        lane: &'j Lane,
        kind: AttemptKind,
        (pass, berth): (Pass, Option<Berth>),
        way_out: WayOut,
    ) -> Self {
        let begun = Instant::now();
        let clocks = Clocks::start(begun, job.deadline(), &lane.target.timeouts);
        Self {
            job,
            lane,
            way_out,
            watch: Watch::new(clocks),
            record: Attempt {
                kind,
                begun: Some(begun),
                reply: Reply::kept_in(job.room),
                span: job.trace.and_then(|_| SpanId::random()),
                ..Attempt::at(Arc::clone(&lane.target.name))
            },
            begun,
            ask: None,
            call: None,
            pump: None,
            first_token: None,
            asked: None,
            heard: Heard::default(),
            body: Gathered::default(),
            gate: None,
            fate: Fate::Wasted,
            state: State::Open,
            trouble: None,
            stake: None,
            pass,
            written: job.budget.hold(),
            _berth: berth,
            spoke: None,
        }
    }

    /// An attempt at a place of the plan, if it can be begun just now.
    pub(super) fn enter(
        job: &'j Job<'j>,
        place: Place,
        kind: AttemptKind,
        way_out: WayOut,
    ) -> Result<Box<Self>, Barred> {
        let lane = job.live.lane(place.target).ok_or(Barred::Shut)?;
        let provider = lane.provider.as_ref();
        let berth = provider.map(|provider| provider.berth(job.attempts_per_provider));
        let berth = berth.map(|berth| berth.ok_or(Barred::Full)).transpose()?;
        let breaker = job.policy().breaker.as_ref();
        let now = Instant::now();
        let limits = lane.target.limits;
        let tokens = limits.tpm.map(|_| job.claim(&lane.target).tokens);
        let toll = Toll::new(limits, tokens.unwrap_or_default());
        let pass = match place.resort {
            Some(_) => lane.state.resort(breaker, toll, now),
            None => lane.state.admit(breaker, toll, now).ok_or(Barred::Shut)?,
        };
        // Boxed: it has a kilobyte or two and goes from hand to hand.
        Ok(Box::new(Self::new(job, lane, kind, (pass, berth), way_out)))
    }

    pub(super) fn target(&self) -> &'j Target {
        &self.lane.target
    }

    /// Tells whether its first token has come, while it runs elsewhere.
    pub(super) fn spoke(&mut self) -> Arc<AtomicBool> {
        Arc::clone(self.spoke.get_or_insert_default())
    }

    /// Notes what a step says about the provider's being alive.
    pub(super) fn saw(&mut self, step: &Step, now: Instant) {
        match step.life {
            Life::None => {}
            Life::Content if self.first_token.is_none() => {
                let wait = now.saturating_duration_since(self.begun);
                self.lane.state.note_first_token(wait, now);
                self.began(now);
                self.watch.clocks.progressed(now, step.tokens);
            }
            Life::Progress | Life::Content => self.watch.clocks.progressed(now, step.tokens),
        }
    }

    /// Its first token came at `now`.
    pub(super) fn began(&mut self, now: Instant) {
        self.first_token = Some(now);
        self.record.first_token = Some(now.saturating_duration_since(self.begun));
        self.watch.clocks.begun(now);
        if let Some(spoke) = &self.spoke {
            spoke.store(true, Ordering::Relaxed);
        }
    }

    /// Its answer is on its way to the client.
    pub(super) fn committed(&mut self) {
        self.fate = Fate::Delivered;
        let policy = self.job.policy().breaker.as_ref();
        self.pass.committed(policy, Instant::now());
    }

    /// It answered to the end.
    pub(super) fn served(mut self: Box<Self>) {
        let policy = self.job.policy().breaker.as_ref();
        self.pass.settle(Settled::Success, policy, Instant::now());
        self.book();
    }

    /// It failed, and this was made of it.
    pub(super) fn failed(
        mut self: Box<Self>,
        why: &Why,
        judged: &Judgement,
        verdict: &'static str,
    ) {
        let now = Instant::now();
        let policy = self.job.policy().breaker.as_ref();
        self.pass.settle(judged.health, policy, now);
        self.pass.failed(why.name());
        if let (Some(wait), Some(_)) = (judged.cool, policy) {
            self.lane.state.cool(wait, now);
        }
        if let (Why::Expired(_), None) = (why, self.first_token) {
            // Unheard of, its silence would make it look quick.
            let waited = now.saturating_duration_since(self.begun);
            self.lane.state.note_first_token(waited, now);
        }
        self.record.error = Some(why.name());
        self.record.class = Some(judged.class);
        self.record.verdict = Some(verdict);
        self.record.provider_code = provider_code(why);
        self.book();
    }

    /// It was ended by us, for `reason`: nothing is known against its target.
    pub(super) fn cancelled(mut self: Box<Self>, reason: &'static str) {
        self.record.error = Some(reason);
        self.book();
    }

    /// What it took, as far as that is known now.
    pub(super) fn bill(&mut self) -> Option<Bill> {
        if self.record.bill.is_none() && self.is_billed() {
            let price = self.lane.target.price;
            let prompt = || self.job.prompt();
            let cut = std::mem::take(&mut self.body).whole();
            cut::read(&cut, &mut self.heard.said);
            self.record.bill = Some(self.heard().bill(prompt, price.as_ref()));
        }
        self.record.bill
    }

    /// Whether anything is taken for it: its request was sent, and no error status came back.
    fn is_billed(&self) -> bool {
        let is_good = self.record.status.is_none_or(|status| status == 200);
        is_good && self.asked.is_some_and(|task| task != Task::Count)
    }

    fn heard(&self) -> &Heard {
        self.pump.as_deref().map_or(&self.heard, Pump::heard)
    }

    /// Enters it in the record, and settles what it took.
    fn book(&mut self) {
        self.bill();
        self.close();
    }

    fn close(&mut self) {
        self.state = State::Booked;
        self.record.total = self.begun.elapsed();
        self.record.delivered = self.fate == Fate::Delivered;
        if let Some(pump) = &self.pump {
            self.record.skipped = pump.skipped();
            if self.fate == Fate::Wasted {
                self.record.discarded = pump.tokens();
            }
        }
        if let Some(Bill { usage, .. }) = self.record.bill {
            self.pass.used(usage.input + usage.output, Instant::now());
        }
        if let Some(stake) = self.stake.take() {
            stake.settle(self.record.bill.as_ref(), self.fate);
        }
        let blank = Attempt::at(Arc::clone(&self.record.target));
        let record = std::mem::replace(&mut self.record, blank);
        self.job.booked.push(record);
    }
}

/// Its exchange is dropped or panics: what it took until now counts all the same.
impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.state == State::Booked || self.asked.is_none() {
            return;
        }
        if !std::thread::panicking() {
            self.record.error = Some("dropped");
            return self.book();
        }
        self.record.error = Some("panicked");
        if self.record.bill.is_none() && self.is_billed() {
            let price = self.lane.target.price;
            let body = self.job.request.body.len();
            self.record.bill = Some(self.heard().bill_roughly(body, price.as_ref()));
        }
        self.close();
    }
}

/// The provider's code for its error, or else its type.
pub(super) fn provider_code(why: &Why) -> Option<ProviderCode> {
    let failure = why.failure()?;
    ProviderCode::of(failure.code.as_deref().or(failure.kind.as_deref())?)
}
