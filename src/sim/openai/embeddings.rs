//! Embeddings: what is asked for, and vectors that follow from their places.

use std::borrow::Cow;
use std::io::Write as _;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::sim::asked::Refused;
use crate::sim::speech::Counts;

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
    /// Reads an embeddings request. A deployment (Azure) stands in place of the model.
    pub(crate) fn parse(body: &[u8], deployment: Option<&str>) -> Result<Self, Refused> {
        let unread = || Refused::request("We could not parse the JSON body of your request.");
        let body: EmbeddingsBody<'_> = serde_json::from_slice(body).map_err(|_| unread())?;
        let inputs = match body.input {
            Input::Tokens(tokens) if tokens.is_empty() => {
                return Err(Refused::request("'$.input' is invalid: it is empty."));
            }
            Input::Tokens(_) | Input::One(_) => 1,
            Input::Many(inputs) => inputs.len(),
        };
        if inputs > 2048 {
            return Err(Refused::request(
                "'$.input' is invalid: at most 2048 inputs.",
            ));
        }
        let dimensions = body.dimensions.unwrap_or(8);
        if !(1..=4096).contains(&dimensions) {
            return Err(Refused::request(
                "Invalid value for 'dimensions': expected 1 to 4096.",
            ));
        }
        let model = match (deployment, body.model) {
            (Some(name), _) => name.to_owned(),
            (None, Some(name)) => name.into_owned(),
            (None, None) => return Err(Refused::request("you must provide a model parameter")),
        };
        Ok(Self {
            model,
            inputs,
            dimensions,
            format: body.encoding_format,
        })
    }
}

/// Vectors whose numbers follow from their places: the `j`th of input `i` is `(i + j) % 8 / 8`.
pub(crate) fn embeddings(asked: &EmbeddingsAsked, body_bytes: u64) -> Vec<u8> {
    let mut out = b"{\"object\":\"list\",\"data\":[".to_vec();
    for input in 0..asked.inputs {
        let comma = if input > 0 { "," } else { "" };
        // A Vec takes every byte: writing to it cannot fail.
        let _ = write!(
            out,
            "{comma}{{\"object\":\"embedding\",\"index\":{input},\"embedding\":{}}}",
            vector(input, asked)
        );
    }
    let tokens = embedded(body_bytes).prompt;
    let model = serde_json::to_string(&asked.model).unwrap_or_default();
    let _ = write!(
        out,
        "],\"model\":{model},\"usage\":{{\"prompt_tokens\":{tokens},\"total_tokens\":{tokens}}}}}"
    );
    out
}

/// What vectors take.
pub(crate) fn embedded(body_bytes: u64) -> Counts {
    Counts {
        prompt: body_bytes.div_ceil(4),
        cached: 0,
        written: 0,
        said: 0,
        thought: 0,
    }
}

fn vector(input: usize, asked: &EmbeddingsAsked) -> String {
    const EIGHTHS: [f32; 8] = [0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875];
    let numbers = EIGHTHS
        .iter()
        .cycle()
        .skip(input % EIGHTHS.len())
        .take(asked.dimensions);
    match asked.format {
        VectorFormat::Float => {
            let numbers: Vec<String> = numbers.map(ToString::to_string).collect();
            format!("[{}]", numbers.join(","))
        }
        VectorFormat::Base64 => {
            let bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
            format!("\"{}\"", base64(&bytes))
        }
    }
}

/// Base64 with padding (RFC 4648 section 4).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for triple in bytes.chunks(3) {
        let at = |index: usize| triple.get(index).copied().map_or(0, u32::from);
        let bits = (at(0) << 16) | (at(1) << 8) | at(2);
        for place in 0..4 {
            let letter = LETTERS.get(((bits >> (18 - 6 * place)) & 63) as usize);
            match letter {
                Some(letter) if place <= triple.len() => text.push(char::from(*letter)),
                _ => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn base64_is_padded() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text, "{bytes}");
        }
    }

    #[test]
    fn both_formats_of_a_vector_hold_the_same_numbers() {
        let mut asked = EmbeddingsAsked {
            model: "m".to_owned(),
            inputs: 2,
            dimensions: 3,
            format: VectorFormat::Float,
        };
        let floats: serde_json::Value = serde_json::from_slice(&embeddings(&asked, 41)).unwrap();
        assert_eq!(floats["data"][1]["embedding"], json!([0.125, 0.25, 0.375]));
        assert_eq!(floats["usage"]["prompt_tokens"], 11);
        asked.format = VectorFormat::Base64;
        let base64: serde_json::Value = serde_json::from_slice(&embeddings(&asked, 41)).unwrap();
        assert_eq!(base64["data"][0]["embedding"], "AAAAAAAAAD4AAIA+");
    }

    #[test]
    fn inputs_are_counted() {
        let cases = [
            (r#""a""#, 1),
            (r#"["a","b"]"#, 2),
            ("[1,2,3]", 1),
            ("[[1],[2,3]]", 2),
        ];
        for (input, inputs) in cases {
            let body = format!(r#"{{"model":"m","input":{input}}}"#);
            let asked = EmbeddingsAsked::parse(body.as_bytes(), None).unwrap();
            assert_eq!(asked.inputs, inputs, "{input}");
        }
        for body in ["{}", r#"{"model":"m","input":[]}"#, r#"{"input":"a"}"#] {
            assert!(
                EmbeddingsAsked::parse(body.as_bytes(), None).is_err(),
                "{body}"
            );
        }
    }
}
