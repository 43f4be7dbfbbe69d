//! The promises of the room: what is refused and where, and that splices are exact.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::{Edit, Fields, Invalid, Rule, oracle, string};

fn refused(document: &[u8]) -> (usize, Rule) {
    let Invalid { offset, rule } = Fields::index(document).unwrap_err();
    (offset, rule)
}

fn spliced(document: &str, edits: &[Edit<'_>]) -> String {
    let document = Bytes::copy_from_slice(document.as_bytes());
    let fields = Fields::index(&document).unwrap();
    String::from_utf8(fields.splice(&document, edits).concat()).unwrap()
}

fn set<'a>(name: &'a str, value: &str) -> Edit<'a> {
    Edit::Set(name, Bytes::copy_from_slice(value.as_bytes()))
}

fn nested(levels: usize, open: &str, close: &str) -> String {
    format!("{{\"a\":{}1{}}}", open.repeat(levels), close.repeat(levels))
}

/// The index says of each document what the oracle says.
fn assert_as_oracle(document: &[u8]) {
    let found = Fields::index(document).ok().map(|fields| {
        let spans = fields
            .names()
            .map(|name| (name.to_owned(), fields.span(name).unwrap()));
        spans.collect::<Vec<_>>()
    });
    assert_eq!(
        found,
        oracle::index(document),
        "{}",
        document.escape_ascii()
    );
}

const MALFORMED: &[(&[u8], usize, Rule)] = &[
    // The top.
    (b"", 0, Rule::End),
    (b" \n", 2, Rule::End),
    (b"[]", 0, Rule::Object),
    (b" \"a\"", 1, Rule::Object),
    (b"1", 0, Rule::Object),
    (b"null", 0, Rule::Object),
    (b"}", 0, Rule::Object),
    (b"\0{}", 0, Rule::Object),
    (b"\x0c{}", 0, Rule::Object),
    (b"\xEF\xBB\xBF{}", 0, Rule::ByteOrderMark),
    (b"{}\xEF\xBB\xBF", 2, Rule::Trailing),
    (b"{}{}", 2, Rule::Trailing),
    (b"{} x", 3, Rule::Trailing),
    (b"{},", 2, Rule::Trailing),
    (b"{}\0", 2, Rule::Trailing),
    (b"{}}", 2, Rule::Trailing),
    (b"{}\x0b", 2, Rule::Trailing),
    (b"{} // c", 3, Rule::Trailing),
    (b"{\"a\":1} ]", 8, Rule::Trailing),
    (b"{", 1, Rule::End),
    (b"{ ", 2, Rule::End),
    (b"{]", 1, Rule::Unexpected),
    (b"{,}", 1, Rule::Unexpected),
    (b"/**/{}", 0, Rule::Object),
    (b"{/**/}", 1, Rule::Unexpected),
    // Fields.
    (b"{a:1}", 1, Rule::Unexpected),
    (b"{'a':1}", 1, Rule::Unexpected),
    (b"{1:1}", 1, Rule::Unexpected),
    (b"{null:1}", 1, Rule::Unexpected),
    (b"{\"a\"}", 4, Rule::Unexpected),
    (b"{\"a\"", 4, Rule::End),
    (b"{\"a\" 1}", 5, Rule::Unexpected),
    (b"{\"a\"=1}", 4, Rule::Unexpected),
    (b"{\"a\"::1}", 5, Rule::Unexpected),
    (b"{\"a\":}", 5, Rule::Unexpected),
    (b"{\"a\":", 5, Rule::End),
    (b"{\"a\":1", 6, Rule::End),
    (b"{\"a\":1,", 7, Rule::End),
    (b"{\"a\":1,}", 7, Rule::Unexpected),
    (b"{\"a\":1,,\"b\":2}", 7, Rule::Unexpected),
    (b"{\"a\":1 \"b\":2}", 7, Rule::Unexpected),
    (b"{\"a\":1;\"b\":2}", 6, Rule::Unexpected),
    (b"{\"a\":1]", 6, Rule::Unexpected),
    (b"{\"a\":1,2}", 7, Rule::Unexpected),
    (b"{\"a\":1\xC2\xA0}", 6, Rule::Unexpected),
    // Nested values.
    (b"{\"a\":[}", 6, Rule::Unexpected),
    (b"{\"a\":[", 6, Rule::End),
    (b"{\"a\":[1", 7, Rule::End),
    (b"{\"a\":[1,", 8, Rule::End),
    (b"{\"a\":[1,]}", 8, Rule::Unexpected),
    (b"{\"a\":[,1]}", 6, Rule::Unexpected),
    (b"{\"a\":[1 2]}", 8, Rule::Unexpected),
    (b"{\"a\":[1}}", 7, Rule::Unexpected),
    (b"{\"a\":[1:2]}", 7, Rule::Unexpected),
    (b"{\"a\":{]}", 6, Rule::Unexpected),
    (b"{\"a\":{\"b\"}}", 9, Rule::Unexpected),
    (b"{\"a\":{\"b\":1,}}", 12, Rule::Unexpected),
    (b"{\"a\":{\"b\":1]}", 11, Rule::Unexpected),
    (b"{\"a\":{\"b\":1}", 12, Rule::End),
    (b"{\"a\":{1:1}}", 6, Rule::Unexpected),
    (b"{\"a\":{\"b\" 1}}", 10, Rule::Unexpected),
    (b"{\"a\":[{\"b\":[]}}", 14, Rule::Unexpected),
    (b"{\"a\":[[],{},]}", 12, Rule::Unexpected),
    (b"{\"a\":{\"b\":1 2}}", 12, Rule::Unexpected),
    // Words.
    (b"{\"a\":True}", 5, Rule::Unexpected),
    (b"{\"a\":tru}", 8, Rule::Unexpected),
    (b"{\"a\":tru", 8, Rule::End),
    (b"{\"a\":truee}", 9, Rule::Unexpected),
    (b"{\"a\":falsy}", 9, Rule::Unexpected),
    (b"{\"a\":nul\0}", 8, Rule::Unexpected),
    (b"{\"a\":NaN}", 5, Rule::Unexpected),
    (b"{\"a\":Infinity}", 5, Rule::Unexpected),
    (b"{\"a\":undefined}", 5, Rule::Unexpected),
    // Numbers.
    (b"{\"a\":-}", 6, Rule::Number),
    (b"{\"a\":-", 6, Rule::End),
    (b"{\"a\":+1}", 5, Rule::Unexpected),
    (b"{\"a\":01}", 6, Rule::Unexpected),
    (b"{\"a\":-01}", 7, Rule::Unexpected),
    (b"{\"a\":.5}", 5, Rule::Unexpected),
    (b"{\"a\":-.5}", 6, Rule::Number),
    (b"{\"a\":1.}", 7, Rule::Number),
    (b"{\"a\":1.e1}", 7, Rule::Number),
    (b"{\"a\":1.", 7, Rule::End),
    (b"{\"a\":1e}", 7, Rule::Number),
    (b"{\"a\":1e+}", 8, Rule::Number),
    (b"{\"a\":1e+-1}", 8, Rule::Number),
    (b"{\"a\":1e1.5}", 8, Rule::Unexpected),
    (b"{\"a\":1.2.3}", 8, Rule::Unexpected),
    (b"{\"a\":0x1}", 6, Rule::Unexpected),
    (b"{\"a\":1_000}", 6, Rule::Unexpected),
    (b"{\"a\":--1}", 6, Rule::Number),
    (b"{\"a\":-Infinity}", 6, Rule::Number),
    (b"{\"a\":1f}", 6, Rule::Unexpected),
    // Strings.
    (b"{\"a\":\"}", 7, Rule::End),
    (b"{\"a\":\"\\\"}", 9, Rule::End),
    (b"{\"a\":\"\\", 7, Rule::End),
    (b"{\"a\":\"\\u", 8, Rule::End),
    (b"{\"a\":\"\\u12", 10, Rule::End),
    (b"{\"a\":\"\\x\"}", 6, Rule::Escape),
    (b"{\"a\":\"\\'\"}", 6, Rule::Escape),
    (b"{\"a\":\"\\0\"}", 6, Rule::Escape),
    (b"{\"a\":\"\\U0041\"}", 6, Rule::Escape),
    (b"{\"a\":\"\\u12g4\"}", 6, Rule::Escape),
    (b"{\"a\":\"\\u123\"}", 6, Rule::Escape),
    (b"{\"a\":\"\\u+123\"}", 6, Rule::Escape),
    (b"{\"a\":\"\\u{12}\"}", 6, Rule::Escape),
    (b"{\"a\":\"x\\\n\"}", 7, Rule::Escape),
    (b"{\"a\":\"x\ny\"}", 7, Rule::Control),
    (b"{\"a\":\"x\ty\"}", 7, Rule::Control),
    (b"{\"a\":\"x\\n\0\"}", 9, Rule::Control),
    (b"{\"a\":\"\x1f\"}", 6, Rule::Control),
    (b"{\"a\x01\":1}", 3, Rule::Control),
    (b"{\"a\":[\"\r\"]}", 7, Rule::Control),
    (b"{\"a\":'x'}", 5, Rule::Unexpected),
    (b"{\"a\":\"x\"\"y\"}", 8, Rule::Unexpected),
    // UTF-8.
    (b"{\"a\":\"\xFF\"}", 6, Rule::Utf8),
    (b"{\"a\":\"\x80\"}", 6, Rule::Utf8),
    (b"{\"a\":\"\xC3\"}", 6, Rule::Utf8),
    (b"{\"a\":\"\xC0\xAF\"}", 6, Rule::Utf8),
    (b"{\"a\":\"\xED\xA0\x80\"}", 6, Rule::Utf8),
    (b"{\"a\":\"\xF4\x90\x80\x80\"}", 6, Rule::Utf8),
    (b"{\"\xFE\":1}", 2, Rule::Utf8),
    (b"{\"a\":\"x\"}\xC3", 9, Rule::Utf8),
    // Duplicates.
    (b"{\"a\":1,\"a\":1}", 7, Rule::Duplicate),
    (b"{\"a\":1,\"b\":2,\"a\":3,\"b\":4}", 13, Rule::Duplicate),
    (b"{\"model\":1,\"mod\\u0065l\":1}", 11, Rule::Duplicate),
    (
        b"{\"mod\\u0065l\":1, \"\\u006dodel\":1}",
        17,
        Rule::Duplicate,
    ),
    (b"{\"\":1,\"\":1}", 6, Rule::Duplicate),
    (b"{\"\\n\":1,\"\\u000A\":1}", 8, Rule::Duplicate),
    (b"{\"/\":1,\"\\/\":1}", 7, Rule::Duplicate),
    (b"{\"\xC3\xA9\":1,\"\\u00e9\":1}", 8, Rule::Duplicate),
    (
        b"{\"\xF0\x9F\x98\x80\":1,\"\\ud83d\\uDE00\":1}",
        10,
        Rule::Duplicate,
    ),
    (b"{\"\\ud800\":1,\"\\udfff\":1}", 12, Rule::Duplicate),
    (b"{\"\\ud800\":1,\"\xEF\xBF\xBD\":1}", 12, Rule::Duplicate),
];

#[test]
fn a_malformed_document_is_refused_where_it_breaks_the_rule() {
    assert!(MALFORMED.len() >= 80);
    for (document, offset, rule) in MALFORMED {
        assert_eq!(
            refused(document),
            (*offset, *rule),
            "{}",
            document.escape_ascii()
        );
        assert_eq!(oracle::index(document), None, "{}", document.escape_ascii());
    }
}

#[test]
fn a_refusal_says_what_and_where() {
    let said = |document: &[u8]| Fields::index(document).unwrap_err().to_string();
    assert_eq!(
        said(b"{\"model\":\"gpt-5\",\"model\":1}"),
        "duplicate key at byte 17"
    );
    assert_eq!(said(b"{\"model\""), "unexpected end at byte 8");
}

#[test]
fn a_well_formed_document_is_indexed() {
    let documents: &[&[u8]] = &[
        b"{}",
        b" \t\r\n{ \t\r\n} \t\r\n",
        b"{\"a\":1}",
        b" { \"a\" : 1 , \"b\" : [ ] , \"c\" : { } } ",
        b"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"}",
        b"{\"a\":\"\x7f\"}",
        b"{\"a\":\"\\u0000\",\"\\u0000\":null}",
        b"{\"a\":[0,-0,1.5,-1.5e10,1E+2,1e-2,0.0,0e0,1e999,123456789012345678901234567890]}",
        b"{\"a\":[true,false,null,[[],[{}]],{\"b\":{\"b\":1},\"c\":[1,2]}]}",
        b"{\"a\":{\"b\":1,\"b\":2}}",
        b"{\"model\":1,\"Model\":2,\"MODEL\":3,\"model \":4}",
        b"{\"a\":\"\\ud800\",\"\\udc00\":1,\"b\":\"\\udc00\\ud800\"}",
        b"{\"\\ud800\\ud800\\udc00\":1}",
        "{\"é\":\"日本語 🌤 \u{2028}\u{feff}\"}".as_bytes(),
        b"{\n  \"a\": \"x\",\n\t\"b\": [\n1,\n{\n}\n]\n}\n",
    ];
    for document in documents {
        assert!(
            Fields::index(document).is_ok(),
            "{}",
            document.escape_ascii()
        );
        assert_as_oracle(document);
    }
}

#[test]
fn a_value_is_found_by_its_decoded_name() {
    let document = br#"{"mod\u0065l" : "gpt\n" , "n":1.5e3,"":[1, {}],"\ud83c\udf24\"":null}"#;
    let fields = Fields::index(document).unwrap();
    assert_eq!(
        fields.names().collect::<Vec<_>>(),
        ["model", "n", "", "🌤\""]
    );
    assert_eq!(
        fields.value(document, "model"),
        Some(br#""gpt\n""#.as_slice())
    );
    assert_eq!(fields.value(document, "n"), Some(b"1.5e3".as_slice()));
    assert_eq!(fields.span("n"), Some(30..35));
    assert_eq!(fields.value(document, ""), Some(b"[1, {}]".as_slice()));
    assert_eq!(fields.value(document, "🌤\""), Some(b"null".as_slice()));
    assert_eq!(fields.value(document, "Model"), None);
    assert_eq!(fields.value(b"{}", "n"), None);
}

#[test]
fn names_decode_every_escape() {
    let cases = [
        (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r"\u0041\u00e9\u65E5\uFfFf", "Aé日\u{ffff}"),
        (r"\ud83d\ude00\uD83D\uDE00", "😀😀"),
        (r"\ud83d", "\u{fffd}"),
        (r"\ud83dx\ude00", "\u{fffd}x\u{fffd}"),
        (r"\ud83d\n", "\u{fffd}\n"),
        (r"\ud83d\u0041", "\u{fffd}A"),
        (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
        (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
        (r"\\u0041", "\\u0041"),
        (r"a\u0062c", "abc"),
        (r"\u0000", "\0"),
    ];
    for (written, name) in cases {
        let document = format!("{{\"{written}\":1}}");
        let fields = Fields::index(document.as_bytes()).unwrap();
        assert_eq!(fields.names().collect::<Vec<_>>(), [name], "{written}");
        assert_as_oracle(document.as_bytes());
    }
}

#[test]
fn levels_are_bounded_and_the_top_is_one() {
    for (open, close) in [("[", "]"), ("{\"b\":", "}"), ("[ {\"b\" : ", "} ]")] {
        let each = open.matches(['[', '{']).count();
        let deepest = nested(127 / each, open, close);
        assert!(Fields::index(deepest.as_bytes()).is_ok());
        let deeper = nested(127 / each + 1, open, close);
        assert_eq!(refused(deeper.as_bytes()).1, Rule::Depth);
        assert_as_oracle(deepest.as_bytes());
        assert_as_oracle(deeper.as_bytes());
    }
    let (offset, rule) = refused(format!("{{\"a\":{}", "[".repeat(1_000_000)).as_bytes());
    assert_eq!((offset, rule), (5 + 127, Rule::Depth));
    let wide = format!("{{\"a\":[{}[]]}}", "[[]],".repeat(10_000));
    assert!(Fields::index(wide.as_bytes()).is_ok());
}

#[test]
fn fields_are_bounded_in_number() {
    let object = |count: usize| {
        let fields: Vec<String> = (0..count).map(|n| format!("\"{n:04}\":{n}")).collect();
        format!("{{{}}}", fields.join(","))
    };
    let most = object(1024);
    let fields = Fields::index(most.as_bytes()).unwrap();
    assert_eq!(
        fields.value(most.as_bytes(), "1023"),
        Some(b"1023".as_slice())
    );
    assert_as_oracle(most.as_bytes());
    let more = object(1025);
    assert_eq!(refused(more.as_bytes()), (most.len(), Rule::Count));
    assert_as_oracle(more.as_bytes());
    let inside = format!("{{\"a\":{more}}}");
    assert!(Fields::index(inside.as_bytes()).is_ok());
}

#[test]
fn long_names_are_told_apart_at_their_ends() {
    let long = "k".repeat(1 << 20);
    let document = format!("{{\"{long}a\":1,\"{long}b\":2}}");
    let fields = Fields::index(document.as_bytes()).unwrap();
    assert_eq!(
        fields.value(document.as_bytes(), &format!("{long}b")),
        Some(b"2".as_slice())
    );
    let document = format!("{{\"{long}\":1,\"{long}\":2}}");
    assert_eq!(
        refused(document.as_bytes()),
        (long.len() + 6, Rule::Duplicate)
    );
}

#[test]
fn fields_are_shared_between_threads_and_outlive_their_document() {
    fn free<T: Send + Sync + Clone + Default + 'static>(_: &T) {}
    let fields = Fields::index(b"{\"a\":1}").unwrap();
    free(&fields);
    assert_eq!(fields.span("a"), Some(5..6));
    assert_eq!(Fields::default().span("a"), None);
}

/// A document, edits (a name, and its value or nothing), and the document they must give.
type Splice = (
    &'static str,
    &'static [(&'static str, Option<&'static str>)],
    &'static str,
);

const SPLICES: &[Splice] = &[
    ("{}", &[], "{}"),
    (" { } ", &[("a", Some("1"))], r#" {"a":1 } "#),
    (
        "{}",
        &[("a", Some("1")), ("b", Some("2"))],
        r#"{"a":1,"b":2}"#,
    ),
    ("{}", &[("a", None)], "{}"),
    (r#"{ "a" : 1 }"#, &[("a", Some("22"))], r#"{ "a" : 22 }"#),
    (r#"{"a":1,"b":2}"#, &[("b", Some("3"))], r#"{"a":1,"b":3}"#),
    (
        r#"{"a":1 , "b":2 }"#,
        &[("c", Some("3"))],
        r#"{"a":1 , "b":2,"c":3 }"#,
    ),
    (r#"{ "a":1 , "b":2 }"#, &[("a", None)], r#"{ "b":2 }"#),
    (r#"{ "a":1 , "b":2 }"#, &[("b", None)], r#"{ "a":1 }"#),
    (r#"{ "a":1 }"#, &[("a", None)], "{  }"),
    (r#"{"a":1,"b":2,"c":3}"#, &[("b", None)], r#"{"a":1,"c":3}"#),
    (
        r#"{"a":1,"b":2,"c":3}"#,
        &[("b", None), ("a", None)],
        r#"{"c":3}"#,
    ),
    (
        r#"{"a":1,"b":2,"c":3}"#,
        &[("c", None), ("b", None)],
        r#"{"a":1}"#,
    ),
    (
        r#"{"a":1,"b":2,"c":3}"#,
        &[("c", None), ("a", None)],
        r#"{"b":2}"#,
    ),
    (
        r#"{"a":1,"b":2}"#,
        &[("a", None), ("b", None), ("c", Some("3"))],
        r#"{"c":3}"#,
    ),
    (
        r#"{"a":1,"b":2}"#,
        &[("a", None), ("b", Some("3")), ("c", Some("4"))],
        r#"{"b":3,"c":4}"#,
    ),
    (
        r#"{"a":1,"b":2}"#,
        &[("b", None), ("c", Some("3"))],
        r#"{"a":1,"c":3}"#,
    ),
    (
        r#"{"mod\u0065l":1}"#,
        &[("model", Some("2"))],
        r#"{"mod\u0065l":2}"#,
    ),
    (
        r#"{"Model":1}"#,
        &[("model", Some("2"))],
        r#"{"Model":1,"model":2}"#,
    ),
    (r#"{"a":{"b":1}}"#, &[("b", None)], r#"{"a":{"b":1}}"#),
    (
        r#"{"a":1}"#,
        &[("b\"\n", Some("2"))],
        r#"{"a":1,"b\"\n":2}"#,
    ),
    (r#"{"a":1}"#, &[("a", Some("2")), ("a", None)], r#"{"a":2}"#),
    (r#"{"a":1}"#, &[("b", None), ("b", Some("2"))], r#"{"a":1}"#),
    (
        r#"{"a":1}"#,
        &[("b", Some("2")), ("b", Some("3"))],
        r#"{"a":1,"b":2}"#,
    ),
    (
        r#"{"a":"\ud800","b":1}"#,
        &[("b", Some("2"))],
        r#"{"a":"\ud800","b":2}"#,
    ),
];

#[test]
fn a_splice_changes_what_it_names_and_nothing_else() {
    for (document, edits, expected) in SPLICES {
        let edit = |&(name, value): &(&'static str, Option<&str>)| match value {
            Some(value) => set(name, value),
            None => Edit::Remove(name),
        };
        let by_name: Vec<Edit<'_>> = edits.iter().map(edit).collect();
        assert_eq!(
            spliced(document, &by_name),
            *expected,
            "{document} {edits:?}"
        );
    }
}

#[test]
fn what_a_splice_keeps_is_not_copied() {
    let document = Bytes::from_static(b"{\"model\":\"a\",\"prompt\":\"long\"}");
    let fields = Fields::index(&document).unwrap();
    let value = string("b");
    let pieces = fields.splice(&document, &[Edit::Set("model", value.clone())]);
    let [head, model, tail] = pieces.as_slice() else {
        panic!("three pieces");
    };
    assert_eq!(head.as_ptr(), document.as_ptr());
    assert_eq!(model.as_ptr(), value.as_ptr());
    assert_eq!(tail.as_ptr(), document.slice(12..).as_ptr());
    assert_eq!(fields.splice(&document, &[]).as_slice(), [document]);
}

#[test]
fn a_splice_of_another_document_does_not_panic() {
    let fields = Fields::index(b"{\"a\":1,\"b\":2,\"c\":3}").unwrap();
    let edits = [
        Edit::Remove("a"),
        set("b", "9"),
        Edit::Remove("c"),
        set("d", "4"),
    ];
    for other in ["", "{}", "{\"a\":1,\"b"] {
        let other = Bytes::copy_from_slice(other.as_bytes());
        assert!(!fields.splice(&other, &edits).is_empty());
    }
}

#[test]
fn a_string_is_escaped_where_it_must_be() {
    assert_eq!(
        string("a\"b\\c/\n\r\t\0\u{8}\u{1f}\u{7f}é🌤"),
        "\"a\\\"b\\\\c/\\n\\r\\t\\u0000\\u0008\\u001f\u{7f}é🌤\""
    );
    assert_eq!(string(""), "\"\"");
}

/// Documents, most of them objects that are nearly right.
fn document() -> impl Strategy<Value = Vec<u8>> {
    let parts: &[&[u8]] = &[
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\"",
        b" ",
        b"\n",
        b"\"a\":",
        b"\"b\":",
        b",\"c\":1",
        b"\"\\u0061\":",
        b"\"\\ud800\":",
        b"\"x\"",
        b"\"\\n\"",
        b"\\u12",
        b"\\",
        b"0",
        b"-",
        b"1.5",
        b"e+1",
        b"true",
        b"null",
        b"[1,2]",
        b"{\"a\":[]}",
        b"\t",
        b"\xC3\xA9",
        b"\xFF",
        b"\0",
    ];
    let part = prop::sample::select(parts.to_vec());
    let soup = prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat());
    let object = soup
        .clone()
        .prop_map(|soup| [b"{".as_slice(), &soup, b"}"].concat());
    let changed = (
        fields(),
        any::<prop::sample::Index>(),
        soup.clone(),
        0..3_usize,
    );
    let changed = changed.prop_map(|(fields, place, soup, cut)| {
        let mut document = written(&fields).into_bytes();
        let at = place.index(document.len());
        let end = document.len().min(at + cut);
        let soup = soup.get(..soup.len().min(4)).unwrap_or_default().to_vec();
        document.splice(at..end, soup);
        document
    });
    prop_oneof![soup, object, changed, any::<Vec<u8>>()]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c]{0,2}", inner, 0..3).prop_map(Value::from_iter),
        ]
    })
}

/// Fields as they are written: whitespace, name, value.
type Written = (String, String, Value);

fn fields() -> impl Strategy<Value = Vec<Written>> {
    let name = prop_oneof!["[a-f]", any::<String>()];
    prop::collection::vec(("[ \n\t]{0,2}", name, value()), 0..6).prop_map(|mut fields| {
        let mut seen = std::collections::HashSet::new();
        fields.retain(|(_, name, _)| seen.insert(name.clone()));
        fields
    })
}

fn written(fields: &[Written]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(space, name, value)| {
            let name = Value::from(name.as_str());
            format!("{space}{name}{space}:{space}{value}{space}")
        })
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn edits() -> impl Strategy<Value = Vec<(String, Option<Value>)>> {
    let edits = prop::collection::btree_map("[a-h]", prop::option::of(value()), 0..6);
    edits.prop_map(|edits| edits.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_document_is_taken_or_refused_as_serde_json_does(document in document()) {
        assert_as_oracle(&document);
    }

    #[test]
    fn any_splice_gives_the_tree_that_editing_the_tree_gives(
        fields in fields(),
        edits in edits(),
    ) {
        let document = written(&fields);
        let mut tree: serde_json::Map<String, Value> = serde_json::from_str(&document).unwrap();
        let mut by_name = Vec::new();
        for (name, value) in &edits {
            by_name.push(match value {
                Some(value) => set(name, &value.to_string()),
                None => Edit::Remove(name),
            });
            match value {
                Some(value) => tree.insert(name.clone(), value.clone()),
                None => tree.remove(name),
            };
        }
        let spliced = spliced(&document, &by_name);
        prop_assert_eq!(serde_json::from_str::<Value>(&spliced).unwrap(), Value::from(tree));
        prop_assert!(Fields::index(spliced.as_bytes()).is_ok());
    }

    #[test]
    fn any_string_reads_back(text: String) {
        let literal = string(&text);
        prop_assert_eq!(serde_json::from_slice::<String>(&literal).unwrap(), text.clone());
        let document = format!("{{{}:1}}", std::str::from_utf8(&literal).unwrap());
        let fields = Fields::index(document.as_bytes()).unwrap();
        prop_assert_eq!(fields.names().collect::<Vec<_>>(), [text]);
    }
}
