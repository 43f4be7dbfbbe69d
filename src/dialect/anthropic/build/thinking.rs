//! How long to think, in the words of the model's generation.

use serde::Serialize;

use super::tools::Choice;
use crate::dialect::ask::Dropped;
use crate::dialect::ask::Recipient;
use crate::exchange::{Conversation, Effort, Part, Speaker, Thinking as Way};
use crate::units::Tokens;

/// The least that the API takes.
const LEAST_BUDGET: u64 = 1024;
const LOW: u64 = LEAST_BUDGET;
const MEDIUM: u64 = 8192;
const HIGH: u64 = 24576;
/// What `OpenAI`, whose clients come here, calls it.
const PARAM: &str = "reasoning_effort";
/// Models that think whatever they are told.
const RESTLESS: [&str; 2] = ["fable", "mythos"];
/// Marks of the one generation that knows levels, but not `xhigh`.
const WITHOUT_XHIGH: [&str; 2] = ["4-6", "4.6"];

/// The field `thinking`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thinking {
    Adaptive,
    Enabled { budget_tokens: u64 },
    Disabled,
}

impl Thinking {
    pub(super) fn thinks(&self) -> bool {
        match self {
            Self::Adaptive | Self::Enabled { .. } => true,
            Self::Disabled => false,
        }
    }
}

/// What is said of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) thinking: Option<Thinking>,
    /// `output_config.effort`.
    pub(super) effort: Option<&'static str>,
    /// The bound on the answer: thinking is a part of it.
    pub(super) max_output: Tokens,
}

/// What is said of thinking to this model. A wish that it cannot take is named in `dropped`.
pub(super) fn plan(
    conversation: &Conversation<'_>,
    to: &Recipient<'_>,
    max_output: Tokens,
    tool_choice: Option<&Choice<'_>>,
    dropped: &mut Dropped,
) -> Plan {
    let silent = Plan {
        thinking: None,
        effort: None,
        max_output,
    };
    let Some(effort) = conversation.effort else {
        return silent;
    };
    match to.abilities.thinking {
        Way::Unknown | Way::Level => {
            let (thinking, effort) = level(effort, to.model);
            Plan {
                thinking: Some(thinking),
                effort,
                max_output,
            }
        }
        Way::Never | Way::Budget if effort == Effort::None => silent,
        // Neither a forced call nor a turn whose thoughts are lost goes with a budget.
        Way::Budget if !tool_choice.is_some_and(Choice::forces) && !amid_calls(conversation) => {
            let most = to.abilities.max_output.unwrap_or(Tokens(u64::MAX));
            let raised = (max_output + Tokens(budget(effort))).min(most);
            let budget = budget(effort).min(raised.0.saturating_sub(1));
            if budget < LEAST_BUDGET {
                dropped.push(PARAM.into());
                return silent;
            }
            Plan {
                thinking: Some(Thinking::Enabled {
                    budget_tokens: budget,
                }),
                effort: None,
                max_output: raised,
            }
        }
        Way::Budget | Way::Never => {
            dropped.push(PARAM.into());
            silent
        }
    }
}

/// From Claude 4.6 on.
fn level(effort: Effort, model: &str) -> (Thinking, Option<&'static str>) {
    let is = |marks: &[&str]| marks.iter().any(|mark| model.contains(mark));
    let effort = match effort {
        Effort::None if is(&RESTLESS) => Some("low"),
        Effort::None => return (Thinking::Disabled, None),
        Effort::Adaptive => None,
        Effort::Minimal | Effort::Low => Some("low"),
        Effort::Medium => Some("medium"),
        Effort::XHigh if is(&WITHOUT_XHIGH) => Some("high"),
        Effort::XHigh => Some("xhigh"),
        Effort::Max => Some("max"),
        Effort::Budget(Tokens(budget)) if budget <= LOW => Some("low"),
        Effort::Budget(Tokens(budget)) if budget <= MEDIUM => Some("medium"),
        Effort::High | Effort::Budget(_) => Some("high"),
    };
    (Thinking::Adaptive, effort)
}

/// Up to Claude 4.5, by convention.
fn budget(effort: Effort) -> u64 {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => LOW,
        Effort::Medium | Effort::Adaptive => MEDIUM,
        Effort::High | Effort::XHigh | Effort::Max => HIGH,
        Effort::Budget(Tokens(budget)) => budget.max(LEAST_BUDGET),
    }
}

/// Whether the model is to go on after results of its calls: then its turn would have to begin
/// with the thoughts that it had, and other formats do not keep them.
fn amid_calls(conversation: &Conversation<'_>) -> bool {
    let last = conversation.turns.iter().rev();
    last.take_while(|turn| turn.speaker != Speaker::Assistant)
        .flat_map(|turn| &turn.parts)
        .any(|part| matches!(part, Part::ToolResult { .. }))
}
