//! Answers as a strict client of each format reads them: what is out of order is no answer.

use serde_json::Value;

use crate::format::Format;
use crate::relay_stage::frames;

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
pub struct Heard {
    pub text: String,
    pub end: End,
    /// Tokens of the prompt and of the answer, where they are told.
    pub usage: Option<(u64, u64)>,
}

/// How it ends.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// With this finish reason, in the format's own word.
    Finished(String),
    /// With an error event.
    Broken,
}

type Read<T> = Result<T, String>;

/// Reads a stream to its end.
pub fn stream(format: Format, text: &str) -> Read<Heard> {
    let mut events = Vec::new();
    for frame in frames(text) {
        let body = frame
            .strip_suffix("\n\n")
            .ok_or_else(|| format!("a frame without its end: {frame:?}"))?;
        // Comments are no part of an answer, wherever they stand.
        let lines: Vec<&str> = body.lines().filter(|line| !line.starts_with(':')).collect();
        if !lines.is_empty() {
            events.push(event(&lines)?);
        }
    }
    match format {
        Format::OpenAi => chunks(&events),
        Format::Anthropic => messages(&events),
        Format::Gemini => Err("no client speaks it".to_owned()),
    }
}

/// Reads a document.
pub fn whole(format: Format, text: &str) -> Read<Heard> {
    let document: Value = parse(text)?;
    let (content, finish, usage) = match format {
        Format::OpenAi => {
            let choice = &document["choices"][0];
            same("the object", &document["object"], "chat.completion")?;
            same("the role", &choice["message"]["role"], "assistant")?;
            let content = string("the content", &choice["message"]["content"])?;
            let finish = string("the finish", &choice["finish_reason"])?;
            (content, finish, openai_usage(&document["usage"])?)
        }
        Format::Anthropic => {
            same("the type", &document["type"], "message")?;
            same("the role", &document["role"], "assistant")?;
            string("the id", &document["id"])?;
            let blocks = document["content"].as_array().ok_or("no content")?;
            let mut content = String::new();
            for block in blocks {
                same("a block", &block["type"], "text")?;
                content.push_str(&string("a text", &block["text"])?);
            }
            let finish = string("the finish", &document["stop_reason"])?;
            (content, finish, messages_usage(&document["usage"])?)
        }
        Format::Gemini => return Err("no client speaks it".to_owned()),
    };
    Ok(Heard {
        text: content,
        end: End::Finished(finish),
        usage: Some(usage),
    })
}

/// Whether it is an error as the SDKs of a format read it.
pub fn error(format: Format, text: &str) -> Read<()> {
    let document = parse(text)?;
    let fields = document["error"].as_object().ok_or("no error object")?;
    let names: Vec<_> = fields.keys().map(String::as_str).collect();
    let good = match format {
        Format::OpenAi => names == ["code", "message", "param", "type"],
        Format::Anthropic => {
            let own = names.iter().filter(|name| **name != "details");
            document["type"] == "error" && own.eq(&["message", "type"])
        }
        Format::Gemini => false,
    };
    let told = fields["message"].is_string() && fields["type"].is_string();
    (good && told)
        .then_some(())
        .ok_or_else(|| format!("an error of another format: {text}"))
}

/// One event: its name, where it has one, and its data.
type Event<'a> = (Option<&'a str>, &'a str);

fn event<'a>(lines: &[&'a str]) -> Read<Event<'a>> {
    match lines {
        [data] => Ok((None, field(data, "data: ")?)),
        [name, data] => Ok((Some(field(name, "event: ")?), field(data, "data: ")?)),
        _ => Err(format!("an event of {} lines", lines.len())),
    }
}

fn field<'a>(line: &'a str, name: &str) -> Read<&'a str> {
    line.strip_prefix(name)
        .ok_or_else(|| format!("no {name}in {line:?}"))
}

fn parse(text: &str) -> Read<Value> {
    serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))
}

fn string(what: &str, value: &Value) -> Read<String> {
    let text = value.as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned)
        .ok_or_else(|| format!("{what} is {value}"))
}

fn same(what: &str, value: &Value, expected: &str) -> Read<()> {
    (value == expected)
        .then_some(())
        .ok_or_else(|| format!("{what} is {value}, not {expected}"))
}

fn count(what: &str, value: &Value) -> Read<u64> {
    value.as_u64().ok_or_else(|| format!("{what} is {value}"))
}

fn openai_usage(usage: &Value) -> Read<(u64, u64)> {
    let prompt = count("prompt_tokens", &usage["prompt_tokens"])?;
    let answer = count("completion_tokens", &usage["completion_tokens"])?;
    let total = count("total_tokens", &usage["total_tokens"])?;
    (total == prompt + answer)
        .then_some((prompt, answer))
        .ok_or_else(|| format!("a sum that is none: {usage}"))
}

fn messages_usage(usage: &Value) -> Read<(u64, u64)> {
    let cached = |key: &str| usage[key].as_u64().unwrap_or(0);
    let input = count("input_tokens", &usage["input_tokens"])?;
    let output = count("output_tokens", &usage["output_tokens"])?;
    let cached = cached("cache_creation_input_tokens") + cached("cache_read_input_tokens");
    Ok((input + cached, output))
}

/// Chunks of chat completions: a role first, one finish, `[DONE]` last; or an error last.
fn chunks(events: &[Event<'_>]) -> Read<Heard> {
    let (last, before) = events.split_last().ok_or("a stream of nothing")?;
    let mut text = String::new();
    let mut finish = None;
    let mut usage = None;
    let mut first: Option<Value> = None;
    for (name, data) in before {
        if name.is_some() {
            return Err(format!("an event with a name: {name:?}"));
        }
        let chunk = parse(data)?;
        same("the object", &chunk["object"], "chat.completion.chunk")?;
        let begun = first.get_or_insert_with(|| chunk.clone());
        for field in ["id", "model", "created"] {
            if chunk[field] != begun[field] || chunk[field].is_null() {
                return Err(format!("two answers by their {field}: {data}"));
            }
        }
        let choices = chunk["choices"].as_array().ok_or("no choices")?;
        if choices.is_empty() {
            usage = Some(openai_usage(&chunk["usage"])?);
            continue;
        }
        let choice = &choices[0];
        if *begun == chunk {
            same("the role", &choice["delta"]["role"], "assistant")?;
        }
        let piece = choice["delta"]["content"].as_str().unwrap_or_default();
        if finish.is_some() && !piece.is_empty() {
            return Err("text after the finish".to_owned());
        }
        text.push_str(piece);
        if let Some(reason) = choice["finish_reason"].as_str()
            && finish.replace(reason.to_owned()).is_some()
        {
            return Err("two finish reasons".to_owned());
        }
    }
    let end = match (*last, finish) {
        ((None, "[DONE]"), Some(finish)) => End::Finished(finish),
        ((None, "[DONE]"), None) => return Err("an end mark after half an answer".to_owned()),
        ((None, data), _) => {
            error(Format::OpenAi, data)?;
            End::Broken
        }
        ((Some(name), _), _) => return Err(format!("an event with a name: {name:?}")),
    };
    Ok(Heard { text, end, usage })
}

/// Where in a message its reader stands.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Before,
    /// Between blocks; so many have been closed.
    Between(u64),
    /// In this block.
    Within(u64),
    /// The stop reason has come.
    Stopped,
    Ended,
}

/// Events of messages: a start, blocks one after the other, each opened and closed, a stop reason,
/// an end; or an error last.
fn messages(events: &[Event<'_>]) -> Read<Heard> {
    let mut place = Place::Before;
    let mut text = String::new();
    let mut finish = String::new();
    let mut usage = None;
    let mut broken = false;
    for (name, data) in events {
        let value = parse(data)?;
        let name = name.ok_or("an event without a name")?;
        same("the type", &value["type"], name)?;
        if broken || place == Place::Ended {
            return Err(format!("{name} after the end"));
        }
        let index = value["index"].as_u64();
        place = match (name, place) {
            ("ping", place) => place,
            ("error", place) => {
                error(Format::Anthropic, data)?;
                broken = true;
                place
            }
            ("message_start", Place::Before) => {
                start(&value["message"])?;
                Place::Between(0)
            }
            ("content_block_start", Place::Between(count)) if index == Some(count) => {
                same("a block", &value["content_block"]["type"], "text")?;
                Place::Within(count)
            }
            ("content_block_delta", Place::Within(count)) if index == Some(count) => {
                same("a delta", &value["delta"]["type"], "text_delta")?;
                text.push_str(
                    value["delta"]["text"]
                        .as_str()
                        .ok_or("a delta of nothing")?,
                );
                Place::Within(count)
            }
            ("content_block_stop", Place::Within(count)) if index == Some(count) => {
                Place::Between(count + 1)
            }
            ("message_delta", Place::Between(_)) => {
                finish = string("the finish", &value["delta"]["stop_reason"])?;
                usage = Some(messages_usage(&value["usage"])?);
                Place::Stopped
            }
            ("message_stop", Place::Stopped) => Place::Ended,
            (name, place) => return Err(format!("{name} in {place:?}: {data}")),
        };
    }
    let end = match (broken, place) {
        (true, Place::Before) => return Err("an error before any answer".to_owned()),
        (true, _) => End::Broken,
        (false, Place::Ended) => End::Finished(finish),
        (false, place) => return Err(format!("the end of the stream in {place:?}")),
    };
    Ok(Heard { text, end, usage })
}

fn start(message: &Value) -> Read<()> {
    same("the type", &message["type"], "message")?;
    same("the role", &message["role"], "assistant")?;
    string("the id", &message["id"])?;
    string("the model", &message["model"])?;
    messages_usage(&message["usage"])?;
    let empty = message["content"].as_array().is_some_and(Vec::is_empty);
    (empty && message["stop_reason"].is_null())
        .then_some(())
        .ok_or_else(|| format!("a start that is none: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\
        \"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\
        \"stop_reason\":null,\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n";
    const OPEN: &str = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\
        \"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
    const TEXT: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\
        \"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n";
    const CLOSE: &str =
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n";
    const STOP: &str = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\
        \"stop_reason\":\"end_turn\"},\"usage\":{\"input_tokens\":3,\
        \"cache_read_input_tokens\":4,\"output_tokens\":2}}\n\n";
    const END: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    const PING: &str = ": life\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n";
    const ERROR: &str = "event: error\ndata: {\"type\":\"error\",\"error\":{\
        \"type\":\"api_error\",\"message\":\"no\"}}\n\n";

    #[test]
    fn a_message_is_read_by_its_grammar() {
        let good = [START, PING, OPEN, TEXT, TEXT, CLOSE, STOP, END].concat();
        let heard = stream(Format::Anthropic, &good).unwrap();
        let finished = End::Finished("end_turn".to_owned());
        assert_eq!((heard.text.as_str(), heard.end), ("aa", finished));
        assert_eq!(heard.usage, Some((7, 2)));
        let broken = [START, OPEN, TEXT, ERROR].concat();
        assert_eq!(stream(Format::Anthropic, &broken).unwrap().end, End::Broken);
        let bad: [&[&str]; 11] = [
            &[],
            &[OPEN, TEXT, CLOSE, STOP, END],
            &[START, TEXT, CLOSE, STOP, END],
            &[START, OPEN, TEXT, STOP, END],
            &[START, OPEN, TEXT, CLOSE, OPEN, TEXT, CLOSE, STOP, END],
            &[START, OPEN, TEXT, CLOSE, END],
            &[START, OPEN, TEXT, CLOSE, STOP],
            &[START, OPEN, TEXT, CLOSE, STOP, STOP, END],
            &[START, OPEN, TEXT, CLOSE, STOP, END, ERROR],
            &[START, OPEN, TEXT, ERROR, END],
            &[ERROR],
        ];
        for parts in bad {
            let text = parts.concat();
            assert!(stream(Format::Anthropic, &text).is_err(), "{text}");
        }
    }

    #[test]
    fn chunks_are_read_by_their_grammar() {
        let chunk = |rest: &str| {
            format!(
                "data: {{\"id\":\"1\",\"model\":\"m\",\"created\":1,\
                 \"object\":\"chat.completion.chunk\",{rest}}}\n\n"
            )
        };
        let delta = |delta: &str, finish: &str| {
            chunk(&format!(
                "\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"finish_reason\":{finish}}}]"
            ))
        };
        let role = delta("\"role\":\"assistant\"", "null");
        let (text, end) = (delta("\"content\":\"a\"", "null"), delta("", "\"stop\""));
        let done = "data: [DONE]\n\n".to_owned();
        let error =
            "data: {\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":null,\"code\":null}}\n\n"
                .to_owned();
        let read = |parts: &[&String]| {
            let parts: Vec<&str> = parts.iter().map(|part| part.as_str()).collect();
            stream(Format::OpenAi, &parts.concat())
        };
        let heard = read(&[&role, &text, &text, &end, &done]).unwrap();
        assert_eq!(heard.end, End::Finished("stop".to_owned()));
        assert_eq!(heard.text, "aa");
        assert_eq!(read(&[&role, &text, &error]).unwrap().end, End::Broken);
        let other = text.replace("\"id\":\"1\"", "\"id\":\"2\"");
        let bad: [&[&String]; 6] = [
            &[&text, &end, &done],
            &[&role, &text, &done],
            &[&role, &text, &end],
            &[&role, &text, &end, &end, &done],
            &[&role, &end, &text, &done],
            &[&role, &other, &end, &done],
        ];
        for parts in bad {
            assert!(read(parts).is_err(), "{parts:?}");
        }
    }

    #[test]
    fn errors_and_documents_are_each_formats_own() {
        let (_, error_event) = ERROR.split_once("data: ").unwrap();
        assert_eq!(error(Format::Anthropic, error_event), Ok(()));
        assert!(error(Format::OpenAi, error_event).is_err());
        let document = "{\"type\":\"message\",\"role\":\"assistant\",\"id\":\"1\",\"content\":[\
            {\"type\":\"text\",\"text\":\"a\"}],\"stop_reason\":\"end_turn\",\
            \"usage\":{\"input_tokens\":1,\"output_tokens\":2}}";
        let heard = whole(Format::Anthropic, document).unwrap();
        assert_eq!((heard.text.as_str(), heard.usage), ("a", Some((1, 2))));
        assert!(whole(Format::OpenAi, document).is_err());
    }
}
