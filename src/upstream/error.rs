//! Why a call failed: a variant for each cause that someone treats differently.
//!
//! No variant carries an address, a header or a byte of a body, so that every error may be shown.

use std::fmt;

use pingora_error::{Error, ErrorType};

/// What went wrong between us and a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The pool is empty.
    #[error("the provider has no peer")]
    NoPeer,
    /// The provider's name gave no address that may be used, and none is left from before.
    #[error("the provider's name does not resolve")]
    Resolve,
    /// What should be sent is no valid HTTP request: our own fault.
    #[error("the request cannot be written as http")]
    BadRequest,
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(ConnectFailure),
    /// Neither a connection nor a refusal within the connect budget.
    #[error("connecting took too long")]
    ConnectTimeout,
    /// The handshake failed: the certificate, its name, its date, its issuer, or the protocol.
    #[error("the tls handshake failed")]
    Tls,
    /// The request could not be sent to its end, and no answer came.
    #[error("the request could not be written")]
    Write,
    /// The peer took nothing of the request for the whole write bound.
    #[error("the peer stopped reading the request")]
    WriteTimeout,
    /// A TCP reset, an HTTP/2 stream reset or a GOAWAY.
    #[error("the peer reset the connection {0}")]
    Reset(Phase),
    /// The connection ended although the answer had not.
    #[error("the peer closed the connection {0}")]
    Closed(Phase),
    /// The answer is not what HTTP allows, or more than we take.
    #[error("malformed answer: {0}")]
    BadAnswer(Flaw),
    /// The answer's content coding.
    #[error("cannot decode the answer: {0}")]
    Inflate(InflateError),
    /// A health check was answered, but not with 2xx.
    #[error("the health check was answered with {0}")]
    Unhealthy(u16),
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectFailure {
    /// Nobody listens there.
    Refused,
    /// No route to the address.
    Unreachable,
    /// Anything else, our own lack of descriptors or ports included.
    Other,
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Other => "failed",
        })
    }
}

/// How far an answer had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No whole head had come: nothing was said yet.
    BeforeHead,
    /// Within the body: what came is a part of the truth.
    AfterHead,
}

impl fmt::Display for Phase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::BeforeHead => "before the answer",
            Self::AfterHead => "within the answer",
        })
    }
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The head does not parse, or is over a limit.
    Head,
    /// The length of the body cannot be known for certain, or its chunks are malformed.
    Framing,
    /// More informational heads than we skip.
    Informational,
    /// 101 although no upgrade was asked for.
    SwitchingProtocols,
    /// A content coding that we neither asked for nor know.
    Coding,
}

impl fmt::Display for Flaw {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Head => "head",
            Self::Framing => "framing",
            Self::Informational => "too many informational heads",
            Self::SwitchingProtocols => "unasked switch of protocols",
            Self::Coding => "unknown content coding",
        })
    }
}

/// Why compressed bytes cannot be given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// Corrupt, followed by other bytes, or cut short.
    #[error("corrupt or cut short")]
    Corrupt,
    /// More output than honest text gives for that input.
    #[error("inflates beyond its limit")]
    TooLarge,
}

/// The cause of a failure to get a connection or a stream.
pub(super) fn connecting(error: &Error) -> CallError {
    match error.etype() {
        ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout => CallError::ConnectTimeout,
        ErrorType::ConnectRefused => CallError::Connect(ConnectFailure::Refused),
        ErrorType::ConnectNoRoute => CallError::Connect(ConnectFailure::Unreachable),
        ErrorType::TLSHandshakeFailure | ErrorType::InvalidCert | ErrorType::TLSWantX509Lookup => {
            CallError::Tls
        }
        _ => CallError::Connect(ConnectFailure::Other),
    }
}

/// The cause of a failure to read an answer.
pub(super) fn reading(error: &Error, phase: Phase) -> CallError {
    match error.etype() {
        ErrorType::ConnectionClosed | ErrorType::Custom("PingTimedout") => CallError::Closed(phase),
        ErrorType::ReadError | ErrorType::WriteError | ErrorType::H2Error => broken(error, phase),
        ErrorType::H2Downgrade => CallError::Reset(phase),
        _ => CallError::BadAnswer(match phase {
            Phase::BeforeHead => Flaw::Head,
            Phase::AfterHead => Flaw::Framing,
        }),
    }
}

fn broken(error: &Error, phase: Phase) -> CallError {
    let root = error.root_cause();
    if let Some(h2) = root.downcast_ref::<h2::Error>() {
        return match h2.get_io() {
            Some(io) => cut(io, phase),
            None if h2.is_remote() => CallError::Reset(phase),
            None => CallError::BadAnswer(Flaw::Framing),
        };
    }
    match root.downcast_ref::<std::io::Error>() {
        Some(io) => cut(io, phase),
        None => CallError::Closed(phase),
    }
}

/// The cause of a failed read or write on an established connection.
pub(super) fn cut(error: &std::io::Error, phase: Phase) -> CallError {
    match error.kind() {
        std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::ConnectionAborted => {
            CallError::Reset(phase)
        }
        _ => CallError::Closed(phase),
    }
}
