//! The text of a script -> `Script`.

use std::str::FromStr;
use std::time::Duration;

use crate::sim::script::error::ParseError;
use crate::sim::script::item::Item;
use crate::sim::script::model::{
    Content, Counting, Done, Fault, FaultKind, Finish, Framing, Newline, Point, Reading, Script,
    Shape,
};
use crate::sim::script::{value, words};

/// The most faults, and the most extra headers, that one script may have.
const MOST: usize = 64;

/// The most bytes in one event, and in one token.
const LARGEST_TEXT: u64 = 256 << 20;

/// The most bytes of an answer whose length is told before it: it is written twice.
const LARGEST_MEASURED: u64 = 1 << 30;

impl FromStr for Script {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut script = Self::default();
        let mut seen: Vec<String> = Vec::new();
        let (share, mut rest) = share(text.trim_ascii())?;
        script.share = share;
        while !rest.is_empty() {
            let (item, after) = Item::take(rest)?;
            rest = after;
            if item.key != "header" && seen.contains(&item.key) {
                return Err(ParseError::Twice { key: item.key });
            }
            seen.push(item.key.clone());
            apply(item, &mut script)?;
        }
        together(&script)?;
        Ok(script)
    }
}

/// Takes a share off: `30% `, before all else.
fn share(text: &str) -> Result<(Option<u8>, &str), ParseError> {
    let digits = |number: &str| number.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('%') {
        Some((number, rest)) if digits(number) => {
            let share = number
                .parse()
                .ok()
                .filter(|share| (1..=100).contains(share));
            match share {
                Some(share) => Ok((Some(share), rest.trim_ascii_start())),
                None => Err(ParseError::Share {
                    share: number.to_owned(),
                }),
            }
        }
        _ => Ok((None, text)),
    }
}

/// Reads the scripts of one name, a text each.
pub(crate) fn list<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<Script>, ParseError> {
    let scripts = texts
        .map(str::parse)
        .collect::<Result<Vec<Script>, ParseError>>()?;
    let shares = scripts.iter().filter_map(|script| script.share);
    if shares.map(u32::from).sum::<u32>() > 100 {
        return Err(ParseError::Together(
            "the shares are more than 100% together",
        ));
    }
    Ok(scripts)
}

/// The rules that no single key can keep.
fn together(script: &Script) -> Result<(), ParseError> {
    let tokens = script.tokens.count();
    let size = tokens
        .saturating_mul(script.token_bytes.max(256))
        .saturating_add(script.event_bytes);
    let length = script.framing == Framing::Length;
    let rules = [
        (script.faults.len() > MOST, "at most 64 faults"),
        (script.headers.len() > MOST, "at most 64 headers"),
        (
            script.share.is_some() && script.reading == Reading::Nothing,
            "unread cannot have a share",
        ),
        (
            length && size > LARGEST_MEASURED,
            "content_length needs an answer of at most 1GiB",
        ),
        (
            length && script.encoding.is_some(),
            "content_length and encoding exclude each other",
        ),
        (
            matches!(&script.content, Content::Tools { calls, .. } if *calls > tokens),
            "tools needs at least as many tokens as calls",
        ),
        (
            script
                .prompt
                .is_some_and(|prompt| script.cached.saturating_add(script.cache_write) > prompt),
            "cached and cache_write are parts of prompt and cannot be larger",
        ),
    ];
    match rules.into_iter().find(|(broken, _)| *broken) {
        Some((_, rule)) => Err(ParseError::Together(rule)),
        None => Ok(()),
    }
}

fn apply(item: Item, script: &mut Script) -> Result<(), ParseError> {
    if let Some(fault) = fault(&item)? {
        script.faults.push(fault);
        return Ok(());
    }
    match item.key.as_str() {
        "text" | "tools" | "refusal" | "echo" => apply_content(&item, script),
        "tokens" | "token_bytes" | "event_bytes" | "thinking" | "canary" | "role" | "finish"
        | "no_finish" | "usage" | "prompt" | "cached" | "cache_write" | "counted" | "no_done"
        | "done_twice" | "whole" | "empty" => apply_answer(&item, script),
        _ => apply_wire(item, script),
    }
}

/// The keys that say what the tokens are: one of them at most.
fn apply_content(item: &Item, script: &mut Script) -> Result<(), ParseError> {
    if script.content != Content::Text {
        return Err(ParseError::Together(
            "text, tools, refusal and echo exclude each other",
        ));
    }
    script.content = match item.key.as_str() {
        "text" => Content::Said(item.text()?),
        "refusal" => item.flag(Content::Refusal)?,
        "echo" => item.flag(Content::Echo)?,
        _ => tools(item)?,
    };
    Ok(())
}

/// The keys that shape what is said.
fn apply_answer(item: &Item, script: &mut Script) -> Result<(), ParseError> {
    match item.key.as_str() {
        "tokens" => script.tokens = item.one_of("a number, or inf", words::length)?,
        "token_bytes" => script.token_bytes = item.size(0..=LARGEST_TEXT)?,
        "event_bytes" => script.event_bytes = item.size(0..=LARGEST_TEXT)?,
        "thinking" => script.thinking = item.size(0..=LARGEST_TEXT)?,
        "canary" => {
            script.canary = Some(item.one_of("1 to 64 of A-Z a-z 0-9 . _ -", words::canary)?);
        }
        "role" => script.role = item.one_of("own, joined or none", words::role)?,
        "finish" => script.finish = Finish::Reason(item.text()?),
        "no_finish" => script.finish = item.flag(Finish::Missing)?,
        "usage" => script.usage = item.one_of("asked, none, zero or every", words::usage)?,
        "prompt" => script.prompt = Some(item.size(0..=u64::from(u32::MAX))?),
        "cached" => script.cached = item.size(0..=u64::from(u32::MAX))?,
        "cache_write" => script.cache_write = item.size(0..=u64::from(u32::MAX))?,
        "counted" => script.counting = item.flag(Counting::Encoding)?,
        "no_done" => script.done = item.flag(Done::Missing)?,
        "done_twice" => script.done = item.flag(Done::Twice)?,
        "whole" => script.shape = item.flag(Shape::Whole)?,
        "empty" => script.shape = item.flag(Shape::Empty)?,
        _ => return Err(item.unknown()),
    }
    Ok(())
}

/// The keys that shape how it is said.
fn apply_wire(item: Item, script: &mut Script) -> Result<(), ParseError> {
    match item.key.as_str() {
        "status" => {
            script.status = item.one_of("200 to 999", |text| words::code(text, 200..=999))?;
        }
        "retry_after" => script.retry_after = Some(item.text()?),
        "header" => script
            .headers
            .push(item.one_of("Name:Value", words::header)?),
        "type" => script.content_type = Some(item.text()?),
        "interim" => {
            script.interim = Some(item.one_of("100 to 199", |text| words::code(text, 100..=199))?);
        }
        "error_type" => script.error.kind = Some(item.text()?),
        "error_code" => script.error.code = Some(item.text()?),
        "error_message" => script.error.message = Some(item.text()?),
        "body" => script.body = Some(item.bytes()?),
        "raw" => script.raw = Some(item.bytes()?),
        "unread" => script.reading = item.flag(Reading::Nothing)?,
        "head_after" => script.head_after = item.duration()?,
        "first_after" => script.first_after = item.duration()?,
        "delay" => script.delay = item.duration()?,
        "ping" => script.ping = Some(item.interval()?),
        "crlf" => script.newline = item.flag(Newline::CrLf)?,
        "chunks" => {
            script.chunks = item.one_of("a size, event, random or random:SEED", words::chunks)?;
        }
        "drip" => script.drip = Some(item.one_of("BYTES/INTERVAL, such as 10/5ms", words::drip)?),
        "encoding" => {
            script.encoding = Some(item.one_of("gzip, deflate, br or zstd", words::encoding)?);
        }
        "content_length" => script.framing = item.flag(Framing::Length)?,
        "until_close" => script.framing = item.flag(Framing::UntilClose)?,
        "close_after" if item.value.is_none() => script.close_after = Some(Duration::ZERO),
        "close_after" => script.close_after = Some(item.duration()?),
        "stray" => script.stray = Some(item.bytes()?),
        _ => return Err(item.unknown()),
    }
    Ok(())
}

/// The item as a fault, if its name is one.
fn fault(item: &Item) -> Result<Option<Fault>, ParseError> {
    let (name, at) = match item.key.split_once('@') {
        Some((name, at)) => (name, Some(at)),
        None => (item.key.as_str(), None),
    };
    let kind = match name {
        "hang" | "stall" => FaultKind::Stall(None),
        "cut" => FaultKind::Cut,
        "reset" => FaultKind::Reset,
        "garbage" => FaultKind::Garbage,
        "error" => FaultKind::Error,
        "malformed" => FaultKind::Malformed,
        "goaway" => FaultKind::Goaway,
        "refuse" => FaultKind::Refuse,
        _ => return Ok(None),
    };
    let place = |rule| ParseError::Place {
        fault: item.key.clone(),
        rule,
    };
    let at = match at {
        None => Point::Request,
        Some(at) => words::point(at).ok_or_else(|| {
            place("a place is @12 (tokens), @t3 (reasoning), @300b (bytes), @head, @done or @end")
        })?,
    };
    let in_stream = matches!(at, Point::Thought(_) | Point::Token(_) | Point::Done);
    match kind {
        FaultKind::Stall(_) if name == "hang" && at != Point::Request => {
            Err(place("hang has no place, a stall has one"))
        }
        FaultKind::Stall(_) if name == "stall" && at == Point::Request => Err(place(
            "a stall has a place (stall@12); without one it is hang or head_after",
        )),
        FaultKind::Refuse if at != Point::Request => {
            Err(place("refuse has no place: nothing is out yet"))
        }
        FaultKind::Error | FaultKind::Malformed if !in_stream => {
            Err(place("an event stands after a token (@12) or at @done"))
        }
        FaultKind::Garbage if matches!(at, Point::Head | Point::End) => Err(place(
            "garbage stands before all, after a token or byte, or at @done",
        )),
        FaultKind::Stall(_) if name == "stall" && item.value.is_some() => {
            let length = item.one_of("a duration such as 20ms", value::duration)?;
            Ok(Some(Fault {
                kind: FaultKind::Stall(Some(length)),
                at,
            }))
        }
        kind if item.value.is_none() => Ok(Some(Fault { kind, at })),
        _ => Err(ParseError::Flag {
            key: item.key.clone(),
        }),
    }
}

fn tools(item: &Item) -> Result<Content, ParseError> {
    match item.value {
        None => Ok(Content::Tools {
            calls: 1,
            name: None,
        }),
        Some(_) => item.one_of("COUNT or COUNT:NAME, with 1 to 128 calls", words::tools),
    }
}
