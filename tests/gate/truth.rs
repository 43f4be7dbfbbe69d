//! What a provider itself says: the measure of every byte that a client gets.

use std::collections::HashMap;

use segue::sim::Sim;

use crate::cell::Delivery;
use crate::oracle::Outcome;
use crate::oracle::Source;
use crate::relay_stage::{MARK, frames, is_usage, plain};
use crate::support::{Answer, Client, post};

/// What stands where a mark will.
const BLANK: &str = "BLANK";

/// An answer without faults.
pub fn good(tokens: usize, mark: &str) -> String {
    format!("tokens={tokens},prompt=7,canary={mark},error_message={MARK}")
}

/// The provider's own answers, by length and delivery, with a blank for model and mark.
#[derive(Default)]
pub struct Truths {
    answers: HashMap<(usize, Delivery), String>,
    errors: HashMap<(String, Delivery), String>,
}

impl Truths {
    /// Asks for a good answer of that length.
    pub async fn learn(&mut self, sim: &Sim, tokens: usize, delivery: Delivery) {
        if self.answers.contains_key(&(tokens, delivery)) {
            return;
        }
        let answer = ask(sim, &good(tokens, BLANK), delivery).await;
        assert_eq!(answer.status, 200);
        let text = plain(&answer);
        let kept = frames(&text).into_iter().filter(|frame| !is_usage(frame));
        let text = match delivery {
            Delivery::Stream => kept.collect(),
            Delivery::Whole => text,
        };
        self.answers.insert((tokens, delivery), text);
    }

    /// Asks for the error of a script: the body, or the data of the error event.
    pub async fn learn_error(&mut self, sim: &Sim, script: &str, delivery: Delivery) {
        if self.errors.contains_key(&(script.to_owned(), delivery)) {
            return;
        }
        let full = [&good(1, BLANK), script].map(str::trim).join(",");
        let answer = ask(sim, &full, delivery).await;
        let text = if answer.status == 200 && delivery == Delivery::Stream {
            let events = answer.events();
            let error = events.iter().find(|data| data.starts_with("{\"error\""));
            error
                .unwrap_or_else(|| panic!("{full}: {answer:?}"))
                .clone()
        } else {
            answer.text().to_owned()
        };
        self.errors.insert((script.to_owned(), delivery), text);
    }

    /// The answer of that length from a model, with its mark.
    pub fn answer(&self, tokens: usize, delivery: Delivery, model: &str, mark: &str) -> String {
        let text = &self.answers[&(tokens, delivery)];
        let text = text.replace(
            &format!("\"model\":\"{BLANK}\""),
            &format!("\"model\":\"{model}\""),
        );
        text.replace(BLANK, mark)
    }

    /// The error of a script.
    pub fn error(&self, script: &str, delivery: Delivery) -> &str {
        &self.errors[&(script.to_owned(), delivery)]
    }
}

async fn ask(sim: &Sim, script: &str, delivery: Delivery) -> Answer {
    let extra = match delivery {
        Delivery::Stream => "\"stream\":true,\"stream_options\":{\"include_usage\":true},",
        Delivery::Whole => "",
    };
    let body = format!("{{{extra}\"model\":\"{BLANK}\",\"messages\":[]}}");
    let header = format!("x-sim-script: {script}\r\n");
    let mut direct = Client::connect(sim.address()).await;
    direct
        .send(&post("/v1/chat/completions", &header, &body))
        .await;
    direct.answer().await
}

/// What a client got, told from its bytes alone; `Err` for what no client may get.
pub fn read(
    answer: &Answer,
    delivery: Delivery,
    sources: &[(Source, String)],
) -> Result<Outcome, String> {
    if !answer.complete {
        return Err("the framing has no end".to_owned());
    }
    if answer.status != 200 {
        return read_error(answer);
    }
    one_id(answer)?;
    // Comments are no part of an answer.
    let text = plain(answer).replace(": ping\n\n", "");
    if let Some((source, _)) = sources.iter().find(|(_, truth)| *truth == text) {
        let wanted = match delivery {
            Delivery::Stream => "text/event-stream",
            Delivery::Whole => "application/json",
        };
        let named = answer.header("content-type").unwrap_or_default();
        return named
            .starts_with(wanted)
            .then_some(Outcome::Answer(*source))
            .ok_or_else(|| format!("content type {named:?}"));
    }
    if delivery == Delivery::Whole {
        return Err("a document that nobody said".to_owned());
    }
    let got = frames(&text);
    let Some((last, before)) = got.split_last() else {
        return Err("a stream of nothing".to_owned());
    };
    let (_, first) = &sources[0];
    if !frames(first).starts_with(before) || before.len() < 2 {
        return Err("no exact beginning of the first answer".to_owned());
    }
    let data = last
        .strip_prefix("data: ")
        .and_then(|rest| rest.strip_suffix("\n\n"));
    let data = data.ok_or("the last event is none")?;
    is_error(data)?;
    if data.contains(MARK) {
        return Err("a provider's words in our error".to_owned());
    }
    Ok(Outcome::Broken(before.len()))
}

fn read_error(answer: &Answer) -> Result<Outcome, String> {
    if answer.header("content-type") != Some("application/json") {
        return Err("an error that is not JSON".to_owned());
    }
    let text = answer.text();
    is_error(text)?;
    Ok(if text.contains(MARK) {
        Outcome::Theirs(answer.status)
    } else {
        Outcome::Ours(answer.status)
    })
}

/// Whether it is an error as every SDK reads it.
fn is_error(text: &str) -> Result<(), String> {
    let error: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let fields = error["error"].as_object().ok_or("no error object")?;
    let names: Vec<_> = fields.keys().map(String::as_str).collect();
    (names == ["code", "message", "param", "type"])
        .then_some(())
        .ok_or_else(|| format!("an error with the fields {names:?}"))
}

/// One answer has one id: that of the attempt that gave it.
fn one_id(answer: &Answer) -> Result<(), String> {
    let mut ids = answer.text().split("chatcmpl-sim-").skip(1).map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_digit());
        rest.split_at(end.unwrap_or(rest.len())).0
    });
    let first = ids.next();
    match ids.find(|id| Some(*id) != first) {
        None => Ok(()),
        Some(id) => Err(format!("two ids: {first:?} and {id:?}")),
    }
}
