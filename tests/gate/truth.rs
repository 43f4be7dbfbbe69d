//! What a provider itself says: the measure of every byte that a client gets.

use std::collections::HashMap;

use segue::sim::Sim;

use crate::cell::{Cell, Delivery};
use crate::format::Format;
use crate::oracle::{Outcome, Source};
use crate::reader::{self, End};
use crate::relay_stage::{MARK, frames, is_usage, plain};
use crate::support::{Answer, Client, post};

/// What stands where a mark will.
const BLANK: &str = "BLANK";

/// The prompt's tokens.
const PROMPT: u64 = 7;

/// An answer without faults.
pub fn good(tokens: usize, mark: &str) -> String {
    format!("tokens={tokens},prompt={PROMPT},canary={mark},error_message={MARK}")
}

/// The provider's own answers, by length and delivery, with a blank for model and mark.
#[derive(Default)]
pub struct Truths {
    answers: HashMap<(usize, Delivery), String>,
    errors: HashMap<(Format, String, Delivery), String>,
}

impl Truths {
    /// Asks for a good answer of that length.
    pub async fn learn(&mut self, sim: &Sim, tokens: usize, delivery: Delivery) {
        if self.answers.contains_key(&(tokens, delivery)) {
            return;
        }
        let answer = ask(sim, Format::OpenAi, &good(tokens, BLANK), delivery).await;
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
    pub async fn learn_error(
        &mut self,
        sim: &Sim,
        format: Format,
        script: &str,
        delivery: Delivery,
    ) {
        let key = (format, script.to_owned(), delivery);
        if self.errors.contains_key(&key) {
            return;
        }
        let full = [&good(1, BLANK), script].map(str::trim).join(",");
        let answer = ask(sim, format, &full, delivery).await;
        let text = if answer.status == 200 && delivery == Delivery::Stream {
            let lines = answer.text().lines();
            let mut data = lines.filter_map(|line| line.strip_prefix("data: "));
            let error = data.find(|data| reader::error(format, data).is_ok());
            error
                .unwrap_or_else(|| panic!("{full}: {answer:?}"))
                .to_owned()
        } else {
            answer.text().to_owned()
        };
        self.errors.insert(key, unnumbered(&text));
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
    pub fn error(&self, format: Format, script: &str, delivery: Delivery) -> &str {
        &self.errors[&(format, script.to_owned(), delivery)]
    }
}

/// A text without the number that Anthropic's errors have in them.
pub fn unnumbered(text: &str) -> String {
    let mut parts = text.split("req_sim_");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "req_sim_N" + part.trim_start_matches(|letter: char| letter.is_ascii_digit())
    })
}

async fn ask(sim: &Sim, format: Format, script: &str, delivery: Delivery) -> Answer {
    let header = format!("x-sim-script: {script}\r\n");
    let request = match format {
        Format::OpenAi => {
            let extra = match delivery {
                Delivery::Stream => "\"stream\":true,\"stream_options\":{\"include_usage\":true},",
                Delivery::Whole => "",
            };
            let body = format!("{{{extra}\"model\":\"{BLANK}\",\"messages\":[]}}");
            post("/v1/chat/completions", &header, &body)
        }
        Format::Anthropic | Format::Gemini => format.request_with(&header, BLANK, delivery),
    };
    let mut direct = Client::connect(sim.address()).await;
    direct.send(&request).await;
    direct.answer().await
}

/// What a source says, in no format's words but for the finish.
pub struct Expected {
    pub text: String,
    pub tokens: usize,
    pub finish: String,
}

/// What a client got across formats, told from its bytes alone; `Err` for what no client may get.
pub fn hear(
    answer: &Answer,
    cell: &Cell,
    sources: &[(Source, Expected)],
) -> Result<Outcome, String> {
    let client = cell.speaks.client;
    if !answer.complete {
        return Err("the framing has no end".to_owned());
    }
    let named = answer.header("content-type").unwrap_or_default();
    let wanted = match (answer.status, cell.delivery) {
        (200, Delivery::Stream) => "text/event-stream",
        _ => "application/json",
    };
    if !named.starts_with(wanted) {
        return Err(format!("content type {named:?}"));
    }
    if answer.status != 200 {
        reader::error(client, answer.text())?;
        return Ok(if answer.text().contains(MARK) {
            Outcome::Theirs(answer.status)
        } else {
            Outcome::Ours(answer.status)
        });
    }
    let heard = match cell.delivery {
        Delivery::Stream => reader::stream(client, answer.text())?,
        Delivery::Whole => reader::whole(client, answer.text())?,
    };
    let finish = match heard.end {
        End::Finished(finish) => finish,
        End::Broken if answer.text().contains(MARK) => {
            return Err("a provider's words in our error".to_owned());
        }
        End::Broken => return beginning(&heard.text, &sources[0].1),
    };
    let (source, said) = sources
        .iter()
        .find(|(_, said)| said.text == heard.text)
        .ok_or_else(|| format!("a text that nobody said: {:?}", heard.text))?;
    let usage = heard.usage.unwrap_or((PROMPT, said.tokens as u64));
    if finish != said.finish || usage != (PROMPT, said.tokens as u64) {
        return Err(format!("finish {finish:?}, usage {usage:?} of {source:?}"));
    }
    Ok(Outcome::Answer(*source))
}

/// So many whole tokens of an answer, and no letter more; the envelope counts as one.
fn beginning(text: &str, said: &Expected) -> Result<Outcome, String> {
    let rest = said
        .text
        .strip_prefix(text)
        .ok_or_else(|| format!("no beginning of the first answer: {text:?}"))?;
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err(format!("half a token: {text:?}"));
    }
    Ok(Outcome::Broken(text.matches(' ').count() + 1))
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
    reader::error(Format::OpenAi, data)?;
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
    reader::error(Format::OpenAi, text)?;
    Ok(if text.contains(MARK) {
        Outcome::Theirs(answer.status)
    } else {
        Outcome::Ours(answer.status)
    })
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

#[cfg(test)]
mod tests {
    use segue::sim::{Options, answer_text};

    use super::*;

    /// The strict readers and the simulator agree on what an answer is.
    #[tokio::test]
    async fn a_provider_speaks_as_its_clients_read() {
        let sim = Sim::start(Options::default()).await.unwrap();
        for format in [Format::OpenAi, Format::Anthropic] {
            for (script, text, whole) in [
                ("tokens=9,prompt=7", answer_text(9), true),
                ("tokens=9,prompt=7,finish=length", answer_text(9), true),
                ("tokens=9,no_done,error@4", answer_text(4), false),
            ] {
                let answer = ask(&sim, format, script, Delivery::Stream).await;
                let heard = reader::stream(format, answer.text()).unwrap();
                assert_eq!(heard.text, text, "{format:?} {script}");
                assert_eq!(heard.end != End::Broken, whole, "{format:?} {script}");
                assert_eq!(heard.usage, whole.then_some((7, 9)), "{format:?}");
                if whole {
                    let answer = ask(&sim, format, script, Delivery::Whole).await;
                    let heard = reader::whole(format, answer.text()).unwrap();
                    assert_eq!((heard.text, heard.usage), (text, Some((7, 9))));
                }
            }
            for script in ["status=400", "status=529", "status=503"] {
                let answer = ask(&sim, format, script, Delivery::Stream).await;
                assert_eq!(reader::error(format, answer.text()), Ok(()));
            }
        }
    }
}
