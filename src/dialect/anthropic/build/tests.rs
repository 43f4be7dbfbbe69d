//! What a conversation of another format becomes.

use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{schema, translated};
use crate::dialect::anthropic::parse;
use crate::dialect::golden::{fixtures, golden};
use crate::dialect::profile::Profile;
use crate::dialect::{Recipient, Unfit};
use crate::exchange::{
    Abilities, Conversation, Dialect, Effort, Form, Format, Need, Needs, Part, Prefill, Sampled,
    Sampling, Source, Speaker, Task, Thinking, Tool, ToolChoice, Turn,
};
use crate::units::Tokens;

type Built = Result<(Value, Vec<String>), Unfit>;

fn build(conversation: &Conversation<'_>, abilities: &Abilities, form: Form) -> Built {
    let to = Recipient {
        dialect: Dialect::Anthropic,
        model: "claude-x",
        profile: &Profile::PLAIN,
        abilities,
        form,
    };
    let ask = translated(conversation, &to)?;
    let body = serde_json::from_slice(&ask.body.concat()).unwrap();
    Ok((
        body,
        ask.dropped
            .iter()
            .map(|name| name.clone().into_owned())
            .collect(),
    ))
}

fn built(conversation: &Conversation<'_>) -> Value {
    build(conversation, &Abilities::UNKNOWN, Form::Whole)
        .unwrap()
        .0
}

fn text(text: &str) -> Part<'_> {
    Part::Text(text.into())
}

fn call<'a>(id: &'a str, arguments: &'a str) -> Part<'a> {
    Part::ToolCall {
        id: id.into(),
        name: "look".into(),
        arguments: arguments.into(),
        signature: None,
    }
}

fn result<'a>(id: &'a str, parts: Vec<Part<'a>>) -> Part<'a> {
    Part::ToolResult {
        id: id.into(),
        parts,
        is_error: false,
    }
}

fn turn<const N: usize>(speaker: Speaker, parts: [Part<'_>; N]) -> Turn<'_> {
    Turn {
        speaker,
        parts: parts.into(),
    }
}

fn asked<'a>() -> Conversation<'a> {
    Conversation {
        turns: vec![turn(Speaker::User, [text("Hi")])],
        choices: 1,
        ..Conversation::default()
    }
}

fn raw(json: &str) -> &RawValue {
    serde_json::from_str(json).unwrap()
}

fn image(media_type: &'static str, data: &'static str) -> Part<'static> {
    Part::Image {
        source: Source::Inline {
            media_type: media_type.into(),
            data: data.into(),
        },
        detail: Some("high".into()),
    }
}

#[test]
fn each_recorded_request_is_written_again_as_its_snapshot_says() {
    let older = Abilities {
        thinking: Thinking::Budget,
        prefill: Prefill::Continues,
        max_output: Some(Tokens(64_000)),
        ..Abilities::UNKNOWN
    };
    let newer = Abilities {
        thinking: Thinking::Level,
        sampling: Sampled::Fixed,
        prefill: Prefill::Refuses,
        max_output: Some(Tokens(512)),
        ..Abilities::UNKNOWN
    };
    for (name, bytes) in fixtures("anthropic/requests", "json") {
        let request = parse::request(Task::Chat, bytes).unwrap();
        let Ok(conversation) = parse::conversation(&request) else {
            continue;
        };
        for (generation, abilities) in [("older", &older), ("newer", &newer)] {
            let told = match build(&conversation, abilities, Form::Stream) {
                Ok((body, dropped)) => format!("{body:#}\ndropped: {dropped:?}\n"),
                Err(unfit) => format!("{unfit:?}\n"),
            };
            golden("anthropic", &format!("built_{name}_{generation}"), &told);
        }
    }
}

#[test]
fn results_come_first_in_one_message_after_their_calls() {
    let mut conversation = asked();
    conversation.turns = vec![
        turn(
            Speaker::Assistant,
            [call("a", "{\"x\":1}"), text("Let me look.")],
        ),
        turn(Speaker::System, [text("Quick.")]),
        turn(Speaker::User, [result("a", vec![text("4")])]),
        turn(Speaker::User, [result("b", vec![])]),
        turn(Speaker::User, [text("One line.")]),
    ];
    let body = built(&conversation);
    let expected = json!([
        {"role": "user", "content": [{"type": "text", "text": "."}]},
        {"role": "assistant", "content": [
            {"type": "text", "text": "Let me look."},
            {"type": "tool_use", "id": "a", "name": "look", "input": {"x": 1}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": "4"},
            {"type": "tool_result", "tool_use_id": "b", "content": ""},
            {"type": "text", "text": "Quick."},
            {"type": "text", "text": "One line."},
        ]},
    ]);
    assert_eq!(body["messages"], expected);
    let tools = json!([{"name": "look", "input_schema": {"type": "object"}}]);
    assert_eq!(body["tools"], tools);
    assert_eq!(body["tool_choice"], json!({"type": "none"}));
}

#[test]
fn ids_pair_up_and_no_two_calls_share_one() {
    let mut conversation = asked();
    for _ in 0..2 {
        conversation.turns.extend([
            turn(
                Speaker::Assistant,
                [call("f:0", ""), call("", "{}"), call("x", "null")],
            ),
            turn(
                Speaker::User,
                [
                    result("f:0", vec![]),
                    result("", vec![]),
                    result("x", vec![]),
                ],
            ),
        ]);
    }
    let body = built(&conversation);
    let ids = |kind: &str, name: &str| -> Vec<String> {
        let messages = body["messages"].as_array().unwrap().iter();
        let blocks = messages.flat_map(|message| message["content"].as_array().unwrap());
        let of = blocks.filter(|block| block["type"] == kind);
        of.map(|block| block[name].as_str().unwrap().to_owned())
            .collect()
    };
    let calls = ids("tool_use", "id");
    assert_eq!(calls, ids("tool_result", "tool_use_id"));
    for (at, id) in calls.iter().enumerate() {
        assert!(!calls[..at].contains(id), "{calls:?}");
        assert!(
            id.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        );
    }
    assert_eq!(calls[1], "call_1");
    assert_eq!(calls[2], "x");
}

#[test]
fn an_answer_has_a_bound_that_the_model_takes() {
    for (wished, most, expected) in [
        (Some(100), None, 100),
        (Some(100), Some(50), 50),
        (Some(0), None, 1),
        (None, Some(64_000), 64_000),
        (None, None, 4096),
    ] {
        let mut conversation = asked();
        conversation.max_output = wished.map(Tokens);
        let abilities = Abilities {
            max_output: most.map(Tokens),
            ..Abilities::UNKNOWN
        };
        let (body, _) = build(&conversation, &abilities, Form::Whole).unwrap();
        assert_eq!(body["max_tokens"], expected, "{wished:?} {most:?}");
        assert!(body.get("stream").is_none());
    }
}

type Names = &'static [&'static str];
type Drawn = ([Option<&'static str>; 3], Sampled, &'static str, Names);
type Thought = (
    Thinking,
    Effort,
    &'static str,
    Option<&'static str>,
    u64,
    Names,
);

/// Temperature, `top_p` and `top_k`; whether the model takes them; what it is sent; what is dropped.
#[rustfmt::skip]
const SAMPLING: &[Drawn] = &[
    ([Some("0.20"), None, Some("40")], Sampled::Freely, "[0.20,null,40]", &[]),
    ([Some("1.7"), None, None], Sampled::Freely, "[1,null,null]", &[]),
    ([None, Some("0.9"), None], Sampled::Freely, "[null,0.9,null]", &[]),
    ([Some("0.2"), Some("1"), None], Sampled::Freely, "[0.2,null,null]", &[]),
    ([Some("0.2"), Some("0.9"), None], Sampled::Freely, "[0.2,null,null]", &["top_p"]),
    ([Some("0.2"), Some("0.9"), Some("4")], Sampled::Fixed, "[null,null,null]", &["temperature", "top_p", "top_k"]),
    ([Some("1.0"), Some("1"), None], Sampled::Fixed, "[null,null,null]", &[]),
];

#[test]
fn sampling_is_as_the_model_takes_it() {
    for ([temperature, top_p, top_k], sampled, expected, dropped) in SAMPLING {
        let conversation = Conversation {
            sampling: Sampling {
                temperature: *temperature,
                top_p: *top_p,
                top_k: *top_k,
                ..Sampling::default()
            },
            ..asked()
        };
        let abilities = Abilities {
            sampling: *sampled,
            ..Abilities::UNKNOWN
        };
        let (body, told) = build(&conversation, &abilities, Form::Whole).unwrap();
        let drawn = json!([body["temperature"], body["top_p"], body["top_k"]]);
        assert_eq!(drawn, serde_json::from_str::<Value>(expected).unwrap());
        assert_eq!(told, *dropped, "{expected}");
    }
}

const ADAPTIVE: &str = r#"{"type":"adaptive"}"#;

/// How the model is told, the effort, `thinking`, `output_config.effort`, `max_tokens` and whether
/// the wish is dropped.
#[rustfmt::skip]
const EFFORTS: &[Thought] = &[
    (Thinking::Level, Effort::None, r#"{"type":"disabled"}"#, None, 4096, &[]),
    (Thinking::Level, Effort::Minimal, ADAPTIVE, Some("low"), 4096, &[]),
    (Thinking::Level, Effort::XHigh, ADAPTIVE, Some("xhigh"), 4096, &[]),
    (Thinking::Level, Effort::Adaptive, ADAPTIVE, None, 4096, &[]),
    (Thinking::Level, Effort::Budget(Tokens(8000)), ADAPTIVE, Some("medium"), 4096, &[]),
    (Thinking::Unknown, Effort::High, ADAPTIVE, Some("high"), 4096, &[]),
    (Thinking::Budget, Effort::None, "null", None, 4096, &[]),
    (Thinking::Budget, Effort::Low, r#"{"type":"enabled","budget_tokens":1024}"#, None, 5120, &[]),
    (Thinking::Budget, Effort::Max, r#"{"type":"enabled","budget_tokens":24576}"#, None, 28672, &[]),
    (Thinking::Never, Effort::Low, "null", None, 4096, &["reasoning_effort"]),
    (Thinking::Never, Effort::None, "null", None, 4096, &[]),
];

#[test]
fn effort_is_said_in_the_words_of_the_models_generation() {
    for (way, effort, thinking, level, most, dropped) in EFFORTS {
        let conversation = Conversation {
            effort: Some(*effort),
            ..asked()
        };
        let abilities = Abilities {
            thinking: *way,
            ..Abilities::UNKNOWN
        };
        let (body, told) = build(&conversation, &abilities, Form::Whole).unwrap();
        let thinking: Value = serde_json::from_str(thinking).unwrap();
        assert_eq!(body["thinking"], thinking, "{way:?} {effort:?}");
        assert_eq!(
            body["output_config"]["effort"].as_str(),
            *level,
            "{way:?} {effort:?}"
        );
        assert_eq!(body["max_tokens"], *most, "{way:?} {effort:?}");
        assert_eq!(told, *dropped, "{way:?} {effort:?}");
    }
}

#[test]
fn a_budget_is_left_out_where_it_would_be_refused() {
    let abilities = Abilities {
        thinking: Thinking::Budget,
        ..Abilities::UNKNOWN
    };
    let effort = Some(Effort::Low);
    let forced = Conversation {
        tools: vec![tool(None)],
        tool_choice: Some(ToolChoice::Required),
        effort,
        ..asked()
    };
    let mut amid = Conversation { effort, ..asked() };
    amid.turns.push(turn(Speaker::Assistant, [call("a", "{}")]));
    amid.turns.push(turn(Speaker::User, [result("a", vec![])]));
    let short = Abilities {
        max_output: Some(Tokens(1000)),
        ..abilities.clone()
    };
    let plain = Conversation { effort, ..asked() };
    for (conversation, abilities) in [(&forced, &abilities), (&amid, &abilities), (&plain, &short)]
    {
        let (body, told) = build(conversation, abilities, Form::Whole).unwrap();
        assert!(body.get("thinking").is_none());
        assert_eq!(told, ["reasoning_effort"]);
    }
}

fn tool(schema: Option<&RawValue>) -> Tool<'_> {
    Tool {
        name: "look".into(),
        description: None,
        schema,
        strict: None,
    }
}

#[test]
fn tools_have_the_root_that_they_must_have() {
    for (schema, expected) in [
        (None, r#"{"type":"object"}"#),
        (Some("{}"), r#"{"type":"object"}"#),
        (
            Some(r#"{ "properties":{"a":{}}}"#),
            r#"{"type":"object","properties":{"a":{}}}"#,
        ),
        (
            Some(r#"{"type":"object","minProperties":1}"#),
            r#"{"type":"object","minProperties":1}"#,
        ),
        (Some("true"), r#"{"type":"object"}"#),
    ] {
        let conversation = Conversation {
            tools: vec![tool(schema.map(raw))],
            ..asked()
        };
        let body = built(&conversation);
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(body["tools"][0]["input_schema"], expected, "{schema:?}");
        assert!(body.get("tool_choice").is_none());
    }
}

#[test]
fn the_choice_of_tools_is_kept() {
    let choices = [
        (None, None, Value::Null),
        (
            None,
            Some(false),
            json!({"type": "auto", "disable_parallel_tool_use": true}),
        ),
        (None, Some(true), Value::Null),
        (Some(ToolChoice::None), Some(false), json!({"type": "none"})),
        (Some(ToolChoice::Auto), None, json!({"type": "auto"})),
        (
            Some(ToolChoice::Required),
            Some(false),
            json!({"type": "any", "disable_parallel_tool_use": true}),
        ),
        (
            Some(ToolChoice::Named("look".into())),
            None,
            json!({"type": "tool", "name": "look"}),
        ),
        (
            Some(ToolChoice::Allowed {
                names: vec!["look".into()],
                required: true,
            }),
            None,
            json!({"type": "any"}),
        ),
    ];
    for (choice, parallel_tools, expected) in choices {
        let other = Tool {
            name: "other".into(),
            ..tool(None)
        };
        let allows_one = matches!(choice, Some(ToolChoice::Allowed { .. }));
        let conversation = Conversation {
            tools: vec![tool(None), other],
            tool_choice: choice,
            parallel_tools,
            ..asked()
        };
        let body = built(&conversation);
        assert_eq!(body["tool_choice"], expected);
        let count = body["tools"].as_array().unwrap().len();
        assert_eq!(count, if allows_one { 1 } else { 2 });
    }
}

#[test]
fn what_the_caller_relies_on_is_not_left_out() {
    let audio = Part::Audio {
        media_type: "audio/wav".into(),
        data: "UklGRg==".into(),
    };
    let say = |parts: Vec<Part<'static>>, speaker| Conversation {
        turns: vec![Turn { speaker, parts }],
        ..asked()
    };
    let zip = Part::Document {
        source: Source::Inline {
            media_type: "application/zip".into(),
            data: "UEs=".into(),
        },
        name: None,
    };
    let open = raw(r#"{"type":"object"}"#);
    let format = |schema| Format::Schema {
        name: "a".into(),
        description: None,
        schema,
        strict: None,
    };
    let user = Speaker::User;
    for (conversation, need) in [
        (
            Conversation {
                choices: 2,
                ..asked()
            },
            Need::Choices,
        ),
        (say(vec![audio], user), Need::AudioIn),
        (
            say(vec![image("image/svg+xml", "PHN2Zz4=")], user),
            Need::Images,
        ),
        (
            say(vec![image("image/png", "iVBORw0KGgo=")], Speaker::Assistant),
            Need::Images,
        ),
        (say(vec![zip], user), Need::Documents),
        (
            Conversation {
                stop: vec!["\n".into()],
                ..asked()
            },
            Need::Stop,
        ),
        (
            Conversation {
                format: format(open),
                ..asked()
            },
            Need::JsonSchema,
        ),
    ] {
        let unfit = build(&conversation, &Abilities::UNKNOWN, Form::Whole).unwrap_err();
        assert_eq!(unfit, Unfit::Lacks(need));
    }
}

#[test]
fn what_the_catalogue_says_a_model_lacks_is_not_asked_of_it() {
    let format = |schema| Format::Schema {
        name: "a".into(),
        description: None,
        schema,
        strict: None,
    };
    let closed = raw(r#"{"type":"object","properties":{"a":{}},"additionalProperties":false}"#);
    let strict = Conversation {
        format: format(closed),
        ..asked()
    };
    let forced = Conversation {
        tools: vec![tool(None)],
        tool_choice: Some(ToolChoice::Required),
        ..asked()
    };
    for (conversation, need) in [(strict, Need::JsonSchema), (forced, Need::ToolChoice)] {
        let lacks = Needs::NONE.with(need);
        let abilities = Abilities {
            lacks,
            ..Abilities::UNKNOWN
        };
        let unfit = build(&conversation, &abilities, Form::Whole).unwrap_err();
        assert_eq!(unfit, Unfit::Lacks(need));
        assert!(build(&conversation, &Abilities::UNKNOWN, Form::Whole).is_ok());
    }
}

#[test]
fn a_picture_is_called_what_it_looks_like() {
    for (called, data, expected) in [
        ("image/png", "/9j/4AAQ", "image/jpeg"),
        ("application/octet-stream", "iVBORw0KGgoAAA", "image/png"),
        ("image/jpg", "AAAA", "image/jpeg"),
        ("IMAGE/WEBP; q=1", "AAAA", "image/webp"),
        ("image/x", "R0lGODlh", "image/gif"),
    ] {
        let conversation = Conversation {
            turns: vec![turn(Speaker::User, [image(called, data)])],
            ..asked()
        };
        let source = &built(&conversation)["messages"][0]["content"][0]["source"];
        assert_eq!(source["media_type"], expected, "{called} {data}");
    }
}

#[test]
fn a_last_turn_of_the_assistant_is_gone_on_with_or_answered() {
    let mut conversation = asked();
    conversation
        .turns
        .push(turn(Speaker::Assistant, [text("1, 2,\n ")]));
    let last = |prefill, conversation: &Conversation<'_>| {
        let abilities = Abilities {
            prefill,
            ..Abilities::UNKNOWN
        };
        let (body, _) = build(conversation, &abilities, Form::Whole).unwrap();
        body["messages"].as_array().unwrap().last().unwrap().clone()
    };
    let trimmed = json!({"role": "assistant", "content": [{"type": "text", "text": "1, 2,"}]});
    let go_on = json!({"role": "user", "content": [{"type": "text", "text": "Continue."}]});
    assert_eq!(last(Prefill::Continues, &conversation), trimmed);
    assert_eq!(last(Prefill::Refuses, &conversation), go_on);
    assert_eq!(last(Prefill::Unknown, &conversation), go_on);
    conversation.effort = Some(Effort::High);
    assert_eq!(last(Prefill::Continues, &conversation), go_on);
}

#[test]
fn json_mode_is_an_instruction_after_those_of_the_client() {
    let conversation = Conversation {
        format: Format::Json,
        ..asked()
    };
    assert!(
        built(&conversation)["system"]
            .as_str()
            .unwrap()
            .contains("JSON object")
    );
    let told = Conversation {
        system: vec!["Be brief.".into(), " ".into()],
        ..conversation
    };
    let body = built(&told);
    assert_eq!(body["system"][0]["text"], "Be brief.");
    assert!(
        body["system"][1]["text"]
            .as_str()
            .unwrap()
            .contains("JSON object")
    );
    assert_eq!(body["system"].as_array().unwrap().len(), 2);
}

#[test]
fn a_schema_is_narrowed_or_not_taken() {
    for (before, after) in [
        (
            r#"{"type":"object","properties":{"b":{},"a":{"type":"string"}}}"#,
            Some(
                r#"{"type":"object","properties":{"b":{},"a":{"type":"string"}},"additionalProperties":false}"#,
            ),
        ),
        (
            r#"{"properties":{"a":{"items":{"properties":{"x":{"minItems":1}}}}},"additionalProperties":false}"#,
            Some(
                r#"{"properties":{"a":{"items":{"properties":{"x":{"minItems":1}},"additionalProperties":false}}},"additionalProperties":false}"#,
            ),
        ),
        (
            r##"{"$defs":{"n":{"enum":["minimum"]}},"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}"##,
            Some(
                r##"{"$defs":{"n":{"enum":["minimum"]}},"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}"##,
            ),
        ),
        (
            r#"{"type":"object","properties":{"minimum":{"type":"integer"}},"additionalProperties":false}"#,
            Some(
                r#"{"type":"object","properties":{"minimum":{"type":"integer"}},"additionalProperties":false}"#,
            ),
        ),
        (r#"{"type":"object"}"#, None),
        (
            r#"{"type":"object","properties":{},"additionalProperties":true}"#,
            None,
        ),
        (
            r#"{"type":"object","properties":{"a":{"minimum":1}}}"#,
            None,
        ),
        (
            r#"{"type":"array","items":{"type":"string","maxLength":3}}"#,
            None,
        ),
        (r#"{"type":"array","minItems":2}"#, None),
        (r##"{"properties":{"a":{"$ref":"#"}}}"##, None),
        (r#"{"$ref":"https://example.com/a.json"}"#, None),
        ("true", None),
        ("[]", None),
    ] {
        let narrowed = schema::narrowed(raw(before)).map(Cow::into_owned);
        assert_eq!(
            narrowed.as_ref().map(|schema| schema.get()),
            after,
            "{before}"
        );
    }
    let deep = format!("{}{}{}", r#"{"items":"#.repeat(60), "{}", "}".repeat(60));
    assert!(schema::narrowed(raw(&deep)).is_none());
}

#[test]
fn a_tool_is_strict_only_where_its_schema_can_be() {
    let good = raw(r#"{"type":"object","properties":{"a":{}}}"#);
    let bad = raw(r#"{"type":"object","properties":{"a":{"minimum":1}}}"#);
    let strict = |schema| Tool {
        strict: Some(true),
        ..tool(Some(schema))
    };
    let conversation = Conversation {
        tools: vec![strict(good), strict(bad)],
        ..asked()
    };
    let (body, dropped) = build(&conversation, &Abilities::UNKNOWN, Form::Whole).unwrap();
    assert_eq!(body["tools"][0]["strict"], true);
    assert_eq!(
        body["tools"][0]["input_schema"]["additionalProperties"],
        false
    );
    assert!(body["tools"][1].get("strict").is_none());
    assert_eq!(dropped, ["tools.look.strict"]);
    let many = Conversation {
        tools: (0..21).map(|_| strict(good)).collect(),
        ..asked()
    };
    let (body, dropped) = build(&many, &Abilities::UNKNOWN, Form::Whole).unwrap();
    assert!(body["tools"][0].get("strict").is_none());
    assert_eq!(dropped.len(), 21);
}

fn words() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "é \"x\"", "two\nlines", "\u{2028}", "{}", "\\"])
        .prop_map(str::to_owned)
}

/// A user's turn, or an assistant's with calls and the results that follow.
fn exchange_of_turns(at: usize) -> impl Strategy<Value = Vec<Value>> {
    let id = move |nth: usize| format!("toolu_{at}_{nth}");
    (words(), words(), 0..3_usize, any::<bool>()).prop_map(move |(ask, answer, calls, fails)| {
        let mut said = vec![json!({"type": "text", "text": answer})];
        let call = |nth| {
            json!({"type": "tool_use", "id": id(nth), "name": "look", "input": {"q": answer, "n": [nth]}})
        };
        said.extend((0..calls).map(call));
        let result = |nth| {
            let text = json!([{"type": "text", "text": ask}, {"type": "text", "text": "."}]);
            json!({"type": "tool_result", "tool_use_id": id(nth), "content": text, "is_error": fails})
        };
        let mut back: Vec<_> = (0..calls).map(result).collect();
        back.push(json!({"type": "text", "text": ask}));
        vec![
            json!({"role": "assistant", "content": said}),
            json!({"role": "user", "content": back}),
        ]
    })
}

proptest! {
    #[test]
    fn a_request_that_goes_by_way_of_neutral_words_keeps_its_meaning(
        system in prop::collection::vec(words(), 0..3),
        turns in (0..4_usize).prop_flat_map(|count| {
            (0..count).map(exchange_of_turns).collect::<Vec<_>>()
        }),
        max_tokens in 1..100_000_u64,
        choice in prop::sample::select(vec![
            Value::Null, json!({"type": "auto"}), json!({"type": "any", "disable_parallel_tool_use": true}),
            json!({"type": "tool", "name": "look"}), json!({"type": "none"}),
        ]),
        stop in prop::collection::vec(words().prop_filter("not blank", |word| !word.trim().is_empty()), 0..3),
        effort in prop::sample::select(vec!["low", "medium", "high", "xhigh", "max"]),
    ) {
        let mut messages = vec![json!({"role": "user", "content": "Hi"})];
        messages.extend(turns.into_iter().flatten());
        let system: Vec<_> = system.iter().map(|text| json!({"type": "text", "text": text})).collect();
        let body = json!({
            "model": "claude-x", "max_tokens": max_tokens, "system": system, "messages": messages,
            "tools": [{"name": "look", "description": "d", "input_schema": {"type": "object", "properties": {}}}],
            "tool_choice": choice, "stop_sequences": stop, "metadata": {"user_id": "u"},
            "thinking": {"type": "adaptive"}, "output_config": {"effort": effort},
        });
        let first = parse::request(Task::Chat, body.to_string().into()).unwrap();
        let first = parse::conversation(&first).unwrap();
        let mut blank_free = first.clone();
        for turn in &mut blank_free.turns {
            turn.parts.retain(|part| !matches!(part, Part::Text(text) if text.trim().is_empty()));
        }
        blank_free.system.retain(|text| !text.trim().is_empty());
        let blank = |turn: &Turn<'_>| turn.parts.is_empty();
        prop_assume!(!blank_free.turns.iter().any(blank));
        let (again, dropped) = build(&first, &Abilities::UNKNOWN, Form::Whole).unwrap();
        prop_assert!(dropped.is_empty());
        let again = parse::request(Task::Chat, again.to_string().into()).unwrap();
        let again = parse::conversation(&again).unwrap();
        // Results keep blank texts out too.
        let told = |conversation: &Conversation<'_>| format!("{conversation:?}").replace("Text(\"\\u{2028}\"), ", "");
        prop_assert_eq!(told(&again), told(&blank_free));
    }
}
