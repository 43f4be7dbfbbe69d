//! Requests into neutral words and out again, and what profiles make of them.

use std::fmt::Write as _;
use std::iter;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{same, translated};
use crate::dialect::golden::{fixtures, golden};
use crate::dialect::openai::parse;
use crate::dialect::profile::{OwnChange, Paths, Profile};
use crate::dialect::{Ask, Recipient, Unfit};
use crate::exchange::{Abilities, Dialect, Effort, Form, Need, Request, Sampled, Task, Thinking};
use crate::units::Tokens;

fn parsed(task: Task, body: impl Into<Bytes>) -> Request {
    parse::request(task, body.into()).unwrap()
}

fn tree(ask: &Ask) -> Value {
    serde_json::from_slice(&ask.body.concat()).unwrap()
}

fn recipient<'a>(profile: &'a Profile, request: &Request) -> Recipient<'a> {
    Recipient {
        profile,
        ..Recipient::plain(Dialect::OpenAi, "M", request.delivery.form())
    }
}

/// Each recorded request: its neutral words, and the body that a plain provider of this format
/// and one of each kind of profile would get.
#[test]
fn each_recorded_request_says_what_its_snapshot_says() {
    for (name, body) in fixtures("openai_requests", "json") {
        let task = if name.starts_with("completion") {
            Task::Completion
        } else {
            Task::Chat
        };
        let request = parsed(task, body);
        let mut out = String::new();
        match parse::conversation(&request) {
            Err(unfit) => writeln!(out, "{unfit:?}").unwrap(),
            Ok(conversation) => {
                writeln!(out, "{conversation:#?}\n").unwrap();
                for profile in ["", "openai", "mistral", "vllm", "gemini-compatible"] {
                    let profile = Profile::built_in(profile).unwrap_or_default();
                    let ask = translated(&conversation, &recipient(&profile, &request));
                    match ask {
                        Err(unfit) => writeln!(out, "{:?}: {unfit:?}", profile.name).unwrap(),
                        Ok(ask) => {
                            let body = ask.body.concat();
                            let body = String::from_utf8(body).unwrap();
                            serde_json::from_str::<Value>(&body).unwrap();
                            writeln!(out, "{:?}: {body} {:?}", profile.name, ask.dropped).unwrap();
                        }
                    }
                }
            }
        }
        golden("openai", &format!("request_{name}"), &out);
    }
}

/// What is translated into the same format is read as the same conversation again.
#[test]
fn a_translated_request_says_the_same_again() {
    for (name, body) in fixtures("openai_requests", "json") {
        if name.starts_with("completion") {
            continue;
        }
        let request = parsed(Task::Chat, body);
        let Ok(first) = parse::conversation(&request) else {
            continue;
        };
        let profile = Profile::built_in("gemini-compatible").unwrap();
        let ask = translated(&first, &recipient(&profile, &request)).unwrap();
        let again = parsed(Task::Chat, ask.body.concat());
        let again = parse::conversation(&again).unwrap();
        let once = translated(&again, &recipient(&profile, &request)).unwrap();
        assert_eq!(tree(&once), tree(&ask), "{name}");
    }
}

#[test]
fn what_has_no_neutral_word_and_is_relied_on_is_unfit() {
    for (fields, need) in [
        (r#""logprobs":true"#, Need::LogProbs),
        (r#""logit_bias":{"5":1}"#, Need::LogitBias),
        (
            r#""modalities":["text","audio"],"audio":{"voice":"x"}"#,
            Need::MediaOut,
        ),
        (r#""web_search_options":{}"#, Need::Native),
        (r#""moderation":{"model":"m"}"#, Need::Native),
        (
            r#""tools":[{"type":"custom","custom":{"name":"f"}}]"#,
            Need::NativeTools,
        ),
        (r#""tools":[{"type":"web_search"}]"#, Need::NativeTools),
        (
            r#""tool_choice":{"type":"custom","custom":{"name":"f"}}"#,
            Need::NativeTools,
        ),
        (r#""response_format":{"type":"grammar"}"#, Need::Native),
        (
            r#""messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]"#,
            Need::Native,
        ),
        (
            r#""messages":[{"role":"user","content":[{"type":"video_url"}]}]"#,
            Need::Native,
        ),
        (
            r#""messages":[{"role":"assistant","audio":{"id":"a"}}]"#,
            Need::Native,
        ),
    ] {
        let messages = if fields.contains("messages") {
            ""
        } else {
            r#","messages":[{"role":"user","content":"x"}]"#
        };
        let request = parsed(Task::Chat, format!(r#"{{"model":"m",{fields}{messages}}}"#));
        assert_eq!(
            parse::conversation(&request).unwrap_err(),
            Unfit::Lacks(need),
            "{fields}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_blamed_by_its_place_and_never_quoted() {
    for (messages, place) in [
        (r#"{"role":"user","content":7}"#, "messages[1].content"),
        (
            r#"{"role":"user","content":[{"type":"text"}]}"#,
            "messages[1].content",
        ),
        (
            r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/svg+xml,canary"}}]}"#,
            "messages[1].content",
        ),
        (r#"{"role":"canary"}"#, "messages[1].role"),
        (r#"{"content":"canary"}"#, "messages[1]"),
        (
            r#"{"role":"tool","content":"x"}"#,
            "messages[1].tool_call_id",
        ),
        (r#""canary""#, "messages[1]"),
    ] {
        let body =
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"a"}},{messages}]}}"#);
        let request = parsed(Task::Chat, body);
        let unfit = parse::conversation(&request).unwrap_err();
        let Unfit::Unreadable { param, rule } = &unfit else {
            panic!("{messages}: {unfit:?}");
        };
        assert_eq!(param, place, "{messages}");
        assert!(!rule.contains("canary"), "{rule}");
    }
}

/// A request of this format at a provider of a profile: fields in, fields out, names dropped.
#[test]
fn a_profile_is_spliced_into_a_request_of_its_own_format() {
    #[rustfmt::skip]
    let table = [
        ("", r#""max_tokens":5,"seed":1"#, r#""max_tokens":5,"seed":1"#, ""),
        ("openai", r#""max_tokens":5"#, r#""max_completion_tokens":5"#, ""),
        ("openai", r#""max_tokens":5,"max_completion_tokens":9"#, r#""max_completion_tokens":9"#, ""),
        ("openai", r#""max_tokens":5,"max_completion_tokens":null"#, r#""max_completion_tokens":5"#, ""),
        ("mistral", r#""max_completion_tokens":9,"max_tokens":5"#, r#""max_tokens":9"#, ""),
        ("mistral", r#""seed":1,"user":"u","store":null,"logprobs":false"#, r#""random_seed":1"#, "user logprobs"),
        ("mistral", r#""stream":true,"stream_options":{"include_usage":true}"#, r#""stream":true"#, ""),
        ("mistral", r#""stream":true"#, r#""stream":true"#, ""),
        ("openai", r#""stream":true"#, r#""stream":true,"stream_options":{"include_usage":true}"#, ""),
        ("groq", r#""presence_penalty":1,"n":1"#, r#""n":1"#, "presence_penalty"),
        ("together", r#""stop":"a","parallel_tool_calls":true"#, r#""stop":["a"]"#, "parallel_tool_calls"),
        ("together", r#""stop":["a"]"#, r#""stop":["a"]"#, ""),
        ("ollama", r#""max_completion_tokens":9"#, r#""max_tokens":9"#, ""),
        ("cohere", r#""service_tier":"flex""#, "", "service_tier"),
        ("xai", r#""x":{"a":1}"#, r#""x":{"a":1}"#, ""),
    ];
    for (name, fields, expected, dropped) in table {
        let whole = |model: &str, fields: &str| {
            let comma = if fields.is_empty() { "" } else { "," };
            format!(r#"{{"model":"{model}","messages":[1]{comma}{fields}}}"#)
        };
        let profile = Profile::built_in(name).unwrap_or_default();
        let request = parsed(Task::Chat, whole("m", fields));
        let ask = same(&request, &recipient(&profile, &request)).unwrap();
        let expected: Value = serde_json::from_str(&whole("M", expected)).unwrap();
        assert_eq!(tree(&ask), expected, "{name} {fields}");
        assert_eq!(ask.dropped.join(" "), dropped, "{name} {fields}");
    }
}

#[test]
fn what_a_profile_has_not_and_a_caller_relies_on_is_unfit() {
    for (name, fields, need) in [
        ("mistral", r#""logit_bias":{"1":1}"#, Some(Need::LogitBias)),
        ("mistral", r#""logit_bias":{}"#, None),
        ("groq", r#""n":2"#, Some(Need::Choices)),
        ("groq", r#""logprobs":true"#, Some(Need::LogProbs)),
        ("ollama", r#""n":3"#, Some(Need::Choices)),
        ("openai", r#""n":3,"logprobs":true"#, None),
    ] {
        let profile = Profile::built_in(name).unwrap();
        let request = parsed(
            Task::Chat,
            format!(r#"{{"model":"m","messages":[1],{fields}}}"#),
        );
        let unfit = same(&request, &recipient(&profile, &request)).err();
        assert_eq!(unfit, need.map(Unfit::Lacks), "{name} {fields}");
    }
}

#[test]
fn config_changes_a_request_at_any_depth() {
    let own = |changes: &[OwnChange]| Profile {
        own: changes.to_vec(),
        ..Profile::PLAIN
    };
    let drop = |at: &str| OwnChange::Drop(at.into());
    let rename = |at: &str, name: &str| OwnChange::Rename(at.into(), name.into());
    let set = |at: &str, json: &str| OwnChange::Set(at.into(), json.into());
    let messages = r#"[{"role":"user","name":"x","content":"a~/b"},{"role":"user"}]"#;
    #[rustfmt::skip]
    let table = [
        (own(&[drop("/messages/*/name")]), json!({"messages": [{"role": "user", "content": "a~/b"}, {"role": "user"}]}), "messages.*.name"),
        (own(&[drop("/messages/1/role")]), json!({"messages": [{"role": "user", "name": "x", "content": "a~/b"}, {}]}), "messages.1.role"),
        (own(&[drop("/messages/7/role"), drop("/a/b"), drop("/messages/0")]), json!({}), ""),
        (own(&[rename("/messages/0/name", "nick")]), json!({"messages": [{"role": "user", "nick": "x", "content": "a~/b"}, {"role": "user"}]}), ""),
        (own(&[set("/extra/a~1b/c", "[1]")]), json!({"extra": {"a/b": {"c": [1]}}}), ""),
        (own(&[set("/k", "1"), rename("/k", "l"), set("/k", "2")]), json!({"l": 1, "k": 2}), ""),
        (own(&[set("/n", "null"), drop("/none")]), json!({"n": null}), ""),
    ];
    for (profile, changed, dropped) in table {
        let request = parsed(
            Task::Chat,
            format!(r#"{{"model":"m","messages":{messages}}}"#),
        );
        let ask = same(&request, &recipient(&profile, &request)).unwrap();
        let mut expected =
            json!({"model": "M", "messages": serde_json::from_str::<Value>(messages).unwrap()});
        for (name, value) in changed.as_object().unwrap() {
            expected[name] = value.clone();
        }
        assert_eq!(tree(&ask), expected, "{profile:?}");
        assert_eq!(ask.dropped.join(" "), dropped);
    }
}

#[test]
fn a_model_of_fixed_sampling_is_told_no_temperature() {
    let abilities = Abilities {
        sampling: Sampled::Fixed,
        ..Abilities::UNKNOWN
    };
    let request = parsed(
        Task::Chat,
        r#"{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":0.2,"top_p":null,"seed":1}"#,
    );
    let to = Recipient {
        abilities: &abilities,
        ..Recipient::plain(Dialect::OpenAi, "M", Form::Whole)
    };
    let conversation = parse::conversation(&request).unwrap();
    for ask in [
        same(&request, &to).unwrap(),
        translated(&conversation, &to).unwrap(),
    ] {
        assert_eq!(tree(&ask).get("temperature"), None);
        assert_eq!(tree(&ask)["seed"], 1);
        assert_eq!(ask.dropped.as_slice(), ["temperature"]);
    }
}

#[test]
fn a_request_takes_the_form_that_is_asked_of_its_recipient() {
    let with = |form, body: &str| {
        let request = parsed(Task::Chat, body.to_owned());
        let to = Recipient::plain(Dialect::OpenAi, "M", form);
        tree(&same(&request, &to).unwrap())
    };
    let streamed =
        r#"{"model":"m","messages":[1],"stream":true,"stream_options":{"include_usage":true}}"#;
    let whole = r#"{"model":"m","messages":[1]}"#;
    assert_eq!(
        with(Form::Whole, streamed),
        json!({"model": "M", "messages": [1], "stream": false})
    );
    let expected = json!({"model": "M", "messages": [1], "stream": true, "stream_options": {"include_usage": true}});
    assert_eq!(with(Form::Stream, whole), expected);
}

#[test]
fn azure_is_asked_at_a_deployment_or_by_name() {
    let azure = Profile::built_in("azure").unwrap();
    for (paths, version, task, expected) in [
        (
            Paths::AzureV1,
            None,
            Task::Chat,
            "/openai/v1/chat/completions",
        ),
        (
            Paths::AzureV1,
            Some("preview"),
            Task::Embedding,
            "/openai/v1/embeddings?api-version=preview",
        ),
        (
            Paths::AzureDeployments,
            Some("2024-10-21"),
            Task::Chat,
            "/openai/deployments/a%2Fb%20c/chat/completions?api-version=2024-10-21",
        ),
        (Paths::Plain, None, Task::Completion, "/completions"),
    ] {
        let profile = Profile {
            paths,
            api_version: version.map(Into::into),
            ..azure.clone()
        };
        let to = Recipient {
            profile: &profile,
            ..Recipient::plain(Dialect::OpenAi, "a/b c", Form::Whole)
        };
        assert_eq!(super::path(task, &to), expected);
    }
}

#[test]
fn completions_and_vectors_are_spliced_where_they_are_native() {
    let completion = parsed(
        Task::Completion,
        r#"{"model":"m","prompt":[1,2],"echo":true,"stream":true}"#,
    );
    let to = Recipient::plain(Dialect::OpenAi, "M", Form::Stream);
    assert!(super::takes(Task::Completion, &to));
    let ask = same(&completion, &to).unwrap();
    assert_eq!(ask.path, "/completions");
    let expected = r#"{"model":"M","prompt":[1,2],"echo":true,"stream":true,"stream_options":{"include_usage":true}}"#;
    assert_eq!(ask.body.concat(), expected.as_bytes());
    let mistral = Profile::built_in("mistral").unwrap();
    let to = Recipient {
        profile: &mistral,
        ..Recipient::plain(Dialect::OpenAi, "M", Form::Whole)
    };
    assert!(!super::takes(Task::Completion, &to));
    let vectors = parsed(
        Task::Embedding,
        r#"{"model":"m","input":["a", "b"],"dimensions":3}"#,
    );
    let ask = same(&vectors, &to).unwrap();
    assert_eq!(
        (ask.path.as_ref(), ask.task),
        ("/embeddings", Task::Embedding)
    );
    assert_eq!(
        ask.body.concat(),
        br#"{"model":"M","input":["a", "b"],"output_dimension":3}"#
    );
}

#[test]
fn an_effort_becomes_the_nearest_level() {
    let request = parsed(
        Task::Chat,
        r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#,
    );
    let mut conversation = parse::conversation(&request).unwrap();
    for (profile, effort, expected, dropped) in [
        ("openai", Effort::XHigh, Some("xhigh"), ""),
        ("groq", Effort::Minimal, Some("low"), ""),
        ("together", Effort::Max, Some("high"), ""),
        ("together", Effort::None, None, "reasoning_effort"),
        ("openai", Effort::Budget(Tokens(4096)), Some("medium"), ""),
        ("openai", Effort::Adaptive, None, ""),
    ] {
        conversation.effort = Some(effort);
        let profile = Profile::built_in(profile).unwrap();
        let to = recipient(&profile, &request);
        let ask = translated(&conversation, &to).unwrap();
        assert_eq!(
            tree(&ask).get("reasoning_effort").and_then(Value::as_str),
            expected,
            "{effort:?}"
        );
        assert_eq!(ask.dropped.join(" "), dropped, "{effort:?}");
    }
    conversation.effort = Some(Effort::High);
    let never = Abilities {
        thinking: Thinking::Never,
        max_output: Some(Tokens(10)),
        ..Abilities::UNKNOWN
    };
    conversation.max_output = Some(Tokens(50));
    let to = Recipient {
        abilities: &never,
        ..Recipient::plain(Dialect::OpenAi, "M", Form::Whole)
    };
    let body = tree(&translated(&conversation, &to).unwrap());
    assert_eq!(body.get("reasoning_effort"), None);
    assert_eq!(body["max_completion_tokens"], 10);
}

/// A conversation of texts, calls and results, as a client would send it.
fn conversations() -> impl Strategy<Value = Value> {
    let text = || prop_oneof![".{1,12}", Just("a\n\"\\é\u{1f327}".to_owned())];
    let user = (text(), any::<bool>()).prop_map(|(text, parted)| {
        let parts = json!([{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD", "detail": "low"}}]);
        vec![json!({"role": "user", "content": if parted { parts } else { text.into() }})]
    });
    let assistant = text().prop_map(|text| {
        vec![
            json!({"role": "assistant", "content": text}),
            json!({"role": "user", "content": "and?"}),
        ]
    });
    let calls = (prop::collection::vec(("[a-zA-Z0-9:._-]{1,40}", "[a-z_]{1,9}", text()), 1..4), prop::option::of(text())).prop_map(|(calls, content)| {
        let list: Vec<_> = calls.iter().enumerate().map(|(at, (id, name, _))| json!({"id": format!("{id}{at}"), "type": "function", "function": {"name": name, "arguments": "{\"a\":1}"}})).collect();
        let call = json!({"role": "assistant", "content": content, "tool_calls": list});
        let results = calls.iter().enumerate().map(|(at, (id, _, text))| json!({"role": "tool", "content": text, "tool_call_id": format!("{id}{at}")}));
        iter::once(call).chain(results).collect()
    });
    let turns = prop::collection::vec(prop_oneof![user, assistant, calls], 1..6);
    (prop::option::of(text()), turns, prop::option::of(0_u8..3), any::<bool>()).prop_map(|(system, turns, temperature, stream)| {
        let system = system.map(|text| json!({"role": "system", "content": text}));
        let messages: Vec<_> = system.into_iter().chain(turns.into_iter().flatten()).collect();
        let mut body = json!({"model": "M", "messages": messages});
        if let Some(temperature) = temperature {
            body["temperature"] = temperature.into();
            body["stop"] = json!(["END"]);
            body["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
            body["tool_choice"] = json!({"type": "function", "function": {"name": "f"}});
        }
        if stream {
            body["stream"] = true.into();
            body["stream_options"] = json!({"include_usage": true});
        }
        body
    })
}

proptest! {
    #[test]
    fn a_conversation_keeps_its_meaning_both_ways(body in conversations()) {
        let request = parsed(Task::Chat, body.to_string());
        let conversation = parse::conversation(&request).unwrap();
        let ask = translated(&conversation, &recipient(&Profile::PLAIN, &request)).unwrap();
        prop_assert_eq!(tree(&ask), body);
    }

    #[test]
    fn calls_and_results_meet_whatever_the_ids(body in conversations()) {
        let request = parsed(Task::Chat, body.to_string());
        let conversation = parse::conversation(&request).unwrap();
        let mistral = Profile::built_in("mistral").unwrap();
        let to = recipient(&mistral, &request);
        let ask = tree(&translated(&conversation, &to).unwrap());
        let ids = |body: &Value, key: &str| -> Vec<String> {
            let of = |message: &Value| match key {
                "id" => message["tool_calls"].as_array().into_iter().flatten().map(|call| call["id"].as_str().unwrap().to_owned()).collect(),
                key => message[key].as_str().map(str::to_owned).into_iter().collect::<Vec<_>>(),
            };
            body["messages"].as_array().unwrap().iter().flat_map(of).collect()
        };
        prop_assert_eq!(ids(&ask, "id"), ids(&ask, "tool_call_id"));
        prop_assert!(ids(&ask, "id").iter().all(|id| id.len() == 9));
        let spliced = tree(&same(&request, &to).unwrap());
        prop_assert_eq!(ids(&spliced, "id"), ids(&ask, "id"));
        prop_assert_eq!(ids(&spliced, "tool_call_id"), ids(&ask, "id"));
    }

    #[test]
    fn no_request_panics(messages in r#"(\[|\{|\}|\]|"role"|"content"|:|,|"user"|"tool"|"text"|null|1|"type"){0,30}"#, fields in r#"("(tools|stop|tool_choice|response_format|reasoning|prompt)":(\[\]|\{\}|"a"|1|\[\{"function":\{\}\}\]),){0,3}"#) {
        for body in [format!(r#"{{"model":"m",{fields}"messages":[{messages}]}}"#), format!(r#"{{"model":"m",{fields}"messages":[{{"role":"user"}}]}}"#)] {
            let Ok(request) = parse::chat(body.into()) else { continue };
            for name in Profile::names() {
                let profile = Profile::built_in(name).unwrap();
                let to = recipient(&profile, &request);
                let _ = same(&request, &to);
                if let Ok(conversation) = parse::conversation(&request) {
                    let _ = translated(&conversation, &to);
                }
            }
        }
    }
}
