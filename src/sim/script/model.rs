//! A script as data: every setting, its meaning, its default.

use std::time::Duration;

/// Tokens of the answer that a script without words gives.
pub const DEFAULT_TOKENS: u64 = 16;

/// What is done with one request. The default is a good answer of 16 tokens, at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// `30% …`: how often it is used, in hundredths; otherwise what its list has without a share,
    /// or a good answer.
    pub share: Option<u8>,
    /// `status=`: anything but 200 answers with an error body.
    pub status: u16,
    /// `retry_after=`: the header's text, sent as it is.
    pub retry_after: Option<String>,
    /// `header=Name:Value`: further headers, sent as they are.
    pub headers: Vec<(String, String)>,
    /// `type=`: the content type instead of the right one.
    pub content_type: Option<String>,
    /// `interim=`: a 1xx head before the answer's own.
    pub interim: Option<u16>,
    /// `error_type=`, `error_code=`, `error_message=`: the words of an error, where not the usual.
    pub error: ErrorText,
    /// `body=`: the whole body, instead of an answer or an error.
    pub body: Option<Vec<u8>>,
    /// `raw=`: every byte that goes out, head included; the connection is closed after it.
    pub raw: Option<Vec<u8>>,
    /// `unread`: whether the request's body is taken from the socket.
    pub reading: Reading,
    /// `head_after=`: from the request's last byte to the head.
    pub head_after: Duration,
    /// `first_after=`: from the head to the first token.
    pub first_after: Duration,
    /// `delay=`: from each token to the next, on one schedule that does not drift.
    pub delay: Duration,
    /// `ping=`: a comment at this interval while a stream is silent.
    pub ping: Option<Duration>,
    /// `cut@12` and its kind, in the order written.
    pub faults: Vec<Fault>,
    /// `tokens=`: how long the answer is.
    pub tokens: Length,
    /// `token_bytes=`: each token's text is padded to this size.
    pub token_bytes: u64,
    /// `event_bytes=`: the first token's text is padded to this size.
    pub event_bytes: u64,
    /// `tools`, `text=`, `refusal`, `echo`: what the tokens are.
    pub content: Content,
    /// `thinking=`: tokens of reasoning before those of the answer.
    pub thinking: u64,
    /// `canary=`: a mark in every token.
    pub canary: Option<String>,
    /// `role=`: where the stream names its role.
    pub role: Role,
    /// `finish=`, `no_finish`: the finish reason.
    pub finish: Finish,
    /// `usage=`: when the token counts are told.
    pub usage: Usage,
    /// `prompt=`: the prompt tokens told; without it a quarter of the body's bytes, rounded up.
    pub prompt: Option<u64>,
    /// `cached=`: how many of them came from a cache.
    pub cached: u64,
    /// `cache_write=`: how many of them were written to one.
    pub cache_write: u64,
    /// `counted`: what the token counts are.
    pub counting: Counting,
    /// `no_done`, `done_twice`: the stream's end mark.
    pub done: Done,
    /// `crlf`: how the stream's lines end.
    pub newline: Newline,
    /// `chunks=`: how the body is cut into writes and HTTP chunks.
    pub chunks: Chunks,
    /// `drip=`: the body's bytes are let out a few at a time.
    pub drip: Option<Drip>,
    /// `encoding=`: the body's content coding.
    pub encoding: Option<Encoding>,
    /// `content_length`, `until_close`: how the receiver knows the body's end.
    pub framing: Framing,
    /// `whole`, `empty`: the shape of the answer, where not the one asked for.
    pub shape: Shape,
    /// `close_after`: the connection is closed this long after a good answer, unannounced.
    pub close_after: Option<Duration>,
    /// `stray=`: bytes that nobody asked for, after the answer.
    pub stray: Option<Vec<u8>>,
}

/// The words of an error body or event; `None` takes what
/// the provider of that format says with that status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorText {
    /// `error_type=`
    pub kind: Option<String>,
    /// `error_code=`
    pub code: Option<String>,
    /// `error_message=`
    pub message: Option<String>,
}

/// Whether the request's body is read before the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// To its end.
    All,
    /// Not at all.
    Nothing,
}

/// Something that goes wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// Where.
    pub at: Point,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The connection ends with a FIN.
    Cut,
    /// The connection ends with an RST; of HTTP/2 this stream alone.
    Reset,
    /// Silence on an open connection: for that long, or for ever.
    Stall(Option<Duration>),
    /// Bytes that are no part of the format; then the answer goes on.
    Garbage,
    /// An error event, then the end of the stream.
    Error,
    /// An event whose data is not JSON; then the answer goes on.
    Malformed,
    /// The connection takes no more requests and says so; the answer goes on.
    Goaway,
    /// The request is turned away untouched.
    Refuse,
}

/// A place in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Before the first byte.
    Request,
    /// `@head`: when half of the head is out.
    Head,
    /// `@t3`: after that many tokens of the reasoning.
    Thought(u64),
    /// `@12`: after that many tokens.
    Token(u64),
    /// `@300b`: after that many bytes of the body as sent (encoded, HTTP chunk sizes not counted).
    Byte(u64),
    /// `@done`: just before the end mark.
    Done,
    /// `@end`: all is out but the last HTTP chunk.
    End,
}

/// How many tokens an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So many.
    Tokens(u64),
    /// It goes on until somebody closes.
    Endless,
}

impl Length {
    /// The count; an endless one is larger than any that can be sent.
    pub fn count(self) -> u64 {
        match self {
            Self::Tokens(count) => count,
            Self::Endless => u64::MAX,
        }
    }
}

/// What the tokens are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The answer's text.
    Text,
    /// The arguments of tool calls, one after the other.
    Tools {
        /// How many calls.
        calls: u64,
        /// Which tool; `None` takes the first that the request offers.
        name: Option<String>,
    },
    /// This text, in pieces of a few characters.
    Said(String),
    /// Words by which the model declines; the finish says so where the format has a word for it.
    Refusal,
    /// What was understood of the request, as JSON that no format owns.
    Echo,
}

/// Where a stream names its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// In a chunk of its own, first.
    Own,
    /// In the first token's chunk.
    Joined,
    /// Nowhere.
    Missing,
}

/// What finish reason is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The right one.
    Natural,
    /// This one.
    Reason(String),
    /// None.
    Missing,
}

/// When usage is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// As `OpenAI` does: in whole answers, and at a stream's end if it was asked for.
    Asked,
    /// Never.
    Missing,
    /// Where it belongs, with all counts zero.
    Zero,
    /// In every chunk, counting up, asked for or not.
    Every,
}

/// What token counts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// The simulator's own: a quarter of the request's bytes, and the pieces that are said.
    Own,
    /// Tokens of the encoding `o200k_base`, as a vendor counts them.
    Encoding,
}

/// How often `[DONE]` comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Once.
    Once,
    /// Never.
    Missing,
    /// Twice.
    Twice,
}

/// How a stream's lines end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newline {
    /// LF
    Lf,
    /// CR LF
    CrLf,
}

/// How a body is cut into writes; each is one HTTP chunk as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunks {
    /// All that is due at the moment in one.
    Due,
    /// Every event in its own.
    Event,
    /// Pieces of that many bytes.
    Size(u64),
    /// Pieces of 1 to 48 bytes. The same seed cuts alike; `None` takes the simulator's own and
    /// the request's number.
    Random(Option<u64>),
}

/// So many bytes at each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drip {
    /// At least 1.
    pub bytes: u64,
    /// From one piece to the next.
    pub every: Duration,
}

/// A content coding (RFC 9110 section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `gzip`
    Gzip,
    /// `deflate`: the zlib form, as the RFC has it.
    Deflate,
    /// `br`
    Brotli,
    /// `zstd`
    Zstd,
}

impl Encoding {
    /// The name in `content-encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// How the receiver knows where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Streams in HTTP chunks, documents with their length.
    Natural,
    /// With `content-length`, streams as well.
    Length,
    /// By the end of the connection.
    UntilClose,
}

/// What an answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As the request asks.
    Asked,
    /// One document, even if a stream was asked for.
    Whole,
    /// The right head and no body.
    Empty,
}

impl Script {
    /// Whether it has a fault of that kind.
    pub fn has(&self, kind: FaultKind) -> bool {
        self.faults.iter().any(|fault| fault.kind == kind)
    }
}

impl Default for Script {
    fn default() -> Self {
        Self {
            share: None,
            status: 200,
            retry_after: None,
            headers: Vec::new(),
            content_type: None,
            interim: None,
            error: ErrorText::default(),
            body: None,
            raw: None,
            reading: Reading::All,
            head_after: Duration::ZERO,
            first_after: Duration::ZERO,
            delay: Duration::ZERO,
            ping: None,
            faults: Vec::new(),
            tokens: Length::Tokens(DEFAULT_TOKENS),
            token_bytes: 0,
            event_bytes: 0,
            content: Content::Text,
            thinking: 0,
            canary: None,
            role: Role::Own,
            finish: Finish::Natural,
            usage: Usage::Asked,
            prompt: None,
            cached: 0,
            cache_write: 0,
            counting: Counting::Own,
            done: Done::Once,
            newline: Newline::Lf,
            chunks: Chunks::Due,
            drip: None,
            encoding: None,
            framing: Framing::Natural,
            shape: Shape::Asked,
            close_after: None,
            stray: None,
        }
    }
}
