//! The one record of an exchange: filled on its way, read once at its end by the access log and
//! the metrics. Names are shared (`Arc<str>`) or static, so a record costs next to nothing.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::exchange::{Bill, Class, Delivery, Pseudonym};
use crate::telemetry::reply::Reply;
use crate::telemetry::traces::{SpanId, Trace};
use crate::units::{MicroUsd, Tokens};

/// What happened in one exchange.
#[derive(Clone, Debug)]
pub struct Record {
    /// When the exchange began.
    pub began: SystemTime,
    /// Its id, as in `x-request-id`.
    pub request_id: String,
    /// Where it stands in its trace, if traces are on.
    pub trace: Option<Trace>,
    /// The client key's name; never the key.
    pub key: Option<Arc<str>>,
    /// Which session it belongs to, where the client says so.
    pub session: Option<Pseudonym>,
    /// Which user of the caller's it is for, where the request says so. Not for the log.
    pub user: Option<Pseudonym>,
    /// Who called, by address.
    pub client: Option<IpAddr>,
    /// The route's name in the config. `None` for a model that no route has: a name that only a
    /// client knows is neither logged nor a label.
    pub route: Option<Arc<str>>,
    /// The variant of the route that served, if one did.
    pub variant: Option<Arc<str>>,
    /// What was called.
    pub endpoint: Endpoint,
    /// How the client speaks to us.
    pub protocol: Protocol,
    /// How the answer was to come; `None` where that was not learnt.
    pub delivery: Option<Delivery>,
    /// The status sent to the client; 0 when none was.
    pub status: u16,
    /// Each try, in order.
    pub attempts: Vec<Attempt>,
    /// The targets that were not asked, each with its reason.
    pub left_out: Vec<(Arc<str>, &'static str)>,
    /// The request body's length in bytes, as far as it was read.
    pub body_bytes: u64,
    /// Bytes of the answer's body that were sent.
    pub sent_bytes: u64,
    /// From the beginning to the first byte of the answer sent.
    pub first_byte: Option<Duration>,
    /// From the beginning to the first token of the answer that the client got.
    pub first_token: Option<Duration>,
    /// How long the head of the answer was held back, from its first frame to the commit.
    pub held: Option<Duration>,
    /// What committed the answer: a name from a set that the code bounds.
    pub commit: Option<&'static str>,
    /// From the beginning to the end.
    pub total: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it ended so: a name from a set that the code bounds.
    pub reason: Option<&'static str>,
}

impl Record {
    /// A record of an exchange that begins: nothing is known yet but who asks.
    pub fn begin(began: SystemTime, request_id: String, protocol: Protocol) -> Self {
        Self {
            began,
            request_id,
            trace: None,
            key: None,
            session: None,
            user: None,
            client: None,
            route: None,
            variant: None,
            endpoint: Endpoint::Other,
            protocol,
            delivery: None,
            status: 0,
            attempts: Vec::new(),
            left_out: Vec::new(),
            body_bytes: 0,
            sent_bytes: 0,
            first_byte: None,
            first_token: None,
            held: None,
            commit: None,
            total: Duration::ZERO,
            outcome: Outcome::Failed,
            reason: None,
        }
    }

    /// The attempt whose words the client got, if any did.
    pub fn answered_by(&self) -> Option<&Attempt> {
        match self.outcome {
            Outcome::Served | Outcome::ProviderError | Outcome::Broken | Outcome::Aborted => {
                self.attempts.last()
            }
            Outcome::ClientError | Outcome::Refused | Outcome::Failed | Outcome::Panicked => None,
        }
    }

    /// What the answer took that the client got, or got a part of.
    pub fn bill(&self) -> Option<&Bill> {
        let delivered = self.attempts.iter().find(|attempt| attempt.delivered)?;
        delivered.bill.as_ref()
    }

    /// What all its attempts cost; `None` if no price is known for any of them.
    pub fn cost(&self) -> Option<MicroUsd> {
        cost(&self.attempts)
    }

    /// What the attempts took whose words the client did not get; `None` if none took anything.
    pub fn wasted(&self) -> Option<Wasted> {
        let bills = self.attempts.iter().filter(|attempt| !attempt.delivered);
        let bills = bills.filter_map(|attempt| attempt.bill);
        bills.fold(None, |sum: Option<Wasted>, bill| {
            let sum = sum.unwrap_or_default();
            Some(Wasted {
                tokens: sum.tokens + bill.usage.input + bill.usage.output,
                cost: match (sum.cost, bill.cost) {
                    (Some(so_far), Some(cost)) => Some(so_far + cost),
                    (one, other) => one.or(other),
                },
            })
        })
    }

    /// Why another target than the first answered.
    pub fn fallback_reason(&self) -> Option<&'static str> {
        fallback_reason(&self.attempts, &self.attempts.last()?.target)
    }
}

/// What thrown-away attempts took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wasted {
    /// Input and output together.
    pub tokens: Tokens,
    /// Their price; `None` if none is known.
    pub cost: Option<MicroUsd>,
}

/// What attempts cost together; `None` if no price is known for any of them.
pub fn cost(attempts: &[Attempt]) -> Option<MicroUsd> {
    let costs = attempts.iter().filter_map(|attempt| attempt.bill?.cost);
    costs.reduce(|sum, cost| sum + cost)
}

/// Why another target than the first answers: what ended the last attempt at the first one.
pub fn fallback_reason(attempts: &[Attempt], answering: &str) -> Option<&'static str> {
    // The first to be made, which need not be the first to end.
    let first = attempts.iter().find(|one| one.kind == AttemptKind::First)?;
    let first = &first.target;
    if **first == *answering {
        return None;
    }
    let last = attempts.iter().rev().find(|one| one.target == *first)?;
    last.error
}

/// One try of one target.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// `provider/model`.
    pub target: Arc<str>,
    /// When it began.
    pub begun: Option<Instant>,
    /// Its span, if traces are on.
    pub span: Option<SpanId>,
    /// The provider's status, if a head came.
    pub status: Option<u16>,
    /// Why it was made.
    pub kind: AttemptKind,
    /// What ended it, when it did not end well: a name from a set that the code bounds.
    pub error: Option<&'static str>,
    /// The kind of failure that it was.
    pub class: Option<Class>,
    /// What was made of the failure: `retry`, `fall_back`, `surface`, or `give_up`.
    pub verdict: Option<&'static str>,
    /// Content tokens, by the gate's count, that came and were thrown away.
    pub discarded: Tokens,
    /// Frames that could not be read and were left out of the answer (`malformed: skip`).
    pub skipped: u32,
    /// Whether the client got its words, or a part of them.
    pub delivered: bool,
    /// What it took; `None` if nothing is known to have been taken.
    pub bill: Option<Bill>,
    /// The client's parameters that the target did not hear of.
    pub dropped: Vec<Cow<'static, str>>,
    /// The provider's own error code.
    pub provider_code: Option<ProviderCode>,
    /// Whether its caller had asked for trouble (`x-segue-drill`).
    pub drilled: bool,
    /// What carried it; `None` when no connection was had.
    pub connection: Option<Connection>,
    /// From its beginning to the head of the answer.
    pub first_byte: Option<Duration>,
    /// From its beginning to the first token.
    pub first_token: Option<Duration>,
    /// From its beginning to its end.
    pub total: Duration,
    /// What came as its answer: for samples.
    pub reply: Reply,
}

impl Attempt {
    /// The first attempt at a target, of which nothing has come yet.
    pub fn at(target: Arc<str>) -> Self {
        Self {
            target,
            begun: None,
            span: None,
            status: None,
            kind: AttemptKind::First,
            error: None,
            class: None,
            verdict: None,
            discarded: Tokens(0),
            skipped: 0,
            delivered: false,
            bill: None,
            dropped: Vec::new(),
            provider_code: None,
            drilled: false,
            connection: None,
            first_byte: None,
            first_token: None,
            total: Duration::ZERO,
            reply: Reply::default(),
        }
    }
}

/// Why an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptKind {
    /// The first of its exchange.
    First,
    /// The same target again.
    Retry,
    /// The next target.
    Fallback,
    /// Beside a silent one.
    Hedge,
}

impl AttemptKind {
    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Retry => "retry",
            Self::Fallback => "fallback",
            Self::Hedge => "hedge",
        }
    }
}

/// Where an attempt's connection came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Made for it.
    Fresh,
    /// Taken from the pool.
    Reused,
}

/// An error code as a provider words it, made harmless: at most 64 characters of printable ASCII
/// without spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderCode(Box<str>);

impl ProviderCode {
    /// The harmless part of `text`; `None` if nothing is left.
    pub fn of(text: &str) -> Option<Self> {
        let code: String = text
            .chars()
            .filter(char::is_ascii_graphic)
            .take(64)
            .collect();
        (!code.is_empty()).then(|| Self(code.into()))
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a client called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/v1/chat/completions`.
    ChatCompletions,
    /// `/v1/completions`.
    Completions,
    /// `/v1/embeddings`.
    Embeddings,
    /// `/v1/messages`.
    Messages,
    /// `/v1/messages/count_tokens`.
    CountTokens,
    /// `/v1/models` and below.
    Models,
    /// A path handed to the passthrough provider.
    Passthrough,
    /// Anything else.
    Other,
}

impl Endpoint {
    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
            Self::Models => "models",
            Self::Passthrough => "passthrough",
            Self::Other => "other",
        }
    }
}

/// The HTTP version towards the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    H1,
    /// HTTP/2.
    H2,
}

impl Protocol {
    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::H1 => "h1",
            Self::H2 => "h2",
        }
    }
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A whole answer went out.
    Served,
    /// The client's own mistake, found by us.
    ClientError,
    /// Not admitted: no key, a limit, draining.
    Refused,
    /// The provider's error was handed to the client.
    ProviderError,
    /// No target gave an answer; the client got a fault before any byte of one.
    Failed,
    /// The answer broke after bytes of it had gone out.
    Broken,
    /// The client left.
    Aborted,
    /// We are at fault: a panic was caught.
    Panicked,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 8] = [
        Self::Served,
        Self::ClientError,
        Self::Refused,
        Self::ProviderError,
        Self::Failed,
        Self::Broken,
        Self::Aborted,
        Self::Panicked,
    ];

    /// The name in log and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::ClientError => "client_error",
            Self::Refused => "refused",
            Self::ProviderError => "provider_error",
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::Aborted => "aborted",
            Self::Panicked => "panicked",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(attempts: &[(&str, Option<&'static str>)]) -> Record {
        let mut record = Record::begin(SystemTime::UNIX_EPOCH, "r".to_owned(), Protocol::H1);
        record.attempts = attempts
            .iter()
            .map(|(target, error)| Attempt {
                error: *error,
                ..Attempt::at((*target).into())
            })
            .collect();
        record
    }

    #[test]
    fn the_fallback_reason_is_what_ended_the_first_target() {
        for (attempts, expected) in [
            (&[][..], None),
            (&[("a/m", None)][..], None),
            (&[("a/m", Some("connect")), ("a/m", None)][..], None),
            (
                &[
                    ("a/m", Some("reset")),
                    ("a/m", Some("stall")),
                    ("b/m", None),
                ][..],
                Some("stall"),
            ),
            (
                &[("a/m", Some("quota")), ("b/m", Some("stall"))][..],
                Some("quota"),
            ),
        ] {
            assert_eq!(record(attempts).fallback_reason(), expected, "{attempts:?}");
        }
    }

    #[test]
    fn only_an_answer_that_reached_the_client_names_its_target() {
        for outcome in Outcome::ALL {
            let mut record = record(&[("a/m", Some("stall")), ("b/m", None)]);
            record.outcome = outcome;
            let target = record.answered_by().map(|attempt| attempt.target.as_ref());
            let expected = match outcome {
                Outcome::Served | Outcome::ProviderError | Outcome::Broken | Outcome::Aborted => {
                    Some("b/m")
                }
                _ => None,
            };
            assert_eq!(target, expected, "{outcome:?}");
        }
    }

    #[test]
    fn a_provider_code_is_short_and_printable() {
        let (long, most) = ("x".repeat(1000), "x".repeat(64));
        for (text, expected) in [
            ("rate_limit_exceeded", Some("rate_limit_exceeded")),
            ("a\r\nb\u{1b}[31m c\u{7f}é", Some("ab[31mc")),
            ("\n\t ", None),
            ("", None),
            (&long, Some(&most)),
        ] {
            let code = ProviderCode::of(text);
            assert_eq!(
                code.as_ref().map(ProviderCode::as_str),
                expected,
                "{text:?}"
            );
        }
    }
}
