//! One exchange on its way, and what all of them share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_error::{Error, ErrorType};
use tokio::sync::watch;

use crate::account::store::Store;
use crate::account::{Ledger, Purse};
use crate::edge::booking;
use crate::edge::generation::{Generation, Generations};
use crate::edge::inbound;
use crate::edge::linger;
use crate::edge::outbound;
use crate::edge::places::{Place, Places};
use crate::edge::strikes::Strikes;
use crate::exchange::Dialect;
use crate::relay::{Allowance, Booked, Budget};
use crate::telemetry::{
    AccessLog, Asked, Gauged, History, Metrics, Outcome, Protocol, Record, Samples, Trace, Traces,
};
use crate::upstream::{Berth, PeerLease, Provider};

/// What all exchanges share.
pub(super) struct Shared {
    pub(super) generations: Generations,
    pub(super) metrics: Arc<Metrics>,
    pub(super) log: AccessLog,
    /// What the admin page shows of the last hour.
    pub(super) history: History,
    /// When the process began to serve.
    pub(super) started: Instant,
    /// What is told in full of a few exchanges.
    pub(super) samples: Samples,
    /// Where their spans go.
    pub(super) traces: Option<Traces>,
    /// Where exchanges are booked.
    pub(super) store: Option<Store>,
    pub(super) budget: Arc<Budget>,
    /// Who may have how many exchanges under way.
    pub(super) places: Arc<Places>,
    /// What has been taken of every quota.
    pub(super) ledger: Arc<Ledger>,
    /// Failures of authentication.
    pub(super) strikes: Mutex<Strikes>,
    /// What retries of all exchanges together may spend.
    pub(super) retries: Allowance,
    /// Exchanges under way.
    pub(super) in_flight: AtomicU64,
    /// Turns true when running exchanges have to end.
    pub(super) stop: watch::Receiver<bool>,
}

impl Shared {
    /// Whether other machines are told anything.
    pub(super) fn shares(&self) -> bool {
        self.generations.current().settings.shared.is_some()
    }

    /// Notes an exchange that has ended for who asks the process itself: metrics and admin page.
    pub(super) fn observe(&self, record: &Record, begun: Instant) {
        self.metrics.observe(record);
        self.history.observe(record, begun, self.started.elapsed());
    }
}

/// One exchange on its way.
pub(super) struct Exchange {
    pub(super) generation: Arc<Generation>,
    pub(super) record: Record,
    /// Its attempts, as long as it is carried.
    pub(super) booked: Arc<Booked>,
    /// The format in which the client expects to be answered.
    pub(super) dialect: Dialect,
    /// Set when Pingora's native phases serve it.
    pub(super) passage: Option<Passage>,
    /// What a sample of it would tell of the request.
    pub(super) asked: Option<Asked>,
    /// What it may take, and what it took of budgets.
    pub(super) purse: Purse,
    /// Its place among those of its key.
    pub(super) place: Option<Place>,
    /// When its head had come.
    pub(super) begun: Instant,
    /// Until it is answered.
    slot: Option<Slot>,
}

/// A request that is handed through.
pub(super) struct Passage {
    /// Where it goes.
    pub(super) provider: Arc<Provider>,
    /// The peer that was chosen, kept busy while the request runs.
    pub(super) lease: Option<PeerLease>,
    /// Its place among the provider's calls.
    pub(super) _berth: Berth,
}

/// Counts an exchange while it lives.
struct Slot {
    shared: Arc<Shared>,
    /// How many were under way before it.
    before: u64,
    _gauged: Gauged,
}

impl Slot {
    fn take(shared: &Arc<Shared>) -> Self {
        let before = shared.in_flight.fetch_add(1, Ordering::Relaxed);
        Self {
            shared: Arc::clone(shared),
            before,
            _gauged: shared.metrics.begin(),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Exchange {
    /// An exchange of which nothing is known yet, by the generation in force.
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            generation: shared.generations.current(),
            dialect: Dialect::OpenAi,
            record: Record::begin(SystemTime::now(), String::new(), Protocol::H1),
            booked: Arc::default(),
            passage: None,
            asked: None,
            purse: Purse::default(),
            place: None,
            begun: Instant::now(),
            slot: Some(Slot::take(shared)),
        }
    }

    /// Whether as many exchanges as the limit allows were under way before this one.
    pub(super) fn is_over_limit(&self) -> bool {
        let is_over = |slot: &Slot| slot.before >= u64::from(slot.shared.places.most());
        self.slot.as_ref().is_some_and(is_over)
    }

    /// It has ended, and whoever counts is told. It is under way no more: from here on it stands in
    /// nobody's way.
    pub(super) fn close(&mut self) {
        let Some(slot) = self.slot.take() else {
            return;
        };
        slot.shared.observe(&self.record, self.begun);
        slot.shared.log.write(&self.record);
        let asked = self.asked.take();
        slot.shared
            .samples
            .write(asked, &mut self.record, self.begun);
        if let Some(traces) = &slot.shared.traces {
            traces.export(&self.record, self.begun);
        }
        if let Some(store) = &slot.shared.store {
            let request_id = std::mem::take(&mut self.record.request_id);
            let spent = self.purse.spent();
            booking::book(store, request_id, &self.record, self.dialect, spent);
        }
        self.purse = Purse::default();
        self.place = None;
    }

    /// It has ended, one way or another: books it, and readies the connection for the next.
    pub(super) async fn settle(&mut self, session: &mut ServerSession) {
        self.record.total = self.begun.elapsed();
        self.record.sent_bytes = as_u64(session.body_bytes_sent());
        self.close();
        if self.passage.is_none() {
            linger::linger(session).await;
        }
        if outbound::is_read(session)
            && let Some(guard) = outbound::guard(session)
        {
            guard.next_request();
        }
    }

    /// Notes what the head says before anything is decided.
    pub(super) fn open(&mut self, session: &mut ServerSession) {
        self.dialect = inbound::dialect(session.req_header());
        self.record.request_id = inbound::request_id(&session.req_header().headers);
        if let Some(traces) = &self.generation.settings.traces {
            let parent = inbound::traceparent(&session.req_header().headers);
            self.record.trace = Trace::begin(parent, traces.share);
        }
        if session.is_http2() {
            self.record.protocol = Protocol::H2;
        }
        if let Some(SocketAddr::Inet(address)) = session.client_addr() {
            self.record.client = Some(address.ip());
        }
    }
}

/// Its task was dropped before the end, or Pingora did not come to its last phase: the log and the
/// counters have it all the same.
impl Drop for Exchange {
    fn drop(&mut self) {
        // One that was never opened is no exchange; a second panic would end the process.
        if self.slot.is_none() || self.record.request_id.is_empty() || std::thread::panicking() {
            return;
        }
        self.record.outcome = Outcome::Aborted;
        self.record.reason = Some("dropped");
        self.record.attempts.extend(self.booked.take());
        self.record.total = self.begun.elapsed();
        self.close();
    }
}

pub(super) fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// An error for Pingora's own phases, with nothing in it that a log must not have.
#[expect(clippy::unnecessary_box_returns, reason = "Pingora's errors are boxed")]
pub(super) fn internal(context: &'static str) -> Box<Error> {
    Error::explain(ErrorType::InternalError, context)
}
