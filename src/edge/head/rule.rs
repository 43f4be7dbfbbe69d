//! Why a request was refused before anything read it.

/// What is wrong with a request that never reached the proxy. `edge::fault` chooses the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// It breaks a rule of the grammar.
    #[error("malformed request: {0}")]
    Malformed(Rule),
    /// The head is longer than the limit.
    #[error("the request head is too large")]
    TooLarge,
    /// The head has more fields than the limit.
    #[error("the request head has too many fields")]
    TooManyFields,
    /// The head did not come in time.
    #[error("the request head took too long")]
    TimedOut,
}

/// The rules of a request's framing: RFC 9112 without its tolerances (sections 2.2, 3, 5, 6, 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rule {
    /// `METHOD SP TARGET SP VERSION`, single spaces.
    #[error("the request line must be a method, a path and a version")]
    RequestLine,
    /// A token.
    #[error("the method is not a token")]
    Method,
    /// A path with an optional query, in the characters of RFC 3986 and `[` `]`.
    #[error("the target must be a path of URI characters")]
    Target,
    /// `HTTP/1.1` or `HTTP/1.0`.
    #[error("the version must be HTTP/1.1 or HTTP/1.0")]
    Version,
    /// CR LF, neither alone.
    #[error("a line must end in CR LF")]
    LineEnd,
    /// Visible ASCII, space and tab.
    #[error("the head has a byte outside visible ASCII")]
    Character,
    /// A field on one line (no obs-fold).
    #[error("a field must not be folded")]
    Fold,
    /// A token without `_`, with the colon right behind it.
    #[error("a field name is malformed")]
    FieldName,
    /// A field that decides framing, host or credential stands once.
    #[error("a field that may stand once is repeated")]
    Repeated,
    /// There is a Host.
    #[error("the host field is missing")]
    HostMissing,
    /// `host` or `host:port`.
    #[error("the host field is malformed")]
    Host,
    /// One to nineteen digits.
    #[error("the content-length is malformed")]
    ContentLength,
    /// `chunked` alone, in HTTP/1.1.
    #[error("the transfer-encoding must be chunked, in HTTP/1.1")]
    TransferEncoding,
    /// One framing.
    #[error("content-length and transfer-encoding must not stand together")]
    TwoFramings,
    /// No change of protocol.
    #[error("a protocol upgrade is not offered")]
    Upgrade,
    /// `close` or `keep-alive`.
    #[error("the connection field may say close or keep-alive only")]
    Connection,
    /// `100-continue`.
    #[error("the expect field may say 100-continue only")]
    Expect,
    /// No trailers.
    #[error("trailer fields are not accepted")]
    Trailer,
    /// `trailers`.
    #[error("the te field may say trailers only")]
    Te,
    /// One to eight hexadecimal digits and CR LF, no extension.
    #[error("a chunk size is malformed")]
    ChunkSize,
    /// A chunk's data ends with CR LF.
    #[error("a chunk does not end where its size says")]
    ChunkEnd,
}
