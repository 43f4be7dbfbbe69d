//! An exchange to carry, and what became of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderName, HeaderValue};
use tokio::sync::watch;

use crate::exchange::{Fault, Request, Usage};
use crate::relay::budget::Budget;
use crate::route::Route;
use crate::telemetry::{Attempt, Outcome};
use crate::units::ByteSize;
use crate::upstream::Provider;

/// The live providers of a generation, by name.
pub type Providers = BTreeMap<Arc<str>, Arc<Provider>>;

/// One exchange to carry: the request, where it may go and what it may take.
pub struct Job<'a> {
    /// What the client asks for.
    pub request: &'a Request,
    /// The route it asked for.
    pub route: &'a Route,
    /// The providers that the route's targets name.
    pub providers: &'a Providers,
    /// Client headers that may pass to a provider, already checked against the allow-list.
    pub forwarded: &'a [(HeaderName, HeaderValue)],
    /// When the request's last byte came: the deadline counts from here.
    pub started: Instant,
    /// A whole answer, at most.
    pub answer_limit: ByteSize,
    /// One event of a stream, at most.
    pub event_limit: ByteSize,
    /// Bytes that all exchanges together may hold.
    pub budget: &'a Arc<Budget>,
    /// Turns true when running exchanges have to end.
    pub stop: watch::Receiver<bool>,
}

/// What became of an exchange.
#[derive(Debug)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// Each try of a target, in order.
    pub attempts: Vec<Attempt>,
    /// The provider's own count, if it gave one.
    pub usage: Option<Usage>,
    /// When the first token came of the answer that the client got.
    pub first_token: Option<Instant>,
    /// What to tell the client; set when nothing was sent to it yet.
    pub fault: Option<Fault>,
}
