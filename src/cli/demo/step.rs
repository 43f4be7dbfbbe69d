//! The steps of the tour as data: what is asked, what the providers do about it, and what the
//! client must see.

use crate::cli::demo::stage::Provider::{self, Shaky, Steady};
use crate::sim::{End, Stage};

/// The route of a stream that nothing disturbs, from the provider that comes to the rescue.
pub(super) const CALM: &str = "stream";

/// A request, and what is promised about it.
pub(super) struct Step {
    pub(super) title: &'static str,
    /// What the providers do, in words.
    pub(super) providers: &'static [(Provider, &'static str)],
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
    /// The same, from the second provider, and not a byte from the first.
    Rescue(Rescue),
    /// So many tokens, an error event, and no end mark.
    Break { tokens: u64, code: &'static str },
    /// One error for the failures of all.
    Exhausted {
        status: u16,
        code: &'static str,
        retry_after: &'static str,
    },
    /// The first provider's own error; the second is not asked.
    Surfaced { status: u16 },
    /// The client leaves after so many tokens: then nobody goes on talking to it.
    Leave { tokens: usize },
    /// An error, and no provider is asked at all.
    Door { status: u16, kind: &'static str },
}

/// What must have happened when the second provider answers.
#[derive(Clone, Copy)]
pub(super) struct Rescue {
    pub(super) tokens: u64,
    /// How often the first provider was asked.
    pub(super) tries: usize,
    /// How each time ended for it.
    pub(super) end: ProviderEnd,
    /// What the client is told of it.
    pub(super) reason: &'static str,
}

/// How an exchange that failed ended for the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProviderEnd {
    /// It said what it had to say, or was hung up on after its error.
    Any,
    /// Its connection broke.
    Cut,
    /// It was hung up on before it said anything.
    HungUp,
    /// It was hung up on after so many tokens.
    HungUpAfter(u64),
}

impl ProviderEnd {
    pub(super) fn covers(self, end: End) -> bool {
        let hung_up_at =
            |stage: Stage| matches!(end, End::ClientClosed { after, .. } if after == stage);
        match self {
            Self::Any => true,
            Self::Cut => end == End::Cut,
            Self::HungUp => hung_up_at(Stage::BeforeHead),
            Self::HungUpAfter(tokens) => hung_up_at(Stage::Tokens(tokens)),
        }
    }
}

/// What the second provider does when it comes to the rescue.
const ANSWERS: (Provider, &str) = (Steady, "20 tokens, 20 ms apart");

/// The tour, in order.
pub(super) const STEPS: [Step; 13] = [
    Step {
        title: "A whole answer",
        providers: &[(Steady, "12 tokens in one document")],
        model: "whole",
        promise: Promise::Whole { tokens: 12 },
        means: "every byte as the provider sent it",
    },
    Step {
        title: "A stream",
        providers: &[ANSWERS],
        model: CALM,
        promise: Promise::Stream { tokens: 20 },
        means: "every token as it comes",
    },
    Step {
        title: "A 429 with Retry-After",
        providers: &[(Shaky, "429, come back in 7 seconds"), ANSWERS],
        model: "limited",
        promise: Promise::Rescue(Rescue {
            tokens: 20,
            tries: 1,
            end: ProviderEnd::Any,
            reason: "rate_limited",
        }),
        means: "answered at once, and the first is left alone for 7 seconds",
    },
    Step {
        title: "A 500",
        providers: &[
            (Shaky, "500, and 500 again when it is asked once more"),
            ANSWERS,
        ],
        model: "failing",
        promise: Promise::Rescue(Rescue {
            tokens: 20,
            tries: 2,
            end: ProviderEnd::Any,
            reason: "server_error",
        }),
        means: "one more try after up to 200 ms by chance, then the next",
    },
    Step {
        title: "A silent provider",
        providers: &[(Shaky, "takes the request and never answers"), ANSWERS],
        model: "silent",
        promise: Promise::Rescue(Rescue {
            tokens: 20,
            tries: 1,
            end: ProviderEnd::HungUp,
            reason: "first_token_timeout",
        }),
        means: "given up after its 300 ms for a first token",
    },
    Step {
        title: "A cut after 5 held tokens",
        providers: &[(Shaky, "5 tokens, then the connection is gone"), ANSWERS],
        model: "cut",
        promise: Promise::Rescue(Rescue {
            tokens: 20,
            tries: 1,
            end: ProviderEnd::Cut,
            reason: "closed",
        }),
        means: "the 5 tokens are thrown away unseen",
    },
    Step {
        title: "An error inside a 200",
        providers: &[(Shaky, "200, 3 tokens, then an error event"), ANSWERS],
        model: "error",
        promise: Promise::Rescue(Rescue {
            tokens: 20,
            tries: 1,
            end: ProviderEnd::Any,
            reason: "error_event",
        }),
        means: "judged as if it were a status",
    },
    Step {
        title: "A stall",
        providers: &[
            (Shaky, "5 tokens, then silence on an open connection"),
            ANSWERS,
        ],
        model: "stalled",
        promise: Promise::Rescue(Rescue {
            tokens: 20,
            tries: 1,
            end: ProviderEnd::HungUpAfter(5),
            reason: "stall",
        }),
        means: "given up after 250 ms of silence",
    },
    Step {
        title: "A break after the commit",
        providers: &[
            (Shaky, "16 tokens, 20 ms apart, then the connection is gone"),
            (Steady, "is not asked: 12 tokens opened the gate"),
        ],
        model: "broken",
        promise: Promise::Break {
            tokens: 16,
            code: "provider_failed",
        },
        means: "an error that every SDK raises, never a second answer, never [DONE]",
    },
    Step {
        title: "Every provider at its limit",
        providers: &[
            (Shaky, "429, come back in 9 seconds"),
            (Steady, "429, come back in 5 seconds"),
        ],
        model: "busy",
        promise: Promise::Exhausted {
            status: 429,
            code: "rate_limit_exceeded",
            retry_after: "5",
        },
        means: "the client knows when it is worth coming back",
    },
    Step {
        title: "A request that is refused",
        providers: &[
            (Shaky, "400"),
            (Steady, "is not asked: it would say the same"),
        ],
        model: "refused",
        promise: Promise::Surfaced { status: 400 },
        means: "the provider's own words, byte for byte",
    },
    Step {
        title: "A client that leaves",
        providers: &[(Shaky, "tokens without end, 20 ms apart")],
        model: "endless",
        promise: Promise::Leave { tokens: 4 },
        means: "the provider sees it go",
    },
    Step {
        title: "A request with two meanings",
        providers: &[(Steady, "is not asked: the body names two models")],
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
        match self.promise {
            Promise::Whole { .. } => body(self.model, ""),
            Promise::Door { .. } => body(self.model, r#""model":"endless","#),
            _ => stream_body(self.model),
        }
    }

    /// Whose words the client must get.
    pub(super) fn speaker(&self) -> Option<Provider> {
        match self.promise {
            Promise::Whole { .. } | Promise::Stream { .. } | Promise::Rescue(_) => Some(Steady),
            Promise::Break { .. } | Promise::Surfaced { .. } => Some(Shaky),
            Promise::Exhausted { .. } | Promise::Leave { .. } | Promise::Door { .. } => None,
        }
    }
}

/// A request for a stream.
pub(super) fn stream_body(model: &str) -> String {
    body(
        model,
        r#""stream":true,"stream_options":{"include_usage":true},"#,
    )
}

fn body(model: &str, extra: &str) -> String {
    format!(r#"{{"model":"{model}",{extra}"messages":[{{"role":"user","content":"Hello"}}]}}"#)
}
