//! A call's arguments: the JSON text that others pass on as a string, the object that this format
//! has in its place.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// Where arguments that are no object are put, so that the call is not lost.
const RAW: &str = "raw_arguments";
const EMPTY: &str = "{}";

/// The arguments as an object: themselves if they are one, an empty one for nothing, else one with
/// their text in it.
pub(super) fn object(arguments: &str) -> Cow<'_, RawValue> {
    let arguments = arguments.trim();
    if arguments.starts_with('{')
        && let Ok(object) = serde_json::from_str::<&RawValue>(arguments)
    {
        return Cow::Borrowed(object);
    }
    if arguments.is_empty() || arguments == "null" {
        return Cow::Borrowed(raw(EMPTY));
    }
    let wrapped = serde_json::to_string(&std::collections::BTreeMap::from([(RAW, arguments)]));
    match wrapped.map(RawValue::from_string) {
        Ok(Ok(object)) => Cow::Owned(object),
        Ok(Err(_)) | Err(_) => Cow::Borrowed(raw(EMPTY)),
    }
}

/// A JSON text that is known to be one.
pub(super) fn raw(json: &str) -> &RawValue {
    serde_json::from_str(json).unwrap_or(RawValue::NULL)
}

/// The JSON without white space between its parts; borrowed if there is none.
pub(super) fn compact(json: &str) -> Cow<'_, str> {
    if !json.chars().any(space_between()) {
        return Cow::Borrowed(json);
    }
    let mut space = space_between();
    Cow::Owned(json.chars().filter(|letter| !space(*letter)).collect())
}

/// Says of each letter in turn whether it is white space outside of strings.
fn space_between() -> impl FnMut(char) -> bool {
    let (mut inside, mut escaped) = (false, false);
    move |letter| {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => inside = !inside,
            ' ' | '\t' | '\r' | '\n' => return !inside,
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_an_object_and_none_is_lost() {
        for (arguments, expected) in [
            ("", "{}"),
            (" \n", "{}"),
            ("null", "{}"),
            ("{}", "{}"),
            (r#"{"b":1,"a":"\ud83d"}"#, r#"{"b":1,"a":"\ud83d"}"#),
            (r#" {"b": 1} "#, r#"{"b": 1}"#),
            ("[1]", r#"{"raw_arguments":"[1]"}"#),
            ("7", r#"{"raw_arguments":"7"}"#),
            (r#"{"a":"#, r#"{"raw_arguments":"{\"a\":"}"#),
            (r#"{"a":1}{"#, r#"{"raw_arguments":"{\"a\":1}{"}"#),
            ("ls -l", r#"{"raw_arguments":"ls -l"}"#),
        ] {
            assert_eq!(object(arguments).get(), expected, "{arguments}");
        }
    }

    #[test]
    fn only_the_space_between_parts_goes() {
        for (json, expected) in [
            ("{\n  \"a b\" : [ 1,\t2 ]\r\n}", r#"{"a b":[1,2]}"#),
            (r#"{"a": "\" \\"}"#, r#"{"a":"\" \\"}"#),
            (r#"{"a":" "}"#, r#"{"a":" "}"#),
        ] {
            assert_eq!(compact(json), expected);
        }
        assert!(matches!(compact(r#"{"a":" "}"#), Cow::Borrowed(_)));
    }
}
