//! What a client sees of an exchange: the answer, an error, a break, or what must never be.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::client::{self, Answer, ClientError};
use crate::cli::drill::truth::{self, Text};
use crate::cli::heard::{Heard, json, text};

/// How an exchange ended for its client. Times count from the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// A whole answer of one provider.
    Answer {
        /// Who is said to have given it.
        target: String,
        /// Until its first word.
        first: Duration,
    },
    /// An error instead of an answer.
    Error {
        /// Its HTTP status.
        status: u16,
        /// Its code, or else its type.
        code: String,
        /// Until it came.
        after: Duration,
    },
    /// A beginning of an answer, and then an error event.
    Broken {
        /// Who is said to have given it.
        target: String,
        /// Tokens that came.
        tokens: usize,
        /// The error's code, or else its type.
        code: String,
        /// Until the error came.
        after: Duration,
    },
    /// What segue promises never to let through.
    Garbled {
        /// What is wrong with it.
        what: String,
        /// Until it came.
        after: Duration,
    },
}

impl Seen {
    /// How long it took: to the first word of an answer, or to the error.
    pub(super) fn after(&self) -> Duration {
        match self {
            Self::Answer { first, .. } => *first,
            Self::Error { after, .. }
            | Self::Broken { after, .. }
            | Self::Garbled { after, .. } => *after,
        }
    }

    /// Whether the client got what it asked for.
    pub(super) fn is_answer(&self) -> bool {
        matches!(self, Self::Answer { .. })
    }

    /// The same with other times.
    pub(super) fn timed(mut self, time: impl Fn(Duration) -> Duration) -> Self {
        match &mut self {
            Self::Answer { first: after, .. }
            | Self::Error { after, .. }
            | Self::Broken { after, .. }
            | Self::Garbled { after, .. } => *after = time(*after),
        }
        self
    }
}

/// How an answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As a stream.
    Stream,
    /// As one document.
    Whole,
}

/// An exchange of a drill.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    /// Where the proxy is.
    pub(super) address: SocketAddr,
    /// What is asked.
    pub(super) route: &'a str,
    /// How its answer is wanted.
    pub(super) form: Form,
    /// Its id, for the access log.
    pub(super) id: &'a str,
    /// How long it may take.
    pub(super) patience: Duration,
    /// The providers by their numbers: whose words are whose.
    pub(super) cast: &'a [Arc<str>],
}

impl Ask<'_> {
    /// Asks, and hears the answer out.
    pub(super) async fn seen(self) -> Seen {
        let began = Instant::now();
        let what = match tokio::time::timeout(self.patience, self.hear(began)).await {
            Ok(Ok(seen)) => return seen,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no end by the deadline".to_owned(),
        };
        garbled(&what, began)
    }

    async fn hear(&self, began: Instant) -> Result<Seen, ClientError> {
        let body = serde_json::json!({
            "model": self.route,
            "stream": self.form == Form::Stream,
            "messages": [{"role": "user", "content": "This is a drill."}],
        });
        let headers = format!("x-request-id: {}\r\n", self.id);
        let mut answer = client::post_as(self.address, &headers, &body.to_string()).await?;
        if answer.status != 200 {
            let error = json(answer.whole().await?);
            let [code, kind] = ["/error/code", "/error/type"].map(|at| text(&error, at));
            return Ok(Seen::Error {
                status: answer.status,
                code: said([code, kind]),
                after: began.elapsed(),
            });
        }
        match self.form {
            Form::Stream => self.stream(&mut answer, began).await,
            Form::Whole => {
                let words = text(&json(answer.whole().await?), "/choices/0/message/content");
                let first = began.elapsed();
                Ok(self.judged(&answer, &words, first, began))
            }
        }
    }

    async fn stream(&self, answer: &mut Answer, began: Instant) -> Result<Seen, ClientError> {
        let mut words = String::new();
        let mut first = None;
        let mut end = None;
        while let Some(data) = answer.event().await? {
            if end.is_some() {
                return Ok(garbled("something after the end", began));
            }
            match Heard::parse(&data) {
                Heard::Word(word) => {
                    first.get_or_insert_with(|| began.elapsed());
                    words.push_str(&word);
                }
                Heard::Other => {}
                ended => end = Some(ended),
            }
        }
        let first = first.unwrap_or_else(|| began.elapsed());
        Ok(match end {
            Some(Heard::Done) => self.judged(answer, &words, first, began),
            Some(Heard::Error(code)) => self.broken(answer, &words, code, began),
            _ => garbled("an end without an end mark", began),
        })
    }

    /// Holds a good end against what providers say.
    fn judged(&self, answer: &Answer, words: &str, first: Duration, began: Instant) -> Seen {
        let target = target(answer);
        match truth::recognise(words) {
            Text::Whole(number) if self.is_of(&target, number) => Seen::Answer { target, first },
            Text::Whole(_) => garbled("the words of another target than the head says", began),
            Text::Part(..) | Text::Nothing => {
                garbled("a part of an answer as if it were whole", began)
            }
            Text::Garbled => garbled("words that nobody said", began),
        }
    }

    /// Holds what came before an error event against what providers say.
    fn broken(&self, answer: &Answer, words: &str, code: String, began: Instant) -> Seen {
        let target = target(answer);
        let tokens = match truth::recognise(words) {
            Text::Whole(number) if self.is_of(&target, number) => truth::WORDS,
            Text::Part(number, tokens) if self.is_of(&target, number) => tokens,
            Text::Nothing => 0,
            Text::Whole(_) | Text::Part(..) | Text::Garbled => {
                return garbled("words that its target did not say", began);
            }
        };
        Seen::Broken {
            target,
            tokens,
            code: said([code, String::new()]),
            after: began.elapsed(),
        }
    }

    /// Whether a target is one of the provider with that number.
    fn is_of(&self, target: &str, number: usize) -> bool {
        let provider = target.split_once('/').map(|(provider, _)| provider);
        self.cast.get(number).map(|name| &**name) == provider
    }
}

/// The target that an answer says it is from.
fn target(answer: &Answer) -> String {
    let named = answer.header("x-segue-target");
    named.unwrap_or_default().to_owned()
}

fn garbled(what: &str, began: Instant) -> Seen {
    Seen::Garbled {
        what: what.to_owned(),
        after: began.elapsed(),
    }
}

/// The first of these that says something.
fn said(words: [String; 2]) -> String {
    let said = words.into_iter().find(|text| !text.is_empty());
    said.unwrap_or_else(|| "no code".to_owned())
}
