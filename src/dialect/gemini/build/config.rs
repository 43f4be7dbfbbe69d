//! How the answer is to be: `generationConfig`.

use std::borrow::Cow;

use super::super::{model, schema};
use super::write::{Writer, string};
use crate::dialect::ask::Dropped;
use crate::dialect::ask::{Recipient, Unfit};
use crate::exchange::{Conversation, Effort, Format, Need, Part, Sampled, Sampling, Thinking};
use crate::units::Tokens;

/// The most texts that may end an answer.
const MAX_STOPS: usize = 5;
/// The most answers side by side.
const MAX_CHOICES: u32 = 8;
/// The most tokens of thoughts that every model of generation 2.5 takes.
const MAX_BUDGET: u64 = 24_576;
/// The fewest where thinking cannot be left off (2.5 Pro).
const LEAST_BUDGET: u64 = 128;

/// Writes it, if there is anything to say.
pub(super) fn config(
    conversation: &Conversation<'_>,
    to: &Recipient<'_>,
    body: &mut Writer<'_>,
    dropped: &mut Dropped,
) -> Result<(), Unfit> {
    let mut out = Vec::new();
    let mut config = Writer::object(&mut out);
    if let Some(most) = conversation.max_output {
        config.raw("maxOutputTokens", &most.0.to_string());
    }
    sampling(&conversation.sampling, to, &mut config, dropped);
    stop(conversation, &mut config)?;
    match conversation.choices {
        0 | 1 => {}
        many if many <= MAX_CHOICES => {
            config.raw("candidateCount", &many.to_string());
        }
        _ => return Err(Unfit::Lacks(Need::Choices)),
    }
    format(&conversation.format, to, &mut config)?;
    if let Some(effort) = conversation.effort {
        think(effort, to, &mut config, dropped);
    }
    if let Some(resolution) = resolution(conversation) {
        config.text("mediaResolution", resolution);
    }
    let empty = config.is_empty();
    config.end();
    if !empty {
        body.key("generationConfig").extend_from_slice(&out);
    }
    Ok(())
}

/// Whether a value, as JSON, is one that the API takes.
type Fits = fn(&str) -> bool;

fn is_number(json: &str) -> bool {
    json.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_integer(json: &str) -> bool {
    json.parse::<i32>().is_ok()
}

fn sampling(
    sampling: &Sampling<'_>,
    to: &Recipient<'_>,
    config: &mut Writer<'_>,
    dropped: &mut Dropped,
) {
    let takes: [(_, _, _, Fits); 6] = [
        (
            "temperature",
            "temperature",
            sampling.temperature,
            is_number,
        ),
        ("top_p", "topP", sampling.top_p, is_number),
        ("top_k", "topK", sampling.top_k, is_integer),
        // 32 bits there, 64 elsewhere.
        ("seed", "seed", sampling.seed, is_integer),
        (
            "presence_penalty",
            "presencePenalty",
            sampling.presence_penalty,
            is_number,
        ),
        (
            "frequency_penalty",
            "frequencyPenalty",
            sampling.frequency_penalty,
            is_number,
        ),
    ];
    for (theirs, ours, value, fits) in takes {
        let Some(value) = value else { continue };
        if to.abilities.sampling == Sampled::Freely && fits(value) {
            config.raw(ours, value);
        } else {
            dropped.push(Cow::Borrowed(theirs));
        }
    }
}

fn stop(conversation: &Conversation<'_>, config: &mut Writer<'_>) -> Result<(), Unfit> {
    let texts = || conversation.stop.iter().filter(|text| !text.is_empty());
    match texts().count() {
        0 => return Ok(()),
        1..=MAX_STOPS => {}
        _ => return Err(Unfit::Lacks(Need::Stop)),
    }
    let mut list = Writer::list(config.key("stopSequences"));
    for text in texts() {
        string(list.item(), text);
    }
    list.end();
    Ok(())
}

fn format(format: &Format<'_>, to: &Recipient<'_>, config: &mut Writer<'_>) -> Result<(), Unfit> {
    const JSON: &str = "application/json";
    match format {
        Format::Text => {}
        Format::Json => {
            config.text("responseMimeType", JSON);
        }
        Format::Schema { schema, .. } if model::wants_subset(to) => {
            let subset = schema::subset(schema).map_err(|_| Unfit::Lacks(Need::JsonSchema))?;
            config.text("responseMimeType", JSON);
            config.raw("responseSchema", &subset);
        }
        Format::Schema { schema, .. } => {
            config.text("responseMimeType", JSON);
            config.raw("responseJsonSchema", &schema::without_marks(schema));
        }
    }
    Ok(())
}

/// How long to think. Thoughts are shown to those who ask for thinking as Anthropic does, by an
/// amount or as the model sees fit: their answers have a place for them.
fn think(effort: Effort, to: &Recipient<'_>, config: &mut Writer<'_>, dropped: &mut Dropped) {
    let shown = matches!(effort, Effort::Budget(_) | Effort::Adaptive);
    let (key, value) = match model::thinking(to) {
        Thinking::Never => {
            let name = if shown {
                "thinking"
            } else {
                "reasoning_effort"
            };
            dropped.push(Cow::Borrowed(name));
            return;
        }
        Thinking::Budget => ("thinkingBudget", Some(budget(effort, to).into())),
        Thinking::Level | Thinking::Unknown => ("thinkingLevel", level(effort, to)),
    };
    let mut thinking = Writer::object(config.key("thinkingConfig"));
    if let Some(value) = value {
        thinking.raw(key, &value);
    }
    if shown {
        thinking.raw("includeThoughts", "true");
    }
    thinking.end();
}

/// Tokens for generation 2.5: 0 is none, -1 as many as it sees fit.
fn budget(effort: Effort, to: &Recipient<'_>) -> String {
    let least = if model::always_thinks(to) {
        LEAST_BUDGET
    } else {
        0
    };
    let tokens = match effort {
        Effort::None => 0,
        Effort::Minimal | Effort::Low => 1024,
        Effort::Medium => 8192,
        Effort::High | Effort::XHigh | Effort::Max => MAX_BUDGET,
        Effort::Budget(Tokens(tokens)) => tokens,
        Effort::Adaptive => return "-1".to_owned(),
    };
    tokens.clamp(least, MAX_BUDGET).to_string()
}

/// A level that every model from generation 3 on takes, as JSON; `None` leaves it to the model.
fn level(effort: Effort, to: &Recipient<'_>) -> Option<Cow<'static, str>> {
    let level = match effort {
        Effort::Adaptive => return None,
        // No thinking at all is not to be had, and the larger models know no less than a little.
        Effort::None if !model::always_thinks(to) => "\"MINIMAL\"",
        Effort::None | Effort::Minimal | Effort::Low | Effort::Budget(Tokens(..4096)) => "\"LOW\"",
        Effort::Medium | Effort::Budget(Tokens(..16_384)) => "\"MEDIUM\"",
        Effort::High | Effort::XHigh | Effort::Max | Effort::Budget(_) => "\"HIGH\"",
    };
    Some(Cow::Borrowed(level))
}

/// How closely to look at pictures, where all of them are to be looked at alike: the API has one
/// word for all.
fn resolution(conversation: &Conversation<'_>) -> Option<&'static str> {
    let parts = conversation.turns.iter().flat_map(|turn| &turn.parts);
    let mut details = parts.filter_map(|part| match part {
        Part::Image { detail, .. } => Some(detail.as_deref()),
        _ => None,
    });
    let first = details.next()??;
    if !details.all(|detail| detail == Some(first)) {
        return None;
    }
    match first {
        "low" => Some("MEDIA_RESOLUTION_LOW"),
        "high" => Some("MEDIA_RESOLUTION_HIGH"),
        _ => None,
    }
}
