//! Requests and answers of every format, as the tests of all of them need them.

use serde_json::{Value, json};

use crate::sim::tests::{Answer, Client};
use crate::sim::{Options, Sim};

/// A format's door, and the simplest request for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    OpenAi,
    Azure,
    Completions,
    Anthropic,
    Gemini,
}

pub(super) const ALL: [Format; 5] = [
    Format::OpenAi,
    Format::Azure,
    Format::Completions,
    Format::Anthropic,
    Format::Gemini,
];

/// Those in which a conversation can be held.
pub(super) const CHATS: [Format; 3] = [Format::OpenAi, Format::Anthropic, Format::Gemini];

/// How an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Stream,
    Whole,
}

pub(super) const BOTH: [How; 2] = [How::Stream, How::Whole];

impl Format {
    /// The path to ask a model.
    pub(super) fn path(self, model: &str, how: How) -> String {
        match (self, how) {
            (Self::OpenAi, _) => "/v1/chat/completions".to_owned(),
            (Self::Azure, _) => {
                format!("/openai/deployments/{model}/chat/completions?api-version=2024-10-21")
            }
            (Self::Completions, _) => "/v1/completions".to_owned(),
            (Self::Anthropic, _) => "/v1/messages".to_owned(),
            (Self::Gemini, How::Whole) => format!("/v1beta/models/{model}:generateContent"),
            (Self::Gemini, How::Stream) => {
                format!("/v1beta/models/{model}:streamGenerateContent?alt=sse")
            }
        }
    }

    /// The headers that the provider insists on.
    pub(super) fn headers(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Completions => "",
            Self::Azure => "api-key: k\r\n",
            Self::Anthropic => "x-api-key: k\r\nanthropic-version: 2023-06-01\r\n",
            Self::Gemini => "x-goog-api-key: k\r\n",
        }
    }

    /// A request that says `hi`.
    pub(super) fn request(self, model: &str, how: How) -> Value {
        let messages = json!([{ "role": "user", "content": "hi" }]);
        match self {
            Self::OpenAi => {
                json!({ "model": model, "messages": messages, "stream": how == How::Stream })
            }
            Self::Azure => json!({ "messages": messages, "stream": how == How::Stream }),
            Self::Completions => {
                json!({ "model": model, "prompt": "hi", "stream": how == How::Stream })
            }
            Self::Anthropic => json!({
                "model": model, "max_tokens": 100, "messages": messages, "stream": how == How::Stream,
            }),
            Self::Gemini => {
                json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] })
            }
        }
    }

    /// Asks a simulator for an answer by a script.
    pub(super) async fn ask(self, script: &str, how: How) -> Answer {
        let request = self.request("m", how);
        self.post(script, how, &request).await
    }

    /// Asks with a request of the test's own.
    pub(super) async fn post(self, script: &str, how: How, request: &Value) -> Answer {
        let sim = Sim::start(Options::default()).await.unwrap();
        sim.script("*", script.parse().unwrap());
        let mut client = Client::connect(&sim).await;
        let path = self.path("m", how);
        client
            .post(&path, self.headers(), &request.to_string())
            .await;
        client.answer().await
    }
}

/// What an answer says, read as a client of its format reads it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) reasoning: String,
    pub(super) refusal: String,
    /// Names and arguments.
    pub(super) calls: Vec<(String, Value)>,
    pub(super) finish: String,
    /// Whether the format's own end has come.
    pub(super) ended: bool,
    /// Prompt and completion tokens, reasoning included.
    pub(super) usage: Option<(u64, u64)>,
    pub(super) error: Option<Value>,
}

/// The events of a stream: name and data. What is no event is one without a name.
pub(super) fn events(text: &str) -> Vec<(String, String)> {
    let text = text.replace("\r\n", "\n");
    let blocks = text.split("\n\n").filter(|block| !block.trim().is_empty());
    blocks
        .map(|block| {
            let name = block.lines().find_map(|line| line.strip_prefix("event: "));
            let data = block.lines().find_map(|line| line.strip_prefix("data: "));
            let data = data.unwrap_or(block).to_owned();
            (name.unwrap_or_default().to_owned(), data)
        })
        .collect()
}

/// Reads an answer of that format.
pub(super) fn read(format: Format, answer: &Answer, how: How) -> Said {
    let mut said = Said::default();
    let documents = if how == How::Stream {
        events(&answer.text())
    } else {
        vec![(String::new(), answer.text())]
    };
    let mut arguments: Vec<(String, String)> = Vec::new();
    for (name, data) in &documents {
        if data.starts_with(':') {
            continue;
        }
        if data == "[DONE]" {
            said.ended = true;
            continue;
        }
        let value: Value =
            serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
        if !value["error"].is_null() {
            said.error = Some(value["error"].clone());
            continue;
        }
        match format {
            Format::OpenAi | Format::Azure | Format::Completions => {
                openai(&value, &mut said, &mut arguments);
            }
            Format::Anthropic if how == How::Stream => {
                assert_eq!(value["type"], name.as_str());
                anthropic(&value, &mut said, &mut arguments);
            }
            Format::Anthropic => anthropic_whole(&value, &mut said),
            Format::Gemini => gemini(&value, &mut said),
        }
    }
    for (name, text) in arguments {
        let text = if text.is_empty() { "{}" } else { &text };
        said.calls.push((name, serde_json::from_str(text).unwrap()));
    }
    said
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn openai(value: &Value, said: &mut Said, arguments: &mut Vec<(String, String)>) {
    let choice = &value["choices"][0];
    let delta = if choice["delta"].is_object() {
        &choice["delta"]
    } else {
        &choice["message"]
    };
    said.text.push_str(text_of(&delta["content"]));
    said.text.push_str(text_of(&choice["text"]));
    said.reasoning
        .push_str(text_of(&delta["reasoning_content"]));
    said.refusal.push_str(text_of(&delta["refusal"]));
    let whole = choice["message"].is_object();
    for (at, call) in delta["tool_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let at = if whole {
            at
        } else {
            usize::try_from(count(&call["index"])).unwrap()
        };
        if arguments.len() <= at {
            arguments.push((text_of(&call["function"]["name"]).to_owned(), String::new()));
        }
        arguments[at]
            .1
            .push_str(text_of(&call["function"]["arguments"]));
    }
    if choice["finish_reason"].is_string() {
        said.finish = text_of(&choice["finish_reason"]).to_owned();
        said.ended |= whole || value["object"] == "text_completion";
    }
    let usage = &value["usage"];
    if usage.is_object() {
        said.usage = Some((
            count(&usage["prompt_tokens"]),
            count(&usage["completion_tokens"]),
        ));
    }
}

fn anthropic(value: &Value, said: &mut Said, arguments: &mut Vec<(String, String)>) {
    let (delta, block) = (&value["delta"], &value["content_block"]);
    match text_of(&value["type"]) {
        "content_block_start" if block["type"] == "tool_use" => {
            arguments.push((text_of(&block["name"]).to_owned(), String::new()));
        }
        "content_block_delta" => {
            said.text.push_str(text_of(&delta["text"]));
            said.reasoning.push_str(text_of(&delta["thinking"]));
            if let Some(last) = arguments.last_mut() {
                last.1.push_str(text_of(&delta["partial_json"]));
            }
        }
        "message_delta" => {
            said.finish = text_of(&delta["stop_reason"]).to_owned();
            anthropic_usage(&value["usage"], said);
        }
        "message_stop" => said.ended = true,
        _ => {}
    }
}

fn anthropic_usage(usage: &Value, said: &mut Said) {
    let parts = [
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
    ];
    let prompt = parts.iter().map(|part| count(&usage[*part])).sum();
    if usage.is_object() {
        said.usage = Some((prompt, count(&usage["output_tokens"])));
    }
}

fn anthropic_whole(value: &Value, said: &mut Said) {
    for block in value["content"].as_array().unwrap() {
        match text_of(&block["type"]) {
            "thinking" => said.reasoning.push_str(text_of(&block["thinking"])),
            "tool_use" => {
                let call = (text_of(&block["name"]).to_owned(), block["input"].clone());
                said.calls.push(call);
            }
            _ => said.text.push_str(text_of(&block["text"])),
        }
    }
    said.finish = text_of(&value["stop_reason"]).to_owned();
    said.ended = !said.finish.is_empty();
    anthropic_usage(&value["usage"], said);
}

fn gemini(value: &Value, said: &mut Said) {
    let candidate = &value["candidates"][0];
    for part in candidate["content"]["parts"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let text = text_of(&part["text"]);
        if part["thought"] == true {
            said.reasoning.push_str(text);
        } else {
            said.text.push_str(text);
        }
        let call = &part["functionCall"];
        if call.is_object() {
            said.calls
                .push((text_of(&call["name"]).to_owned(), call["args"].clone()));
        }
    }
    let reason = text_of(&candidate["finishReason"]);
    let blocked = text_of(&value["promptFeedback"]["blockReason"]);
    for end in [reason, blocked].into_iter().filter(|end| !end.is_empty()) {
        end.clone_into(&mut said.finish);
        said.ended = true;
    }
    let usage = &value["usageMetadata"];
    if usage.is_object() {
        let output = count(&usage["candidatesTokenCount"]) + count(&usage["thoughtsTokenCount"]);
        said.usage = Some((count(&usage["promptTokenCount"]), output));
    }
}
