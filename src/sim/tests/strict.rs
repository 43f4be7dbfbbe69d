//! What a provider would answer with a 400 is answered with a 400.

use serde_json::{Value, json};

use crate::sim::tests::formats::{BOTH, CHATS, Format, How};

/// A change to a good request, and what the refusal says.
type Case = (&'static str, Value, &'static str);

async fn refused(format: Format, pointer: &str, value: &Value) -> (u16, String) {
    let mut request = json!({});
    let base = match format {
        Format::Anthropic => anthropic(),
        Format::Gemini => gemini(),
        _ => format.request("m", How::Whole),
    };
    request.clone_from(&base);
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = request
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("{pointer}"));
    match (parent, value) {
        (Value::Array(list), value) if key == "-" => list.push(value.clone()),
        (Value::Object(fields), Value::Null) => drop(fields.remove(key)),
        (parent, value) if key.parse::<usize>().is_ok() => {
            parent[key.parse::<usize>().unwrap()] = value.clone();
        }
        (parent, value) => parent[key] = value.clone(),
    }
    let answer = format.post("tokens=1", How::Whole, &request).await;
    (answer.status, answer.text())
}

async fn all_refused(format: Format, cases: &[Case]) {
    for (pointer, value, part) in cases {
        let (status, text) = refused(format, pointer, value).await;
        assert_eq!(status, 400, "{pointer} {value}: {text}");
        assert!(text.contains(part), "{pointer} {value}: {text}");
    }
}

/// A conversation with a call and its result, a picture and all the usual settings.
fn anthropic() -> Value {
    json!({
        "model": "m", "max_tokens": 2048, "system": [{ "type": "text", "text": "Be brief." }],
        "temperature": 0.5, "stop_sequences": ["END"], "metadata": { "user_id": "u" },
        "thinking": { "type": "enabled", "budget_tokens": 1024 },
        "tools": [{ "name": "f", "input_schema": { "type": "object" } }],
        "tool_choice": { "type": "auto", "disable_parallel_tool_use": true },
        "messages": [
            { "role": "user", "content": [
                { "type": "image", "source": {
                    "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" } },
                { "type": "text", "text": "What is this?" },
            ] },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "", "signature": "s" },
                { "type": "text", "text": "Let me see." },
                { "type": "tool_use", "id": "toolu_1", "name": "f", "input": {} },
                { "type": "tool_use", "id": "toolu_2", "name": "f", "input": {} },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "toolu_2", "content": "" },
                { "type": "tool_result", "tool_use_id": "toolu_1", "is_error": true,
                  "content": [{ "type": "text", "text": "none" }] },
                { "type": "text", "text": "And?" },
            ] },
        ],
    })
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn messages_are_taken_as_the_provider_takes_them() {
    for how in BOTH {
        let mut request = anthropic();
        request["stream"] = json!(how == How::Stream);
        let answer = Format::Anthropic.post("tokens=1", how, &request).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let (call, result) = ("/messages/1/content/2", "/messages/2/content/0");
    let cases: Vec<Case> = vec![
        ("/max_tokens", Value::Null, "max_tokens: Field required"),
        ("/max_tokens", json!("10"), "valid integer"),
        ("/model", Value::Null, "model: Field required"),
        ("/messages", json!([]), "at least one message"),
        ("/n", json!(1), "n: Extra inputs are not permitted"),
        (
            "/response_format",
            json!({}),
            "Extra inputs are not permitted",
        ),
        (
            "/messages",
            json!([{ "role": "assistant", "content": "hi" }]),
            "first message must use the",
        ),
        (
            "/messages/0/role",
            json!("tool"),
            "Input should be 'user' or 'assistant'",
        ),
        ("/messages/0/name", json!("x"), "Extra inputs"),
        ("/messages/0/content/1/text", json!(""), "must be non-empty"),
        ("/messages/0/content", json!(""), "non-empty content"),
        ("/messages/0/content", json!([]), "non-empty content"),
        (
            "/messages/0/content/0/source/media_type",
            json!("image/jpg"),
            "media_type",
        ),
        (
            "/messages/0/content/0/source/media_type",
            json!("image/gif"),
            "appears to be a image/png",
        ),
        (
            "/messages/0/content/1",
            json!({ "type": "image_url" }),
            "does not match",
        ),
        ("/messages/0/content/1/detail", json!("low"), "Extra inputs"),
        (
            "/messages/1/content/2/id",
            json!("functions.f:0"),
            "should match pattern",
        ),
        (
            "/messages/1/content/2/id",
            json!("toolu_2"),
            "ids must be unique",
        ),
        (
            "/messages/1/content/2/input",
            json!("{}"),
            "valid dictionary",
        ),
        ("/messages/1/content/1/text", json!(""), "must be non-empty"),
        (
            call,
            json!({ "type": "text", "text": "x" }),
            "unexpected `tool_use_id`",
        ),
        (
            result,
            json!({ "type": "text", "text": "x" }),
            "without `tool_result` blocks",
        ),
        (
            "/messages/2/content/2",
            json!({ "type": "tool_result", "tool_use_id": "toolu_3" }),
            "unexpected `tool_use_id`",
        ),
        (
            "/messages/2/content/-",
            json!({ "type": "tool_use", "id": "a", "name": "f", "input": {} }),
            "not allowed in `user`",
        ),
        (
            "/messages/2/content",
            json!("later"),
            "without `tool_result` blocks",
        ),
        ("/tools", Value::Null, "must define tools"),
        (
            "/tools/0/input_schema",
            json!({}),
            "input_schema.type: Field required",
        ),
        ("/tools/0/parameters", json!({}), "Extra inputs"),
        ("/tools/0/name", json!("a.b"), "should match pattern"),
        (
            "/tools/-",
            json!({ "name": "f", "input_schema": { "type": "object" } }),
            "unique",
        ),
        ("/tool_choice", json!("auto"), "tool_choice"),
        (
            "/tool_choice",
            json!({ "type": "tool", "name": "g" }),
            "Thinking may not be enabled",
        ),
        ("/stop_sequences", json!([" "]), "non-whitespace"),
        ("/temperature", json!(1.5), "range: 0..1"),
        ("/metadata", json!({ "other": 1 }), "Extra inputs"),
        (
            "/thinking",
            json!({ "type": "enabled", "budget_tokens": 9 }),
            "1024",
        ),
        (
            "/thinking",
            json!({ "type": "enabled", "budget_tokens": 2048 }),
            "max_tokens",
        ),
        (
            "/system",
            json!([{ "type": "text", "text": "" }]),
            "must be non-empty",
        ),
        (
            "/output_config",
            json!({ "format": { "type": "json_schema", "schema": { "type": "object" } } }),
            "additionalProperties",
        ),
        (
            "/output_config",
            json!({ "format": { "type": "json_schema", "name": "n", "schema": {} } }),
            "Extra inputs",
        ),
    ];
    all_refused(Format::Anthropic, &cases).await;
}

#[tokio::test]
async fn a_model_of_a_generation_takes_what_it_takes() {
    let prefill = |model: &str, text: &str| {
        json!({ "model": model, "max_tokens": 9, "messages": [
            { "role": "user", "content": "hi" }, { "role": "assistant", "content": text } ] })
    };
    let knob = |model: &str| {
        json!({ "model": model, "max_tokens": 9, "temperature": 0.2,
            "messages": [{ "role": "user", "content": "hi" }] })
    };
    let cases = [
        (prefill("claude-sonnet-4-5", "{"), None),
        (
            prefill("claude-sonnet-4-5", "so "),
            Some("trailing whitespace"),
        ),
        (
            prefill("claude-opus-4-6", "{"),
            Some("does not support assistant message prefill"),
        ),
        (knob("claude-sonnet-4-5"), None),
        (
            knob("claude-opus-5"),
            Some("is not supported for this model"),
        ),
    ];
    for (request, refusal) in cases {
        let answer = Format::Anthropic
            .post("tokens=1", How::Whole, &request)
            .await;
        match refusal {
            None => assert_eq!(answer.status, 200, "{}", answer.text()),
            Some(part) => assert!(answer.text().contains(part), "{}", answer.text()),
        }
    }
}

#[tokio::test]
async fn a_door_is_shut_without_its_headers() {
    let cases = [
        (
            Format::Anthropic,
            "anthropic-version: 2023-06-01\r\n",
            401,
            "authentication_error",
        ),
        (
            Format::Anthropic,
            "x-api-key: k\r\n",
            400,
            "anthropic-version",
        ),
        (
            Format::Anthropic,
            "x-api-key: k\r\nanthropic-version: 1\r\n",
            400,
            "not a valid version",
        ),
        (
            Format::Anthropic,
            "authorization: Bearer k\r\nanthropic-version: 2023-06-01\r\n",
            200,
            "",
        ),
        (Format::Gemini, "", 403, "PERMISSION_DENIED"),
        (Format::Gemini, "authorization: Bearer k\r\n", 200, ""),
        (Format::Azure, "", 401, "Access denied"),
    ];
    for (format, headers, status, part) in cases {
        let sim = crate::sim::tests::sim("tokens=1").await;
        let mut client = crate::sim::tests::Client::connect(&sim).await;
        let request = format.request("m", How::Whole).to_string();
        client
            .post(&format.path("m", How::Whole), headers, &request)
            .await;
        let answer = client.answer().await;
        assert_eq!(
            answer.status,
            status,
            "{format:?} {headers}: {}",
            answer.text()
        );
        assert!(answer.text().contains(part), "{}", answer.text());
    }
    let sim = crate::sim::tests::sim("tokens=1").await;
    let mut client = crate::sim::tests::Client::connect(&sim).await;
    client
        .post(
            "/openai/deployments/m/chat/completions",
            "api-key: k\r\n",
            "{}",
        )
        .await;
    let answer = client.answer().await;
    assert_eq!(
        (answer.status, answer.text().contains("\"statusCode\":404")),
        (404, true)
    );
}

fn gemini() -> Value {
    json!({
        "systemInstruction": { "parts": [{ "text": "Be brief." }] },
        "generationConfig": { "maxOutputTokens": 10, "temperature": 1.5, "stopSequences": ["END"] },
        "tools": [{ "functionDeclarations": [
            { "name": "f", "parametersJsonSchema": { "type": "object", "additionalProperties": false } } ] }],
        "toolConfig": { "functionCallingConfig": { "mode": "ANY", "allowedFunctionNames": ["f"] } },
        "contents": [
            { "role": "user", "parts": [
                { "text": "What?" }, { "inlineData": { "mimeType": "image/png", "data": "iVBORw0KGgo=" } } ] },
            { "role": "model", "parts": [
                { "functionCall": { "name": "f", "args": {} },
                  "thoughtSignature": "skip_thought_signature_validator" },
                { "functionCall": { "name": "f", "args": {} } } ] },
            { "role": "user", "parts": [
                { "functionResponse": { "name": "f", "response": { "output": 1 } } },
                { "functionResponse": { "name": "f", "response": { "error": "no" } } } ] },
        ],
    })
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn contents_are_taken_as_the_provider_takes_them() {
    for how in BOTH {
        let answer = Format::Gemini.post("tokens=1", how, &gemini()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let declaration = "/tools/0/functionDeclarations/0";
    let schema = |parameters: Value| json!({ "name": "f", "parameters": parameters });
    let cases: Vec<Case> = vec![
        ("/contents", json!([]), "contents is not specified"),
        (
            "/messages",
            json!([]),
            "Unknown name \\\"messages\\\": Cannot find field.",
        ),
        ("/generationConfig/max_tokens", json!(3), "Unknown name"),
        ("/generationConfig/candidateCount", json!(9), "range"),
        (
            "/generationConfig/stopSequences",
            json!(["1", "2", "3", "4", "5", "6"]),
            "at most 5",
        ),
        (
            "/generationConfig/responseJsonSchema",
            json!({}),
            "application/json",
        ),
        ("/contents/0/role", json!("model"), "begin with a user turn"),
        ("/contents/0/role", json!("system"), "valid role"),
        ("/contents/1/role", json!("user"), "alternate"),
        ("/contents/0/parts", json!([]), "must not be empty"),
        (
            "/contents/0/parts/0",
            json!({}),
            "must have one initialized field",
        ),
        ("/contents/0/parts/0/inlineData", json!({}), "already set"),
        ("/contents/0/parts/0/type", json!("text"), "Unknown name"),
        (
            "/contents/0/parts/1/inlineData/data",
            json!("eHg="),
            "input image",
        ),
        (
            "/contents/2/parts/-",
            json!({ "functionResponse": { "name": "f", "response": {} } }),
            "number of function response parts",
        ),
        (
            "/contents/2/parts/0",
            json!({ "text": "x" }),
            "number of function response parts",
        ),
        (
            "/contents/2/parts/0/functionResponse/name",
            json!("g"),
            "name matches",
        ),
        (
            "/contents/2/parts/0/functionResponse/response",
            json!("x"),
            "Struct",
        ),
        (
            "/contents/1/parts/0/functionCall/arguments",
            json!("{}"),
            "Unknown name",
        ),
        (
            "/contents/1/parts/0/functionCall/args",
            json!("{}"),
            "Struct",
        ),
        (
            "/tools/-",
            json!({ "functionDeclarations": [{ "name": "g" }] }),
            "Multiple tools",
        ),
        (
            declaration,
            json!({ "name": "1f" }),
            "Must start with a letter",
        ),
        (
            declaration,
            schema(json!({ "type": "object", "additionalProperties": false })),
            "Unknown name \\\"additionalProperties\\\"",
        ),
        (
            declaration,
            schema(json!({ "type": ["string", "null"] })),
            "cannot start list",
        ),
        (
            declaration,
            json!({ "name": "f", "parametersJsonSchema": { "$schema": "x" } }),
            "$schema",
        ),
        (
            "/toolConfig/functionCallingConfig/mode",
            json!("AUTO"),
            "mode ANY",
        ),
        (
            "/toolConfig/functionCallingConfig/allowedFunctionNames",
            json!(["g"]),
            "not declared",
        ),
        (
            "/systemInstruction",
            json!("Be brief."),
            "must not be empty",
        ),
    ];
    all_refused(Format::Gemini, &cases).await;
}

#[tokio::test]
async fn signatures_of_calls_are_wanted_by_models_that_make_them() {
    let ask = async |model: &str, change: fn(&mut Value)| {
        let sim = crate::sim::tests::sim("tokens=1").await;
        let mut client = crate::sim::tests::Client::connect(&sim).await;
        let mut request = gemini();
        change(&mut request);
        let path = Format::Gemini.path(model, How::Whole);
        client
            .post(&path, Format::Gemini.headers(), &request.to_string())
            .await;
        let answer = client.answer().await;
        (answer.status, answer.text())
    };
    let without: fn(&mut Value) = |request| {
        let part = &mut request["contents"][1]["parts"][0];
        part.as_object_mut().unwrap().remove("thoughtSignature");
    };
    let foreign: fn(&mut Value) = |request| {
        request["contents"][1]["parts"][0]["thoughtSignature"] = json!("b3RoZXI=");
    };
    let older: fn(&mut Value) = |request| {
        request["contents"][1]["parts"][0]
            .as_object_mut()
            .unwrap()
            .remove("thoughtSignature");
        let more = [
            json!({ "role": "model", "parts": [{ "text": "so" }] }),
            json!({ "role": "user", "parts": [{ "text": "and?" }] }),
        ];
        request["contents"].as_array_mut().unwrap().extend(more);
    };
    assert_eq!(ask("gemini-3-pro", |_| {}).await.0, 200);
    assert_eq!(ask("gemini-2.5-pro", without).await.0, 200);
    assert_eq!(ask("gemini-3-pro", older).await.0, 200);
    let (status, text) = ask("gemini-3.5-flash", without).await;
    assert!(
        status == 400 && text.contains("missing a thought_signature"),
        "{text}"
    );
    let (status, text) = ask("gemini-3-pro", foreign).await;
    assert!(
        status == 400 && text.contains("Corrupted thought signature"),
        "{text}"
    );
    let model_last: fn(&mut Value) = |request| {
        let last = json!({ "role": "model", "parts": [{ "text": "so" }] });
        request["contents"].as_array_mut().unwrap().push(last);
    };
    assert_eq!(ask("gemini-3-pro", model_last).await.0, 200);
    let (status, text) = ask("gemini-3.5-flash", model_last).await;
    assert!(
        status == 400 && text.contains("ending with a model turn"),
        "{text}"
    );
}

#[tokio::test]
async fn chat_messages_keep_their_order_and_may_have_unknown_fields() {
    let call = json!({ "role": "assistant", "content": null, "tool_calls": [
        { "id": "a", "type": "function", "function": { "name": "f", "arguments": "{}" } } ] });
    let result = json!({ "role": "tool", "tool_call_id": "a", "content": "1" });
    let mut request = Format::OpenAi.request("m", How::Whole);
    request["unknown"] = json!(1);
    request["messages"] = json!([call, result]);
    assert_eq!(
        Format::OpenAi.post("", How::Whole, &request).await.status,
        200
    );
    for messages in [
        json!([call]),
        json!([result]),
        json!([call, { "role": "user" }, result]),
    ] {
        request["messages"] = messages;
        let answer = Format::OpenAi.post("", How::Whole, &request).await;
        assert_eq!(answer.status, 400, "{request}");
        assert!(answer.text().contains("invalid_request_error"));
    }
}

/// The same conversation in each format.
fn conversation(format: Format) -> Value {
    let png = "iVBORw0KGgo=";
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    match format {
        Format::Anthropic => json!({
            "model": "m", "max_tokens": 99, "system": "Be brief.", "stop_sequences": ["END"],
            "tools": [{ "name": "weather", "input_schema": schema }], "tool_choice": { "type": "any" },
            "messages": [
                { "role": "user", "content": [
                    { "type": "text", "text": "Where is this?" },
                    { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": png } } ] },
                { "role": "assistant", "content": [
                    { "type": "thinking", "thinking": "Hm.", "signature": "s" },
                    { "type": "text", "text": "Let me look." },
                    { "type": "tool_use", "id": "t1", "name": "weather", "input": { "city": "Oslo" } },
                    { "type": "tool_use", "id": "t2", "name": "weather", "input": { "city": "Lima" } } ] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "t1", "content": "{\"temp\": 4}" },
                    { "type": "tool_result", "tool_use_id": "t2", "content": "offline", "is_error": true },
                    { "type": "text", "text": "And?" } ] } ] }),
        Format::Gemini => json!({
            "systemInstruction": { "parts": [{ "text": "Be brief." }] },
            "generationConfig": { "stopSequences": ["END"] },
            "tools": [{ "functionDeclarations": [{ "name": "weather", "parametersJsonSchema": schema }] }],
            "toolConfig": { "functionCallingConfig": { "mode": "ANY" } },
            "contents": [
                { "role": "user", "parts": [
                    { "text": "Where is this?" }, { "inlineData": { "mimeType": "image/png", "data": png } } ] },
                { "role": "model", "parts": [
                    { "text": "Let me look." },
                    { "functionCall": { "name": "weather", "args": { "city": "Oslo" } } },
                    { "functionCall": { "name": "weather", "args": { "city": "Lima" } } } ] },
                { "role": "user", "parts": [
                    { "functionResponse": { "name": "weather", "response": { "temp": 4 } } },
                    { "functionResponse": { "name": "weather", "response": { "error": "offline" } } },
                    { "text": "And?" } ] } ] }),
        _ => json!({
            "model": "m", "stop": "END",
            "tools": [{ "type": "function", "function": { "name": "weather", "parameters": schema } }],
            "tool_choice": "required",
            "messages": [
                { "role": "system", "content": "Be brief." },
                { "role": "user", "content": [
                    { "type": "text", "text": "Where is this?" },
                    { "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{png}") } } ] },
                { "role": "assistant", "content": "Let me look.", "tool_calls": [
                    { "id": "t1", "type": "function",
                      "function": { "name": "weather", "arguments": "{\"city\":\"Oslo\"}" } },
                    { "id": "t2", "type": "function",
                      "function": { "name": "weather", "arguments": "{\"city\":\"Lima\"}" } } ] },
                { "role": "tool", "tool_call_id": "t1", "content": "{\"temp\":4}" },
                { "role": "tool", "tool_call_id": "t2", "content": "Error: offline" },
                { "role": "user", "content": "And?" } ] }),
    }
}

#[tokio::test]
async fn a_conversation_is_understood_alike_in_every_format() {
    let expected = json!({
        "system": "Be brief.", "tools": ["weather"], "choice": "required", "format": "text", "stop": ["END"],
        "turns": [
            { "who": "user", "parts": [
                { "text": "Where is this?" }, { "inline": "image/png", "bytes": 8 } ] },
            { "who": "assistant", "parts": [
                { "text": "Let me look." },
                { "call": "weather", "arguments": { "city": "Oslo" } },
                { "call": "weather", "arguments": { "city": "Lima" } } ] },
            { "who": "user", "parts": [
                { "result_of": "weather", "text": "{\"temp\":4}", "error": false, "more": [] },
                { "result_of": "weather", "text": "offline", "error": true, "more": [] },
                { "text": "And?" } ] } ],
    });
    for format in CHATS {
        for how in BOTH {
            let mut request = conversation(format);
            if format != Format::Gemini {
                request["stream"] = json!(how == How::Stream);
            }
            let answer = format.post("echo", how, &request).await;
            assert_eq!(answer.status, 200, "{format:?}: {}", answer.text());
            let said = crate::sim::tests::formats::read(format, &answer, how);
            let echo: Value = serde_json::from_str(&said.text).unwrap();
            assert_eq!(echo, expected, "{format:?}");
        }
    }
}
