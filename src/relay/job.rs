//! An exchange to carry, and what became of it.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue};
use tokio::sync::watch;

use crate::account::{Claim, Purse};
use crate::dialect;
use crate::exchange::{Delivery, Fault, Request, Task};
use crate::relay::allowance::Allowance;
use crate::relay::booked::Booked;
use crate::relay::budget::Budget;
use crate::relay::drill::Drill;
use crate::relay::live::{Fallback, LiveRoute};
use crate::route::{Contract, Contracts, Policy, Target};
use crate::telemetry::{Attempt, Outcome, Room, Trace};
use crate::units::{ByteSize, Tokens};

/// One exchange to carry: the request, where it may go and what it may take.
pub struct Job<'a> {
    /// The exchange's id.
    pub id: &'a str,
    /// What the client asks for.
    pub request: &'a Request,
    /// The route it asked for.
    pub live: &'a LiveRoute,
    /// Whether the client lets it fall back.
    pub fallback: Fallback,
    /// Client headers that may pass to a provider, already checked against the allow-list.
    pub forwarded: &'a [(HeaderName, HeaderValue)],
    /// When the request's last byte came: the deadline counts from here.
    pub started: Instant,
    /// A whole answer, at most.
    pub answer_limit: ByteSize,
    /// One event of a stream, at most.
    pub event_limit: ByteSize,
    /// Attempts under way at one provider, at most.
    pub attempts_per_provider: u32,
    /// Bytes that all exchanges together may hold.
    pub budget: &'a Arc<Budget>,
    /// What retries of all exchanges together may spend.
    pub retries: &'a Allowance,
    /// Turns true when running exchanges have to end.
    pub stop: watch::Receiver<bool>,
    /// What it may still take.
    pub purse: &'a Purse,
    /// Where its attempts are booked.
    pub booked: &'a Booked,
    /// Where the heads of answers are kept for a sample; `None` where they are not.
    pub room: Option<&'a Arc<Room>>,
    /// Where it stands in its trace, if traces are on.
    pub trace: Option<&'a Trace>,
    /// What is to go wrong in it, if the client asks for that.
    pub drill: Option<&'a Drill>,
    /// What was found out about it.
    pub found: Found,
}

/// What is found out about an exchange when it is first asked for, and then kept for all attempts.
#[derive(Default)]
pub struct Found {
    /// What its whole answers are held against.
    contract: OnceLock<Option<Contract>>,
    /// How long its prompt is, by its bytes.
    input: OnceLock<Tokens>,
    /// How long its prompt is, counted.
    prompt: OnceLock<Tokens>,
}

impl Job<'_> {
    pub(super) fn policy(&self) -> &Policy {
        self.live.policy()
    }

    pub(super) fn route_name(&self) -> &Arc<str> {
        &self.live.route().name
    }

    /// What a whole answer is held against, where the route has it so. A schema that cannot be
    /// checked promises nothing that we could keep.
    pub(super) fn contract(&self) -> Option<&Contract> {
        let enforced = self.policy().contract == Contracts::Enforce;
        if !enforced || self.request.delivery != Delivery::Whole {
            return None;
        }
        let compiled = self.found.contract.get_or_init(|| {
            Contract::of(self.request).unwrap_or_else(|uncheckable| {
                log::warn!("{}: {uncheckable}", self.route_name());
                None
            })
        });
        compiled.as_ref()
    }

    /// The most that an attempt at a target can take.
    pub(super) fn claim(&self, target: &Target) -> Claim {
        let request = self.request;
        let input = *self.found.input.get_or_init(|| dialect::input(request));
        let output = request.max_output.unwrap_or_else(|| {
            let assumed = self.purse.assumed_output();
            let most = target.abilities.max_output;
            most.map_or(assumed, |most| most.min(assumed))
        });
        let output = match request.task {
            // A question for a prompt's length costs nothing.
            Task::Count => return Claim::default(),
            Task::Embedding => Tokens(0),
            Task::Chat | Task::Completion => {
                Tokens(output.0.saturating_mul(u64::from(request.choices)))
            }
        };
        let cost = target.price.map(|price| price.most(input, output));
        Claim {
            tokens: input + output,
            cost: cost.unwrap_or_default(),
        }
    }

    /// How long the prompt is, where no provider has said it.
    pub(super) fn prompt(&self) -> Tokens {
        let counted = || dialect::prompt(self.request);
        *self.found.prompt.get_or_init(counted)
    }

    /// The exchange's deadline.
    pub(super) fn deadline(&self) -> Instant {
        let deadline = self.policy().deadline;
        // A clock that cannot hold the sum has no use for a deadline either.
        self.started.checked_add(deadline).unwrap_or(self.started)
    }
}

/// What became of an exchange.
#[derive(Debug)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// Each try of a target, in the order in which they ended.
    pub attempts: Vec<Attempt>,
    /// The targets that were not asked, each with its reason.
    pub left_out: Vec<(Arc<str>, &'static str)>,
    /// When the first token came of the answer that the client got.
    pub first_token: Option<Instant>,
    /// How long the head of the answer was held back.
    pub held: Option<Duration>,
    /// What committed the answer.
    pub commit: Option<&'static str>,
    /// What to tell the client; set when nothing was sent to it yet.
    pub fault: Option<Fault>,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            outcome: Outcome::Failed,
            attempts: Vec::new(),
            left_out: Vec::new(),
            first_token: None,
            held: None,
            commit: None,
            fault: None,
        }
    }
}
