//! One JSON document of an answer, a chunk or a whole one: its pieces, usage and error.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::usage;
use crate::dialect::failure;
use crate::dialect::leaf::Leaf;
use crate::dialect::name::Name;
use crate::exchange::{AsideKind, Failure, Finish, Usage};

/// The most pieces a document may have: 128 choices with dozens of tool calls each. Without it
/// a frame of many empty calls would take many times its size in memory.
const MAX_PIECES: usize = 8192;

/// Which field of a choice holds the piece of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `delta`: a chunk of a stream.
    Delta,
    /// `message`: a whole answer.
    Message,
    /// `text`: a plain completion, streamed.
    Text,
    /// `text`: a plain completion, whole.
    WholeText,
}

/// What a document says.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) part: Part,
    pub(super) choices: Choices,
    /// In the order of the document; the pieces of a choice end with its [`What::End`].
    pub(super) pieces: SmallVec<[Piece<'a>; 4]>,
    pub(super) overfull: bool,
    /// A known field has a type that it cannot have.
    pub(super) misshapen: bool,
    pub(super) beside: Beside,
    pub(super) usages: Places<'a>,
    pub(super) errors: Places<'a>,
    /// A finish reason that is no good end.
    pub(super) broken_off: Option<Leaf<'a>>,
    pub(super) object: Option<Leaf<'a>>,
    pub(super) flat: Failure,
}

/// The places where a field has been seen, the first one found in this order counts.
#[derive(Debug, Default)]
pub(super) struct Places<'a> {
    pub(super) document: Option<Leaf<'a>>,
    pub(super) choice: Option<Leaf<'a>>,
    pub(super) groq: Option<Leaf<'a>>,
}

/// What stands beside the choices, or without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Beside {
    Nothing,
    Usage,
    /// A known extension that the client may want: filter results, moderation.
    Annotations,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choices {
    Absent,
    None,
    Some,
}

/// A piece of one choice.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    pub(super) choice: u32,
    pub(super) what: What<'a>,
}

#[derive(Debug)]
pub(super) enum What<'a> {
    Text(Cow<'a, str>),
    Reasoning(Cow<'a, str>),
    Refusal(Cow<'a, str>),
    Media,
    Call {
        index: Option<u32>,
        id: Option<Cow<'a, str>>,
        name: Option<Cow<'a, str>>,
        arguments: Cow<'a, str>,
    },
    /// The seal of the call before it.
    Seal(Cow<'a, str>),
    /// A list beside the choice, never an empty one.
    Aside(AsideKind, &'a str),
    /// The choice's part in this document is over, and perhaps the choice.
    End(Option<Finish>),
}

impl<'a> Answer<'a> {
    pub(super) fn new(part: Part) -> Self {
        Self {
            part,
            choices: Choices::Absent,
            pieces: SmallVec::new(),
            overfull: false,
            misshapen: false,
            beside: Beside::Nothing,
            usages: Places::default(),
            errors: Places::default(),
            broken_off: None,
            object: None,
            flat: Failure::default(),
        }
    }

    /// The error it reports, wherever it does: beside the choices (`OpenRouter`), in one of them,
    /// in `x_groq`, in a flat document, or only as a finish reason, which is its code then.
    pub(super) fn failure(&self) -> Option<Failure> {
        if let Some(error) = self.errors.all().find(|error| error.is_truthy()) {
            return Some(failure::within(failure::of_error(error), self.flat.clone()));
        }
        let flat = match self.choices {
            Choices::Absent => self.flat.message.is_some(),
            Choices::None | Choices::Some => false,
        };
        if flat
            || self
                .object
                .is_some_and(|object| object.json() == "\"error\"")
        {
            return Some(self.flat.clone());
        }
        self.broken_off.map(failure::of_reason)
    }

    /// The usage, if it is complete.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.usages.all().find_map(usage::read)
    }

    /// Whether nothing is lost if the document is left out, but for its usage.
    pub(super) fn is_usage_only(&self) -> bool {
        let usage = self.usages.document.is_some_and(Leaf::is_object);
        usage && self.beside == Beside::Usage && self.choices != Choices::Some
    }

    pub(super) fn push(&mut self, what: What<'a>) {
        if self.pieces.len() < MAX_PIECES {
            // The choice's index may come after its pieces: it is filled in at its end.
            self.pieces.push(Piece { choice: 0, what });
        } else {
            self.overfull = true;
        }
    }

    /// Pushes a text, if there is one.
    pub(super) fn say(&mut self, text: Leaf<'a>, what: fn(Cow<'a, str>) -> What<'a>) {
        if let Some(text) = text.words() {
            self.push(what(text));
        }
    }

    /// A string, or a list of parts (Mistral): text, and thinking that is a list of parts again.
    pub(super) fn content(&mut self, content: Leaf<'a>) {
        self.say(content, What::Text);
        content.items(|part| {
            part.fields(|name, value| match name {
                Name::Text => self.say(value, What::Text),
                Name::Thinking => self.thinking(value),
                _ => {}
            });
        });
    }

    fn thinking(&mut self, thinking: Leaf<'a>) {
        self.say(thinking, What::Reasoning);
        thinking.items(|part| {
            part.fields(|name, value| {
                if name == Name::Text {
                    self.say(value, What::Reasoning);
                }
            });
        });
    }

    pub(super) fn call(&mut self, call: Leaf<'a>) {
        let (mut index, mut id, mut function, mut extra) = (None, None, None, None);
        call.fields(|name, value| match name {
            Name::Index => index = value.json().parse().ok(),
            Name::Id => id = value.words(),
            Name::Function | Name::Custom => function = Some(value),
            Name::ExtraContent => extra = Some(value),
            _ => {}
        });
        let (name, arguments) = function.map(named).unwrap_or_default();
        self.push(What::Call {
            index,
            id,
            name,
            arguments,
        });
        if let Some(extra) = extra {
            self.seal(extra);
        }
    }

    /// `extra_content.google.thought_signature` (`OpenAI` compatibility of the Gemini API).
    fn seal(&mut self, extra: Leaf<'a>) {
        extra.fields(|name, google| {
            if name == Name::Google {
                google.fields(|name, seal| {
                    if name == Name::ThoughtSignature {
                        self.say(seal, What::Seal);
                    }
                });
            }
        });
    }

    /// A list that stands beside the answer, if it has anything in it.
    pub(super) fn aside(&mut self, kind: AsideKind, list: Leaf<'a>) {
        let mut filled = false;
        list.items(|_| filled = true);
        if filled {
            self.push(What::Aside(kind, list.json()));
        }
    }
}

impl<'a> Places<'a> {
    fn all(&self) -> impl Iterator<Item = Leaf<'a>> {
        [self.document, self.choice, self.groq]
            .into_iter()
            .flatten()
    }
}

/// A function's name and arguments, or a custom tool's name and input. Arguments that are an
/// object and not a string (older Mistral) are taken as their JSON.
pub(super) fn named(function: Leaf<'_>) -> (Option<Cow<'_, str>>, Cow<'_, str>) {
    let (mut called, mut arguments) = (None, Cow::Borrowed(""));
    function.fields(|name, value| match name {
        Name::Called => called = value.words(),
        Name::Arguments | Name::Input if value.is_object() => {
            arguments = Cow::Borrowed(value.json());
        }
        Name::Arguments | Name::Input => arguments = value.text().unwrap_or_default(),
        _ => {}
    });
    (called, arguments)
}
