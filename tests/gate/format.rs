//! The formats of an exchange: what its client speaks, and what each of its two targets does.

use std::fmt;

use crate::cell::Delivery;
use crate::relay_stage::chat;
use crate::support::post;

/// Which exchanges the matrix plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Played {
    /// `OpenAI`'s format on every side.
    OneFormat,
    /// Every client's format over every provider's, and every provider's after it.
    AllFormats,
}

/// What is played: `AllFormats` as soon as `src/dialect` has all of them.
pub const PLAYED: Played = Played::AllFormats;

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    OpenAi,
    Anthropic,
    Gemini,
}

/// Those of clients.
const CLIENTS: [Format; 2] = [Format::OpenAi, Format::Anthropic];

/// Those of providers.
pub const PROVIDERS: [Format; 3] = [Format::OpenAi, Format::Anthropic, Format::Gemini];

impl Format {
    /// The word in a config and in a cell's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// What a provider's name ends in.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::OpenAi => "",
            Self::Anthropic => "a",
            Self::Gemini => "g",
        }
    }

    /// The path of a provider's base URL.
    pub fn base_path(self) -> &'static str {
        match self {
            Self::OpenAi => "/v1",
            Self::Anthropic => "",
            Self::Gemini => "/v1beta",
        }
    }

    /// The formats of the providers that a stage has.
    pub fn of_providers() -> &'static [Self] {
        match PLAYED {
            Played::OneFormat => &[Self::OpenAi],
            Played::AllFormats => &PROVIDERS,
        }
    }

    /// A client's request.
    pub fn request(self, route: &str, delivery: Delivery) -> Vec<u8> {
        match self {
            Self::OpenAi => chat(route, delivery.ask()),
            Self::Anthropic | Self::Gemini => self.request_with("", route, delivery),
        }
    }

    /// A request in Anthropic's format; `headers` are whole lines.
    pub fn request_with(self, headers: &str, route: &str, delivery: Delivery) -> Vec<u8> {
        debug_assert_eq!(self, Self::Anthropic, "no client speaks another");
        let stream = delivery == Delivery::Stream;
        let body = format!(
            "{{\"model\":\"{route}\",\"max_tokens\":4096,\"stream\":{stream},\
             \"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}"
        );
        let own = "anthropic-version: 2023-06-01\r\nx-api-key: nobody-asks\r\n";
        post("/v1/messages", &format!("{own}{headers}"), &body)
    }

    /// The finish reason by which a client hears of a script's `finish=`.
    pub fn finish(self, word: &str) -> &str {
        match (self, word) {
            (Self::Anthropic, "stop") => "end_turn",
            (Self::Anthropic, "length") => "max_tokens",
            (Self::Anthropic, "content_filter") => "refusal",
            (_, word) => word,
        }
    }

    /// The status by which a client hears of one that an `OpenAI` client gets.
    pub fn status(self, status: u16) -> u16 {
        match (self, status) {
            (Self::Anthropic, 502) => 500,
            (Self::Anthropic, 503) => 529,
            (_, status) => status,
        }
    }
}

/// Who speaks what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Speaks {
    pub client: Format,
    /// The target that fails.
    pub first: Format,
    /// The target after it.
    pub next: Format,
}

impl Speaks {
    /// `OpenAI`'s format on every side: judged byte by byte.
    pub const PLAIN: Self = Self {
        client: Format::OpenAi,
        first: Format::OpenAi,
        next: Format::OpenAi,
    };

    /// All that are played beside that.
    pub fn others(played: Played) -> Vec<Self> {
        if played == Played::OneFormat {
            return Vec::new();
        }
        let mut all = Vec::new();
        for client in CLIENTS {
            for first in PROVIDERS {
                for next in PROVIDERS {
                    all.push(Self {
                        client,
                        first,
                        next,
                    });
                }
            }
        }
        all.retain(|speaks| *speaks != Self::PLAIN);
        all
    }

    pub fn is_plain(self) -> bool {
        self == Self::PLAIN
    }
}

impl fmt::Display for Speaks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [client, first, next] = [self.client, self.first, self.next].map(Format::name);
        write!(out, "{client}>{first}>{next}")
    }
}
