//! A chat request, and one for a text to go on: what is not needed is skipped, not kept.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::sim::asked::{Asked, Delivery, MOST_CHOICES, Refused};
use crate::sim::openai::order;
use crate::sim::script::is_canary;

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    n: Option<u32>,
    #[serde(borrow)]
    tools: Option<Vec<Tool<'a>>>,
    #[serde(borrow)]
    tool_choice: Option<Choice<'a>>,
    #[serde(borrow)]
    stop: Option<Stop<'a>>,
    #[serde(borrow)]
    user: Option<Cow<'a, str>>,
    prompt: Option<Prompt>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Choice<'a> {
    Named {
        #[serde(borrow)]
        function: Function<'a>,
    },
    Other(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stop<'a> {
    One(#[serde(borrow)] Cow<'a, str>),
    Many(#[serde(borrow)] Vec<Cow<'a, str>>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Prompt {
    Tokens(Vec<u64>),
    Many(Vec<IgnoredAny>),
    One(IgnoredAny),
}

impl Prompt {
    fn count(&self) -> usize {
        match self {
            Self::Tokens(tokens) => usize::from(!tokens.is_empty()),
            Self::Many(prompts) => prompts.len(),
            Self::One(_) => 1,
        }
    }
}

/// Reads a chat request. A deployment (Azure) stands in place of the model.
pub(crate) fn asked(body: &[u8], deployment: Option<&str>) -> Result<Asked, Refused> {
    let body = parse(body)?;
    if let Some(messages) = body.messages {
        order::check(messages.get())?;
    }
    body.asked(deployment, 1)
}

/// Reads a request for completions of a text, or of several.
pub(crate) fn completion_asked(body: &[u8]) -> Result<Asked, Refused> {
    let body = parse(body)?;
    let prompts = body.prompt.as_ref().map_or(1, Prompt::count);
    body.asked(None, prompts)
}

fn parse(body: &[u8]) -> Result<Body<'_>, Refused> {
    serde_json::from_slice(body)
        .map_err(|_| Refused::request("We could not parse the JSON body of your request."))
}

impl Body<'_> {
    fn asked(self, deployment: Option<&str>, prompts: usize) -> Result<Asked, Refused> {
        let model = match (deployment, self.model) {
            (Some(name), _) => name.to_owned(),
            (None, Some(name)) => name.into_owned(),
            (None, None) => return Err(Refused::request("you must provide a model parameter")),
        };
        let prompts = u32::try_from(prompts).unwrap_or(u32::MAX);
        let choices = self.n.unwrap_or(1).saturating_mul(prompts);
        if !(1..=MOST_CHOICES).contains(&choices) {
            return Err(Refused::request(
                "Invalid value for 'n': expected 1 to 128.",
            ));
        }
        let usage = self
            .stream_options
            .and_then(|options| options.include_usage);
        let delivery = match (self.stream, usage) {
            (Some(true), Some(true)) => Delivery::StreamWithUsage,
            (Some(true), _) => Delivery::Stream,
            _ => Delivery::Whole,
        };
        let named = match self.tool_choice {
            Some(Choice::Named { function }) => Some(function),
            Some(Choice::Other(_)) | None => None,
        };
        let tools = self.tools.unwrap_or_default();
        let offered = tools.into_iter().find_map(|tool| tool.function);
        let stop = match self.stop {
            Some(Stop::One(text)) => Some(text.into_owned()),
            Some(Stop::Many(texts)) => texts.into_iter().next().map(Cow::into_owned),
            None => None,
        };
        let canary = self
            .user
            .as_deref()
            .and_then(|user| user.strip_prefix("canary:"));
        let canary = canary.filter(|canary| is_canary(canary)).map(str::to_owned);
        Ok(Asked {
            model,
            delivery,
            choices,
            tool: named.or(offered).map(|tool| tool.name.into_owned()),
            stop,
            canary,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_answer_depends_on_is_read() {
        let read = asked(
            br#"{"messages":[{"x":[1]}],"mod\u0065l":"a\"b","n":2,"stream":true,"user":"canary:c1",
                "stream_options":{"include_usage":true},"tools":[{"type":"x"},{"function":{"name":"f"}}],
                "stop":["A","B"]}"#,
            None,
        );
        let expected = Asked {
            model: "a\"b".to_owned(),
            delivery: Delivery::StreamWithUsage,
            choices: 2,
            tool: Some("f".to_owned()),
            stop: Some("A".to_owned()),
            canary: Some("c1".to_owned()),
        };
        assert_eq!(read, Ok(expected));
        let chosen = br#"{"model":"m","tools":[{"function":{"name":"f"}}],
            "tool_choice":{"type":"function","function":{"name":"g"}}}"#;
        assert_eq!(asked(chosen, None).unwrap().tool.as_deref(), Some("g"));
        let auto = br#"{"model":"m","tool_choice":"auto"}"#;
        assert_eq!(asked(auto, Some("d")).unwrap().model, "d");
    }

    #[test]
    fn what_cannot_be_answered_is_refused() {
        let cases: [(&[u8], &str); 4] = [
            (b"{", "parse the JSON"),
            (b"[]", "parse the JSON"),
            (b"{}", "a model parameter"),
            (br#"{"model":"m","n":0}"#, "'n'"),
        ];
        for (body, part) in cases {
            let refused = asked(body, None).unwrap_err();
            assert_eq!(refused.status, 400);
            assert!(refused.message.contains(part), "{refused}");
        }
    }

    #[test]
    fn every_prompt_gets_its_choices() {
        let cases = [
            (r#""a""#, 1),
            (r#"["a","b"]"#, 2),
            ("[1,2,3]", 1),
            ("[[1],[2,3]]", 2),
        ];
        for (prompt, choices) in cases {
            let body = format!(r#"{{"model":"m","prompt":{prompt}}}"#);
            let asked = completion_asked(body.as_bytes()).unwrap();
            assert_eq!(asked.choices, choices, "{prompt}");
        }
    }
}
