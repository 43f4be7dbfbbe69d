//! Whatever is written, reading it ends in settings or in mistakes.

use proptest::prelude::*;

use super::{good_provider, good_route, read, top};

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
            "log", "drain", "allow_literal_secrets",
        ]),
        value in value(),
    ) {
        survives(&format!("{key}: {value}\n"));
        survives(&good_provider(&format!("health: {value}\n    peers: {value}\n    tls: {value}\n")));
        survives(&good_route(&format!("timeouts: {value}\n    deadline: {value}\n")));
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
