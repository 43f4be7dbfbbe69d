//! How a provider differs from the format that it speaks: at the edges, by a table and not by code.
//!
//! The facts of a row are its vendor's words where no other source is named: documentation,
//! SDK types, server source, all as of November 2026.

use std::borrow::Cow;

use self::Change::{Drop, List, Rename};
use crate::exchange::Need;

/// How a provider differs from its format. The default does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The name in config and docs; empty for none.
    pub name: Cow<'static, str>,
    /// What is known of it.
    pub facts: Facts,
    /// Where its endpoints are.
    pub paths: Paths,
    /// Azure's `api-version`.
    pub api_version: Option<Box<str>>,
    /// What config says beyond the table, in the order in which it is done.
    pub own: Vec<OwnChange>,
}

/// What the table says of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The header that proves who we are.
    pub auth: Auth,
    /// What the bound on an answer is called.
    pub output: OutputName,
    /// Whether the usage of a stream must be asked for.
    pub usage: UsageAsk,
    /// Whether it has `/completions`.
    pub completions: Completions,
    /// What it does with an assistant message at the end.
    pub ending: Ending,
    /// The ids of tool calls that it takes.
    pub tool_ids: ToolIds,
    /// The levels of `reasoning_effort` that it knows.
    pub efforts: Efforts,
    /// Whether it takes `top_k`.
    pub top_k: TopK,
    /// What it wants back of its own answers.
    pub history: History,
    /// The most texts in `stop`.
    pub most_stops: usize,
    /// Parameters that it has not and callers rely on.
    pub lacks: &'static [(&'static str, Need)],
    /// What is changed in a chat request.
    pub chat: &'static [Change<'static>],
    /// What is changed in a request for embeddings.
    pub embeddings: &'static [Change<'static>],
}

/// The header that proves who we are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// `authorization: Bearer …` (RFC 6750).
    #[default]
    Bearer,
    /// `api-key` (Azure).
    ApiKey,
    /// `x-api-key` (Anthropic).
    XApiKey,
    /// `x-goog-api-key` (Gemini).
    XGoogApiKey,
}

impl Auth {
    /// The header's name.
    pub fn header(self) -> &'static str {
        match self {
            Self::Bearer => "authorization",
            Self::ApiKey => "api-key",
            Self::XApiKey => "x-api-key",
            Self::XGoogApiKey => "x-goog-api-key",
        }
    }

    /// What stands before the secret.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer ",
            Self::ApiKey | Self::XApiKey | Self::XGoogApiKey => "",
        }
    }
}

/// Where a provider's endpoints are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paths {
    /// Right below its base URL.
    #[default]
    Plain,
    /// `/openai/v1/…`: Azure without an `api-version`, below the resource's URL.
    AzureV1,
    /// `/openai/deployments/{model}/…?api-version=…`: classic Azure.
    AzureDeployments,
}

/// What the bound on an answer is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputName {
    /// As the client calls it; `max_completion_tokens` where we word the request.
    Any,
    /// `max_completion_tokens`.
    Current,
    /// `max_tokens`.
    Old,
}

/// Whether the usage of a stream must be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageAsk {
    /// By `stream_options.include_usage`.
    Asked,
    /// It always comes, and `stream_options` is refused.
    Always,
}

/// Whether there is `/completions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completions {
    /// There is.
    Native,
    /// There is not: a completion is asked for as a chat.
    AsChat,
}

/// What becomes of an assistant message at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The model begins a new message.
    Anew,
    /// It goes on with it.
    Continued,
    /// It goes on with it when told by `continue_final_message`.
    ContinuedWhenTold,
}

/// The ids of tool calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolIds {
    /// Any text.
    Any,
    /// Nine letters and digits.
    Nine,
}

/// The levels of `reasoning_effort`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Efforts {
    /// `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`.
    All,
    /// `none`, `low`, `medium`, `high`.
    NoneToHigh,
    /// `low`, `medium`, `high`.
    LowToHigh,
}

/// Whether `top_k` is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopK {
    /// It is.
    Taken,
    /// It is unknown.
    Unknown,
}

/// What a provider wants back of its own answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// Texts and calls.
    Plain,
    /// `reasoning_content` too.
    Reasoning,
    /// Seals of calls too.
    Signatures,
}

/// A change to a request. Places are JSON pointers (RFC 6901); `*` stands for every element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// It is left out.
    Drop(&'a str),
    /// It has another name in the same object.
    Rename(&'a str, &'a str),
    /// It has this value, raw JSON, whatever the client wrote.
    Set(&'a str, &'a str),
    /// It is a list, where it is one value.
    List(&'a str),
}

/// A change that config asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnChange {
    /// As [`Change::Drop`].
    Drop(Box<str>),
    /// As [`Change::Rename`].
    Rename(Box<str>, Box<str>),
    /// As [`Change::Set`].
    Set(Box<str>, Box<str>),
}

impl OwnChange {
    /// The same, borrowed.
    pub fn as_change(&self) -> Change<'_> {
        match self {
            Self::Drop(at) => Change::Drop(at),
            Self::Rename(at, name) => Change::Rename(at, name),
            Self::Set(at, json) => Change::Set(at, json),
        }
    }
}

impl Facts {
    /// No difference.
    pub const PLAIN: Self = Self {
        auth: Auth::Bearer,
        output: OutputName::Any,
        usage: UsageAsk::Asked,
        completions: Completions::Native,
        ending: Ending::Anew,
        tool_ids: ToolIds::Any,
        efforts: Efforts::All,
        top_k: TopK::Unknown,
        history: History::Plain,
        most_stops: usize::MAX,
        lacks: &[],
        chat: &[],
        embeddings: &[],
    };
}

impl Default for Facts {
    fn default() -> Self {
        Self::PLAIN
    }
}

impl Profile {
    /// No difference.
    pub const PLAIN: Self = Self {
        name: Cow::Borrowed(""),
        facts: Facts::PLAIN,
        paths: Paths::Plain,
        api_version: None,
        own: Vec::new(),
    };

    /// The built-in profile of this name.
    pub fn built_in(name: &str) -> Option<Self> {
        let (name, facts) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self {
            name: Cow::Borrowed(name),
            facts: *facts,
            ..Self::PLAIN
        })
    }

    /// The names of the built-in profiles.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }
}

/// The built-in profiles.
static BUILT_IN: [(&str, Facts); 13] = [
    // API reference: `max_tokens` is deprecated and refused by reasoning models; at most 4 stops;
    // `/completions` for the instruct and base models; unknown parameters are 400.
    (
        "openai",
        Facts {
            output: OutputName::Current,
            most_stops: 4,
            ..Facts::PLAIN
        },
    ),
    // Azure OpenAI REST reference: `api-key`; which name the bound has depends on the deployment
    // and its version, so the client's own is kept.
    (
        "azure",
        Facts {
            auth: Auth::ApiKey,
            most_stops: 4,
            ..Facts::PLAIN
        },
    ),
    // mistralai 3.7.0; unknown fields are 422 (`extra_forbidden`); ids of tool calls must be nine
    // letters or digits (400, code 3280); the usage is in the last chunk of every stream.
    (
        "mistral",
        Facts {
            output: OutputName::Old,
            usage: UsageAsk::Always,
            completions: Completions::AsChat,
            tool_ids: ToolIds::Nine,
            top_k: TopK::Taken,
            lacks: &[
                ("logit_bias", Need::LogitBias),
                ("logprobs", Need::LogProbs),
                ("audio", Need::MediaOut),
                ("web_search_options", Need::Native),
                ("moderation", Need::Native),
            ],
            chat: &[
                Rename("/seed", "random_seed"),
                Drop("/user"),
                Drop("/safety_identifier"),
                Drop("/store"),
                Drop("/verbosity"),
                Drop("/modalities"),
                Drop("/logprobs"),
                Drop("/top_logprobs"),
                Drop("/logit_bias"),
                Drop("/prompt_cache_options"),
                Drop("/prompt_cache_retention"),
            ],
            embeddings: &[Rename("/dimensions", "output_dimension"), Drop("/user")],
            ..Facts::PLAIN
        },
    ),
    // API docs: `max_tokens`; with tools the `reasoning_content` of the turn must come back;
    // plain completions are on the beta URL alone, and fill in the middle.
    (
        "deepseek",
        Facts {
            output: OutputName::Old,
            completions: Completions::AsChat,
            history: History::Reasoning,
            lacks: &[("logit_bias", Need::LogitBias), ("n", Need::Choices)],
            ..Facts::PLAIN
        },
    ),
    // groq 1.7.0: `n` must be 1; log-probabilities, `logit_bias` and penalties are unsupported.
    (
        "groq",
        Facts {
            output: OutputName::Current,
            completions: Completions::AsChat,
            efforts: Efforts::NoneToHigh,
            lacks: &[
                ("n", Need::Choices),
                ("logit_bias", Need::LogitBias),
                ("logprobs", Need::LogProbs),
            ],
            chat: &[
                Drop("/presence_penalty"),
                Drop("/frequency_penalty"),
                Drop("/logprobs"),
                Drop("/top_logprobs"),
                Drop("/logit_bias"),
            ],
            ..Facts::PLAIN
        },
    ),
    // together 3.1.1: neither `max_completion_tokens` nor `stream_options` nor
    // `parallel_tool_calls`; `stop` is a list; `logprobs` is a number.
    (
        "together",
        Facts {
            output: OutputName::Old,
            usage: UsageAsk::Always,
            efforts: Efforts::LowToHigh,
            top_k: TopK::Taken,
            lacks: &[("logprobs", Need::LogProbs)],
            chat: &[
                List("/stop"),
                Drop("/parallel_tool_calls"),
                Drop("/logprobs"),
                Drop("/top_logprobs"),
            ],
            ..Facts::PLAIN
        },
    ),
    // API docs: it maps what the chosen model's provider lacks by itself; the usage always comes.
    (
        "openrouter",
        Facts {
            top_k: TopK::Taken,
            ..Facts::PLAIN
        },
    ),
    // xai SDK and API docs: `low` and `high` where a model takes an effort.
    (
        "xai",
        Facts {
            completions: Completions::AsChat,
            efforts: Efforts::LowToHigh,
            lacks: &[("logit_bias", Need::LogitBias)],
            ..Facts::PLAIN
        },
    ),
    // Server source, `openai/openai.go`: `max_completion_tokens`, `tool_choice`, `n` and the rest
    // are silently ignored; an assistant message at the end is gone on with.
    (
        "ollama",
        Facts {
            output: OutputName::Old,
            ending: Ending::Continued,
            efforts: Efforts::NoneToHigh,
            lacks: &[("n", Need::Choices), ("logit_bias", Need::LogitBias)],
            chat: &[
                Drop("/parallel_tool_calls"),
                Drop("/user"),
                Drop("/safety_identifier"),
                Drop("/logit_bias"),
            ],
            ..Facts::PLAIN
        },
    ),
    // Server source, `protocol.py`: both names of the bound; `continue_final_message` wants
    // `add_generation_prompt: false`.
    (
        "vllm",
        Facts {
            ending: Ending::ContinuedWhenTold,
            top_k: TopK::Taken,
            ..Facts::PLAIN
        },
    ),
    // Server source, `server/utils.hpp`: an assistant message at the end is gone on with.
    (
        "llamacpp",
        Facts {
            output: OutputName::Old,
            ending: Ending::Continued,
            top_k: TopK::Taken,
            ..Facts::PLAIN
        },
    ),
    // Compatibility API docs, "Unsupported parameters".
    (
        "cohere",
        Facts {
            output: OutputName::Old,
            completions: Completions::AsChat,
            lacks: &[
                ("n", Need::Choices),
                ("logit_bias", Need::LogitBias),
                ("audio", Need::MediaOut),
            ],
            chat: &[
                Drop("/store"),
                Drop("/metadata"),
                Drop("/logit_bias"),
                Drop("/top_logprobs"),
                Drop("/prediction"),
                Drop("/service_tier"),
                Drop("/parallel_tool_calls"),
                Drop("/user"),
            ],
            ..Facts::PLAIN
        },
    ),
    // `OpenAI` compatibility docs of the Gemini API: seals of calls must come back.
    (
        "gemini-compatible",
        Facts {
            completions: Completions::AsChat,
            history: History::Signatures,
            lacks: &[("logit_bias", Need::LogitBias)],
            chat: &[Drop("/logit_bias"), Drop("/store"), Drop("/metadata")],
            ..Facts::PLAIN
        },
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_is_found_by_its_name_and_no_other_is() {
        for name in Profile::names() {
            assert_eq!(Profile::built_in(name).unwrap().name, name);
            assert_eq!(Profile::names().filter(|other| *other == name).count(), 1);
        }
        assert_eq!(Profile::built_in(""), None);
        assert_eq!(Profile::default(), Profile::PLAIN);
    }

    #[test]
    fn what_the_table_drops_is_never_what_a_caller_relies_on_unless_that_disqualifies() {
        for (name, facts) in &BUILT_IN {
            for change in facts.chat {
                let Drop(at) = change else { continue };
                for relied in [
                    "n",
                    "stop",
                    "tools",
                    "response_format",
                    "logit_bias",
                    "audio",
                ] {
                    let disqualifies = facts.lacks.iter().any(|(lacked, _)| *lacked == relied);
                    assert!(*at != format!("/{relied}") || disqualifies, "{name} {at}");
                }
            }
        }
    }
}
