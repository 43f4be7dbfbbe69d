//! What a model's name says of it where the catalogue says nothing: generations differ in what
//! they take.

use crate::dialect::ask::Recipient;
use crate::exchange::Thinking;

/// A generation: `gemini-2.5-flash` is (2, 5).
type Generation = (u32, u32);

/// How the model is told how long to think: by a number of tokens (2.5), by a level (3 and later).
pub(super) fn thinking(to: &Recipient<'_>) -> Thinking {
    match (to.abilities.thinking, generation(to.model)) {
        (Thinking::Unknown, Some(generation)) if generation < (2, 5) => Thinking::Never,
        (Thinking::Unknown, Some(generation)) if generation < (3, 0) => Thinking::Budget,
        // Aliases (`gemini-flash-latest`) are of the newest generation.
        (Thinking::Unknown, _) => Thinking::Level,
        (known, _) => known,
    }
}

/// Whether the model refuses calls in the history without a thought signature: Gemini 3 and later.
pub(super) fn wants_signatures(to: &Recipient<'_>) -> bool {
    match (generation(to.model), to.abilities.thinking) {
        (Some(generation), _) => generation >= (3, 0),
        (None, Thinking::Level) => true,
        (None, Thinking::Budget | Thinking::Never) => false,
        (None, Thinking::Unknown) => bare(to.model).starts_with("gemini"),
    }
}

/// Whether the model takes schemas only in the subset of `OpenAPI`: those before 2.5, and providers
/// whose profile is named so (some regions of Vertex).
pub(super) fn wants_subset(to: &Recipient<'_>) -> bool {
    let old = generation(to.model).is_some_and(|generation| generation < (2, 5));
    old || to.profile.name == "gemini-openapi"
}

/// Whether thinking can be no less than a little: the larger models cannot leave it off.
pub(super) fn always_thinks(to: &Recipient<'_>) -> bool {
    !bare(to.model).contains("flash")
}

/// The name without the collection it may come with.
pub(super) fn bare(model: &str) -> &str {
    model.strip_prefix("models/").unwrap_or(model)
}

fn generation(model: &str) -> Option<Generation> {
    let rest = bare(model).strip_prefix("gemini-")?;
    let number = rest.split('-').next()?;
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Abilities, Dialect, Form};

    #[test]
    fn a_name_tells_the_generation() {
        for (model, expected) in [
            ("gemini-1.5-pro-002", Some((1, 5))),
            ("models/gemini-2.0-flash", Some((2, 0))),
            ("gemini-2.5-flash-lite", Some((2, 5))),
            ("gemini-3-pro-preview", Some((3, 0))),
            ("gemini-4-argon", Some((4, 0))),
            ("gemini-flash-latest", None),
            ("gemma-3-27b", None),
            ("gemini-99999999999", None),
            ("", None),
        ] {
            assert_eq!(generation(model), expected, "{model}");
        }
    }

    #[test]
    fn what_the_catalogue_says_goes_before_the_name() {
        let with = |model: &'static str, thinking: Thinking| {
            let abilities = Abilities {
                thinking,
                ..Abilities::UNKNOWN
            };
            let to = Recipient {
                abilities: &abilities,
                ..Recipient::plain(Dialect::Gemini, model, Form::Whole)
            };
            (super::thinking(&to), wants_signatures(&to))
        };
        for (model, known, expected) in [
            (
                "gemini-2.0-flash",
                Thinking::Unknown,
                (Thinking::Never, false),
            ),
            (
                "gemini-2.5-pro",
                Thinking::Unknown,
                (Thinking::Budget, false),
            ),
            ("gemini-3.1-pro", Thinking::Unknown, (Thinking::Level, true)),
            (
                "gemini-flash-latest",
                Thinking::Unknown,
                (Thinking::Level, true),
            ),
            ("tuned", Thinking::Unknown, (Thinking::Level, false)),
            ("tuned", Thinking::Level, (Thinking::Level, true)),
            ("tuned", Thinking::Budget, (Thinking::Budget, false)),
            ("tuned", Thinking::Never, (Thinking::Never, false)),
            ("gemini-3.1-pro", Thinking::Never, (Thinking::Never, true)),
        ] {
            assert_eq!(with(model, known), expected, "{model} {known:?}");
        }
    }
}
