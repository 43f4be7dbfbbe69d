//! What a client asks a model, in words that no wire format owns. Texts borrow from the request's
//! body where they can: a prompt that is translated is not copied until it is written.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::units::Tokens;

/// A whole request, whichever format it came in.
#[derive(Clone, Debug, Default)]
pub struct Conversation<'a> {
    /// Instructions that stand before the first turn, in order; none is empty.
    pub system: Vec<Cow<'a, str>>,
    /// What was said, oldest first. Neighbours may have the same speaker.
    pub turns: Vec<Turn<'a>>,
    /// The tools that the model may call.
    pub tools: Vec<Tool<'a>>,
    /// Which of them it must or may call; `None` where the client left it open.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether several calls in one answer are wanted; `None` where the client left it open.
    pub parallel_tools: Option<bool>,
    /// What the text of the answer must be.
    pub format: Format<'a>,
    /// The most tokens of the answer, reasoning included.
    pub max_output: Option<Tokens>,
    /// Texts that end the answer.
    pub stop: Vec<Cow<'a, str>>,
    /// How the next token is drawn.
    pub sampling: Sampling<'a>,
    /// How long to think.
    pub effort: Option<Effort>,
    /// An opaque name of the person behind the client.
    pub user: Option<Cow<'a, str>>,
    /// How many answers side by side, at least 1.
    pub choices: u32,
}

/// Something that was said.
#[derive(Clone, Debug)]
pub struct Turn<'a> {
    /// By whom.
    pub speaker: Speaker,
    /// In these parts, in order; may be empty.
    pub parts: Vec<Part<'a>>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speaker {
    /// The application, between turns.
    System,
    /// The person, or a tool's result on its behalf.
    User,
    /// The model.
    Assistant,
}

/// A part of a turn.
#[derive(Clone, Debug)]
pub enum Part<'a> {
    /// Text; may be empty.
    Text(Cow<'a, str>),
    /// A picture.
    Image {
        /// Where it is.
        source: Source<'a>,
        /// How closely to look: `low`, `high`, `auto`, as the client wrote it.
        detail: Option<Cow<'a, str>>,
    },
    /// A file, as a rule a PDF.
    Document {
        /// Where it is.
        source: Source<'a>,
        /// Its name or title.
        name: Option<Cow<'a, str>>,
    },
    /// Sound, base64.
    Audio {
        /// `audio/wav`, `audio/mp3`, …
        media_type: Cow<'a, str>,
        /// Base64.
        data: Cow<'a, str>,
    },
    /// The model's thoughts. Only the vendor that made them can use them.
    Reasoning {
        /// What is shown of them; may be empty.
        text: Cow<'a, str>,
        /// The vendor's seal, which must go back unchanged.
        signature: Option<Cow<'a, str>>,
    },
    /// A call by the model.
    ToolCall {
        /// Pairs it with its result.
        id: Cow<'a, str>,
        /// The tool.
        name: Cow<'a, str>,
        /// JSON text, as a rule of an object; empty for no arguments.
        arguments: Cow<'a, str>,
        /// The vendor's seal, where it made one.
        signature: Option<Cow<'a, str>>,
    },
    /// What a call came to.
    ToolResult {
        /// Of the call.
        id: Cow<'a, str>,
        /// Texts, images, documents; may be empty.
        parts: Vec<Part<'a>>,
        /// Whether the tool failed.
        is_error: bool,
    },
}

/// Where a picture or a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// In the request.
    Inline {
        /// `image/png`, `application/pdf`, …
        media_type: Cow<'a, str>,
        /// Base64.
        data: Cow<'a, str>,
    },
    /// At an address that the provider is to fetch.
    Url(Cow<'a, str>),
    /// Plain text in the request (documents only).
    Text(Cow<'a, str>),
}

/// A tool that the model may call.
#[derive(Clone, Debug)]
pub struct Tool<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// What it is for.
    pub description: Option<Cow<'a, str>>,
    /// JSON Schema of its arguments; `None` for a tool without any.
    pub schema: Option<&'a RawValue>,
    /// Whether the arguments must keep to the schema.
    pub strict: Option<bool>,
}

/// Which tools the model must or may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    /// None.
    None,
    /// As it sees fit.
    Auto,
    /// At least one.
    Required,
    /// This one.
    Named(Cow<'a, str>),
    /// One of these, or, unless `required`, none.
    Allowed {
        /// Their names.
        names: Vec<Cow<'a, str>>,
        /// Whether one must be called.
        required: bool,
    },
}

/// What the text of an answer must be.
#[derive(Clone, Debug, Default)]
pub enum Format<'a> {
    /// Anything.
    #[default]
    Text,
    /// A JSON object.
    Json,
    /// JSON of this schema.
    Schema {
        /// The schema's name.
        name: Cow<'a, str>,
        /// What it is for.
        description: Option<Cow<'a, str>>,
        /// JSON Schema.
        schema: &'a RawValue,
        /// Whether the answer must keep to it.
        strict: Option<bool>,
    },
}

/// How the next token is drawn. Numbers as the client wrote them, JSON text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sampling<'a> {
    /// From 0, as a rule to 2.
    pub temperature: Option<&'a str>,
    /// The share of probability that is drawn from.
    pub top_p: Option<&'a str>,
    /// How many of the likeliest are drawn from.
    pub top_k: Option<&'a str>,
    /// For the same answer again, as far as possible.
    pub seed: Option<&'a str>,
    /// Against what was said before.
    pub presence_penalty: Option<&'a str>,
    /// Against what was said often.
    pub frequency_penalty: Option<&'a str>,
}

/// How long to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as can be.
    Minimal,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// Long.
    High,
    /// Longer.
    XHigh,
    /// As long as it takes.
    Max,
    /// At most so many tokens (Anthropic's `budget_tokens`).
    Budget(Tokens),
    /// As long as the model sees fit (Anthropic's `adaptive`).
    Adaptive,
}

impl Conversation<'_> {
    /// The name of the tool that the call of this id was for. Some formats want it beside a result.
    pub fn called(&self, id: &str) -> Option<&str> {
        let mut parts = self
            .turns
            .iter()
            .rev()
            .flat_map(|turn| turn.parts.iter().rev());
        parts.find_map(|part| match part {
            Part::ToolCall { id: own, name, .. } if own == id => Some(&**name),
            _ => None,
        })
    }
}
