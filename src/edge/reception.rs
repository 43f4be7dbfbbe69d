//! Who serves what connections bring.

use std::sync::Arc;

use arc_swap::ArcSwap;
use pingora_proxy::HttpProxy;

use crate::edge::serve::Edge;
use crate::edge::settings::Limits;

/// Who serves, and the limits as they are now.
pub(super) struct Reception {
    pub(super) edge: Edge,
    /// For paths that are handed through.
    pub(super) proxy: Arc<HttpProxy<Edge>>,
    pub(super) limits: Arc<ArcSwap<Limits>>,
}
