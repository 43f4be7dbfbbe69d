//! Conversations and the bodies that they become, and what they must keep to.

use std::borrow::Cow;
use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{path, translated};
use crate::dialect::golden::golden;
use crate::dialect::{Ask, Profile, Recipient, Unfit};
use crate::exchange::{
    Abilities, Conversation, Dialect, Effort, Form, Format, Need, Part, Prefill, Sampled, Sampling,
    Source, Speaker, Thinking, Tool, ToolChoice, Turn,
};
use crate::units::Tokens;

const PNG: &str = "iVBORw0KGgoAAAANSUhEUg==";

fn turn<'a>(speaker: Speaker, parts: impl Into<Vec<Part<'a>>>) -> Turn<'a> {
    Turn {
        speaker,
        parts: parts.into(),
    }
}

fn user<'a>(parts: impl Into<Vec<Part<'a>>>) -> Turn<'a> {
    turn(Speaker::User, parts)
}

fn model<'a>(parts: impl Into<Vec<Part<'a>>>) -> Turn<'a> {
    turn(Speaker::Assistant, parts)
}

fn text(text: &str) -> Part<'_> {
    Part::Text(text.into())
}

fn call<'a>(id: &'a str, name: &'a str, arguments: &'a str) -> Part<'a> {
    Part::ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        signature: None,
    }
}

fn sealed<'a>(id: &'a str, seal: &'a str) -> Part<'a> {
    Part::ToolCall {
        id: id.into(),
        name: "look".into(),
        arguments: "{}".into(),
        signature: Some(seal.into()),
    }
}

fn result<'a>(id: &'a str, parts: impl Into<Vec<Part<'a>>>) -> Part<'a> {
    Part::ToolResult {
        id: id.into(),
        parts: parts.into(),
        is_error: false,
    }
}

fn failed<'a>(id: &'a str, words: &'a str) -> Part<'a> {
    Part::ToolResult {
        id: id.into(),
        parts: vec![text(words)],
        is_error: true,
    }
}

fn inline<'a>(media_type: &'a str, data: &'a str) -> Source<'a> {
    Source::Inline {
        media_type: media_type.into(),
        data: data.into(),
    }
}

fn image(source: Source<'_>) -> Part<'_> {
    Part::Image {
        source,
        detail: None,
    }
}

fn detailed(detail: &'static str) -> Part<'static> {
    Part::Image {
        source: inline("image/png", PNG),
        detail: Some(detail.into()),
    }
}

fn url(url: &str) -> Source<'_> {
    Source::Url(url.into())
}

fn document(source: Source<'_>) -> Part<'_> {
    Part::Document {
        source,
        name: Some("a.pdf".into()),
    }
}

fn schema(json: &'static str) -> &'static RawValue {
    serde_json::from_str(json).unwrap()
}

fn tool(name: &'static str, json: Option<&'static str>) -> Tool<'static> {
    Tool {
        name: name.into(),
        description: Some("Looks.".into()),
        schema: json.map(schema),
        strict: None,
    }
}

const PLACE: &str = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"at":{"type":["string","null"]}},"required":["at"]}"#;

fn said<'a>(turns: impl Into<Vec<Turn<'a>>>) -> Conversation<'a> {
    Conversation {
        turns: turns.into(),
        choices: 1,
        ..Conversation::default()
    }
}

fn asked<'a>() -> Conversation<'a> {
    said([user([text("a")])])
}

fn with_tools(choice: Option<ToolChoice<'_>>) -> Conversation<'_> {
    Conversation {
        tools: vec![tool("look", Some(PLACE)), tool("now", None)],
        tool_choice: choice,
        ..asked()
    }
}

fn to(model: &'static str) -> Recipient<'static> {
    Recipient::plain(Dialect::Gemini, model, Form::Whole)
}

fn body(ask: &Ask) -> Value {
    serde_json::from_slice(&ask.body.concat()).unwrap()
}

fn built(conversation: &Conversation<'_>) -> Value {
    body(&translated(conversation, &to("gemini-3.5-flash")).unwrap())
}

/// The pairs of calls and results, as in most tests.
fn looked(after: Vec<Part<'_>>) -> Conversation<'_> {
    said([
        user([text("a")]),
        model([
            text("b"),
            call("1", "look", r#"{"at":"x"}"#),
            call("2", "now", ""),
        ]),
        user(after),
    ])
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn conversations() -> Vec<(&'static str, Conversation<'static>)> {
    let sampling = Sampling {
        temperature: Some("0.2"),
        top_p: Some("1"),
        top_k: Some("40"),
        seed: Some("7"),
        presence_penalty: Some("0.5"),
        frequency_penalty: Some("-0.5"),
    };
    let whole = Conversation {
        system: vec!["You are terse.".into(), "".into(), "Be kind.".into()],
        tool_choice: Some(ToolChoice::Auto),
        tools: vec![tool("look", Some(PLACE))],
        max_output: Some(Tokens(512)),
        stop: vec!["END".into(), "".into()],
        sampling,
        user: Some("someone".into()),
        parallel_tools: Some(true),
        choices: 2,
        ..looked(vec![
            result("1", [text(r#"{"t":4}"#)]),
            result("2", [text("noon")]),
            text("One line."),
        ])
    };
    let format = |format| Conversation { format, ..asked() };
    vec![
        ("plain", asked()),
        ("everything", whole),
        ("nothing_said", said([])),
        (
            "system_alone",
            Conversation {
                system: vec!["s".into()],
                ..said([])
            },
        ),
        ("model_first", said([model([text("a")]), user([text("b")])])),
        (
            "neighbours",
            said([
                user([text("a")]),
                user([text("b"), text("")]),
                model([text("c")]),
                model([text("d")]),
                user([text("e")]),
            ]),
        ),
        (
            "system_between",
            said([
                user([text("a")]),
                model([text("b")]),
                turn(Speaker::System, [text("c")]),
                user([text("d")]),
            ]),
        ),
        (
            "empty_turns",
            said([
                user([text("a")]),
                model([text("")]),
                user([]),
                user([text("b")]),
            ]),
        ),
        ("model_last", said([user([text("a")]), model([text("b")])])),
        (
            "call_last",
            said([user([text("a")]), model([call("1", "look", "{}")])]),
        ),
        (
            "thoughts_dropped",
            said([
                user([text("a")]),
                model([
                    Part::Reasoning {
                        text: "hm".into(),
                        signature: Some("s".into()),
                    },
                    text("b"),
                ]),
                user([text("c")]),
            ]),
        ),
        (
            "odd_arguments",
            said([
                user([text("a")]),
                model([
                    call("1", "f", ""),
                    call("2", "f", "[1]"),
                    call("3", "f", "{\"a\":"),
                    call("4", "f", "null"),
                    call("5", "f", " {\"b\": [1, \"é\"]}\n"),
                ]),
                user([
                    result("1", []),
                    result("2", []),
                    result("3", []),
                    result("4", []),
                    result("5", []),
                ]),
            ]),
        ),
        (
            "no_ids",
            said([
                user([text("a")]),
                model([call("", "f", "{}")]),
                user([result("", [text("x")])]),
            ]),
        ),
        (
            "results_first",
            looked(vec![
                text("so?"),
                result("2", [text("b")]),
                result("1", [text("a")]),
            ]),
        ),
        (
            "result_failed",
            looked(vec![failed("1", "offline"), failed("2", r#"{"code":1}"#)]),
        ),
        (
            "result_of_texts",
            looked(vec![
                result(
                    "1",
                    [text("{"), text("}"), document(Source::Text("c".into()))],
                ),
                result("2", [text(" {\"a\":1} ")]),
            ]),
        ),
        (
            "result_with_image",
            looked(vec![
                result("1", [text("see"), image(inline("image/jpg", "AA=="))]),
                result("2", []),
            ]),
        ),
        (
            "result_of_no_call",
            looked(vec![
                result("1", []),
                result("2", []),
                result("9", [text("lost")]),
            ]),
        ),
        (
            "results_of_several_turns",
            said([
                user([text("a")]),
                model([call("1", "f", "{}"), call("2", "g", "{}")]),
                user([result("1", [text("x")])]),
                user([result("2", [text("y")])]),
                turn(Speaker::System, [text("s")]),
            ]),
        ),
        (
            "id_used_again",
            said([
                user([text("a")]),
                model([call("1", "f", "{}")]),
                user([result("1", [])]),
                model([call("1", "g", "{}")]),
                user([result("1", [])]),
            ]),
        ),
        (
            "signatures_kept",
            said([
                user([text("a")]),
                model([sealed("1", "seal"), call("2", "look", "{}")]),
                user([result("1", []), result("2", [])]),
                model([sealed("3", "")]),
                user([result("3", [])]),
            ]),
        ),
        (
            "media",
            said([user([
                image(inline("image/png", PNG)),
                document(inline("application/pdf", "JVBERi0=")),
                Part::Audio {
                    media_type: "audio/wav".into(),
                    data: "UklGRg==".into(),
                },
                document(Source::Text("plain".into())),
                text("?"),
            ])]),
        ),
        (
            "files",
            said([user([
                image(url("gs://bucket/a.PNG")),
                document(url(
                    "https://generativelanguage.googleapis.com/v1beta/files/abc",
                )),
                image(url("https://youtu.be/x")),
            ])]),
        ),
        (
            "detail_low",
            said([user([detailed("low"), detailed("low")])]),
        ),
        ("detail_high", said([user([detailed("high")])])),
        (
            "detail_mixed",
            said([user([detailed("high"), detailed("low")])]),
        ),
        (
            "detail_of_some",
            said([user([detailed("low"), image(inline("image/png", PNG))])]),
        ),
        ("tools_open", with_tools(None)),
        ("tools_none", with_tools(Some(ToolChoice::None))),
        ("tools_required", with_tools(Some(ToolChoice::Required))),
        (
            "tools_named",
            with_tools(Some(ToolChoice::Named("now".into()))),
        ),
        (
            "tools_allowed",
            with_tools(Some(ToolChoice::Allowed {
                names: vec!["now".into()],
                required: false,
            })),
        ),
        (
            "tools_allowed_required",
            with_tools(Some(ToolChoice::Allowed {
                names: vec!["now".into()],
                required: true,
            })),
        ),
        ("json", format(Format::Json)),
        (
            "json_schema",
            format(Format::Schema {
                name: "n".into(),
                description: None,
                schema: schema(PLACE),
                strict: Some(true),
            }),
        ),
        (
            "unicode",
            Conversation {
                system: vec!["ü\u{2028}\"\\\n".into()],
                ..said([user([text("\u{0}\u{1f324}")])])
            },
        ),
    ]
}

fn pretty(ask: &Ask) -> String {
    let mut out = serde_json::to_string_pretty(&body(ask)).unwrap();
    if !ask.dropped.is_empty() {
        write!(out, "\ndropped: {:?}", ask.dropped).unwrap();
    }
    out
}

#[test]
fn each_conversation_becomes_the_body_in_its_snapshot() {
    for (name, conversation) in conversations() {
        let ask = translated(&conversation, &to("gemini-3.5-flash")).unwrap();
        golden("gemini", &format!("request_{name}"), &pretty(&ask));
    }
}

#[test]
fn older_models_get_no_signature_and_schemas_in_the_subset() {
    let mut all = conversations();
    let mut pick = |wanted: &str| {
        all.swap_remove(all.iter().position(|(name, _)| *name == wanted).unwrap())
            .1
    };
    for (name, model, conversation) in [
        ("old_tools", "gemini-2.0-flash", pick("everything")),
        ("old_schema", "gemini-1.5-pro", pick("json_schema")),
        ("no_signature", "gemini-2.5-pro", pick("results_first")),
    ] {
        let ask = translated(&conversation, &to(model)).unwrap();
        golden("gemini", &format!("request_{name}"), &pretty(&ask));
    }
    let mut profile = Profile::PLAIN;
    profile.name = "gemini-openapi".into();
    let regional = Recipient {
        profile: &profile,
        ..to("gemini-3.5-flash")
    };
    let ask = translated(&with_tools(None), &regional).unwrap();
    let declaration = &body(&ask)["tools"][0]["functionDeclarations"][0];
    assert!(
        declaration["parameters"].is_object() && declaration.get("parametersJsonSchema").is_none()
    );
}

#[test]
fn the_path_names_the_model_the_method_and_nothing_else() {
    for (model, form, expected) in [
        (
            "gemini-2.5-pro",
            Form::Whole,
            "/models/gemini-2.5-pro:generateContent",
        ),
        (
            "gemini-2.5-pro",
            Form::Stream,
            "/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
        ),
        (
            "models/gemini-2.5-pro",
            Form::Whole,
            "/models/gemini-2.5-pro:generateContent",
        ),
        (
            "gemini-1.5@001",
            Form::Whole,
            "/models/gemini-1.5@001:generateContent",
        ),
        (
            "../x?y#z",
            Form::Whole,
            "/models/..%2Fx%3Fy%23z:generateContent",
        ),
        (
            "a:b é\r\n%",
            Form::Whole,
            "/models/a%3Ab%20%C3%A9%0D%0A%25:generateContent",
        ),
        ("", Form::Whole, "/models/:generateContent"),
    ] {
        let to = Recipient::plain(Dialect::Gemini, model, form);
        assert_eq!(path(&to), expected);
        assert_eq!(translated(&asked(), &to).unwrap().path, expected);
    }
}

#[test]
fn what_the_api_lacks_is_not_asked_of_it() {
    let stops = |count: usize| Conversation {
        stop: vec!["x".into(); count],
        ..asked()
    };
    let choices = |choices| Conversation { choices, ..asked() };
    let named = |name: &'static str| Conversation {
        tools: vec![tool(name, None)],
        ..asked()
    };
    let part = |part| said([user([part])]);
    let web = "https://example.com/a.png";
    for (case, conversation, expected) in [
        ("five stops", stops(5), None),
        ("six stops", stops(6), Some(Need::Stop)),
        ("eight answers", choices(8), None),
        ("nine answers", choices(9), Some(Need::Choices)),
        ("a name", named("_a.b:c-d"), None),
        ("a digit first", named("1a"), Some(Need::Tools)),
        ("a blank name", named(""), Some(Need::Tools)),
        ("a name of words", named("a b"), Some(Need::Tools)),
        (
            "a picture of the web",
            part(image(url(web))),
            Some(Need::Images),
        ),
        (
            "a file of the web",
            part(document(url(web))),
            Some(Need::Documents),
        ),
        (
            "a bucket without a type",
            part(image(url("gs://a/b"))),
            Some(Need::Images),
        ),
        (
            "a picture in a result",
            looked(vec![result("1", [image(url(web))])]),
            Some(Need::Images),
        ),
    ] {
        let read = translated(&conversation, &to("gemini-3.5-flash")).map(drop);
        assert_eq!(
            read,
            expected.map_or(Ok(()), |need| Err(Unfit::Lacks(need))),
            "{case}"
        );
    }
    let recursive = r##"{"type":"object","properties":{"a":{"$ref":"#"}}}"##;
    let tools = Conversation {
        tools: vec![tool("f", Some(recursive))],
        ..asked()
    };
    assert!(translated(&tools, &to("gemini-3.5-flash")).is_ok());
    let old = translated(&tools, &to("gemini-2.0-flash")).map(drop);
    assert_eq!(old, Err(Unfit::Lacks(Need::Tools)));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_effort_is_said_as_the_model_takes_it() {
    use Effort::{Adaptive, Budget, High, Low, Max, Medium, Minimal, None, XHigh};
    let said = |model: &'static str, thinking, effort| {
        let abilities = Abilities {
            thinking,
            ..Abilities::UNKNOWN
        };
        let to = Recipient {
            abilities: &abilities,
            ..to(model)
        };
        let conversation = Conversation {
            effort: Some(effort),
            ..asked()
        };
        let ask = translated(&conversation, &to).unwrap();
        let thinking = body(&ask)["generationConfig"]["thinkingConfig"].take();
        (thinking, ask.dropped.to_vec())
    };
    let budget = |tokens: i64| json!({"thinkingBudget": tokens});
    let level = |level: &str| json!({"thinkingLevel": level});
    let shown = |mut config: Value| {
        config["includeThoughts"] = true.into();
        config
    };
    for (model, effort, expected) in [
        ("gemini-2.5-flash", None, budget(0)),
        ("gemini-2.5-pro", None, budget(128)),
        ("gemini-2.5-flash", Minimal, budget(1024)),
        ("gemini-2.5-flash", Low, budget(1024)),
        ("gemini-2.5-flash", Medium, budget(8192)),
        ("gemini-2.5-flash", High, budget(24576)),
        ("gemini-2.5-flash", Max, budget(24576)),
        (
            "gemini-2.5-flash",
            Budget(Tokens(2000)),
            shown(budget(2000)),
        ),
        (
            "gemini-2.5-flash",
            Budget(Tokens(90_000)),
            shown(budget(24576)),
        ),
        ("gemini-2.5-flash", Adaptive, shown(budget(-1))),
        ("gemini-3.5-flash", None, level("MINIMAL")),
        ("gemini-4-argon", None, level("LOW")),
        ("gemini-3.5-flash", Minimal, level("LOW")),
        ("gemini-3.5-flash", Low, level("LOW")),
        ("gemini-3.5-flash", Medium, level("MEDIUM")),
        ("gemini-3.5-flash", High, level("HIGH")),
        ("gemini-3.5-flash", XHigh, level("HIGH")),
        (
            "gemini-3.5-flash",
            Budget(Tokens(4095)),
            shown(level("LOW")),
        ),
        (
            "gemini-3.5-flash",
            Budget(Tokens(4096)),
            shown(level("MEDIUM")),
        ),
        (
            "gemini-3.5-flash",
            Budget(Tokens(16_384)),
            shown(level("HIGH")),
        ),
        (
            "gemini-3.5-flash",
            Adaptive,
            json!({"includeThoughts": true}),
        ),
    ] {
        let got = said(model, Thinking::Unknown, effort);
        assert_eq!(got, (expected, vec![]), "{model} {effort:?}");
    }
    let dropped = |name: &'static str| (Value::Null, vec![Cow::Borrowed(name)]);
    assert_eq!(
        said("gemini-2.0-flash", Thinking::Unknown, High),
        dropped("reasoning_effort")
    );
    assert_eq!(said("x", Thinking::Never, Adaptive), dropped("thinking"));
    assert_eq!(said("x", Thinking::Budget, Medium).0, budget(8192));
}

#[test]
fn knobs_that_the_model_does_not_take_are_dropped_and_named() {
    let sampling = Sampling {
        temperature: Some("1e3"),
        top_k: Some("1.5"),
        seed: Some("4294967296"),
        ..Sampling::default()
    };
    let conversation = Conversation {
        sampling,
        ..asked()
    };
    let ask = translated(&conversation, &to("gemini-3.5-flash")).unwrap();
    assert_eq!(ask.dropped.to_vec(), ["top_k", "seed"]);
    assert_eq!(
        body(&ask)["generationConfig"],
        json!({"temperature": 1000.0})
    );
    let abilities = Abilities {
        sampling: Sampled::Fixed,
        ..Abilities::UNKNOWN
    };
    let fixed = Recipient {
        abilities: &abilities,
        ..to("gemini-3.5-flash")
    };
    let ask = translated(&conversation, &fixed).unwrap();
    assert_eq!(ask.dropped.to_vec(), ["temperature", "top_k", "seed"]);
    assert!(body(&ask).get("generationConfig").is_none());
}

#[test]
fn a_turn_of_the_model_at_the_end_is_gone_on_with_where_it_can_be() {
    let conversation = said([user([text("Count.")]), model([text("1, 2")])]);
    for (prefill, contents) in [
        (Prefill::Continues, 2),
        (Prefill::Refuses, 3),
        (Prefill::Unknown, 3),
    ] {
        let abilities = Abilities {
            prefill,
            ..Abilities::UNKNOWN
        };
        let to = Recipient {
            abilities: &abilities,
            ..to("gemini-3.1-flash-lite")
        };
        let body = body(&translated(&conversation, &to).unwrap());
        assert_eq!(
            body["contents"].as_array().unwrap().len(),
            contents,
            "{prefill:?}"
        );
    }
}

/// The conversation of the page on translation, in the API's own words.
#[test]
fn a_conversation_with_tools_is_what_the_api_documents() {
    let body = built(&looked(vec![
        result("1", [text(r#"{"temp_c":4}"#)]),
        result("2", [text("noon")]),
        text("One line."),
    ]));
    assert_eq!(
        body["contents"],
        json!([
            {"role": "user", "parts": [{"text": "a"}]},
            {"role": "model", "parts": [
                {"text": "b"},
                {"functionCall": {"id": "1", "name": "look", "args": {"at": "x"}},
                 "thoughtSignature": "skip_thought_signature_validator"},
                {"functionCall": {"id": "2", "name": "now", "args": {}}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "1", "name": "look", "response": {"temp_c": 4}}},
                {"functionResponse": {"id": "2", "name": "now", "response": {"output": "noon"}}},
                {"text": "One line."},
            ]},
        ])
    );
}

fn anything() -> impl Strategy<Value = Turn<'static>> {
    let words = || prop::sample::select(vec!["", "a", "{}", "[", "é\"\\\u{0}", "{\"x\":1}"]);
    let part = prop_oneof![
        words().prop_map(text),
        (words(), words(), words()).prop_map(|(id, name, arguments)| call(id, name, arguments)),
        (words(), words()).prop_map(|(id, words)| result(id, [text(words)])),
        (words(), words()).prop_map(|(id, words)| failed(id, words)),
        (words(), words()).prop_map(|(kind, data)| image(inline(kind, data))),
        words().prop_map(|words| document(Source::Text(words.into()))),
        words().prop_map(|words| Part::Reasoning {
            text: words.into(),
            signature: None
        }),
    ];
    let speaker = prop::sample::select(vec![Speaker::User, Speaker::Assistant, Speaker::System]);
    (speaker, prop::collection::vec(part, 0..4)).prop_map(|(speaker, parts)| turn(speaker, parts))
}

proptest! {
    #[test]
    fn contents_change_sides_begin_with_the_user_and_have_parts(
        turns in prop::collection::vec(anything(), 0..8),
    ) {
        let conversation = said(turns);
        let body = built(&conversation);
        let contents = body["contents"].as_array().unwrap();
        prop_assert_eq!(&contents[0]["role"], "user");
        for pair in contents.windows(2) {
            prop_assert_ne!(&pair[0]["role"], &pair[1]["role"]);
        }
        for content in contents {
            let parts = content["parts"].as_array().unwrap();
            prop_assert!(!parts.is_empty());
            let kinds: Vec<_> = parts.iter().map(|part| part.get("functionResponse").is_some()).collect();
            prop_assert!(kinds.is_sorted_by(|one, next| one >= next), "results first");
            for part in parts {
                prop_assert!(part["text"] != "");
                if let Some(call) = part.get("functionCall") {
                    prop_assert!(call["args"].is_object());
                }
                if let Some(result) = part.get("functionResponse") {
                    prop_assert!(result["response"].is_object());
                }
            }
        }
        let calls = |conversation: &Conversation<'_>| {
            let parts = conversation.turns.iter().filter(|turn| turn.speaker == Speaker::Assistant);
            let parts = parts.flat_map(|turn| &turn.parts);
            parts.filter(|part| matches!(part, Part::ToolCall { .. })).count()
        };
        let all = contents.iter().flat_map(|content| content["parts"].as_array().unwrap());
        let written = all.filter(|part| part.get("functionCall").is_some()).count();
        prop_assert_eq!(written, calls(&conversation), "no call is lost");
    }
}
