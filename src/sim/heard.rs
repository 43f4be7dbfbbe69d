//! What was understood of a request, in words that no format owns: the same conversation sounds
//! the same in every format.

use serde_json::{Value, json};

/// A conversation. Ids, reasoning and knobs are left out: they do not survive every translation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// The instructions, in order.
    pub(crate) system: Vec<String>,
    turns: Vec<Turn>,
    /// The names of the tools.
    pub(crate) tools: Vec<String>,
    /// `auto`, `required`, or a tool's name.
    pub(crate) choice: Option<String>,
    /// What the text is to be.
    pub(crate) format: Format,
    /// Texts that end the answer.
    pub(crate) stop: Vec<String>,
}

/// What the text of an answer is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
    Schema,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The person, and tools on its behalf.
    User,
    Assistant,
}

#[derive(Clone, Debug)]
struct Turn {
    who: Who,
    parts: Vec<Part>,
}

/// How a tool's work went, as far as the format says it beside the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Went {
    Well,
    Wrong,
}

/// A part of what was said.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Text(String),
    /// A picture, a file or a sound in the request.
    Inline {
        media_type: String,
        bytes: usize,
    },
    /// One at an address.
    Linked(String),
    Call {
        name: String,
        arguments: Value,
    },
    Result {
        /// The tool's name.
        name: String,
        text: String,
        error: bool,
        /// Pictures and the like beside the text.
        more: Vec<Part>,
    },
}

impl Heard {
    /// Adds a part; neighbours of one speaker make one turn, and neighbouring texts one text.
    pub(crate) fn say(&mut self, who: Who, part: Part) {
        let turn = match self.turns.last_mut() {
            Some(turn) if turn.who == who => turn,
            _ => {
                let parts = Vec::new();
                self.turns.push(Turn { who, parts });
                let Some(turn) = self.turns.last_mut() else {
                    return;
                };
                turn
            }
        };
        match (turn.parts.last_mut(), part) {
            (_, Part::Text(text)) if text.is_empty() => {}
            (Some(Part::Text(before)), Part::Text(text)) => {
                before.push_str("\n\n");
                before.push_str(&text);
            }
            (_, part) => turn.parts.push(part),
        }
    }

    /// How many messages there are, the instructions among them.
    pub(crate) fn messages(&self) -> u64 {
        self.turns.len().saturating_add(self.system.len()) as u64
    }

    /// Shows every text of it.
    pub(crate) fn texts(&self, mut show: impl FnMut(&str)) {
        self.system.iter().for_each(|text| show(text));
        let parts = self.turns.iter().flat_map(|turn| &turn.parts);
        for part in parts {
            match part {
                Part::Text(text) | Part::Result { text, .. } => show(text),
                Part::Call { name, arguments } => {
                    show(name);
                    show(&arguments.to_string());
                }
                Part::Inline { .. } | Part::Linked(_) => {}
            }
        }
    }

    /// The tools that may be called: with the choice `none` there are none.
    pub(crate) fn may_call(&mut self, choice: Option<&str>) {
        match choice {
            Some("none") => self.tools.clear(),
            Some("any") => self.choice = Some("required".to_owned()),
            other => self.choice = other.filter(|text| *text != "auto").map(str::to_owned),
        }
    }

    /// All of it as one line of JSON, its keys in order.
    pub(crate) fn to_text(&self) -> String {
        let turns = self.turns.iter().filter(|turn| !turn.parts.is_empty());
        let turns: Vec<Value> = turns
            .map(|turn| {
                let who = match turn.who {
                    Who::User => "user",
                    Who::Assistant => "assistant",
                };
                let parts: Vec<Value> = turn.parts.iter().map(Part::shown).collect();
                json!({ "who": who, "parts": parts })
            })
            .collect();
        json!({
            "system": self.system.join("\n\n"),
            "turns": turns,
            "tools": self.tools,
            "choice": self.choice,
            "format": match self.format {
                Format::Text => "text",
                Format::Json => "json",
                Format::Schema => "schema",
            },
            "stop": self.stop,
        })
        .to_string()
    }
}

impl Part {
    /// What `data:image/png;base64,…` or an address stands for.
    pub(crate) fn at(url: &str) -> Self {
        let inline = url
            .strip_prefix("data:")
            .and_then(|rest| rest.split_once(";base64,"));
        match inline {
            Some((media_type, data)) => Self::inline(media_type, data),
            None => Self::Linked(url.to_owned()),
        }
    }

    /// Base64 in the request.
    pub(crate) fn inline(media_type: &str, data: &str) -> Self {
        let data = data.trim_end_matches('=');
        let media_type = media_type.split(';').next().unwrap_or_default();
        Self::Inline {
            media_type: media_type.to_owned(),
            bytes: data.len().saturating_mul(3) / 4,
        }
    }

    /// A call with its arguments as JSON text.
    pub(crate) fn call(name: &str, arguments: &str) -> Self {
        let arguments = match arguments.trim() {
            "" => json!({}),
            text => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        };
        Self::Call {
            name: name.to_owned(),
            arguments,
        }
    }

    /// What a call came to. Formats differ in what a result may be, so `{"output": …}`,
    /// `{"error": …}` and `Error: …` mean the same everywhere.
    pub(crate) fn result(name: &str, text: &str, went: Went, more: Vec<Self>) -> Self {
        let value = serde_json::from_str::<Value>(text).ok();
        let only = |key: &str| match value.as_ref().and_then(Value::as_object) {
            Some(object) if object.len() == 1 => object.get(key).map(plain),
            _ => None,
        };
        let (text, failed) = match (only("output"), only("error"), text.strip_prefix("Error: ")) {
            (Some(output), _, _) => (output, false),
            (None, Some(error), _) => (error, true),
            (None, None, Some(error)) => (error.to_owned(), true),
            (None, None, None) => (value.as_ref().map_or_else(|| text.to_owned(), plain), false),
        };
        Self::Result {
            name: name.to_owned(),
            text,
            error: failed || went == Went::Wrong,
            more,
        }
    }

    fn shown(&self) -> Value {
        match self {
            Self::Text(text) => json!({ "text": text }),
            Self::Inline { media_type, bytes } => {
                json!({ "inline": media_type, "bytes": bytes })
            }
            Self::Linked(url) => json!({ "url": url }),
            Self::Call { name, arguments } => json!({ "call": name, "arguments": arguments }),
            Self::Result {
                name,
                text,
                error,
                more,
            } => {
                let more: Vec<Value> = more.iter().map(Self::shown).collect();
                json!({ "result_of": name, "text": text, "error": error, "more": more })
            }
        }
    }
}

/// A string without its quotes, anything else as compact JSON with its keys in order.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The text of a field; empty if it has none.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The items of a field; none if it is no list.
pub(crate) fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    let list = value.get(key).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}
