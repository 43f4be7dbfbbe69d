//! A whole answer as one document.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::piece::{Calls, finish, put_call_id, put_head, put_number, put_signature, put_usage};
use crate::dialect::voices::Label;
use crate::exchange::{Answer, AsideKind, Choice, Piece, Task};
use crate::json::{put_string, put_text};

/// A whole answer.
pub fn whole(task: Task, answer: &Answer, label: &Label<'_>) -> Bytes {
    let object = match task {
        Task::Completion => "text_completion",
        Task::Chat | Task::Embedding | Task::Count => "chat.completion",
    };
    let mut out = BytesMut::with_capacity(1024);
    put_head(task, object, label, &mut out);
    let mut choices: Vec<_> = answer.choices.iter().collect();
    choices.sort_by_key(|choice| choice.index);
    for (at, choice) in choices.into_iter().enumerate() {
        if at > 0 {
            out.put_u8(b',');
        }
        match task {
            Task::Completion => put_text_choice(choice, &mut out),
            Task::Chat | Task::Embedding | Task::Count => put_choice(choice, label, &mut out),
        }
    }
    out.put_u8(b']');
    if let Some(usage) = &answer.usage {
        out.put_slice(b",\"usage\":");
        put_usage(&mut out, usage);
    }
    out.put_u8(b'}');
    out.freeze()
}

fn put_text_choice(choice: &Choice, out: &mut BytesMut) {
    out.put_slice(b"{\"text\":\"");
    for piece in &choice.pieces {
        if let Piece::Text(text) | Piece::Refusal(text) = piece {
            put_text(out, text);
        }
    }
    out.put_slice(b"\",\"index\":");
    put_number(out, choice.index.into());
    out.put_slice(b",\"logprobs\":null,\"finish_reason\":");
    let reason = choice.finish.map(|reason| finish(reason, Calls::Untold));
    put_word(out, reason);
    out.put_u8(b'}');
}

fn put_choice(choice: &Choice, label: &Label<'_>, out: &mut BytesMut) {
    out.put_slice(b"{\"index\":");
    put_number(out, choice.index.into());
    out.put_slice(b",\"message\":{\"role\":\"assistant\",\"content\":");
    put_message(choice, label, out);
    out.put_slice(b"},\"logprobs\":");
    put_logprobs(choice, out);
    out.put_slice(b",\"finish_reason\":");
    let calls = Calls::of(choice.pieces.iter().filter(|piece| is_call(piece)).count());
    put_word(out, choice.finish.map(|reason| finish(reason, calls)));
    out.put_u8(b'}');
}

fn is_call(piece: &Piece) -> bool {
    matches!(piece, Piece::Call { .. })
}

fn put_message(choice: &Choice, label: &Label<'_>, out: &mut BytesMut) {
    let is_text = |piece: &Piece| matches!(piece, Piece::Text(_));
    let is_refusal = |piece: &Piece| matches!(piece, Piece::Refusal(_));
    let is_thought =
        |piece: &Piece| matches!(piece, Piece::Reasoning { text, .. } if !text.is_empty());
    let pieces = &choice.pieces;
    if pieces.iter().any(is_text) || !pieces.iter().any(|one| is_call(one) || is_refusal(one)) {
        put_all(choice, is_text, out);
    } else {
        out.put_slice(b"null");
    }
    out.put_slice(b",\"refusal\":");
    if pieces.iter().any(is_refusal) {
        put_all(choice, is_refusal, out);
    } else {
        out.put_slice(b"null");
    }
    if pieces.iter().any(is_thought) {
        out.put_slice(b",\"reasoning_content\":");
        put_all(choice, is_thought, out);
    }
    if let Some(list) = aside(choice, AsideKind::Annotations) {
        out.put_slice(b",\"annotations\":");
        out.put_slice(list.as_bytes());
    }
    if pieces.iter().any(is_call) {
        out.put_slice(b",\"tool_calls\":");
        let calls = pieces.iter().filter(|piece| is_call(piece)).zip(0_u32..);
        for (call, place) in calls {
            out.put_u8(if place == 0 { b'[' } else { b',' });
            put_call(call, choice.index, place, label, out);
        }
        out.put_u8(b']');
    }
}

/// The texts of some pieces as one.
fn put_all(choice: &Choice, wanted: impl Fn(&Piece) -> bool, out: &mut BytesMut) {
    out.put_u8(b'"');
    for piece in choice.pieces.iter().filter(|piece| wanted(piece)) {
        if let Piece::Text(text) | Piece::Refusal(text) | Piece::Reasoning { text, .. } = piece {
            put_text(out, text);
        }
    }
    out.put_u8(b'"');
}

fn put_call(call: &Piece, choice: u32, place: u32, label: &Label<'_>, out: &mut BytesMut) {
    let Piece::Call {
        id,
        name,
        arguments,
        signature,
        ..
    } = call
    else {
        return;
    };
    out.put_slice(b"{\"id\":");
    put_call_id(out, id, label.id, choice, place);
    out.put_slice(b",\"type\":\"function\",\"function\":{\"name\":");
    put_string(out, name);
    out.put_slice(b",\"arguments\":");
    put_string(out, arguments);
    out.put_u8(b'}');
    if !signature.is_empty() {
        out.put_u8(b',');
        put_signature(out, signature);
    }
    out.put_u8(b'}');
}

fn put_logprobs(choice: &Choice, out: &mut BytesMut) {
    let content = aside(choice, AsideKind::LogProbs);
    let refusal = aside(choice, AsideKind::RefusalLogProbs);
    if content.is_none() && refusal.is_none() {
        out.put_slice(b"null");
        return;
    }
    out.put_slice(b"{\"content\":");
    out.put_slice(content.unwrap_or("null").as_bytes());
    out.put_slice(b",\"refusal\":");
    out.put_slice(refusal.unwrap_or("null").as_bytes());
    out.put_u8(b'}');
}

fn aside(choice: &Choice, kind: AsideKind) -> Option<&str> {
    let found = choice.asides.iter().find(|(own, _)| *own == kind)?;
    Some(&found.1)
}

fn put_word(out: &mut BytesMut, word: Option<&str>) {
    match word {
        Some(word) => put_string(out, word),
        None => out.put_slice(b"null"),
    }
}
