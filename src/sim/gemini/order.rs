//! Who may speak when; that calls, responses and their signatures belong together.

use serde_json::Value;

use crate::sim::asked::Refused;
use crate::sim::gemini::parts::either;
use crate::sim::gemini::terms::SIGNATURE;
use crate::sim::heard::{items, text};

/// What stands in place of a signature that another model's call lacks: raw, and in base64.
const BYPASS: [&str; 2] = [
    "skip_thought_signature_validator",
    "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",
];

/// A function of a content: its name, its id where it has one, and its part.
struct Function<'a> {
    name: &'a str,
    id: Option<&'a str>,
    part: &'a Value,
}

/// Checks a list of contents.
pub(super) fn check(contents: &[Value], model: &str) -> Result<(), Refused> {
    let mut before: Option<&Value> = None;
    for content in contents {
        let role = role(content)?;
        match (before, role) {
            (None, "model") => {
                return Err(Refused::request(
                    "Please ensure that multiturn requests begin with a user turn.",
                ));
            }
            (Some(other), role) if self::role(other)? == role => {
                return Err(Refused::request(
                    "Please ensure that multiturn requests alternate between user and model.",
                ));
            }
            _ => {}
        }
        pair(before, content)?;
        before = Some(content);
    }
    let (major, minor) = generation(model).unwrap_or((0, 0));
    let ends_with_model = before.map(role).transpose()? == Some("model");
    if ends_with_model {
        let calls = before.map_or(0, |content| {
            functions(content, "functionCall", "function_call").len()
        });
        if calls > 0 {
            return Err(Refused::request(
                "Please ensure that function response turn comes immediately after a function call turn.",
            ));
        }
        if (major, minor) >= (3, 5) {
            return Err(Refused::request(
                "Requests ending with a model turn are not supported.",
            ));
        }
    }
    if major >= 3 {
        signatures(contents)
    } else {
        Ok(())
    }
}

fn role(content: &Value) -> Result<&str, Refused> {
    match text(content, "role") {
        "" | "user" | "function" => Ok("user"),
        "model" => Ok("model"),
        _ => Err(Refused::request("Please use a valid role: user, model.")),
    }
}

/// A model's version, as far as its name tells: `gemini-3.5-flash` is 3.5.
fn generation(model: &str) -> Option<(u32, u32)> {
    let name = model.strip_prefix("gemini-")?;
    let number = name.split('-').next()?;
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn functions<'a>(content: &'a Value, camel: &str, snake: &str) -> Vec<Function<'a>> {
    let parts = items(content, "parts").iter();
    let functions = parts.filter_map(|part| {
        let value = either(part, camel, snake);
        let name = value.get("name")?.as_str()?;
        let id = value.get("id").and_then(Value::as_str);
        Some(Function { name, id, part })
    });
    functions.collect()
}

/// Responses come right after their calls, as many as there were, of the same names.
fn pair(before: Option<&Value>, content: &Value) -> Result<(), Refused> {
    let calls = before.map_or_else(Vec::new, |content| {
        functions(content, "functionCall", "function_call")
    });
    let responses = functions(content, "functionResponse", "function_response");
    if calls.is_empty() && !responses.is_empty() {
        return Err(Refused::request(
            "Please ensure that function response turn comes immediately after a function call turn.",
        ));
    }
    if calls.len() != responses.len() {
        return Err(Refused::request(
            "Please ensure that the number of function response parts is equal to the number of \
             function call parts of the function call turn.",
        ));
    }
    let sorted = |functions: &[Function<'_>]| {
        let mut names: Vec<String> = functions.iter().map(|f| f.name.to_owned()).collect();
        names.sort();
        names
    };
    if sorted(&calls) != sorted(&responses) {
        return Err(Refused::request(
            "Please ensure that function response name matches function call name.",
        ));
    }
    let known = |id: &str| calls.iter().any(|call| call.id == Some(id));
    let with_ids = calls.iter().any(|call| call.id.is_some());
    let mut ids = responses.iter().filter_map(|response| response.id);
    if with_ids && ids.any(|id| !known(id)) {
        return Err(Refused::request(
            "Please ensure that function response id matches function call id.",
        ));
    }
    Ok(())
}

/// The first call of each step of the current turn has its signature. The current turn began with
/// the last text of the user's.
fn signatures(contents: &[Value]) -> Result<(), Refused> {
    let spoke = |content: &Value| {
        let answers = functions(content, "functionResponse", "function_response");
        text(content, "role") != "model" && answers.is_empty()
    };
    let begin = contents.iter().rposition(spoke).unwrap_or(0);
    for (index, content) in contents.iter().enumerate() {
        let calls = functions(content, "functionCall", "function_call");
        for (at, call) in calls.iter().enumerate() {
            let signature = either(call.part, "thoughtSignature", "thought_signature").as_str();
            match signature {
                None | Some("") if at == 0 && index >= begin => {
                    return Err(Refused::request(
                        "Function call is missing a thought_signature in functionCall parts.",
                    ));
                }
                None | Some("") => {}
                Some(text) if text == SIGNATURE || BYPASS.contains(&text) => {}
                Some(_) => return Err(Refused::request("Corrupted thought signature.")),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_tells_its_generation() {
        for (model, expected) in [
            ("gemini-2.5-flash", Some((2, 5))),
            ("gemini-3-pro-preview", Some((3, 0))),
            ("gemini-4-argon", Some((4, 0))),
            ("gemini-flash-latest", None),
            ("m", None),
        ] {
            assert_eq!(generation(model), expected, "{model}");
        }
    }
}
