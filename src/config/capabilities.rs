//! `capabilities` of a target: what its model can do, where the catalogue does not know it or is
//! wrong.

use std::ops::RangeInclusive;

use super::cursor::{Cursor, Read, all};
use super::path::quoted;
use super::section::Section;
use crate::exchange::{Abilities, Need, Needs, Prefill, Sampled, Thinking};
use crate::units::Tokens;

/// Up to a hundred times the longest window there is.
const RANGE: RangeInclusive<u32> = 1..=100_000_000;

const SAMPLING: [(&str, Sampled); 2] = [("freely", Sampled::Freely), ("fixed", Sampled::Fixed)];

const THINKING: [(&str, Thinking); 3] = [
    ("never", Thinking::Never),
    ("budget", Thinking::Budget),
    ("level", Thinking::Level),
];

const PREFILL: [(&str, Prefill); 2] = [
    ("continues", Prefill::Continues),
    ("refuses", Prefill::Refuses),
];

/// What is written about a model; the rest is the catalogue's to say.
pub(super) struct Capabilities {
    context: Option<Tokens>,
    max_input: Option<Tokens>,
    max_output: Option<Tokens>,
    lacks: Needs,
    has: Needs,
    sampling: Option<Sampled>,
    thinking: Option<Thinking>,
    prefill: Option<Prefill>,
}

impl Capabilities {
    /// Reads the map.
    pub(super) fn read(cursor: &Cursor<'_>) -> Read<Self> {
        let mut section = Section::open(cursor)?;
        let mut tokens = |key| section.maybe(key, |cursor| cursor.number(&RANGE));
        let context = tokens("context");
        let max_input = tokens("max_input");
        let max_output = tokens("max_output");
        let lacks = section.or("lacks", Needs::NONE, needs);
        let has = section.or("has", Needs::NONE, |cursor| {
            let has = needs(cursor)?;
            match has.common(lacks.unwrap_or_default()).iter().next() {
                Some(both) => cursor.fail(format_args!("{:?} is in `lacks` too", both.name())),
                None => Ok(has),
            }
        });
        let sampling = section.maybe("sampling", |cursor| cursor.choice(&SAMPLING));
        let thinking = section.maybe("thinking", |cursor| cursor.choice(&THINKING));
        let prefill = section.maybe("prefill", |cursor| cursor.choice(&PREFILL));
        section.close();
        let tokens = |count: Option<u32>| count.map(|count| Tokens(count.into()));
        Ok(Self {
            context: tokens(context?),
            max_input: tokens(max_input?),
            max_output: tokens(max_output?),
            lacks: lacks?,
            has: has?,
            sampling: sampling?,
            thinking: thinking?,
            prefill: prefill?,
        })
    }

    /// What is written, and where nothing is, what is known.
    pub(super) fn over(&self, known: &Abilities) -> Abilities {
        let has = known.lacks.except(self.has);
        Abilities {
            lacks: has.and(self.lacks.implied()).except(self.has),
            context: self.context.or(known.context),
            // What is known of another window does not hold for this one.
            max_input: self.max_input.or(match self.context {
                Some(_) => None,
                None => known.max_input,
            }),
            max_output: self.max_output.or(known.max_output),
            sampling: self.sampling.unwrap_or(known.sampling),
            thinking: self.thinking.unwrap_or(known.thinking),
            prefill: self.prefill.unwrap_or(known.prefill),
            tokenizer: known.tokenizer,
        }
    }
}

/// Reads a list of things that a model can or cannot do. How much it can is in numbers.
fn needs(cursor: &Cursor<'_>) -> Read<Needs> {
    let sized = [Need::Context, Need::Output];
    let words: Vec<(&'static str, Need)> = Need::ALL
        .into_iter()
        .filter(|need| !sized.contains(need))
        .map(|need| (need.name(), need))
        .collect();
    let mut seen = Needs::NONE;
    let read = all(cursor.items()?.iter().map(|cursor| {
        let need = cursor.choice(&words)?;
        if seen.has(need) {
            let name = quoted(cursor.text()?);
            return cursor.fail(format_args!("{name} is there twice"));
        }
        seen = seen.with(need);
        Ok(need)
    }));
    Ok(read?.into_iter().collect())
}
