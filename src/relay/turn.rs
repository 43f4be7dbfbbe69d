//! The state of one attempt, from its leave to its entry in the record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::account::{Fate, Stake};
use crate::dialect::Ask;
use crate::exchange::{Bill, Measure, Usage};
use crate::relay::clocks::Clocks;
use crate::relay::job::Job;
use crate::relay::live::Lane;
use crate::relay::pump::{Life, Pump, Step};
use crate::relay::rates::Toll;
use crate::relay::standing::Pass;
use crate::relay::verdict::{Judgement, Why};
use crate::relay::walk::WayOut;
use crate::relay::watch::Watch;
use crate::route::{Place, Target};
use crate::telemetry::{Attempt, AttemptKind, ProviderCode};
use crate::units::Tokens;
use crate::upstream::{Call, Settled};

/// One attempt at one target. Dropped, it closes its connection and gives its leave back.
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
    pub(super) pump: Option<Pump>,
    /// When its first token came.
    pub(super) first_token: Option<Instant>,
    pub(super) usage: Option<Usage>,
    /// How long the head was held, and what opened the gate.
    pub(super) gate: Option<(Duration, &'static str)>,
    tokens: Tokens,
    /// What is set aside for it, from before anything is sent.
    pub(super) stake: Option<Stake<'j>>,
    pass: Pass,
    /// Set once its first token has come, for who watches it from outside.
    spoke: Option<Arc<AtomicBool>>,
}

impl<'j> Turn<'j> {
    fn new(
        job: &'j Job<'j>,
        lane: &'j Lane,
        kind: AttemptKind,
        pass: Pass,
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
                ..Attempt::at(Arc::clone(&lane.target.name))
            },
            begun,
            ask: None,
            call: None,
            pump: None,
            first_token: None,
            usage: None,
            gate: None,
            tokens: Tokens(0),
            stake: None,
            pass,
            spoke: None,
        }
    }

    /// An attempt at a place of the plan; `None` when its breaker or its limits let nobody in
    /// just now.
    pub(super) fn enter(
        job: &'j Job<'j>,
        place: Place,
        kind: AttemptKind,
        way_out: WayOut,
    ) -> Option<Box<Self>> {
        let lane = job.live.lane(place.target)?;
        let breaker = job.policy().breaker.as_ref();
        let now = Instant::now();
        let limits = lane.target.limits;
        let tokens = limits.tpm.map(|_| job.claim(&lane.target).tokens);
        let toll = Toll::new(limits, tokens.unwrap_or_default());
        let pass = match place.resort {
            Some(_) => lane.state.resort(breaker, toll, now),
            None => lane.state.admit(breaker, toll, now)?,
        };
        // Boxed: it has a kilobyte or two and goes from hand to hand.
        Some(Box::new(Self::new(job, lane, kind, pass, way_out)))
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

    /// Notes what its stream has come to so far.
    pub(super) fn tally(&mut self, pump: &Pump) {
        self.usage = pump.usage();
        self.tokens = pump.tokens();
        self.record.skipped = pump.skipped();
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
        let policy = self.job.policy().breaker.as_ref();
        self.pass.committed(policy, Instant::now());
    }

    /// It answered to the end.
    pub(super) fn served(mut self) -> Attempt {
        let policy = self.job.policy().breaker.as_ref();
        self.pass.settle(Settled::Success, policy, Instant::now());
        self.close(Fate::Delivered)
    }

    /// It failed, and this was made of it.
    pub(super) fn failed(
        mut self,
        why: &Why,
        judged: &Judgement,
        verdict: &'static str,
        fate: Fate,
    ) -> Attempt {
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
        self.close(fate)
    }

    /// It failed, or broke, before or after the commit: its tokens are thrown away unless the
    /// client has them.
    pub(super) fn discard(&mut self) {
        self.record.discarded = self.tokens;
    }

    /// It was ended by us, for `reason`: nothing is known against its target.
    pub(super) fn cancelled(mut self, reason: &'static str, fate: Fate) -> Attempt {
        self.record.error = Some(reason);
        self.close(fate)
    }

    fn close(mut self, fate: Fate) -> Attempt {
        self.record.total = self.begun.elapsed();
        self.record.bill = self.bill();
        if let Some(Bill { usage, .. }) = self.record.bill {
            let tokens = usage.input + usage.output;
            self.pass.used(tokens, Instant::now());
        }
        if let Some(stake) = self.stake.take() {
            stake.settle(self.record.bill.as_ref(), fate);
        }
        self.record
    }

    /// What it took, as far as that is known.
    fn bill(&self) -> Option<Bill> {
        let usage = self.usage?;
        let price = self.target().price;
        Some(Bill {
            usage,
            measure: Measure::Reported,
            cost: price.map(|price| price.cost(&usage)),
        })
    }
}

/// The provider's code for its error, or else its type.
pub(super) fn provider_code(why: &Why) -> Option<ProviderCode> {
    let failure = why.failure()?;
    ProviderCode::of(failure.code.as_deref().or(failure.kind.as_deref())?)
}
