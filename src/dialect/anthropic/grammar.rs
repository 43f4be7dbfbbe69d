//! A second reader of this format's streams, for tests: strict where clients may be, and written
//! without a word of the decoder's.

use bytes::Bytes;
use serde_json::Value;

use crate::sse::{Decoder, Frame};
use crate::units::ByteSize;

/// What a stream said.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heard {
    pub(super) message: Value,
    pub(super) blocks: Vec<Block>,
    pub(super) ending: Value,
    pub(super) usage: Value,
    pub(super) error: Option<Value>,
    pub(super) pings: usize,
}

/// A block with its pieces joined.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Block {
    Text(String),
    Thinking {
        text: String,
        signature: String,
    },
    Tool {
        id: String,
        name: String,
        input: String,
    },
}

impl Heard {
    pub(super) fn text(&self) -> String {
        let texts = self.blocks.iter().filter_map(|block| match block {
            Block::Text(text) => Some(&**text),
            _ => None,
        });
        texts.collect()
    }
}

/// Reads a whole stream.
///
/// # Errors
/// The rule that it breaks.
pub(super) fn read(bytes: &[u8]) -> Result<Heard, String> {
    let mut decoder = Decoder::new(ByteSize::mib(64));
    decoder.push(Bytes::copy_from_slice(bytes));
    let mut heard = Heard::default();
    let (mut open, mut next, mut over, mut ended) = (None, 0, false, false);
    while let Some(frame) = decoder.next_frame().map_err(|error| error.to_string())? {
        let (name, data) = document(frame)?;
        if over {
            return Err(format!("after the end: {data}"));
        }
        if heard.message.is_null() && !matches!(&name[..], b"message_start" | b"error") {
            return Err(format!("before the start: {data}"));
        }
        let at = |open: Option<u64>| match data["index"].as_u64() {
            index if index.is_some() && index == open => Ok(()),
            index => Err(format!("{index:?} while {open:?} is open: {data}")),
        };
        match &name[..] {
            b"message_start" if heard.message.is_null() => {
                heard.message = data["message"].clone();
                check_message(&heard.message)?;
            }
            b"content_block_start" if open.is_none() && !ended => {
                at(Some(next))?;
                open = Some(next);
                next += 1;
                heard.blocks.push(opened(&data["content_block"])?);
            }
            b"content_block_delta" => {
                at(open)?;
                let block = heard.blocks.last_mut().ok_or("no block")?;
                add(block, &data["delta"])?;
            }
            b"content_block_stop" => {
                at(open)?;
                open = None;
            }
            b"message_delta" if open.is_none() && !ended => {
                ended = true;
                heard.ending = data["delta"].clone();
                heard.usage = data["usage"].clone();
                if !heard.ending["stop_reason"].is_string() {
                    return Err(format!("no reason in {data}"));
                }
                check_usage(&heard.usage)?;
            }
            b"message_stop" if ended => over = true,
            b"error" => {
                heard.error = Some(data["error"].clone());
                over = true;
            }
            b"ping" => heard.pings += 1,
            _ => return Err(format!("out of place: {data}")),
        }
    }
    if decoder.pending() > 0 || !over {
        return Err("no end".to_owned());
    }
    Ok(heard)
}

/// The frame's name and document, which must agree.
fn document(frame: Frame) -> Result<(Bytes, Value), String> {
    let name = frame.event.ok_or("a frame without a name")?;
    let data = frame.data.ok_or("a frame without data")?;
    let data: Value = serde_json::from_slice(&data).map_err(|error| error.to_string())?;
    if data["type"].as_str().map(str::as_bytes) != Some(&name[..]) {
        return Err(format!("{name:?} is not the type of {data}"));
    }
    Ok((name, data))
}

fn check_message(message: &Value) -> Result<(), String> {
    let whole = message["id"].is_string()
        && message["model"].is_string()
        && message["type"] == "message"
        && message["role"] == "assistant"
        && message["content"] == Value::Array(Vec::new())
        && message["stop_reason"].is_null();
    if !whole {
        return Err(format!("no message: {message}"));
    }
    check_usage(&message["usage"])
}

fn check_usage(usage: &Value) -> Result<(), String> {
    for name in ["input_tokens", "output_tokens"] {
        if !usage[name].is_u64() {
            return Err(format!("no {name} in {usage}"));
        }
    }
    Ok(())
}

fn opened(block: &Value) -> Result<Block, String> {
    let text = |name: &str| {
        let text = block[name].as_str();
        text.map(str::to_owned)
            .ok_or(format!("no {name} in {block}"))
    };
    match block["type"].as_str() {
        Some("text") => Ok(Block::Text(text("text")?)),
        Some("thinking") => Ok(Block::Thinking {
            text: text("thinking")?,
            signature: text("signature")?,
        }),
        Some("tool_use") => {
            let id = text("id")?;
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            if id.is_empty() || !id.bytes().all(fits) {
                return Err(format!("no id: {block}"));
            }
            if block["input"] != serde_json::json!({}) {
                return Err(format!("no input: {block}"));
            }
            Ok(Block::Tool {
                id,
                name: text("name")?,
                input: String::new(),
            })
        }
        _ => Err(format!("unknown block {block}")),
    }
}

fn add(block: &mut Block, delta: &Value) -> Result<(), String> {
    let text = |name: &str| delta[name].as_str().ok_or(format!("no {name} in {delta}"));
    match (block, delta["type"].as_str()) {
        (Block::Text(so_far), Some("text_delta")) => so_far.push_str(text("text")?),
        (Block::Thinking { text: so_far, .. }, Some("thinking_delta")) => {
            so_far.push_str(text("thinking")?);
        }
        // As the SDKs do: a second one replaces the first.
        (Block::Thinking { signature, .. }, Some("signature_delta")) => {
            text("signature")?.clone_into(signature);
        }
        (Block::Tool { input, .. }, Some("input_json_delta")) => {
            input.push_str(text("partial_json")?);
        }
        (block, _) => return Err(format!("{delta} in {block:?}")),
    }
    Ok(())
}
