//! Models and embeddings.

use std::io::Write as _;

use serde_json::json;

use crate::sim::asked::{EmbeddingsAsked, VectorFormat};
use crate::sim::openai::terms::CREATED;

/// The list of models.
pub(crate) fn models<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let models: Vec<_> = names.map(entry).collect();
    json!({ "object": "list", "data": models })
        .to_string()
        .into_bytes()
}

/// One model.
pub(crate) fn model(name: &str) -> Vec<u8> {
    entry(name).to_string().into_bytes()
}

fn entry(name: &str) -> serde_json::Value {
    let created: u64 = std::str::from_utf8(CREATED)
        .ok()
        .and_then(|c| c.parse().ok())
        .unwrap_or(0);
    json!({ "id": name, "object": "model", "created": created, "owned_by": "sim" })
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
    let tokens = body_bytes.div_ceil(4);
    let model = serde_json::to_string(&asked.model).unwrap_or_default();
    let _ = write!(
        out,
        "],\"model\":{model},\"usage\":{{\"prompt_tokens\":{tokens},\"total_tokens\":{tokens}}}}}"
    );
    out
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
}
