//! A step played: the request is made, what comes of it is shown, and every claim is checked, on the
//! client's side and in the providers' journals.

use std::fmt::Debug;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::client::{self, Answer, ClientError};
use crate::cli::demo::calm;
use crate::cli::demo::page::{Page, milliseconds};
use crate::cli::demo::sides::Sides;
use crate::cli::demo::stage::{Provider, Stage};
use crate::cli::demo::step::{Promise, ProviderEnd, Rescue, Step};
use crate::cli::demo::truth::without_id;
use crate::cli::heard::{Heard, json, text};
use crate::sim::{End, NotSeen, answer_text};

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
    #[error("byte {at} of the answer is not the provider's")]
    Bytes { at: usize },
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

/// What is known before a step.
pub(super) struct Before {
    /// What the client must get, without its id.
    truth: Option<Arc<[u8]>>,
    /// The time to an undisturbed first token, for a rescue.
    calm: Duration,
}

impl Before {
    pub(super) async fn of(
        stage: &Stage,
        step: &Step,
        truth: Option<Arc<[u8]>>,
    ) -> Result<Self, ClientError> {
        let calm = match step.promise {
            Promise::Rescue(_) => calm::first_token(stage).await?,
            _ => Duration::ZERO,
        };
        Ok(Self { truth, calm })
    }
}

/// A step under way.
pub(super) struct Scene<'a, W> {
    stage: &'a Stage,
    page: &'a mut Page<W>,
    before: Before,
    sides: Sides<'a>,
    began: Instant,
}

impl<'a, W: Write> Scene<'a, W> {
    pub(super) fn new(stage: &'a Stage, page: &'a mut Page<W>, before: Before) -> Self {
        Self {
            stage,
            page,
            before,
            sides: Sides::new(stage),
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
            Promise::Rescue(rescue) => self.rescue(&mut answer, *rescue).await,
            Promise::Break { tokens, code } => self.breaks(&mut answer, *tokens, code).await,
            Promise::Exhausted {
                status,
                code,
                retry_after,
            } => self.exhausted(answer, *status, code, retry_after).await,
            Promise::Surfaced { status } => self.surfaced(answer, *status).await,
            Promise::Leave { tokens } => self.leaves(answer, *tokens).await,
            Promise::Door { status, kind } => self.door(answer, *status, kind).await,
        }
    }

    async fn whole(&mut self, mut answer: Answer, tokens: u64) -> Result<Option<String>, Unkept> {
        let words = text(&json(answer.whole().await?), "/choices/0/message/content");
        self.page.words(&words)?;
        same("the status", &200, &answer.status)?;
        same("the words", &answer_text(tokens), &words)?;
        self.all_true(answer.body())?;
        self.steady_served().await?;
        Ok(None)
    }

    async fn stream(&mut self, answer: &mut Answer, tokens: u64) -> Result<Option<String>, Unkept> {
        let spoken = self.good_stream(answer, tokens).await?;
        self.steady_served().await?;
        let first = milliseconds(spoken.first);
        Ok(Some(format!("the first after {first}")))
    }

    async fn rescue(
        &mut self,
        answer: &mut Answer,
        promised: Rescue,
    ) -> Result<Option<String>, Unkept> {
        let spoken = self.good_stream(answer, promised.tokens).await?;
        let headers = ["x-segue-attempts", "x-segue-fallback-reason"];
        let [attempts, reason] = self.headers(answer, headers)?;
        let cost = milliseconds(spoken.first.saturating_sub(self.before.calm));
        let (first, calm) = (milliseconds(spoken.first), milliseconds(self.before.calm));
        self.page.line_of(
            "cost",
            &format!("{cost}: the first token after {first}, undisturbed after {calm}"),
        )?;
        same("the attempts", &(promised.tries + 1).to_string(), &attempts)?;
        same("the reason", promised.reason, reason.as_str())?;
        let target = answer.header("x-segue-target").unwrap_or_default();
        let (provider, _) = target.split_once('/').unwrap_or_default();
        same("who answers", Provider::Steady.name(), provider)?;
        self.shaky_ended(promised.tries, promised.end).await?;
        self.steady_served().await?;
        Ok(None)
    }

    async fn breaks(
        &mut self,
        answer: &mut Answer,
        tokens: u64,
        code: &str,
    ) -> Result<Option<String>, Unkept> {
        let spoken = self.listen(answer).await?;
        self.headers(answer, ["x-segue-attempts", "x-segue-held-ms"])?;
        same("the end", &Some(Heard::Error(code.to_owned())), &spoken.end)?;
        same("after the error", &None, &answer.event().await?)?;
        same("the words", &answer_text(tokens), &spoken.words)?;
        self.true_but_for_the_end(answer.body())?;
        self.shaky_ended(1, ProviderEnd::Cut).await?;
        self.not_asked(Provider::Steady)?;
        Ok(None)
    }

    async fn exhausted(
        &mut self,
        mut answer: Answer,
        status: u16,
        code: &str,
        retry_after: &str,
    ) -> Result<Option<String>, Unkept> {
        let said = text(&json(answer.whole().await?), "/error/code");
        self.page.word(&said)?;
        let wait = answer.header("retry-after").unwrap_or_default();
        self.page.word(&format!("(retry-after: {wait})"))?;
        self.page.end()?;
        same("the status", &status, &answer.status)?;
        same("the code", code, said.as_str())?;
        same("retry-after", retry_after, wait)?;
        self.shaky_ended(1, ProviderEnd::Any).await?;
        self.steady_served().await?;
        Ok(None)
    }

    async fn surfaced(
        &mut self,
        mut answer: Answer,
        status: u16,
    ) -> Result<Option<String>, Unkept> {
        let message = text(&json(answer.whole().await?), "/error/message");
        self.page.words(&message)?;
        same("the status", &status, &answer.status)?;
        self.all_true(answer.body())?;
        self.shaky_ended(1, ProviderEnd::Any).await?;
        self.not_asked(Provider::Steady)?;
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
        let ends = self.sides.ends(Provider::Shaky, 1).await?;
        let [End::ClientClosed { at, .. }] = ends[..] else {
            return Err(differs("the provider's end", &"ClientClosed", &ends));
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
        let body = json(answer.whole().await?);
        let said = text(&body, "/error/type");
        let message = text(&body, "/error/message");
        self.page.words(&format!("{said}: {message}"))?;
        same("the status", &status, &answer.status)?;
        same("the type", kind, said.as_str())?;
        self.not_asked(Provider::Shaky)?;
        self.not_asked(Provider::Steady)?;
        Ok(None)
    }

    /// Hears a stream that must be good to its last byte.
    async fn good_stream(&mut self, answer: &mut Answer, tokens: u64) -> Result<Spoken, Unkept> {
        let spoken = self.listen(answer).await?;
        same("the end", &Some(Heard::Done), &spoken.end)?;
        same("after the end", &None, &answer.event().await?)?;
        same("the words", &answer_text(tokens), &spoken.words)?;
        self.all_true(answer.body())?;
        Ok(spoken)
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

    /// Shows these headers of an answer and gives their values.
    fn headers<const N: usize>(
        &mut self,
        answer: &Answer,
        names: [&str; N],
    ) -> Result<[String; N], Unkept> {
        let values = names.map(|name| answer.header(name).unwrap_or("none").to_owned());
        let shown = names.iter().zip(&values);
        let shown: Vec<_> = shown
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        self.page.line_of("headers", &shown.join("  "))?;
        Ok(values)
    }

    /// The client has got what the provider says, to the byte, and nothing else.
    fn all_true(&self, body: &[u8]) -> Result<(), Unkept> {
        self.is_true(body, usize::MAX)
    }

    /// The same, and then the error event that has been heard.
    fn true_but_for_the_end(&self, body: &[u8]) -> Result<(), Unkept> {
        self.is_true(body, self.truth().len())
    }

    fn is_true(&self, body: &[u8], until: usize) -> Result<(), Unkept> {
        let (truth, body) = (self.truth(), without_id(body));
        let seen = body.get(..until).unwrap_or(&body);
        if truth == seen {
            return Ok(());
        }
        let alike = truth
            .iter()
            .zip(seen)
            .take_while(|(one, other)| one == other);
        Err(Unkept::Bytes { at: alike.count() })
    }

    fn truth(&self) -> &[u8] {
        self.before.truth.as_deref().unwrap_or_default()
    }

    async fn shaky_ended(&self, tries: usize, promised: ProviderEnd) -> Result<(), Unkept> {
        let ends = self.sides.ends(Provider::Shaky, tries).await?;
        same("requests at the first provider", &tries, &ends.len())?;
        match ends.iter().find(|end| !promised.covers(**end)) {
            Some(end) => Err(differs("the first provider's end", &promised, end)),
            None => Ok(()),
        }
    }

    /// The steady provider was asked once and has said all.
    async fn steady_served(&self) -> Result<(), Unkept> {
        let ends = self.sides.ends(Provider::Steady, 1).await?;
        same("the provider's end", &[End::Served][..], &ends[..])
    }

    fn not_asked(&self, provider: Provider) -> Result<(), Unkept> {
        same("requests at a provider", &0, &self.sides.asked(provider))
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
