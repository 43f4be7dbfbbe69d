//! Ids of tool calls for providers that refuse others': a pure function of the original, so that
//! a call and its result still meet, in this request and in every later one.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::deep;
use crate::dialect::profile::ToolIds;
use crate::json::{self, Edit, Fields};

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const NINE: usize = 9;

/// The id as the provider takes it.
pub(super) fn fitting(id: &str, ids: ToolIds) -> Cow<'_, str> {
    match ids {
        ToolIds::Any => Cow::Borrowed(id),
        ToolIds::Nine if is_nine(id) => Cow::Borrowed(id),
        ToolIds::Nine => Cow::Owned(nine(id)),
    }
}

fn is_nine(id: &str) -> bool {
    id.len() == NINE && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn nine(id: &str) -> String {
    let digest = Sha256::digest(id);
    let mut number = digest
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let letters = (0..NINE).filter_map(|_| {
        let letter = usize::try_from(number % 62).ok()?;
        number /= 62;
        LETTERS.get(letter).copied().map(char::from)
    });
    letters.collect()
}

/// `messages` with such ids; `None` where nothing has to change.
pub(super) fn in_messages(messages: &Bytes) -> Option<Bytes> {
    memchr::memmem::find(messages, b"tool_call")?;
    deep::elements(messages, |message| {
        let fields = Fields::index(message).ok()?;
        let calls = fields
            .value(message, "tool_calls")
            .map(|calls| message.slice_ref(calls))
            .and_then(|calls| deep::elements(&calls, |call| in_object(call, "id")));
        let result = in_field(&fields, message, "tool_call_id");
        let edits = [
            calls.map(|calls| Edit::Set("tool_calls", calls)),
            result.map(|id| Edit::Set("tool_call_id", id)),
        ];
        let edits: Vec<_> = edits.into_iter().flatten().collect();
        (!edits.is_empty()).then(|| fields.splice(message, &edits).concat().into())
    })
}

fn in_object(object: &Bytes, name: &str) -> Option<Bytes> {
    let fields = Fields::index(object).ok()?;
    let id = in_field(&fields, object, name)?;
    let edit = Edit::Set(name, id);
    Some(fields.splice(object, &[edit]).concat().into())
}

/// The new id, if it is another.
fn in_field(fields: &Fields, object: &Bytes, name: &str) -> Option<Bytes> {
    let id: &RawValue = serde_json::from_slice(fields.value(object, name)?).ok()?;
    let id: Cow<'_, str> = serde_json::from_str::<String>(id.get()).ok()?.into();
    (!is_nine(&id)).then(|| json::string(&nine(&id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_results_still_meet() {
        let messages = r#"[{"role":"user","content":"tool_call"},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function"},{"id":"abcDEF123"}]},{"role":"tool","tool_call_id":"call_1"},{"role":"tool","tool_call_id":"abcDEF123"},7]"#;
        let changed = in_messages(&Bytes::from_static(messages.as_bytes())).unwrap();
        let id = nine("call_1");
        assert!(is_nine(&id) && id != nine("call_2"));
        assert_eq!(changed, messages.replace("call_1", &id));
        assert_eq!(in_messages(&changed), None);
    }

    /// A later release must make the same ids of a conversation's earlier turns.
    #[test]
    fn an_id_is_forever_the_same() {
        assert_eq!(fitting("call_1", ToolIds::Nine), nine("call_1"));
        assert_eq!(fitting("call_1", ToolIds::Any), "call_1");
        insta::assert_snapshot!(nine("functions.Bash:0"));
    }
}
