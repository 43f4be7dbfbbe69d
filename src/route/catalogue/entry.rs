//! The catalogue as written, and what is taken from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::account::{LongPrice, Price};
use crate::exchange::{Abilities, Need, Needs, Prefill, Sampled, Thinking, Tokenizer};
use crate::route::Family;
use crate::units::{MicroUsd, Tokens};

/// What is known of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// What it can do.
    pub abilities: Arc<Abilities>,
    /// What its vendor charges, if that is known; for long prompts it may be more.
    pub price: Option<Price>,
    /// The day on which its vendor switches it off, as `YYYY-MM-DD`.
    pub retires: Option<String>,
}

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the file"))]
    pub(super) schema: u32,
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the file"))]
    pub(super) as_of: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the file"))]
    pub(super) currency: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the file"))]
    pub(super) price_unit: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the file"))]
    pub(super) sources: BTreeMap<String, Source>,
    pub(super) models: Vec<Entry>,
}

/// Where facts come from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the file"))]
pub(super) struct Source {
    pub(super) what: String,
    pub(super) date: String,
}

/// One model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) family: Family,
    pub(super) id: String,
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    pub(super) kind: Kind,
    pub(super) context: Option<u64>,
    pub(super) max_input: Option<u64>,
    pub(super) max_output: Option<u64>,
    #[serde(default)]
    pub(super) lacks: Vec<String>,
    #[serde(default)]
    sampling: Sampling,
    thinking: Option<Thought>,
    tokenizer: Option<Encoding>,
    pub(super) prefill: Option<Started>,
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the file"))]
    pub(super) prefill_how: Option<String>,
    pub(super) price: Option<Charge>,
    pub(super) price_above: Option<Charge>,
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the file"))]
    pub(super) price_until: Option<String>,
    pub(super) retires: Option<String>,
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the file"))]
    pub(super) sources: Vec<String>,
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the file"))]
    pub(super) checked: String,
    #[expect(dead_code, reason = "for whoever reads the file")]
    note: Option<String>,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Chat,
    Embedding,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sampling {
    #[default]
    Freely,
    Fixed,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Thought {
    Never,
    Budget,
    Level,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Encoding {
    #[serde(rename = "o200k_base")]
    O200k,
}

/// What it does with an answer that the prompt begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Started {
    Continues,
    Refuses,
}

/// USD for a million tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Charge {
    pub(super) input_tokens: Option<u64>,
    pub(super) input: f64,
    pub(super) output: f64,
    pub(super) cache_read: Option<f64>,
    pub(super) cache_write: Option<f64>,
}

impl Entry {
    /// What routing needs to know of it.
    pub(super) fn model(&self) -> Model {
        let price = self.price.as_ref().map(|price| self.priced(price));
        Model {
            abilities: Arc::new(self.abilities()),
            price,
            retires: self.retires.clone(),
        }
    }

    fn priced(&self, price: &Charge) -> Price {
        let long = self.price_above.as_ref().and_then(|long| {
            Some(LongPrice {
                above: Tokens(long.input_tokens?),
                input: micros(long.input),
                output: micros(long.output),
                cached: long.cache_read.map(micros),
                cache_write: long.cache_write.map(micros),
            })
        });
        Price {
            input: micros(price.input),
            output: micros(price.output),
            cached: price.cache_read.map(micros),
            cache_write: price.cache_write.map(micros),
            long,
        }
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            lacks: self.lacked(),
            context: self.context.map(Tokens),
            max_input: self.max_input.map(Tokens),
            max_output: self.max_output.map(Tokens),
            sampling: match self.sampling {
                Sampling::Freely => Sampled::Freely,
                Sampling::Fixed => Sampled::Fixed,
            },
            thinking: match self.thinking {
                None => Thinking::Unknown,
                Some(Thought::Never) => Thinking::Never,
                Some(Thought::Budget) => Thinking::Budget,
                Some(Thought::Level) => Thinking::Level,
            },
            prefill: match self.prefill {
                None => Prefill::Unknown,
                Some(Started::Continues) => Prefill::Continues,
                Some(Started::Refuses) => Prefill::Refuses,
            },
            tokenizer: match self.tokenizer {
                None => Tokenizer::Unknown,
                Some(Encoding::O200k) => Tokenizer::O200k,
            },
        }
    }

    fn lacked(&self) -> Needs {
        match self.kind {
            Kind::Embedding => Need::ALL
                .into_iter()
                .filter(|need| !matches!(need, Need::Embeddings | Need::Context | Need::Output))
                .collect(),
            Kind::Chat => {
                let named = |need: &Need| self.lacks.iter().any(|name| name == need.name());
                let own = Need::ALL.into_iter().filter(named).collect::<Needs>();
                own.implied().with(Need::Embeddings)
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and a test checks that prices are whole millionths"
)]
fn micros(usd: f64) -> MicroUsd {
    MicroUsd((usd * 1e6).round() as u64)
}
