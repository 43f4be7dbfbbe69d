//! What hangs on the format alone, handed to the one that speaks it.

use crate::sim::asked::{Asked, Refused};
use crate::sim::endpoint::Endpoint;
use crate::sim::head::Head;
use crate::sim::heard::Heard;
use crate::sim::script::{Script, Usage};
use crate::sim::speech::{Origin, Speech};
use crate::sim::steps::{Form, Parts, Piece};
use crate::sim::voice::Voice;
use crate::sim::{anthropic, gemini, openai};

/// Reads a request for an answer, as strictly as the provider does.
pub(crate) fn asked(endpoint: &Endpoint, head: &Head, body: &[u8]) -> Result<Asked, Refused> {
    match endpoint.voice {
        Voice::OpenAi => openai::asked(body, None),
        Voice::Completions => openai::completion_asked(body),
        Voice::Azure => {
            openai::azure_checked(head)?;
            openai::asked(body, endpoint.model.as_deref())
        }
        Voice::Anthropic => anthropic::asked(head, body),
        Voice::Gemini => gemini::asked(endpoint, head, body),
    }
}

/// What is understood of a request.
pub(crate) fn heard(voice: Voice, body: &[u8]) -> Heard {
    let body = serde_json::from_slice(body).unwrap_or_default();
    match voice {
        Voice::OpenAi | Voice::Azure => openai::heard(&body),
        Voice::Completions => openai::completion_heard(&body),
        Voice::Anthropic => anthropic::heard(&body),
        Voice::Gemini => gemini::heard(&body),
    }
}

/// The body of an error status.
pub(crate) fn status_error(voice: Voice, status: u16, script: &Script, number: u64) -> Vec<u8> {
    match voice {
        Voice::OpenAi | Voice::Completions => openai::status_error(status, &script.error),
        Voice::Azure => openai::azure_error(status, &script.error),
        Voice::Anthropic => anthropic::status_error(status, &script.error, number),
        Voice::Gemini => gemini::status_error(status, &script.error, script.retry_after.as_deref()),
    }
}

/// The headers that the provider's every answer has, each a whole line without its end.
pub(crate) fn headers(voice: Voice, number: u64) -> Vec<String> {
    match voice {
        Voice::OpenAi | Voice::Completions => vec![format!("x-request-id: req-sim-{number}")],
        Voice::Azure => openai::azure_headers(number),
        Voice::Anthropic => anthropic::headers(number),
        Voice::Gemini => gemini::headers(),
    }
}

/// Writes one answer.
#[derive(Debug)]
pub(crate) enum Writer<'a> {
    OpenAiStream(openai::Stream<'a>),
    OpenAiWhole(openai::Whole<'a>),
    Completion(openai::Completion<'a>),
    AnthropicStream(anthropic::Stream<'a>),
    AnthropicWhole(anthropic::Whole<'a>),
    GeminiStream(gemini::Stream<'a>),
    GeminiWhole(gemini::Whole<'a>),
}

impl<'a> Writer<'a> {
    /// A writer for what `asked` wants, and the pieces that it is to write.
    pub(crate) fn new(
        voice: Voice,
        form: Form,
        script: &'a Script,
        asked: &Asked,
        origin: &Origin<'_>,
    ) -> (Self, Parts) {
        let speech = Speech::new(script, asked, origin);
        let parts = match (form, voice) {
            (Form::Whole, _) => Parts::whole(speech.thoughts, speech.tokens),
            (Form::Stream, Voice::OpenAi | Voice::Completions | Voice::Azure) => {
                openai::parts(&speech, voice)
            }
            (Form::Stream, Voice::Anthropic) => anthropic::parts(&speech),
            (Form::Stream, Voice::Gemini) => gemini::parts(&speech),
        };
        let writer = match (voice, form) {
            (Voice::OpenAi | Voice::Azure, Form::Stream) => {
                Self::OpenAiStream(openai::Stream::new(speech, voice))
            }
            (Voice::OpenAi | Voice::Azure, Form::Whole) => {
                Self::OpenAiWhole(openai::Whole::new(speech, voice))
            }
            (Voice::Completions, _) => Self::Completion(openai::Completion::new(speech, form)),
            (Voice::Anthropic, Form::Stream) => {
                Self::AnthropicStream(anthropic::Stream::new(speech))
            }
            (Voice::Anthropic, Form::Whole) => Self::AnthropicWhole(anthropic::Whole::new(speech)),
            (Voice::Gemini, Form::Stream) => Self::GeminiStream(gemini::Stream::new(speech)),
            (Voice::Gemini, Form::Whole) => Self::GeminiWhole(gemini::Whole::new(speech)),
        };
        (writer, parts)
    }

    /// What is said.
    pub(crate) fn speech(&self) -> &Speech<'a> {
        match self {
            Self::OpenAiStream(writer) => writer.speech(),
            Self::OpenAiWhole(writer) => writer.speech(),
            Self::Completion(writer) => writer.speech(),
            Self::AnthropicStream(writer) => writer.speech(),
            Self::AnthropicWhole(writer) => writer.speech(),
            Self::GeminiStream(writer) => writer.speech(),
            Self::GeminiWhole(writer) => writer.speech(),
        }
    }

    /// Whether a piece tells the counts of the whole answer.
    pub(crate) fn tells(&self, piece: Piece) -> bool {
        match (self, piece) {
            (Self::OpenAiStream(_), Piece::Finish) => self.speech().script.usage == Usage::Every,
            (Self::AnthropicStream(_) | Self::GeminiStream(_), Piece::Finish)
            | (_, Piece::Usage) => true,
            _ => false,
        }
    }

    /// Adds a piece.
    pub(crate) fn write(&self, piece: Piece, out: &mut Vec<u8>) {
        match self {
            Self::OpenAiStream(writer) => writer.write(piece, out),
            Self::OpenAiWhole(writer) => writer.write(piece, out),
            Self::Completion(writer) => writer.write(piece, out),
            Self::AnthropicStream(writer) => writer.write(piece, out),
            Self::AnthropicWhole(writer) => writer.write(piece, out),
            Self::GeminiStream(writer) => writer.write(piece, out),
            Self::GeminiWhole(writer) => writer.write(piece, out),
        }
    }
}
