//! Looks at an answer while it can still be given up: is it empty, a refusal, or not what the
//! request relies on?
//!
//! Pure, and the same for streams and whole answers. All choices of an answer stand or fall
//! together. Once an answer is committed it is no longer inspected.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::dialect::{self, Offered, Promise, PromisedText, ToolInput};
use crate::exchange::{Event, Finish, Request};
use crate::json::{Growing, Top};
use crate::relay::gate;
use crate::relay::verdict::Why;
use crate::route::{Check, Policy, Refusals};
use crate::units::Tokens;

/// The most calls of one choice that are told apart; more are no answer.
const MOST_CALLS: usize = 512;

/// Inspects one attempt's answer. The default looks for empty answers alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Inspector {
    rules: Option<Arc<Rules>>,
    choices: SmallVec<[Choice; 1]>,
}

/// What is looked for besides emptiness.
#[derive(Debug)]
struct Rules {
    refusals: Refusals,
    /// How a refusal begins, folded.
    openings: Vec<String>,
    text: PromisedText,
    /// `None` when calls are not looked at.
    tools: Option<Vec<Offered>>,
}

/// What is known of one choice.
#[derive(Clone, Debug)]
struct Choice {
    index: u32,
    content: Content,
    finish: Option<Finish>,
    /// The folded beginning of the text; `None` once it is known to be no refusal.
    opening: Option<String>,
    json: Option<Growing>,
    calls: Vec<Call>,
}

/// What a choice has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Content {
    Nothing,
    /// Reasoning, or text.
    Some,
    /// What may stand in the place of text: a call, a refusal, media.
    InPlaceOfText,
}

/// A tool call.
#[derive(Clone, Debug)]
struct Call {
    index: u32,
    /// Whether its tool is known, and takes JSON.
    input: Option<ToolInput>,
    arguments: Growing,
}

impl Inspector {
    /// An inspector of answers to this request, by the route's policy. It is cheap to clone while
    /// it has seen nothing, and the request is read only where the policy asks for a check of it.
    pub(super) fn new(policy: &Policy, request: &Request) -> Self {
        let asks = |check| policy.checks.contains(&check);
        if policy.checks.is_empty() && policy.refusals == Refusals::Surface {
            return Self::default();
        }
        let promise = if policy.checks.is_empty() {
            Promise::default()
        } else {
            dialect::promise(request)
        };
        let openings = match policy.refusals {
            Refusals::Surface => Vec::new(),
            Refusals::FallBack => openings(&policy.refusal_texts),
        };
        let rules = Rules {
            refusals: policy.refusals,
            openings,
            text: if asks(Check::Json) {
                promise.text
            } else {
                PromisedText::Plain
            },
            tools: promise.tools.filter(|_| asks(Check::Tools)),
        };
        Self {
            rules: Some(Arc::new(rules)),
            choices: SmallVec::new(),
        }
    }

    /// Looks at the next event.
    ///
    /// # Errors
    /// Why the answer is not to be had. What is asked after that means nothing.
    pub(super) fn event(&mut self, event: &Event<'_>) -> Result<(), Why> {
        let (Event::Text { choice, .. }
        | Event::Reasoning { choice, .. }
        | Event::Refusal { choice, .. }
        | Event::ToolCall { choice, .. }
        | Event::Media { choice }
        | Event::Finished { choice, .. }) = event
        else {
            return Ok(());
        };
        let rules = self.rules.as_deref();
        if !self.choices.iter().any(|known| known.index == *choice) {
            // A dialect bounds how many an answer can have.
            self.choices.push(Choice::new(*choice, rules));
        }
        let mut choices = self.choices.iter_mut();
        let choice = choices.find(|known| known.index == *choice);
        choice.map_or(Ok(()), |choice| choice.event(event, rules))
    }

    /// Looks at the answer as a whole, at its good end.
    ///
    /// # Errors
    /// Why it is not to be had.
    pub(super) fn end(&self) -> Result<(), Why> {
        if self.choices.is_empty() {
            return Err(Why::Empty);
        }
        self.choices.iter().try_for_each(Choice::end)
    }
}

fn refused(rules: Option<&Rules>) -> Result<(), Why> {
    match rules.map(|rules| rules.refusals) {
        Some(Refusals::FallBack) => Err(Why::Refused),
        Some(Refusals::Surface) | None => Ok(()),
    }
}

impl Choice {
    fn new(index: u32, rules: Option<&Rules>) -> Self {
        Self {
            index,
            content: Content::Nothing,
            finish: None,
            opening: rules
                .filter(|rules| !rules.openings.is_empty())
                .map(|_| String::new()),
            json: rules.and_then(|rules| match rules.text {
                PromisedText::Plain => None,
                PromisedText::Json(top) => Some(Growing::new(top)),
            }),
            calls: Vec::new(),
        }
    }

    fn event(&mut self, event: &Event<'_>, rules: Option<&Rules>) -> Result<(), Why> {
        match event {
            Event::Text { text, .. } => {
                self.has(event, Content::Some);
                self.text(text, rules)
            }
            Event::Reasoning { .. } => {
                self.has(event, Content::Some);
                Ok(())
            }
            Event::Media { .. } => {
                self.has(event, Content::InPlaceOfText);
                Ok(())
            }
            Event::Refusal { text, .. } => {
                self.has(event, Content::InPlaceOfText);
                if text.is_empty() {
                    return Ok(());
                }
                refused(rules)
            }
            Event::ToolCall {
                index,
                name,
                arguments,
                ..
            } => {
                self.has(event, Content::InPlaceOfText);
                match rules.and_then(|rules| rules.tools.as_deref()) {
                    Some(tools) => self.call(*index, name.as_deref(), arguments, tools),
                    None => Ok(()),
                }
            }
            Event::Finished { reason, .. } => {
                self.finish = Some(*reason);
                match reason {
                    Finish::ContentFilter => refused(rules),
                    Finish::Stop | Finish::Length | Finish::ToolCalls | Finish::Other => Ok(()),
                }
            }
            Event::Started
            | Event::Signature { .. }
            | Event::Aside { .. }
            | Event::Usage(_)
            | Event::Failed(_)
            | Event::Ping
            | Event::End => Ok(()),
        }
    }

    /// Notes what the event has, if it has anything.
    fn has(&mut self, event: &Event<'_>, content: Content) {
        if gate::weight(event) > Tokens(0) {
            self.content = self.content.max(content);
        }
    }

    fn text(&mut self, text: &str, rules: Option<&Rules>) -> Result<(), Why> {
        if let (Some(opening), Some(rules)) = (&mut self.opening, rules) {
            match opens(opening, text, &rules.openings) {
                Opening::Refusal => return Err(Why::Refused),
                Opening::Unknown => {}
                Opening::Answer => self.opening = None,
            }
        }
        match &mut self.json {
            Some(json) => json.push(text).map_err(|_| Why::NotJson),
            None => Ok(()),
        }
    }

    fn call(
        &mut self,
        index: u32,
        name: Option<&str>,
        arguments: &str,
        tools: &[Offered],
    ) -> Result<(), Why> {
        // Pieces of a call follow one another: its place is near the end.
        let place = self.calls.iter().rposition(|call| call.index == index);
        if place.is_none() {
            if self.calls.len() == MOST_CALLS {
                return Err(Why::Malformed);
            }
            self.calls.push(Call::new(index));
        }
        let call = match place {
            Some(place) => self.calls.get_mut(place),
            None => self.calls.last_mut(),
        };
        call.map_or(Ok(()), |call| call.piece(name, arguments, tools))
    }

    fn end(&self) -> Result<(), Why> {
        let cut = match self.finish {
            Some(Finish::Length | Finish::ContentFilter) => true,
            Some(Finish::Stop | Finish::ToolCalls | Finish::Other) | None => false,
        };
        if cut {
            return Ok(());
        }
        if self.content == Content::Nothing {
            return Err(Why::Empty);
        }
        if let Some(json) = &self.json {
            let left_out = json.is_blank() && self.content == Content::InPlaceOfText;
            if !left_out && !json.is_complete() {
                return Err(Why::NotJson);
            }
        }
        self.calls.iter().try_for_each(Call::end)
    }
}

impl Call {
    fn new(index: u32) -> Self {
        Self {
            index,
            input: None,
            arguments: Growing::new(Top::Any),
        }
    }

    fn piece(&mut self, name: Option<&str>, arguments: &str, tools: &[Offered]) -> Result<(), Why> {
        if let Some(name) = name {
            let tool = tools.iter().find(|tool| tool.name == name);
            self.input = Some(tool.ok_or(Why::UnknownTool)?.input);
        }
        match (self.arguments.push(arguments), self.input) {
            (Err(_), Some(ToolInput::Json)) => Err(Why::NotJson),
            // Without a name yet, what it takes is told at its end.
            (Err(_), Some(ToolInput::Text) | None) | (Ok(()), _) => Ok(()),
        }
    }

    fn end(&self) -> Result<(), Why> {
        match self.input {
            None => Err(Why::UnknownTool),
            Some(ToolInput::Text) => Ok(()),
            // Compatible servers send nothing for a tool without parameters.
            Some(ToolInput::Json) if self.arguments.is_blank() => Ok(()),
            Some(ToolInput::Json) if self.arguments.is_complete() => Ok(()),
            Some(ToolInput::Json) => Err(Why::NotJson),
        }
    }
}

/// What the beginning of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    Refusal,
    /// Too short to tell.
    Unknown,
    Answer,
}

/// The configured beginnings as they are compared; one without letters would be that of any text.
fn openings(texts: &[String]) -> Vec<String> {
    let folded = texts.iter().map(|text| {
        let text = text.trim_start().chars();
        text.flat_map(fold).collect::<String>()
    });
    folded.filter(|text| !text.is_empty()).collect()
}

/// Without case, and with the one apostrophe that is on every keyboard.
fn fold(letter: char) -> impl Iterator<Item = char> {
    let letter = if letter == '\u{2019}' { '\'' } else { letter };
    letter.to_lowercase()
}

/// Adds to the beginning as much of the text as it takes to tell. So it never grows longer than
/// the longest of the openings, but for one letter.
fn opens(beginning: &mut String, text: &str, openings: &[String]) -> Opening {
    for letter in text.chars() {
        if beginning.is_empty() && letter.is_whitespace() {
            continue;
        }
        beginning.extend(fold(letter));
        if openings
            .iter()
            .any(|opening| beginning.starts_with(opening.as_str()))
        {
            return Opening::Refusal;
        }
        if !openings
            .iter()
            .any(|opening| opening.starts_with(beginning.as_str()))
        {
            return Opening::Answer;
        }
    }
    Opening::Unknown
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::exchange::{Dialect, Failure, Usage};

    fn inspector(policy: &Policy, fields: &str) -> Inspector {
        let body = format!(r#"{{"model":"m","messages":[{{}}]{fields}}}"#);
        let request = dialect::parse(
            Dialect::OpenAi,
            crate::exchange::Task::Chat,
            Bytes::from(body),
        )
        .unwrap();
        Inspector::new(policy, &request)
    }

    fn checks(check: Check) -> Policy {
        Policy {
            checks: vec![check],
            ..Policy::default()
        }
    }

    fn falls_back(texts: &[&str]) -> Policy {
        Policy {
            refusals: Refusals::FallBack,
            refusal_texts: texts.iter().map(ToString::to_string).collect(),
            ..Policy::default()
        }
    }

    fn text(text: &str) -> Event<'_> {
        Event::Text {
            choice: 0,
            text: Cow::Borrowed(text),
        }
    }

    fn refusal(text: &str) -> Event<'_> {
        Event::Refusal {
            choice: 0,
            text: Cow::Borrowed(text),
        }
    }

    fn reasoning(text: &str) -> Event<'_> {
        Event::Reasoning {
            choice: 0,
            text: Cow::Borrowed(text),
        }
    }

    fn call<'a>(index: u32, name: &'a str, arguments: &'a str) -> Event<'a> {
        Event::ToolCall {
            choice: 0,
            index,
            id: None,
            name: Some(Cow::Borrowed(name)).filter(|name| !name.is_empty()),
            arguments: Cow::Borrowed(arguments),
        }
    }

    fn finish(reason: Finish) -> Event<'static> {
        Event::Finished { choice: 0, reason }
    }

    /// What is said of an answer, and after how many of its events; at its end for one more.
    fn verdict(
        mut inspector: Inspector,
        events: &[Event<'_>],
    ) -> Result<(), (usize, &'static str)> {
        for (at, event) in events.iter().enumerate() {
            let looked = inspector.event(event);
            looked.map_err(|why| (at + 1, why.name()))?;
        }
        let ended = inspector.end();
        ended.map_err(|why| (events.len() + 1, why.name()))
    }

    #[test]
    fn an_answer_without_content_is_empty_unless_its_finish_says_why() {
        let stop = || finish(Finish::Stop);
        for (events, empty) in [
            (vec![], true),
            (vec![Event::Started, Event::Ping, Event::End], true),
            (
                vec![
                    Event::Usage(Usage::default()),
                    Event::Failed(Failure::default()),
                ],
                true,
            ),
            (vec![text(""), stop()], true),
            (vec![reasoning(""), stop()], true),
            (vec![refusal(""), stop()], true),
            (vec![call(0, "", ""), stop()], true),
            (vec![finish(Finish::ToolCalls)], true),
            (vec![finish(Finish::Other)], true),
            (vec![finish(Finish::Length)], false),
            (vec![finish(Finish::ContentFilter)], false),
            (vec![text("a"), stop()], false),
            (vec![text("a")], false),
            (vec![reasoning("a"), stop()], false),
            (vec![refusal("a"), stop()], false),
            (vec![call(0, "f", ""), stop()], false),
            (vec![call(0, "", "{"), stop()], false),
            (vec![Event::Media { choice: 0 }, stop()], false),
        ] {
            let expected = if empty {
                Err((events.len() + 1, "empty"))
            } else {
                Ok(())
            };
            assert_eq!(
                verdict(Inspector::default(), &events),
                expected,
                "{events:?}"
            );
        }
    }

    #[test]
    fn all_choices_stand_or_fall_together() {
        let other = Event::Finished {
            choice: 1,
            reason: Finish::Stop,
        };
        let events = [text("a"), finish(Finish::Stop), other];
        assert_eq!(verdict(Inspector::default(), &events), Err((4, "empty")));
        let said = Event::Text {
            choice: 1,
            text: Cow::Borrowed("no json"),
        };
        let json = inspector(&checks(Check::Json), JSON);
        assert_eq!(verdict(json, &[text("{}"), said]), Err((2, "not_json")));
    }

    #[test]
    fn a_refusal_is_an_answer_unless_the_route_falls_back() {
        let answers = [
            (vec![refusal("I")], 1),
            (vec![text("a"), refusal("I")], 2),
            (vec![finish(Finish::ContentFilter)], 1),
            (vec![text("a"), finish(Finish::ContentFilter)], 2),
        ];
        for (events, at) in answers {
            let surfaced = inspector(&Policy::default(), "");
            assert_eq!(verdict(surfaced, &events), Ok(()), "{events:?}");
            let fell = verdict(inspector(&falls_back(&[]), ""), &events);
            assert_eq!(fell, Err((at, "refused")), "{events:?}");
        }
        let events = [refusal(""), text("a"), finish(Finish::Stop)];
        assert_eq!(verdict(inspector(&falls_back(&[]), ""), &events), Ok(()));
    }

    #[test]
    fn a_text_that_begins_as_a_refusal_is_one() {
        let texts = ["I can't help", "  ÄHM nein", "", " "];
        for (pieces, refused) in [
            (&["I can't help with that"][..], Some(1)),
            (&["\n i CAN", "\u{2019}T", " Help"], Some(3)),
            (&["ähm NEIN"], Some(1)),
            (&["", "I", " can't hel"], None),
            (&["I can't hel", "l"], None),
            (&["Well. I can't help"], None),
            (&["I can  't help"], None),
            (&["x", "I can't help"], None),
        ] {
            let events: Vec<_> = pieces.iter().map(|piece| text(piece)).collect();
            let expected = refused.map_or(Ok(()), |at| Err((at, "refused")));
            let got = verdict(inspector(&falls_back(&texts), ""), &events);
            assert_eq!(got, expected, "{pieces:?}");
            let surfaced = Policy {
                refusals: Refusals::Surface,
                ..falls_back(&texts)
            };
            assert_eq!(
                verdict(inspector(&surfaced, ""), &events),
                Ok(()),
                "{pieces:?}"
            );
        }
    }

    #[test]
    fn what_is_kept_of_a_text_is_bounded() {
        let mut seen = inspector(&falls_back(&["I can't help"]), "");
        seen.event(&text(&" ".repeat(1 << 20))).unwrap();
        seen.event(&text("i can")).unwrap();
        assert_eq!(seen.choices[0].opening.as_deref(), Some("i can"));
        seen.event(&text(&"a".repeat(1 << 20))).unwrap();
        assert_eq!(seen.choices[0].opening, None);
    }

    const JSON: &str = r#","response_format":{"type":"json_object"}"#;

    #[test]
    fn text_that_cannot_become_the_promised_json_is_found_at_once() {
        let stop = || finish(Finish::Stop);
        for (events, expected) in [
            (vec![text(" {\"a\""), text(":1}\n"), stop()], Ok(())),
            (vec![text("Sure"), stop()], Err((1, "not_json"))),
            (vec![text("[")], Err((1, "not_json"))),
            (vec![text("{\"a\":"), text("}")], Err((2, "not_json"))),
            (vec![text("{\"a\":"), stop()], Err((3, "not_json"))),
            (
                vec![text("{\"a\":"), finish(Finish::Other)],
                Err((3, "not_json")),
            ),
            (vec![text("{\"a\":")], Err((2, "not_json"))),
            (vec![text("{\"a\":"), finish(Finish::Length)], Ok(())),
            (vec![text("{\"a\":"), finish(Finish::ContentFilter)], Ok(())),
            (vec![reasoning("Sure"), text("{}"), stop()], Ok(())),
            (vec![reasoning("Sure"), stop()], Err((3, "not_json"))),
            (vec![text("\n"), stop()], Err((3, "not_json"))),
            (vec![text("\n"), call(0, "f", ""), stop()], Ok(())),
            (vec![refusal("No"), stop()], Ok(())),
            (
                vec![text("{"), call(0, "f", ""), stop()],
                Err((4, "not_json")),
            ),
        ] {
            let json = inspector(&checks(Check::Json), JSON);
            assert_eq!(verdict(json, &events), expected, "{events:?}");
            for (policy, fields) in [(checks(Check::Json), ""), (checks(Check::Tools), JSON)] {
                let plain = verdict(inspector(&policy, fields), &[text("Sure"), stop()]);
                assert_eq!(plain, Ok(()), "{fields:?}");
            }
        }
    }

    const TOOLS: &str =
        r#","tools":[{"function":{"name":"f"}},{"function":{"name":"g"}},{"custom":{"name":"c"}}]"#;

    #[test]
    fn a_call_of_what_was_not_offered_or_without_json_is_found() {
        let calls = || finish(Finish::ToolCalls);
        for (events, expected) in [
            (
                vec![
                    call(0, "f", ""),
                    call(0, "", "{\"a\""),
                    call(0, "", ":1}"),
                    calls(),
                ],
                Ok(()),
            ),
            (vec![call(0, "f", ""), calls()], Ok(())),
            (vec![call(0, "f", " "), finish(Finish::Stop)], Ok(())),
            (vec![call(0, "x", "")], Err((1, "unknown_tool"))),
            (
                vec![call(0, "f", ""), call(1, "F", "")],
                Err((2, "unknown_tool")),
            ),
            (vec![call(0, "", "{}"), calls()], Err((3, "unknown_tool"))),
            (vec![call(0, "f", "{\"a\""), calls()], Err((3, "not_json"))),
            (
                vec![call(0, "f", "{\"a\""), finish(Finish::Stop)],
                Err((3, "not_json")),
            ),
            (vec![call(0, "f", "{\"a\""), finish(Finish::Length)], Ok(())),
            (
                vec![call(0, "f", "{\"a\":"), call(0, "f", "}")],
                Err((2, "not_json")),
            ),
            (
                vec![call(0, "", "}"), call(0, "f", "")],
                Err((2, "not_json")),
            ),
            (
                vec![call(0, "c", "}not json"), call(0, "", "}"), calls()],
                Ok(()),
            ),
            (
                vec![
                    call(0, "f", "{"),
                    call(1, "g", "["),
                    call(0, "", "}"),
                    call(1, "", "]"),
                    calls(),
                ],
                Ok(()),
            ),
            (
                vec![call(0, "f", "{}"), call(1, "g", "["), calls()],
                Err((4, "not_json")),
            ),
            (vec![text("Sure"), finish(Finish::Stop)], Ok(())),
        ] {
            let tools = inspector(&checks(Check::Tools), TOOLS);
            assert_eq!(verdict(tools, &events), expected, "{events:?}");
        }
    }

    #[test]
    fn calls_are_not_looked_at_where_nobody_asks_or_the_tools_are_unknown() {
        let events = [call(0, "x", "{"), finish(Finish::ToolCalls)];
        for (policy, fields) in [
            (Policy::default(), TOOLS),
            (checks(Check::Json), TOOLS),
            (falls_back(&[]), TOOLS),
            (checks(Check::Tools), r#","tools":[{"type":"novel"}]"#),
        ] {
            assert_eq!(
                verdict(inspector(&policy, fields), &events),
                Ok(()),
                "{fields}"
            );
        }
        let none = inspector(&checks(Check::Tools), "");
        assert_eq!(verdict(none, &events), Err((1, "unknown_tool")));
    }

    #[test]
    fn the_calls_of_a_choice_are_bounded() {
        let mut tools = inspector(&checks(Check::Tools), TOOLS);
        for index in 0..512 {
            tools.event(&call(index, "f", "")).unwrap();
        }
        assert_eq!(
            tools.event(&call(512, "f", "")).unwrap_err().name(),
            "malformed"
        );
        tools.event(&call(0, "", "{}")).unwrap();
    }

    #[test]
    fn the_request_is_read_only_where_it_must_be() {
        for (policy, rules) in [
            (Policy::default(), false),
            (falls_back(&[]), true),
            (checks(Check::Json), true),
        ] {
            assert_eq!(inspector(&policy, "").rules.is_some(), rules);
        }
    }

    proptest! {
        #[test]
        fn how_a_text_is_cut_decides_nothing(
            text in r"[ iI]{0,2}[ican't ]{0,8}(help)?", cut in any::<prop::sample::Index>()
        ) {
            let rules = falls_back(&["I can't", "ii", "i i"]);
            let (head, tail) = text.split_at(cut.index(text.len() + 1));
            let judge = |pieces: &[&str]| {
                let mut seen = inspector(&rules, "");
                let mut events = pieces.iter().map(|piece| self::text(piece));
                events.try_for_each(|event| seen.event(&event)).is_err()
            };
            let folded = text.trim_start().to_lowercase();
            let expected = ["i can't", "ii", "i i"].iter().any(|text| folded.starts_with(text));
            prop_assert_eq!(judge(&[&text]), expected);
            prop_assert_eq!(judge(&[head, tail]), expected);
        }
    }
}
