//! The settings of a request, and which generation of models takes which.

use serde_json::{Map, Value};

use crate::sim::anthropic::error::extra;
use crate::sim::asked::Refused;
use crate::sim::heard::text;

/// A model's version, as far as its name tells: `claude-opus-4-6` is 4.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(Option<(u32, u32)>);

impl Generation {
    /// Reads a model's name. One that is no model of the provider's takes everything.
    pub(super) fn of(model: &str) -> Self {
        let Some(name) = model.strip_prefix("claude-") else {
            return Self(None);
        };
        let mut parts = name.split('-').filter_map(|part| {
            // A date is no version.
            part.parse::<u32>().ok().filter(|number| *number < 100)
        });
        Self(parts.next().map(|major| (major, parts.next().unwrap_or(0))))
    }

    /// Whether a last message of the model's own is gone on with.
    pub(super) fn continues_its_own(self) -> bool {
        self.0.is_none_or(|version| version <= (4, 5))
    }

    fn is_drawn_by_knobs(self) -> bool {
        self.0.is_none_or(|version| version <= (4, 6))
    }

    fn thinks_adaptively(self) -> bool {
        self.0.is_none_or(|version| version >= (4, 6))
    }
}

/// Checks the settings; `version` is the API's.
pub(super) fn check(body: &Map<String, Value>, version: &str) -> Result<(), Refused> {
    let field = |name: &str| body.get(name);
    let model = field("model").and_then(Value::as_str);
    let Some(model) = model.filter(|model| !model.is_empty()) else {
        return Err(Refused::request("model: Input should be a valid string"));
    };
    let model = Generation::of(model);
    let most = field("max_tokens").and_then(Value::as_u64);
    let Some(most) = most else {
        return Err(Refused::request(
            "max_tokens: Input should be a valid integer",
        ));
    };
    if field("stream").is_some_and(|stream| !stream.is_boolean()) {
        return Err(Refused::request("stream: Input should be a valid boolean"));
    }
    drawing(body, model, version)?;
    stops(field("stop_sequences"))?;
    metadata(field("metadata"))?;
    thinking(body, model, most)?;
    match field("output_config") {
        None => Ok(()),
        Some(config) => output(config),
    }
}

fn drawing(body: &Map<String, Value>, model: Generation, version: &str) -> Result<(), Refused> {
    for (name, most) in [("temperature", 1.0), ("top_p", 1.0), ("top_k", f64::MAX)] {
        let Some(value) = body.get(name) else {
            continue;
        };
        let Some(number) = value.as_f64() else {
            return Err(Refused::request(format!(
                "{name}: Input should be a valid number"
            )));
        };
        if !(0.0..=most).contains(&number) {
            return Err(Refused::request(format!("{name}: range: 0..1")));
        }
        let usual = name == "temperature" && (number - 1.0).abs() < f64::EPSILON;
        if version == "2026-10-21" || (!model.is_drawn_by_knobs() && !usual) {
            return Err(Refused::request(format!(
                "`{name}` is not supported for this model."
            )));
        }
    }
    Ok(())
}

fn stops(stops: Option<&Value>) -> Result<(), Refused> {
    let Some(stops) = stops else { return Ok(()) };
    let texts = stops.as_array().map(Vec::as_slice);
    for text in
        texts.ok_or_else(|| Refused::request("stop_sequences: Input should be a valid list"))?
    {
        match text.as_str() {
            None => {
                return Err(Refused::request(
                    "stop_sequences.0: Input should be a valid string",
                ));
            }
            Some(text) if text.trim().is_empty() => {
                return Err(Refused::request(
                    "stop_sequences: each stop sequence must contain non-whitespace",
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn metadata(metadata: Option<&Value>) -> Result<(), Refused> {
    let mut keys = metadata.and_then(Value::as_object).into_iter().flatten();
    match keys.find(|(key, _)| *key != "user_id") {
        Some((unknown, _)) => Err(extra(&format!("metadata.{unknown}"))),
        None => Ok(()),
    }
}

fn thinking(body: &Map<String, Value>, model: Generation, most: u64) -> Result<(), Refused> {
    let Some(thinking) = body.get("thinking") else {
        return Ok(());
    };
    match text(thinking, "type") {
        "enabled" => {
            if !model.is_drawn_by_knobs() {
                return Err(Refused::request(
                    "\"thinking.type.enabled\" is not supported for this model. Use \
                     \"thinking.type.adaptive\" and \"output_config.effort\".",
                ));
            }
            let budget = thinking.get("budget_tokens").and_then(Value::as_u64);
            if budget.is_none_or(|budget| budget < 1024) {
                return Err(Refused::request(
                    "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
                ));
            }
            if budget.is_some_and(|budget| budget >= most) {
                return Err(Refused::request(
                    "`max_tokens` must be greater than `thinking.budget_tokens`.",
                ));
            }
            let forced = body.get("tool_choice").map(|choice| text(choice, "type"));
            if matches!(forced, Some("any" | "tool")) {
                return Err(Refused::request(
                    "Thinking may not be enabled when tool_choice forces tool use.",
                ));
            }
            Ok(())
        }
        "adaptive" if !model.thinks_adaptively() => Err(Refused::request(
            "adaptive thinking is not supported on this model",
        )),
        "adaptive" | "disabled" | "between_tools" => Ok(()),
        other => Err(Refused::request(format!(
            "thinking: Input tag '{other}' found using 'type' does not match any of the expected tags"
        ))),
    }
}

fn output(config: &Value) -> Result<(), Refused> {
    for (key, value) in config.as_object().into_iter().flatten() {
        match key.as_str() {
            "effort" => {
                let known = ["low", "medium", "high", "xhigh", "max"];
                if !known.contains(&value.as_str().unwrap_or_default()) {
                    return Err(Refused::request(
                        "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'",
                    ));
                }
            }
            "format" => {
                let mut fields = value.as_object().into_iter().flatten().map(|(key, _)| key);
                if let Some(unknown) =
                    fields.find(|key| !["type", "schema"].contains(&key.as_str()))
                {
                    return Err(extra(&format!("output_config.format.{unknown}")));
                }
                if text(value, "type") != "json_schema" {
                    return Err(Refused::request(
                        "output_config.format.type: Input should be 'json_schema'",
                    ));
                }
                closed(value.get("schema").unwrap_or(&Value::Null))?;
            }
            unknown => return Err(extra(&format!("output_config.{unknown}"))),
        }
    }
    Ok(())
}

/// Every object of a schema must say that it has no further fields.
fn closed(schema: &Value) -> Result<(), Refused> {
    let Some(fields) = schema.as_object() else {
        return Err(Refused::request(
            "output_config.format.schema: Input should be a valid dictionary",
        ));
    };
    let object = fields.get("type").and_then(Value::as_str) == Some("object");
    if object && fields.get("additionalProperties") != Some(&Value::Bool(false)) {
        return Err(Refused::request(
            "output_config.format.schema: For 'object' type, 'additionalProperties' must be \
             explicitly set to false",
        ));
    }
    for refused in ["minimum", "maximum", "multipleOf", "minLength", "maxLength"] {
        if fields.contains_key(refused) {
            return Err(Refused::request(format!(
                "output_config.format.schema: For '{}' type, property '{refused}' is not supported",
                text(schema, "type")
            )));
        }
    }
    let properties = fields.get("properties").and_then(Value::as_object);
    for inner in properties.into_iter().flatten().map(|(_, inner)| inner) {
        closed(inner)?;
    }
    match fields.get("items") {
        Some(inner) => closed(inner),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_tells_its_generation() {
        let cases = [
            ("claude-sonnet-4-5-20250929", Some((4, 5))),
            ("claude-opus-4-6", Some((4, 6))),
            ("claude-opus-5", Some((5, 0))),
            ("claude-sonnet-5-5", Some((5, 5))),
            ("claude-haiku-latest", None),
            ("m", None),
        ];
        for (model, version) in cases {
            assert_eq!(Generation::of(model), Generation(version), "{model}");
        }
        assert!(Generation::of("claude-haiku-4-5").continues_its_own());
        assert!(!Generation::of("claude-opus-4-6").continues_its_own());
    }
}
