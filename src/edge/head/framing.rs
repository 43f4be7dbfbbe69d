//! How a request's body is delimited: what a head decides and a body is read by.

/// How a request's body is delimited (RFC 9112 section 6.3: there is no third way).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes; zero also when the head names no framing.
    Length(u64),
    /// Chunks.
    Chunked,
}
