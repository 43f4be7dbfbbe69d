//! What can be read of a whole answer that did not come to its end. Pure.

use std::borrow::Cow;

use crate::relay::said::Said;

/// Fields whose texts no model wrote.
const ENVELOPE: [&[u8]; 16] = [
    b"id",
    b"object",
    b"model",
    b"type",
    b"role",
    b"finish_reason",
    b"stop_reason",
    b"stop_sequence",
    b"system_fingerprint",
    b"service_tier",
    b"signature",
    b"thoughtSignature",
    b"finishReason",
    b"modelVersion",
    b"responseId",
    b"tool_call_id",
];

/// Takes the texts of a document of any format, as far as it goes.
pub(super) fn read(document: &[u8], said: &mut Said) {
    let mut rest = document;
    let mut name: &[u8] = b"";
    while let Some(at) = memchr::memchr(b'"', rest) {
        let inside = rest.get(at + 1..).unwrap_or_default();
        let end = closing(inside);
        let (text, after) = inside.split_at_checked(end).unwrap_or((inside, b""));
        rest = after.get(1..).unwrap_or_default();
        if rest.trim_ascii_start().first() == Some(&b':') {
            name = text;
        } else if name == b"arguments" {
            said.call(&decoded(text));
        } else if !ENVELOPE.contains(&name) {
            said.text(&decoded(text));
        }
    }
}

/// Where a string ends whose opening quote is taken off.
fn closing(text: &[u8]) -> usize {
    let mut from = 0;
    while let Some(at) = memchr::memchr2(b'"', b'\\', text.get(from..).unwrap_or_default()) {
        let at = from + at;
        if text.get(at) == Some(&b'"') {
            return at;
        }
        from = at + 2;
    }
    text.len()
}

/// What a string means; as it stands where it is cut within an escape.
fn decoded(text: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', text).is_some() {
        let quoted = [b"\"", text, b"\""].concat();
        if let Ok(meant) = serde_json::from_slice::<String>(&quoted) {
            return Cow::Owned(meant);
        }
    }
    String::from_utf8_lossy(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect;

    #[test]
    fn what_a_model_wrote_is_read_as_far_as_it_goes() {
        dialect::load_tokenizer();
        let openai = r#"{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"the \"best\" answer is here","tool_calls":[{"id":"call_1","type":"function","function":{"name":"look","arguments":"{\"a\":"#;
        let anthropic = r#"{"id":"msg","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"the best answer is here"},{"type":"tool_use","id":"toolu_1","name":"look","input":{"a":"b c"#;
        let gemini = r#"{"candidates":[{"content":{"parts":[{"text":"the best answer is here"}],"role":"model"},"finishReason":"STOP"}],"modelVersion":"m","respons"#;
        for (document, texts) in [
            (openai, &["the \"best\" answer is herelook", "{\"a\":"][..]),
            (anthropic, &["the best answer is herelookb c"]),
            (gemini, &["the best answer is here"]),
            ("{\"content\":\"\\", &["\\"]),
            ("<html>", &[]),
            ("", &[]),
        ] {
            let mut said = Said::default();
            read(document.as_bytes(), &mut said);
            let expected: u64 = texts.iter().map(|text| dialect::tokens(text).0).sum();
            let tokens = said.tokens().0.0;
            assert!(
                tokens.abs_diff(expected) <= 1,
                "{document}: {tokens} {expected}"
            );
        }
    }
}
