//! The settings of a request (`generationConfig`).

use serde_json::Value;

use crate::sim::asked::Refused;
use crate::sim::gemini::error::unknown_name;
use crate::sim::gemini::parts::{camel, either, keys};
use crate::sim::gemini::tools;
use crate::sim::heard::text;

const FIELDS: [&str; 20] = [
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "stopSequences",
    "candidateCount",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseLogprobs",
    "logprobs",
    "thinkingConfig",
    "responseModalities",
    "speechConfig",
    "imageConfig",
    "mediaResolution",
    "audioTranscriptionConfig",
];

/// Numbers and their ranges.
const NUMBERS: [(&str, f64, f64); 6] = [
    ("maxOutputTokens", 1.0, 2_147_483_647.0),
    ("temperature", 0.0, 2.0),
    ("topP", 0.0, 1.0),
    ("topK", 1.0, 1000.0),
    ("seed", -2_147_483_648.0, 2_147_483_647.0),
    ("candidateCount", 1.0, 8.0),
];

/// Checks the settings; `Null` where there are none.
pub(super) fn check(config: &Value) -> Result<(), Refused> {
    if let Some(unknown) = keys(config).find(|key| !FIELDS.contains(&camel(key).as_str())) {
        return Err(unknown_name(unknown, "generation_config"));
    }
    for (name, least, most) in NUMBERS {
        let Some(value) = config.get(name) else {
            continue;
        };
        let fits = value
            .as_f64()
            .is_some_and(|number| (least..=most).contains(&number));
        if !fits {
            return Err(Refused::request(format!(
                "* GenerateContentRequest.generation_config.{name}: must be in the range [{least}, {most}]."
            )));
        }
    }
    let stops = config
        .get("stopSequences")
        .map(|list| list.as_array().map(Vec::len));
    if stops.is_some_and(|count| count.is_none_or(|count| count > 5)) {
        return Err(Refused::request(
            "* GenerateContentRequest.generation_config.stop_sequences: at most 5 are allowed.",
        ));
    }
    schema(config)?;
    thinking(either(config, "thinkingConfig", "thinking_config"))
}

fn schema(config: &Value) -> Result<(), Refused> {
    let subset = either(config, "responseSchema", "response_schema");
    let json = either(config, "responseJsonSchema", "response_json_schema");
    if !subset.is_null() && !json.is_null() {
        return Err(Refused::request(
            "response_schema and response_json_schema are mutually exclusive.",
        ));
    }
    let asked = !subset.is_null() || !json.is_null();
    let media_type = either(config, "responseMimeType", "response_mime_type").as_str();
    if asked && !matches!(media_type, Some("application/json" | "text/x.enum")) {
        return Err(Refused::request(
            "* GenerateContentRequest.generation_config.response_schema: only allowed when \
             response mime type is application/json or text/x.enum.",
        ));
    }
    if json.get("$schema").is_some() {
        return Err(unknown_name(
            "$schema",
            "generation_config.response_json_schema",
        ));
    }
    if subset.is_null() {
        return Ok(());
    }
    tools::subset(subset, "generation_config.response_schema")
}

fn thinking(config: &Value) -> Result<(), Refused> {
    let fields = ["includeThoughts", "thinkingBudget", "thinkingLevel"];
    if let Some(unknown) = keys(config).find(|key| !fields.contains(&camel(key).as_str())) {
        return Err(unknown_name(unknown, "generation_config.thinking_config"));
    }
    let budget = either(config, "thinkingBudget", "thinking_budget");
    let level = text(config, "thinkingLevel");
    if !budget.is_null() && !level.is_empty() {
        return Err(Refused::request(
            "You can only set only one of thinking budget and thinking level.",
        ));
    }
    if !["", "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"].contains(&level.to_uppercase().as_str()) {
        return Err(Refused::request(format!(
            "Invalid value at 'generation_config.thinking_config.thinking_level', \"{level}\""
        )));
    }
    Ok(())
}
