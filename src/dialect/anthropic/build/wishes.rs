//! How the next token is drawn, as far as this model takes it.

use serde_json::value::RawValue;

use super::thinking::Thinking;
use crate::dialect::anthropic::input::raw;
use crate::dialect::ask::Dropped;
use crate::exchange::{Abilities, Conversation, Sampled};

const MOST: f64 = 1.0;
/// The lowest `top_p` that goes with thinking.
const LEAST_THINKING_TOP_P: f64 = 0.95;

/// What is left of the wishes.
#[derive(Default)]
pub(super) struct Drawn<'a> {
    pub(super) temperature: Option<&'a RawValue>,
    pub(super) top_p: Option<&'a RawValue>,
    pub(super) top_k: Option<&'a RawValue>,
}

/// The wishes that the model takes. The others are named in `dropped`, unless they only say what
/// is so anyway.
pub(super) fn drawn<'a>(
    conversation: &'a Conversation<'a>,
    abilities: &Abilities,
    thinking: Option<&Thinking>,
    dropped: &mut Dropped,
) -> Drawn<'a> {
    let wished = conversation.sampling;
    let fixed = abilities.sampling == Sampled::Fixed;
    let thinks = thinking.is_some_and(Thinking::thinks);
    let number = |json: &str| json.parse().unwrap_or(MOST);
    let mut drop = |name: &'static str, value: &str| {
        if number(value) < MOST || number(value) > MOST {
            dropped.push(name.into());
        }
        None
    };
    let temperature = wished.temperature.and_then(|value| {
        if fixed || thinks {
            return drop("temperature", value);
        }
        Some(raw(if number(value) > MOST { "1" } else { value }))
    });
    let top_p = wished.top_p.and_then(|value| {
        // Models from 4.5 on refuse the two together.
        let refused = temperature.is_some() || thinks && number(value) < LEAST_THINKING_TOP_P;
        if fixed || refused {
            return drop("top_p", value);
        }
        Some(raw(value))
    });
    let top_k = wished.top_k.and_then(|value| {
        if fixed || thinks {
            dropped.push("top_k".into());
            return None;
        }
        Some(raw(value))
    });
    Drawn {
        temperature,
        top_p,
        top_k,
    }
}
