//! What a request of this format needs.

use std::borrow::Cow;

use crate::dialect::prompt::{Asked, Piece, Pieces, Prompt};
use crate::exchange::{Need, Needs, Request, Task};
use crate::json::{Invalid, Walk, Written};

/// What the top of a chat request tells.
pub(in crate::dialect) fn named(request: &Request) -> Needs {
    let value = |name: &str| value(request, name);
    let mut needs = Needs::NONE;
    let mut need = |need: Need, there: bool| {
        if there {
            needs = needs.with(need);
        }
    };
    let tools = tools(value("tools"));
    need(Need::Tools, tools.functions || filled(value("functions")));
    let searches = value("web_search_options").is_some();
    need(Need::NativeTools, tools.others || searches);
    let forced = is_forced(value("tool_choice")) || is_object(value("function_call"));
    need(Need::ToolChoice, forced);
    match kind(value("response_format")).as_deref() {
        Some("json_object") => need(Need::JsonMode, true),
        Some("json_schema") => need(Need::JsonSchema, true),
        Some(_) | None => {}
    }
    need(Need::Choices, request.choices > 1);
    let some = |value: Option<&[u8]>| value.is_some_and(|it| it != b"false" && it != b"0");
    let likely = some(value("logprobs")) || some(value("top_logprobs"));
    need(Need::LogProbs, likely);
    need(Need::LogitBias, filled(value("logit_bias")));
    need(Need::Stop, filled(value("stop")));
    let effort = value("reasoning_effort");
    need(Need::Reasoning, effort.is_some_and(|it| it != b"\"none\""));
    let spoken = value("audio").is_some() || speaks(value("modalities"));
    need(Need::MediaOut, spoken);
    need(Need::Native, value("moderation").is_some());
    needs
}

/// What a request of `POST /v1/completions` needs: the endpoint itself only for what no
/// conversation can stand for.
pub(in crate::dialect) fn completion(request: &Request) -> Needs {
    let value = |name: &str| value(request, name);
    let mut needs = Needs::NONE;
    if request.choices > 1 {
        needs = needs.with(Need::Choices);
    }
    if filled(value("stop")) {
        needs = needs.with(Need::Stop);
    }
    if filled(value("logit_bias")) {
        needs = needs.with(Need::LogitBias);
    }
    let said = |name: &str| value(name).is_some_and(|it| it != b"false" && it != b"\"\"");
    let several = value("best_of").is_some_and(|it| it != b"1");
    let one_text = value("prompt").is_some_and(|it| it.starts_with(b"\""));
    if said("echo") || said("suffix") || said("logprobs") || several || !one_text {
        needs = needs.with(Need::Completions);
    }
    needs
}

/// The JSON that is asked for.
pub(in crate::dialect) fn json(request: &Request) -> Option<Asked<'_>> {
    let format = value(request, "response_format")?;
    match kind(Some(format)).as_deref() {
        Some("json_object") => Some(Asked::Object),
        Some("json_schema") => {
            let schema = field(format, "json_schema").and_then(|it| field(it, "schema"));
            schema.map(Asked::Schema)
        }
        Some(_) | None => None,
    }
}

/// A field of an object.
fn field<'a>(value: &'a [u8], field: &str) -> Option<&'a [u8]> {
    let mut found = None;
    let _ = Walk::new(value).fields(|walk, name| {
        if name.text() == field {
            found = Some(walk.pass()?);
        }
        Ok(())
    });
    found
}

/// Walks over the prompt.
pub(in crate::dialect) fn prompt(request: &Request, pieces: &mut Pieces<'_>) -> Prompt {
    let mut found = Prompt::default();
    let document = &request.body;
    let texts_of = match request.task {
        Task::Completion => Some("prompt"),
        // Each of its inputs has the window to itself.
        Task::Embedding | Task::Chat | Task::Count => None,
    };
    if let Some(prompt) = texts_of.and_then(|name| request.fields.value(document, name)) {
        let _ = texts(&mut Walk::new(prompt), pieces);
    }
    if let Some(messages) = request.fields.value(document, "messages") {
        // The document has been checked: it does not end early.
        let _ = Walk::new(messages).items(|walk| {
            found.turns += 1;
            message(walk, &mut found, pieces)
        });
    }
    found
}

fn message(
    walk: &mut Walk<'_>,
    found: &mut Prompt,
    pieces: &mut Pieces<'_>,
) -> Result<(), Invalid> {
    walk.fields(|walk, name| {
        match &*name.text() {
            "content" if walk.peek() == Some(b'[') => {
                walk.items(|walk| part(walk, found, pieces))?;
            }
            "content" | "refusal" => tell(walk.string()?, pieces),
            "tool_calls" => {
                let mut calls = 0_u32;
                walk.items(|walk| {
                    calls += 1;
                    call(walk, pieces)
                })?;
                let mut need = |need| found.needs = found.needs.with(need);
                if calls > 0 {
                    need(Need::Tools);
                }
                if calls > 1 {
                    need(Need::ParallelTools);
                }
            }
            "function_call" if walk.peek() == Some(b'{') => {
                found.needs = found.needs.with(Need::Tools);
                call(walk, pieces)?;
            }
            // An answer that the vendor keeps.
            "audio" if walk.peek() == Some(b'{') => found.needs = found.needs.with(Need::Native),
            _ => {}
        }
        Ok(())
    })
}

fn part(walk: &mut Walk<'_>, found: &mut Prompt, pieces: &mut Pieces<'_>) -> Result<(), Invalid> {
    let mut kind = None;
    let mut text = None;
    let mut kept = false;
    walk.fields(|walk, name| {
        match &*name.text() {
            "type" => kind = walk.string()?,
            "text" | "refusal" => text = walk.string()?.or(text),
            "file" => walk.fields(|walk, name| {
                kept |= name.text() == "file_id" && walk.peek() == Some(b'"');
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    let need = match kind.map(Written::text).as_deref() {
        Some("text" | "refusal") => {
            tell(text, pieces);
            return Ok(());
        }
        Some("image_url") => Need::Images,
        Some("input_audio") => Need::AudioIn,
        Some("file") => Need::Documents,
        Some(_) | None => return Ok(()),
    };
    found.media += 1;
    found.needs = found.needs.with(need);
    if need == Need::Documents && kept {
        found.needs = found.needs.with(Need::Native);
    }
    Ok(())
}

/// The words of a call, in whichever of its forms.
fn call(walk: &mut Walk<'_>, pieces: &mut Pieces<'_>) -> Result<(), Invalid> {
    walk.fields(|walk, name| {
        match &*name.text() {
            "name" | "arguments" => tell(walk.string()?, pieces),
            "function" | "custom" => walk.fields(|walk, name| {
                if matches!(&*name.text(), "name" | "arguments" | "input") {
                    tell(walk.string()?, pieces);
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })
}

fn texts(walk: &mut Walk<'_>, pieces: &mut Pieces<'_>) -> Result<(), Invalid> {
    if walk.peek() == Some(b'"') {
        tell(walk.string()?, pieces);
        return Ok(());
    }
    walk.items(|walk| {
        tell(walk.string()?, pieces);
        Ok(())
    })
}

fn tell(text: Option<Written<'_>>, pieces: &mut Pieces<'_>) {
    if let Some(text) = text {
        pieces(Piece::Text(text));
    }
}

/// Which kinds of tools there are.
#[derive(Default)]
struct Tools {
    functions: bool,
    others: bool,
}

fn tools(value: Option<&[u8]>) -> Tools {
    let mut found = Tools::default();
    if let Some(value) = value {
        let _ = Walk::new(value).items(|walk| {
            let kind = kind(Some(walk.pass()?));
            // Compatible servers take functions without a type.
            let function = kind.is_none_or(|kind| kind == "function");
            found.functions |= function;
            found.others |= !function;
            Ok(())
        });
    }
    found
}

/// Whether a call must be made. Of tools that are merely allowed, none must.
fn is_forced(choice: Option<&[u8]>) -> bool {
    let Some(choice) = choice else {
        return false;
    };
    if choice == b"\"required\"" {
        return true;
    }
    if !choice.starts_with(b"{") {
        return false;
    }
    if kind(Some(choice)).as_deref() != Some("allowed_tools") {
        return true;
    }
    let mut required = false;
    let _ = Walk::new(choice).fields(|walk, name| {
        if name.text() != "allowed_tools" {
            return Ok(());
        }
        walk.fields(|walk, name| {
            if name.text() == "mode" {
                required = walk.string()?.is_some_and(|it| it.text() == "required");
            }
            Ok(())
        })
    });
    required
}

/// Whether anything but text is wanted.
fn speaks(modalities: Option<&[u8]>) -> bool {
    let mut other = false;
    if let Some(modalities) = modalities {
        let _ = Walk::new(modalities).items(|walk| {
            other |= walk.string()?.is_some_and(|it| it.text() != "text");
            Ok(())
        });
    }
    other
}

/// The `type` of an object.
fn kind(value: Option<&[u8]>) -> Option<Cow<'_, str>> {
    let mut kind = None;
    let _ = Walk::new(value?).fields(|walk, name| {
        if name.text() == "type" {
            kind = walk.string()?.map(Written::text);
        }
        Ok(())
    });
    kind
}

fn is_object(value: Option<&[u8]>) -> bool {
    value.is_some_and(|value| value.starts_with(b"{"))
}

/// Whether there is something in a string, an array or an object.
fn filled(value: Option<&[u8]>) -> bool {
    value.is_some_and(|value| match value {
        [b'"', rest @ ..] => rest != b"\"",
        [b'[' | b'{', rest @ ..] => {
            !rest.trim_ascii_start().starts_with(b"]") && !rest.trim_ascii_start().starts_with(b"}")
        }
        _ => false,
    })
}

fn value<'a>(request: &'a Request, name: &str) -> Option<&'a [u8]> {
    let value = request.fields.value(&request.body, name);
    value.filter(|value| *value != b"null")
}
