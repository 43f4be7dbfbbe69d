//! What stays known of a listener once its accept loop has it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::edge::listen::Listener;
use crate::edge::tls::Tls;

/// A listener's address and its TLS, which a reload may swap.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Arc<Tls>>,
}

impl Front {
    /// To be taken before the listener serves.
    pub(super) fn of(listener: &Listener) -> io::Result<Self> {
        Ok(Self {
            address: listener.local_addr()?,
            tls: listener.tls(),
        })
    }
}
