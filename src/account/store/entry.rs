//! What is handed to the store: an exchange with its attempts, in no room's own words.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use smallvec::SmallVec;

use crate::account::claim::Fate;
use crate::account::spent::Spent;
use crate::exchange::{Bill, Pseudonym};

/// One exchange. Names are shared or static, so that it is small and quickly made.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it began.
    pub began: SystemTime,
    /// Its id, as in `x-request-id`; a client may use one twice.
    pub request_id: String,
    /// The client key's name.
    pub key: Option<Arc<str>>,
    /// The route's name.
    pub route: Option<Arc<str>>,
    /// The variant of the route that was taken.
    pub variant: Option<Arc<str>>,
    /// The session, if the request named one.
    pub session: Option<Pseudonym>,
    /// The user, if the request named one.
    pub user: Option<Pseudonym>,
    /// The client's format.
    pub format: &'static str,
    /// What was called.
    pub endpoint: &'static str,
    /// `stream` or `whole`; `None` where that was not learnt.
    pub delivery: Option<&'static str>,
    /// The status sent to the client; 0 when none was.
    pub status: u16,
    /// How it ended.
    pub outcome: &'static str,
    /// Why it ended so.
    pub reason: Option<&'static str>,
    /// Why another target than the first answered.
    pub fallback_reason: Option<&'static str>,
    /// The target whose words the client got.
    pub target: Option<Arc<str>>,
    /// How long the head of the answer was held back.
    pub held: Option<Duration>,
    /// From the beginning to the first token of the answer.
    pub first_token: Option<Duration>,
    /// From the beginning to the end.
    pub total: Duration,
    /// Each try, in the order in which they ended.
    pub attempts: SmallVec<[AttemptEntry; 2]>,
    /// What it took of budgets: added to running sums in the transaction that books it.
    pub spent: Vec<Spent>,
}

impl Entry {
    /// An exchange that began then, of which nothing else is known.
    pub fn at(began: SystemTime) -> Self {
        Self {
            began,
            request_id: String::new(),
            key: None,
            route: None,
            variant: None,
            session: None,
            user: None,
            format: "",
            endpoint: "",
            delivery: None,
            status: 0,
            outcome: "",
            reason: None,
            fallback_reason: None,
            target: None,
            held: None,
            first_token: None,
            total: Duration::ZERO,
            attempts: SmallVec::new(),
            spent: Vec::new(),
        }
    }

    /// What the client got of it, if anything was billed.
    pub(super) fn delivered(&self) -> Option<&Bill> {
        let mut attempts = self.attempts.iter();
        attempts
            .find(|attempt| attempt.fate == Fate::Delivered)?
            .bill
            .as_ref()
    }

    /// What was taken for nothing.
    pub(super) fn wasted(&self) -> impl Iterator<Item = &Bill> {
        let wasted = |attempt: &&AttemptEntry| attempt.fate == Fate::Wasted;
        let attempts = self.attempts.iter().filter(wasted);
        attempts.filter_map(|attempt| attempt.bill.as_ref())
    }
}

/// One try of one target.
#[derive(Clone, Debug)]
pub struct AttemptEntry {
    /// `provider/model`.
    pub target: Arc<str>,
    /// Why it was made.
    pub kind: &'static str,
    /// The provider's status, if a head came.
    pub status: Option<u16>,
    /// What ended it, when it did not end well.
    pub error: Option<&'static str>,
    /// What was made of the failure.
    pub verdict: Option<&'static str>,
    /// What it took; `None` if nothing is known to have been taken.
    pub bill: Option<Bill>,
    /// Whether the client got its answer.
    pub fate: Fate,
    /// From its beginning to the head of the answer.
    pub first_byte: Option<Duration>,
    /// From its beginning to the first token.
    pub first_token: Option<Duration>,
    /// From its beginning to its end.
    pub total: Duration,
}
