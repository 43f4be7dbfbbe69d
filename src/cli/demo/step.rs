//! The steps of the tour as data: what is asked, what the provider does about it, and what the
//! client must see.

use crate::sim::{End, Stage};

/// A request, and what is promised about it.
pub(super) struct Step {
    pub(super) title: &'static str,
    /// What the provider does, in words.
    pub(super) provider: &'static str,
    /// The route in the config.
    pub(super) model: &'static str,
    pub(super) promise: Promise,
    /// What is good about it.
    pub(super) means: &'static str,
}

/// What the client must see.
pub(super) enum Promise {
    /// All of the answer, in one piece.
    Whole { tokens: u64 },
    /// The same as a stream, to its end mark.
    Stream { tokens: u64 },
    /// A status, although a stream was asked for.
    Status(Refusal),
    /// So many tokens, an error event, and no end mark.
    Break { tokens: u64, code: &'static str },
    /// The client leaves after so many tokens: then nobody goes on talking to it.
    Leave { tokens: usize },
    /// An error, and the provider is not asked at all.
    Door { status: u16, kind: &'static str },
}

/// An error before the first byte of an answer.
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) retry_after: Option<&'static str>,
    /// How the exchange must have ended for the provider.
    pub(super) provider: ProviderEnd,
}

/// How an exchange that failed ended for the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProviderEnd {
    /// It said what it had to say, or was hung up on after its error.
    Any,
    /// It was hung up on before it said anything.
    HungUp,
}

impl ProviderEnd {
    pub(super) fn covers(self, end: End) -> bool {
        match self {
            Self::Any => true,
            Self::HungUp => matches!(
                end,
                End::ClientClosed {
                    after: Stage::BeforeHead,
                    ..
                }
            ),
        }
    }
}

/// The tour, in order.
pub(super) const STEPS: [Step; 9] = [
    Step {
        title: "A whole answer",
        provider: "12 tokens in one document",
        model: "whole",
        promise: Promise::Whole { tokens: 12 },
        means: "every word, as the provider said it",
    },
    Step {
        title: "A stream",
        provider: "24 tokens, 40 ms apart",
        model: "stream",
        promise: Promise::Stream { tokens: 24 },
        means: "every token as it comes",
    },
    Step {
        title: "A provider at its limit",
        provider: "429, come back in 7 seconds",
        model: "busy",
        promise: Promise::Status(Refusal {
            status: 429,
            code: "rate_limit_exceeded",
            retry_after: Some("7"),
            provider: ProviderEnd::Any,
        }),
        means: "the client knows when to come back",
    },
    Step {
        title: "A provider that fails",
        provider: "500",
        model: "broken",
        promise: Promise::Status(Refusal {
            status: 502,
            code: "provider_failed",
            retry_after: None,
            provider: ProviderEnd::Any,
        }),
        means: "an error in the client's own format",
    },
    Step {
        title: "A provider that stays silent",
        provider: "takes the request and never answers",
        model: "silent",
        promise: Promise::Status(Refusal {
            status: 504,
            code: "provider_timeout",
            retry_after: None,
            provider: ProviderEnd::HungUp,
        }),
        means: "a status in time, and not a byte before it",
    },
    Step {
        title: "An error inside a 200",
        provider: "200, then an error event in place of the first token",
        model: "early",
        promise: Promise::Status(Refusal {
            status: 502,
            code: "provider_failed",
            retry_after: None,
            provider: ProviderEnd::Any,
        }),
        means: "a proper status, since nothing had been sent",
    },
    Step {
        title: "A connection cut in mid-answer",
        provider: "5 tokens, then the connection is gone",
        model: "cut",
        promise: Promise::Break {
            tokens: 5,
            code: "provider_failed",
        },
        means: "an error that every SDK raises, never [DONE]",
    },
    Step {
        title: "A client that leaves",
        provider: "tokens without end, 40 ms apart",
        model: "endless",
        promise: Promise::Leave { tokens: 4 },
        means: "the provider sees it go",
    },
    Step {
        title: "A request with two meanings",
        provider: "is not asked: the body names two models",
        model: "whole",
        promise: Promise::Door {
            status: 400,
            kind: "invalid_request_error",
        },
        means: "refused before anybody could read it either way",
    },
];

impl Step {
    /// The request's body.
    pub(super) fn body(&self) -> String {
        let model = self.model;
        let extra = match self.promise {
            Promise::Whole { .. } => "",
            Promise::Door { .. } => r#""model":"endless","#,
            Promise::Stream { .. }
            | Promise::Status(_)
            | Promise::Break { .. }
            | Promise::Leave { .. } => r#""stream":true,"#,
        };
        format!(r#"{{"model":"{model}",{extra}"messages":[{{"role":"user","content":"Hello"}}]}}"#)
    }
}
