//! One connection: its requests one after the other, each read, chosen a script for, answered.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::time::Instant;

use crate::sim::asked::{Asked, AskedError, EmbeddingsAsked};
use crate::sim::control;
use crate::sim::deliver::{Document, Exchange};
use crate::sim::entry::{BodyRecorder, End};
use crate::sim::head::{BodyLength, Head, Persistence};
use crate::sim::intake::{Broken, read_body, read_head};
use crate::sim::journal::UnderWay;
use crate::sim::openai;
use crate::sim::outlet::Over;
use crate::sim::reply::BodySize;
use crate::sim::script::is_canary;
use crate::sim::script::{ErrorText, ParseError, Reading, Script};
use crate::sim::state::State;
use crate::sim::wire::{Close, Wire, later};

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Chat,
    Embeddings,
    Models,
    Health,
    Echo,
    Unknown,
}

impl Endpoint {
    fn of(head: &Head) -> Self {
        let get = matches!(head.method.as_str(), "GET" | "HEAD");
        match head.path.as_str() {
            "/v1/chat/completions" if head.method == "POST" => Self::Chat,
            "/v1/embeddings" if head.method == "POST" => Self::Embeddings,
            "/v1/models" if get => Self::Models,
            path if get && path.starts_with("/v1/models/") => Self::Models,
            "/health" => Self::Health,
            path if path.starts_with("/v1/") => Self::Echo,
            _ => Self::Unknown,
        }
    }
}

/// Why a request is not answered as asked.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the script: {0}")]
    Script(#[from] ParseError),
    #[error("{0}")]
    Asked(#[from] AskedError),
    #[error("x-sim-canary: expected 1 to 64 of A-Z a-z 0-9 . _ -")]
    Canary,
    #[error("no such endpoint")]
    Endpoint,
}

/// Serves a connection to its end.
pub(crate) async fn connection(state: Arc<State>, mut wire: Wire, number: u64) {
    let close = loop {
        let head = match read_head(&mut wire).await {
            Ok(head) => head,
            Err(Broken::Gone(_)) => return,
            Err(Broken::Malformed) => break refuse_head(&mut wire, 400).await,
            Err(Broken::TooLarge) => break refuse_head(&mut wire, 431).await,
            Err(Broken::Slow) => break Close::Orderly,
        };
        let next = if control::is_for(&head.path) {
            control(&state, &mut wire, &head).await
        } else {
            exchange(&state, &mut wire, &head, number).await
        };
        if let Err(close) = next {
            break close;
        }
    };
    wire.close(close).await;
}

async fn refuse_head(wire: &mut Wire, status: u16) -> Close {
    let reason = crate::sim::reply::reason(status);
    let head =
        format!("HTTP/1.1 {status} {reason}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    // The peer may be gone already; closing is all that is left either way.
    let _ = wire
        .send(head.as_bytes(), &std::sync::atomic::AtomicU64::new(0))
        .await;
    Close::Orderly
}

/// Answers a request to the simulator itself.
async fn control(state: &State, wire: &mut Wire, head: &Head) -> Result<(), Close> {
    let mut recorder = BodyRecorder::counting();
    let body = read_body(wire, head, state.largest_body, &mut recorder).await;
    let body = body.map_err(|_| Close::Orderly)?;
    let answer = control::answer(state, head, &body);
    let sent = wire
        .send(&answer, &std::sync::atomic::AtomicU64::new(0))
        .await;
    match (sent, head.persistence) {
        (Ok(()), Persistence::KeepAlive) => Ok(()),
        _ => Err(Close::Orderly),
    }
}

/// Serves one request; `Ok` when another may follow.
async fn exchange(
    state: &State,
    wire: &mut Wire,
    head: &Head,
    connection: u64,
) -> Result<(), Close> {
    let under_way = UnderWay::new(&state.journal, connection, head);
    let mut serving = Serving {
        state,
        wire,
        head,
        under_way,
    };
    match serving.run().await {
        Ok((persistence, script)) => {
            serving.under_way.end(End::Served);
            if let Some(after) = script.close_after {
                // A request that comes in meanwhile is lost: that is what is rehearsed.
                let _ = serving
                    .wire
                    .silence_until(later(Instant::now(), after))
                    .await;
                return Err(Close::Orderly);
            }
            match persistence {
                Persistence::KeepAlive => Ok(()),
                Persistence::Close => Err(Close::Orderly),
            }
        }
        Err(Failed::Over(over)) => {
            serving.under_way.end(over.end(&serving.under_way.entry));
            Err(match over {
                Over::Gone(_) | Over::Malformed => Close::Orderly,
                Over::Cut => Close::Cut,
                Over::Reset => Close::Reset,
            })
        }
        Err(Failed::Refused(status, message)) => {
            // Either way the connection ends; the journal says why.
            let _ = serving.refuse(status, message).await;
            serving.under_way.end(End::Refused);
            Err(Close::Orderly)
        }
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
            Refusal::Script(_) | Refusal::Asked(_) | Refusal::Canary => 400,
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
struct Serving<'a> {
    state: &'a State,
    wire: &'a mut Wire,
    head: &'a Head,
    under_way: UnderWay<'a>,
}

impl Serving<'_> {
    async fn run(&mut self) -> Result<(Persistence, Arc<Script>), Failed> {
        let endpoint = Endpoint::of(self.head);
        if self
            .head
            .field("x-sim-canary")
            .is_some_and(|canary| !is_canary(&canary))
        {
            return Err(Refusal::Canary.into());
        }
        let by_header = match self.head.field("x-sim-script") {
            Some(text) => Some(Arc::new(text.parse().map_err(Refusal::Script)?)),
            None => None,
        };
        let early = match by_header {
            Some(script) => Some(script),
            None if matches!(endpoint, Endpoint::Chat | Endpoint::Embeddings) => {
                self.state.unread()
            }
            None => None,
        };
        if let Some(script) = &early
            && script.reading == Reading::Nothing
        {
            let exchange = self.begin(script, Persistence::Close);
            let persistence = exchange.chat(&Asked::unread()).await?;
            return Ok((persistence, script.clone()));
        }
        self.let_body_come().await?;
        if endpoint == Endpoint::Echo {
            return self.echo(early).await;
        }
        let body = self.body().await?;
        self.answer(endpoint, early, &body).await
    }

    /// Answers a request that has been read.
    async fn answer(
        &mut self,
        endpoint: Endpoint,
        early: Option<Arc<Script>>,
        body: &[u8],
    ) -> Result<(Persistence, Arc<Script>), Failed> {
        let path = self.head.path.as_str();
        let (script, document) = match endpoint {
            Endpoint::Chat => return self.chat(early, body).await,
            Endpoint::Embeddings => {
                let asked = EmbeddingsAsked::parse(body).map_err(Refusal::Asked)?;
                let script = self.script_for(early, &asked.model)?;
                (script, openai::embeddings(&asked, body.len() as u64))
            }
            Endpoint::Models => {
                let names = self.state.models();
                let document = match path.strip_prefix("/v1/models/") {
                    Some(name) => openai::model(name),
                    None => openai::models(names.iter().map(String::as_str)),
                };
                (
                    early.unwrap_or_else(|| self.state.for_path("/v1/models")),
                    document,
                )
            }
            Endpoint::Health => {
                let script = early.unwrap_or_else(|| self.state.for_path(path));
                (script, b"{\"status\":\"ok\"}".to_vec())
            }
            Endpoint::Echo | Endpoint::Unknown => return Err(Refusal::Endpoint.into()),
        };
        let exchange = self.begin(&script, self.head.persistence);
        let persistence = exchange.document(Document::json(document)).await?;
        Ok((persistence, script))
    }

    async fn chat(
        &mut self,
        early: Option<Arc<Script>>,
        body: &[u8],
    ) -> Result<(Persistence, Arc<Script>), Failed> {
        let asked = Asked::parse(body).map_err(Refusal::Asked)?;
        let script = self.script_for(early, &asked.model)?;
        let persistence = self
            .begin(&script, self.head.persistence)
            .chat(&asked)
            .await?;
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

    fn begin<'b>(&'b mut self, script: &'b Arc<Script>, persistence: Persistence) -> Exchange<'b> {
        let entry = &self.under_way.entry;
        entry.set_script(script.clone());
        Exchange {
            wire: self.wire,
            head: self.head,
            entry,
            journal: &self.state.journal,
            script,
            seed: self.state.seed ^ entry.number,
            persistence,
        }
    }

    async fn let_body_come(&mut self) -> Result<(), Over> {
        let waits = self.head.expects_continue && self.wire.inbox.is_empty();
        if waits && self.head.length != BodyLength::Known(0) {
            let bytes = &self.under_way.entry.bytes;
            self.wire
                .send(b"HTTP/1.1 100 Continue\r\n\r\n", bytes)
                .await?;
        }
        Ok(())
    }

    async fn body(&mut self) -> Result<BytesMut, Broken> {
        let mut recorder = self.state.journal.recorder();
        let body = read_body(self.wire, self.head, self.state.largest_body, &mut recorder).await?;
        self.under_way.body(recorder.finish());
        Ok(body)
    }

    async fn refuse(&mut self, status: u16, message: String) -> Result<Persistence, Over> {
        let error = ErrorText {
            message: Some(message),
            ..ErrorText::default()
        };
        let script = Arc::new(Script {
            status,
            error,
            ..Script::default()
        });
        self.begin(&script, Persistence::Close)
            .document(Document::json(Vec::new()))
            .await
    }
}
