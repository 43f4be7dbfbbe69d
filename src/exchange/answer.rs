//! A whole answer, put together from its events.

use crate::exchange::{AsideKind, Event, Finish, Signed, Usage};

/// A whole answer. It is as large as its events were: whoever feeds it sees to the bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The answers asked for (`n`), in the order in which they began.
    pub choices: Vec<Choice>,
    /// What it took, if the provider said so.
    pub usage: Option<Usage>,
}

/// One of the answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Which of them.
    pub index: u32,
    /// What it is made of, in the order in which each piece began.
    pub pieces: Vec<Piece>,
    /// Raw JSON that belongs to it, one for each kind, lists joined.
    pub asides: Vec<(AsideKind, String)>,
    /// Why it ended.
    pub finish: Option<Finish>,
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text.
    Text(String),
    /// The model's thoughts, with their seal.
    Reasoning {
        /// What is shown of them.
        text: String,
        /// The vendor's seal; empty for none.
        signature: String,
    },
    /// A refusal that the provider marks as one.
    Refusal(String),
    /// A call.
    Call {
        /// The key that its pieces were joined by.
        index: u32,
        /// The call's id; empty where the provider gave none.
        id: String,
        /// The tool.
        name: String,
        /// JSON text.
        arguments: String,
        /// The vendor's seal; empty for none.
        signature: String,
    },
}

impl Answer {
    /// Takes the next event.
    pub fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Text { choice, text } => self.choice(*choice).text(text),
            Event::Reasoning { choice, text } => self.choice(*choice).reasoning(text, ""),
            Event::Refusal { choice, text } => self.choice(*choice).refusal(text),
            Event::ToolCall {
                choice,
                index,
                id,
                name,
                arguments,
            } => self
                .choice(*choice)
                .call(*index, id.as_deref(), name.as_deref(), arguments),
            Event::Signature { choice, of, text } => self.choice(*choice).signature(*of, text),
            Event::Aside { choice, kind, json } => self.choice(*choice).aside(*kind, json),
            Event::Media { choice } => {
                self.choice(*choice);
            }
            Event::Finished { choice, reason } => self.choice(*choice).finish = Some(*reason),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Started | Event::Failed(_) | Event::Ping | Event::End => {}
        }
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        let known = self.choices.iter().position(|one| one.index == index);
        let place = known.unwrap_or(self.choices.len());
        if known.is_none() {
            self.choices.push(Choice::default());
        }
        #[expect(
            clippy::indexing_slicing,
            reason = "it was found there, or just put there"
        )]
        let choice = &mut self.choices[place];
        choice.index = index;
        choice
    }
}

impl Choice {
    fn text(&mut self, more: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text(text)) => text.push_str(more),
            _ if more.is_empty() => {}
            _ => self.pieces.push(Piece::Text(more.to_owned())),
        }
    }

    fn refusal(&mut self, more: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Refusal(text)) => text.push_str(more),
            _ => self.pieces.push(Piece::Refusal(more.to_owned())),
        }
    }

    fn reasoning(&mut self, more: &str, seal: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Reasoning { text, signature }) if signature.is_empty() => {
                text.push_str(more);
                signature.push_str(seal);
            }
            _ => self.pieces.push(Piece::Reasoning {
                text: more.to_owned(),
                signature: seal.to_owned(),
            }),
        }
    }

    fn call(&mut self, index: u32, id: Option<&str>, name: Option<&str>, arguments: &str) {
        let known = self
            .pieces
            .iter_mut()
            .find(|piece| matches!(piece, Piece::Call { index: own, .. } if *own == index));
        let first = |given: Option<&str>| given.unwrap_or_default().to_owned();
        if let Some(Piece::Call {
            id: own_id,
            name: own_name,
            arguments: so_far,
            ..
        }) = known
        {
            // Some servers repeat both on every piece, and some send them late.
            if own_id.is_empty() {
                *own_id = first(id);
            }
            if own_name.is_empty() {
                *own_name = first(name);
            }
            so_far.push_str(arguments);
            return;
        }
        self.pieces.push(Piece::Call {
            index,
            id: first(id),
            name: first(name),
            arguments: arguments.to_owned(),
            signature: String::new(),
        });
    }

    fn signature(&mut self, of: Signed, seal: &str) {
        let Signed::Call(call) = of else {
            self.reasoning("", seal);
            return;
        };
        for piece in &mut self.pieces {
            if let Piece::Call {
                index, signature, ..
            } = piece
                && *index == call
            {
                signature.push_str(seal);
            }
        }
    }

    /// Lists of the same kind are joined: each chunk of a stream has its own.
    fn aside(&mut self, kind: AsideKind, json: &str) {
        let Some((_, whole)) = self.asides.iter_mut().find(|(own, _)| *own == kind) else {
            self.asides.push((kind, json.to_owned()));
            return;
        };
        let inner = |list: &str| {
            let inner = list.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
            Some(inner.to_owned())
        };
        if let (Some(before), Some(more)) = (inner(whole), inner(json)) {
            let mark = if before.is_empty() || more.is_empty() {
                ""
            } else {
                ","
            };
            *whole = format!("[{before}{mark}{more}]");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn call<'a>(index: u32, id: Option<&'a str>, arguments: &'a str) -> Event<'a> {
        Event::ToolCall {
            choice: 0,
            index,
            id: id.map(Cow::Borrowed),
            name: id.map(|_| "look".into()),
            arguments: arguments.into(),
        }
    }

    #[test]
    fn pieces_keep_the_order_in_which_they_began_and_calls_their_keys() {
        let text = |text: &'static str| Event::Text {
            choice: 0,
            text: text.into(),
        };
        let mut answer = Answer::default();
        for event in [
            Event::Reasoning {
                choice: 0,
                text: "hm".into(),
            },
            Event::Signature {
                choice: 0,
                of: Signed::Reasoning,
                text: "seal".into(),
            },
            text(""),
            text("a"),
            text("b"),
            call(0, Some("one"), "{"),
            call(1, Some("two"), ""),
            call(0, None, "}"),
            Event::Signature {
                choice: 0,
                of: Signed::Call(1),
                text: "s".into(),
            },
            Event::Finished {
                choice: 0,
                reason: Finish::ToolCalls,
            },
        ] {
            answer.event(&event);
        }
        let piece = |index, id: &str, arguments: &str, signature: &str| Piece::Call {
            index,
            id: id.to_owned(),
            name: "look".to_owned(),
            arguments: arguments.to_owned(),
            signature: signature.to_owned(),
        };
        let expected = [
            Piece::Reasoning {
                text: "hm".to_owned(),
                signature: "seal".to_owned(),
            },
            Piece::Text("ab".to_owned()),
            piece(0, "one", "{}", ""),
            piece(1, "two", "", "s"),
        ];
        assert_eq!(answer.choices[0].pieces, expected);
        assert_eq!(answer.choices[0].finish, Some(Finish::ToolCalls));
    }

    #[test]
    fn lists_beside_an_answer_are_joined() {
        let mut answer = Answer::default();
        for json in ["[1]", "[]", "[2, 3]"] {
            answer.event(&Event::Aside {
                choice: 2,
                kind: AsideKind::LogProbs,
                json: json.into(),
            });
        }
        let expected = [(AsideKind::LogProbs, "[1,2, 3]".to_owned())];
        assert_eq!(answer.choices[0].asides, expected);
        assert_eq!(answer.choices[0].index, 2);
    }
}
