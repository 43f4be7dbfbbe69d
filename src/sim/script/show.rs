//! `Script` -> its text: what differs from the default, in a fixed order.

use std::fmt;
use std::time::Duration;

use crate::sim::script::model::{
    Chunks, Content, Counting, DEFAULT_TOKENS, Done, Fault, FaultKind, Finish, Framing, Length,
    Newline, Point, Reading, Role, Script, Shape, Usage,
};
use crate::sim::script::value::{Quoted, show_duration, show_size};

impl fmt::Display for Script {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut items = Vec::new();
        self.show_head(&mut items);
        self.show_answer(&mut items);
        self.show_wire(&mut items);
        items.extend(self.faults.iter().map(ToString::to_string));
        if items.is_empty() {
            // A good answer must have a word of its own to stand in a list of scripts.
            items.push("tokens=16".to_owned());
        }
        if let Some(share) = self.share {
            write!(out, "{share}% ")?;
        }
        out.write_str(&items.join(","))
    }
}

impl Script {
    fn show_head(&self, items: &mut Vec<String>) {
        if self.status != 200 {
            items.push(format!("status={}", self.status));
        }
        let texts = [
            ("retry_after", &self.retry_after),
            ("type", &self.content_type),
            ("error_type", &self.error.kind),
            ("error_code", &self.error.code),
            ("error_message", &self.error.message),
        ];
        for (key, text) in texts {
            items.extend(
                text.as_ref()
                    .map(|text| format!("{key}={}", Quoted(text.as_bytes()))),
            );
        }
        for (key, bytes) in [
            ("body", &self.body),
            ("raw", &self.raw),
            ("stray", &self.stray),
        ] {
            items.extend(
                bytes
                    .as_ref()
                    .map(|bytes| format!("{key}={}", Quoted(bytes))),
            );
        }
        for (name, value) in &self.headers {
            items.push(format!(
                "header={}",
                Quoted(format!("{name}:{value}").as_bytes())
            ));
        }
        items.extend(self.interim.map(|status| format!("interim={status}")));
        match self.reading {
            Reading::All => {}
            Reading::Nothing => items.push("unread".to_owned()),
        }
    }

    fn show_answer(&self, items: &mut Vec<String>) {
        match self.tokens {
            Length::Tokens(DEFAULT_TOKENS) => {}
            Length::Tokens(count) => items.push(format!("tokens={count}")),
            Length::Endless => items.push("tokens=inf".to_owned()),
        }
        let sizes = [
            ("token_bytes", self.token_bytes),
            ("event_bytes", self.event_bytes),
            ("thinking", self.thinking),
            ("cached", self.cached),
            ("cache_write", self.cache_write),
        ];
        for (key, size) in sizes.into_iter().filter(|(_, size)| *size > 0) {
            items.push(format!("{key}={}", show_size(size)));
        }
        items.extend(self.prompt.map(|prompt| format!("prompt={prompt}")));
        match &self.content {
            Content::Text => {}
            Content::Tools { calls, name: None } => items.push(format!("tools={calls}")),
            Content::Tools {
                calls,
                name: Some(name),
            } => {
                items.push(format!("tools={calls}:{name}"));
            }
            Content::Said(text) => items.push(format!("text={}", Quoted(text.as_bytes()))),
            Content::Refusal => items.push("refusal".to_owned()),
            Content::Echo => items.push("echo".to_owned()),
        }
        items.extend(
            self.canary
                .as_ref()
                .map(|canary| format!("canary={canary}")),
        );
        if let Finish::Reason(reason) = &self.finish {
            items.push(format!("finish={}", Quoted(reason.as_bytes())));
        }
        let words = [
            (self.role == Role::Joined, "role=joined"),
            (self.role == Role::Missing, "role=none"),
            (self.finish == Finish::Missing, "no_finish"),
            (self.usage == Usage::Missing, "usage=none"),
            (self.usage == Usage::Zero, "usage=zero"),
            (self.usage == Usage::Every, "usage=every"),
            (self.counting == Counting::Encoding, "counted"),
            (self.done == Done::Missing, "no_done"),
            (self.done == Done::Twice, "done_twice"),
            (self.shape == Shape::Whole, "whole"),
            (self.shape == Shape::Empty, "empty"),
        ];
        items.extend(
            words
                .into_iter()
                .filter(|(set, _)| *set)
                .map(|(_, word)| word.to_owned()),
        );
    }

    fn show_wire(&self, items: &mut Vec<String>) {
        let times = [
            (
                "head_after",
                Some(self.head_after).filter(|time| *time > Duration::ZERO),
            ),
            (
                "first_after",
                Some(self.first_after).filter(|time| *time > Duration::ZERO),
            ),
            (
                "delay",
                Some(self.delay).filter(|time| *time > Duration::ZERO),
            ),
            ("ping", self.ping),
            ("close_after", self.close_after),
        ];
        for (key, time) in times {
            items.extend(time.map(|time| format!("{key}={}", show_duration(time))));
        }
        let words = [
            (self.newline == Newline::CrLf, "crlf"),
            (self.framing == Framing::Length, "content_length"),
            (self.framing == Framing::UntilClose, "until_close"),
            (self.chunks == Chunks::Event, "chunks=event"),
            (self.chunks == Chunks::Random(None), "chunks=random"),
        ];
        items.extend(
            words
                .into_iter()
                .filter(|(set, _)| *set)
                .map(|(_, word)| word.to_owned()),
        );
        match self.chunks {
            Chunks::Due | Chunks::Event | Chunks::Random(None) => {}
            Chunks::Size(size) => items.push(format!("chunks={}", show_size(size))),
            Chunks::Random(Some(seed)) => items.push(format!("chunks=random:{seed}")),
        }
        items.extend(
            self.drip
                .map(|d| format!("drip={}/{}", show_size(d.bytes), show_duration(d.every))),
        );
        items.extend(
            self.encoding
                .map(|encoding| format!("encoding={}", encoding.name())),
        );
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.kind {
            FaultKind::Cut => "cut",
            FaultKind::Reset => "reset",
            FaultKind::Stall(_) if self.at == Point::Request => "hang",
            FaultKind::Stall(_) => "stall",
            FaultKind::Garbage => "garbage",
            FaultKind::Error => "error",
            FaultKind::Malformed => "malformed",
            FaultKind::Goaway => "goaway",
            FaultKind::Refuse => "refuse",
        })?;
        match self.at {
            Point::Request => {}
            Point::Head => out.write_str("@head")?,
            Point::Thought(count) => write!(out, "@t{count}")?,
            Point::Token(count) => write!(out, "@{count}")?,
            Point::Byte(count) => write!(out, "@{count}b")?,
            Point::Done => out.write_str("@done")?,
            Point::End => out.write_str("@end")?,
        }
        match self.kind {
            FaultKind::Stall(Some(length)) => write!(out, "={}", show_duration(length)),
            _ => Ok(()),
        }
    }
}
