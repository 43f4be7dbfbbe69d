//! The tools of a request: names, schemas, and which of them must be called.

use serde_json::Value;

use crate::sim::asked::Refused;
use crate::sim::gemini::error::unknown_name;
use crate::sim::gemini::parts::{camel, either, keys};
use crate::sim::heard::{items, text};

const FUNCTION: [&str; 7] = [
    "name",
    "description",
    "parameters",
    "parametersJsonSchema",
    "response",
    "responseJsonSchema",
    "behavior",
];

/// The keywords of the `OpenAPI` subset.
const SCHEMA: [&str; 20] = [
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "default",
    "enum",
    "items",
    "minItems",
    "maxItems",
    "properties",
    "propertyOrdering",
    "required",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
];

/// Checks tools and the choice among them.
pub(super) fn check(body: &Value) -> Result<(), Refused> {
    let mut names: Vec<&str> = Vec::new();
    let mut lists = 0_usize;
    for tool in items(body, "tools") {
        let list = either(tool, "functionDeclarations", "function_declarations");
        let Some(functions) = list.as_array() else {
            continue;
        };
        lists = lists.saturating_add(1);
        for (index, function) in functions.iter().enumerate() {
            declaration(function, index)?;
            names.push(text(function, "name"));
        }
    }
    if lists > 1 {
        return Err(Refused::request(
            "Multiple tools are supported only when they are all search tools.",
        ));
    }
    let twice = names.iter().enumerate().find(|(index, name)| {
        names
            .iter()
            .skip(index.saturating_add(1))
            .any(|other| other == *name)
    });
    if let Some((_, name)) = twice {
        return Err(Refused::request(format!(
            "Duplicate function declaration found: {name}"
        )));
    }
    choice(body, &names)
}

fn declaration(function: &Value, index: usize) -> Result<(), Refused> {
    let place = format!("tools[0].function_declarations[{index}]");
    if let Some(unknown) = keys(function).find(|key| !FUNCTION.contains(&camel(key).as_str())) {
        return Err(unknown_name(unknown, &place));
    }
    let name = text(function, "name");
    let first = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    let letter = |letter: char| letter.is_ascii_alphanumeric() || "_.:-".contains(letter);
    if !name.starts_with(first) || !name.chars().all(letter) || name.len() > 128 {
        return Err(Refused::request(format!(
            "Invalid value at '{place}.name': Must start with a letter or an underscore. Must be \
             alphameric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), \
             with a maximum length of 128."
        )));
    }
    let parameters = function.get("parameters");
    let json = either(function, "parametersJsonSchema", "parameters_json_schema");
    if parameters.is_some() && !json.is_null() {
        return Err(Refused::request(format!(
            "{place}: parameters and parameters_json_schema are mutually exclusive."
        )));
    }
    if json.get("$schema").is_some() {
        return Err(unknown_name(
            "$schema",
            &format!("{place}.parameters_json_schema"),
        ));
    }
    match parameters {
        Some(schema) => subset(schema, &format!("{place}.parameters")),
        None => Ok(()),
    }
}

/// Checks a schema of the `OpenAPI` subset.
pub(super) fn subset(schema: &Value, place: &str) -> Result<(), Refused> {
    let known = |key: &String| {
        let name = camel(key);
        SCHEMA.contains(&name.as_str()) || ["example", "anyOf"].contains(&name.as_str())
    };
    if let Some(unknown) = keys(schema).find(|key| !known(key)) {
        return Err(unknown_name(unknown, place));
    }
    if schema.get("type").is_some_and(Value::is_array) {
        return Err(Refused::request(format!(
            "Invalid JSON payload received. Unknown name \"type\" at '{place}': Proto field is not \
             repeating, cannot start list."
        )));
    }
    if items(schema, "enum").iter().any(|value| !value.is_string()) {
        return Err(Refused::request(format!(
            "Invalid value at '{place}.enum[0]' (TYPE_STRING)"
        )));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, inner) in properties.into_iter().flatten() {
        subset(inner, &format!("{place}.properties[{name}]"))?;
    }
    for (index, inner) in items(schema, "anyOf").iter().enumerate() {
        subset(inner, &format!("{place}.any_of[{index}]"))?;
    }
    match schema.get("items") {
        Some(inner) => subset(inner, &format!("{place}.items")),
        None => Ok(()),
    }
}

fn choice(body: &Value, names: &[&str]) -> Result<(), Refused> {
    let config = either(body, "toolConfig", "tool_config");
    let calling = either(config, "functionCallingConfig", "function_calling_config");
    if calling.is_null() {
        return Ok(());
    }
    let fields = [
        "mode",
        "allowedFunctionNames",
        "streamFunctionCallArguments",
    ];
    if let Some(unknown) = keys(calling).find(|key| !fields.contains(&camel(key).as_str())) {
        return Err(unknown_name(unknown, "tool_config.function_calling_config"));
    }
    let mode = text(calling, "mode");
    if !["", "AUTO", "ANY", "NONE", "VALIDATED"].contains(&mode) {
        return Err(Refused::request(format!(
            "Invalid value at 'tool_config.function_calling_config.mode', \"{mode}\""
        )));
    }
    let allowed = either(calling, "allowedFunctionNames", "allowed_function_names");
    let allowed = allowed.as_array().map(Vec::as_slice).unwrap_or_default();
    if !allowed.is_empty() && !["ANY", "VALIDATED"].contains(&mode) {
        return Err(Refused::request(
            "Function calling config is set without function calling mode ANY.",
        ));
    }
    let unknown = allowed
        .iter()
        .find(|name| !names.contains(&name.as_str().unwrap_or_default()));
    match unknown {
        Some(name) => Err(Refused::request(format!(
            "allowed_function_names: {name} is not declared."
        ))),
        None if mode == "ANY" && names.is_empty() => Err(Refused::request(
            "Forced function calling (mode = ANY) with no function declarations is not supported.",
        )),
        None => Ok(()),
    }
}
