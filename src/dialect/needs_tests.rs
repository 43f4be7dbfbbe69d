//! The walk over a prompt, held against trees.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::needs::*;
use super::prompt::Prompt;
use crate::exchange::{Delivery, Dialect, Need, Needs, Request, Task, Tokenizer};
use crate::json::Fields;
use crate::units::Tokens;

fn request(dialect: Dialect, task: Task, body: &Value) -> Request {
    let body = Bytes::from(body.to_string());
    Request {
        dialect,
        task,
        model: "route".to_owned(),
        delivery: Delivery::Whole,
        max_output: None,
        choices: 1,
        fields: Fields::index(&body).unwrap(),
        body,
    }
}

fn openai(body: &Value) -> Request {
    request(Dialect::OpenAi, Task::Chat, body)
}

fn anthropic(body: &Value) -> Request {
    request(Dialect::Anthropic, Task::Chat, body)
}

fn needed(request: &Request) -> Vec<&'static str> {
    let wants = wants(request, Watched::all());
    wants.needs.iter().map(Need::name).collect()
}

/// The needs beside that for a chat.
fn check(request: &Request, expected: &[&str]) {
    let mut found = needed(request);
    found.retain(|need| *need != "chat");
    assert_eq!(found, expected, "{:?}", request.body);
}

#[test]
fn what_an_openai_prompt_needs() {
    let call = json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let user = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    let assistant =
        |calls: Value| json!({"messages": [{"role": "assistant", "tool_calls": calls}]});
    for (body, expected) in [
        (user(json!("hi")), vec![]),
        (user(json!("a text of \"type\":\"image_url\"")), vec![]),
        (
            user(json!([{"type": "text", "text": "{\"type\":\"image_url\"}"}])),
            vec![],
        ),
        (
            user(json!([{"type": "image_url", "image_url": {"url": "data:"}}])),
            vec!["images"],
        ),
        (
            user(json!([{"type": "input_audio", "input_audio": {}}])),
            vec!["audio_in"],
        ),
        (
            user(json!([{"type": "file", "file": {"file_data": "x"}}])),
            vec!["documents"],
        ),
        (
            user(json!([{"type": "file", "file": {"file_id": "x"}}])),
            vec!["documents", "native"],
        ),
        (
            user(json!([{"type": "text", "text": "", "x": {"type": "image_url"}}])),
            vec![],
        ),
        (
            json!({"messages": [], "x": [{"type": "image_url"}]}),
            vec![],
        ),
        (assistant(json!([call])), vec!["tools"]),
        (
            assistant(json!([call, call])),
            vec!["tools", "parallel_tools"],
        ),
        (
            json!({"messages": [{"role": "assistant", "audio": {"id": "a"}}]}),
            vec!["native"],
        ),
    ] {
        check(&openai(&body), &expected);
    }
}

#[test]
fn what_an_openai_request_says_that_it_needs() {
    let function = json!({"type": "function", "function": {"name": "f"}});
    for (body, expected) in [
        (json!({"tools": [function]}), vec!["tools"]),
        (json!({"tools": []}), vec![]),
        (
            json!({"tools": null, "functions": [{"name": "f"}]}),
            vec!["tools"],
        ),
        (
            json!({"tools": [function, {"type": "custom"}]}),
            vec!["tools", "native_tools"],
        ),
        (json!({"web_search_options": {}}), vec!["native_tools"]),
        (json!({"tool_choice": "auto"}), vec![]),
        (json!({"tool_choice": "required"}), vec!["tool_choice"]),
        (json!({"tool_choice": function}), vec!["tool_choice"]),
        (
            json!({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}}),
            vec![],
        ),
        (
            json!({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required"}}}),
            vec!["tool_choice"],
        ),
        (json!({"response_format": {"type": "text"}}), vec![]),
        (
            json!({"response_format": {"type": "json_object"}}),
            vec!["json_mode"],
        ),
        (
            json!({"response_format": {"type": "json_schema"}}),
            vec!["json_schema"],
        ),
        (json!({"logprobs": false}), vec![]),
        (
            json!({"logprobs": true, "top_logprobs": 2}),
            vec!["logprobs"],
        ),
        (json!({"logit_bias": {}}), vec![]),
        (json!({"logit_bias": {"5": 1}}), vec!["logit_bias"]),
        (json!({"stop": []}), vec![]),
        (json!({"stop": "x"}), vec!["stop"]),
        (json!({"stop": ["x"]}), vec!["stop"]),
        (json!({"reasoning_effort": "none"}), vec![]),
        (json!({"reasoning_effort": "high"}), vec!["reasoning"]),
        (json!({"modalities": ["text"]}), vec![]),
        (json!({"modalities": ["text", "audio"]}), vec!["media_out"]),
        (json!({"moderation": {}}), vec!["native"]),
    ] {
        check(&openai(&body), &expected);
    }
}

#[test]
fn what_an_anthropic_request_needs() {
    let user = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    let call = json!({"type": "tool_use", "id": "1", "name": "f", "input": {"type": "image"}});
    let image = json!({"type": "image", "source": {"type": "base64", "data": "x"}});
    for (body, expected) in [
        (user(json!("hi")), vec![]),
        (
            user(json!([{"type": "text", "text": "\"type\":\"image\""}])),
            vec![],
        ),
        (user(json!([image])), vec!["images"]),
        (
            user(json!([{"type": "image", "source": {"type": "file"}}])),
            vec!["images", "native"],
        ),
        (
            user(json!([{"type": "document", "source": {"type": "url"}}])),
            vec!["documents"],
        ),
        (user(json!([call])), vec!["tools"]),
        (user(json!([call, call])), vec!["tools", "parallel_tools"]),
        (
            user(json!([{"type": "tool_result", "content": "x"}])),
            vec!["tools"],
        ),
        (
            user(json!([{"content": [image], "type": "tool_result"}])),
            vec!["tools", "images"],
        ),
        (user(json!([{"type": "thinking", "thinking": "x"}])), vec![]),
        (user(json!([{"type": "server_tool_use"}])), vec!["native"]),
        (json!({"system": [{"type": "text", "text": "x"}]}), vec![]),
        (
            json!({"tools": [{"name": "f", "input_schema": {}}]}),
            vec!["tools"],
        ),
        (
            json!({"tools": [{"type": "web_search_20250305"}]}),
            vec!["native_tools"],
        ),
        (json!({"tool_choice": {"type": "auto"}}), vec![]),
        (json!({"tool_choice": {"type": "any"}}), vec!["tool_choice"]),
        (
            json!({"output_config": {"effort": "low"}}),
            vec!["reasoning"],
        ),
        (
            json!({"output_config": {"format": {"type": "json_schema"}}}),
            vec!["json_schema"],
        ),
        (json!({"thinking": {"type": "disabled"}}), vec![]),
        (json!({"thinking": {"type": "adaptive"}}), vec!["reasoning"]),
        (json!({"stop_sequences": []}), vec![]),
        (json!({"stop_sequences": ["x"]}), vec!["stop"]),
        (json!({"mcp_servers": []}), vec![]),
        (json!({"container": "c"}), vec!["native"]),
    ] {
        check(&anthropic(&body), &expected);
    }
}

#[test]
fn a_completion_is_a_chat_but_for_what_no_chat_can_say() {
    for (body, expected) in [
        (json!({"prompt": "x"}), vec![]),
        (
            json!({"prompt": "x", "echo": false, "suffix": "", "best_of": 1}),
            vec![],
        ),
        (json!({"prompt": "x", "stop": "y"}), vec!["stop"]),
        (json!({"prompt": ["x", "y"]}), vec!["completions"]),
        (json!({"prompt": [1, 2]}), vec!["completions"]),
        (json!({"prompt": "x", "echo": true}), vec!["completions"]),
        (json!({"prompt": "x", "logprobs": 3}), vec!["completions"]),
    ] {
        let request = request(Dialect::OpenAi, Task::Completion, &body);
        assert_eq!(needed(&request), expected, "{body}");
    }
}

#[test]
fn a_prompt_is_walked_only_where_it_makes_a_difference() {
    let body = json!({"messages": [{"content": [{"type": "image_url"}, {"type": "text", "text": "x".repeat(1000)}]}]});
    let request = openai(&body);
    let watched = |needs, window: Option<u64>| Watched {
        needs,
        window: window.map(Tokens),
        ..Watched::default()
    };
    let stop = Needs::NONE.with(Need::Stop);
    for (watched, walked) in [
        (watched(stop, None), false),
        (watched(stop.with(Need::Images), None), true),
        (watched(stop, Some(1_000_000)), false),
        (watched(stop, Some(100)), true),
    ] {
        let wants = wants(&request, watched);
        assert_eq!(wants.prompt.is_some(), walked, "{watched:?}");
    }
}

#[test]
fn tokens_are_counted_only_in_doubt() {
    let prompt = |words: usize| openai(&json!({"messages": [{"content": "word ".repeat(words)}]}));
    for (words, window, counted, expected) in [
        (100, 1000, false, Length::Within),
        (500, 1000, false, Length::Within),
        (900, 1000, true, Length::Within),
        (1100, 1000, true, Length::Over),
        (100_000, 1000, false, Length::Over),
    ] {
        let request = prompt(words);
        let wants = wants(&request, Watched::all());
        let found = wants.length(Tokens(window), Tokenizer::O200k);
        assert_eq!(found, expected, "{words}");
        assert_eq!(wants.counted.get().is_some(), counted, "{words}");
    }
}

/// A text as clients send it, with what must be escaped.
fn text() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-z \"\\\\\n\u{1}é€😀]{0,20}",
        Just("image_url".to_owned())
    ]
    .prop_map(Value::from)
}

fn any() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!(1)),
        text(),
        Just(json!({"type": "image_url"})),
        Just(json!([{"type": "image"}])),
    ]
}

fn object(
    names: &'static [&'static str],
    value: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Value> {
    let fields = prop::collection::vec((prop::sample::select(names), value), 0..5);
    fields.prop_map(|fields| {
        let fields = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        Value::Object(fields.collect())
    })
}

/// Parts and blocks of both formats, well formed and not.
fn part() -> impl Strategy<Value = Value> {
    const KINDS: [&str; 10] = [
        "text",
        "refusal",
        "image_url",
        "input_audio",
        "file",
        "image",
        "document",
        "tool_use",
        "tool_result",
        "other",
    ];
    let fields = object(
        &[
            "text", "refusal", "file", "source", "input", "content", "name",
        ],
        any(),
    );
    let kind = prop::option::of(prop::sample::select(KINDS.as_slice()));
    (kind, fields).prop_map(|(kind, mut fields)| {
        if let Some(kind) = kind {
            fields["type"] = kind.into();
        }
        fields
    })
}

fn messages() -> impl Strategy<Value = Value> {
    let content = prop_oneof![
        text(),
        Just(Value::Null),
        prop::collection::vec(part(), 0..4).prop_map(Value::from),
    ];
    let calls = prop::collection::vec(
        text().prop_map(|text| json!({"function": {"name": text, "arguments": text}})),
        0..3,
    );
    let message = (content, prop::option::of(calls), any()).prop_map(|(content, calls, other)| {
        let mut message = json!({"role": "user", "content": content, "other": other});
        if let Some(calls) = calls {
            message["tool_calls"] = calls.into();
        }
        message
    });
    prop::collection::vec(message, 0..4).prop_map(Value::from)
}

/// The same as the walk, over a tree.
#[derive(Default)]
struct Tree {
    needs: Needs,
    text: usize,
    media: u64,
}

impl Tree {
    fn told(&mut self, value: &Value) {
        self.text += value.as_str().map_or(0, str::len);
    }

    fn media(&mut self, need: Need) {
        self.needs = self.needs.with(need);
        self.media += 1;
    }

    fn openai(&mut self, message: &Value) {
        self.told(&message["content"]);
        for part in message["content"].as_array().into_iter().flatten() {
            match part["type"].as_str() {
                // Of two texts the later one; a tree has its names in order.
                Some("text" | "refusal") => self.told(match &part["text"] {
                    text @ Value::String(_) => text,
                    _ => &part["refusal"],
                }),
                Some("image_url") => self.media(Need::Images),
                Some("input_audio") => self.media(Need::AudioIn),
                Some("file") => self.media(Need::Documents),
                _ => {}
            }
        }
        let calls = message["tool_calls"].as_array();
        for (index, call) in calls.into_iter().flatten().enumerate() {
            let need = if index == 0 {
                Need::Tools
            } else {
                Need::ParallelTools
            };
            self.needs = self.needs.with(need);
            self.told(&call["function"]["name"]);
            self.told(&call["function"]["arguments"]);
        }
    }

    fn anthropic(&mut self, message: &Value) {
        self.told(&message["content"]);
        let mut calls = 0;
        for block in message["content"].as_array().into_iter().flatten() {
            match block["type"].as_str() {
                Some("tool_use") => {
                    calls += 1;
                    self.needs = self.needs.with(Need::Tools);
                    self.told(&block["name"]);
                    let input = block.get("input").map_or(0, |it| it.to_string().len());
                    self.text += input;
                }
                Some("tool_result") => {
                    self.needs = self.needs.with(Need::Tools);
                    self.told(&block["content"]);
                    for inner in block["content"].as_array().into_iter().flatten() {
                        self.simple(inner);
                    }
                }
                Some(_) => self.simple(block),
                None => {}
            }
        }
        if calls > 1 {
            self.needs = self.needs.with(Need::ParallelTools);
        }
    }

    fn simple(&mut self, block: &Value) {
        match block["type"].as_str() {
            Some("text") => self.told(&block["text"]),
            Some("image") => self.media(Need::Images),
            Some("document") => self.media(Need::Documents),
            Some(_) => self.needs = self.needs.with(Need::Native),
            None => {}
        }
    }
}

proptest! {
    #[test]
    fn the_walk_finds_what_a_tree_finds(messages in messages()) {
        type Read = fn(&mut Tree, &Value);
        let readers: [(Dialect, Read); 2] =
            [(Dialect::OpenAi, Tree::openai), (Dialect::Anthropic, Tree::anthropic)];
        for (dialect, read) in readers {
            let mut tree = Tree::default();
            let list = messages.as_array().unwrap();
            for message in list {
                read(&mut tree, message);
            }
            let request = request(dialect, Task::Chat, &json!({"messages": messages}));
            let expected = Prompt {
                needs: tree.needs,
                text: tree.text.try_into().unwrap(),
                media: tree.media,
                turns: list.len().try_into().unwrap(),
            };
            prop_assert_eq!(measure(&request), expected, "{:?}", dialect);
        }
    }

    #[test]
    fn no_prompt_panics(body in "\\{\"messages\":[\\[\\]{}\":,a-z0-9 ]{0,40}\\}") {
        let body = Bytes::from(body);
        if let Ok(fields) = Fields::index(&body) {
            let request = Request { body, fields, ..openai(&json!({})) };
            let _ = wants(&request, Watched::all()).input();
            let request = Request { dialect: Dialect::Anthropic, ..request };
            let _ = wants(&request, Watched::all()).input();
        }
    }
}
