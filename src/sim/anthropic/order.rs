//! Who may speak when, and that every tool use has its result where it belongs.

use serde_json::Value;

use crate::sim::anthropic::knobs::Generation;
use crate::sim::asked::Refused;
use crate::sim::heard::{items, text};

/// The messages of one speaker, which the API joins, and the index of the first.
struct Turn<'a> {
    role: &'a str,
    first: usize,
    blocks: Vec<&'a Value>,
    /// The text of a message that is a string.
    plain: Option<&'a str>,
}

/// Checks a list of messages.
pub(super) fn check(messages: &[Value], model: Generation) -> Result<(), Refused> {
    if messages.is_empty() {
        return Err(Refused::request(
            "messages: at least one message is required",
        ));
    }
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let role = text(message, "role");
        let plain = message.get("content").and_then(Value::as_str);
        let blocks = items(message, "content");
        match turns.last_mut() {
            Some(turn) if turn.role == role => {
                turn.blocks.extend(blocks);
                turn.plain = plain;
            }
            _ => turns.push(Turn {
                role,
                first: index,
                blocks: blocks.iter().collect(),
                plain,
            }),
        }
    }
    if turns.first().is_none_or(|turn| turn.role != "user") {
        return Err(Refused::request(
            "messages: first message must use the \"user\" role",
        ));
    }
    pairs(&turns)?;
    last(&turns, model)
}

/// The ids of the blocks of a type.
fn ids<'a>(turn: &Turn<'a>, kind: &str, key: &str) -> Vec<&'a str> {
    let blocks = turn
        .blocks
        .iter()
        .filter(|block| text(block, "type") == kind);
    blocks.map(|block| text(block, key)).collect()
}

fn pairs(turns: &[Turn<'_>]) -> Result<(), Refused> {
    let mut known: Vec<&str> = Vec::new();
    for (at, turn) in turns.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| turns.get(before));
        let asked = before.map_or_else(Vec::new, |turn| ids(turn, "tool_use", "id"));
        for id in ids(turn, "tool_result", "tool_use_id") {
            if !asked.contains(&id) {
                return Err(Refused::request(format!(
                    "messages.{}.content.0: unexpected `tool_use_id` found in `tool_result` \
                     blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` \
                     block in the previous message.",
                    turn.first
                )));
            }
        }
        let uses = ids(turn, "tool_use", "id");
        let twice = uses.iter().enumerate().find(|(index, id)| {
            known.contains(id)
                || uses
                    .iter()
                    .skip(index.saturating_add(1))
                    .any(|other| other == *id)
        });
        if twice.is_some() {
            return Err(Refused::request("messages: `tool_use` ids must be unique"));
        }
        known.extend(&uses);
        answered(turn, &uses, turns.get(at.saturating_add(1)))?;
    }
    Ok(())
}

/// Whether all uses have their results at the beginning of what comes next.
fn answered(turn: &Turn<'_>, uses: &[&str], next: Option<&Turn<'_>>) -> Result<(), Refused> {
    let blocks = next.map_or(&[][..], |turn| turn.blocks.as_slice());
    let results = blocks
        .iter()
        .take_while(|block| text(block, "type") == "tool_result");
    let results: Vec<&str> = results.map(|block| text(block, "tool_use_id")).collect();
    let missing: Vec<&str> = uses
        .iter()
        .copied()
        .filter(|id| !results.contains(id))
        .collect();
    if missing.is_empty() {
        let own = results.iter().filter(|id| uses.contains(id));
        if own.count() > uses.len() {
            return Err(Refused::request(format!(
                "messages.{}.content: each tool_use must have a single result. Found multiple \
                 `tool_result` blocks with the same id",
                turn.first.saturating_add(1)
            )));
        }
        return Ok(());
    }
    Err(Refused::request(format!(
        "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: \
         {}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
        turn.first,
        missing.join(", ")
    )))
}

/// A last message of the model's own: newer models take none, older ones no white space at its end.
fn last(turns: &[Turn<'_>], model: Generation) -> Result<(), Refused> {
    let Some(turn) = turns.last().filter(|turn| turn.role == "assistant") else {
        return Ok(());
    };
    if !model.continues_its_own() {
        return Err(Refused::request(
            "This model does not support assistant message prefill. The conversation must end \
             with a user message.",
        ));
    }
    let end = match (turn.plain, turn.blocks.last()) {
        (Some(plain), _) => plain,
        (None, Some(block)) => text(block, "text"),
        (None, None) => "",
    };
    if end.ends_with(char::is_whitespace) {
        return Err(Refused::request(
            "messages: final assistant content cannot end with trailing whitespace",
        ));
    }
    Ok(())
}
