//! What a request asks for, as far as the answer depends on it, and why one is refused: in no
//! format's words.

/// The most choices, as at `OpenAI`.
pub(crate) const MOST_CHOICES: u32 = 128;

/// What a request for an answer asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The model's name, decoded.
    pub(crate) model: String,
    /// Whole or streamed.
    pub(crate) delivery: Delivery,
    /// How many answers, at least 1.
    pub(crate) choices: u32,
    /// The function that must be called, else the first one offered.
    pub(crate) tool: Option<String>,
    /// The first text that ends the answer.
    pub(crate) stop: Option<String>,
    /// A mark that passes through proxies which drop unknown headers: it stands where the format
    /// has a user's name.
    pub(crate) canary: Option<String>,
}

/// How the answer is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// One document.
    #[default]
    Whole,
    /// A stream without usage, where the format leaves that open.
    Stream,
    /// A stream with usage.
    StreamWithUsage,
}

/// Why a request is not answered: a status and the provider's words for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) message: String,
}

impl Refused {
    /// A request that is wrong.
    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self::status(400, message)
    }

    /// Another status.
    pub(crate) fn status(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}

impl Asked {
    /// What is answered when the body was not looked at: one stream.
    pub(crate) fn unread() -> Self {
        Self {
            delivery: Delivery::Stream,
            choices: 1,
            ..Self::default()
        }
    }
}
