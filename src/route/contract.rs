//! Whether a whole JSON answer keeps to the schema that the request came with.
//!
//! Both are strangers' words: schema, answer, and how often one is held against the other are
//! bounded before anything is checked, and no reference leads out of the schema.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::dialect::{self, Asked};
use crate::exchange::Request;
use crate::route::effort::{self, Effort};

/// The longest schema that is read, in bytes.
const LONGEST_SCHEMA: usize = 256 << 10;
/// The most that a compiled pattern may take, in bytes.
const PATTERN: usize = 1 << 20;

/// What a request's answer must be.
#[derive(Debug)]
pub struct Contract {
    terms: Option<Terms>,
}

#[derive(Debug)]
struct Terms {
    schema: Value,
    validator: Validator,
}

/// Why a schema cannot be checked. The request may be fine nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Uncheckable {
    /// It is too long.
    #[error("the schema is longer than 256 KiB")]
    Long,
    /// It is no valid schema, or has a pattern that is not a regular expression.
    #[error("the schema cannot be read")]
    Unreadable,
    /// It is no object, or it has `$id`, a dynamic reference, a reference to elsewhere, or an `unevaluated` keyword.
    #[error("the schema has keywords that are not checked here")]
    Unsupported,
}

/// How an answer breaks its contract. Never quotes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// It is not JSON.
    #[error("the answer is not JSON")]
    NotJson,
    /// It is no object, where JSON mode was asked for.
    #[error("the answer is not a JSON object")]
    NotAnObject,
    /// It breaks this keyword of the schema.
    #[error("the answer breaks '{0}' of the schema")]
    Breaks(String),
    /// To check it would take too long: it cannot be vouched for.
    #[error("the answer takes too long to check")]
    TooMuch,
}

impl Contract {
    /// The contract of a request; `None` where it asks for no JSON. To be made once an exchange.
    pub fn of(request: &Request) -> Result<Option<Self>, Uncheckable> {
        match dialect::asked_json(request) {
            None => Ok(None),
            Some(Asked::Object) => Ok(Some(Self { terms: None })),
            Some(Asked::Schema(schema)) => Self::parse(schema).map(Some),
        }
    }

    /// The contract of a schema.
    pub fn parse(schema: &[u8]) -> Result<Self, Uncheckable> {
        if schema.len() > LONGEST_SCHEMA {
            return Err(Uncheckable::Long);
        }
        let schema: Value = serde_json::from_slice(schema).map_err(|_| Uncheckable::Unreadable)?;
        if !effort::is_plain(&schema) {
            return Err(Uncheckable::Unsupported);
        }
        let patterns = PatternOptions::regex()
            .size_limit(PATTERN)
            .dfa_size_limit(PATTERN);
        let validator = jsonschema::options()
            .with_pattern_options(patterns)
            .offline()
            .build(&schema)
            .map_err(|_| Uncheckable::Unreadable)?;
        let terms = Terms { schema, validator };
        Ok(Self { terms: Some(terms) })
    }

    /// Holds a whole answer against it.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub fn check(&self, text: &str) -> Result<(), Violation> {
        let answer: Value = serde_json::from_str(text).map_err(|_| Violation::NotJson)?;
        let Some(Terms { schema, validator }) = &self.terms else {
            return if answer.is_object() {
                Ok(())
            } else {
                Err(Violation::NotAnObject)
            };
        };
        if Effort::of(schema, &answer) == Effort::TooMuch {
            return Err(Violation::TooMuch);
        }
        validator
            .validate(&answer)
            .map_err(|error| Violation::Breaks(error.kind().keyword().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(schema: &str, answer: &str) -> Result<(), Violation> {
        Contract::parse(schema.as_bytes()).unwrap().check(answer)
    }

    #[test]
    fn an_answer_is_held_against_its_schema() {
        let breaks = |keyword: &str| Err(Violation::Breaks(keyword.to_owned()));
        let person = r##"{"type":"object","properties":{"name":{"type":"string","pattern":"^[A-Z]"},
            "age":{"type":"integer","minimum":0},"next":{"$ref":"#"}},
            "required":["name"],"additionalProperties":false}"##;
        for (answer, expected) in [
            (r#"{"name":"Ada","age":36}"#, Ok(())),
            (r#"{"name":"Ada","next":{"name":"Bob"}}"#, Ok(())),
            (r#" {"name":"Ada"} "#, Ok(())),
            (r#"{"name":"ada"}"#, breaks("pattern")),
            (r#"{"age":36}"#, breaks("required")),
            (r#"{"name":"Ada","age":-1}"#, breaks("minimum")),
            (r#"{"name":"Ada","x":1}"#, breaks("additionalProperties")),
            (r#"{"name":"Ada","next":{}}"#, breaks("required")),
            (r#""Ada""#, breaks("type")),
            (r#"{"name":"Ada""#, Err(Violation::NotJson)),
            ("```json\n{}\n```", Err(Violation::NotJson)),
            ("", Err(Violation::NotJson)),
        ] {
            assert_eq!(checked(person, answer), expected, "{answer}");
        }
    }

    #[test]
    fn json_mode_promises_an_object() {
        let contract = Contract { terms: None };
        assert_eq!(contract.check("{}"), Ok(()));
        assert_eq!(contract.check("[]"), Err(Violation::NotAnObject));
        assert_eq!(contract.check("no"), Err(Violation::NotJson));
    }

    #[test]
    fn a_schema_that_cannot_be_bounded_is_not_checked() {
        let long = format!(r#"{{"title":"{}"}}"#, "x".repeat(LONGEST_SCHEMA));
        for (schema, expected) in [
            (long.as_str(), Uncheckable::Long),
            ("{", Uncheckable::Unreadable),
            ("3", Uncheckable::Unsupported),
            (r#"{"type":"strnig"}"#, Uncheckable::Unreadable),
            (r#"{"pattern":"(?=x)"}"#, Uncheckable::Unreadable),
            (
                r#"{"$ref":"https://x.example/s"}"#,
                Uncheckable::Unsupported,
            ),
            (r#"{"$ref":"file:///etc/passwd"}"#, Uncheckable::Unsupported),
            (r#"{"$ref":"other.json"}"#, Uncheckable::Unsupported),
            (r##"{"$ref":"#/nowhere"}"##, Uncheckable::Unsupported),
            (r##"{"$dynamicRef":"#a"}"##, Uncheckable::Unsupported),
            (r#"{"unevaluatedItems":false}"#, Uncheckable::Unsupported),
        ] {
            let found = Contract::parse(schema.as_bytes()).map(|_| ());
            let shown = schema.get(..40.min(schema.len()));
            assert_eq!(found, Err(expected), "{shown:?}");
        }
    }

    #[test]
    fn a_check_that_would_not_end_is_not_begun() {
        let twice = r##"{"anyOf":[{"properties":{"a":{"$ref":"#"}},"required":["b"]},
            {"properties":{"a":{"$ref":"#"}},"required":["c"]}]}"##;
        let deep = format!("{}1{}", r#"{"a":"#.repeat(100), "}".repeat(100));
        assert_eq!(checked(twice, &deep), Err(Violation::TooMuch));
        let ring = r##"{"allOf":[{"$ref":"#"}]}"##;
        assert_eq!(checked(ring, "1"), Err(Violation::TooMuch));
    }
}
