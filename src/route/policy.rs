//! What a route promises, how long it waits, and what it does when an attempt fails.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::exchange::Class;
use crate::units::Tokens;
use crate::upstream::BreakerPolicy;

/// A route's policy. Every wait and attempt is cut to the deadline.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// How much of an answer's head is held back while there is another target to go to.
    pub hold: Hold,
    /// The longest silence towards a streaming client before the commit; then the status and a
    /// comment go out, and later errors are told in-band. `None`: silence until the commit.
    pub keepalive: Option<Duration>,
    /// From the request's last byte to the answer's last.
    pub deadline: Duration,
    /// The bounds of one attempt, where the target has none of its own.
    pub timeouts: Timeouts,
    /// How often and for how long an exchange is tried again.
    pub retries: Retries,
    /// When a target is left alone; `None` for never.
    pub breaker: Option<BreakerPolicy>,
    /// When a second target is asked beside a silent first; `None` for never.
    pub hedge: Option<Hedge>,
    /// Verdicts that stand in for the built-in ones, by the class of the error.
    pub verdicts: BTreeMap<Class, Choice>,
    /// What a refusal or a content filter's finish means.
    pub refusals: Refusals,
    /// Texts that are a refusal when a held answer begins with one, whatever the case. Heeded with
    /// `refusals: fall_back` only.
    pub refusal_texts: Vec<String>,
    /// What else is looked at while an answer is held.
    pub checks: Vec<Check>,
    /// How far an exchange may go.
    pub reach: Reach,
    /// What a frame that cannot be read does to a stream that has been committed.
    pub malformed: Malformed,
    /// Whether a target may be asked without a parameter that it would not hear of.
    pub drops: Drops,
    /// What becomes of a bound on the answer that a target cannot keep to.
    pub output: OutputFit,
    /// Whether whole JSON answers are held against the request's schema.
    pub contract: Contracts,
    /// How JSON comes from targets without a mode for it.
    pub json: Json,
}

/// How much of an answer's head is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Nothing: the first content commits.
    None,
    /// So much content, or so long from the first of it, whichever is first.
    Head {
        /// Content tokens; a content event counts `max(1, chars / 4)`.
        tokens: Tokens,
        /// From the first content.
        at_most: Duration,
    },
    /// The whole answer.
    All,
}

/// The bounds of one attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeouts {
    /// Address, TCP and TLS together.
    pub connect: Duration,
    /// From the request's last byte to the first token: not to the head, a ping or a role.
    /// For a whole answer: to its head.
    pub first_token: Duration,
    /// The longest silence after the first token. Comments and pings do not count as life.
    pub stall: Duration,
    /// The whole attempt.
    pub total: Duration,
    /// The longest time in which the provider takes no byte of the request.
    pub write: Duration,
    /// Tokens a second, at least, over each window of ten seconds after the first token; 0 for
    /// any rate.
    pub min_rate: f64,
}

/// How often and for how long an exchange is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Tries of one target beyond the first.
    pub same_target: u32,
    /// Attempts of an exchange in all, hedges included; at least 1.
    pub max_attempts: u32,
    /// The longest Retry-After that is worth waiting for.
    pub patience: Duration,
}

/// When a second target is asked beside a silent first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hedge {
    /// From the attempt's beginning without a first token.
    pub after: HedgeAfter,
    /// The share of exchanges that may be hedged, above 0 and at most 1.
    pub share: f64,
}

/// The silence after which an attempt is hedged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HedgeAfter {
    /// A fixed time.
    Fixed(Duration),
    /// The 95th percentile of the target's recent times to a first token.
    P95,
}

/// What a route wants done about a class of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The same target again, within the limits; then the next.
    Retry,
    /// The next target.
    FallBack,
    /// The client is told.
    Surface,
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refusals {
    /// It is an answer.
    #[default]
    Surface,
    /// While it is held, the next target is asked.
    FallBack,
}

/// What is looked at while an answer is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Text that cannot become JSON although the request asked for JSON.
    Json,
    /// A call of a tool that was not offered, or whose arguments are not JSON at its end.
    Tools,
}

/// How far an exchange may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Along the whole chain.
    #[default]
    Chain,
    /// `fail_closed`: never to another model than the first target's.
    SameModel,
}

/// What a frame that cannot be read does to a committed stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Malformed {
    /// The stream is broken.
    #[default]
    Break,
    /// The frame is left out, and counted.
    Skip,
}

/// Whether a target may be asked without a parameter that it would not hear of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drops {
    /// Harmless ones are dropped, and named.
    #[default]
    Allowed,
    /// `strict_params`: it is left out.
    Refused,
}

/// What becomes of a bound on the answer that a target cannot keep to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFit {
    /// The target is left out.
    #[default]
    AsAsked,
    /// `fit_output`: the bound is lowered.
    Fitted,
}

/// Whether whole JSON answers are held against the request's schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Contracts {
    /// They are not.
    #[default]
    Off,
    /// What breaks it is a failure to fall back from.
    Enforce,
}

/// How JSON comes from targets without a mode for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Json {
    /// It is made up for, where the request is translated for the target.
    #[default]
    Emulate,
    /// Not at all: the target is left out.
    Native,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            hold: Hold::default(),
            keepalive: None,
            deadline: Duration::from_mins(10),
            timeouts: Timeouts::default(),
            retries: Retries::default(),
            breaker: Some(BreakerPolicy::default()),
            hedge: None,
            verdicts: BTreeMap::new(),
            refusals: Refusals::default(),
            refusal_texts: Vec::new(),
            checks: Vec::new(),
            reach: Reach::default(),
            malformed: Malformed::default(),
            drops: Drops::default(),
            output: OutputFit::default(),
            contract: Contracts::default(),
            json: Json::default(),
        }
    }
}

impl Default for Hold {
    fn default() -> Self {
        Self::Head {
            tokens: Tokens(12),
            at_most: Duration::from_millis(400),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_token: Duration::from_mins(1),
            stall: Duration::from_secs(30),
            total: Duration::from_mins(10),
            write: Duration::from_secs(30),
            min_rate: 0.0,
        }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            same_target: 1,
            max_attempts: 4,
            patience: Duration::from_secs(2),
        }
    }
}
