//! What a JSON request asks for, as far as the answer depends on it.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::sim::script::is_canary;

/// The most choices, as at `OpenAI`.
const MOST_CHOICES: u32 = 128;

/// What a chat request asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The model's name, decoded.
    pub(crate) model: String,
    /// Whole or streamed.
    pub(crate) delivery: Delivery,
    /// `n`, at least 1.
    pub(crate) choices: u32,
    /// The first function offered.
    pub(crate) tool: Option<String>,
    /// `"user": "canary:NAME"`: it passes through proxies that drop unknown headers.
    pub(crate) canary: Option<String>,
}

/// How the answer is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// One document.
    #[default]
    Whole,
    /// A stream without usage.
    Stream,
    /// A stream with usage at its end.
    StreamWithUsage,
}

/// Why a request cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AskedError {
    /// Not a JSON object, or a field of the wrong type.
    #[error("We could not parse the JSON body of your request.")]
    Json,
    /// No model.
    #[error("you must provide a model parameter")]
    NoModel,
    /// Past a bound.
    #[error("Invalid value for 'n': expected 1 to 128.")]
    Choices,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    n: Option<u32>,
    #[serde(borrow)]
    tools: Option<Vec<Tool<'a>>>,
    #[serde(borrow)]
    user: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
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

    /// Reads a chat request; messages and all that is not needed are skipped, not kept.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, AskedError> {
        let body: Body<'_> = serde_json::from_slice(body).map_err(|_| AskedError::Json)?;
        let model = body.model.ok_or(AskedError::NoModel)?.into_owned();
        let choices = body.n.unwrap_or(1);
        if !(1..=MOST_CHOICES).contains(&choices) {
            return Err(AskedError::Choices);
        }
        let usage = body
            .stream_options
            .and_then(|options| options.include_usage);
        let delivery = match (body.stream, usage) {
            (Some(true), Some(true)) => Delivery::StreamWithUsage,
            (Some(true), _) => Delivery::Stream,
            _ => Delivery::Whole,
        };
        let tools = body.tools.unwrap_or_default();
        let tool = tools
            .into_iter()
            .find_map(|tool| tool.function)
            .map(|f| f.name.into_owned());
        let canary = body
            .user
            .as_deref()
            .and_then(|user| user.strip_prefix("canary:"));
        let canary = canary.filter(|canary| is_canary(canary)).map(str::to_owned);
        Ok(Self {
            model,
            delivery,
            choices,
            tool,
            canary,
        })
    }
}

/// What an embeddings request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EmbeddingsAsked {
    /// The model's name.
    pub(crate) model: String,
    /// How many vectors: 1 to 2,048, the most that `OpenAI` takes.
    pub(crate) inputs: usize,
    /// Numbers in each: 1 to 4,096.
    pub(crate) dimensions: usize,
    /// How they are written.
    pub(crate) format: VectorFormat,
}

/// How a vector is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum VectorFormat {
    /// A JSON array.
    #[default]
    Float,
    /// Base64 of little-endian 32-bit floats.
    Base64,
}

#[derive(Deserialize)]
struct EmbeddingsBody<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    input: Input,
    dimensions: Option<usize>,
    #[serde(default)]
    encoding_format: VectorFormat,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Tokens(Vec<u64>),
    Many(Vec<IgnoredAny>),
    One(IgnoredAny),
}

impl EmbeddingsAsked {
    /// Reads an embeddings request.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, AskedError> {
        let body: EmbeddingsBody<'_> =
            serde_json::from_slice(body).map_err(|_| AskedError::Json)?;
        let inputs = match body.input {
            Input::Tokens(tokens) if tokens.is_empty() => return Err(AskedError::Json),
            Input::Tokens(_) | Input::One(_) => 1,
            Input::Many(inputs) => inputs.len(),
        };
        let dimensions = body.dimensions.unwrap_or(8);
        if inputs > 2048 || !(1..=4096).contains(&dimensions) {
            return Err(AskedError::Json);
        }
        let model = body.model.ok_or(AskedError::NoModel)?.into_owned();
        Ok(Self {
            model,
            inputs,
            dimensions,
            format: body.encoding_format,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_answer_depends_on_is_read() {
        let asked = Asked::parse(
            br#"{"messages":[{"x":[1]}],"mod\u0065l":"a\"b","n":2,"stream":true,"user":"canary:c1",
                "stream_options":{"include_usage":true},"tools":[{"type":"x"},{"function":{"name":"f"}}]}"#,
        );
        let expected = Asked {
            model: "a\"b".to_owned(),
            delivery: Delivery::StreamWithUsage,
            choices: 2,
            tool: Some("f".to_owned()),
            canary: Some("c1".to_owned()),
        };
        assert_eq!(asked, Ok(expected));
    }

    #[test]
    fn what_cannot_be_answered_is_refused() {
        let cases: [(&[u8], AskedError); 4] = [
            (b"{", AskedError::Json),
            (b"[]", AskedError::Json),
            (b"{}", AskedError::NoModel),
            (br#"{"model":"m","n":0}"#, AskedError::Choices),
        ];
        for (body, expected) in cases {
            assert_eq!(
                Asked::parse(body),
                Err(expected),
                "{}",
                String::from_utf8_lossy(body)
            );
        }
    }

    #[test]
    fn inputs_of_an_embedding_are_counted() {
        let cases = [
            (r#""a""#, 1),
            (r#"["a","b"]"#, 2),
            ("[1,2,3]", 1),
            ("[[1],[2,3]]", 2),
        ];
        for (input, inputs) in cases {
            let body = format!(r#"{{"model":"m","input":{input}}}"#);
            assert_eq!(
                EmbeddingsAsked::parse(body.as_bytes()).unwrap().inputs,
                inputs,
                "{input}"
            );
        }
    }
}
