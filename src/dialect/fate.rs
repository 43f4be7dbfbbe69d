//! What becomes of each parameter on its way to another format: one table for each client's format.
//!
//! What the caller relies on disqualifies a target that has no such thing; wishes are dropped, and
//! named. What a format does not know is another vendor's, and dropped too.

use std::borrow::Cow;

use self::Fate::{Dropped, Mapped, Relied};
use self::When::{Audio, Filled, Present, Several, True};
use crate::exchange::{Dialect, Need, Request, Task};

/// The most names that are told of one request, and the most bytes of one.
const MOST_NAMES: usize = 32;
const LONGEST_NAME: usize = 64;

/// What becomes of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is said in the other format's words.
    Mapped,
    /// The other format has no word, and the answer is one without it.
    Dropped,
    /// The other format has no word, and the caller relies on it when it has such a value.
    Relied(Need, When),
}

/// The values that ask for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// Any but null.
    Present,
    /// `true`.
    True,
    /// More than one.
    Several,
    /// Any but null, false and what is empty.
    Filled,
    /// A list with `"audio"` or `"image"` in it.
    Audio,
}

/// A parameter, and its fates in two other formats.
type Row = (&'static str, Fate, Fate);

/// Of Chat Completions: at Anthropic, at Gemini.
#[rustfmt::skip]
const CHAT: &[Row] = &[
    ("model", Mapped, Mapped),
    ("messages", Mapped, Mapped),
    ("max_completion_tokens", Mapped, Mapped),
    ("max_tokens", Mapped, Mapped),
    ("stream", Mapped, Mapped),
    ("stream_options", Mapped, Mapped),
    ("n", Relied(Need::Choices, Several), Mapped),
    ("stop", Mapped, Mapped),
    ("temperature", Mapped, Mapped),
    ("top_p", Mapped, Mapped),
    ("top_k", Mapped, Mapped),
    ("seed", Dropped, Mapped),
    ("presence_penalty", Dropped, Mapped),
    ("frequency_penalty", Dropped, Mapped),
    ("tools", Mapped, Mapped),
    ("tool_choice", Mapped, Mapped),
    ("functions", Mapped, Mapped),
    ("function_call", Mapped, Mapped),
    ("parallel_tool_calls", Mapped, Dropped),
    ("response_format", Mapped, Mapped),
    ("reasoning_effort", Mapped, Mapped),
    ("reasoning", Mapped, Mapped),
    ("user", Mapped, Dropped),
    ("safety_identifier", Mapped, Dropped),
    ("verbosity", Dropped, Dropped),
    ("prediction", Dropped, Dropped),
    ("store", Dropped, Dropped),
    ("metadata", Dropped, Dropped),
    ("service_tier", Dropped, Dropped),
    ("prompt_cache_key", Dropped, Dropped),
    ("prompt_cache_options", Dropped, Dropped),
    ("prompt_cache_retention", Dropped, Dropped),
    ("logprobs", Relied(Need::LogProbs, True), Relied(Need::LogProbs, True)),
    ("top_logprobs", Relied(Need::LogProbs, Filled), Relied(Need::LogProbs, Filled)),
    ("logit_bias", Relied(Need::LogitBias, Filled), Relied(Need::LogitBias, Filled)),
    ("modalities", Relied(Need::MediaOut, Audio), Relied(Need::MediaOut, Audio)),
    ("audio", Relied(Need::MediaOut, Filled), Relied(Need::MediaOut, Filled)),
    ("web_search_options", Relied(Need::Native, Present), Relied(Need::Native, Present)),
    ("moderation", Relied(Need::Native, Present), Relied(Need::Native, Present)),
];

/// Of Messages: at `OpenAI`, at Gemini.
#[rustfmt::skip]
const MESSAGES: &[Row] = &[
    ("model", Mapped, Mapped),
    ("messages", Mapped, Mapped),
    ("system", Mapped, Mapped),
    ("max_tokens", Mapped, Mapped),
    ("stream", Mapped, Mapped),
    ("stop_sequences", Mapped, Mapped),
    ("temperature", Mapped, Mapped),
    ("top_p", Mapped, Mapped),
    // Of servers of `OpenAI`'s format some take it: what is written says it.
    ("top_k", Mapped, Mapped),
    ("tools", Mapped, Mapped),
    ("tool_choice", Mapped, Mapped),
    ("thinking", Mapped, Mapped),
    ("output_config", Mapped, Mapped),
    ("output_format", Mapped, Mapped),
    ("metadata", Mapped, Dropped),
    ("service_tier", Dropped, Dropped),
    ("speed", Dropped, Dropped),
    ("cache_control", Dropped, Dropped),
    ("diagnostics", Dropped, Dropped),
    ("inference_geo", Relied(Need::Native, Filled), Relied(Need::Native, Filled)),
    ("fallbacks", Dropped, Dropped),
    ("user_profile_id", Dropped, Dropped),
    // A wish to save tokens: without it the history is what the client sent.
    ("context_management", Dropped, Dropped),
    ("container", Relied(Need::Native, Filled), Relied(Need::Native, Filled)),
    ("mcp_servers", Relied(Need::NativeTools, Filled), Relied(Need::NativeTools, Filled)),
];

/// Of plain completions that are asked for as a chat: whatever the format, in both columns.
#[rustfmt::skip]
const COMPLETIONS: &[Row] = &[
    ("model", Mapped, Mapped),
    ("prompt", Mapped, Mapped),
    ("max_tokens", Mapped, Mapped),
    ("stream", Mapped, Mapped),
    ("stream_options", Mapped, Mapped),
    ("n", Relied(Need::Choices, Several), Mapped),
    ("stop", Mapped, Mapped),
    ("temperature", Mapped, Mapped),
    ("top_p", Mapped, Mapped),
    ("top_k", Mapped, Mapped),
    ("seed", Dropped, Mapped),
    ("presence_penalty", Dropped, Mapped),
    ("frequency_penalty", Dropped, Mapped),
    ("user", Mapped, Dropped),
    ("safety_identifier", Mapped, Dropped),
    ("echo", Relied(Need::Completions, True), Relied(Need::Completions, True)),
    ("suffix", Relied(Need::Completions, Filled), Relied(Need::Completions, Filled)),
    ("best_of", Relied(Need::Completions, Several), Relied(Need::Completions, Several)),
    ("logprobs", Relied(Need::Completions, Present), Relied(Need::Completions, Present)),
    ("logit_bias", Relied(Need::LogitBias, Filled), Relied(Need::LogitBias, Filled)),
];

/// The parameters of a request that a provider of another format does not hear of, by the client's
/// names for them.
pub(super) fn dropped(request: &Request, provider: Dialect) -> Vec<Cow<'static, str>> {
    let value = |name: &str| request.fields.value(&request.body, name);
    let unheard = request.fields.names().filter_map(|name| {
        if value(name) == Some(b"null") {
            return None;
        }
        match table(request).iter().find(|row| row.0 == name) {
            Some(row) => (fate(row, request, provider) == Dropped).then_some(Cow::Borrowed(row.0)),
            None => Some(Cow::Owned(shown(name))),
        }
    });
    unheard.take(MOST_NAMES).collect()
}

/// What a provider of another format lacks of what the parameters ask for, as far as the table
/// knows.
pub(super) fn disqualifying(request: &Request, provider: Dialect) -> Option<Need> {
    table(request)
        .iter()
        .find_map(|row| relied(request, row.0, fate(row, request, provider)))
}

/// What the parameters ask for that no other format has.
pub(super) fn unspoken(request: &Request) -> Option<Need> {
    let rows = table(request).iter();
    let mut nowhere = rows.filter(|row| row.1 == row.2);
    nowhere.find_map(|row| relied(request, row.0, row.1))
}

/// Whether a parameter has a value that a caller relies on.
pub(super) fn asks(request: &Request, name: &str, need: Need) -> bool {
    let when = match need {
        Need::Choices => Several,
        _ => Filled,
    };
    relied(request, name, Relied(need, when)).is_some()
}

fn table(request: &Request) -> &'static [Row] {
    match (request.dialect, request.task) {
        (Dialect::OpenAi, Task::Completion) => COMPLETIONS,
        (Dialect::OpenAi | Dialect::Gemini, _) => CHAT,
        (Dialect::Anthropic, _) => MESSAGES,
    }
}

fn fate(row: &Row, request: &Request, provider: Dialect) -> Fate {
    match (request.dialect, provider) {
        // The same format, another endpoint: all that has a word keeps it.
        (Dialect::OpenAi, Dialect::OpenAi) if row.1 == row.2 => row.1,
        (Dialect::OpenAi, Dialect::OpenAi) => Mapped,
        (Dialect::OpenAi, Dialect::Anthropic) | (Dialect::Anthropic, Dialect::OpenAi) => row.1,
        _ => row.2,
    }
}

fn relied(request: &Request, name: &str, fate: Fate) -> Option<Need> {
    let Relied(need, when) = fate else {
        return None;
    };
    let value = request.fields.value(&request.body, name)?;
    applies(when, value).then_some(need)
}

fn applies(when: When, value: &[u8]) -> bool {
    match when {
        Present => value != b"null",
        True => value == b"true",
        Several => !matches!(value, b"null" | b"0" | b"1"),
        Filled => match value {
            b"null" | b"false" | b"0" | b"\"\"" => false,
            [b'[' | b'{', inner @ .., _] => !inner.trim_ascii().is_empty(),
            _ => true,
        },
        Audio => ["\"audio\"", "\"image\""]
            .iter()
            .any(|word| memchr::memmem::find(value, word.as_bytes()).is_some()),
    }
}

/// A name that nobody has chosen but the client, as far as a header and a log line can hold it.
fn shown(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    name.chars()
        .take(LONGEST_NAME)
        .map(|letter| if plain(letter) { letter } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::openai::parse;

    fn request(task: Task, fields: &str) -> Request {
        let body = match task {
            Task::Completion => format!(r#"{{"model":"m","prompt":"p"{fields}}}"#),
            _ => format!(r#"{{"model":"m","messages":[{{}}]{fields}}}"#),
        };
        parse::request(task, body.into()).unwrap()
    }

    #[test]
    fn what_a_caller_relies_on_disqualifies_and_wishes_are_dropped_by_name() {
        use Dialect::{Anthropic, Gemini};
        let chat = |fields| request(Task::Chat, fields);
        for (fields, provider, need, names) in [
            ("", Anthropic, None, ""),
            (
                r#","seed":1,"verbosity":"low""#,
                Anthropic,
                None,
                "seed verbosity",
            ),
            (r#","seed":1,"verbosity":null"#, Gemini, None, ""),
            (r#","n":1"#, Anthropic, None, ""),
            (r#","n":2"#, Anthropic, Some(Need::Choices), ""),
            (r#","n":2"#, Gemini, None, ""),
            (
                r#","logprobs":false,"top_logprobs":0,"logit_bias":{ }"#,
                Gemini,
                None,
                "",
            ),
            (r#","logprobs":true"#, Gemini, Some(Need::LogProbs), ""),
            (r#","top_logprobs":2"#, Gemini, Some(Need::LogProbs), ""),
            (
                r#","logit_bias":{"1":2}"#,
                Anthropic,
                Some(Need::LogitBias),
                "",
            ),
            (r#","modalities":["text"]"#, Anthropic, None, ""),
            (
                r#","modalities":["text","audio"]"#,
                Anthropic,
                Some(Need::MediaOut),
                "",
            ),
            (
                r#","web_search_options":{}"#,
                Gemini,
                Some(Need::Native),
                "",
            ),
            (r#","x-y":1,"a\n\"b":2"#, Gemini, None, "x-y a??b"),
        ] {
            let request = chat(fields);
            assert_eq!(disqualifying(&request, provider), need, "{fields}");
            assert_eq!(dropped(&request, provider).join(" "), names, "{fields}");
        }
    }

    #[test]
    fn a_completion_is_a_chat_unless_it_asks_for_more() {
        for (fields, need) in [
            (
                r#","echo":false,"suffix":"","best_of":1,"logprobs":null,"n":3"#,
                None,
            ),
            (r#","echo":true"#, Some(Need::Completions)),
            (r#","suffix":"x""#, Some(Need::Completions)),
            (r#","best_of":2"#, Some(Need::Completions)),
            (r#","logprobs":0"#, Some(Need::Completions)),
        ] {
            let request = request(Task::Completion, fields);
            assert_eq!(disqualifying(&request, Dialect::OpenAi), need, "{fields}");
        }
    }

    #[test]
    fn no_name_stands_twice_in_a_table() {
        for table in [CHAT, MESSAGES, COMPLETIONS] {
            for row in table {
                let same = table.iter().filter(|other| other.0 == row.0);
                assert_eq!(same.count(), 1, "{}", row.0);
            }
        }
    }

    #[test]
    fn endless_names_are_cut() {
        let fields: Vec<_> = (0..500)
            .map(|at| format!(r#","{}{at}":1"#, "x".repeat(99)))
            .collect();
        let fields = fields.concat();
        let names = dropped(&request(Task::Chat, &fields), Dialect::Gemini);
        assert_eq!(names.len(), MOST_NAMES);
        assert!(names.iter().all(|name| name.len() == LONGEST_NAME));
    }
}
