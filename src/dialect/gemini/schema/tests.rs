//! What becomes of a schema, keyword by keyword, and that nothing else comes out.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Unsayable, subset, without_marks};

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

fn rewritten(json: &str) -> Result<String, Unsayable> {
    subset(&raw(json))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_keyword_becomes_what_the_subset_has_for_it() {
    for (case, schema, expected) in [
        ("nothing", "{}", "{}"),
        ("anything", "true", "{}"),
        ("a type", r#"{"type":"string"}"#, r#"{"type":"string"}"#),
        (
            "a type in capitals",
            r#"{"type":"STRING"}"#,
            r#"{"type":"string"}"#,
        ),
        ("an unknown type", r#"{"type":"date"}"#, "{}"),
        (
            "nullable",
            r#"{"type":["string","null"]}"#,
            r#"{"type":"string","nullable":true}"#,
        ),
        (
            "nullable said",
            r#"{"type":"string","nullable":true}"#,
            r#"{"type":"string","nullable":true}"#,
        ),
        (
            "null alone",
            r#"{"type":"null"}"#,
            r#"{"type":"string","nullable":true}"#,
        ),
        (
            "types",
            r#"{"type":["string","integer","null"],"description":"d"}"#,
            r#"{"nullable":true,"description":"d","anyOf":[{"type":"string"},{"type":"integer"}]}"#,
        ),
        (
            "types with items",
            r#"{"type":["array","string"],"items":{"type":"number"}}"#,
            r#"{"anyOf":[{"type":"array","items":{"type":"number"}},{"type":"string"}]}"#,
        ),
        (
            "const",
            r#"{"const":"a"}"#,
            r#"{"type":"string","enum":["a"]}"#,
        ),
        (
            "const number",
            r#"{"type":"integer","const":1}"#,
            r#"{"type":"string","enum":["1"]}"#,
        ),
        (
            "enum",
            r#"{"type":"string","enum":["a","b","a",null,""]}"#,
            r#"{"type":"string","nullable":true,"enum":["a","b"]}"#,
        ),
        (
            "enum of numbers",
            r#"{"enum":[1,2.5,true]}"#,
            r#"{"type":"string","enum":["1","2.5","true"]}"#,
        ),
        (
            "oneOf",
            r#"{"oneOf":[{"type":"string"},{"type":"integer"}]}"#,
            r#"{"anyOf":[{"type":"string"},{"type":"integer"}]}"#,
        ),
        (
            "anyOf with null",
            r#"{"anyOf":[{"type":"string"},{"type":"null"}],"description":"d"}"#,
            r#"{"type":"string","nullable":true,"description":"d"}"#,
        ),
        (
            "anyOf twice",
            r#"{"anyOf":[{"anyOf":[{"type":"string"},{"type":"number"}]},{"const":null}]}"#,
            r#"{"nullable":true,"anyOf":[{"type":"string"},{"type":"number"}]}"#,
        ),
        (
            "allOf",
            r#"{"allOf":[{"properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"b":{"type":"number"}}}]}"#,
            r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"number"}},"required":["a"]}"#,
        ),
        (
            "an array",
            r#"{"type":"array","items":{"type":"string"},"minItems":1,"uniqueItems":true}"#,
            r#"{"type":"array","minItems":1,"items":{"type":"string"}}"#,
        ),
        (
            "an array of anything",
            r#"{"type":"array"}"#,
            r#"{"type":"array","items":{"type":"string"}}"#,
        ),
        (
            "a tuple",
            r#"{"items":[{"type":"number"},{"type":"string"}]}"#,
            r#"{"type":"array","items":{"type":"number"}}"#,
        ),
        (
            "an object",
            r#"{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"number"}},"required":["b","c","b"],"additionalProperties":false}"#,
            r#"{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"number"}},"required":["b"]}"#,
        ),
        (
            "an object of nothing",
            r#"{"type":"object","properties":{}}"#,
            r#"{"type":"object"}"#,
        ),
        (
            "fields named like keywords",
            r#"{"properties":{"$ref":{"type":"string"},"oneOf":{"type":"number"}}}"#,
            r#"{"type":"object","properties":{"$ref":{"type":"string"},"oneOf":{"type":"number"}}}"#,
        ),
        (
            "order",
            r#"{"properties":{"a":{},"b":{}},"propertyOrdering":["b","x","a"]}"#,
            r#"{"type":"object","propertyOrdering":["b","a"],"properties":{"a":{},"b":{}}}"#,
        ),
        (
            "bounds",
            r#"{"type":"number","minimum":1,"maximum":2.5,"exclusiveMinimum":0,"multipleOf":2,"minLength":"x"}"#,
            r#"{"type":"number","minimum":1,"maximum":2.5}"#,
        ),
        (
            "texts",
            r#"{"type":"string","title":"t","description":"d","pattern":"^a","$comment":"c","examples":["e","f"]}"#,
            r#"{"type":"string","title":"t","description":"d","pattern":"^a","example":"e"}"#,
        ),
        (
            "formats",
            r#"{"anyOf":[{"type":"string","format":"date-time"},{"type":"string","format":"uri"}]}"#,
            r#"{"anyOf":[{"type":"string","format":"date-time"},{"type":"string"}]}"#,
        ),
        (
            "default",
            r#"{"type":"object","default":{"a":[1]}}"#,
            r#"{"type":"object","default":{"a":[1]}}"#,
        ),
        (
            "a reference",
            r##"{"properties":{"a":{"$ref":"#/$defs/A","description":"mine"}},"$defs":{"A":{"type":"string","description":"theirs"}}}"##,
            r#"{"type":"object","properties":{"a":{"type":"string","description":"mine"}}}"#,
        ),
        (
            "a reference twice",
            r##"{"properties":{"a":{"$ref":"#/definitions/A"},"b":{"$ref":"#/definitions/A"}},"definitions":{"A":{"type":"string"}}}"##,
            r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}}"#,
        ),
        (
            "one base by two ways",
            r##"{"allOf":[{"$ref":"#/d/A"},{"$ref":"#/d/B"}],"d":{"A":{"allOf":[{"$ref":"#/d/C"}]},"B":{"$ref":"#/d/C"},"C":{"type":"number"}}}"##,
            r#"{"type":"number"}"#,
        ),
        (
            "an escaped reference",
            r##"{"$ref":"#/d/a~1b","d":{"a/b":{"type":"number"}}}"##,
            r#"{"type":"number"}"#,
        ),
        (
            "a choice of one reference",
            r##"{"anyOf":[{"$ref":"#/d/A"},{"type":"null"}],"d":{"A":{"properties":{"x":{"type":"number"}}}}}"##,
            r#"{"type":"object","nullable":true,"properties":{"x":{"type":"number"}}}"#,
        ),
    ] {
        assert_eq!(rewritten(schema).as_deref(), Ok(expected), "{case}");
    }
}

#[test]
fn what_cannot_be_said_is_refused() {
    let wide = format!(
        r#"{{"properties":{{{}}}}}"#,
        (0..1100)
            .map(|at| format!("\"p{at}\":{{}}"))
            .collect::<Vec<_>>()
            .join(",")
    );
    let deep = format!(
        "{}{}",
        r#"{"items":"#.repeat(40),
        "{}".to_owned() + &"}".repeat(40)
    );
    let mut laughs = r##"{"$ref":"#/d/a9","d":{"a0":{"type":"string"}"##.to_owned();
    for at in 1..10 {
        let below = format!(r##"{{"$ref":"#/d/a{}"}}"##, at - 1);
        write!(
            laughs,
            r#","a{at}":{{"properties":{{"x":{below},"y":{below},"z":{below}}}}}"#
        )
        .unwrap();
    }
    laughs += "}}";
    let long = format!(r#"{{"description":"{}"}}"#, "x".repeat(200 << 10));
    for (case, schema, expected) in [
        (
            "itself",
            r##"{"properties":{"a":{"$ref":"#"}}}"##,
            Unsayable::Recursive,
        ),
        (
            "a list of itself",
            r##"{"$ref":"#/d/A","d":{"A":{"properties":{"next":{"items":{"$ref":"#/d/A"}}}}}}"##,
            Unsayable::Recursive,
        ),
        (
            "a circle",
            r##"{"$ref":"#/d/A","d":{"A":{"$ref":"#/d/B"},"B":{"$ref":"#/d/A"}}}"##,
            Unsayable::Recursive,
        ),
        (
            "a choice of itself",
            r##"{"$ref":"#/d/A","d":{"A":{"anyOf":[{"$ref":"#/d/A"},{"type":"null"}]}}}"##,
            Unsayable::Recursive,
        ),
        ("nothing", r##"{"$ref":"#/d/A"}"##, Unsayable::Missing),
        (
            "elsewhere",
            r#"{"$ref":"https://example.com/a.json"}"#,
            Unsayable::Missing,
        ),
        ("no text", r#"{"$ref":7}"#, Unsayable::Missing),
        ("wide", &wide, Unsayable::TooLarge),
        ("deep", &deep, Unsayable::TooLarge),
        ("multiplying", &laughs, Unsayable::TooLarge),
        ("long", &long, Unsayable::TooLarge),
    ] {
        assert_eq!(rewritten(schema), Err(expected), "{case}");
    }
}

#[test]
fn only_the_mark_of_the_version_goes_where_json_schema_is_taken() {
    for (schema, expected) in [
        (r#"{"type":"object"}"#, r#"{"type":"object"}"#),
        (r#"{"$schema":"x"}"#, "{}"),
        (
            r#"{"$schema":"x", "a" : [1, 2],"b":{}}"#,
            r#"{"a":[1, 2],"b":{}}"#,
        ),
        (
            r#"{"properties":{"$schema":{}}}"#,
            r#"{"properties":{"$schema":{}}}"#,
        ),
        (
            r#"{"a":1,"\u0024schema":2,"c":"$schema"}"#,
            r#"{"a":1,"c":"$schema"}"#,
        ),
    ] {
        assert_eq!(without_marks(&raw(schema)), expected, "{schema}");
    }
}

/// Schemas of known and unknown keywords.
fn schemaish() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop::sample::select(vec![
            "string",
            "object",
            "array",
            "null",
            "number",
            "#/$defs/A",
            "#/$defs/B",
            "#",
            "a",
            "",
        ])
        .prop_map(Value::from),
    ];
    let words = prop::sample::select(vec![
        "type",
        "properties",
        "items",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
        "$defs",
        "A",
        "B",
        "const",
        "enum",
        "required",
        "nullable",
        "format",
        "minimum",
        "maxItems",
        "default",
        "title",
        "pattern",
        "not",
        "if",
        "$schema",
        "additionalProperties",
        "propertyOrdering",
        "examples",
    ]);
    leaf.prop_recursive(6, 64, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((words.clone(), inner), 0..5).prop_map(|fields| {
                let fields = fields.into_iter();
                Value::Object(
                    fields
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

/// Whether a schema has only words of the subset, with values of their types.
fn allowed(schema: &Value) -> bool {
    let Value::Object(fields) = schema else {
        return false;
    };
    let all = |list: &Value, holds: fn(&Value) -> bool| {
        list.as_array().is_some_and(|list| list.iter().all(holds))
    };
    fields.iter().all(|(name, value)| match name.as_str() {
        "type" | "title" | "description" | "format" | "pattern" => value.is_string(),
        "nullable" => value.is_boolean(),
        "default" | "example" => true,
        "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
            value.is_u64()
        }
        "minimum" | "maximum" => value.is_number(),
        "enum" | "required" | "propertyOrdering" => all(value, Value::is_string),
        "anyOf" => all(value, allowed),
        "items" => allowed(value),
        "properties" => value
            .as_object()
            .is_some_and(|all| all.values().all(allowed)),
        _ => false,
    })
}

proptest! {
    #[test]
    fn nothing_comes_out_but_words_of_the_subset(schema in schemaish()) {
        if let Ok(json) = rewritten(&schema.to_string()) {
            let value: Value = serde_json::from_str(&json).unwrap();
            prop_assert!(allowed(&value), "{json}");
            // What is in the subset already stays in it.
            prop_assert!(rewritten(&json).is_ok(), "{json}");
        }
    }

    #[test]
    fn all_but_the_mark_stays(schema in schemaish()) {
        let mut expected = schema.clone();
        if let Value::Object(fields) = &mut expected {
            fields.remove("$schema");
        }
        let kept: Value = serde_json::from_str(&without_marks(&raw(&schema.to_string()))).unwrap();
        if schema.is_object() {
            prop_assert_eq!(kept, expected);
        }
    }
}
