//! One request: read, chosen a script for, answered.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::BytesMut;
use tokio::time::Instant;

use crate::sim::asked::{Asked, Refused};
use crate::sim::catalog::{self, Told};
use crate::sim::control;
use crate::sim::deliver::{Document, Exchange};
use crate::sim::endpoint::{Endpoint, Task};
use crate::sim::entry::{BodyRecorder, End};
use crate::sim::head::{BodyLength, Head, Persistence};
use crate::sim::heard::Heard;
use crate::sim::intake::read_body;
use crate::sim::journal::UnderWay;
use crate::sim::link::{Broken, Last, Link, Over, Unfit};
use crate::sim::reply::BodySize;
use crate::sim::script::{Content, Counting, ErrorText, ParseError, Reading, Script, is_canary};
use crate::sim::spoken;
use crate::sim::state::State;
use crate::sim::truth::Truth;
use crate::sim::wire::later;
use crate::sim::{openai, tokens};

/// Why a request is not answered as asked.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the script: {0}")]
    Script(#[from] ParseError),
    #[error("{0}")]
    Asked(#[from] Refused),
    #[error("x-sim-canary: expected 1 to 64 of A-Z a-z 0-9 . _ -")]
    Canary,
    #[error("no such endpoint")]
    Endpoint,
}

/// What is to become of the connection after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It can be used again.
    Reuse,
    /// It is done, as its peer knows.
    Close,
    /// It is closed in good order, but nobody was told.
    Stale,
    /// It ends here and now.
    Cut,
    /// It ends with an RST; of several exchanges only this one.
    Reset,
    /// This exchange was turned away untouched.
    Refuse,
    /// It ends with bytes of no format.
    Garbage,
}

/// Answers one request, and tells what the connection's lot is.
pub(crate) async fn request(
    state: &State,
    link: &mut impl Link,
    head: &Head,
    connection: u64,
) -> After {
    if control::is_for(&head.path) {
        control(state, link, head).await
    } else {
        exchange(state, link, head, connection).await
    }
}

/// Answers a request to the simulator itself.
async fn control(state: &State, link: &mut impl Link, head: &Head) -> After {
    let mut recorder = BodyRecorder::counting();
    let Ok(body) = read_body(link, state.largest_body, &mut recorder).await else {
        return After::Close;
    };
    let (head_bytes, body) = control::answer(state, head, &body);
    let Ok(mut answer) = link.open(head_bytes) else {
        return After::Close;
    };
    answer.extend_from_slice(&body);
    let sent = link.send(&answer, Last::End, &AtomicU64::new(0)).await;
    match (sent, head.persistence) {
        (Ok(()), Persistence::KeepAlive) => After::Reuse,
        _ => After::Close,
    }
}

/// Serves one request.
async fn exchange<L: Link>(state: &State, link: &mut L, head: &Head, connection: u64) -> After {
    let under_way = UnderWay::new(&state.journal, connection, head);
    let mut serving = Serving {
        state,
        link,
        endpoint: Endpoint::of(head),
        head,
        under_way,
    };
    match serving.run().await {
        Ok((persistence, script)) => {
            serving.under_way.end(End::Served);
            if let Some(after) = script.close_after {
                let end = later(Instant::now(), after);
                // A request that comes in meanwhile is lost: that is what is rehearsed.
                let _ = serving.link.silence_until(end).await;
                return After::Stale;
            }
            match persistence {
                Persistence::KeepAlive => After::Reuse,
                Persistence::Close => After::Close,
            }
        }
        Err(Failed::Over(Over::Unfit(Unfit(why)))) => serving.refuse(400, why.to_owned()).await,
        Err(Failed::Over(over)) => serving.over(over),
        Err(Failed::Refused(status, message)) => serving.refuse(status, message).await,
    }
}

/// Why an exchange did not go its way.
enum Failed {
    Over(Over),
    /// To be answered with an error of our own: status and message.
    Refused(u16, String),
}

impl From<Over> for Failed {
    fn from(over: Over) -> Self {
        Self::Over(over)
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Endpoint => 404,
            Refusal::Asked(refused) => refused.status,
            Refusal::Script(_) | Refusal::Canary => 400,
        };
        Self::Refused(status, refusal.to_string())
    }
}

impl From<Broken> for Failed {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Gone(gone) => Self::Over(Over::Gone(gone)),
            Broken::Malformed => Self::Refused(400, "malformed chunks".to_owned()),
            Broken::TooLarge => Self::Refused(413, "the body is too large".to_owned()),
            Broken::Slow => Self::Refused(408, "the body took too long".to_owned()),
        }
    }
}

/// A request being served.
struct Serving<'a, L> {
    state: &'a State,
    link: &'a mut L,
    head: &'a Head,
    endpoint: Endpoint,
    under_way: UnderWay<'a>,
}

impl<L: Link> Serving<'_, L> {
    async fn run(&mut self) -> Result<(Persistence, Arc<Script>), Failed> {
        let task = self.endpoint.task;
        if self
            .head
            .field("x-sim-canary")
            .is_some_and(|canary| !is_canary(&canary))
        {
            return Err(Refusal::Canary.into());
        }
        let by_header = match self.head.field("x-sim-script") {
            Some(text) => {
                let script = text.parse().map_err(Refusal::Script)?;
                Some(self.state.perhaps(script))
            }
            None => None,
        };
        let early = match by_header {
            Some(script) => Some(script),
            None if matches!(task, Task::Answer | Task::Embeddings | Task::Count) => {
                self.state.unread()
            }
            None => None,
        };
        if let Some(script) = &early
            && script.reading == Reading::Nothing
        {
            let exchange = self.begin(script, Persistence::Close);
            let persistence = exchange.speak(&Asked::unread(), None, None).await?;
            return Ok((persistence, script.clone()));
        }
        let bytes = &self.under_way.entry.bytes;
        let come = self.link.let_body_come(self.head, bytes).await;
        come.map_err(Over::Gone)?;
        if task == Task::Echo {
            return self.echo(early).await;
        }
        let body = self.body().await?;
        match task {
            Task::Answer => self.speak(early, &body).await,
            _ => self.tell(early, &body).await,
        }
    }

    /// Answers a request that has been read with a document.
    async fn tell(
        &mut self,
        early: Option<Arc<Script>>,
        body: &[u8],
    ) -> Result<(Persistence, Arc<Script>), Failed> {
        let task = self.endpoint.task;
        let told = catalog::tell(&self.endpoint, self.head, body, &self.state.models());
        let told = told.map_err(Refusal::Asked)?;
        let script = match told {
            None => return Err(Refusal::Endpoint.into()),
            Some(Told {
                model: Some(ref model),
                ..
            }) => {
                self.under_way.model(model);
                self.script_for(early, model)?
            }
            Some(Told { path, .. }) => early.unwrap_or_else(|| self.state.for_path(path)),
        };
        let document = told.map_or_else(Vec::new, |told| told.document);
        if task == Task::Embeddings && script.status == 200 && script.body.is_none() {
            let taken = openai::embedded(body.len() as u64);
            self.under_way.entry.set_truth(Truth {
                taken,
                told: Some(taken),
            });
        }
        let exchange = self.begin(&script, self.head.persistence);
        let persistence = exchange.document(Document::json(document)).await?;
        Ok((persistence, script))
    }

    /// Answers a request for an answer.
    async fn speak(
        &mut self,
        early: Option<Arc<Script>>,
        body: &[u8],
    ) -> Result<(Persistence, Arc<Script>), Failed> {
        let voice = self.endpoint.voice;
        let asked = spoken::asked(&self.endpoint, self.head, body);
        let asked = asked.map_err(Refusal::Asked)?;
        self.under_way.model(&asked.model);
        let script = self.script_for(early, &asked.model)?;
        let echoes = script.content == Content::Echo;
        let counts = script.counting == Counting::Encoding;
        let heard = (echoes || counts).then(|| spoken::heard(voice, body));
        let echo = heard.as_ref().filter(|_| echoes).map(Heard::to_text);
        let prompt = heard.as_ref().filter(|_| counts).map(tokens::prompt);
        let exchange = self.begin(&script, self.head.persistence);
        let persistence = exchange.speak(&asked, echo, prompt).await?;
        Ok((persistence, script))
    }

    /// Sends a body back as it comes; a request without one gets its method and path.
    async fn echo(
        &mut self,
        early: Option<Arc<Script>>,
    ) -> Result<(Persistence, Arc<Script>), Failed> {
        let path = self.head.path.clone();
        let script = early.unwrap_or_else(|| self.state.for_path_or_any(&path));
        let size = match self.head.length {
            BodyLength::Known(length) if script.encoding.is_none() => BodySize::Known(length),
            BodyLength::Known(_) | BodyLength::Chunked => BodySize::Unknown,
        };
        if size == BodySize::Known(0) || script.status != 200 || script.body.is_some() {
            self.body().await?;
            let told = serde_json::json!({ "method": self.head.method, "path": path });
            let document = Document::json(told.to_string().into_bytes());
            let exchange = self.begin(&script, self.head.persistence);
            return Ok((exchange.document(document).await?, script));
        }
        let mut recorder = self.state.journal.recorder();
        let exchange = self.begin(&script, self.head.persistence);
        let echoed = exchange.echo(&mut recorder, size).await;
        self.under_way.body(recorder.finish());
        Ok((echoed?, script))
    }

    fn script_for(&self, early: Option<Arc<Script>>, model: &str) -> Result<Arc<Script>, Refusal> {
        match early {
            Some(script) => Ok(script),
            None => Ok(self.state.for_model(model)?),
        }
    }

    fn begin<'b>(
        &'b mut self,
        script: &'b Arc<Script>,
        persistence: Persistence,
    ) -> Exchange<'b, L> {
        let entry = &self.under_way.entry;
        entry.set_script(script.clone());
        Exchange {
            link: self.link,
            head: self.head,
            voice: self.endpoint.voice,
            entry,
            journal: &self.state.journal,
            script,
            seed: self.state.seed ^ entry.number,
            persistence,
        }
    }

    async fn body(&mut self) -> Result<BytesMut, Broken> {
        let mut recorder = self.state.journal.recorder();
        let body = read_body(self.link, self.state.largest_body, &mut recorder).await?;
        self.under_way.body(recorder.finish());
        Ok(body)
    }

    /// Notes how the exchange was broken off.
    fn over(&self, over: Over) -> After {
        let end = match over {
            Over::Gone(_) if self.link.ended_by_script() => End::Cut,
            other => other.end(&self.under_way.entry),
        };
        self.under_way.end(end);
        match over {
            Over::Gone(_) | Over::Malformed | Over::Unfit(_) => After::Close,
            Over::Cut => After::Cut,
            Over::Reset => After::Reset,
            Over::Refused => After::Refuse,
            Over::Garbage => After::Garbage,
        }
    }

    /// Answers with an error of our own.
    async fn refuse(&mut self, status: u16, message: String) -> After {
        let error = ErrorText {
            message: Some(message),
            ..ErrorText::default()
        };
        let script = Arc::new(Script {
            status,
            error,
            ..Script::default()
        });
        let answer = self.begin(&script, Persistence::Close);
        // Either way the connection is done with; the journal says why.
        let _ = answer.document(Document::json(Vec::new())).await;
        self.under_way.end(End::Refused);
        After::Close
    }
}
