//! Text -> a YAML scalar that reads back as the same text, also inside `[]` and `{}`.

use std::fmt::Write as _;

/// Words and beginnings that some YAML takes for something else than text.
const WORDS: [&str; 11] = [
    "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf",
];

/// Plain where nobody could read it otherwise, else in double quotes.
pub(super) fn quoted(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for one in text.chars() {
        put(&mut out, one);
    }
    out.push('"');
    out
}

fn is_plain(text: &str) -> bool {
    let middle = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:".contains(&byte);
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let word = WORDS.iter().any(|word| word.eq_ignore_ascii_case(text));
    begins && !word && !text.ends_with(':') && text.bytes().all(middle)
}

/// One character within double quotes (YAML 1.2, section 5.7).
fn put(out: &mut String, one: char) {
    let code = u32::from(one);
    // A string takes all that is written to it.
    let _ = match one {
        '"' | '\\' => write!(out, "\\{one}"),
        ' '..='~' => write!(out, "{one}"),
        '\n' => write!(out, "\\n"),
        '\t' => write!(out, "\\t"),
        _ if code <= 0xff => write!(out, "\\x{code:02X}"),
        _ if one.is_alphanumeric() => write!(out, "{one}"),
        _ if code <= 0xffff => write!(out, "\\u{code:04X}"),
        _ => write!(out, "\\U{code:08X}"),
    };
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::config;

    /// Reads a text back through the config room, in a list and in a block.
    fn read_back(text: &str) -> Vec<String> {
        let text = quoted(text);
        let file = format!(
            "listen: [{{address: \"127.0.0.1:1\"}}]\n\
             providers: {{p: {{dialect: openai, base_url: https://a.example}}}}\n\
             routes:\n  r:\n    tiers: [[p/m]]\n    refusals: fall_back\n    \
             refusal_texts: [{text}, {text}]\n  \
             s:\n    tiers: [[p/m]]\n    refusals: fall_back\n    refusal_texts:\n      - {text}\n"
        );
        let settings = config::parse(&file, Path::new(""), &|_: &str| None)
            .unwrap_or_else(|errors| panic!("{text}: {errors}"));
        let texts = |route: &str| {
            settings
                .routes
                .get(route)
                .unwrap()
                .policy
                .refusal_texts
                .clone()
        };
        [texts("r"), texts("s")].concat()
    }

    #[test]
    fn what_looks_like_something_else_stays_text() {
        let cases = [
            "null",
            "~",
            "True",
            "NO",
            "y",
            "1",
            "0x1f",
            "1e5",
            ".inf",
            "-",
            "- a",
            "a: b",
            "a:",
            "a #b",
            "#",
            "[a]",
            "{a: b}",
            "*",
            "*a",
            "&a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a`",
            "'",
            "\"",
            "\\",
            "a\nb",
            "a\r\nb",
            "\u{0}",
            "\u{7f}",
            "a\u{85}b",
            "a\u{a0}b",
            "a\u{2028}b",
            "\u{feff}a",
            "é",
            "日本",
            "😀",
            "e\u{301}",
            " a ",
            "a\tb",
            "---",
            "...",
            "<<",
            "=",
            "os.environ/X",
            "env:X",
            "a,b",
            "2024-10-21",
        ];
        for text in cases {
            assert_eq!(read_back(text), [text; 3], "{text:?}");
        }
    }

    #[test]
    fn what_is_harmless_is_left_as_it_is() {
        for text in [
            "openai/gpt-4o",
            "env:OPENAI_API_KEY",
            "https://a.example:8443/v1",
            "a",
            "_x",
        ] {
            assert_eq!(quoted(text), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_reads_back_as_it_was(text in "\\PC{1,60}|(?s:.{1,60})|[\\x00-\\x7f]{1,60}") {
            prop_assume!(!text.trim().is_empty());
            prop_assert_eq!(read_back(&text), [text.as_str(); 3]);
        }

        #[test]
        fn any_name_reads_back_as_a_key(name in "[!-~]{1,128}") {
            let key = quoted(&name);
            let file = format!(
                "listen: [{{address: \"127.0.0.1:1\"}}]\n\
                 providers: {{p: {{dialect: openai, base_url: https://a.example}}}}\n\
                 routes:\n  {key}: p/m\n"
            );
            let settings = config::parse(&file, Path::new(""), &|_: &str| None);
            let settings = settings.unwrap_or_else(|errors| panic!("{key}: {errors}"));
            prop_assert!(settings.routes.get(&name).is_some());
        }
    }
}
