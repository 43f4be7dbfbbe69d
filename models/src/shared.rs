//! In place of the counts that machines share: here nobody shares any, and no value of these types
//! exists. A model of the ledger is one of a ledger by itself.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::account::book::Book;
use crate::account::bucket::Window;
use crate::account::claim::{Claim, Scarce};
use crate::account::instance::Owner;
use crate::account::quota::Quota;
use crate::units::{Day, MicroUsd};

#[derive(Debug)]
pub enum Shared {}

#[derive(Debug)]
pub enum Share {}

#[derive(Debug)]
pub enum Lease {}

#[derive(Clone, Copy, Debug)]
pub enum Notice {}

#[derive(Debug)]
pub enum Seat {}

#[derive(Clone, Copy, Debug)]
pub enum SharedError {}

#[derive(Clone, Copy, Debug)]
pub enum SharedSettings {}

#[derive(Clone, Copy, Debug)]
pub enum SharedMeters {}

#[derive(Clone, Copy, Debug)]
pub struct Rest {
    pub requests: Option<Window>,
    pub tokens: Option<Window>,
    pub day: Day,
    pub spent: [MicroUsd; 3],
    none: Infallible,
}

impl Shared {
    pub fn start(
        settings: &SharedSettings,
        _: SharedMeters,
        _: &Arc<Mutex<Book>>,
    ) -> Result<Self, SharedError> {
        match *settings {}
    }

    pub fn share(&self, _: impl FnOnce(&str) -> SmallVec<[Seat; 4]>) -> Share {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "the real one waits")]
    pub async fn board(&self, _: &[(Arc<str>, Notice)]) -> Option<Vec<Notice>> {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "the real one waits")]
    pub async fn flush(&self, _: Duration) {
        match *self {}
    }
}

impl Share {
    #[expect(clippy::unused_async, reason = "the real one waits")]
    pub async fn take(
        &self,
        _: &[&Quota],
        _: Claim,
    ) -> Result<Option<(Lease, SmallVec<[Rest; 4]>)>, (usize, Scarce, Option<Duration>)> {
        match *self {}
    }

    pub fn settle(&self, _: Option<Lease>, _: impl Iterator<Item = Claim>) {
        match *self {}
    }
}

impl Seat {
    pub fn of(_: &str, _: &Owner, _: &Quota) -> Self {
        unreachable!("only what is shared has seats")
    }
}

impl Rest {
    pub fn of_requests(_: Option<Window>) -> Self {
        unreachable!("only what is shared has a rest")
    }
}
