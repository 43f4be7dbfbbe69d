//! One request as the journal keeps it, and how its exchange went.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::hex;
use crate::sim::head;
use crate::sim::script::Script;
use crate::sim::truth::Truth;

/// How much of a body is kept.
pub const KEPT_BODY: usize = 64 << 10;

/// A request, filled in while it is served. All times are of the monotonic clock.
pub struct Entry {
    /// Counts the simulator's requests from 1.
    pub number: u64,
    /// Counts its connections from 1.
    pub connection: u64,
    /// When its head was complete.
    pub arrived: Instant,
    /// `POST`
    pub method: String,
    /// Without the query.
    pub path: String,
    head: Box<[u8]>,
    protocol: head::Version,
    model: OnceLock<Arc<str>>,
    body: OnceLock<Body>,
    script: OnceLock<Arc<Script>>,
    truth: OnceLock<Truth>,
    pub(crate) tokens: AtomicU64,
    pub(crate) bytes: AtomicU64,
    ended: OnceLock<(End, Instant)>,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All of the answer was accepted by the socket.
    Served,
    /// The client left before that.
    ClientClosed {
        /// How far the exchange was.
        after: Stage,
        /// When the simulator saw it.
        at: Instant,
    },
    /// The script ended the connection with a FIN; of HTTP/2 maybe another stream's script.
    Cut,
    /// The script ended the connection with an RST, or the stream.
    Reset,
    /// The request was malformed or too large, or its script was wrong.
    Refused,
    /// The simulator was stopped.
    Stopped,
}

impl End {
    /// The word in the journal's JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::ClientClosed { .. } => "client_closed",
            Self::Cut => "cut",
            Self::Reset => "reset",
            Self::Refused => "refused",
            Self::Stopped => "stopped",
        }
    }
}

/// How far an exchange had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The request was not complete.
    Request,
    /// The socket had accepted no byte of the answer.
    BeforeHead,
    /// It had accepted the head, and that many tokens.
    Tokens(u64),
}

/// A request's body.
#[derive(Debug)]
pub(crate) struct Body {
    kept: Bytes,
    total: u64,
    /// Of the whole body; set only if more came than is kept.
    digest: Option<[u8; 32]>,
}

/// Takes a body in, in pieces.
#[derive(Debug)]
pub(crate) struct BodyRecorder {
    keep: Keep,
    kept: Vec<u8>,
    total: u64,
    hasher: Option<Sha256>,
}

/// What of a body is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    /// Its beginning, and the digest of all.
    Bytes,
    /// Its length alone: a journal that keeps nothing should cost nothing.
    Length,
}

impl BodyRecorder {
    /// Keeps the beginning and hashes all.
    pub(crate) fn keeping() -> Self {
        Self {
            keep: Keep::Bytes,
            kept: Vec::new(),
            total: 0,
            hasher: None,
        }
    }

    /// Counts the bytes only.
    pub(crate) fn counting() -> Self {
        Self {
            keep: Keep::Length,
            ..Self::keeping()
        }
    }

    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.total = self.total.saturating_add(piece.len() as u64);
        if self.keep == Keep::Length {
            return;
        }
        let room = KEPT_BODY.saturating_sub(self.kept.len());
        let (kept, over) = piece.split_at_checked(room).unwrap_or((piece, &[]));
        // Small bodies, the most by far, are hashed only if somebody asks.
        if let Some(hasher) = &mut self.hasher {
            hasher.update(piece);
        } else if !over.is_empty() {
            let mut hasher = Sha256::new();
            hasher.update(&self.kept);
            hasher.update(piece);
            self.hasher = Some(hasher);
        }
        self.kept.extend_from_slice(kept);
    }

    pub(crate) fn finish(self) -> Body {
        let digest = self.hasher.map(|hasher| hasher.finalize().into());
        Body {
            kept: self.kept.into(),
            total: self.total,
            digest,
        }
    }
}

impl Entry {
    pub(crate) fn new(number: u64, connection: u64, head: &head::Head) -> Self {
        Self {
            number,
            connection,
            arrived: Instant::now(),
            method: head.method.clone(),
            path: head.path.clone(),
            head: head.raw.clone(),
            protocol: head.version,
            model: OnceLock::new(),
            body: OnceLock::new(),
            script: OnceLock::new(),
            truth: OnceLock::new(),
            tokens: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            ended: OnceLock::new(),
        }
    }

    /// What it was asked over.
    pub fn protocol(&self) -> head::Version {
        self.protocol
    }

    /// The request line and headers as they came, with the blank line; those of HTTP/2 in the
    /// form of HTTP/1, `:authority` as `host`.
    pub fn raw_head(&self) -> &[u8] {
        &self.head
    }

    /// The headers in the order in which they came.
    pub fn headers(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        head::fields(&self.head).map(|(name, value)| {
            (
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(value),
            )
        })
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        head::field(&self.head, name)
    }

    /// The model it asks for, once its body has been read; not a name of more than 256 bytes.
    pub fn model(&self) -> Option<&str> {
        self.model.get().map(AsRef::as_ref)
    }

    /// Whether the body has come to its end.
    pub fn body_is_complete(&self) -> bool {
        self.body.get().is_some()
    }

    /// The first 64 KiB of the body; empty until it is complete.
    pub fn body(&self) -> &[u8] {
        self.body.get().map_or(&[], |body| &body.kept)
    }

    /// The size of the whole body in bytes; 0 until it is complete.
    pub fn body_bytes(&self) -> u64 {
        self.body.get().map_or(0, |body| body.total)
    }

    /// The SHA-256 of the whole body in hexadecimal digits, once it is complete.
    pub fn body_sha256(&self) -> Option<String> {
        let body = self.body.get()?;
        let digest = body
            .digest
            .unwrap_or_else(|| Sha256::digest(&body.kept).into());
        Some(hex::digits(&digest).collect())
    }

    /// What was done with it, once that was chosen.
    pub fn script(&self) -> Option<&Script> {
        self.script.get().map(AsRef::as_ref)
    }

    /// What it took, once its answer is over; `None` if nothing: it was refused, or answered with an
    /// error status.
    pub fn truth(&self) -> Option<Truth> {
        self.truth.get().copied()
    }

    /// The tokens that the socket has accepted.
    pub fn tokens(&self) -> u64 {
        self.tokens.load(Ordering::Relaxed)
    }

    /// The bytes that the socket has accepted: heads and chunk sizes too; of HTTP/2 the heads'
    /// names and values and the bodies.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How it ended, if it has.
    pub fn end(&self) -> Option<End> {
        self.ended.get().map(|(end, _)| *end)
    }

    /// When it ended, if it has.
    pub fn ended_at(&self) -> Option<Instant> {
        self.ended.get().map(|(_, at)| *at)
    }

    /// What the entry takes in memory, about.
    pub(crate) fn weight(&self) -> usize {
        let body = self.body.get().map_or(0, |body| body.kept.len());
        self.head
            .len()
            .saturating_add(body)
            .saturating_add(size_of::<Self>())
    }

    pub(crate) fn set_body(&self, body: Body) {
        // A body ends once; a second end would be a defect that the first one outlives.
        let _ = self.body.set(body);
    }

    pub(crate) fn set_model(&self, model: Arc<str>) {
        let _ = self.model.set(model);
    }

    pub(crate) fn set_script(&self, script: Arc<Script>) {
        let _ = self.script.set(script);
    }

    pub(crate) fn set_truth(&self, truth: Truth) {
        let _ = self.truth.set(truth);
    }

    /// Notes the end; only the first one counts. Tells whether this was it.
    pub(crate) fn set_end(&self, end: End) -> bool {
        let at = match end {
            End::ClientClosed { at, .. } => at,
            End::Served | End::Cut | End::Reset | End::Refused | End::Stopped => Instant::now(),
        };
        self.ended.set((end, at)).is_ok()
    }

    /// How far it is.
    pub(crate) fn stage(&self) -> Stage {
        match (self.bytes(), self.tokens()) {
            (0, _) if !self.body_is_complete() => Stage::Request,
            (0, _) => Stage::BeforeHead,
            (_, tokens) => Stage::Tokens(tokens),
        }
    }
}

/// Without headers and body: they hold credentials and prompts.
impl fmt::Debug for Entry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Entry")
            .field("number", &self.number)
            .field("connection", &self.connection)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("protocol", &self.protocol.name())
            .field("body_bytes", &self.body_bytes())
            .field("tokens", &self.tokens())
            .field("bytes", &self.bytes())
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let raw = b"POST /v1/x HTTP/1.1\r\nAuthorization: Bearer sk-canary\r\nB: 1\r\nB: 2\r\n\r\n";
        Entry::new(1, 1, &head::Head::parse(raw).unwrap())
    }

    #[test]
    fn a_body_is_hashed_whole_however_much_is_kept() {
        for size in [0, 10, KEPT_BODY, KEPT_BODY + 1, 3 * KEPT_BODY] {
            let body: Vec<u8> = (0..size)
                .map(|byte| u8::try_from(byte % 251).unwrap())
                .collect();
            let mut recorder = BodyRecorder::keeping();
            body.chunks(1000).for_each(|piece| recorder.push(piece));
            let entry = entry();
            assert_eq!(entry.body_sha256(), None);
            entry.set_body(recorder.finish());
            assert_eq!(entry.body_bytes(), size as u64);
            assert_eq!(entry.body(), &body[..size.min(KEPT_BODY)]);
            assert_eq!(
                entry.body_sha256().unwrap(),
                hex::digits(&Sha256::digest(&body)).collect::<String>(),
                "{size}"
            );
        }
    }

    #[test]
    fn headers_keep_their_order_and_debug_hides_them() {
        let entry = entry();
        let names: Vec<_> = entry
            .headers()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(names, ["Authorization=Bearer sk-canary", "B=1", "B=2"]);
        assert!(!format!("{entry:?}").contains("canary"));
    }

    #[test]
    fn only_the_first_end_counts() {
        let entry = entry();
        assert_eq!(entry.stage(), Stage::Request);
        assert!(entry.set_end(End::Cut));
        assert!(!entry.set_end(End::Stopped));
        assert_eq!(entry.end(), Some(End::Cut));
    }
}
