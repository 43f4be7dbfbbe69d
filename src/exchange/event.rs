//! What happens in an answer, in words that no wire format owns.

use std::borrow::Cow;

use crate::exchange::Usage;

/// One thing that a provider said. Texts borrow from the frame they came in where they can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The answer's envelope: an id, a role. Not content.
    Started,
    /// A piece of the answer's text.
    Text {
        /// Which of the answers asked for (`n`).
        choice: u32,
        /// The piece, decoded; may be empty.
        text: Cow<'a, str>,
    },
    /// A piece of the model's visible reasoning.
    Reasoning {
        /// Which of the answers.
        choice: u32,
        /// The piece, decoded; may be empty.
        text: Cow<'a, str>,
    },
    /// A piece of a tool call.
    ToolCall {
        /// Which of the answers.
        choice: u32,
        /// Which call of the answer: the key that pieces are joined by.
        index: u32,
        /// The call's id, on its first piece.
        id: Option<Cow<'a, str>>,
        /// The tool's name, on its first piece.
        name: Option<Cow<'a, str>>,
        /// A piece of the arguments' JSON text; may be empty.
        arguments: Cow<'a, str>,
    },
    /// A piece of a refusal that the provider marks as one.
    Refusal {
        /// Which of the answers.
        choice: u32,
        /// The piece, decoded.
        text: Cow<'a, str>,
    },
    /// A piece of the answer that is no text: sound, an image. It is content all the same.
    Media {
        /// Which of the answers.
        choice: u32,
    },
    /// The vendor's seal on what the model thought or called. It must go back to the vendor
    /// unchanged; it is no content.
    Signature {
        /// Which of the answers.
        choice: u32,
        /// What it seals.
        of: Signed,
        /// The seal, or a piece of it.
        text: Cow<'a, str>,
    },
    /// Raw JSON beside the answer that belongs to it; no content.
    Aside {
        /// Which of the answers.
        choice: u32,
        /// What it is.
        kind: AsideKind,
        /// A JSON value, as a rule a list of which each frame has a part.
        json: Cow<'a, str>,
    },
    /// An answer has come to its end.
    Finished {
        /// Which of the answers.
        choice: u32,
        /// Why it ended.
        reason: Finish,
    },
    /// What it cost in tokens. The last one counts.
    Usage(Usage),
    /// The provider reports an error inside a good status.
    Failed(Failure),
    /// A sign of life without content.
    Ping,
    /// The format's own end mark (`[DONE]`).
    End,
}

/// What a vendor's seal is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signed {
    /// The reasoning so far.
    Reasoning,
    /// The call with this index.
    Call(u32),
}

/// What stands beside an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AsideKind {
    /// Log-probabilities of its tokens (`choices[].logprobs.content`).
    LogProbs,
    /// Log-probabilities of its refusal (`choices[].logprobs.refusal`).
    RefusalLogProbs,
    /// Citations (`message.annotations`).
    Annotations,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finish {
    /// The model was done.
    Stop,
    /// A bound on length was reached.
    Length,
    /// The model calls tools.
    ToolCalls,
    /// The provider's filter cut it.
    ContentFilter,
    /// A reason we do not know: a good end, for providers add reasons without a version change.
    Other,
}

/// An error as a provider words it, status or in-stream alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status, or the number that an in-stream error gives in its place.
    pub status: Option<u16>,
    /// The error's type (`server_error`); `html` for a page.
    pub kind: Option<String>,
    /// The error's code (`rate_limit_exceeded`).
    pub code: Option<String>,
    /// Finer codes that stand beside these two, with a space between them (Gemini's `quotaId`).
    pub reasons: Option<String>,
    /// The delay that the body asks for outside its words (`google.rpc.RetryInfo`), as it stands.
    pub retry_delay: Option<String>,
    /// The provider's words. They may quote a prompt: for the client, not for the log.
    pub message: Option<String>,
}
