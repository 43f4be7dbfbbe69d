//! Who is left out for what a request wants.

use std::sync::Arc;

use bytes::Bytes;

use super::{ASK, IDLE, route, target};
use crate::dialect::{self, Wants};
use crate::exchange::{
    Abilities, Delivery, Dialect, FaultKind, Need, Needs, Request, Task, UsageWish,
};
use crate::json::Fields;
use crate::route::{
    Balance, Drops, Json, LeftOut, OutputFit, Plan, Route, Target, Watch, fitted, plan, unserved,
};
use crate::units::Tokens;

fn request(dialect: Dialect, task: Task, body: &str) -> Request {
    let body = Bytes::from(body.to_owned());
    let fields = Fields::index(&body).unwrap();
    let number = |name: &str| -> Option<u64> {
        let value = fields.value(&body, name)?;
        std::str::from_utf8(value).ok()?.parse().ok()
    };
    Request {
        dialect,
        task,
        model: "route".to_owned(),
        delivery: if fields.value(&body, "stream").is_some() {
            Delivery::Stream(UsageWish::NotAsked)
        } else {
            Delivery::Whole
        },
        max_output: number("max_tokens").map(Tokens),
        choices: number("n").map_or(1, |n| n.try_into().unwrap()),
        body: body.clone(),
        fields,
    }
}

fn able(model: &str, dialect: Dialect, abilities: Abilities) -> Target {
    Target {
        dialect,
        abilities: Arc::new(abilities),
        ..target(model, 1)
    }
}

fn lacking(needs: &[Need]) -> Abilities {
    Abilities {
        lacks: needs.iter().copied().collect::<Needs>().implied(),
        ..Abilities::UNKNOWN
    }
}

fn sized(context: u64, max_output: u64) -> Abilities {
    Abilities {
        context: Some(Tokens(context)),
        max_output: Some(Tokens(max_output)),
        ..Abilities::UNKNOWN
    }
}

fn wants<'a>(route: &Route, request: &'a Request) -> Wants<'a> {
    dialect::wants(request, Watch::of(route).watched(request.dialect))
}

fn planned(route: &Route, request: &Request) -> Plan {
    plan(route, ASK, &wants(route, request), |_, _| IDLE)
}

/// Why the only target is left out.
fn reason(
    dialect: Dialect,
    abilities: Abilities,
    adjust: fn(&mut Route),
    request: &Request,
) -> Option<&'static str> {
    let only = vec![able("one", dialect, abilities)];
    let mut route = route([(Balance::RoundRobin, only)]);
    adjust(&mut route);
    let plan = planned(&route, request);
    plan.left_out.first().map(|left| left.reason.name())
}

fn as_is(_: &mut Route) {}

#[test]
fn a_target_without_what_is_needed_is_left_out() {
    use Dialect::{Anthropic, Gemini, OpenAi};
    let tools = r#","tools":[{"type":"function","function":{"name":"f"}}]"#;
    let image = r#"[{"type":"image_url","image_url":{"url":"https://x"}}]"#;
    let image = format!(r#"{{"messages":[{{"role":"user","content":{image}}}]}}"#);
    let chat = |more: &str| format!(r#"{{"messages":[{{"role":"user","content":"hi"}}]{more}}}"#);
    for (to, lacks, body, expected) in [
        (OpenAi, vec![Need::Tools], chat(""), None),
        (OpenAi, vec![Need::Tools], chat(tools), Some("tools")),
        (OpenAi, vec![Need::Images], image.clone(), Some("images")),
        (OpenAi, vec![Need::Tools], image.clone(), None),
        (OpenAi, vec![], chat(r#","n":2"#), None),
        (
            OpenAi,
            vec![Need::Choices],
            chat(r#","n":2"#),
            Some("choices"),
        ),
        (Anthropic, vec![], chat(r#","n":2"#), Some("choices")),
        (Gemini, vec![], chat(r#","n":2"#), None),
        (
            Anthropic,
            vec![],
            chat(r#","logprobs":true"#),
            Some("logprobs"),
        ),
        (
            Gemini,
            vec![],
            chat(r#","logit_bias":{"1":2}"#),
            Some("logit_bias"),
        ),
        (
            OpenAi,
            vec![Need::Stop],
            chat(r#","stop":"x""#),
            Some("stop"),
        ),
        (
            OpenAi,
            vec![Need::Streaming],
            chat(r#","stream":true"#),
            None,
        ),
        (
            OpenAi,
            vec![Need::Reasoning],
            chat(r#","reasoning_effort":"low""#),
            None,
        ),
        (OpenAi, vec![Need::Chat], chat(""), Some("chat")),
    ] {
        let request = request(OpenAi, Task::Chat, &body);
        let found = reason(to, lacking(&lacks), as_is, &request);
        assert_eq!(found, expected, "{to:?} {lacks:?} {body}");
    }
}

#[test]
fn json_is_made_up_for_only_where_the_request_is_rebuilt() {
    use Dialect::{Anthropic, OpenAi};
    let json = r#"{"messages":[],"response_format":{"type":"json_object"}}"#;
    let schema = r#"{"messages":[],"response_format":{"type":"json_schema"}}"#;
    let native = |route: &mut Route| route.policy.json = Json::Native;
    let without = || lacking(&[Need::JsonSchema]);
    for (to, abilities, adjust, body, expected) in [
        (
            Anthropic,
            Abilities::UNKNOWN,
            as_is as fn(&mut Route),
            json,
            None,
        ),
        (
            Anthropic,
            Abilities::UNKNOWN,
            native,
            json,
            Some("json_mode"),
        ),
        (Anthropic, without(), as_is, schema, None),
        (Anthropic, without(), native, schema, Some("json_schema")),
        (
            Anthropic,
            lacking(&[Need::Tools]),
            as_is,
            json,
            Some("json_mode"),
        ),
        (OpenAi, without(), as_is, schema, Some("json_schema")),
        (OpenAi, Abilities::UNKNOWN, native, schema, None),
    ] {
        let request = request(OpenAi, Task::Chat, body);
        let found = reason(to, abilities, adjust, &request);
        assert_eq!(found, expected, "{to:?} {body}");
    }
}

/// So many words, each of which is a token with its blank, and more fields.
fn chat(words: usize, more: &str) -> Request {
    let text = "word ".repeat(words);
    let body = format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}]{more}}}"#);
    request(Dialect::OpenAi, Task::Chat, &body)
}

#[test]
fn a_window_that_is_too_small_leaves_a_target_out() {
    for (words, expected) in [
        (400, None),
        (900, None),
        // A fifth over it may still be within it for another encoding.
        (1100, None),
        (1300, Some("context")),
        (300_000, Some("context")),
    ] {
        let found = reason(Dialect::OpenAi, sized(1000, 500), as_is, &chat(words, ""));
        assert_eq!(found, expected, "{words}");
    }
}

#[test]
fn an_answer_that_is_too_long_leaves_a_target_out() {
    use Dialect::{Anthropic, OpenAi};
    let fit = |route: &mut Route| route.policy.output = OutputFit::Fitted;
    let small = || sized(1000, 500);
    let unknown = Abilities::UNKNOWN;
    for (to, abilities, adjust, words, most, expected) in [
        (
            OpenAi,
            small(),
            as_is as fn(&mut Route),
            1,
            501,
            Some("output"),
        ),
        (OpenAi, small(), fit, 1, 501, None),
        (OpenAi, small(), as_is, 900, 500, Some("context")),
        (OpenAi, small(), fit, 900, 500, None),
        // It cuts the answer itself.
        (Anthropic, small(), as_is, 900, 500, None),
        (OpenAi, unknown, as_is, 300_000, 900_000, None),
    ] {
        let request = chat(words, &format!(r#","max_tokens":{most}"#));
        let found = reason(to, abilities, adjust, &request);
        assert_eq!(found, expected, "{to:?}, {words} words, {most}");
    }
}

#[test]
fn a_bound_on_the_answer_is_lowered_where_the_route_says_so() {
    let body = r#"{"messages":[{"role":"user","content":"hi"}],"max_tokens":900}"#;
    let request = request(Dialect::OpenAi, Task::Chat, body);
    let lowered = |abilities: Abilities, output| {
        let target = able("one", Dialect::OpenAi, abilities);
        let mut route = route([(Balance::RoundRobin, vec![target.clone()])]);
        route.policy.output = output;
        fitted(&route.policy, &target, &wants(&route, &request)).map(|most| most.0)
    };
    assert_eq!(lowered(sized(10_000, 500), OutputFit::AsAsked), None);
    assert_eq!(lowered(sized(10_000, 500), OutputFit::Fitted), Some(500));
    assert_eq!(lowered(sized(10_000, 900), OutputFit::Fitted), None);
    assert_eq!(lowered(sized(800, 900), OutputFit::Fitted), Some(796));
    assert_eq!(lowered(Abilities::UNKNOWN, OutputFit::Fitted), None);
}

#[test]
fn vectors_come_from_one_model_only() {
    let tier = |model| {
        let target = able(model, Dialect::OpenAi, Abilities::UNKNOWN);
        (Balance::RoundRobin, vec![target])
    };
    let route = route([tier("one"), tier("other"), tier("one")]);
    let request = request(Dialect::OpenAi, Task::Embedding, r#"{"input":"x"}"#);
    let plan = planned(&route, &request);
    let places: Vec<_> = plan.places.iter().map(|place| place.target).collect();
    assert_eq!(places, [0, 2]);
    assert_eq!(plan.left_out[0].reason, LeftOut::OtherVectors);
}

#[test]
fn a_route_whose_targets_lack_nothing_reads_nothing() {
    let route = route([(
        Balance::RoundRobin,
        vec![able("one", Dialect::OpenAi, Abilities::UNKNOWN)],
    )]);
    let body = r#"{"messages":[{"content":[{"type":"image_url"}]}],"n":3}"#;
    let request = request(Dialect::OpenAi, Task::Chat, body);
    assert!(wants(&route, &request).is_nothing());
}

#[test]
fn a_strict_route_looks_at_every_request() {
    let mut route = route([(
        Balance::RoundRobin,
        vec![able("one", Dialect::Anthropic, lacking(&[Need::Reasoning]))],
    )]);
    route.policy.drops = Drops::Refused;
    let body = r#"{"messages":[],"reasoning_effort":"low"}"#;
    let request = request(Dialect::OpenAi, Task::Chat, body);
    let plan = planned(&route, &request);
    assert_eq!(plan.left_out[0].reason, LeftOut::Lacks(Need::Reasoning));
}

#[test]
fn a_client_is_told_what_fails_where() {
    let tier = |model, abilities| {
        let target = able(model, Dialect::OpenAi, abilities);
        (Balance::RoundRobin, vec![target])
    };
    let tools = r#"{"messages":[],"tools":[{"type":"function"}],"max_tokens":9}"#;
    let tools = request(Dialect::OpenAi, Task::Chat, tools);
    let long = "word ".repeat(9000);
    let long = format!(r#"{{"messages":[{{"role":"user","content":"{long}"}}]}}"#);
    let long = request(Dialect::OpenAi, Task::Chat, &long);

    let lame = route([tier("a", lacking(&[Need::Tools])), tier("b", sized(100, 8))]);
    let fault = unserved(&lame, &planned(&lame, &tools)).unwrap();
    assert_eq!(fault.kind, FaultKind::BadRequest);
    assert_eq!(
        fault.message,
        "No target of 'route' can serve this request: provider/a - it has no tools; \
         provider/b - it cannot give an answer of that length."
    );

    let small = route([tier("a", sized(1000, 9)), tier("b", sized(2000, 9))]);
    let fault = unserved(&small, &planned(&small, &long)).unwrap();
    assert_eq!(fault.kind, FaultKind::ContextLength);
    assert!(unserved(&lame, &planned(&lame, &long)).is_none());
}

#[test]
fn a_target_is_roomier_only_if_both_windows_are_known() {
    let of = |abilities| able("one", Dialect::OpenAi, abilities);
    let (small, large) = (of(sized(1000, 1)), of(sized(2000, 1)));
    let narrow = of(Abilities {
        max_input: Some(Tokens(900)),
        ..sized(2000, 1)
    });
    let unknown = of(Abilities::UNKNOWN);
    assert_eq!(narrow.window(), Some(Tokens(900)));
    for (one, other, expected) in [
        (&large, &small, true),
        (&small, &large, false),
        (&small, &small, false),
        (&small, &narrow, true),
        (&unknown, &small, false),
        (&large, &unknown, false),
    ] {
        assert_eq!(one.is_roomier_than(other), expected);
    }
}
