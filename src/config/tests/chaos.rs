//! Whatever is written, reading it ends in settings or in mistakes.

use proptest::prelude::*;

use super::{LISTEN, PROVIDERS, good_provider, good_route, read, route, top};
use crate::route::{Hold, Refusals, Route};

const EXAMPLE: &str = include_str!("../../../conf/segue.yaml");

/// Reads, and holds what every outcome must keep to.
fn survives(text: &str) {
    if let Err(errors) = read(text) {
        assert!(!errors.mistakes().is_empty());
        let positions: Vec<_> = errors.mistakes().iter().map(|mistake| mistake.at).collect();
        assert!(positions.is_sorted(), "{errors}");
        assert!(
            errors
                .to_string()
                .lines()
                .all(|line| line.starts_with("segue.yaml:"))
        );
    }
}

/// Text of the letters that YAML gives a meaning to.
fn yaml() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        " ",
        "  ",
        "\n",
        "\n  ",
        ": ",
        ":",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "\"",
        "'",
        "#",
        "&a ",
        "*a",
        "!t ",
        "|\n",
        ">\n",
        "? ",
        "%",
        "---\n",
        "...\n",
        "~",
        "true",
        "1",
        "1.5",
        "0x1",
        "\t",
        "é",
        "\u{feff}",
        "\\",
        "listen",
        "routes",
        "providers",
        "a",
        "a/m",
        "tls",
        "timeouts",
        "keys",
        "secret",
        "env:GOOD",
        "5s",
        "10MiB",
        "address",
        "127.0.0.1:80",
    ]);
    prop::collection::vec(words, 0..60).prop_map(|words| words.concat())
}

/// A value of any shape, in flow style.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("~".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| value.to_string()),
        any::<String>().prop_map(|value| format!("{value:?}")),
        "[0-9]{1,20}(ms|s|m|h|B|KiB|GiB)",
        "[a-z:/.0-9]{0,30}",
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec(("[a-z_]{1,12}", inner), 0..5).prop_map(|entries| {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| format!("{key}: {value}"))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }),
        ]
    })
}

fn time() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "10ms", "400ms", "1s", "2s", "30s", "45s", "1m", "2m", "10m",
    ])
    .prop_map(str::to_owned)
}

/// Some of these keys, in flow style.
fn some(keys: Vec<(&'static str, BoxedStrategy<String>)>) -> impl Strategy<Value = String> {
    let count = keys.len();
    let pairs: Vec<_> = keys
        .into_iter()
        .map(|(key, value)| value.prop_map(move |value| format!("{key}: {value}")))
        .collect();
    (
        pairs,
        prop::collection::vec(prop::bool::weighted(0.3), count),
    )
        .prop_map(|(pairs, kept)| {
            let kept: Vec<String> = pairs
                .into_iter()
                .zip(kept)
                .filter_map(|(pair, kept)| kept.then_some(pair))
                .collect();
            kept.join(", ")
        })
}

fn map(keys: Vec<(&'static str, BoxedStrategy<String>)>) -> BoxedStrategy<String> {
    some(keys).prop_map(|keys| format!("{{{keys}}}")).boxed()
}

fn timeouts() -> BoxedStrategy<String> {
    let names = ["connect", "first_token", "stall", "total", "write"];
    map(names.map(|name| (name, time().boxed())).to_vec())
}

/// Keys of a route or of `defaults`, each good by itself.
fn keys() -> impl Strategy<Value = String> {
    let word = |word: &'static str| Just(word.to_owned()).boxed();
    let head = map(vec![("tokens", word("7")), ("at_most", time().boxed())]);
    let breaker = map(vec![("open", time().boxed()), ("longest", time().boxed())]);
    let hedge = map(vec![("after", time().boxed()), ("share", word("7%"))]);
    let retries = map(vec![("patience", time().boxed())]);
    some(vec![
        ("hold", prop_oneof![word("all"), word("none"), head].boxed()),
        ("keepalive", prop_oneof![word("off"), time()].boxed()),
        ("deadline", time().boxed()),
        ("timeouts", timeouts()),
        ("retries", retries),
        ("breaker", prop_oneof![word("off"), breaker].boxed()),
        ("hedge", prop_oneof![word("off"), hedge].boxed()),
        (
            "refusals",
            prop_oneof![word("surface"), word("fall_back")].boxed(),
        ),
        ("refusal_texts", word("[no]")),
    ])
}

fn can_come_to_pass(route: &Route) {
    let policy = &route.policy;
    let deadline = policy.deadline;
    if let Hold::Head { at_most, .. } = policy.hold {
        assert!(at_most <= deadline);
    }
    let of_targets = route.targets().map(|target| &target.timeouts);
    for timeouts in of_targets.chain([&policy.timeouts]) {
        assert!(timeouts.total <= deadline);
        let within = [
            timeouts.connect,
            timeouts.first_token,
            timeouts.stall,
            timeouts.write,
        ];
        assert!(within.into_iter().all(|bound| bound <= timeouts.total));
    }
    assert!(policy.retries.patience <= deadline);
    if let Some(breaker) = &policy.breaker {
        assert!(breaker.open <= breaker.longest);
    }
    let heeded = policy.refusals == Refusals::FallBack;
    assert!(heeded || policy.refusal_texts.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_is_survived(text: String) {
        survives(&text);
    }

    #[test]
    fn any_yaml_is_survived(text in yaml()) {
        survives(&text);
        survives(&top(&text));
    }

    #[test]
    fn any_value_of_any_key_is_survived(
        key in prop::sample::select(vec![
            "listen", "admin", "keys", "providers", "routes", "defaults", "passthrough", "limits",
            "log", "drain", "drills", "allow_literal_secrets",
        ]),
        value in value(),
    ) {
        survives(&format!("{key}: {value}\n"));
        survives(&good_provider(&format!("health: {value}\n    peers: {value}\n    tls: {value}\n")));
        survives(&good_route(&format!("timeouts: {value}\n    deadline: {value}\n")));
    }

    #[test]
    fn any_value_of_any_key_of_a_route_is_survived(
        key in prop::sample::select(vec![
            "hold", "on_break", "keepalive", "deadline", "timeouts", "retries", "breaker", "hedge",
            "verdicts", "refusals", "refusal_texts", "checks", "fail_closed", "malformed",
        ]),
        value in value(),
    ) {
        survives(&good_route(&format!("{key}: {value}\n")));
        survives(&top(&format!("defaults: {{{key}: {value}}}\n")));
        survives(&route(&format!("tiers: {value}\n")));
        survives(&route(&format!("tiers: [[{{target: a/m, weight: {value}, price: {value}}}]]\n")));
    }

    #[test]
    fn what_is_read_can_come_to_pass(defaults in keys(), keys in keys(), bounds in timeouts()) {
        let tiers = format!("tiers: [[{{target: a/m, timeouts: {bounds}}}, a/n]]");
        let text = format!(
            "{LISTEN}{PROVIDERS}defaults: {{{defaults}}}\nroutes: {{r: {{{tiers}, {keys}}}}}\n"
        );
        if let Ok(settings) = read(&text) {
            can_come_to_pass(settings.routes.get("r").unwrap());
        }
    }

    #[test]
    fn a_damaged_example_is_survived(at in 0..EXAMPLE.len(), to in ".{0,3}", cut in 0..20_usize) {
        let mut text = EXAMPLE.to_owned();
        let end = (at + cut).min(text.len());
        if text.is_char_boundary(at) && text.is_char_boundary(end) {
            text.replace_range(at..end, &to);
        }
        survives(&text);
    }
}

#[test]
fn large_files_are_read_with_bounded_work() {
    let many = |piece: &str| piece.repeat((128 << 10) / piece.len());
    for text in [
        many("["),
        many("- "),
        many("{a: "),
        many("a: 1\n"),
        many("\"a\": 1,\n"),
        many("# x\n"),
        many("&a [*a, "),
        many("---\n"),
        many("? a\n"),
    ] {
        survives(&text);
    }
    let keys: Vec<String> = (0..10_000)
        .map(|number| format!("k{number}: 1\n"))
        .collect();
    survives(&keys.concat());
}
