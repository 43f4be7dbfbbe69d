//! Whether a target can do what a request needs.

use crate::dialect::{self, Length, Wants};
use crate::exchange::{Abilities, Dialect, Need, Needs};
use crate::route::{Drops, Json, LeftOut, OutputFit, Policy, Target};
use crate::units::Tokens;

/// Needs that never leave a target out: a whole answer becomes a stream where need be, and how long
/// a model thinks is a wish.
const SOFT: Needs = Needs::NONE.with(Need::Streaming).with(Need::Reasoning);

/// What can be made up for where the request is translated anyway.
const EMULATED: Needs = Needs::NONE.with(Need::JsonMode).with(Need::JsonSchema);

/// Why a target cannot serve a request; `None` if nothing is known against it.
pub(super) fn objection(policy: &Policy, target: &Target, wants: &Wants<'_>) -> Option<LeftOut> {
    if wants.is_nothing() {
        return None;
    }
    let missing = wants.needs.common(lacks(policy, target, wants.client));
    let need = missing.iter().next();
    let need = need.or_else(|| too_long(policy, target, wants));
    if let Some(need) = need {
        return Some(LeftOut::Lacks(need));
    }
    let strict = policy.drops == Drops::Refused;
    (strict && wants.drops(target.dialect)).then_some(LeftOut::StrictParams)
}

/// What leaves a target out, for clients of this format.
pub(super) fn lacks(policy: &Policy, target: &Target, client: Dialect) -> Needs {
    let own = &target.abilities.lacks;
    let mut lacks = own.and(dialect::lost(client, target.dialect));
    // Emulation needs a request that is rebuilt; most of it goes by way of a tool.
    let rebuilt = client != target.dialect && !own.has(Need::Tools);
    if policy.json == Json::Emulate && rebuilt {
        lacks = lacks.except(EMULATED);
    }
    match policy.drops {
        Drops::Allowed => lacks.except(SOFT),
        Drops::Refused => lacks.without(Need::Streaming),
    }
}

fn too_long(policy: &Policy, target: &Target, wants: &Wants<'_>) -> Option<Need> {
    let abilities = &*target.abilities;
    if let Some(window) = target.window()
        && wants.length(window, abilities.tokenizer) == Length::Over
    {
        return Some(Need::Context);
    }
    let output = wants.output?;
    if policy.output == OutputFit::Fitted {
        return None;
    }
    if abilities.max_output.is_some_and(|most| output > most) {
        return Some(Need::Output);
    }
    let room = left_for_prompt(target, output)?;
    (wants.length(room, abilities.tokenizer) == Length::Over).then_some(Need::Context)
}

/// What a prompt may take beside an answer of this length. Anthropic cuts the answer instead, and
/// Gemini counts the two apart.
fn left_for_prompt(target: &Target, output: Tokens) -> Option<Tokens> {
    match target.dialect {
        Dialect::OpenAi => {
            let context = target.abilities.context?;
            Some(Tokens(context.0.saturating_sub(output.0)))
        }
        Dialect::Anthropic | Dialect::Gemini => None,
    }
}

/// The longest answer that may be asked of a target: the client's own bound, lowered to fit where
/// the route says so. `None` where the client sets no bound, or its own one stands.
pub fn fitted(policy: &Policy, target: &Target, wants: &Wants<'_>) -> Option<Tokens> {
    let output = wants.output?;
    if policy.output == OutputFit::AsAsked {
        return None;
    }
    let Abilities {
        max_output,
        context,
        ..
    } = *target.abilities;
    // A guess may be too low, and too long an answer is refused.
    let input = wants.input().0;
    let input = input.saturating_add(input / 8);
    let beside = |context: Tokens| Tokens(context.0.saturating_sub(input).max(1));
    let beside = match target.dialect {
        Dialect::OpenAi => context.map(beside),
        Dialect::Anthropic | Dialect::Gemini => None,
    };
    let most = [max_output, beside].into_iter().flatten().min()?;
    (most < output).then_some(most)
}
