//! What a request needs of whoever answers it, and what a model can do.

use crate::units::Tokens;

/// Something that a caller relies on: a target without it is no candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Need {
    /// Calls of functions.
    Tools,
    /// Several calls in one answer, with results of several in the history.
    ParallelTools,
    /// A call that must be made: `required`, or a named tool.
    ToolChoice,
    /// Tools whose input is no JSON (grammars), or that the provider runs itself.
    NativeTools,
    /// Pictures in the prompt.
    Images,
    /// Sound in the prompt.
    AudioIn,
    /// Sound or pictures in the answer.
    MediaOut,
    /// Files in the prompt.
    Documents,
    /// A JSON object.
    JsonMode,
    /// JSON of a schema.
    JsonSchema,
    /// More than one answer (`n`).
    Choices,
    /// Log-probabilities.
    LogProbs,
    /// Weights of single tokens: ids of one tokenizer.
    LogitBias,
    /// Texts that end the answer.
    Stop,
    /// Thoughts that are shown or steered.
    Reasoning,
    /// State, files or features that one vendor keeps.
    Native,
    /// Streamed answers.
    Streaming,
    /// Conversations, as against plain completions and embeddings.
    Chat,
    /// Plain completions (`/v1/completions`), and what no conversation can stand for.
    Completions,
    /// Embeddings.
    Embeddings,
    /// So long a prompt.
    Context,
    /// So long an answer.
    Output,
}

impl Need {
    /// Every need.
    pub const ALL: [Self; 22] = [
        Self::Tools,
        Self::ParallelTools,
        Self::ToolChoice,
        Self::NativeTools,
        Self::Images,
        Self::AudioIn,
        Self::MediaOut,
        Self::Documents,
        Self::JsonMode,
        Self::JsonSchema,
        Self::Choices,
        Self::LogProbs,
        Self::LogitBias,
        Self::Stop,
        Self::Reasoning,
        Self::Native,
        Self::Streaming,
        Self::Chat,
        Self::Completions,
        Self::Embeddings,
        Self::Context,
        Self::Output,
    ];

    /// The name in config, log, headers and `explain`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::ParallelTools => "parallel_tools",
            Self::ToolChoice => "tool_choice",
            Self::NativeTools => "native_tools",
            Self::Images => "images",
            Self::AudioIn => "audio_in",
            Self::MediaOut => "media_out",
            Self::Documents => "documents",
            Self::JsonMode => "json_mode",
            Self::JsonSchema => "json_schema",
            Self::Choices => "choices",
            Self::LogProbs => "logprobs",
            Self::LogitBias => "logit_bias",
            Self::Stop => "stop",
            Self::Reasoning => "reasoning",
            Self::Native => "native",
            Self::Streaming => "streaming",
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Context => "context",
            Self::Output => "output",
        }
    }
}

/// A set of needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Needs(u32);

impl Needs {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// With this one.
    #[must_use]
    pub const fn with(self, need: Need) -> Self {
        Self(self.0 | 1 << need as u8)
    }

    /// Without this one.
    #[must_use]
    pub const fn without(self, need: Need) -> Self {
        Self(self.0 & !(1 << need as u8))
    }

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Without any of these.
    #[must_use]
    pub const fn except(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// With what cannot be had without those that are in it: without tools there is no choice
    /// among them.
    #[must_use]
    pub const fn implied(self) -> Self {
        if self.has(Need::Tools) {
            self.with(Need::ParallelTools)
                .with(Need::ToolChoice)
                .with(Need::NativeTools)
        } else {
            self
        }
    }

    /// Whether it has none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it is in the set.
    pub const fn has(self, need: Need) -> bool {
        self.0 & 1 << need as u8 != 0
    }

    /// The needs, in the order of [`Need::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Need> {
        Need::ALL.into_iter().filter(move |need| self.has(*need))
    }
}

impl FromIterator<Need> for Needs {
    fn from_iter<I: IntoIterator<Item = Need>>(needs: I) -> Self {
        needs.into_iter().fold(Self::NONE, Self::with)
    }
}

/// What a model can do. The default knows nothing against it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// What it cannot serve.
    pub lacks: Needs,
    /// Input and output together.
    pub context: Option<Tokens>,
    /// The longest input, where it is less than the window.
    pub max_input: Option<Tokens>,
    /// The longest answer.
    pub max_output: Option<Tokens>,
    /// Whether it takes a temperature and the like; refused by some reasoning models.
    pub sampling: Sampled,
    /// How it is told how long to think.
    pub thinking: Thinking,
    /// Whether an assistant turn at the end is gone on with.
    pub prefill: Prefill,
    /// How it counts.
    pub tokenizer: Tokenizer,
}

impl Abilities {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        lacks: Needs::NONE,
        context: None,
        max_input: None,
        max_output: None,
        sampling: Sampled::Freely,
        thinking: Thinking::Unknown,
        prefill: Prefill::Unknown,
        tokenizer: Tokenizer::Unknown,
    };
}

/// Whether a model takes `temperature` and its kin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampled {
    /// As far as is known.
    #[default]
    Freely,
    /// It refuses all but the default.
    Fixed,
}

/// How a model is told how long to think.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thinking {
    /// Not known: what a client says is passed on in the usual way of its vendor.
    #[default]
    Unknown,
    /// It does not think.
    Never,
    /// By a number of tokens (Claude up to 4.5, Gemini 2.5).
    Budget,
    /// By a level (`OpenAI`, Claude from 4.6, Gemini from 3).
    Level,
}

/// What a model does with an assistant turn at the end of its prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefill {
    /// Not known.
    #[default]
    Unknown,
    /// It goes on with it.
    Continues,
    /// It refuses it.
    Refuses,
}

/// How a model counts tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tokenizer {
    /// Not known.
    #[default]
    Unknown,
    /// `OpenAI`'s `o200k_base`.
    O200k,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_has_a_bit_and_a_name_of_its_own() {
        for need in Need::ALL {
            let set = Needs::NONE.with(need);
            assert!(set.iter().eq([need]));
            assert_eq!(set.without(need), Needs::NONE);
            assert_eq!(
                Need::ALL
                    .iter()
                    .filter(|other| other.name() == need.name())
                    .count(),
                1
            );
        }
        assert_eq!(Need::ALL.into_iter().collect::<Needs>().iter().count(), 22);
    }
}
