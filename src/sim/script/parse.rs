//! The text of a script -> `Script`, or what is wrong with it and where.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::sim::script::value;
use crate::sim::script::{
    Chunks, Content, Done, Drip, Encoding, Fault, FaultKind, Finish, Framing, Length, Newline,
    Point, Reading, Role, Script, Shape, Usage,
};

/// The most faults, and the most extra headers, that one script may have.
const MOST: usize = 64;

/// The most bytes in one event, and in one token.
const LARGEST_TEXT: u64 = 256 << 20;

/// The most bytes of an answer whose length is told before it: it is written twice.
const LARGEST_MEASURED: u64 = 1 << 30;

/// Every key, for the suggestion after a slip of the pen.
const KEYS: [&str; 45] = [
    "status",
    "retry_after",
    "header",
    "type",
    "interim",
    "error_type",
    "error_code",
    "error_message",
    "body",
    "raw",
    "unread",
    "head_after",
    "first_after",
    "delay",
    "ping",
    "tokens",
    "token_bytes",
    "event_bytes",
    "tools",
    "canary",
    "role",
    "finish",
    "no_finish",
    "usage",
    "prompt",
    "cached",
    "no_done",
    "done_twice",
    "crlf",
    "chunks",
    "drip",
    "encoding",
    "content_length",
    "until_close",
    "whole",
    "empty",
    "close_after",
    "stray",
    "hang",
    "cut",
    "reset",
    "stall",
    "garbage",
    "error",
    "malformed",
];

/// What is wrong with a script's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No such key.
    #[error("{key:?} is not a key{}", suggestion(key))]
    Unknown {
        /// As written.
        key: String,
    },
    /// A key that needs a value has none.
    #[error("{key} needs a value: {key}={expected}")]
    Missing {
        /// The key.
        key: String,
        /// What its value looks like.
        expected: &'static str,
    },
    /// A value of the wrong kind, or past its bounds.
    #[error("{key}={value}: expected {expected}")]
    Value {
        /// The key.
        key: String,
        /// As written.
        value: String,
        /// What its value looks like.
        expected: &'static str,
    },
    /// A key that takes no value has one.
    #[error("{key} takes no value")]
    Flag {
        /// The key.
        key: String,
    },
    /// A key stands there twice.
    #[error("{key} is given twice")]
    Twice {
        /// The key.
        key: String,
    },
    /// A quoted value that does not end, or with an unknown escape, or with text after it.
    #[error("{key}: a quoted value ends with \" and knows \\\" \\\\ \\n \\r \\t \\xNN")]
    Quote {
        /// The key.
        key: String,
    },
    /// A fault stands where it cannot happen.
    #[error("{fault}: {rule}")]
    Place {
        /// As written.
        fault: String,
        /// What would be right.
        rule: &'static str,
    },
    /// Two keys that exclude each other, or too many of a kind.
    #[error("{0}")]
    Together(&'static str),
}

fn suggestion(key: &str) -> String {
    let name = key.split_once('@').map_or(key, |(name, _)| name);
    let near = KEYS
        .iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min();
    match near {
        Some((distance, known)) if distance <= 2 => format!(", did you mean {known:?}?"),
        _ => String::new(),
    }
}

impl FromStr for Script {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut script = Self::default();
        let mut seen: Vec<String> = Vec::new();
        let mut rest = text.trim_ascii();
        while !rest.is_empty() {
            let (item, after) = Item::take(rest)?;
            rest = after;
            if item.key != "header" && seen.contains(&item.key) {
                return Err(ParseError::Twice { key: item.key });
            }
            seen.push(item.key.clone());
            item.apply(&mut script)?;
        }
        together(&script)?;
        Ok(script)
    }
}

/// The rules that no single key can keep.
fn together(script: &Script) -> Result<(), ParseError> {
    let tokens = script.tokens.count();
    let size = tokens.saturating_mul(script.token_bytes.max(256));
    let length = script.framing == Framing::Length;
    let rules = [
        (script.faults.len() > MOST, "at most 64 faults"),
        (script.headers.len() > MOST, "at most 64 headers"),
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
            script.prompt.is_some_and(|prompt| script.cached > prompt),
            "cached is a part of prompt and cannot be larger",
        ),
    ];
    match rules.into_iter().find(|(broken, _)| *broken) {
        Some((_, rule)) => Err(ParseError::Together(rule)),
        None => Ok(()),
    }
}

/// One `key=value` or bare `key`.
struct Item {
    key: String,
    value: Option<Vec<u8>>,
}

impl Item {
    /// Takes the first item off; the rest starts behind its comma.
    fn take(text: &str) -> Result<(Self, &str), ParseError> {
        let end = text.find([',', '=']).unwrap_or(text.len());
        let (key, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        let key = key.trim_ascii().to_owned();
        let Some(value) = rest.strip_prefix('=') else {
            return Ok((Self { key, value: None }, next(rest)));
        };
        if let Some(quoted) = value.trim_ascii_start().strip_prefix('"') {
            let (bytes, after) = match value::unquote(quoted) {
                Some((bytes, after)) => (bytes, after.trim_ascii_start()),
                None => return Err(ParseError::Quote { key }),
            };
            if !after.is_empty() && !after.starts_with(',') {
                return Err(ParseError::Quote { key });
            }
            return Ok((
                Self {
                    key,
                    value: Some(bytes),
                },
                next(after),
            ));
        }
        let (value, rest) = value.split_once(',').unwrap_or((value, ""));
        let value = Some(value.trim_ascii().as_bytes().to_vec());
        Ok((Self { key, value }, rest.trim_ascii_start()))
    }

    fn apply(self, script: &mut Script) -> Result<(), ParseError> {
        if let Some(fault) = self.fault()? {
            script.faults.push(fault);
            return Ok(());
        }
        match self.key.as_str() {
            "tokens" | "token_bytes" | "event_bytes" | "tools" | "canary" | "role" | "finish"
            | "no_finish" | "usage" | "prompt" | "cached" | "no_done" | "done_twice" | "whole"
            | "empty" => self.apply_answer(script),
            _ => self.apply_wire(script),
        }
    }

    /// The keys that shape what is said.
    fn apply_answer(self, script: &mut Script) -> Result<(), ParseError> {
        match self.key.as_str() {
            "tokens" => script.tokens = self.one_of("a number, or inf", length)?,
            "token_bytes" => script.token_bytes = self.size(0..=LARGEST_TEXT)?,
            "event_bytes" => script.event_bytes = self.size(0..=LARGEST_TEXT)?,
            "tools" => script.content = self.tools()?,
            "canary" => {
                script.canary = Some(self.one_of("1 to 64 of A-Z a-z 0-9 . _ -", canary)?);
            }
            "role" => script.role = self.one_of("own, joined or none", role)?,
            "finish" => script.finish = Finish::Reason(self.text()?),
            "no_finish" => script.finish = self.flag(Finish::Missing)?,
            "usage" => script.usage = self.one_of("asked, none, zero or every", usage)?,
            "prompt" => script.prompt = Some(self.size(0..=u64::from(u32::MAX))?),
            "cached" => script.cached = self.size(0..=u64::from(u32::MAX))?,
            "no_done" => script.done = self.flag(Done::Missing)?,
            "done_twice" => script.done = self.flag(Done::Twice)?,
            "whole" => script.shape = self.flag(Shape::Whole)?,
            "empty" => script.shape = self.flag(Shape::Empty)?,
            _ => return Err(ParseError::Unknown { key: self.key }),
        }
        Ok(())
    }

    /// The keys that shape how it is said.
    fn apply_wire(self, script: &mut Script) -> Result<(), ParseError> {
        match self.key.as_str() {
            "status" => script.status = self.one_of("200 to 999", |text| code(text, 200..=999))?,
            "retry_after" => script.retry_after = Some(self.text()?),
            "header" => script.headers.push(self.one_of("Name:Value", header)?),
            "type" => script.content_type = Some(self.text()?),
            "interim" => {
                script.interim = Some(self.one_of("100 to 199", |text| code(text, 100..=199))?);
            }
            "error_type" => script.error.kind = Some(self.text()?),
            "error_code" => script.error.code = Some(self.text()?),
            "error_message" => script.error.message = Some(self.text()?),
            "body" => script.body = Some(self.bytes()?),
            "raw" => script.raw = Some(self.bytes()?),
            "unread" => script.reading = self.flag(Reading::Nothing)?,
            "head_after" => script.head_after = self.duration()?,
            "first_after" => script.first_after = self.duration()?,
            "delay" => script.delay = self.duration()?,
            "ping" => script.ping = Some(self.interval()?),
            "crlf" => script.newline = self.flag(Newline::CrLf)?,
            "chunks" => {
                script.chunks = self.one_of("a size, event, random or random:SEED", chunks)?;
            }
            "drip" => script.drip = Some(self.one_of("BYTES/INTERVAL, such as 10/5ms", drip)?),
            "encoding" => {
                script.encoding = Some(self.one_of("gzip, deflate, br or zstd", encoding)?);
            }
            "content_length" => script.framing = self.flag(Framing::Length)?,
            "until_close" => script.framing = self.flag(Framing::UntilClose)?,
            "close_after" if self.value.is_none() => script.close_after = Some(Duration::ZERO),
            "close_after" => script.close_after = Some(self.duration()?),
            "stray" => script.stray = Some(self.bytes()?),
            _ => return Err(ParseError::Unknown { key: self.key }),
        }
        Ok(())
    }

    /// The item as a fault, if its name is one.
    fn fault(&self) -> Result<Option<Fault>, ParseError> {
        let (name, at) = match self.key.split_once('@') {
            Some((name, at)) => (name, Some(at)),
            None => (self.key.as_str(), None),
        };
        let kind = match name {
            "hang" | "stall" => FaultKind::Stall(None),
            "cut" => FaultKind::Cut,
            "reset" => FaultKind::Reset,
            "garbage" => FaultKind::Garbage,
            "error" => FaultKind::Error,
            "malformed" => FaultKind::Malformed,
            _ => return Ok(None),
        };
        let place = |rule| ParseError::Place {
            fault: self.key.clone(),
            rule,
        };
        let at = match at {
            None => Point::Request,
            Some(at) => point(at).ok_or_else(|| {
                place("a place is @12 (tokens), @300b (bytes), @head, @done or @end")
            })?,
        };
        let in_stream = matches!(at, Point::Token(_) | Point::Done);
        match kind {
            FaultKind::Stall(_) if name == "hang" && at != Point::Request => {
                Err(place("hang has no place, a stall has one"))
            }
            FaultKind::Stall(_) if name == "stall" && at == Point::Request => Err(place(
                "a stall has a place (stall@12); without one it is hang or head_after",
            )),
            FaultKind::Error | FaultKind::Malformed if !in_stream => {
                Err(place("an event stands after a token (@12) or at @done"))
            }
            FaultKind::Garbage if matches!(at, Point::Head | Point::End) => Err(place(
                "garbage stands before all, after a token or byte, or at @done",
            )),
            FaultKind::Stall(_) if name == "stall" && self.value.is_some() => {
                let length = self.one_of("a duration such as 20ms", value::duration)?;
                Ok(Some(Fault {
                    kind: FaultKind::Stall(Some(length)),
                    at,
                }))
            }
            kind if self.value.is_none() => Ok(Some(Fault { kind, at })),
            _ => Err(ParseError::Flag {
                key: self.key.clone(),
            }),
        }
    }

    fn tools(&self) -> Result<Content, ParseError> {
        if self.value.is_none() {
            return Ok(Content::Tools {
                calls: 1,
                name: None,
            });
        }
        self.one_of("COUNT or COUNT:NAME, with 1 to 128 calls", |text| {
            let (calls, name) = match text.split_once(':') {
                Some((calls, name)) => (calls, Some(name.to_owned())),
                None => (text, None),
            };
            let named = |name: &String| canary(name).is_some();
            let calls = calls
                .parse()
                .ok()
                .filter(|calls| (1..=128).contains(calls))?;
            (name.is_none() || name.as_ref().is_some_and(named))
                .then_some(Content::Tools { calls, name })
        })
    }

    fn flag<T>(&self, set: T) -> Result<T, ParseError> {
        match self.value {
            None => Ok(set),
            Some(_) => Err(ParseError::Flag {
                key: self.key.clone(),
            }),
        }
    }

    fn bytes(self) -> Result<Vec<u8>, ParseError> {
        self.value.ok_or(ParseError::Missing {
            key: self.key,
            expected: "TEXT",
        })
    }

    fn text(&self) -> Result<String, ParseError> {
        self.one_of("TEXT", |text| Some(text.to_owned()))
    }

    fn size(&self, range: RangeInclusive<u64>) -> Result<u64, ParseError> {
        self.one_of("a size such as 300, 64KiB or 4MiB, not too large", |text| {
            value::size(text).filter(|size| range.contains(size))
        })
    }

    fn duration(&self) -> Result<Duration, ParseError> {
        self.one_of(
            "a duration such as 300us, 20ms, 2s or 1m, at most a day",
            value::duration,
        )
    }

    fn interval(&self) -> Result<Duration, ParseError> {
        self.one_of("an interval of at least 1ms", |text| {
            value::duration(text).filter(|interval| *interval >= Duration::from_millis(1))
        })
    }

    fn one_of<T>(
        &self,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ParseError> {
        let Some(value) = &self.value else {
            return Err(ParseError::Missing {
                key: self.key.clone(),
                expected,
            });
        };
        std::str::from_utf8(value)
            .ok()
            .and_then(read)
            .ok_or_else(|| ParseError::Value {
                key: self.key.clone(),
                value: value::Quoted(value).to_string(),
                expected,
            })
    }
}

/// What stands behind the comma that `rest` begins with.
fn next(rest: &str) -> &str {
    rest.strip_prefix(',').unwrap_or(rest).trim_ascii_start()
}

fn point(text: &str) -> Option<Point> {
    match text {
        "head" => Some(Point::Head),
        "done" => Some(Point::Done),
        "end" => Some(Point::End),
        _ => match text.strip_suffix('b') {
            Some(bytes) => bytes.parse().ok().map(Point::Byte),
            None => text.parse().ok().map(Point::Token),
        },
    }
}

fn code(text: &str, range: RangeInclusive<u16>) -> Option<u16> {
    text.parse().ok().filter(|code| range.contains(code))
}

fn length(text: &str) -> Option<Length> {
    match text {
        "inf" => Some(Length::Endless),
        // Beyond this a count cannot be sent in a lifetime, and sums of it could overflow.
        _ => text
            .parse()
            .ok()
            .filter(|count| *count <= 1 << 40)
            .map(Length::Tokens),
    }
}

/// A name that needs no escape anywhere.
fn canary(text: &str) -> Option<String> {
    crate::sim::text::is_canary(text).then(|| text.to_owned())
}

fn role(text: &str) -> Option<Role> {
    match text {
        "own" => Some(Role::Own),
        "joined" => Some(Role::Joined),
        "none" => Some(Role::Missing),
        _ => None,
    }
}

fn usage(text: &str) -> Option<Usage> {
    match text {
        "asked" => Some(Usage::Asked),
        "none" => Some(Usage::Missing),
        "zero" => Some(Usage::Zero),
        "every" => Some(Usage::Every),
        _ => None,
    }
}

fn encoding(text: &str) -> Option<Encoding> {
    [
        Encoding::Gzip,
        Encoding::Deflate,
        Encoding::Brotli,
        Encoding::Zstd,
    ]
    .into_iter()
    .find(|encoding| encoding.name() == text)
}

fn chunks(text: &str) -> Option<Chunks> {
    match text {
        "event" => Some(Chunks::Event),
        "random" => Some(Chunks::Random(None)),
        _ => match text.strip_prefix("random:") {
            Some(seed) => seed.parse().ok().map(|seed| Chunks::Random(Some(seed))),
            None => value::size(text).filter(|size| *size > 0).map(Chunks::Size),
        },
    }
}

fn drip(text: &str) -> Option<Drip> {
    let (bytes, every) = text.split_once('/')?;
    let bytes = value::size(bytes).filter(|bytes| *bytes > 0)?;
    let every = value::duration(every).filter(|every| *every >= Duration::from_millis(1))?;
    Some(Drip { bytes, every })
}

fn header(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once(':')?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (!name.is_empty() && name.bytes().all(token))
        .then(|| (name.to_owned(), value.trim_ascii().to_owned()))
}
