//! What one answer says, in no format's words: its pieces, its calls, its counts. Pure.

use crate::sim::asked::{Asked, Delivery};
use crate::sim::script::{Content, Counting, Finish, Length, Script, Usage};
use crate::sim::text::{Call, Words, call};
use crate::sim::tokens;

/// What an answer takes from the request beside its JSON.
#[derive(Clone, Debug)]
pub(crate) struct Origin<'a> {
    /// The request's number, for the answer's id.
    pub(crate) request: u64,
    /// The size of the request's body: the prompt tokens follow from it.
    pub(crate) body_bytes: u64,
    /// `x-sim-canary`.
    pub(crate) canary: Option<&'a str>,
    /// The tokens of the prompt, where the script wants them counted.
    pub(crate) prompt: Option<u64>,
    /// What was understood of the request, where the script wants it said.
    pub(crate) echo: Option<String>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Speech<'a> {
    pub(crate) script: &'a Script,
    /// The model, as a JSON string.
    pub(crate) model: String,
    /// The request's number.
    pub(crate) request: u64,
    /// What calls have in their ids: the size of the request's body. Equal requests get equal ids,
    /// and a conversation grows, so that no two of its calls have one.
    pub(crate) series: u64,
    pub(crate) choices: u32,
    /// Whether the request asks for the usage, where the format leaves that open.
    pub(crate) asks_usage: bool,
    pub(crate) tokens: Length,
    /// Tokens of reasoning before them.
    pub(crate) thoughts: u64,
    /// The name of the tool that is called; it needs no escape.
    pub(crate) tool: String,
    /// The text that ends the answer where the request named one, as a JSON string.
    pub(crate) stop: String,
    words: Words,
    prompt: u64,
}

/// What an answer costs in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// All of the prompt.
    pub prompt: u64,
    /// Of these, read from a cache.
    pub cached: u64,
    /// Of these, written to one.
    pub written: u64,
    /// Of the answer, without reasoning.
    pub said: u64,
    /// Of the reasoning.
    pub thought: u64,
}

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason<'a> {
    Stop,
    /// At a text that the request named.
    StopSequence,
    Length,
    Calls,
    /// The model declines, or the provider's filter cuts it.
    Filtered,
    /// A word of the format's own.
    Literal(&'a str),
}

impl<'a> Speech<'a> {
    pub(crate) fn new(script: &'a Script, asked: &Asked, origin: &Origin<'_>) -> Self {
        let canary = origin.canary.or(asked.canary.as_deref());
        let mut words = Words::new(script, canary);
        let mut tokens = script.tokens;
        let literal = match &script.content {
            Content::Said(text) => Some(text.as_str()),
            Content::Echo => Some(origin.echo.as_deref().unwrap_or("{}")),
            Content::Text | Content::Tools { .. } | Content::Refusal => None,
        };
        if let Some(text) = literal {
            tokens = Length::Tokens(words.say(text));
        }
        let tool = if let Content::Tools {
            name: Some(name), ..
        } = &script.content
        {
            name.clone()
        } else {
            let tool = serde_json::to_string(asked.tool.as_deref().unwrap_or("lookup"));
            tool.unwrap_or_default().trim_matches('"').to_owned()
        };
        Self {
            script,
            model: serde_json::to_string(&asked.model).unwrap_or_default(),
            request: origin.request,
            series: origin.body_bytes,
            choices: asked.choices,
            asks_usage: asked.delivery == Delivery::StreamWithUsage,
            tokens,
            thoughts: script.thinking,
            tool,
            stop: serde_json::to_string(asked.stop.as_deref().unwrap_or("END")).unwrap_or_default(),
            words,
            prompt: script
                .prompt
                .or(origin.prompt)
                .unwrap_or_else(|| origin.body_bytes.div_ceil(4)),
        }
    }

    /// Adds a token of a choice, as it stands in a JSON string.
    pub(crate) fn token(&self, choice: u32, token: u64, out: &mut Vec<u8>) {
        self.words.write(choice, token, out);
    }

    /// Adds a token of a choice's reasoning, as it stands in a JSON string.
    pub(crate) fn thought(&self, choice: u32, thought: u64, out: &mut Vec<u8>) {
        self.words.write_thought(choice, thought, out);
    }

    /// Which tool call a token belongs to; `None` where there is none.
    pub(crate) fn call(&self, token: u64) -> Option<Call> {
        call(self.script, token)
    }

    /// Whether the model calls tools.
    pub(crate) fn calls_tools(&self) -> bool {
        matches!(self.script.content, Content::Tools { .. })
    }

    /// Whether the model declines.
    pub(crate) fn refuses(&self) -> bool {
        self.script.content == Content::Refusal
    }

    /// The choice and the token of a step of a document, which has one choice after the other.
    pub(crate) fn of_step(&self, step: u64) -> (u32, u64) {
        match self.tokens {
            Length::Endless => (0, step),
            Length::Tokens(tokens) => {
                let choice = step.checked_div(tokens).unwrap_or(0);
                let token = step.checked_rem(tokens).unwrap_or(0);
                (u32::try_from(choice).unwrap_or(0), token)
            }
        }
    }

    /// Why it ends; `None` where that is not told.
    pub(crate) fn reason(&self) -> Option<Reason<'_>> {
        Some(match &self.script.finish {
            Finish::Missing => return None,
            Finish::Natural if self.calls_tools() => Reason::Calls,
            Finish::Natural if self.refuses() => Reason::Filtered,
            Finish::Natural => Reason::Stop,
            Finish::Reason(reason) => match reason.as_str() {
                "stop" => Reason::Stop,
                "stop_sequence" => Reason::StopSequence,
                "length" => Reason::Length,
                "tool_calls" => Reason::Calls,
                "content_filter" => Reason::Filtered,
                other => Reason::Literal(other),
            },
        })
    }

    /// The counts when so many tokens of each choice are out; `None` where they are not told.
    pub(crate) fn counts(&self, thoughts: u64, tokens: u64) -> Option<Counts> {
        match self.script.usage {
            Usage::Missing => None,
            Usage::Zero => Some(Counts {
                prompt: 0,
                cached: 0,
                written: 0,
                said: 0,
                thought: 0,
            }),
            Usage::Asked | Usage::Every => Some(self.taken(thoughts, tokens)),
        }
    }

    /// The same whether they are told or not.
    pub(crate) fn taken(&self, thoughts: u64, tokens: u64) -> Counts {
        let all = |each: u64| each.saturating_mul(u64::from(self.choices));
        let (said, thought) = match self.script.counting {
            Counting::Own => (all(tokens), all(thoughts)),
            Counting::Encoding => self.encoded(thoughts, tokens),
        };
        Counts {
            prompt: self.prompt,
            cached: self.script.cached,
            written: self.script.cache_write,
            said,
            thought,
        }
    }

    /// The tokens of all choices by the vendor's encoding: of the answer, and of the reasoning.
    fn encoded(&self, thoughts: u64, tokens: u64) -> (u64, u64) {
        let (mut said, mut thought) = (0_u64, 0_u64);
        for choice in 0..self.choices {
            let (mut text, mut reasoning) = (Vec::new(), Vec::new());
            for token in 0..tokens {
                let call = self.call(token);
                if call.is_some_and(|call| call.first) {
                    text.extend_from_slice(self.tool.as_bytes());
                    text.extend_from_slice(b"{\\\"text\\\":\\\"");
                }
                self.token(choice, token, &mut text);
                if call.is_some_and(|call| call.last) {
                    text.extend_from_slice(b"\\\"}");
                }
            }
            (0..thoughts).for_each(|at| self.thought(choice, at, &mut reasoning));
            said = said.saturating_add(tokens::count(&meant(&text)));
            thought = thought.saturating_add(tokens::count(&meant(&reasoning)));
        }
        (said, thought)
    }

    /// The counts of the whole answer.
    pub(crate) fn total(&self) -> Option<Counts> {
        self.counts(self.thoughts, self.tokens.count())
    }
}

/// What stands in a JSON string.
fn meant(text: &[u8]) -> String {
    let quoted = [b"\"", text, b"\""].concat();
    serde_json::from_slice(&quoted).unwrap_or_default()
}

impl Counts {
    /// All of the answer, reasoning included.
    pub fn completion(&self) -> u64 {
        self.said.saturating_add(self.thought)
    }
}
