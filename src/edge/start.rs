//! Why the edge does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::account::shared::SharedError;
use crate::account::store::StoreError;
use crate::edge::settings::LogTarget;

/// Why the edge does not start: each names the setting that is in the way.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A client's or the admin listener's address cannot be bound, or its TLS not set up.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address as configured.
        address: SocketAddr,
        /// What the kernel or the TLS library said.
        source: io::Error,
    },
    /// A socket cannot be looked at or kept for a successor.
    #[error("cannot keep the listening sockets: {0}")]
    Descriptors(#[source] io::Error),
    /// The access log's file cannot be opened.
    #[error("cannot open the access log {}: {source}", path.display())]
    LogFile {
        /// The file as configured.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The file of samples cannot be opened.
    #[error("cannot open the samples {}: {source}", path.display())]
    Samples {
        /// The file as configured.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The store of usage cannot be used, and only a person can mend it.
    #[error("cannot use the store of usage: {0}")]
    Store(#[from] StoreError),
    /// Counts cannot be shared as the config says.
    #[error("{0}")]
    Shared(#[from] SharedError),
    /// The exporter of traces has no thread to run on.
    #[error("cannot export traces: {0}")]
    Traces(#[source] io::Error),
    /// The access log cannot go to standard output.
    #[error("cannot write the access log to standard output: {0}")]
    LogStdout(#[source] io::Error),
}

impl StartError {
    /// What went wrong with an address.
    pub(super) fn listen(address: SocketAddr) -> impl Fn(io::Error) -> Self {
        move |source| Self::Listen { address, source }
    }

    /// What went wrong with the access log.
    pub(super) fn log(target: &LogTarget, source: io::Error) -> Self {
        match target {
            LogTarget::File(path) => Self::LogFile {
                path: path.clone(),
                source,
            },
            LogTarget::Stdout | LogTarget::Off => Self::LogStdout(source),
        }
    }
}
