//! What a request says of itself beside its prompt: whose it is, and what it is for.

use std::borrow::Cow;

use serde::Deserialize;

use crate::exchange::{Dialect, Request};

/// The longest text that is taken for a name, in bytes; longer ones are none.
const LONGEST: usize = 256;

/// What a request says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// What it is for: `metadata.task_type`.
    pub task: Option<String>,
    /// The caller's own user: `OpenAI`'s `safety_identifier` or `user`, Anthropic's
    /// `metadata.user_id`.
    pub user: Option<String>,
}

/// Reads what a request says of itself. What is no text, or too long for a name, is not said.
pub fn about(request: &Request) -> About {
    let field = |name| {
        let value = request.fields.value(&request.body, name)?;
        Some(serde_json::from_slice::<Name<'_>>(value).ok()?.0)
    };
    let metadata = request
        .fields
        .value(&request.body, "metadata")
        .and_then(|value| serde_json::from_slice::<Metadata<'_>>(value).ok())
        .unwrap_or_default();
    let user = match request.dialect {
        Dialect::OpenAi => field("safety_identifier").or_else(|| field("user")),
        Dialect::Anthropic | Dialect::Gemini => metadata.user_id.map(|name| name.0),
    };
    let kept =
        |text: Cow<'_, str>| (!text.is_empty() && text.len() <= LONGEST).then(|| text.into_owned());
    About {
        task: metadata.task_type.and_then(|name| kept(name.0)),
        user: user.and_then(kept),
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Default, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    task_type: Option<Name<'a>>,
    #[serde(borrow)]
    user_id: Option<Name<'a>>,
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::dialect::parse;
    use crate::exchange::Task;

    fn read(dialect: Dialect, fields: &str) -> (Option<String>, Option<String>) {
        let messages = r#""messages":[{"role":"user","content":"hi"}]"#;
        let body = format!(r#"{{"model":"m","max_tokens":5,{messages}{fields}}}"#);
        let request = parse(dialect, Task::Chat, Bytes::from(body)).unwrap();
        let About { task, user } = about(&request);
        (task, user)
    }

    #[test]
    fn task_and_user_are_read_where_each_format_has_them() {
        let long = format!(r#","user":"{}""#, "x".repeat(257));
        for (dialect, fields, task, user) in [
            (Dialect::OpenAi, "", None, None),
            (Dialect::OpenAi, r#","user":"a\u0062""#, None, Some("ab")),
            (
                Dialect::OpenAi,
                r#","user":"a","safety_identifier":"b","metadata":{"task_type":"sum","user_id":"c"}"#,
                Some("sum"),
                Some("b"),
            ),
            (Dialect::OpenAi, r#","user":7,"metadata":[1]"#, None, None),
            (Dialect::OpenAi, &long, None, None),
            (
                Dialect::Anthropic,
                r#","metadata":{"user_id":"c","task_type":"x","more":[{}]}"#,
                Some("x"),
                Some("c"),
            ),
            (
                Dialect::Anthropic,
                r#","metadata":{"user_id":""}"#,
                None,
                None,
            ),
        ] {
            let expected = (task.map(str::to_owned), user.map(str::to_owned));
            assert_eq!(read(dialect, fields), expected, "{dialect:?} {fields}");
        }
    }
}
