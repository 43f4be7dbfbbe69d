//! A step played: the request is made, what comes of it is shown, and every claim is checked, on the
//! client's side and in the provider's journal.

use std::fmt::Debug;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::demo::client::{self, Answer, ClientError};
use crate::cli::demo::heard::{Heard, json, text};
use crate::cli::demo::page::{Page, milliseconds};
use crate::cli::demo::stage::Stage;
use crate::cli::demo::step::{Promise, Refusal, Step};
use crate::sim::{End, Entry, NotSeen, answer_text};

/// How long the provider's side of a step may take to end after the client's.
const PATIENCE: Duration = Duration::from_secs(5);

/// How late the provider may notice at most that a client has left.
const NOTICED: Duration = Duration::from_secs(2);

/// How a step did not go as promised.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unkept {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{what}: {seen}, not {promised}")]
    Differs {
        what: &'static str,
        promised: String,
        seen: String,
    },
    #[error("the provider's side: {0}")]
    Provider(#[from] NotSeen),
    #[error("the provider did not notice for {}", milliseconds(*.0))]
    Unnoticed(Duration),
    #[error("nothing for {}", milliseconds(*.0))]
    Slow(Duration),
    #[error("cannot write: {0}")]
    Page(#[from] io::Error),
}

/// What came of a stream.
struct Spoken {
    words: String,
    /// From the request to its first word.
    first: Duration,
    end: Option<Heard>,
}

/// A step under way.
pub(super) struct Scene<'a, W> {
    stage: &'a Stage,
    page: &'a mut Page<W>,
    /// Requests that the provider had seen before.
    before: u64,
    began: Instant,
}

impl<'a, W: Write> Scene<'a, W> {
    pub(super) fn new(stage: &'a Stage, page: &'a mut Page<W>) -> Self {
        let before = stage.sim.journal().received();
        Self {
            stage,
            page,
            before,
            began: Instant::now(),
        }
    }

    /// Plays a step; tells what was measured, if there is something to measure.
    pub(super) async fn play(mut self, step: &Step) -> Result<Option<String>, Unkept> {
        let mut answer = client::post(self.stage.address, &step.body()).await?;
        self.page.client(answer.status)?;
        match &step.promise {
            Promise::Whole { tokens } => self.whole(answer, *tokens).await,
            Promise::Stream { tokens } => self.stream(&mut answer, *tokens).await,
            Promise::Status(refusal) => self.refusal(answer, refusal).await,
            Promise::Break { tokens, code } => self.breaks(&mut answer, *tokens, code).await,
            Promise::Leave { tokens } => self.leaves(answer, *tokens).await,
            Promise::Door { status, kind } => self.door(answer, *status, kind).await,
        }
    }

    async fn whole(&mut self, mut answer: Answer, tokens: u64) -> Result<Option<String>, Unkept> {
        let body = json(&answer.whole().await?);
        let words = text(&body, "/choices/0/message/content");
        for word in words.split_whitespace() {
            self.page.word(word)?;
        }
        self.page.end()?;
        same("the status", &200, &answer.status)?;
        same("the words", &answer_text(tokens), &words)?;
        same(
            "the provider\'s end",
            &End::Served,
            &self.provider_end().await?,
        )?;
        Ok(None)
    }

    async fn stream(&mut self, answer: &mut Answer, tokens: u64) -> Result<Option<String>, Unkept> {
        let spoken = self.listen(answer).await?;
        same("the end", &Some(Heard::Done), &spoken.end)?;
        same("after the end", &None, &answer.event().await?)?;
        same("the words", &answer_text(tokens), &spoken.words)?;
        same(
            "the provider\'s end",
            &End::Served,
            &self.provider_end().await?,
        )?;
        let first = milliseconds(spoken.first);
        Ok(Some(format!("the first after {first}")))
    }

    async fn refusal(
        &mut self,
        mut answer: Answer,
        promised: &Refusal,
    ) -> Result<Option<String>, Unkept> {
        let body = json(&answer.whole().await?);
        let code = text(&body, "/error/code");
        self.page.word(&code)?;
        let retry_after = answer.header("retry-after");
        if let Some(seconds) = retry_after {
            self.page.word(&format!("(retry-after: {seconds})"))?;
        }
        self.page.end()?;
        same("the status", &promised.status, &answer.status)?;
        same("the code", promised.code, code.as_str())?;
        same("retry-after", &promised.retry_after, &retry_after)?;
        let end = self.provider_end().await?;
        if !promised.provider.covers(end) {
            return Err(differs("the provider's end", &promised.provider, &end));
        }
        Ok(None)
    }

    async fn breaks(
        &mut self,
        answer: &mut Answer,
        tokens: u64,
        code: &str,
    ) -> Result<Option<String>, Unkept> {
        let spoken = self.listen(answer).await?;
        same("the end", &Some(Heard::Error(code.to_owned())), &spoken.end)?;
        same("after the error", &None, &answer.event().await?)?;
        same("the words", &answer_text(tokens), &spoken.words)?;
        same(
            "the provider\'s end",
            &End::Cut,
            &self.provider_end().await?,
        )?;
        Ok(None)
    }

    async fn leaves(
        &mut self,
        mut answer: Answer,
        tokens: usize,
    ) -> Result<Option<String>, Unkept> {
        let mut heard = 0;
        while heard < tokens {
            match self.hear(&mut answer).await? {
                Some(Heard::Word(_)) => heard += 1,
                Some(Heard::Other) => {}
                end => return Err(differs("the stream", &"a word", &end)),
            }
        }
        drop(answer);
        let left = Instant::now();
        self.page.word("(leaves)")?;
        self.page.end()?;
        let end = self.provider_end().await?;
        let End::ClientClosed { at, .. } = end else {
            return Err(differs("the provider's end", &"ClientClosed", &end));
        };
        let noticed = at.saturating_duration_since(left);
        if noticed > NOTICED {
            return Err(Unkept::Unnoticed(noticed));
        }
        Ok(Some(format!("{} later", milliseconds(noticed))))
    }

    async fn door(
        &mut self,
        mut answer: Answer,
        status: u16,
        kind: &str,
    ) -> Result<Option<String>, Unkept> {
        let body = json(&answer.whole().await?);
        let said = text(&body, "/error/type");
        self.page.word(&format!("{said}:"))?;
        for word in text(&body, "/error/message").split_whitespace() {
            self.page.word(word)?;
        }
        self.page.end()?;
        same("the status", &status, &answer.status)?;
        same("the type", kind, said.as_str())?;
        let reached = self.stage.sim.journal().received();
        same("requests at the provider", &self.before, &reached)?;
        Ok(None)
    }

    /// Hears a stream out, to an end of any kind.
    async fn listen(&mut self, answer: &mut Answer) -> Result<Spoken, Unkept> {
        same("the status", &200, &answer.status)?;
        let mut first = None;
        let mut words = String::new();
        let end = loop {
            match self.hear(answer).await? {
                Some(Heard::Word(word)) => {
                    first.get_or_insert_with(|| self.began.elapsed());
                    words.push_str(&word);
                }
                Some(Heard::Other) => {}
                end => break end,
            }
        };
        self.page.end()?;
        Ok(Spoken {
            words,
            first: first.unwrap_or_default(),
            end,
        })
    }

    /// Waits for the next event and shows it; `None` is the stream's proper end.
    async fn hear(&mut self, answer: &mut Answer) -> Result<Option<Heard>, Unkept> {
        let Some(data) = answer.event().await? else {
            return Ok(None);
        };
        let heard = Heard::parse(&data);
        match &heard {
            Heard::Word(word) => self.page.word(word)?,
            Heard::Error(code) => self.page.word(&format!("(error: {code})"))?,
            Heard::Done => self.page.word("[DONE]")?,
            Heard::Other => {}
        }
        Ok(Some(heard))
    }

    /// How this step's request ended for the provider.
    async fn provider_end(&self) -> Result<End, Unkept> {
        let end_of = |entries: &[Arc<Entry>]| {
            let mut new = entries.iter().filter(|entry| entry.number > self.before);
            new.find_map(|entry| entry.end())
        };
        let journal = self.stage.sim.journal();
        let entries = journal
            .wait_for(|entries| end_of(entries).is_some(), PATIENCE)
            .await?;
        end_of(&entries).ok_or_else(|| differs("the provider's end", &"any", &"none"))
    }
}

fn same<T: PartialEq + Debug + ?Sized>(
    what: &'static str,
    promised: &T,
    seen: &T,
) -> Result<(), Unkept> {
    if promised == seen {
        Ok(())
    } else {
        Err(differs(what, promised, seen))
    }
}

fn differs(
    what: &'static str,
    promised: &(impl Debug + ?Sized),
    seen: &(impl Debug + ?Sized),
) -> Unkept {
    Unkept::Differs {
        what,
        promised: format!("{promised:?}"),
        seen: format!("{seen:?}"),
    }
}
