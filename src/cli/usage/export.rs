//! Sums for other programs: JSON and comma-separated values, both with every number in full.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::found::Usage;
use crate::account::store::{Part, Sum};
use crate::config::show_usd;

/// What a part is made of, by name.
const PART: [&str; 11] = [
    "attempts",
    "estimated",
    "unpriced",
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_tokens",
    "cost_micro_usd",
    "cost_usd",
];

/// Writes one JSON object, indented.
pub(super) fn json(usage: &Usage, out: &mut impl Write) -> io::Result<()> {
    let names: Vec<&str> = usage.by.iter().map(|by| by.name()).collect();
    let groups: Vec<Value> = usage.sums.iter().map(|sum| group(sum, &names)).collect();
    let document = json!({
        "span": usage.asked.words,
        "from_ms": usage.asked.span.from,
        "until_ms": usage.asked.span.until,
        "by": names,
        "groups": groups,
        "total": group(&usage.total(), &[]),
    });
    writeln!(out, "{document:#}")
}

fn group(sum: &Sum, names: &[&str]) -> Value {
    let mut group = Map::new();
    for (name, value) in names.iter().zip(&sum.names) {
        let value = (!value.is_empty()).then_some(value.as_str());
        group.insert((*name).to_owned(), value.into());
    }
    for (name, number) in [
        ("exchanges", sum.exchanges),
        ("fell_back", sum.fell_back),
        ("failed", sum.failed),
    ] {
        group.insert(name.to_owned(), number.into());
    }
    for (name, part) in [("delivered", &sum.delivered), ("wasted", &sum.wasted)] {
        let fields = PART.iter().zip(values(part));
        let part: Map<String, Value> = fields
            .map(|(name, value)| ((*name).to_owned(), value))
            .collect();
        group.insert(name.to_owned(), part.into());
    }
    group.into()
}

fn values(part: &Part) -> [Value; 11] {
    let usage = &part.usage;
    [
        part.attempts.into(),
        part.estimated.into(),
        part.unpriced.into(),
        usage.input.0.into(),
        usage.cached.0.into(),
        usage.cache_write.0.into(),
        usage.output.0.into(),
        usage.reasoning.0.into(),
        usage.audio.0.into(),
        part.cost.0.into(),
        // A number in text: no reader rounds it.
        show_usd(part.cost).into(),
    ]
}

/// Writes a head and a line for each group (RFC 4180, but for its line ends).
pub(super) fn csv(usage: &Usage, out: &mut impl Write) -> io::Result<()> {
    let mut head: Vec<String> = usage.by.iter().map(|by| by.name().to_owned()).collect();
    head.extend(["exchanges", "fell_back", "failed"].map(str::to_owned));
    for part in ["delivered", "wasted"] {
        head.extend(PART.map(|name| format!("{part}_{name}")));
    }
    writeln!(out, "{}", head.join(","))?;
    for sum in &usage.sums {
        let mut fields: Vec<String> = sum.names.iter().map(|name| quoted(name)).collect();
        fields.extend([sum.exchanges, sum.fell_back, sum.failed].map(|number| number.to_string()));
        for part in [&sum.delivered, &sum.wasted] {
            let text = |value: Value| match value {
                Value::String(text) => text,
                number => number.to_string(),
            };
            fields.extend(values(part).map(text));
        }
        writeln!(out, "{}", fields.join(","))?;
    }
    Ok(())
}

/// In quotes where it must be, and where a spreadsheet would take it for a formula it begins with an
/// apostrophe: names of keys and routes are free.
fn quoted(name: &str) -> String {
    let is_formula = name.starts_with(['=', '+', '-', '@']);
    let name = if is_formula {
        format!("'{name}")
    } else {
        name.to_owned()
    };
    if name.contains(['"', ',', '\n', '\r']) {
        return format!("\"{}\"", name.replace('"', "\"\""));
    }
    name
}
